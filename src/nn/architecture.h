/* What an architecture of the zoo is. Each stands in a file of its own, zoo_NAME.c, that ends in
 * the descriptor kd2m_architecture_NAME, and in one line of zoo.def. */
#ifndef KD2M_NN_ARCHITECTURE_H
#define KD2M_NN_ARCHITECTURE_H

#include "graph.h"
#include "kd2m/settings.h"

/* Range and help of the setting that every architecture has. */
#define KD2M_WIDTH_SETTING(X)                                                                      \
    X(REAL, width, "1", 0.001, 1000, "FACTOR", "multiplies the hidden widths")

/* Builds one net, node after node in a chain; for a branch, set `last` back. */
typedef struct kd2m_builder {
    kd2m_graph *graph;
    size_t last;    /* the node that the next one takes its input from */
    size_t variant; /* the 20 of resnet20; 0 for architectures without variants */
} kd2m_builder;

/* Appends a node behind the last one. */
kd2m_status kd2m_builder_add(kd2m_builder *builder, const char *op, const char *name_format, ...)
    KD2M_PRINTF(3, 4);

/* Sets an attribute of the last node. */
kd2m_status kd2m_builder_set(kd2m_builder *builder, const char *key, double value);

/* Declares the last node to be the features, and puts the classifier behind it. */
kd2m_status kd2m_builder_classify(kd2m_builder *builder);

/* A hidden width times `factor`, rounded, at least 1. */
size_t kd2m_builder_width(double width, double factor);

typedef struct kd2m_architecture {
    const char *name;
    const size_t *variants; /* numbers that follow the name in a spec, 0 behind the last; or NULL */
    const char *bare;       /* the key that a value without a key stands for, or NULL */
    kd2m_setting_list parameters;
    size_t parameters_size; /* of the settings struct */
    /* Adds everything behind the input. Errors: KD2M_ERROR_USAGE where the input's shape or the
     * classes (in builder->graph) do not fit, saying what the data has. */
    kd2m_status (*build)(kd2m_builder *builder, const void *parameters);
} kd2m_architecture;

#endif
