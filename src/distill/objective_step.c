/*
 * One step of the objective, in the order of the mathematics: forward, values and gradients of the
 * terms, backward. Nothing is allocated. Single-threaded but for the nets, the solvers and the
 * kernels inside.
 */
#include <math.h>
#include <string.h>

#include "context.h"
#include "layer.h"
#include "objective.h"

/* The reduction's adjoint: adds `gradient`, batch x width of the reduction, at the node. */
static kd2m_status add_reduced(kd2m_net *net, size_t node, kd2m_reduction reduction, float *scratch,
                               const float *gradient) {
    size_t channels = kd2m_net_channels(net, node);
    size_t width = kd2m_net_width(net, node);
    if (reduction == KD2M_REDUCTION_FLATTEN || channels == width)
        return kd2m_net_gradient_add(net, node, gradient, 1);
    size_t positions = width / channels;
    for (size_t i = 0; i < kd2m_net_batch(net) * channels; i++)
        for (size_t p = 0; p < positions; p++)
            scratch[i * positions + p] = gradient[i] / (float)positions;
    return kd2m_net_gradient_add(net, node, scratch, 1);
}

static kd2m_status forward_teacher(kd2m_objective *objective, const kd2m_batch *batch) {
    size_t outer =
        kd2m_profile_begin(objective->profile, objective->teacher_row, KD2M_PHASE_FORWARD);
    kd2m_status status = kd2m_teacher_forward(objective->teacher, batch);
    kd2m_profile_end(objective->profile, outer);
    return status;
}

static kd2m_status forward_projector(kd2m_objective *objective, kd2m_match *match) {
    kd2m_status status = KD2M_OK;
    size_t outer = kd2m_profile_begin(objective->profile, match->row, KD2M_PHASE_FORWARD);
    KD2M_TRY(kd2m_net_forward(match->projector, match->student));
    KD2M_TRY(kd2m_net_read(match->projector, match->projector_graph->logits, match->compared,
                           match->teacher_width));
cleanup:
    kd2m_profile_end(objective->profile, outer);
    return status;
}

static kd2m_status forward(kd2m_objective *objective, const kd2m_batch *batch) {
    kd2m_status status = KD2M_OK;
    kd2m_teacher *teacher = objective->teacher;
    KD2M_TRY(kd2m_net_forward(objective->student, batch->values));
    KD2M_TRY(kd2m_net_read(objective->student, objective->student_graph->logits, objective->logits,
                           objective->classes));
    if (!teacher)
        return KD2M_OK;
    KD2M_TRY(forward_teacher(objective, batch));
    KD2M_TRY(kd2m_teacher_read(teacher, &objective->teacher_logits_layer, KD2M_REDUCTION_FLATTEN,
                               objective->scratch, objective->teacher_logits));
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        KD2M_TRY(kd2m_read_layer(objective->student, match->student_node, match->reduction,
                                 objective->scratch, match->student));
        KD2M_TRY(kd2m_teacher_read(teacher, &match->teacher_layer, match->reduction,
                                   objective->scratch, match->teacher));
        if (match->projector)
            KD2M_TRY(forward_projector(objective, match));
    }
cleanup:
    return status;
}

static void add_scaled(float *to, const float *from, size_t count, double factor) {
    for (size_t i = 0; i < count; i++)
        to[i] += (float)(factor * from[i]);
}

static size_t compared_width(const kd2m_match *match) {
    return match->projector ? match->teacher_width : match->student_width;
}

static void clear_gradients(kd2m_objective *objective) {
    memset(objective->logits_gradient, 0, objective->batch * objective->classes * sizeof(float));
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        memset(match->gradient, 0, objective->batch * compared_width(match) * sizeof(float));
    }
}

