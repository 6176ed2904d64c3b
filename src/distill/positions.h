/*
 * Positions as rows. A map is samples x channels x positions; a row is one position of one sample,
 * channels wide. All of them are rows, in order, or so many as are wanted, drawn without
 * replacement anew each step: the law that is compared is over samples and positions.
 *
 * The draw depends on (seed, number, step) alone, so that a resumed run repeats it.
 */
#ifndef KD2M_DISTILL_POSITIONS_H
#define KD2M_DISTILL_POSITIONS_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"

typedef struct kd2m_positions {
    kd2m_context *context;
    size_t samples, positions; /* of a map */
    size_t rows;               /* that are wanted, at most samples * positions */
    uint32_t *chosen; /* samples * positions: sample * positions + position, the first `rows` of
                         them the rows; owned */
} kd2m_positions;

/* `most` = 0: all are rows. Errors: KD2M_ERROR_MEMORY, KD2M_ERROR_USAGE (2^32 positions or more).
 */
kd2m_status kd2m_positions_create(kd2m_positions **out, kd2m_context *context, size_t samples,
                                  size_t positions, size_t most);
void kd2m_positions_free(kd2m_positions *positions);

/* Chooses the rows of a step, 0 <= number, step < 2^32. O(samples * positions) time. */
void kd2m_positions_draw(kd2m_positions *positions, uint64_t seed, size_t number, uint64_t step);

/* The sample that a row comes from; without positions, samples are the rows. */
static inline size_t kd2m_positions_sample(const kd2m_positions *positions, size_t row) {
    return positions ? positions->chosen[row] / positions->positions : row;
}

/* out (rows x channels) = the rows of a map. */
void kd2m_positions_gather(const kd2m_positions *positions, size_t channels, const float *map,
                           float *out);

/* The adjoint: `map` is zero but for the rows, which are those of `rows`. */
void kd2m_positions_scatter(const kd2m_positions *positions, size_t channels, const float *rows,
                            float *map);

#endif
