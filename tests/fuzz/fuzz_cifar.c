/* Any bytes as a file of CIFAR-10. */
#include "cifar.h"
#include "fuzz_array.h"

static kd2m_status parse(kd2m_array *out, kd2m_context *context, kd2m_source *source) {
    kd2m_array labels = {0};
    kd2m_status status =
        kd2m_cifar_append(out, &labels, context, source, (kd2m_cifar_format){1, 0});
    if (status == KD2M_OK && labels.count != out->shape[0])
        abort();
    kd2m_array_clear(context, &labels);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    fuzz_array(parse, bytes, size);
    return 0;
}
