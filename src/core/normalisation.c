/* The input's normalisation as an owned pair of arrays: see normalisation.h. */
#include "normalisation.h"

#include "context.h"
#include "memory.h"

kd2m_status kd2m_normalisation_create(kd2m_normalisation *out, kd2m_context *context,
                                      size_t channels) {
    *out = (kd2m_normalisation){channels, NULL, NULL};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&out->mean, channels, sizeof *out->mean));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->scale, channels, sizeof *out->scale));
cleanup:
    if (status != KD2M_OK)
        kd2m_normalisation_clear(context, out);
    return status;
}

void kd2m_normalisation_clear(kd2m_context *context, kd2m_normalisation *normalisation) {
    kd2m_free(context, normalisation->mean);
    kd2m_free(context, normalisation->scale);
    *normalisation = (kd2m_normalisation){0, NULL, NULL};
}
