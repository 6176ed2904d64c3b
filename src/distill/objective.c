/* Binding a loss expression to nets: see objective.h. The steps themselves are in
 * objective_step.c. */
#include "objective.h"

#include <math.h>

#include "context.h"
#include "memory.h"

static kd2m_status allocate_floats(kd2m_context *context, float **out, size_t rows, size_t width) {
    return kd2m_alloc(context, (void **)out, rows * width, sizeof **out);
}

/* Finds or makes the match that a term names; its number goes to bound->match. */
static kd2m_status bind_match(kd2m_objective *objective, kd2m_bound_term *bound) {
    kd2m_match wanted;
    size_t found = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_match_describe(&wanted, &objective->ends, bound->term,
                                 bound->info.traits & KD2M_METRIC_ANY_WIDTH));
    if (wanted.reduction == KD2M_REDUCTION_POSITIONS && (bound->info.traits & KD2M_METRIC_PAIRED) &&
        wanted.student_positions != wanted.teacher_layer.positions) {
        status = kd2m_fail(objective->context, KD2M_ERROR_USAGE,
                           "%s compares position with position, but the student's layer '%s' has "
                           "%zu of them and the teacher's '%s' %zu: take a metric that doesn't "
                           "pair, or '/pool'",
                           bound->info.name, bound->term->layer, wanted.student_positions,
                           bound->term->teacher_layer, wanted.teacher_layer.positions);
        goto cleanup;
    }
    while (found < objective->match_count && !kd2m_match_same(&objective->matches[found], &wanted))
        found++;
    bound->match = found;
    if (found < objective->match_count)
        return KD2M_OK;
    objective->matches[objective->match_count++] = wanted;
    KD2M_TRY(
        kd2m_match_prepare(&objective->matches[found], &objective->ends, found, objective->seed));
cleanup:
    return status;
}

/* Memory for rows that are not the batch's own: positions, and those of earlier batches. */
static kd2m_status bind_rows(kd2m_objective *objective, kd2m_bound_term *bound) {
    kd2m_context *context = objective->context;
    const kd2m_match *match = &objective->matches[bound->match];
    kd2m_row_needs needs = kd2m_row_needs_of(&bound->info, 0, objective->classes);
    kd2m_status status = KD2M_OK;
    if (match->student_drawn) {
        KD2M_TRY(kd2m_row_store_create(&bound->x_rows, context, match->student_rows, &needs));
        KD2M_TRY(kd2m_row_store_create(&bound->y_rows, context, match->teacher_rows, &needs));
    }
    if (bound->term->bank == 0)
        return KD2M_OK;
    needs.dim = match->teacher_width;
    KD2M_TRY(
        kd2m_bank_create(&bound->bank, context, bound->term->bank, match->teacher_rows, &needs));
    kd2m_log(context, KD2M_LOG_INFO, "term '%s': a bank of %zu of the teacher's rows, %.1f MB",
             bound->term->text, bound->bank->store->capacity,
             (double)kd2m_row_store_bytes(bound->bank->store) / 1e6);
cleanup:
    return status;
}

static kd2m_status bind_term(kd2m_objective *objective, kd2m_bound_term *bound) {
    const kd2m_term *term = bound->term;
    kd2m_context *context = objective->context;
    bound->match = KD2M_NO_MATCH;
    bound->divisor = 1;
    bound->factor = term->weight;
    bound->last.pair_share = NAN;
    if (!term->metric)
        return KD2M_OK;
    kd2m_status status = kd2m_metric_create(&bound->metric, context, term->metric);
    if (status != KD2M_OK)
        return kd2m_fail_within(context, status, "term '%s'", term->text);
    kd2m_metric_describe(bound->metric, &bound->info);
    status = kd2m_objective_check_term(objective, bound);
    if (status != KD2M_OK || (bound->info.traits & KD2M_METRIC_ON_LOGITS))
        return status;
    status = bind_match(objective, bound);
    if (status == KD2M_OK)
        status = bind_rows(objective, bound);
    return status == KD2M_OK ? status : kd2m_fail_within(context, status, "term '%s'", term->text);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* What a step works in, once the terms are bound. */
static kd2m_status allocate_batch(kd2m_objective *objective) {
    kd2m_context *context = objective->context;
    kd2m_teacher *teacher = objective->ends.teacher;
    size_t batch = objective->batch, classes = objective->classes;
    size_t most = batch, scratch = 0;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->match_count; i++) {
        const kd2m_match *match = &objective->matches[i];
        most = larger(most, match->student_rows);
        scratch = larger(scratch, kd2m_match_scratch(match, &objective->ends));
    }
    KD2M_TRY(allocate_floats(context, &objective->logits, batch, classes));
    KD2M_TRY(allocate_floats(context, &objective->logits_gradient, batch, classes));
    KD2M_TRY(allocate_floats(context, &objective->logits_scratch, most, classes));
    KD2M_TRY(allocate_floats(context, &objective->scratch, scratch, 1));
    if (teacher && kd2m_teacher_describe(teacher)->classes > 0) {
        const kd2m_teacher_layer *logits = &objective->teacher_logits_layer;
        KD2M_TRY(kd2m_teacher_find_layer(teacher, "logits", &objective->teacher_logits_layer));
        if (logits->channels * logits->positions != classes) {
            status = kd2m_fail(context, KD2M_ERROR_INPUT,
                               "the teacher knows %zu classes, the student is to learn %zu",
                               logits->channels * logits->positions, classes);
            goto cleanup;
        }
        KD2M_TRY(allocate_floats(context, &objective->teacher_logits, kd2m_teacher_rows(teacher),
                                 classes));
    }
cleanup:
    return status;
}

