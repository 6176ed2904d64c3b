/* The squared 2-Wasserstein distance between two sets of features, and its gradient. */
#include <stdio.h>

#include <kd2m/kd2m.h>

int main(void) {
    const float student[] = {0, 0, 1, 0, 0, 1, 1, 1}; /* 4 rows of 2 features */
    const float teacher[] = {3, 1, 2, 0, 2, 1, 3, 0};
    const kd2m_sample x = {.rows = 4, .dim = 2, .features = student, .stride = 2};
    const kd2m_sample y = {.rows = 4, .dim = 2, .features = teacher, .stride = 2};
    float rows[8];
    const kd2m_gradient gradient = {.features = rows, .stride = 2};
    kd2m_context *context = NULL;
    kd2m_metric *metric = NULL;
    kd2m_metric_result result;
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return 1;
    int failed = kd2m_metric_create(&metric, context, "w2") != KD2M_OK ||
                 kd2m_metric_evaluate(metric, &x, &y, &result, &gradient) != KD2M_OK;
    if (failed)
        fprintf(stderr, "%s\n", kd2m_context_message(context));
    else
        printf("w2 = %g, gap %.1e, first row's gradient (%g, %g)\n", result.value,
               result.certificate.gap, rows[0], rows[1]);
    kd2m_metric_free(metric);
    kd2m_context_free(context);
    return failed;
}
