/* Any text as a loss expression: terms whose metrics can be tried, or a refusal. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kd2m/metric.h"
#include "loss.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    kd2m_context *context = NULL;
    kd2m_loss *loss = NULL;
    char *text = malloc(size + 1);
    if (!text || kd2m_context_create(&context, NULL) != KD2M_OK)
        abort();
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (kd2m_loss_parse(&loss, context, text) == KD2M_OK) {
        if (loss->count == 0)
            abort();
        for (size_t i = 0; i < loss->count; i++) {
            kd2m_metric *metric = NULL;
            if (!(loss->terms[i].weight >= 0) || !loss->terms[i].layer)
                abort();
            if (loss->terms[i].metric)
                kd2m_metric_create(&metric, context, loss->terms[i].metric);
            kd2m_metric_free(metric);
        }
    }
    kd2m_loss_free(loss);
    kd2m_context_free(context);
    free(text);
    return 0;
}