/* Value of one term and factor times its gradient, added where it belongs. */
static kd2m_status evaluate_term(kd2m_objective *objective, kd2m_bound_term *bound,
                                 const kd2m_batch *batch) {
    kd2m_status status = KD2M_OK;
    size_t rows = objective->batch, classes = objective->classes;
    if (!bound->metric) {
        KD2M_TRY(kd2m_net_cross_entropy(objective->student, batch->labels, rows, &bound->last.value,
                                        objective->logits_scratch));
        bound->last.certificate.converged = 1;
        add_scaled(objective->logits_gradient, objective->logits_scratch, rows * classes,
                   bound->factor);
        return KD2M_OK;
    }
    kd2m_sample x = {.rows = rows,
                     .labels = batch->labels,
                     .classes = classes,
                     .columns = batch->columns,
                     .column_count = batch->column_count};
    kd2m_sample y = {.rows = kd2m_teacher_rows(objective->teacher),
                     .labels = kd2m_teacher_labels(objective->teacher),
                     .classes = classes};
    y.columns = kd2m_teacher_columns(objective->teacher, &y.column_count);
    x.logits = objective->logits;
    y.logits = objective->teacher_logits;
    x.logits_stride = y.logits_stride = classes;
    kd2m_gradient gradient = {NULL, 0, NULL, 0};
    kd2m_match *match = bound->match == KD2M_NO_MATCH ? NULL : &objective->matches[bound->match];
    if (match) {
        x.features = match->compared;
        x.dim = x.stride = compared_width(match);
        y.features = match->teacher;
        y.dim = y.stride = match->teacher_width;
        gradient.features = objective->scratch;
        gradient.stride = x.dim;
    }
    if (bound->info.traits & (KD2M_METRIC_ON_LOGITS | KD2M_METRIC_WITH_LOGITS)) {
        gradient.logits = objective->logits_scratch;
        gradient.logits_stride = classes;
    }
    KD2M_TRY(kd2m_metric_prepare(bound->metric, &x, &y));
    KD2M_TRY(kd2m_metric_evaluate(bound->metric, &x, &y, &bound->last, &gradient));
    if (gradient.features)
        add_scaled(match->gradient, gradient.features, rows * x.dim, bound->factor);
    if (gradient.logits)
        add_scaled(objective->logits_gradient, gradient.logits, rows * classes, bound->factor);
cleanup:
    return status == KD2M_OK
               ? status
               : kd2m_fail_within(objective->context, status, "term '%s'", bound->term->text);
}

static kd2m_status time_term(kd2m_objective *objective, kd2m_bound_term *bound,
                             const kd2m_batch *batch) {
    size_t outer = kd2m_profile_begin(objective->profile, bound->row, KD2M_PHASE_WHOLE);
    kd2m_status status = evaluate_term(objective, bound, batch);
    kd2m_profile_end(objective->profile, outer);
    return status;
}

/* The gradient at the projector's output, passed through to the student's side. */
static kd2m_status backward_projector(kd2m_objective *objective, kd2m_match *match) {
    kd2m_status status = KD2M_OK;
    size_t outer = kd2m_profile_begin(objective->profile, match->row, KD2M_PHASE_BACKWARD);
    kd2m_net_gradient_clear(match->projector);
    KD2M_TRY(kd2m_net_gradient_add(match->projector, match->projector_graph->logits,
                                   match->gradient, 1));
    KD2M_TRY(kd2m_net_backward(match->projector));
    memcpy(match->student_gradient, kd2m_net_input_gradient(match->projector),
           objective->batch * match->student_width * sizeof(float));
cleanup:
    kd2m_profile_end(objective->profile, outer);
    return status;
}

/* From the gradients at logits and layers to those of all parameters. */
static kd2m_status backward(kd2m_objective *objective) {
    kd2m_status status = KD2M_OK;
    kd2m_net_gradient_clear(objective->student);
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        if (match->projector)
            KD2M_TRY(backward_projector(objective, match));
        KD2M_TRY(add_reduced(objective->student, match->student_node, match->reduction,
                             objective->scratch, match->student_gradient));
    }
    KD2M_TRY(kd2m_net_gradient_add(objective->student, objective->student_graph->logits,
                                   objective->logits_gradient, 1));
    KD2M_TRY(kd2m_net_backward(objective->student));
cleanup:
    return status;
}

static double student_gradient_norm(const kd2m_objective *objective) {
    size_t count;
    const kd2m_parameter *parameters = kd2m_net_parameters(objective->student, &count);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; parameters[i].trained && k < parameters[i].count; k++)
            sum += (double)parameters[i].gradient[k] * parameters[i].gradient[k];
    return sqrt(sum);
}

/* Each term's own gradient norm, by a backward pass for it alone. */
static kd2m_status measure_gradient_norms(kd2m_objective *objective, const kd2m_batch *batch) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++) {
        clear_gradients(objective);
        KD2M_TRY(time_term(objective, &objective->terms[i], batch));
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
    bound->sums.groups_dropped += last->groups_dropped;
    bound->sums.fallbacks += last->fallbacks;
    bound->sums.unconverged += !last->certificate.converged;
    if (last->certificate.gap > bound->sums.largest_gap)
        bound->sums.largest_gap = last->certificate.gap;
}

kd2m_status kd2m_objective_step(kd2m_objective *objective, const kd2m_batch *batch,
                                bool measure_shares) {
    kd2m_status status = KD2M_OK;
    size_t outer = kd2m_profile_begin(objective->profile, objective->step_row, KD2M_PHASE_WHOLE);
    KD2M_TRY(forward(objective, batch));
    if (measure_shares)
        KD2M_TRY(measure_gradient_norms(objective, batch));
    clear_gradients(objective);
    objective->value = 0;
    for (size_t i = 0; i < objective->loss->count; i++) {
        kd2m_bound_term *bound = &objective->terms[i];
        KD2M_TRY(time_term(objective, bound, batch));
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
cleanup:
    kd2m_profile_end(objective->profile, outer);
    return status;
}
