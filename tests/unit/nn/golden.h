/* A net beside golden values: tensors that a script in tools/ wrote. */
#ifndef KD2M_TESTS_NN_GOLDEN_H
#define KD2M_TESTS_NN_GOLDEN_H

#include "net.h"
#include "tensors.h"

/* The file golden/nn/FILE; the caller frees it. */
kd2m_tensors *golden_read(kd2m_context *context, const char *file);

/* The tensor PREFIXNAME; the test fails where there is none. */
const kd2m_tensor *golden_find(const kd2m_tensors *golden, const char *prefix, const char *name);

/* Fails unless all values are within `tolerance` times the largest expected one. `expected` holds
 * doubles. */
void golden_expect(const kd2m_tensor *expected, const float *values, double tolerance);

/* The same of the net's logits. */
void golden_expect_logits(kd2m_net *net, const kd2m_graph *graph, const kd2m_tensor *expected,
                          double tolerance);

#endif
