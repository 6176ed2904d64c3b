/* Building the trainer, and the training loop: see trainer.h. */
#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "context.h"
#include "memory.h"
#include "model_file.h"
#include "progress.h"
#include "zoo.h"

#define CHECKPOINT_SECONDS 60.0 /* longest time that a killed run loses */
#define PACE_STEPS ((size_t)7)  /* steps that are timed to tell how long a training takes */

static bool is(const char *choice, const char *word) {
    return strcmp(choice, word) == 0;
}

/* KD2M_ERROR_USAGE unless the training data have the columns that the terms tell groups by. */
static kd2m_status check_columns(const kd2m_trainer *trainer) {
    const kd2m_objective *objective = trainer->objective;
    for (size_t i = 0; i < objective->loss->count; i++) {
        const char *column = objective->terms[i].info.column;
        size_t number;
        kd2m_status status =
            column ? kd2m_dataset_find_column(trainer->dataset, column, &number) : KD2M_OK;
        if (status != KD2M_OK)
            return kd2m_fail_within(trainer->context, status, "term '%s'",
                                    objective->terms[i].term->text);
    }
    return KD2M_OK;
}

static kd2m_status open_teacher(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    kd2m_status status =
        kd2m_teacher_open(&trainer->teacher, trainer->context, settings->teacher, trainer->dataset,
                          &trainer->normalisation, (size_t)settings->batch_size);
    if (status != KD2M_OK)
        return status;
    const kd2m_teacher_info *info = kd2m_teacher_describe(trainer->teacher);
    if (!settings->augment || !*settings->augment)
        kd2m_teacher_expect_plain(trainer->teacher);
    if (settings->augment && info->stored && info->mode == KD2M_TEACHER_PAIRED)
        return kd2m_fail(trainer->context, KD2M_ERROR_USAGE,
                         "--augment changes training samples, but the teacher's features in %s "
                         "are those of the samples as they are: leave --augment out, take the net "
                         "itself as the teacher, or features without keys",
                         settings->teacher);
    return KD2M_OK;
}

/* What the teacher says is kept where that is asked for and means something. */
static kd2m_status keep_teacher(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    if (!trainer->teacher || !settings->teacher_cache || !*settings->teacher_cache)
        return KD2M_OK;
    if (settings->augment && *settings->augment) {
        kd2m_log(trainer->context, KD2M_LOG_INFO,
                 "the teacher's outputs are not kept, it runs in every step: --augment changes "
                 "samples anew every epoch");
        return KD2M_OK;
    }
    return kd2m_objective_keep_teacher(trainer->objective, settings->teacher_cache,
                                       (double)settings->teacher_cache_limit * 0x1p20);
}

static kd2m_status create_objective(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    char *expression = NULL;
    kd2m_loss *loss = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_loss_expression(trainer->context, &expression, settings));
    KD2M_TRY(kd2m_loss_parse(&loss, trainer->context, expression));
    KD2M_TRY(kd2m_objective_create(&trainer->objective, loss, trainer->student, trainer->graph,
                                   trainer->teacher, (uint64_t)settings->seed));
    KD2M_TRY(check_columns(trainer));
    KD2M_TRY(keep_teacher(trainer));
    if (settings->strict)
        kd2m_objective_set_strict(trainer->objective);
    KD2M_TRY(kd2m_objective_measure(trainer->objective, is(settings->scale, "teacher")));
cleanup:
    kd2m_free(trainer->context, expression);
    return status;
}

