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

typedef struct side {
    kd2m_rows x;
    float *centred; /* rows x dim */
    float *norms;   /* squared length of each centred row */
} side;

typedef struct distances {
    side x, y;
    float *out;
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

static kd2m_status prepare_side(kd2m_arena *arena, side *out, kd2m_rows x, const double *mean) {
    kd2m_status status;
    out->x = x;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->centred, x.rows, x.dim * sizeof(float)));
    KD2M_TRY(kd2m_arena_take(arena, (void **)&out->norms, x.rows, sizeof(float)));
    kd2m_rows_center(arena->context, out->centred, x, mean);
    for (size_t i = 0; i < x.rows; i++)
        out->norms[i] = squared_length(out->centred + i * x.dim, x.dim);
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
    kd2m_rows x = work->x.x;
    kd2m_rows y = work->y.x;
    for (size_t i = begin; i < end; i++) {
        float *row = work->out + i * y.rows;
        float norm = work->x.norms[i];
        size_t near = finish_row(row, norm, work->y.norms, y.rows);
        for (size_t j = 0; j < y.rows && near > 0; j++)
            if (row[j] < NEAR_SHARE * (norm + work->y.norms[j])) {
                row[j] = (float)kd2m_squared_distance(x.values + i * x.stride,
                                                      y.values + j * y.stride, x.dim);
                near--;
            }
    }
}

kd2m_status kd2m_distances(kd2m_arena *arena, float *out, kd2m_rows x, kd2m_rows y) {
    kd2m_status status = KD2M_OK;
    size_t mark = arena->used;
    double *mean;
    distances work = {.out = out};
    if (x.rows == 0 || y.rows == 0)
        goto cleanup;
    KD2M_TRY(kd2m_arena_take(arena, (void **)&mean, 2 * x.dim, sizeof *mean));
    common_mean(arena->context, mean, x, y);
    KD2M_TRY(prepare_side(arena, &work.x, x, mean));
    KD2M_TRY(prepare_side(arena, &work.y, y, mean));
    KD2M_TRY(kd2m_gemm(arena->context, false, true, x.rows, y.rows, x.dim, -2.0F, work.x.centred,
                       x.dim, work.y.centred, x.dim, 0.0F, out, y.rows));
    kd2m_parallel_for(arena->context, x.rows, ROWS_GRAIN, finish, &work);
cleanup:
    kd2m_arena_rewind(arena, mark);
    return status;
}
