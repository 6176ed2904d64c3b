/* The teacher as a model file: see teacher.h. */
#include "teacher.h"

#include <string.h>

#include "context.h"
#include "digest.h"
#include "memory.h"

/* The student's input x = (v - m) s becomes the teacher's (v - m') s' = x (s'/s) + (m - m') s'. */
static kd2m_status set_input_map(kd2m_teacher *teacher, const kd2m_normalisation *student) {
    const kd2m_normalisation *own = &teacher->file->normalisation;
    size_t bytes = own->channels * sizeof(float);
    if (memcmp(own->mean, student->mean, bytes) == 0 &&
        memcmp(own->scale, student->scale, bytes) == 0)
        return KD2M_OK;
    kd2m_context *context = teacher->context;
    kd2m_status status = KD2M_OK;
    size_t sample = teacher->channels * teacher->positions;
    KD2M_TRY(kd2m_alloc(context, (void **)&teacher->factor, own->channels, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&teacher->offset, own->channels, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&teacher->input, teacher->batch * sample, sizeof(float)));
    for (size_t c = 0; c < own->channels; c++) {
        teacher->factor[c] = own->scale[c] / student->scale[c];
        teacher->offset[c] = (student->mean[c] - own->mean[c]) * own->scale[c];
    }
cleanup:
    return status;
}

kd2m_status kd2m_teacher_open(kd2m_teacher **out, kd2m_context *context, const char *path,
                              const kd2m_dataset *dataset, const kd2m_normalisation *normalisation,
                              size_t batch) {
    *out = NULL;
    kd2m_teacher *teacher = NULL;
    kd2m_dataset_info info;
    kd2m_dataset_describe(dataset, &info);
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&teacher, 1, sizeof *teacher));
    teacher->context = context;
    teacher->batch = batch;
    teacher->channels = info.channels;
    teacher->positions = info.sample_size / info.channels;
    KD2M_TRY(kd2m_model_file_read(&teacher->file, context, path));
    KD2M_TRY(kd2m_check_fit(context, teacher->file->graph, dataset, path));
    KD2M_TRY(kd2m_net_check(context, teacher->file->graph, teacher->file->tensors));
    teacher->digest = KD2M_DIGEST_START;
    for (size_t i = 0; i < teacher->file->tensors->count; i++) {
        const kd2m_tensor *tensor = &teacher->file->tensors->items[i];
        if (tensor->type == KD2M_TENSOR_F32)
            teacher->digest =
                kd2m_digest(teacher->digest, tensor->values, tensor->count * sizeof(float));
    }
    KD2M_TRY(kd2m_net_create(&teacher->net, context, teacher->file->graph, batch,
                             KD2M_NET_INFERENCE, false));
    KD2M_TRY(kd2m_net_load(teacher->net, teacher->file->tensors));
    KD2M_TRY(set_input_map(teacher, normalisation));
    *out = teacher;
    teacher = NULL;
cleanup:
    kd2m_teacher_free(teacher);
    return status;
}

void kd2m_teacher_free(kd2m_teacher *teacher) {
    if (!teacher)
        return;
    kd2m_free(teacher->context, teacher->input);
    kd2m_free(teacher->context, teacher->offset);
    kd2m_free(teacher->context, teacher->factor);
    kd2m_net_free(teacher->net);
    kd2m_model_file_free(teacher->file);
    kd2m_free(teacher->context, teacher);
}

kd2m_status kd2m_teacher_forward(kd2m_teacher *teacher, const float *values) {
    if (!teacher->factor)
        return kd2m_net_forward(teacher->net, values);
    float *to = teacher->input;
    for (size_t i = 0; i < teacher->batch; i++)
        for (size_t c = 0; c < teacher->channels; c++)
            for (size_t p = 0; p < teacher->positions; p++)
                *to++ = *values++ * teacher->factor[c] + teacher->offset[c];
    return kd2m_net_forward(teacher->net, teacher->input);
}

kd2m_status kd2m_teacher_evaluate(kd2m_teacher *teacher, const kd2m_dataset *dataset,
                                  kd2m_split split, kd2m_evaluation *out) {
    kd2m_runner *runner = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_runner_create(&runner, dataset, &teacher->file->normalisation,
                                teacher->file->graph, teacher->batch));
    KD2M_TRY(kd2m_net_load(runner->net, teacher->file->tensors));
    KD2M_TRY(kd2m_runner_run(runner, split, out, NULL, NULL));
cleanup:
    kd2m_runner_free(runner);
    return status;
}