/* The optimiser moves the student and, where there are any, the projectors. */
static kd2m_status create_optimizer(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    const kd2m_optimizer_settings optimizer = {
        .kind = is(settings->optimizer, "adamw") ? KD2M_ADAMW : KD2M_SGD,
        .momentum = settings->momentum,
        .nesterov = settings->nesterov != 0,
        .weight_decay = settings->weight_decay,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .clip = settings->clip,
    };
    kd2m_objective *objective = trainer->objective;
    kd2m_net **nets = NULL;
    const char **names = NULL;
    size_t count = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(
        kd2m_alloc(trainer->context, (void **)&nets, objective->match_count + 1, sizeof *nets));
    KD2M_TRY(
        kd2m_alloc(trainer->context, (void **)&names, objective->match_count + 1, sizeof *names));
    nets[0] = trainer->student;
    names[0] = "student";
    count = 1;
    for (size_t i = 0; i < objective->match_count; i++)
        if (objective->matches[i].projector) {
            nets[count] = objective->matches[i].projector;
            names[count++] = objective->matches[i].name;
        }
    KD2M_TRY(kd2m_optimizer_create(&trainer->optimizer, trainer->context, &optimizer, nets, names,
                                   count));
cleanup:
    kd2m_free(trainer->context, names);
    kd2m_free(trainer->context, nets);
    return status;
}

static void set_schedule(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    double steps = (double)kd2m_loader_steps(trainer->loader);
    trainer->schedule = (kd2m_schedule){
        .kind = is(settings->schedule, "cosine") ? KD2M_SCHEDULE_COSINE
                : is(settings->schedule, "step") ? KD2M_SCHEDULE_STEP
                                                 : KD2M_SCHEDULE_CONSTANT,
        .lr = settings->lr,
        .final_lr = settings->final_lr,
        .warmup_steps = floor(settings->warmup * steps),
        .total_steps = (double)settings->epochs * steps,
        .step_every = settings->step_every * steps,
        .step_factor = settings->step_factor,
    };
}

/* The student's first weights: drawn by seed, or those of a model file of the same architecture. */
static kd2m_status initialise(kd2m_trainer *trainer) {
    kd2m_model_file *file = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_net_initialise(trainer->student, (uint64_t)trainer->settings->seed));
    if (!trainer->settings->initial)
        return KD2M_OK;
    KD2M_TRY(kd2m_model_file_read(&file, trainer->context, trainer->settings->initial));
    status = kd2m_net_load(trainer->student, file->tensors);
    if (status != KD2M_OK)
        kd2m_fail_within(trainer->context, status, "%s (%s) does not start %s",
                         trainer->settings->initial, file->graph->architecture,
                         trainer->graph->architecture);
cleanup:
    kd2m_model_file_free(file);
    return status;
}

static kd2m_status open_data(kd2m_trainer *trainer) {
    const kd2m_data_settings settings = kd2m_config_data(trainer->settings);
    return kd2m_dataset_open(&trainer->dataset, trainer->context, &settings);
}

static kd2m_sampler sampler_of(const kd2m_train_settings *settings) {
    return is(settings->sampler, "balanced")    ? KD2M_SAMPLER_BALANCED
           : is(settings->sampler, "clustered") ? KD2M_SAMPLER_CLUSTERED
                                                : KD2M_SAMPLER_SHUFFLE;
}

static kd2m_status create_loader(kd2m_trainer *trainer) {
    const kd2m_train_settings *settings = trainer->settings;
    const kd2m_loader_settings loader = {
        .normalisation = &trainer->normalisation,
        .batch_size = (size_t)settings->batch_size,
        .sampler = sampler_of(settings),
        .seed = (uint64_t)settings->seed,
        .augment = settings->augment,
        .classes_per_batch = (size_t)settings->classes_per_batch,
    };
    return kd2m_loader_create(&trainer->loader, trainer->dataset, &loader);
}

