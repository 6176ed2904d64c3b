/*
 * The objective: a loss expression bound to a student and a teacher. For every batch it reads the
 * layers that the terms name, evaluates the terms, and puts the gradients back into the nets.
 *
 *     objective = sum_k weight_k * value_k / divisor_k
 *     divisor_k = tr(B)^(p/2) under scale=teacher: B the covariance of the teacher's layer over the
 *                 training set, p the metric's degree; else 1
 *
 * Where student and teacher differ in width and a metric needs equal widths, the student's side
 * passes a linear projector that is trained along and stays with the run, not with the student.
 */
#ifndef KD2M_DISTILL_OBJECTIVE_H
#define KD2M_DISTILL_OBJECTIVE_H

#include "bank.h"
#include "kd2m/metric.h"
#include "match.h"

#define KD2M_NO_MATCH SIZE_MAX

/* In how many steps a term's solver did not converge, and what cond had to do without. */
typedef struct kd2m_term_counts {
    double unconverged, groups_dropped, fallbacks;
} kd2m_term_counts;

/* What a term has done since the epoch began. Plain numbers: a checkpoint holds them. */
typedef struct kd2m_term_sums {
    double value;         /* sum of raw values over steps */
    double pair_share;    /* sum over steps; NaN where there is no plan */
    double gradient_norm; /* of the weighted term, over the student's parameters, measured once */
    double largest_gap, largest_marginal_error;
    double iterations; /* sum over steps */
    kd2m_term_counts counts;
} kd2m_term_sums;

typedef struct kd2m_bound_term {
    const kd2m_term *term; /* borrowed from the loss */
    kd2m_metric *metric;   /* owned; NULL for ce */
    kd2m_metric_info info;
    size_t match;                    /* number of its match, KD2M_NO_MATCH for terms on logits */
    double divisor;                  /* see above */
    double factor;                   /* weight / divisor */
    kd2m_row_store *x_rows, *y_rows; /* what belongs to positions, where they are the rows; owned */
    kd2m_bank *bank;                 /* owned; NULL without bank= */
    kd2m_sample x, y;                /* what it compares in this step; borrowed */
    kd2m_term_sums sums;
    kd2m_term_counts run; /* over the epochs before; in a checkpoint, too */
    kd2m_metric_result last;
    size_t row; /* in a profile */
} kd2m_bound_term;

typedef struct kd2m_objective {
    kd2m_context *context;
    kd2m_loss *loss;      /* owned */
    kd2m_match_ends ends; /* the student, in training kind; the teacher, NULL without one */
    kd2m_teacher_layer teacher_logits_layer;
    uint64_t seed;
    uint64_t step; /* steps done: with the seed, what the next one draws follows from it */
    size_t batch, classes;
    kd2m_bound_term *terms; /* loss->count */
    kd2m_match *matches;
    size_t match_count;
    float *logits, *logits_gradient; /* batch x classes */
    float *logits_scratch;           /* most rows x classes: a term's gradient */
    float *teacher_logits;           /* teacher's rows x classes; NULL without */
    float *scratch;                  /* a term's gradient, a layer's map */
    double value;                    /* of the last batch */
    kd2m_profile *profile;           /* borrowed; NULL without one */
    size_t teacher_row, step_row;    /* there */
} kd2m_objective;

/*
 * Binds `loss` (taken over, also on failure). Without a teacher every term must be ce.
 * Errors: KD2M_ERROR_USAGE (unknown metric or layer, a term that needs a teacher).
 */
kd2m_status kd2m_objective_create(kd2m_objective **out, kd2m_loss *loss, kd2m_net *student,
                                  const kd2m_graph *student_graph, kd2m_teacher *teacher,
                                  uint64_t seed);
void kd2m_objective_free(kd2m_objective *objective);

/* Whether the teacher can serve a term whose metric is bound. Errors: KD2M_ERROR_USAGE says why
 * not, and what to do. */
kd2m_status kd2m_objective_check_term(const kd2m_objective *objective,
                                      const kd2m_bound_term *bound);

/* Goes on as if `step` steps had been done. Banks are not touched. */
void kd2m_objective_seek(kd2m_objective *objective, uint64_t step);

/* From now on a term whose solver does not converge is an error of the step: KD2M_ERROR_NUMERIC. */
void kd2m_objective_set_strict(kd2m_objective *objective);

/* Measures tr(B) of every match over the training split and sets the divisors; with `scale` false
 * they are 1. */
kd2m_status kd2m_objective_measure(kd2m_objective *objective, bool scale);

/* Lets what the terms read of the teacher come from files in `folder`, `limit` bytes at most:
 * kd2m_teacher_keep. */
kd2m_status kd2m_objective_keep_teacher(kd2m_objective *objective, const char *folder,
                                        double limit);

/* Points each term's x and y at what it compares in this step, after the forward passes, and takes
 * the teacher's rows into the banks: once a step. */
void kd2m_objective_gather(kd2m_objective *objective, const kd2m_batch *batch);

/*
 * Forward of teacher, student and projectors, value and gradient of all terms, backward. The
 * optimiser's step is the caller's. With `measure_shares` each term's own gradient norm over the
 * student's parameters is measured first (one more backward per term).
 */
kd2m_status kd2m_objective_step(kd2m_objective *objective, const kd2m_batch *batch,
                                bool measure_shares);

/* Adds rows for the student's layers, the terms, the teacher, the projectors and the rest of the
 * step to `profile` (borrowed), which kd2m_objective_step then keeps. Errors: KD2M_ERROR_MEMORY. */
kd2m_status kd2m_objective_profile(kd2m_objective *objective, kd2m_profile *profile);

/* Adds what the terms counted in the epoch to what they did in the run, and forgets the sums: an
 * epoch begins. */
void kd2m_objective_reset(kd2m_objective *objective);

#endif
