/* Binding a loss expression to nets: see objective.h. The steps themselves are in
 * objective_step.c. */
#include "objective.h"

#include <math.h>
#include <stdio.h>

#include "context.h"
#include "layer.h"
#include "memory.h"
#include "zoo.h"

static kd2m_status allocate_floats(kd2m_context *context, float **out, size_t rows, size_t width) {
    return kd2m_alloc(context, (void **)out, rows * width, sizeof **out);
}

/* A projector's weights have a seed of their own beside the student's (seeds are below 2^32). */
static uint64_t projector_seed(uint64_t seed, size_t match) {
    return seed | (uint64_t)(match + 1) << 32;
}

static kd2m_status add_projector(kd2m_objective *objective, size_t index, uint64_t seed) {
    kd2m_match *match = &objective->matches[index];
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_zoo_projector(&match->projector_graph, objective->context, match->student_width,
                                match->teacher_width));
    KD2M_TRY(kd2m_net_create(&match->projector, objective->context, match->projector_graph,
                             objective->batch, KD2M_NET_TRAINING, true));
    snprintf(match->name, sizeof match->name, "projector%zu", index);
    KD2M_TRY(kd2m_net_initialise(match->projector, projector_seed(seed, index)));
    KD2M_TRY(allocate_floats(objective->context, &match->student_gradient, objective->batch,
                             match->student_width));
    KD2M_TRY(allocate_floats(objective->context, &match->compared, objective->batch,
                             match->teacher_width));
    kd2m_log(objective->context, KD2M_LOG_INFO,
             "%zu student features pass a trained projector to the teacher's %zu",
             match->student_width, match->teacher_width);
cleanup:
    return status;
}

/* Finds or makes the match that a term names; its number goes to bound->match. */
static kd2m_status bind_match(kd2m_objective *objective, kd2m_bound_term *bound, uint64_t seed) {
    const kd2m_term *term = bound->term;
    kd2m_match wanted = {.reduction = term->reduction};
    const kd2m_net *student = objective->student;
    kd2m_teacher_layer *layer = &wanted.teacher_layer;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_graph_find(objective->student_graph, term->layer, &wanted.student_node));
    KD2M_TRY(kd2m_teacher_find_layer(objective->teacher, term->teacher_layer, layer));
    size_t channels = kd2m_net_channels(student, wanted.student_node);
    size_t positions = kd2m_net_width(student, wanted.student_node) / channels;
    wanted.student_width = kd2m_reduced_width(channels, positions, term->reduction);
    wanted.teacher_width = kd2m_reduced_width(layer->channels, layer->positions, term->reduction);
    bool project = wanted.student_width != wanted.teacher_width &&
                   !(bound->info.traits & KD2M_METRIC_ANY_WIDTH);
    for (size_t i = 0; i < objective->match_count; i++) {
        const kd2m_match *match = &objective->matches[i];
        if (match->reduction == wanted.reduction && match->student_node == wanted.student_node &&
            match->teacher_layer.number == layer->number && (match->projector != NULL) == project) {
            bound->match = i;
            return KD2M_OK;
        }
    }
    bound->match = objective->match_count++;
    kd2m_match *match = &objective->matches[bound->match];
    *match = wanted;
    KD2M_TRY(allocate_floats(objective->context, &match->student, objective->batch,
                             wanted.student_width));
    KD2M_TRY(allocate_floats(objective->context, &match->teacher,
                             kd2m_teacher_rows(objective->teacher), wanted.teacher_width));
    KD2M_TRY(allocate_floats(objective->context, &match->gradient, objective->batch,
                             project ? wanted.teacher_width : wanted.student_width));
    if (project) {
        KD2M_TRY(add_projector(objective, bound->match, seed));
    } else {
        match->compared = match->student;
        match->student_gradient = match->gradient;
    }
cleanup:
    return status;
}

