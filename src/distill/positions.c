/* Positions as rows: see positions.h. Single-threaded. */
#include "positions.h"

#include <string.h>

#include "context.h"
#include "memory.h"
#include "rng.h"

static void list_all(kd2m_positions *positions) {
    size_t count = positions->samples * positions->positions;
    for (size_t i = 0; i < count; i++)
        positions->chosen[i] = (uint32_t)i;
}

kd2m_status kd2m_positions_create(kd2m_positions **out, kd2m_context *context, size_t samples,
                                  size_t positions, size_t most) {
    *out = NULL;
    kd2m_positions *made = NULL;
    size_t count;
    kd2m_status status = KD2M_OK;
    if (!kd2m_size_multiply(samples, positions, &count) || count > UINT32_MAX)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "%zu samples of %zu positions each are more than can be told apart",
                         samples, positions);
    KD2M_TRY(kd2m_alloc(context, (void **)&made, 1, sizeof *made));
    made->context = context;
    made->samples = samples;
    made->positions = positions;
    made->rows = most > 0 && most < count ? most : count;
    KD2M_TRY(kd2m_alloc(context, (void **)&made->chosen, count, sizeof *made->chosen));
    list_all(made);
    *out = made;
    made = NULL;
cleanup:
    kd2m_positions_free(made);
    return status;
}

void kd2m_positions_free(kd2m_positions *positions) {
    if (!positions)
        return;
    kd2m_context *context = positions->context;
    kd2m_free(context, positions->chosen);
    kd2m_free(context, positions);
}

void kd2m_positions_draw(kd2m_positions *positions, uint64_t seed, size_t number, uint64_t step) {
    size_t count = positions->samples * positions->positions;
    kd2m_rng rng;
    if (positions->rows == count)
        return;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_POSITIONS, number);
    rng.index = step << 32; /* a draw takes fewer than 2^32 blocks */
    list_all(positions);
    kd2m_rng_choose(&rng, positions->chosen, count, positions->rows);
}

/* Where in a map the first channel of a row is; the others follow, each `positions` further. */
static size_t place_of(const kd2m_positions *positions, size_t channels, size_t row) {
    size_t sample = kd2m_positions_sample(positions, row);
    size_t position = positions->chosen[row] % positions->positions;
    return sample * channels * positions->positions + position;
}

void kd2m_positions_gather(const kd2m_positions *positions, size_t channels, const float *map,
                           float *out) {
    for (size_t i = 0; i < positions->rows; i++) {
        const float *from = map + place_of(positions, channels, i);
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = from[c * positions->positions];
    }
}

void kd2m_positions_scatter(const kd2m_positions *positions, size_t channels, const float *rows,
                            float *map) {
    memset(map, 0, positions->samples * channels * positions->positions * sizeof *map);
    for (size_t i = 0; i < positions->rows; i++) {
        float *to = map + place_of(positions, channels, i);
        for (size_t c = 0; c < channels; c++)
            to[c * positions->positions] = rows[i * channels + c];
    }
}
