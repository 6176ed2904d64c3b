/*
 * The ground cost of transport: from row i of X to row j of Y
 *
 *     c_ij = f_ij / scale + beta |u_i - v_j|^2         f_ij = |x_i - y_j|^2 or |x_i - y_j|
 *
 * where u and v are what stands beside the features: one-hot labels, or rows of logits. A transport
 * metric by itself has beta = 0 and scale = 1; joint gives it another ground.
 */
#ifndef KD2M_METRIC_GROUND_H
#define KD2M_METRIC_GROUND_H

#include "metric.h"

typedef enum kd2m_beside {
    KD2M_BESIDE_NOTHING,
    KD2M_BESIDE_LABELS,
    KD2M_BESIDE_LOGITS
} kd2m_beside;

struct kd2m_ground {
    kd2m_feature_cost cost; /* f */
    double scale;           /* >= 0; at 0, where all features coincide, f counts for nothing */
    double beta;
    kd2m_beside beside;
};

/* The cost of a pair, and its derivatives: by x_i it is features * (x_i - y_j), by u_i it is
 * beside * (u_i - v_j). */
typedef struct kd2m_ground_pair {
    double cost, features, beside;
} kd2m_ground_pair;

/* The ground that the call's unit transports on: the call's, or the unit's own. */
kd2m_ground kd2m_ground_of(const kd2m_metric_call *call);

/* Cost and derivatives of a pair, from differences, in double. */
kd2m_ground_pair kd2m_ground_measure(const kd2m_metric_call *call, const kd2m_ground *ground,
                                     size_t i, size_t j);

/* *out = the cost matrix in floats, X's rows x Y's rows, in the arena. Errors: KD2M_ERROR_NUMERIC
 * where a distance leaves float's range. */
kd2m_status kd2m_ground_costs(const kd2m_metric_call *call, const kd2m_ground *ground, float **out);

/* The same costs a few rows at a time. Open takes kd2m_ground_scratch_bytes, which stay taken, and
 * borrows call and ground; fill writes rows first .. first + count, Y's rows wide. */
typedef struct kd2m_ground_rows {
    const kd2m_metric_call *call;
    const kd2m_ground *ground;
    kd2m_distance_pairs features;
} kd2m_ground_rows;

kd2m_status kd2m_ground_open(const kd2m_metric_call *call, const kd2m_ground *ground,
                             kd2m_ground_rows *out);
kd2m_status kd2m_ground_fill(const kd2m_ground_rows *rows, float *out, size_t first, size_t count);

/* *out = sum_ij a_i b_j c_ij, the mean cost of all pairs, for a ground of squared distances: from
 * means and variances, without the matrix. Needs kd2m_ground_mean_bytes of room. */
kd2m_status kd2m_ground_mean(const kd2m_metric_call *call, const kd2m_ground *ground, double *out);
size_t kd2m_ground_mean_bytes(const kd2m_metric_shape *shape);

/* The factor that turns a distance of features into a cost: 1 / scale. */
double kd2m_ground_factor(const kd2m_ground *ground);

/* Arena bytes of the matrix, and of what making it needs for a while. */
size_t kd2m_ground_matrix_bytes(const kd2m_metric_shape *shape);
size_t kd2m_ground_scratch_bytes(const kd2m_metric_shape *shape);

#endif