kd2m_status kd2m_trainer_create(kd2m_trainer **out, kd2m_context *context,
                                const kd2m_train_settings *settings) {
    *out = NULL;
    kd2m_trainer *trainer = NULL;
    kd2m_dataset_info info;
    size_t batch = (size_t)settings->batch_size;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&trainer, 1, sizeof *trainer));
    trainer->context = context;
    trainer->settings = settings;
    trainer->sitting_began = kd2m_seconds();
    KD2M_TRY(open_data(trainer));
    kd2m_dataset_describe(trainer->dataset, &info);
    KD2M_TRY(kd2m_dataset_measure(trainer->dataset, &trainer->normalisation));
    KD2M_TRY(kd2m_zoo_build(&trainer->graph, context, settings->model, info.dims, info.shape,
                            info.classes));
    KD2M_TRY(create_loader(trainer));
    set_schedule(trainer);
    KD2M_TRY(kd2m_net_create(&trainer->student, context, trainer->graph, batch, KD2M_NET_TRAINING,
                             false));
    KD2M_TRY(kd2m_runner_create(&trainer->runner, trainer->dataset, &trainer->normalisation,
                                trainer->graph, batch, NULL, 0));
    KD2M_TRY(initialise(trainer));
    if (settings->teacher)
        KD2M_TRY(open_teacher(trainer));
    KD2M_TRY(create_objective(trainer));
    KD2M_TRY(create_optimizer(trainer));
    *out = trainer;
    trainer = NULL;
cleanup:
    kd2m_trainer_free(trainer);
    return status;
}

void kd2m_trainer_free(kd2m_trainer *trainer) {
    if (!trainer)
        return;
    kd2m_loader_free(trainer->loader);
    kd2m_optimizer_free(trainer->optimizer);
    kd2m_objective_free(trainer->objective);
    kd2m_teacher_free(trainer->teacher);
    kd2m_runner_free(trainer->runner);
    kd2m_net_free(trainer->student);
    kd2m_tensors_free(trainer->best);
    kd2m_graph_free(trainer->graph);
    kd2m_normalisation_clear(trainer->context, &trainer->normalisation);
    kd2m_dataset_free(trainer->dataset);
    kd2m_free(trainer->context, trainer);
}

kd2m_status kd2m_trainer_profile(kd2m_trainer *trainer, kd2m_profile *profile) {
    kd2m_trainer_rows *rows = &trainer->rows;
    const struct {
        const char *part, *name;
        size_t *row;
    } own[] = {
        {"step", "optimizer", &rows->optimizer},
        {"step", "waiting for data", &rows->loader},
        {"epoch", "validation", &rows->validation},
        {"epoch", "checkpoint", &rows->checkpoint},
    };
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_objective_profile(trainer->objective, profile));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const kd2m_profile_label label = {.part = own[i].part, .name = own[i].name};
        KD2M_TRY(kd2m_profile_add(profile, &label, own[i].row));
    }
    trainer->profile = profile;
cleanup:
    return status;
}

static size_t steps_done(const kd2m_trainer *trainer) {
    return trainer->state.epoch * kd2m_loader_steps(trainer->loader) + trainer->state.step;
}

static void tell_clock(kd2m_trainer *trainer) {
    trainer->state.seconds = trainer->seconds_before + kd2m_seconds() - trainer->sitting_began;
}

static kd2m_status store_checkpoint(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    size_t outer = kd2m_profile_begin(trainer->profile, trainer->rows.checkpoint, KD2M_PHASE_WHOLE);
    kd2m_status status = kd2m_checkpoint_write(trainer, folder);
    kd2m_profile_end(trainer->profile, outer);
    return status;
}

/* Validation after an epoch; keeps the student if it is the best so far. */
static kd2m_status validate(kd2m_trainer *trainer, kd2m_evaluation *validation) {
    kd2m_run_state *state = &trainer->state;
    kd2m_tensors *tensors = NULL;
    size_t outer = kd2m_profile_begin(trainer->profile, trainer->rows.validation, KD2M_PHASE_WHOLE);
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_net_copy(trainer->runner->net, trainer->student));
    KD2M_TRY(kd2m_runner_run(trainer->runner, KD2M_VALIDATION, validation, NULL, NULL));
    bool better = state->best_epoch == 0 || validation->scores.rows == 0 ||
                  validation->scores.accuracy > state->best_accuracy ||
                  (validation->scores.accuracy == state->best_accuracy &&
                   validation->loss < state->best_loss);
    if (!better && is(trainer->settings->select, "best"))
        goto cleanup;
    KD2M_TRY(kd2m_tensors_create(&tensors, trainer->context));
    KD2M_TRY(kd2m_net_store(trainer->student, tensors));
    kd2m_tensors_free(trainer->best);
    trainer->best = tensors;
    tensors = NULL;
    state->best_epoch = state->epoch + 1;
    state->best_accuracy = validation->scores.accuracy;
    state->best_loss = validation->loss;