kd2m_status kd2m_objective_create(kd2m_objective **out, kd2m_loss *loss, kd2m_net *student,
                                  const kd2m_graph *student_graph, kd2m_teacher *teacher,
                                  uint64_t seed) {
    *out = NULL;
    kd2m_context *context = loss->context;
    kd2m_objective *objective = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&objective, 1, sizeof *objective));
    objective->context = context;
    objective->loss = loss;
    loss = NULL;
    objective->ends = (kd2m_match_ends){context, student, student_graph, teacher};
    objective->seed = seed;
    objective->batch = kd2m_net_batch(student);
    objective->classes = student_graph->classes;
    size_t count = objective->loss->count;
    KD2M_TRY(kd2m_alloc(context, (void **)&objective->terms, count, sizeof *objective->terms));
    KD2M_TRY(kd2m_alloc(context, (void **)&objective->matches, count, sizeof *objective->matches));
    for (size_t i = 0; i < count; i++) {
        objective->terms[i].term = &objective->loss->terms[i];
        KD2M_TRY(bind_term(objective, &objective->terms[i]));
    }
    KD2M_TRY(allocate_batch(objective));
    kd2m_objective_reset(objective);
    *out = objective;
    objective = NULL;
cleanup:
    kd2m_loss_free(loss);
    kd2m_objective_free(objective);
    return status;
}

kd2m_status kd2m_objective_keep_teacher(kd2m_objective *objective, const char *folder,
                                        double limit) {
    const kd2m_loss *loss = objective->loss;
    kd2m_teacher_reading *readings = NULL;
    size_t count = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(objective->context, (void **)&readings, loss->count + 1, sizeof *readings));
    if (objective->teacher_logits)
        readings[count++] =
            (kd2m_teacher_reading){"logits", objective->teacher_logits_layer, false};
    for (size_t i = 0; i < loss->count; i++) {
        const kd2m_bound_term *bound = &objective->terms[i];
        if (bound->match == KD2M_NO_MATCH)
            continue;
        const kd2m_teacher_layer *layer = &objective->matches[bound->match].teacher_layer;
        readings[count++] = (kd2m_teacher_reading){
            bound->term->teacher_layer, *layer, kd2m_teacher_pools(layer, bound->term->reduction)};
    }
    KD2M_TRY(kd2m_teacher_keep(objective->ends.teacher, folder, limit, readings, count));
cleanup:
    kd2m_free(objective->context, readings);
    return status;
}

static void clear_term(kd2m_bound_term *bound) {
    kd2m_metric_free(bound->metric);
    kd2m_row_store_free(bound->x_rows);
    kd2m_row_store_free(bound->y_rows);
    kd2m_bank_free(bound->bank);
}

void kd2m_objective_free(kd2m_objective *objective) {
    if (!objective)
        return;
    kd2m_context *context = objective->context;
    for (size_t i = 0; objective->terms && i < objective->loss->count; i++)
        clear_term(&objective->terms[i]);
    for (size_t i = 0; i < objective->match_count; i++)
        kd2m_match_clear(context, &objective->matches[i]);
    kd2m_free(context, objective->terms);
    kd2m_free(context, objective->matches);
    kd2m_free(context, objective->logits);
    kd2m_free(context, objective->teacher_logits);
    kd2m_free(context, objective->logits_gradient);
    kd2m_free(context, objective->logits_scratch);
    kd2m_free(context, objective->scratch);
    kd2m_loss_free(objective->loss);
    kd2m_free(context, objective);
}

void kd2m_objective_reset(kd2m_objective *objective) {
    for (size_t i = 0; i < objective->loss->count; i++) {
        kd2m_bound_term *bound = &objective->terms[i];
        bound->run.unconverged += bound->sums.counts.unconverged;
        bound->run.groups_dropped += bound->sums.counts.groups_dropped;
        bound->run.fallbacks += bound->sums.counts.fallbacks;
        bound->sums = (kd2m_term_sums){0};
    }
}

void kd2m_objective_set_strict(kd2m_objective *objective) {
    for (size_t i = 0; i < objective->loss->count; i++)
        if (objective->terms[i].metric)
            kd2m_metric_set_strict(objective->terms[i].metric, 1);
}

void kd2m_objective_seek(kd2m_objective *objective, uint64_t step) {
    objective->step = step;
}

kd2m_status kd2m_objective_profile(kd2m_objective *objective, kd2m_profile *profile) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_net_profile(objective->ends.student, profile));
    for (size_t i = 0; i < objective->loss->count; i++) {
        kd2m_bound_term *bound = &objective->terms[i];
        const kd2m_profile_label label = {.part = "loss", .name = bound->term->text};
        KD2M_TRY(kd2m_profile_add(profile, &label, &bound->row));
    }
    for (size_t i = 0; i < objective->match_count; i++) {
        kd2m_match *match = &objective->matches[i];
        const kd2m_profile_label label = {.part = "projector", .name = match->name};
        if (match->projector)
            KD2M_TRY(kd2m_profile_add(profile, &label, &match->row));
    }
    if (objective->ends.teacher)
        KD2M_TRY(kd2m_profile_add(profile, &(kd2m_profile_label){.part = "teacher"},
                                  &objective->teacher_row));
    KD2M_TRY(kd2m_profile_add(profile,
                              &(kd2m_profile_label){.part = "step", .name = "layers, gradients"},
                              &objective->step_row));
    objective->profile = profile;
cleanup:
    return status;
}
