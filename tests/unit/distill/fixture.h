/* A small student, a wider teacher and a data set, for the tests of the objective and of runs. */
#ifndef KD2M_TESTS_DISTILL_FIXTURE_H
#define KD2M_TESTS_DISTILL_FIXTURE_H

#include "objective.h"
#include "testing.h"

#define FIXTURE_DATA "bearing:train=12,test=6,length=128"
#define FIXTURE_BATCH 14

/* Writes an untrained teacher, 'mlp:128-12-7' by seed 5, to PATH. */
void fixture_write_teacher(const char *path);

typedef struct fixture {
    kd2m_context *context;
    kd2m_dataset *dataset;
    kd2m_normalisation normalisation;
    kd2m_teacher *teacher;
    kd2m_graph *graph;
    kd2m_net *student;
    float *values;    /* the batch's */
    kd2m_batch batch; /* the first one, class by class in turn */
    int32_t labels[FIXTURE_BATCH];
    uint32_t ids[FIXTURE_BATCH];
} fixture;

/* The student is 'mlp:128-8-7' by seed 3. */
void fixture_open(fixture *out, kd2m_context *context, const char *teacher);
void fixture_close(fixture *opened);

/* The objective of a loss expression. */
kd2m_objective *fixture_objective(fixture *opened, const char *loss, bool scale);

/* The bytes of FOLDER/NAME; to be freed. */
char *fixture_read(const char *folder, const char *name, size_t *size);

/* Fails the test unless both run folders hold the same model.safetensors. */
void fixture_expect_same_model(const char *a, const char *b);

#endif