cleanup:
    kd2m_profile_end(trainer->profile, outer);
    kd2m_tensors_free(tensors);
    return status;
}

static kd2m_status finish_epoch(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    kd2m_run_state *state = &trainer->state;
    double lr = kd2m_schedule_at(&trainer->schedule, steps_done(trainer) - 1);
    kd2m_evaluation validation;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(validate(trainer, &validation));
    tell_clock(trainer);
    KD2M_TRY(kd2m_epoch_log(trainer, folder, &validation, lr));
    kd2m_log(trainer->context, KD2M_LOG_DEBUG, "epoch %zu: loss %.5g, validation accuracy %.4f",
             state->epoch + 1, state->loss_sum / (double)state->step, validation.scores.accuracy);
    state->epoch++;
    state->step = 0;
    state->loss_sum = 0;
    kd2m_objective_reset(trainer->objective);
    KD2M_TRY(store_checkpoint(trainer, folder));
cleanup:
    return status;
}

static kd2m_status next_batch(kd2m_trainer *trainer, kd2m_batch *batch) {
    size_t outer = kd2m_profile_begin(trainer->profile, trainer->rows.loader, KD2M_PHASE_WHOLE);
    kd2m_status status = kd2m_loader_next(trainer->loader, batch);
    kd2m_profile_end(trainer->profile, outer);
    return status;
}

static kd2m_status update(kd2m_trainer *trainer, double lr) {
    size_t outer = kd2m_profile_begin(trainer->profile, trainer->rows.optimizer, KD2M_PHASE_WHOLE);
    kd2m_status status = kd2m_optimizer_step(trainer->optimizer, lr);
    kd2m_profile_end(trainer->profile, outer);
    return status;
}

/* The objective's step as a whole, even if the host asks to stop in its midst: half a step has
 * moved banks, running statistics and sums, and could not be resumed to the bit. */
static kd2m_status step_objective(kd2m_trainer *trainer, const kd2m_batch *batch) {
    kd2m_context_settings *host = &trainer->context->settings;
    int (*interrupted)(void *user) = host->interrupted;
    host->interrupted = NULL;
    kd2m_status status = kd2m_objective_step(trainer->objective, batch, trainer->state.step == 0);
    host->interrupted = interrupted;
    return status == KD2M_OK ? status
                             : kd2m_fail_within(trainer->context, status, "epoch %zu, step %zu",
                                                trainer->state.epoch + 1, trainer->state.step + 1);
}

