/*
 * What the files of Sinkhorn's iteration share: its state, its passes (sinkhorn_pass.c), Newton's
 * method on it (sinkhorn_newton.c). sinkhorn.c says what it is all about.
 */
#ifndef KD2M_OT_SINKHORN_STATE_H
#define KD2M_OT_SINKHORN_STATE_H

#include <math.h>
#include <stdbool.h>

#include "parallel.h"
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
    size_t rows, columns, slabs;
    bool symmetric, relaxed;
    double epsilon;     /* now: it comes down to the problem's */
    double damping;     /* q */
    int64_t step_began; /* at this pass epsilon came down */
    kd2m_sinkhorn_result *out;
    float *kernel;          /* the plan's memory */
    double *row_base;       /* the absorbed f */
    double *column_base;    /* the absorbed g */
    double *weighted;       /* column_base + eps log b */
    double *row_factors;    /* u */
    double *column_factors; /* v */
    double *row_totals;     /* sum_j K_ij v_j */
    double *slab_sums;      /* slabs x columns: sum_i a_i u_i K_ij */
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

static inline const float *cost_row(const kd2m_sinkhorn_state *s, size_t i) {
    return s->given->costs.values + i * s->given->costs.stride;
}

/* The potentials now. With rho finite a factor may underflow, so that they are kept themselves. */
static inline double row_potential(const kd2m_sinkhorn_state *s, size_t i) {
    return s->relaxed ? s->out->row_potentials[i]
                      : s->row_base[i] + s->epsilon * log(s->row_factors[i]);
}

static inline double column_potential(const kd2m_sinkhorn_state *s, size_t j) {
    return s->column_base[j] + s->epsilon * log(s->column_factors[j]);
}

static inline size_t slab_begin(const kd2m_sinkhorn_state *s, size_t slab) {
    return slab * s->rows / s->slabs;
}

/* sum over the slabs, in their order */
static inline double column_sum(const kd2m_sinkhorn_state *s, size_t j) {
    double sum = 0.0;
    for (size_t slab = 0; slab < s->slabs; slab++)
        sum += s->slab_sums[slab * s->columns + j];
    return sum;
}

/* Runs `body` over the slabs, side by side. */
void kd2m_sinkhorn_run_slabs(kd2m_sinkhorn_state *s, kd2m_parallel_body body);

/* The body of a pass: of each slab the rows' totals and factors, and its part of the columns' sums;
 * the kernel anew where it is stale. */
void kd2m_sinkhorn_pass(void *user, size_t begin, size_t end, int worker);

/* The factors go into the potentials, and become 1. */
void kd2m_sinkhorn_absorb(kd2m_sinkhorn_state *s);

/* Sets a column's potential; one that went far is absorbed at once. */
void kd2m_sinkhorn_set_column(kd2m_sinkhorn_state *s, size_t j, double potential);

/* The columns' updates after a pass: plain, where f = g, and by Newton's method. Each returns the
 * mass that moves. */
double kd2m_sinkhorn_update_columns(kd2m_sinkhorn_state *s);
double kd2m_sinkhorn_update_symmetric(kd2m_sinkhorn_state *s);
double kd2m_sinkhorn_update_by_newton(kd2m_sinkhorn_state *s);

#endif
