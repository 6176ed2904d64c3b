/* Layers of student and teacher side by side: see match.h. A step allocates nothing. */
#include "match.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "layer.h"
#include "memory.h"
#include "zoo.h"

static kd2m_status check_positions(kd2m_context *context, const char *side, const char *layer,
                                   size_t positions) {
    if (positions > 1)
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     "the %s's layer '%s' is a vector, it has no positions: leave '/positions' "
                     "out, or name a layer before the pooling",
                     side, layer);
}

kd2m_status kd2m_match_describe(kd2m_match *out, const kd2m_match_ends *ends, const kd2m_term *term,
                                bool any_width) {
    kd2m_teacher_layer *layer = &out->teacher_layer;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_match){.reduction = term->reduction, .most = term->rows};
    status = kd2m_graph_find(ends->student_graph, term->layer, &out->student_node);
    if (status != KD2M_OK)
        return kd2m_fail_within(ends->context, status, "the student");
    status = kd2m_teacher_find_layer(ends->teacher, term->teacher_layer, layer);
    if (status != KD2M_OK)
        return kd2m_fail_within(ends->context, status, "the teacher");
    size_t channels = kd2m_net_channels(ends->student, out->student_node);
    out->student_positions = kd2m_net_width(ends->student, out->student_node) / channels;
    if (term->reduction == KD2M_REDUCTION_POSITIONS) {
        KD2M_TRY(check_positions(ends->context, "student", term->layer, out->student_positions));
        KD2M_TRY(check_positions(ends->context, "teacher", term->teacher_layer, layer->positions));
    }
    out->student_width = kd2m_reduced_width(channels, out->student_positions, term->reduction);
    out->teacher_width = kd2m_reduced_width(layer->channels, layer->positions, term->reduction);
    out->project = out->student_width != out->teacher_width && !any_width;
cleanup:
    return status;
}

bool kd2m_match_same(const kd2m_match *a, const kd2m_match *b) {
    return a->reduction == b->reduction && a->most == b->most &&
           a->student_node == b->student_node &&
           a->teacher_layer.number == b->teacher_layer.number && a->project == b->project;
}

size_t kd2m_match_width(const kd2m_match *match) {
    return match->project ? match->teacher_width : match->student_width;
}

/* A projector's weights have a seed of their own beside the student's (seeds are below 2^32). */
static uint64_t projector_seed(uint64_t seed, size_t number) {
    return seed | (uint64_t)(number + 1) << 32;
}

static kd2m_status allocate_floats(kd2m_context *context, float **out, size_t rows, size_t width) {
    return kd2m_alloc(context, (void **)out, rows * width, sizeof **out);
}

static kd2m_status add_projector(kd2m_match *match, kd2m_context *context, uint64_t seed) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_zoo_projector(&match->projector_graph, context, match->student_width,
                                match->teacher_width));
    KD2M_TRY(kd2m_net_create(&match->projector, context, match->projector_graph,
                             match->student_rows, KD2M_NET_TRAINING, true));
    snprintf(match->name, sizeof match->name, "projector%zu", match->number);
    KD2M_TRY(kd2m_net_initialise(match->projector, projector_seed(seed, match->number)));
    KD2M_TRY(allocate_floats(context, &match->student_gradient, match->student_rows,
                             match->student_width));
    KD2M_TRY(allocate_floats(context, &match->compared, match->student_rows, match->teacher_width));
    kd2m_log(context, KD2M_LOG_INFO,
             "%zu student features pass a trained projector to the teacher's %zu",
             match->student_width, match->teacher_width);
cleanup:
    return status;
}

static kd2m_status add_positions(kd2m_match *match, const kd2m_match_ends *ends) {
    size_t positions = match->teacher_layer.positions;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_positions_create(&match->student_drawn, ends->context, match->student_rows,
                                   match->student_positions, match->most));
    if (match->student_rows == match->teacher_rows && match->student_positions == positions)
        match->teacher_drawn = match->student_drawn;
    else
        KD2M_TRY(kd2m_positions_create(&match->teacher_drawn, ends->context, match->teacher_rows,
                                       positions, match->most));
    match->student_rows = match->student_drawn->rows;
    match->teacher_rows = match->teacher_drawn->rows;
cleanup:
    return status;
}

