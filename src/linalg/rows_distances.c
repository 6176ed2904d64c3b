/*
 * Squared Euclidean distances between all rows of two matrices: see rows.h.
 *
 *     |x - y|^2 = |x|^2 + |y|^2 - 2 x.y
 *
 * turns the work into one matrix product, but takes the difference of numbers that may be far
 * larger than the result. Two remedies: both sides are moved by their common mean, so that the
 * data's offset does not count; and pairs much nearer to each other than to the mean (equal rows,
 * tight clusters) are computed again from differences.
 *
 * Cost: 2 n m dim operations of gemm plus O(n m); a centred copy of both sides.
 * Threads: gemm's, then rows are shared out.
 */
#include "rows.h"

#include "context.h"
#include "gemm.h"
#include "parallel.h"
#include "simd.h"

/* Below this share of |x|^2 + |y|^2 the product's rounding (some 1e-7 of it) would show. */
#define NEAR_SHARE (1.0F / 64.0F)

/* Rows of the result worth a thread of their own. */
#define ROWS_GRAIN ((size_t)16)
#define MEASURE_GRAIN ((size_t)128)

/* Rows first .. of x against all of y. */
typedef struct distances {
    const kd2m_distance_pairs *pairs;
    float *out;
    size_t first;
} distances;

static size_t side_bytes(size_t rows, size_t dim) {
    return kd2m_arena_sum(kd2m_arena_bytes(rows, dim * sizeof(float)),
                          kd2m_arena_bytes(rows, sizeof(float)));
}

size_t kd2m_distances_bytes(size_t n, size_t m, size_t dim) {
    size_t means = kd2m_arena_bytes(2 * dim, sizeof(double));
    return kd2m_arena_sum(means, kd2m_arena_sum(side_bytes(n, dim), side_bytes(m, dim)));
}

/* mean (2 dim, the second half is scratch) = mean of the rows of both sides */
static void common_mean(kd2m_context *context, double *mean, kd2m_rows x, kd2m_rows y) {
    double *mean_y = mean + x.dim;
    kd2m_rows_mean(context, mean, x, NULL);
    kd2m_rows_mean(context, mean_y, y, NULL);
    double share = (double)y.rows / (double)(x.rows + y.rows);
    for (size_t k = 0; k < x.dim; k++)
        mean[k] += share * (mean_y[k] - mean[k]);
}

KD2M_CLONES static float squared_length(const float *x, size_t dim) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < dim; k++)
        sum += (double)x[k] * (double)x[k];
    return (float)sum;
}

static void measure_rows(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const kd2m_distance_side *side = user;
    for (size_t i = begin; i < end; i++)
        side->norms[i] = squared_length(side->centred + i * side->x.dim, side->x.dim);
}

static kd2m_status prepare_side(kd2m_arena *arena, kd2m_distance_side *out, kd2m_rows x,
                                const double *mean) {
    kd2m_status status;
    out->x = x;
    KD2M_TRY(kd2m_arena_take_unset(arena, (void **)&out->centred, x.rows, x.dim * sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->norms, x.rows, sizeof(float)));
    kd2m_rows_center(arena->context, out->centred, x, mean);
    kd2m_parallel_for(arena->context, x.rows, MEASURE_GRAIN, measure_rows, out);
cleanup:
    return status;
}

/* Turns row's products -2 x.y into distances; returns how many came out near. */
KD2M_CLONES static size_t finish_row(float *row, float norm, const float *norms, size_t count) {
    size_t near = 0;
#pragma omp simd reduction(+ : near)
    for (size_t j = 0; j < count; j++) {
        float scale = norm + norms[j];
        float value = scale + row[j];
        near += value < NEAR_SHARE * scale;
        row[j] = value < 0.0F ? 0.0F : value; /* in this form NaN stays NaN */
    }
    return near;
}

static void finish(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const distances *work = user;
    const kd2m_distance_side *of = &work->pairs->x, *to = &work->pairs->y;
    kd2m_rows y = to->x;
    for (size_t r = begin; r < end; r++) {
        size_t i = work->first + r;
        float *row = work->out + r * y.rows;
        float norm = of->norms[i];
        size_t near = finish_row(row, norm, to->norms, y.rows);
        for (size_t j = 0; j < y.rows && near > 0; j++)
            if (row[j] < NEAR_SHARE * (norm + to->norms[j])) {
                row[j] = (float)kd2m_squared_distance(of->x.values + i * of->x.stride,
                                                      y.values + j * y.stride, y.dim);
                near--;
            }
    }
}

kd2m_status kd2m_distances_open(kd2m_arena *arena, kd2m_distance_pairs *out, kd2m_rows x,
                                kd2m_rows y) {
    kd2m_status status = KD2M_OK;
    double *mean;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&mean, 2 * x.dim, sizeof *mean));
    common_mean(arena->context, mean, x, y);
    KD2M_TRY(prepare_side(arena, &out->x, x, mean));
    KD2M_TRY(prepare_side(arena, &out->y, y, mean));
cleanup:
    return status;
}

kd2m_status kd2m_distances_fill(kd2m_context *context, const kd2m_distance_pairs *pairs, float *out,
                                size_t first, size_t count) {
    kd2m_status status = KD2M_OK;
    const kd2m_distance_side *x = &pairs->x, *y = &pairs->y;
    size_t dim = x->x.dim;
    distances work = {pairs, out, first};
    KD2M_TRY(kd2m_gemm(context, false, true, count, y->x.rows, dim, -2.0F, x->centred + first * dim,
                       dim, y->centred, dim, 0.0F, out, y->x.rows));
    kd2m_parallel_for(context, count, ROWS_GRAIN, finish, &work);
cleanup:
    return status;
}

kd2m_status kd2m_distances(kd2m_arena *arena, float *out, kd2m_rows x, kd2m_rows y) {
    kd2m_status status = KD2M_OK;
    size_t mark = arena->used;
    kd2m_distance_pairs pairs;
    if (x.rows == 0 || y.rows == 0)
        goto cleanup;
    KD2M_TRY(kd2m_distances_open(arena, &pairs, x, y));
    KD2M_TRY(kd2m_distances_fill(arena->context, &pairs, out, 0, x.rows));
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}
