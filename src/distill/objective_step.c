/*
 * One step of the objective, in the order of the mathematics: forward, values and gradients of the
 * terms, backward. Nothing is allocated. Single-threaded but for the nets, the solvers and the
 * kernels inside.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "metric.h"
#include "objective.h"
#include "rows.h"

static kd2m_status forward_teacher(kd2m_objective *objective, const kd2m_batch *batch) {
    size_t outer =
        kd2m_profile_begin(objective->profile, objective->teacher_row, KD2M_PHASE_FORWARD);
    kd2m_status status =
        kd2m_teacher_forward(objective->ends.teacher, batch, objective->seed, objective->step);
    kd2m_profile_end(objective->profile, outer);
    return status;
}

static kd2m_status forward(kd2m_objective *objective, const kd2m_batch *batch) {
    kd2m_status status = KD2M_OK;
    const kd2m_match_ends *ends = &objective->ends;
    KD2M_TRY(kd2m_net_forward(ends->student, batch->values));
    KD2M_TRY(kd2m_net_read(ends->student, ends->student_graph->logits, objective->logits,
                           objective->classes));
    if (!ends->teacher)
        return KD2M_OK;
    KD2M_TRY(forward_teacher(objective, batch));
    if (objective->teacher_logits)
        KD2M_TRY(kd2m_teacher_read(ends->teacher, &objective->teacher_logits_layer,
                                   KD2M_REDUCTION_FLATTEN, objective->scratch,
                                   objective->teacher_logits));
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        kd2m_match_draw(match, objective->seed, objective->step);
        KD2M_TRY(kd2m_match_forward(match, ends, objective->scratch, objective->profile));
    }
cleanup:
    return status;
}

static void add_scaled(float *to, const float *from, size_t count, double factor) {
    for (size_t i = 0; i < count; i++)
        to[i] += (float)(factor * from[i]);
}

static void clear_gradients(kd2m_objective *objective) {
    memset(objective->logits_gradient, 0, objective->batch * objective->classes * sizeof(float));
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        memset(match->gradient, 0, match->student_rows * kd2m_match_width(match) * sizeof(float));
    }
}

/* The logits' part of a term's gradient; a sample's is the sum over its positions. */
static void add_logits_gradient(kd2m_objective *objective, const kd2m_bound_term *bound,
                                const kd2m_positions *drawn) {
    size_t classes = objective->classes;
    for (size_t i = 0; i < bound->x.rows; i++)
        add_scaled(objective->logits_gradient + kd2m_positions_sample(drawn, i) * classes,
                   objective->logits_scratch + i * classes, classes, bound->factor);
}

static bool has_bad_values(kd2m_context *context, kd2m_rows rows) {
    size_t row, column;
    return rows.values && kd2m_rows_not_finite(context, rows, &row, &column) > 0;
}

/* Samples come in finite, so where the student says what is not, it has diverged. */
static kd2m_status blame(kd2m_objective *objective, const kd2m_bound_term *bound,
                         kd2m_status status) {
    const kd2m_sample *x = &bound->x;
    kd2m_context *context = objective->context;
    if (status == KD2M_ERROR_INPUT &&
        (has_bad_values(context, (kd2m_rows){x->features, x->rows, x->dim, x->stride}) ||
         has_bad_values(context, (kd2m_rows){x->logits, x->rows, x->classes, x->logits_stride})))
        status = kd2m_fail(context, KD2M_ERROR_NUMERIC,
                           "what the student says is not a number any more: lower the learning "
                           "rate or the term's weight, or clip the gradient");
    return kd2m_fail_within(context, status, "term '%s'", bound->term->text);
}

/* Value of one term and factor times its gradient, added where it belongs. */
static kd2m_status evaluate_term(kd2m_objective *objective, kd2m_bound_term *bound,
                                 const int32_t *labels) {
    kd2m_status status = KD2M_OK;
    size_t rows = objective->batch, classes = objective->classes;
    if (!bound->metric) {
        KD2M_TRY(kd2m_net_cross_entropy(objective->ends.student, labels, rows, &bound->last.value,
                                        objective->logits_scratch));
        bound->last.certificate.converged = 1;
        add_scaled(objective->logits_gradient, objective->logits_scratch, rows * classes,
                   bound->factor);
        return KD2M_OK;
    }
    kd2m_gradient gradient = {NULL, 0, NULL, 0};
    kd2m_match *match = bound->match == KD2M_NO_MATCH ? NULL : &objective->matches[bound->match];
    if (match) {
        gradient.features = objective->scratch;
        gradient.stride = bound->x.dim;
    }
    if (bound->info.traits & (KD2M_METRIC_ON_LOGITS | KD2M_METRIC_WITH_LOGITS)) {
        gradient.logits = objective->logits_scratch;
        gradient.logits_stride = classes;
    }
    kd2m_metric_seek(bound->metric, objective->seed, objective->step);
    KD2M_TRY(
        kd2m_metric_evaluate_fresh(bound->metric, &bound->x, &bound->y, &bound->last, &gradient));
    if (kd2m_teacher_describe(objective->ends.teacher)->mode != KD2M_TEACHER_PAIRED)
        bound->last.pair_share = NAN; /* row i of one side is nothing to row i of the other */
    if (gradient.features)
        add_scaled(match->gradient, gradient.features, bound->x.rows * bound->x.dim, bound->factor);
    if (gradient.logits)
        add_logits_gradient(objective, bound, match ? match->student_drawn : NULL);
cleanup:
    return status == KD2M_OK ? status : blame(objective, bound, status);
}

