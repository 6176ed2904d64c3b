/*
 * Evaluation in batches of a fixed size. The last batch is filled up with zeros, whose rows count
 * for nothing: an inference net treats every row by itself.
 */
#include "evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "shape.h"
#include "transformed.h"

#define EVALUATION_BATCH 256

kd2m_status kd2m_runner_create(kd2m_runner **out, const kd2m_dataset *dataset,
                               const kd2m_normalisation *normalisation, const kd2m_graph *graph,
                               size_t batch, const size_t *read, size_t count) {
    *out = NULL;
    kd2m_context *context = graph->context;
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    kd2m_runner *runner = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&runner, 1, sizeof *runner));
    runner->context = context;
    runner->dataset = dataset;
    runner->normalisation = normalisation;
    runner->graph = graph;
    KD2M_TRY(kd2m_net_create_merged(&runner->net, context, graph, batch, read, count));
    KD2M_TRY(kd2m_alloc(context, (void **)&runner->values, batch * info.sample_size,
                        sizeof *runner->values));
    KD2M_TRY(kd2m_alloc(context, (void **)&runner->labels, batch, sizeof *runner->labels));
    KD2M_TRY(kd2m_alloc(context, (void **)&runner->outputs, batch * graph->classes,
                        sizeof *runner->outputs));
    KD2M_TRY(kd2m_alloc(context, (void **)&runner->counts, graph->classes, sizeof *runner->counts));
    *out = runner;
    runner = NULL;
cleanup:
    kd2m_runner_free(runner);
    return status;
}

void kd2m_runner_free(kd2m_runner *runner) {
    if (!runner)
        return;
    kd2m_free(runner->context, runner->counts);
    kd2m_free(runner->context, runner->outputs);
    kd2m_free(runner->context, runner->labels);
    kd2m_free(runner->context, runner->values);
    kd2m_net_free(runner->net);
    kd2m_free(runner->context, runner);
}

const kd2m_evaluation kd2m_evaluation_unknown = {{0, NAN, NAN, NAN}, NAN};

void kd2m_evaluation_conclude(kd2m_evaluation *out, kd2m_class_scores *counts, size_t classes,
                              double loss) {
    kd2m_class_scores_conclude(&out->scores, counts, classes);
    out->loss = out->scores.rows > 0 ? loss / (double)out->scores.rows : NAN;
}

static void count_predictions(kd2m_runner *runner, size_t rows) {
    size_t classes = runner->graph->classes;
    for (size_t i = 0; i < rows; i++)
        kd2m_class_scores_add(runner->counts, (size_t)runner->labels[i],
                              kd2m_argmax(runner->outputs + i * classes, classes));
}

kd2m_status kd2m_runner_run(kd2m_runner *runner, kd2m_split split, kd2m_evaluation *out,
                            kd2m_runner_visit visit, void *user) {
    kd2m_dataset_info info;
    kd2m_dataset_describe(runner->dataset, &info);
    size_t rows = info.rows[split];
    size_t batch = kd2m_net_batch(runner->net);
    double loss = 0;
    kd2m_status status = KD2M_OK;
    memset(runner->counts, 0, runner->graph->classes * sizeof *runner->counts);
    for (size_t first = 0; first < rows; first += batch) {
        size_t count = rows - first < batch ? rows - first : batch;
        for (size_t i = 0; i < count; i++)
            kd2m_dataset_fetch(runner->dataset, split, first + i, runner->normalisation,
                               runner->values + i * info.sample_size, &runner->labels[i]);
        memset(runner->values + count * info.sample_size, 0,
               (batch - count) * info.sample_size * sizeof *runner->values);
        KD2M_TRY(kd2m_check_interrupt(runner->context));
        KD2M_TRY(kd2m_net_forward(runner->net, runner->values));
        if (out) {
            double mean;
            KD2M_TRY(kd2m_net_read(runner->net, runner->graph->logits, runner->outputs,
                                   runner->graph->classes));
            KD2M_TRY(kd2m_net_cross_entropy(runner->net, runner->labels, count, &mean, NULL));
            loss += mean * (double)count;
            count_predictions(runner, count);
        }
        if (visit)
            KD2M_TRY(visit(user, runner, count));
    }
    if (out)
        kd2m_evaluation_conclude(out, runner->counts, runner->graph->classes, loss);
cleanup:
    return status;
}

