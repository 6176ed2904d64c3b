/*
 * A teacher that is a trained net: a model file, run in inference kind on inputs normalised its own
 * way. Time of a forward: the net's. Thread rule: that of the context.
 */
#include <string.h>

#include "context.h"
#include "digest.h"
#include "memory.h"
#include "model_file.h"
#include "teacher_kind.h"

typedef struct teacher_net {
    kd2m_model_file *file;
    kd2m_net *net;  /* for training batches */
    size_t *layers; /* nodes that it is to be read at, beside features and logits */
    size_t layer_count;
    float *factor, *offset; /* channels: student's input -> teacher's; NULL where they are equal */
    float *input;           /* batch x sample */
} teacher_net;

/* Makes the net, in place of an earlier one. */
static kd2m_status make_net(kd2m_teacher *teacher, teacher_net *own) {
    kd2m_status status;
    kd2m_net *net = NULL;
    KD2M_TRY(kd2m_net_create_merged(&net, teacher->context, own->file->graph, teacher->batch,
                                    own->layers, own->layer_count));
    KD2M_TRY(kd2m_net_load(net, own->file->tensors));
    kd2m_net_free(own->net);
    own->net = net;
    net = NULL;
cleanup:
    kd2m_net_free(net);
    return status;
}

/* A layer that the net can't be read at yet is added to those that it can. */
static kd2m_status find_layer(kd2m_teacher *teacher, const char *name, kd2m_teacher_layer *out) {
    teacher_net *own = teacher->own;
    kd2m_status status;
    KD2M_TRY(kd2m_graph_find(own->file->graph, name, &out->number));
    if (!kd2m_net_can_read(own->net, out->number)) {
        own->layers[own->layer_count++] = out->number; /* there is room for all nodes */
        KD2M_TRY(make_net(teacher, own));
    }
    out->channels = kd2m_net_channels(own->net, out->number);
    out->positions = kd2m_net_width(own->net, out->number) / out->channels;
cleanup:
    return status;
}

/* Runs samples as they are: rows ids[i], or rows of[ids[i]] unless that is NULL. */
static kd2m_status run_rows(kd2m_teacher *teacher, const uint32_t *ids, const uint32_t *of,
                            float *input) {
    const teacher_net *own = teacher->own;
    const kd2m_raw_data *raw = &teacher->dataset->raw;
    size_t size = kd2m_dataset_sample_size(teacher->dataset);
    for (size_t i = 0; i < teacher->batch; i++) {
        float *sample = input + i * size;
        kd2m_part_read(&raw->train, raw->value_scale, size, of ? of[ids[i]] : ids[i], 1, sample);
        kd2m_normalisation_apply(&own->file->normalisation, sample, size);
    }
    return kd2m_net_forward(own->net, input);
}

static kd2m_status run_samples(kd2m_teacher *teacher, const uint32_t *numbers, float *input) {
    return run_rows(teacher, numbers, NULL, input);
}

static kd2m_status forward(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                           uint64_t step) {
    (void)seed;
    (void)step;
    teacher_net *own = teacher->own;
    const float *values = batch->values;
    float *to = own->input;
    kd2m_teacher_take_batch(teacher, batch);
    if (!own->factor)
        return kd2m_net_forward(own->net, values);
    if (teacher->plain)
        return run_rows(teacher, batch->ids, teacher->dataset->rows[KD2M_TRAIN], own->input);
    size_t channels = own->file->normalisation.channels;
    size_t positions = kd2m_dataset_sample_size(teacher->dataset) / channels;
    for (size_t i = 0; i < teacher->batch; i++)
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < positions; p++)
                *to++ = *values++ * own->factor[c] + own->offset[c];
    return kd2m_net_forward(own->net, own->input);
}

static kd2m_status read_map(kd2m_teacher *teacher, size_t layer, float *out) {
    const teacher_net *own = teacher->own;
    return kd2m_net_read(own->net, layer, out, kd2m_net_width(own->net, layer));
}

static kd2m_status evaluate(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out) {
    const kd2m_model_file *file = ((const teacher_net *)teacher->own)->file;
    kd2m_runner *runner = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_runner_create(&runner, teacher->dataset, &file->normalisation, file->graph,
                                teacher->batch, NULL, 0));
    KD2M_TRY(kd2m_net_load(runner->net, file->tensors));
    KD2M_TRY(kd2m_runner_run(runner, split, out, NULL, NULL));
