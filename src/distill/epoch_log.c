/*
 * The log's line for an epoch: the loss, every term with its divisor, its mean value and its
 * gradient's norm and share, its solver's certificate, and validation. A gradient's share is its
 * norm over the sum of all terms' norms, over the student's parameters, on the epoch's first batch.
 */
#include "context.h"
#include "json.h"
#include "trainer.h"

kd2m_status kd2m_counts_to_json(kd2m_context *context, json_t *line,
                                const kd2m_term_counts *counts) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_json_set(context, line, "unconverged", json_integer((json_int_t)counts->unconverged)));
    KD2M_TRY(kd2m_json_set(context, line, "groups_dropped",
                           json_integer((json_int_t)counts->groups_dropped)));
    KD2M_TRY(
        kd2m_json_set(context, line, "fallbacks", json_integer((json_int_t)counts->fallbacks)));
cleanup:
    return status;
}

/* One term's line in the log, means over the epoch's steps. */
static kd2m_status log_term(kd2m_trainer *trainer, json_t *list, const kd2m_bound_term *bound,
                            double norms) {
    const kd2m_term_sums *sums = &bound->sums;
    kd2m_context *context = trainer->context;
    double steps = (double)trainer->state.step;
    json_t *line = json_object();
    kd2m_status status = KD2M_OK;
    if (!line || json_array_append_new(list, line) != 0)
        return kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for the log");
    KD2M_TRY(kd2m_json_set(context, line, "term", json_string(bound->term->text)));
    KD2M_TRY(kd2m_json_set(context, line, "value", kd2m_json_real(sums->value / steps)));
    KD2M_TRY(kd2m_json_set(context, line, "weighted",
                           kd2m_json_real(bound->factor * sums->value / steps)));
    KD2M_TRY(kd2m_json_set(context, line, "divisor", kd2m_json_real(bound->divisor)));
    KD2M_TRY(kd2m_json_set(context, line, "reduction", json_string("mean over batches")));
    KD2M_TRY(kd2m_json_set(context, line, "gradient_norm", kd2m_json_real(sums->gradient_norm)));
    KD2M_TRY(kd2m_json_set(context, line, "gradient_share",
                           kd2m_json_real(norms > 0 ? sums->gradient_norm / norms : 0)));
    if (!bound->metric)
        return KD2M_OK;
    if (bound->match != KD2M_NO_MATCH) {
        const kd2m_match *match = &trainer->objective->matches[bound->match];
        KD2M_TRY(kd2m_json_set(context, line, "layer", json_string(bound->term->layer)));
        KD2M_TRY(
            kd2m_json_set(context, line, "teacher_layer", json_string(bound->term->teacher_layer)));
        KD2M_TRY(kd2m_json_set(context, line, "layer_reduction",
                               json_string(kd2m_reduction_name(match->reduction))));
        KD2M_TRY(kd2m_json_set(context, line, "projector", json_boolean(match->projector)));
    }
    if (bound->info.traits & KD2M_METRIC_TRANSPORT)
        KD2M_TRY(
            kd2m_json_set(context, line, "pair_share", kd2m_json_real(sums->pair_share / steps)));
    KD2M_TRY(kd2m_json_set(context, line, "largest_gap", kd2m_json_real(sums->largest_gap)));
    KD2M_TRY(kd2m_json_set(context, line, "largest_marginal_error",
                           kd2m_json_real(sums->largest_marginal_error)));
    KD2M_TRY(kd2m_json_set(context, line, "iterations", kd2m_json_real(sums->iterations / steps)));
    KD2M_TRY(kd2m_counts_to_json(context, line, &sums->counts));
cleanup:
    return status;
}

kd2m_status kd2m_epoch_log(kd2m_trainer *trainer, kd2m_run_folder *folder,
                           const kd2m_evaluation *validation, double lr) {
    kd2m_context *context = trainer->context;
    kd2m_run_state *state = &trainer->state;
    kd2m_objective *objective = trainer->objective;
    json_t *line = json_object();
    json_t *terms = json_array();
    double norms = 0;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++)
        norms += objective->terms[i].sums.gradient_norm;
    KD2M_TRY(kd2m_json_set(context, line, "epoch", json_integer((json_int_t)state->epoch + 1)));
    KD2M_TRY(kd2m_json_set(context, line, "steps", json_integer((json_int_t)state->step)));
    KD2M_TRY(kd2m_json_set(context, line, "lr", kd2m_json_real(lr)));
    KD2M_TRY(kd2m_json_set(context, line, "loss",
                           kd2m_json_real(state->loss_sum / (double)state->step)));
    KD2M_TRY(kd2m_json_set(context, line, "terms", terms ? json_incref(terms) : NULL));
    for (size_t i = 0; i < objective->loss->count; i++)
        KD2M_TRY(log_term(trainer, terms, &objective->terms[i], norms));
    KD2M_TRY(kd2m_json_set(context, line, "validation_accuracy",
                           kd2m_json_real(validation->scores.accuracy)));
    KD2M_TRY(kd2m_json_set(context, line, "validation_loss", kd2m_json_real(validation->loss)));
    KD2M_TRY(kd2m_json_set(context, line, "seconds", kd2m_json_real(state->seconds)));
    KD2M_TRY(kd2m_run_folder_log(folder, line, &state->log_length));
cleanup:
    json_decref(terms);
    json_decref(line);
    return status;
}

kd2m_status kd2m_epoch_log_failure(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    kd2m_context *context = trainer->context;
    const kd2m_run_state *state = &trainer->state;
    uint64_t length;
    json_t *line = json_object(), *message;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_json_set(context, line, "epoch", json_integer((json_int_t)state->epoch + 1)));
    KD2M_TRY(kd2m_json_set(context, line, "step", json_integer((json_int_t)state->step + 1)));
    KD2M_TRY(kd2m_json_string(context, &message, kd2m_context_message(context)));
    KD2M_TRY(kd2m_json_set(context, line, "error", message));
    KD2M_TRY(kd2m_json_set(context, line, "seconds", kd2m_json_real(state->seconds)));
    KD2M_TRY(kd2m_run_folder_log(folder, line, &length));
cleanup:
    json_decref(line);
    return status;
}
