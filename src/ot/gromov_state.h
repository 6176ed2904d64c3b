/* What a search for a Gromov-Wasserstein plan works on, and the sums it is led by: see gromov.c. */
#ifndef KD2M_OT_GROMOV_STATE_H
#define KD2M_OT_GROMOV_STATE_H

#include "gromov.h"

/* One side's points. */
typedef struct gromov_side {
    const double *distances, *weights;
    size_t count;
    float *far;       /* mean distance to the own side, less the mean of those */
    float *inner;     /* count x count: distances less what rows and columns have in common */
    uint64_t *by_far; /* points in the order of `far`, numbers in the lower 32 bits */
    uint64_t *dealt;  /* points in the order of a start */
} gromov_side;

typedef struct gromov {
    const kd2m_gromov_problem *given;
    kd2m_arena *arena;
    double scale; /* mean dX^2 + mean dY^2 */
    gromov_side x, y;
    float *half;    /* P^T cX, m x n */
    float *costs;   /* n x m */
    double *shares; /* of the plan's entries in E; before, and for landmarks, scratch */
    uint64_t *keys; /* scratch to sort in */
    float *values;  /* to sort by */
    kd2m_plan plan; /* the current one */
    kd2m_tree tree; /* where the next transport begins */
} gromov;

static inline double kd2m_gromov_weight(const gromov_side *side, size_t i) {
    return side->weights ? side->weights[i] : 1.0 / (double)side->count;
}

/* Fills in a side; returns the mean of its squared distances. */
double kd2m_gromov_measure(const gromov *s, gromov_side *side);

/* E, in double from differences of distances. */
double kd2m_gromov_objective(const gromov *s, const kd2m_plan *plan);

/* costs = -cX P cY - u v^T, P the current plan */
kd2m_status kd2m_gromov_differentiate(gromov *s);

/* The plan's, by `costs`. */
double kd2m_gromov_cost(const gromov *s, const kd2m_plan *plan);

#endif
