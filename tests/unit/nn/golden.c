#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "testing.h"

kd2m_tensors *golden_read(kd2m_context *context, const char *file) {
    char path[4096];
    kd2m_tensors *golden;
    snprintf(path, sizeof path, "%s/golden/nn/%s", KD2M_TEST_SOURCE, file);
    EXPECT_OK(context, kd2m_tensors_read(&golden, context, path));
    return golden;
}

const kd2m_tensor *golden_find(const kd2m_tensors *golden, const char *prefix, const char *name) {
    char full[192];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const kd2m_tensor *tensor = kd2m_tensors_find(golden, full);
    if (!tensor)
        fail_msg("the golden file has no %s", full);
    return tensor;
}

void golden_expect(const kd2m_tensor *expected, const float *values, double tolerance) {
    const double *wanted = expected->values;
    double largest = 0;
    for (size_t i = 0; i < expected->count; i++)
        largest = fmax(largest, fabs(wanted[i]));
    for (size_t i = 0; i < expected->count; i++)
        EXPECT_CLOSE(wanted[i], (double)values[i], tolerance * largest, 0);
}

void golden_expect_logits(kd2m_net *net, const kd2m_graph *graph, const kd2m_tensor *expected,
                          double tolerance) {
    float *logits = calloc(expected->count, sizeof *logits);
    assert_non_null(logits);
    size_t width = kd2m_net_width(net, graph->logits);
    assert_int_equal(kd2m_net_batch(net) * width, expected->count);
    assert_int_equal(kd2m_net_read(net, graph->logits, logits, width), KD2M_OK);
    golden_expect(expected, logits, tolerance);
    free(logits);
}
