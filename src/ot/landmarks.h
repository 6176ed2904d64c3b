/* Pairs of points that stand alike in two sets, of which distances within each are known. */
#ifndef KD2M_OT_LANDMARKS_H
#define KD2M_OT_LANDMARKS_H

#include "transport.h"

typedef struct kd2m_landmark_side {
    const double *distances, *weights; /* count x count; NULL = uniform */
    size_t count;
    size_t first; /* the point to begin with; it has mass */
} kd2m_landmark_side;

/*
 * Landmarks of x, as far from each other as can be, with partners in y whose distances to each
 * other are like theirs: at most `most` pairs, of equal masses that sum to 1, into out's room for
 * as many. Points without mass take no part. Scratch: as many values as points. O(most^2 m + most
 * n) time.
 */
void kd2m_landmarks_pair(const kd2m_landmark_side *x, const kd2m_landmark_side *y, size_t most,
                         double *scratch, kd2m_plan *out);

#endif
