#include "fixture.h"
#include "opening.h"

#include <stdio.h>
#include <stdlib.h>

float fixture_value(size_t row, size_t column) {
    return (float)(row * 16 + column % 16) - (float)column * 0.25F;
}

const char *fixture_files(kd2m_context *context, const char *name, size_t count, size_t columns,
                          const int32_t *labels) {
    static char texts[2][512];
    static const char *folder;
    static int turn;
    char path[256];
    float *values = malloc(count * columns * sizeof *values);
    int32_t *copy = malloc(count * sizeof *copy);
    assert_non_null(values);
    assert_non_null(copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = labels[i];
        for (size_t k = 0; k < columns; k++)
            values[i * columns + k] = fixture_value(i, k);
    }
    if (!folder)
        folder = testing_folder();
    kd2m_array x = {KD2M_FLOAT32, 2, {count, columns}, count * columns, values};
    kd2m_array y = {KD2M_INT32, 1, {count}, count, copy};
    snprintf(path, sizeof path, "%s/%s-x.npy", folder, name);
    EXPECT_OK(context, kd2m_array_write(context, &x, path));
    snprintf(path, sizeof path, "%s/%s-y.npy", folder, name);
    EXPECT_OK(context, kd2m_array_write(context, &y, path));
    free(values);
    free(copy);
    turn = 1 - turn;
    snprintf(texts[turn], sizeof texts[turn], "%s/%s-x.npy;%s/%s-y.npy", folder, name, folder,
             name);
    return texts[turn];
}

kd2m_dataset *fixture_dataset(kd2m_context *context, size_t count, size_t columns,
                              const int32_t *labels, double validation, uint64_t seed) {
    char spec[600];
    kd2m_dataset *dataset = NULL;
    snprintf(spec, sizeof spec, "npy:train=%s",
             fixture_files(context, "train", count, columns, labels));
    EXPECT_OK(context, testing_open(&dataset, context, spec, validation, seed));
    return dataset;
}
