/*
 * The checkpoint: one safetensors file with the student, the projectors, the banks, the optimiser's
 * state, the best epoch's student, and the state's numbers as JSON (17 digits: doubles come back to
 * the bit). Batches and drawn positions need no storing: they depend on (seed, epoch, step) alone.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "json.h"
#include "memory.h"
#include "trainer.h"

#define NAME_SIZE 192

/* The state's numbers by name, read and written by one list. */
typedef struct state_field {
    const char *name;
    enum { FIELD_SIZE, FIELD_REAL, FIELD_U64 } type;
    size_t offset;
} state_field;

#define FIELD(type, name)                                                                          \
    { #name, type, offsetof(kd2m_run_state, name) }
static const state_field state_fields[] = {
    FIELD(FIELD_SIZE, epoch),         FIELD(FIELD_SIZE, step),
    FIELD(FIELD_REAL, loss_sum),      FIELD(FIELD_SIZE, best_epoch),
    FIELD(FIELD_REAL, best_accuracy), FIELD(FIELD_REAL, best_loss),
    FIELD(FIELD_REAL, samples),       FIELD(FIELD_REAL, training_seconds),
    FIELD(FIELD_REAL, seconds),       FIELD(FIELD_U64, log_length),
};
#undef FIELD
#define FIELD(name)                                                                                \
    { #name, FIELD_REAL, offsetof(kd2m_term_sums, name) }
static const state_field sum_fields[] = {
    FIELD(value),
    FIELD(pair_share),
    FIELD(gradient_norm),
    FIELD(largest_gap),
    FIELD(largest_marginal_error),
    FIELD(iterations),
};
#undef FIELD
#define FIELD(name)                                                                                \
    { #name, FIELD_REAL, offsetof(kd2m_term_counts, name) }
static const state_field count_fields[] = {FIELD(unconverged), FIELD(groups_dropped),
                                           FIELD(fallbacks)};
#undef FIELD
#define COUNT(list) (sizeof(list) / sizeof *(list))

static kd2m_status fields_to_json(kd2m_context *context, json_t *object, const state_field *fields,
                                  size_t count, const void *from) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < count; i++) {
        const void *field = (const char *)from + fields[i].offset;
        json_t *value;
        if (fields[i].type == FIELD_SIZE)
            value = json_integer((json_int_t) * (const size_t *)field);
        else if (fields[i].type == FIELD_U64)
            value = json_integer((json_int_t) * (const uint64_t *)field);
        else
            value = kd2m_json_real(*(const double *)field); /* NaN becomes null */
        KD2M_TRY(kd2m_json_set(context, object, fields[i].name, value));
    }
cleanup:
    return status;
}

static kd2m_status fields_from_json(kd2m_context *context, const json_t *object,
                                    const state_field *fields, size_t count, void *to) {
    for (size_t i = 0; i < count; i++) {
        void *field = (char *)to + fields[i].offset;
        const json_t *value = json_object_get(object, fields[i].name);
        bool real = fields[i].type == FIELD_REAL;
        if (!value ||
            !(json_is_integer(value) || (real && (json_is_real(value) || json_is_null(value)))))
            return kd2m_fail(context, KD2M_ERROR_INPUT, "the checkpoint has no number '%s'",
                             fields[i].name);
        if (real)
            *(double *)field = json_is_null(value) ? NAN : json_number_value(value);
        else if (json_integer_value(value) < 0)
            return kd2m_fail(context, KD2M_ERROR_INPUT, "the checkpoint's '%s' is negative",
                             fields[i].name);
        else if (fields[i].type == FIELD_SIZE)
            *(size_t *)field = (size_t)json_integer_value(value);
        else
            *(uint64_t *)field = (uint64_t)json_integer_value(value);
    }
    return KD2M_OK;
}

/* Copies tensors named PREFIX.name of `from` to `to` as name, or the other way round. */
static kd2m_status copy_tensors(kd2m_tensors *to, const kd2m_tensors *from, const char *prefix,
                                bool add) {
    size_t length = strlen(prefix);
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < from->count; i++) {
        const kd2m_tensor *tensor = &from->items[i];
        kd2m_tensor *copy;
        char name[NAME_SIZE];
        if (add)
            snprintf(name, sizeof name, "%s.%s", prefix, tensor->name);
        else if (strncmp(tensor->name, prefix, length) == 0 && tensor->name[length] == '.')
            snprintf(name, sizeof name, "%s", tensor->name + length + 1);
        else
            continue;
        KD2M_TRY(kd2m_tensors_add(to, &copy, name, tensor->type, tensor->dims, tensor->shape));
        memcpy(copy->values, tensor->values, tensor->count * sizeof(float));
    }
cleanup:
    return status;
}