/* What the term alone has asked for: its metric's scratch, rows of positions, its bank. */
static size_t term_bytes(const kd2m_bound_term *bound) {
    size_t bytes = bound->metric ? kd2m_metric_scratch(bound->metric) : 0;
    bytes += bound->x_rows ? kd2m_row_store_bytes(bound->x_rows) : 0;
    bytes += bound->y_rows ? kd2m_row_store_bytes(bound->y_rows) : 0;
    bytes += bound->bank ? kd2m_row_store_bytes(bound->bank->store) : 0;
    return bytes;
}

static kd2m_status time_term(kd2m_objective *objective, kd2m_bound_term *bound,
                             const int32_t *labels) {
    size_t outer = kd2m_profile_begin(objective->profile, bound->row, KD2M_PHASE_WHOLE);
    kd2m_status status = evaluate_term(objective, bound, labels);
    kd2m_profile_end(objective->profile, outer);
    if (objective->profile)
        kd2m_profile_note_bytes(objective->profile, bound->row, term_bytes(bound));
    return status;
}

/* From the gradients at logits and layers to those of all parameters. */
static kd2m_status backward(kd2m_objective *objective) {
    kd2m_status status = KD2M_OK;
    const kd2m_match_ends *ends = &objective->ends;
    kd2m_net_gradient_clear(ends->student);
    for (size_t i = 0; i < objective->match_count; i++)
        KD2M_TRY(kd2m_match_backward(&objective->matches[i], ends, objective->scratch,
                                     objective->profile));
    KD2M_TRY(kd2m_net_gradient_add(ends->student, ends->student_graph->logits,
                                   objective->logits_gradient, 1));
    KD2M_TRY(kd2m_net_backward(ends->student));
cleanup:
    return status;
}

static double student_gradient_norm(const kd2m_objective *objective) {
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(objective->ends.student, &count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; parameters[i].trained && k < parameters[i].count; k++)
            sum += (double)parameters[i].gradient[k] * parameters[i].gradient[k];
    return sqrt(sum);
}

/* Each term's own gradient norm, by a backward pass for it alone. */
static kd2m_status measure_gradient_norms(kd2m_objective *objective, const int32_t *labels) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++) {
        clear_gradients(objective);
        KD2M_TRY(time_term(objective, &objective->terms[i], labels));
        KD2M_TRY(backward(objective));
        objective->terms[i].sums.gradient_norm = student_gradient_norm(objective);
    }
cleanup:
    return status;
}

static void add_sums(kd2m_bound_term *bound) {
    const kd2m_metric_result *last = &bound->last;
    bound->sums.value += last->value;
    bound->sums.pair_share += last->pair_share;
    bound->sums.largest_gap = fmax(bound->sums.largest_gap, last->certificate.gap);
    bound->sums.largest_marginal_error =
        fmax(bound->sums.largest_marginal_error, last->certificate.marginal_error);
    bound->sums.iterations += (double)last->certificate.iterations;
    bound->sums.counts.unconverged += !last->certificate.converged;
    bound->sums.counts.groups_dropped += last->groups_dropped;
    bound->sums.counts.fallbacks += last->fallbacks;
}

kd2m_status kd2m_objective_step(kd2m_objective *objective, const kd2m_batch *batch,
                                bool measure_shares) {
    kd2m_status status = KD2M_OK;
    size_t outer = kd2m_profile_begin(objective->profile, objective->step_row, KD2M_PHASE_WHOLE);
    KD2M_TRY(forward(objective, batch));
    kd2m_objective_gather(objective, batch);
    if (measure_shares)
        KD2M_TRY(measure_gradient_norms(objective, batch->labels));
    clear_gradients(objective);
    objective->value = 0;
    for (size_t i = 0; i < objective->loss->count; i++) {
        kd2m_bound_term *bound = &objective->terms[i];
        KD2M_TRY(time_term(objective, bound, batch->labels));
        objective->value += bound->factor * bound->last.value;
        add_sums(bound);
    }
    if (!isfinite(objective->value)) {
        status =
            kd2m_fail(objective->context, KD2M_ERROR_NUMERIC,
                      "the loss is not a number any more: lower the learning rate or a weight, "
                      "or clip the gradient");
        goto cleanup;
    }
    KD2M_TRY(backward(objective));
    objective->step++;
cleanup:
    kd2m_profile_end(objective->profile, outer);
    return status;
}