kd2m_status kd2m_match_prepare(kd2m_match *match, const kd2m_match_ends *ends, size_t number,
                               uint64_t seed) {
    kd2m_context *context = ends->context;
    kd2m_status status = KD2M_OK;
    match->number = number;
    match->student_rows = kd2m_net_batch(ends->student);
    match->teacher_rows = kd2m_teacher_rows(ends->teacher);
    if (match->reduction == KD2M_REDUCTION_POSITIONS)
        KD2M_TRY(add_positions(match, ends));
    KD2M_TRY(allocate_floats(context, &match->student, match->student_rows, match->student_width));
    KD2M_TRY(allocate_floats(context, &match->teacher, match->teacher_rows, match->teacher_width));
    KD2M_TRY(
        allocate_floats(context, &match->gradient, match->student_rows, kd2m_match_width(match)));
    if (match->project) {
        KD2M_TRY(add_projector(match, context, seed));
    } else {
        match->compared = match->student;
        match->student_gradient = match->gradient;
    }
cleanup:
    return status;
}

void kd2m_match_clear(kd2m_context *context, kd2m_match *match) {
    if (match->compared != match->student)
        kd2m_free(context, match->compared);
    if (match->student_gradient != match->gradient)
        kd2m_free(context, match->student_gradient);
    if (match->teacher_drawn != match->student_drawn)
        kd2m_positions_free(match->teacher_drawn);
    kd2m_positions_free(match->student_drawn);
    kd2m_free(context, match->student);
    kd2m_free(context, match->teacher);
    kd2m_free(context, match->gradient);
    kd2m_net_free(match->projector);
    kd2m_graph_free(match->projector_graph);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t kd2m_match_scratch(const kd2m_match *match, const kd2m_match_ends *ends) {
    const kd2m_teacher_layer *layer = &match->teacher_layer;
    size_t student =
        kd2m_net_batch(ends->student) * kd2m_net_width(ends->student, match->student_node);
    size_t teacher = kd2m_teacher_rows(ends->teacher) * layer->channels * layer->positions;
    return larger(larger(student, teacher), match->student_rows * kd2m_match_width(match));
}

void kd2m_match_draw(kd2m_match *match, uint64_t seed, uint64_t step) {
    if (match->student_drawn)
        kd2m_positions_draw(match->student_drawn, seed, 2 * match->number, step);
    if (match->teacher_drawn != match->student_drawn)
        kd2m_positions_draw(match->teacher_drawn, seed, 2 * match->number + 1, step);
}

static kd2m_status read_teacher(kd2m_match *match, kd2m_teacher *teacher, float *scratch) {
    const kd2m_teacher_layer *layer = &match->teacher_layer;
    if (!match->teacher_drawn)
        return kd2m_teacher_read(teacher, layer, match->reduction, scratch, match->teacher);
    kd2m_status status = kd2m_teacher_read(teacher, layer, KD2M_REDUCTION_FLATTEN, NULL, scratch);
    if (status == KD2M_OK)
        kd2m_positions_gather(match->teacher_drawn, layer->channels, scratch, match->teacher);
    return status;
}

kd2m_status kd2m_match_forward(kd2m_match *match, const kd2m_match_ends *ends, float *scratch,
                               kd2m_profile *profile) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_read_layer(ends->student, match->student_node, match->reduction,
                             match->student_drawn, scratch, match->student));
    KD2M_TRY(read_teacher(match, ends->teacher, scratch));
    if (!match->projector)
        return KD2M_OK;
    size_t outer = kd2m_profile_begin(profile, match->row, KD2M_PHASE_FORWARD);
    status = kd2m_net_forward(match->projector, match->student);
    if (status == KD2M_OK)
        status = kd2m_net_read(match->projector, match->projector_graph->logits, match->compared,
                               match->teacher_width);
    kd2m_profile_end(profile, outer);
cleanup:
    return status;
}

static kd2m_status backward_projector(kd2m_match *match) {
    kd2m_status status = KD2M_OK;
    kd2m_net_gradient_clear(match->projector);
    KD2M_TRY(kd2m_net_gradient_add(match->projector, match->projector_graph->logits,
                                   match->gradient, 1));
    KD2M_TRY(kd2m_net_backward(match->projector));
    memcpy(match->student_gradient, kd2m_net_input_gradient(match->projector),
           match->student_rows * match->student_width * sizeof(float));
cleanup:
    return status;
}

kd2m_status kd2m_match_backward(kd2m_match *match, const kd2m_match_ends *ends, float *scratch,
                                kd2m_profile *profile) {
    kd2m_status status = KD2M_OK;
    if (match->projector) {
        size_t outer = kd2m_profile_begin(profile, match->row, KD2M_PHASE_BACKWARD);
        status = backward_projector(match);
        kd2m_profile_end(profile, outer);
    }
    return status == KD2M_OK
               ? kd2m_add_layer_gradient(ends->student, match->student_node, match->reduction,
                                         match->student_drawn, scratch, match->student_gradient)
               : status;
}