/* One step: a batch, its gradients, an update. */
static kd2m_status take_step(kd2m_trainer *trainer) {
    kd2m_run_state *state = &trainer->state;
    kd2m_batch batch;
    double lr = kd2m_schedule_at(&trainer->schedule, steps_done(trainer));
    double began = kd2m_seconds();
    kd2m_status status = KD2M_OK;
    KD2M_TRY(next_batch(trainer, &batch));
    KD2M_TRY(step_objective(trainer, &batch));
    KD2M_TRY(update(trainer, lr));
    state->loss_sum += trainer->objective->value;
    state->step++;
    state->samples += (double)batch.rows;
    state->training_seconds += kd2m_seconds() - began;
cleanup:
    return status;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

kd2m_status kd2m_trainer_measure(kd2m_trainer *trainer, kd2m_trainer_pace *out) {
    double times[PACE_STEPS];
    kd2m_evaluation validation;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_trainer_pace){.steps = kd2m_loader_steps(trainer->loader)};
    size_t steps = out->steps < PACE_STEPS ? out->steps : PACE_STEPS;
    KD2M_TRY(kd2m_loader_seek(trainer->loader, 0, 0));
    kd2m_objective_seek(trainer->objective, 0);
    for (size_t i = 0; i < steps; i++) {
        double began = kd2m_seconds();
        KD2M_TRY(kd2m_check_interrupt(trainer->context));
        KD2M_TRY(take_step(trainer));
        times[i] = kd2m_seconds() - began;
    }
    qsort(times, steps, sizeof *times, ascending);
    out->step_seconds = times[steps / 2];
    double began = kd2m_seconds();
    KD2M_TRY(kd2m_net_copy(trainer->runner->net, trainer->student));
    KD2M_TRY(kd2m_runner_run(trainer->runner, KD2M_VALIDATION, &validation, NULL, NULL));
    out->validation_seconds = kd2m_seconds() - began;
cleanup:
    return status;
}

kd2m_status kd2m_trainer_run(kd2m_trainer *trainer, kd2m_run_folder *folder) {
    kd2m_context *context = trainer->context;
    kd2m_run_state *state = &trainer->state;
    size_t epochs = (size_t)trainer->settings->epochs;
    size_t steps = kd2m_loader_steps(trainer->loader);
    double batch = (double)kd2m_net_batch(trainer->student);
    double stored = kd2m_seconds();
    kd2m_meter meter;
    kd2m_status status = KD2M_OK;
    trainer->seconds_before = state->seconds;
    kd2m_meter_begin(&meter, context, "samples", (double)(epochs * steps) * batch,
                     (double)steps_done(trainer) * batch);
    KD2M_TRY(kd2m_loader_seek(trainer->loader, steps_done(trainer) / steps,
                              steps_done(trainer) % steps));
    kd2m_objective_seek(trainer->objective, steps_done(trainer));
    while (state->epoch < epochs) {
        kd2m_meter_text(&meter, "epoch %zu/%zu", state->epoch + 1, epochs);
        KD2M_TRY(kd2m_check_interrupt(context));
        if (state->step < steps) {
            KD2M_TRY(take_step(trainer));
            kd2m_meter_advance(&meter, batch);
        }
        if (state->step == steps) {
            KD2M_TRY(finish_epoch(trainer, folder));
            stored = kd2m_seconds();
        } else if (kd2m_seconds() - stored > CHECKPOINT_SECONDS) {
            tell_clock(trainer);
            KD2M_TRY(store_checkpoint(trainer, folder));
            stored = kd2m_seconds();
        }
    }
cleanup:
    kd2m_meter_end(&meter);
    if (status != KD2M_ERROR_INTERRUPTED && status != KD2M_ERROR_NUMERIC)
        return status;
    tell_clock(trainer);
    kd2m_status written = status == KD2M_ERROR_NUMERIC ? kd2m_epoch_log_failure(trainer, folder)
                                                       : kd2m_checkpoint_write(trainer, folder);
    if (written != KD2M_OK)
        return written;
    return status == KD2M_ERROR_NUMERIC
               ? status
               : kd2m_fail(context, status, "interrupted in epoch %zu of %zu: go on with --resume",
                           state->epoch + 1, epochs);
}

kd2m_status kd2m_trainer_outcome(kd2m_trainer *trainer, kd2m_tensors **out) {
    *out = NULL;
    kd2m_tensors *tensors = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_net_load(trainer->runner->net, trainer->best));
    KD2M_TRY(kd2m_tensors_create(&tensors, trainer->context));
    KD2M_TRY(kd2m_net_store(trainer->runner->net, tensors));
    *out = tensors;
    tensors = NULL;
cleanup:
    kd2m_tensors_free(tensors);
    return status;
}