cleanup:
    kd2m_runner_free(runner);
    return status;
}

static void free_own(kd2m_context *context, void *user) {
    teacher_net *own = user;
    kd2m_free(context, own->input);
    kd2m_free(context, own->offset);
    kd2m_free(context, own->factor);
    kd2m_net_free(own->net);
    kd2m_free(context, own->layers);
    kd2m_model_file_free(own->file);
    kd2m_free(context, own);
}

static const kd2m_teacher_kind kind = {
    .find_layer = find_layer,
    .forward = forward,
    .read = read_map,
    .pass = kd2m_teacher_pass_samples,
    .run_samples = run_samples,
    .evaluate = evaluate,
    .free = free_own,
};

/* The student's input x = (v - m) s becomes the teacher's (v - m') s' = x (s'/s) + (m - m') s'. */
static kd2m_status set_input_map(kd2m_teacher *teacher, teacher_net *own) {
    const kd2m_normalisation *to = &own->file->normalisation, *from = teacher->normalisation;
    kd2m_context *context = teacher->context;
    size_t bytes = to->channels * sizeof(float);
    size_t sample = kd2m_dataset_sample_size(teacher->dataset);
    kd2m_status status = KD2M_OK;
    if (memcmp(to->mean, from->mean, bytes) == 0 && memcmp(to->scale, from->scale, bytes) == 0)
        return KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&own->factor, to->channels, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&own->offset, to->channels, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&own->input, teacher->batch * sample, sizeof(float)));
    for (size_t c = 0; c < to->channels; c++) {
        own->factor[c] = to->scale[c] / from->scale[c];
        own->offset[c] = (from->mean[c] - to->mean[c]) * to->scale[c];
    }
cleanup:
    return status;
}

static uint64_t digest_parameters(const kd2m_tensors *tensors) {
    uint64_t digest = KD2M_DIGEST_START;
    for (size_t i = 0; i < tensors->count; i++) {
        const kd2m_tensor *tensor = &tensors->items[i];
        if (tensor->type == KD2M_TENSOR_F32)
            digest = kd2m_digest(digest, tensor->values, tensor->count * sizeof(float));
    }
    return digest;
}

/* A teacher sees what the student sees, so their data must have come the same way. */
static kd2m_status check_transform(const kd2m_teacher *teacher, const teacher_net *own,
                                   const char *path) {
    const char *wanted = own->file->transform, *given = teacher->dataset->transform;
    if (strcmp(wanted, given) == 0)
        return KD2M_OK;
    return kd2m_fail(teacher->context, KD2M_ERROR_INPUT,
                     "%s: the teacher was trained behind %s%s, but the run's samples come %s%s; "
                     "train both with the same --transform",
                     path, *wanted ? "--transform " : "no transform", wanted,
                     *given ? "through --transform " : "without one", given);
}

kd2m_status kd2m_teacher_net_open(kd2m_teacher *teacher, kd2m_tensors *tensors, const char *name) {
    kd2m_context *context = teacher->context;
    teacher_net *own = NULL;
    kd2m_status status = kd2m_alloc(context, &teacher->own, 1, sizeof *own);
    if (status != KD2M_OK) {
        kd2m_tensors_free(tensors);
        return status;
    }
    own = teacher->own;
    teacher->kind = &kind;
    teacher->rows = teacher->batch;
    KD2M_TRY(kd2m_model_file_take(&own->file, context, tensors, name));
    teacher->info = (kd2m_teacher_info){
        .mode = KD2M_TEACHER_PAIRED, .classes = own->file->graph->classes, .labelled = true};
    KD2M_TRY(check_transform(teacher, own, name));
    KD2M_TRY(kd2m_check_fit(context, own->file->graph, teacher->dataset, name));
    KD2M_TRY(kd2m_net_check(context, own->file->graph, own->file->tensors));
    teacher->digest = digest_parameters(own->file->tensors);
    teacher->origin = kd2m_model_file_digest(own->file);
    KD2M_TRY(kd2m_alloc(context, (void **)&own->layers, own->file->graph->node_count,
                        sizeof *own->layers));
    KD2M_TRY(make_net(teacher, own));
    KD2M_TRY(set_input_map(teacher, own));
cleanup:
    return status;
}
