/* A small student, a wider teacher and a data set, for the tests of the objective and of runs. */
#ifndef KD2M_TESTS_DISTILL_FIXTURE_H
#define KD2M_TESTS_DISTILL_FIXTURE_H

#include "objective.h"
#include "testing.h"

#define FIXTURE_DATA "bearing:train=12,test=6,length=128"
#define FIXTURE_BATCH 14

/* Writes an untrained teacher, 'mlp:128-12-7' by seed 5, to PATH. */
void fixture_write_teacher(const char *path);

/* The same for one of fixture_conv_graph(6). */
void fixture_write_conv_teacher(const char *path);

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
void fixture_open_student(fixture *out, kd2m_context *context, const char *teacher,
                          kd2m_graph *student); /* taken over */
void fixture_close(fixture *opened);

/* A net with maps, and smooth: conv1 of 5 channels x 16 positions, conv2 of `channels` x 8, pool.
 */
kd2m_graph *fixture_conv_graph(kd2m_context *context, double channels);

/* Another batch: that of row 0 is the first one. */
void fixture_fetch(fixture *opened, size_t first);

/* The objective of a loss expression. */
kd2m_objective *fixture_objective(fixture *opened, const char *loss, bool scale);

/*
 * Central difference along the gradient itself, over all parameters of a net: the slope along a
 * direction g is |g|^2. Long steps, because the values are float sums. `value` runs a step.
 */
typedef double (*fixture_value)(kd2m_objective *objective);
void fixture_check_slope(kd2m_objective *objective, kd2m_net *net, fixture_value value,
                         double tolerance);

/* The value of a step on the batch of the fixture that was opened last, drawing what step 3 draws.
 */
double fixture_value_of(kd2m_objective *objective);

/* fixture_check_slope for the student and all projectors. `hold`: the constants that the loss's one
 * term takes from data are held, as the gradient has it. */
void fixture_check_gradients(fixture *opened, const char *loss, bool hold);

/* Fails the test unless no objective can be made of a loss, and the message holds `message`. */
void fixture_expect_refused(fixture *opened, const char *loss, const char *message);

/* The bytes of FOLDER/NAME; to be freed. */
char *fixture_read(const char *folder, const char *name, size_t *size);

/* Fails the test unless both run folders hold the same model.safetensors. */
void fixture_expect_same_model(const char *a, const char *b);

#endif