static kd2m_status bind_term(kd2m_objective *objective, kd2m_bound_term *bound, uint64_t seed) {
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
    if (!objective->teacher)
        return kd2m_fail(context, KD2M_ERROR_USAGE,
                         "term '%s' compares with a teacher: give one with --teacher", term->text);
    if (bound->info.traits & KD2M_METRIC_ON_LOGITS) {
        if (term->layer_given)
            return kd2m_fail(context, KD2M_ERROR_USAGE,
                             "term '%s': %s compares logits, it takes no layer", term->text,
                             bound->info.name);
        return KD2M_OK;
    }
    status = bind_match(objective, bound, seed);
    return status == KD2M_OK ? status : kd2m_fail_within(context, status, "term '%s'", term->text);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* What a step works in, once the terms are bound. */
static kd2m_status allocate_batch(kd2m_objective *objective) {
    kd2m_context *context = objective->context;
    kd2m_teacher *teacher = objective->teacher;
    size_t batch = objective->batch, classes = objective->classes;
    size_t rows = teacher ? kd2m_teacher_rows(teacher) : 0;
    size_t widest = classes;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->match_count; i++) {
        const kd2m_match *match = &objective->matches[i];
        const kd2m_teacher_layer *layer = &match->teacher_layer;
        widest = larger(widest, kd2m_net_width(objective->student, match->student_node));
        widest = larger(widest, layer->channels * layer->positions);
    }
    KD2M_TRY(allocate_floats(context, &objective->logits, batch, classes));
    KD2M_TRY(allocate_floats(context, &objective->logits_gradient, batch, classes));
    KD2M_TRY(allocate_floats(context, &objective->logits_scratch, batch, classes));
    KD2M_TRY(allocate_floats(context, &objective->scratch, larger(batch, rows), widest));
    if (teacher) {
        const kd2m_teacher_layer *logits = &objective->teacher_logits_layer;
        KD2M_TRY(kd2m_teacher_find_layer(teacher, "logits", &objective->teacher_logits_layer));
        if (logits->channels * logits->positions != classes) {
            status = kd2m_fail(context, KD2M_ERROR_INPUT,
                               "the teacher knows %zu classes, the student is to learn %zu",
                               logits->channels * logits->positions, classes);
            goto cleanup;
        }
        KD2M_TRY(allocate_floats(context, &objective->teacher_logits, rows, classes));
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
    objective->student = student;
    objective->student_graph = student_graph;
    objective->teacher = teacher;
    objective->batch = kd2m_net_batch(student);
    objective->classes = student_graph->classes;
    size_t count = objective->loss->count;
    KD2M_TRY(kd2m_alloc(context, (void **)&objective->terms, count, sizeof *objective->terms));
    KD2M_TRY(kd2m_alloc(context, (void **)&objective->matches, count, sizeof *objective->matches));
    for (size_t i = 0; i < count; i++) {
        objective->terms[i].term = &objective->loss->terms[i];
        KD2M_TRY(bind_term(objective, &objective->terms[i], seed));
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

static void free_match(kd2m_context *context, kd2m_match *match) {
    if (match->compared != match->student)
        kd2m_free(context, match->compared);
    if (match->student_gradient != match->gradient)
        kd2m_free(context, match->student_gradient);
    kd2m_free(context, match->student);
    kd2m_free(context, match->teacher);
    kd2m_free(context, match->gradient);
    kd2m_net_free(match->projector);
    kd2m_graph_free(match->projector_graph);
}

void kd2m_objective_free(kd2m_objective *objective) {
    if (!objective)
        return;
    kd2m_context *context = objective->context;
    for (size_t i = 0; objective->terms && i < objective->loss->count; i++)
        kd2m_metric_free(objective->terms[i].metric);
    for (size_t i = 0; i < objective->match_count; i++)
        free_match(context, &objective->matches[i]);
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
    for (size_t i = 0; i < objective->loss->count; i++)
        objective->terms[i].sums = (kd2m_term_sums){0};
}

kd2m_status kd2m_objective_profile(kd2m_objective *objective, kd2m_profile *profile) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_net_profile(objective->student, profile));
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
    if (objective->teacher)
        KD2M_TRY(kd2m_profile_add(profile, &(kd2m_profile_label){.part = "teacher"},
                                  &objective->teacher_row));
    KD2M_TRY(kd2m_profile_add(profile,
                              &(kd2m_profile_label){.part = "step", .name = "layers, gradients"},
                              &objective->step_row));
    objective->profile = profile;
cleanup:
    return status;
}
