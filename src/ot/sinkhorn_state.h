/*
 * What the files of Sinkhorn's iteration share: its state, passes over the matrix
 * (sinkhorn_pass.c), what follows from a pass for the columns (sinkhorn_columns.c), Newton's method
 * (sinkhorn_newton.c), the result (sinkhorn_result.c). sinkhorn.c says what it is all about.
 */
#ifndef KD2M_OT_SINKHORN_STATE_H
#define KD2M_OT_SINKHORN_STATE_H

#include <math.h>
#include <stdbool.h>

#include "parallel.h"
#include "progress.h"
#include "sinkhorn.h"

/* A column's sum below this share of its weight has underflowed. */
#define UNDERFLOW_SHARE 1e-25

/* Changes that are kept: the speed of convergence is measured between the largest changes of two
 * runs of iterations, for an overshooting one swings. */
#define RUN 5
#define RUNS_APART 10
#define HISTORY (RUN + RUNS_APART)

typedef struct kd2m_sinkhorn_state {
    const kd2m_sinkhorn_problem *given;
    kd2m_context *context;
    kd2m_status status; /* of the first block that failed; no pass does anything after it */
    size_t rows, columns, slabs;
    bool symmetric, relaxed;
    bool kept;           /* costs and kernel stand in memory, in one block of all rows */
    size_t most_rows;    /* of a block */
    size_t first, count; /* rows of the block at work */
    const float *costs;  /* of the block */
    size_t cost_stride;  /* from row to row of them */
    float *kernel;       /* of the block; where costs are not kept it takes their place */
    float *made;         /* where they are not kept: the block's costs */
    float *plan;         /* the block's plan in the end */
    kd2m_meter meter;    /* where they are not kept */
    double epsilon;      /* now: it comes down to the problem's */
    double damping;      /* q */
    int64_t step_began;  /* at this pass epsilon came down */
    kd2m_sinkhorn_result *out;
    double *row_base;       /* the absorbed f */
    double *column_base;    /* the absorbed g */
    double *weighted;       /* column_base + eps log b */
    double *row_factors;    /* u */
    double *column_factors; /* v */
    double *row_totals;     /* sum_j K_ij v_j */
    double *slab_sums;      /* slabs x columns: sum_i a_i u_i K_ij */
    double *sums;           /* of the columns, over all slabs */
    double *masses;         /* Newton's: c */
    double *step, *residual, *direction, *image, *probe;
    bool stale;           /* the kernel is not that of row_base and column_base */
    bool newton;          /* goes on by Newton's method */
    double newton_moved;  /* mass that its last step was to move; infinite where it was cut short */
    int64_t passes;       /* that updated potentials */
    int64_t method_began; /* at this pass plain updates began */
    double changes[HISTORY]; /* of the last passes */
} kd2m_sinkhorn_state;

static inline double weight_at(const double *weights, size_t i, size_t count) {
    return weights ? weights[i] : 1.0 / (double)count;
}

static inline double row_weight(const kd2m_sinkhorn_state *s, size_t i) {
    return weight_at(s->given->row_weights, i, s->rows);
}

static inline double column_weight(const kd2m_sinkhorn_state *s, size_t j) {
    return weight_at(s->symmetric ? s->given->row_weights : s->given->column_weights, j,
                     s->columns);
}

/* Rows of the block at work. */
static inline const float *cost_row(const kd2m_sinkhorn_state *s, size_t i) {
    return s->costs + (i - s->first) * s->cost_stride;
}

static inline float *kernel_row(const kd2m_sinkhorn_state *s, size_t i) {
    return s->kernel + (i - s->first) * s->columns;
}

/* The potentials now. With rho finite a factor may underflow, so that they are kept themselves. */
static inline double row_potential(const kd2m_sinkhorn_state *s, size_t i) {
    return s->relaxed ? s->out->row_potentials[i]
                      : s->row_base[i] + s->epsilon * log(s->row_factors[i]);
}

static inline double column_potential(const kd2m_sinkhorn_state *s, size_t j) {
    return s->column_base[j] + s->epsilon * log(s->column_factors[j]);
}

/* The first row of a slab of the block at work, and the slab's own row of slab_sums. */
static inline size_t slab_begin(const kd2m_sinkhorn_state *s, size_t slab) {
    return s->first + slab * s->count / s->slabs;
}

static inline double *slab_row(const kd2m_sinkhorn_state *s, size_t slab) {
    return s->slab_sums + slab * s->columns;
}

/* Runs `body` over the slabs of every block, side by side within a block; then the visitor, unless
 * NULL, on the block. The outcome is s->status. */
void kd2m_sinkhorn_run(kd2m_sinkhorn_state *s, kd2m_parallel_body body, bool visited);

/* A pass: rows' totals and factors, the kernel anew where it is stale, and the columns' sums. */
void kd2m_sinkhorn_pass(kd2m_sinkhorn_state *s);

/* The slab's row of sums, zeros at the first block of a pass; and all slabs' sums, in their order,
 * into s->sums. */
double *kd2m_sinkhorn_begin_sums(kd2m_sinkhorn_state *s, size_t slab);
void kd2m_sinkhorn_gather(kd2m_sinkhorn_state *s);

/* Row i of the kernel in place of what is there, exp((shift + weighted_j - C_ij)/eps); returns its
 * sum. Without a shift: of the one that makes the largest entry 1, *shift. */
double kd2m_sinkhorn_make_row(kd2m_sinkhorn_state *s, size_t i, double shift);
double kd2m_sinkhorn_make_free_row(kd2m_sinkhorn_state *s, size_t i, double *shift);

/* The factors go into the potentials, and become 1. */
void kd2m_sinkhorn_absorb(kd2m_sinkhorn_state *s);

/* Sets a column's potential; one that went far is absorbed at once. */
void kd2m_sinkhorn_set_column(kd2m_sinkhorn_state *s, size_t j, double potential);

/* The columns' updates after a pass: plain, where f = g, and by Newton's method. Each returns the
 * mass that moves. */
double kd2m_sinkhorn_update_columns(kd2m_sinkhorn_state *s);
double kd2m_sinkhorn_update_symmetric(kd2m_sinkhorn_state *s);
double kd2m_sinkhorn_update_by_newton(kd2m_sinkhorn_state *s);

/* The plan of the columns' last potentials and of the rows' that follow from them, shown to the
 * visitor; its sums, its value and the certificate. `mean` = mean |cost|. */
void kd2m_sinkhorn_read_result(kd2m_sinkhorn_state *s, double mean);

#endif
