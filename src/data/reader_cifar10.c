/* cifar10: the ten classes of CIFAR-10 in its binary files, as many batches as there are. */
#include "cifar.h"
#include "context.h"

#define CIFAR10_SETTINGS(X)                                                                        \
    X(TEXT, dir, NULL, 0, 0, "DIR", "folder of data_batch_1..5.bin and test_batch.bin")

typedef struct cifar10_settings {
    CIFAR10_SETTINGS(KD2M_SETTINGS_FIELD)
} cifar10_settings;

#define ROW(...) KD2M_SETTINGS_ROW(cifar10_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CIFAR10_SETTINGS(ROW)};

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    static const char *const train[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                        "data_batch_4.bin", "data_batch_5.bin", NULL};
    static const char *const test[] = {"test_batch.bin", NULL};
    const cifar10_settings *settings = parameters;
    const kd2m_cifar_format format = {1, 0};
    kd2m_status status = KD2M_OK;
    if (!settings->dir)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "cifar10: needs a folder, cifar10:DIR");
    out->classes = 10;
    KD2M_TRY(kd2m_cifar_read_part(context, out, &out->train, settings->dir, train, format));
    KD2M_TRY(kd2m_cifar_read_part(context, out, &out->test, settings->dir, test, format));
cleanup:
    return status;
}

const kd2m_reader kd2m_reader_cifar10 = {
    .name = "cifar10",
    .summary = "CIFAR-10's binary files, gzipped or not",
    .bare = "dir",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(cifar10_settings),
    .read = read,
};