kd2m_status kd2m_check_fit(kd2m_context *context, const kd2m_graph *graph,
                           const kd2m_dataset *dataset, const char *model) {
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    char wanted[KD2M_SHAPE_TEXT], given[KD2M_SHAPE_TEXT];
    kd2m_shape_text(wanted, graph->dims, graph->shape);
    kd2m_shape_text(given, info.dims, info.shape);
    if (strcmp(wanted, given) != 0) {
        bool images = graph->dims == 3 && info.dims == 3 && graph->shape[0] == info.shape[0];
        char advice[KD2M_SHAPE_TEXT] = "";
        if (images)
            snprintf(advice, sizeof advice, "; try --transform resize:to=%zux%zu", graph->shape[1],
                     graph->shape[2]);
        return kd2m_fail(context, KD2M_ERROR_INPUT, "%s: takes samples of %s, but %s has %s%s",
                         model, wanted, info.spec, given, advice);
    }
    if (info.classes > graph->classes)
        return kd2m_fail(context, KD2M_ERROR_INPUT,
                         "%s: knows %zu classes, but %s has %zu; --classes chooses some", model,
                         graph->classes, info.spec, info.classes);
    return KD2M_OK;
}

kd2m_status kd2m_trial_open(kd2m_trial *out, kd2m_context *context, const char *model,
                            const kd2m_data_settings *data) {
    *out = (kd2m_trial){NULL, NULL, NULL};
    kd2m_data_settings settings = *data;
    char *chain = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_model_file_read(&out->file, context, model));
    KD2M_TRY(kd2m_transforms_join(context, &chain, data->transform, out->file->transform));
    settings.transform = chain;
    settings.label_noise = 0; /* a net is judged by right labels */
    KD2M_TRY(kd2m_dataset_open(&out->dataset, context, &settings));
    KD2M_TRY(kd2m_check_fit(context, out->file->graph, out->dataset, model));
    KD2M_TRY(kd2m_net_check(context, out->file->graph, out->file->tensors));
cleanup:
    kd2m_free(context, chain);
    return status;
}

kd2m_status kd2m_trial_start(kd2m_trial *trial, const size_t *read, size_t count) {
    const kd2m_model_file *file = trial->file;
    kd2m_status status = kd2m_runner_create(&trial->runner, trial->dataset, &file->normalisation,
                                            file->graph, EVALUATION_BATCH, read, count);
    return status == KD2M_OK ? kd2m_net_load(trial->runner->net, file->tensors) : status;
}

void kd2m_trial_clear(kd2m_trial *trial) {
    kd2m_runner_free(trial->runner);
    kd2m_dataset_free(trial->dataset);
    kd2m_model_file_free(trial->file);
}

kd2m_status kd2m_evaluate(kd2m_evaluation *out, kd2m_context *context, const char *model,
                          const kd2m_data_settings *data) {
    *out = kd2m_evaluation_unknown;
    kd2m_trial trial;
    kd2m_data_settings whole = *data;
    kd2m_status status = KD2M_OK;
    whole.validation = 0;
    KD2M_TRY(kd2m_trial_open(&trial, context, model, &whole));
    KD2M_TRY(kd2m_trial_start(&trial, NULL, 0));
    KD2M_TRY(kd2m_runner_run(trial.runner,
                             trial.dataset->row_count[KD2M_TEST] > 0 ? KD2M_TEST : KD2M_TRAIN, out,
                             NULL, NULL));
cleanup:
    kd2m_trial_clear(&trial);
    return status;
}
