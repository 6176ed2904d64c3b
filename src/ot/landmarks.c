/*
 * Landmarks: see landmarks.h. The next is the point of x farthest from all before (T. F. Gonzalez,
 * 'Clustering to minimize the maximum intercluster distance', 1985); its partner is the point j of
 * y with the least sum_e (dX(landmark, x_e) - dY(j, y_e))^2 over the pairs e so far. Clusters are
 * thus matched as wholes. Ties go to the lowest number.
 *
 * Threads: one; pure functions.
 */
#include "landmarks.h"

#include <math.h>
#include <stdbool.h>

#include "simd.h"

static bool has_mass(const kd2m_landmark_side *side, size_t i) {
    return !side->weights || side->weights[i] > 0.0;
}

/* misfit_j += (distance - distances_j)^2 */
KD2M_CLONES
static void add_misfit(double *restrict misfit, double distance, const double *restrict distances,
                       size_t count) {
#pragma omp simd
    for (size_t j = 0; j < count; j++)
        misfit[j] += (distance - distances[j]) * (distance - distances[j]);
}

/* The point farthest from all landmarks, of which *point is the latest; apart_i: how far i was from
 * those before, and is. False if none is left. */
static bool next_landmark(const kd2m_landmark_side *x, double *apart, size_t *point) {
    const double *distances = x->distances + *point * x->count;
    size_t farthest = 0;
    for (size_t i = 0; i < x->count; i++) {
        apart[i] = fmin(apart[i], distances[i]);
        if (apart[i] > apart[farthest])
            farthest = i;
    }
    *point = farthest;
    return apart[farthest] > 0.0;
}

/* The partner of a landmark; false if all points are taken. */
static bool find_partner(const kd2m_landmark_side *x, const kd2m_landmark_side *y,
                         const kd2m_plan *pairs, size_t landmark, double *misfit, size_t *partner) {
    for (size_t j = 0; j < y->count; j++)
        misfit[j] = has_mass(y, j) ? 0.0 : INFINITY;
    for (size_t e = 0; e < pairs->entries; e++) {
        misfit[pairs->column[e]] = INFINITY;
        add_misfit(misfit, x->distances[landmark * x->count + pairs->row[e]],
                   y->distances + pairs->column[e] * y->count, y->count);
    }
    *partner = 0;
    for (size_t j = 0; j < y->count; j++)
        if (misfit[j] < misfit[*partner])
            *partner = j;
    return misfit[*partner] < INFINITY;
}

void kd2m_landmarks_pair(const kd2m_landmark_side *x, const kd2m_landmark_side *y, size_t most,
                         double *scratch, kd2m_plan *out) {
    double *apart = scratch, *misfit = scratch + x->count;
    size_t row = x->first, column = y->first;
    bool more = true;
    for (size_t i = 0; i < x->count; i++)
        apart[i] = has_mass(x, i) ? INFINITY : 0.0;
    for (out->entries = 0; more && out->entries < most;) {
        out->row[out->entries] = (uint32_t)row;
        out->column[out->entries++] = (uint32_t)column;
        more = next_landmark(x, apart, &row) && find_partner(x, y, out, row, misfit, &column);
    }
    for (size_t e = 0; e < out->entries; e++)
        out->mass[e] = 1.0 / (double)out->entries;
}
