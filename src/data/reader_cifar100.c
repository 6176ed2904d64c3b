/* cifar100: CIFAR-100 in its binary files, by its hundred classes or the twenty they belong to. */
#include <string.h>

#include "cifar.h"
#include "context.h"

#define CIFAR100_SETTINGS(X)                                                                       \
    X(TEXT, dir, NULL, 0, 0, "DIR", "folder of train.bin and test.bin")                            \
    X(CHOICE, labels, "fine", 0, 0, "fine|coarse", "the hundred classes, or the twenty")

typedef struct cifar100_settings {
    CIFAR100_SETTINGS(KD2M_SETTINGS_FIELD)
} cifar100_settings;

#define ROW(...) KD2M_SETTINGS_ROW(cifar100_settings, __VA_ARGS__)
static const kd2m_setting rows[] = {CIFAR100_SETTINGS(ROW)};

static kd2m_status read(kd2m_context *context, const void *parameters, kd2m_raw_data *out) {
    static const char *const train[] = {"train.bin", NULL}, *const test[] = {"test.bin", NULL};
    const cifar100_settings *settings = parameters;
    kd2m_status status = KD2M_OK;
    if (!settings->dir)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "cifar100: needs a folder, cifar100:DIR");
    bool fine = strcmp(settings->labels, "fine") == 0;
    const kd2m_cifar_format format = {2, fine ? 1 : 0};
    out->classes = fine ? 100 : 20;
    KD2M_TRY(kd2m_cifar_read_part(context, out, &out->train, settings->dir, train, format));
    KD2M_TRY(kd2m_cifar_read_part(context, out, &out->test, settings->dir, test, format));
cleanup:
    return status;
}

const kd2m_reader kd2m_reader_cifar100 = {
    .name = "cifar100",
    .summary = "CIFAR-100's binary files, gzipped or not",
    .bare = "dir",
    .parameters = {rows, sizeof rows / sizeof *rows},
    .parameters_size = sizeof(cifar100_settings),
    .read = read,
};