static kd2m_status store_net(kd2m_tensors *to, kd2m_net *net, const char *prefix) {
    kd2m_tensors *plain = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&plain, to->context));
    KD2M_TRY(kd2m_net_store(net, plain));
    KD2M_TRY(copy_tensors(to, plain, prefix, true));
cleanup:
    kd2m_tensors_free(plain);
    return status;
}

static kd2m_status load_net(kd2m_net *net, const kd2m_tensors *from, const char *prefix) {
    kd2m_tensors *plain = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&plain, from->context));
    KD2M_TRY(copy_tensors(plain, from, prefix, false));
    KD2M_TRY(kd2m_net_load(net, plain));
cleanup:
    kd2m_tensors_free(plain);
    return status;
}

/* 'bank2' belongs to the third term. */
static const char *bank_name(char name[NAME_SIZE], size_t term) {
    snprintf(name, NAME_SIZE, "bank%zu", term);
    return name;
}

static kd2m_status store_banks(const kd2m_objective *objective, kd2m_tensors *tensors) {
    char name[NAME_SIZE];
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++)
        if (objective->terms[i].bank)
            KD2M_TRY(kd2m_bank_store(objective->terms[i].bank, tensors, bank_name(name, i)));
cleanup:
    return status;
}

static kd2m_status load_banks(kd2m_objective *objective, const kd2m_tensors *tensors) {
    char name[NAME_SIZE];
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < objective->loss->count; i++)
        if (objective->terms[i].bank)
            KD2M_TRY(kd2m_bank_load(objective->terms[i].bank, tensors, bank_name(name, i)));
cleanup:
    return status;
}

static kd2m_status store_term(kd2m_context *context, json_t *terms, const kd2m_bound_term *bound) {
    json_t *sums = json_object(), *run = json_object();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(fields_to_json(context, sums, sum_fields, COUNT(sum_fields), &bound->sums));
    KD2M_TRY(fields_to_json(context, sums, count_fields, COUNT(count_fields), &bound->sums.counts));
    KD2M_TRY(fields_to_json(context, run, count_fields, COUNT(count_fields), &bound->run));
    KD2M_TRY(kd2m_json_set(context, sums, "run", json_incref(run)));
    if (json_array_append(terms, sums) != 0)
        status = kd2m_fail(context, KD2M_ERROR_MEMORY, "out of memory for the checkpoint");
cleanup:
    json_decref(run);
    json_decref(sums);
    return status;
}

static kd2m_status load_term(kd2m_context *context, const json_t *term, kd2m_bound_term *bound) {
    const json_t *run = json_object_get(term, "run");
    kd2m_status status = KD2M_OK;
    KD2M_TRY(fields_from_json(context, term, sum_fields, COUNT(sum_fields), &bound->sums));
    KD2M_TRY(
        fields_from_json(context, term, count_fields, COUNT(count_fields), &bound->sums.counts));
    KD2M_TRY(fields_from_json(context, run, count_fields, COUNT(count_fields), &bound->run));
cleanup:
    return status;
}

