/*
 * Kernels of squared distances over all pairs of rows, in tiles: no array of n x m is ever there,
 * but for few rows whose distances are used twice (pair_sides.c).
 */
#ifndef KD2M_METRIC_PAIRWISE_H
#define KD2M_METRIC_PAIRWISE_H

#include "metric.h"

/*
 * A kernel k(|x - y|^2), moved so that k(0) = 0, which the sums of a discrepancy do not notice but
 * its digits do: dk/dx = -scale pull (x - y).
 */
typedef struct kd2m_pair_kernel kd2m_pair_kernel;
struct kd2m_pair_kernel {
    /* Turns squared distances into share * shares[j] * pull_j; returns sum_j shares[j] k_j. */
    double (*row)(const kd2m_pair_kernel *kernel, float *values, double share, const double *shares,
                  size_t count);
    double scale;
    double parameter;
    int power;
};

/* One side's rows, each times its scale, and moved by their mean. */
typedef struct kd2m_pair_side {
    kd2m_rows rows;
    const double *scales; /* NULL = 1 */
    double *shares;       /* weights, as multiples of 1/rows; 0 where the scale is */
    double *mean;
    float *moved;  /* rows x dim */
    float *square; /* squared length of each moved row */
} kd2m_pair_side;

/* Tiles of the pairs: values row by row, which of them are near, and how many in each row. */
typedef struct kd2m_pair_tiles {
    float *values;
    unsigned char *near;
    size_t *near_counts;
} kd2m_pair_tiles;

/* Both sides, and the room to work on them. All in the arena. */
typedef struct kd2m_pairs {
    const kd2m_metric_call *call;
    kd2m_pair_side x, y;
    double *gap; /* between the means of the two sides at work */
    double *row_values;
    double *sums_within, *sums_across; /* per row of x, of pulls */
    float *of_term, *against_term, *of_scale, *against_scale;
    size_t side;                /* of a tile */
    kd2m_pair_tiles room, tile; /* all of it; the tile at work */
    bool keeps;                 /* there is room for all tiles */
    bool measured;              /* and they hold the squared distances */
} kd2m_pairs;

/* How the three sums make a value: within_x S_xx + within_y S_yy - 2 S_xy. */
typedef struct kd2m_pair_factors {
    double within_x, within_y;
} kd2m_pair_factors;

/* Those of the V-statistic, 1 and 1, or of the U-statistic, whose pairs are of different rows. */
kd2m_pair_factors kd2m_pair_factors_of(const kd2m_metric_call *call, bool unbiased);

/* Arena bytes of the two; `keep` as for kd2m_pairs_open. */
size_t kd2m_pairs_bytes(const kd2m_metric_shape *shape, bool keep);

/* Moves the call's rows. scales: per row, or NULL for 1. With `keep`, the distances that
 * kd2m_pairs_total measures are there for one comparison after it, where there are few enough. */
kd2m_status kd2m_pairs_open(kd2m_pairs *out, const kd2m_metric_call *call, bool keep,
                            const double *scales_x, const double *scales_y);

/* From here on rows count as their weights say, not all the same. */
void kd2m_pairs_weigh(kd2m_pairs *pairs);

/* *value = within_x sum_ij a_i a_j k(x_i, x_j) + within_y sum_ij b_i b_j k(y_i, y_j)
 *          - 2 sum_ij a_i b_j k(x_i, y_j); and the gradient by the scaled rows, unless NULL. */
kd2m_status kd2m_pairs_compare(kd2m_pairs *pairs, const kd2m_pair_kernel *kernel,
                               kd2m_pair_factors factors, double *value,
                               const kd2m_gradient *gradient);

/* *out = the sum of all n^2 + m^2 + n m kernel values within X, within Y and between them. Where
 * distances are kept, the kernel's row leaves the values as they are. */
kd2m_status kd2m_pairs_total(kd2m_pairs *pairs, const kd2m_pair_kernel *kernel, double *out);

#endif