static kd2m_status store_numbers(kd2m_trainer *trainer, kd2m_tensors *tensors) {
    kd2m_context *context = trainer->context;
    kd2m_objective *objective = trainer->objective;
    json_t *numbers = json_object();
    json_t *terms = json_array();
    char *text = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(fields_to_json(context, numbers, state_fields, COUNT(state_fields), &trainer->state));
    KD2M_TRY(kd2m_json_set(context, numbers, "terms", terms ? json_incref(terms) : NULL));
    for (size_t i = 0; i < objective->loss->count; i++)
        KD2M_TRY(store_term(context, terms, &objective->terms[i]));
    KD2M_TRY(kd2m_json_text(context, &text, numbers, 1));
    KD2M_TRY(kd2m_tensors_set_text(tensors, "kd2m.state", text));
cleanup:
    kd2m_text_free(context, text);
    json_decref(terms);
    json_decref(numbers);
    return status;
}

static kd2m_status load_numbers(kd2m_trainer *trainer, const kd2m_tensors *tensors,
                                const char *path) {
    kd2m_context *context = trainer->context;
    kd2m_objective *objective = trainer->objective;
    const char *text = kd2m_tensors_text(tensors, "kd2m.state");
    json_t *numbers = NULL;
    kd2m_status status = KD2M_OK;
    if (!text)
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: not a checkpoint", path);
    KD2M_TRY(kd2m_json_parse(context, &numbers, text, strlen(text), path));
    KD2M_TRY(
        fields_from_json(context, numbers, state_fields, COUNT(state_fields), &trainer->state));
    const json_t *terms = json_object_get(numbers, "terms");
    if (json_array_size(terms) != objective->loss->count) {
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: has %zu loss terms, the run has %zu",
                           path, json_array_size(terms), objective->loss->count);
        goto cleanup;
    }
    for (size_t i = 0; i < objective->loss->count; i++)
        KD2M_TRY(load_term(context, json_array_get(terms, i), &objective->terms[i]));
    if (trainer->state.epoch > (size_t)trainer->settings->epochs ||
        trainer->state.step > kd2m_loader_steps(trainer->loader))
        status = kd2m_fail(context, KD2M_ERROR_INPUT, "%s: stands behind the end of the run", path);
cleanup:
    json_decref(numbers);
    return status;
}

kd2m_status kd2m_checkpoint_write(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    kd2m_objective *objective = trainer->objective;
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_create(&tensors, trainer->context));
    KD2M_TRY(store_net(tensors, trainer->student, "student"));
    for (size_t i = 0; i < objective->match_count; i++)
        if (objective->matches[i].projector)
            KD2M_TRY(
                store_net(tensors, objective->matches[i].projector, objective->matches[i].name));
    KD2M_TRY(store_banks(objective, tensors));
    KD2M_TRY(kd2m_optimizer_store(trainer->optimizer, tensors));
    if (trainer->best)
        KD2M_TRY(copy_tensors(tensors, trainer->best, "best", true));
    KD2M_TRY(store_numbers(trainer, tensors));
    KD2M_TRY(kd2m_tensors_write(tensors, folder->checkpoint));
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}

kd2m_status kd2m_checkpoint_read(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    kd2m_context *context = trainer->context;
    kd2m_objective *objective = trainer->objective;
    kd2m_tensors *tensors = NULL, *best = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_tensors_read(&tensors, context, folder->checkpoint));
    KD2M_TRY(load_numbers(trainer, tensors, folder->checkpoint));
    KD2M_TRY(load_net(trainer->student, tensors, "student"));
    for (size_t i = 0; i < objective->match_count; i++)
        if (objective->matches[i].projector)
            KD2M_TRY(
                load_net(objective->matches[i].projector, tensors, objective->matches[i].name));
    KD2M_TRY(load_banks(objective, tensors));
    KD2M_TRY(kd2m_optimizer_load(trainer->optimizer, tensors));
    if (trainer->state.best_epoch > 0) {
        KD2M_TRY(kd2m_tensors_create(&best, context));
        KD2M_TRY(copy_tensors(best, tensors, "best", false));
        kd2m_tensors_free(trainer->best);
        trainer->best = best;
        best = NULL;
    }
    KD2M_TRY(kd2m_run_folder_cut_log(folder, trainer->state.log_length));
cleanup:
    kd2m_tensors_free(best);
    kd2m_tensors_free(tensors);
    return status;
}
