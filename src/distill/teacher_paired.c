/*
 * A file of features whose samples are known by their keys: a row of a batch meets the features of
 * the very same sample. Opening finds all training samples, O(n log n); a forward is a look-up.
 */
#include <math.h>

#include "context.h"
#include "evaluate.h"
#include "memory.h"
#include "teacher_stored.h"

static kd2m_status forward(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                           uint64_t step) {
    kd2m_stored *own = teacher->own;
    (void)seed;
    (void)step;
    for (size_t i = 0; i < teacher->rows; i++)
        own->chosen[i] = own->places[batch->ids[i]];
    kd2m_teacher_take_batch(teacher, batch);
    return KD2M_OK;
}

/* Cross-entropy of a row's logits; their largest is counted as the row's prediction. */
static double cross_entropy(const float *logits, size_t classes, size_t label,
                            kd2m_class_scores *counts) {
    size_t best = kd2m_argmax(logits, classes);
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += exp((double)logits[c] - logits[best]);
    kd2m_class_scores_add(counts, label, best);
    return log(sum) - ((double)logits[label] - logits[best]);
}

/* On those rows of the split that the file has; one that has none of them says nothing. */
static kd2m_status evaluate(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out) {
    const kd2m_feature_file *file = ((const kd2m_stored *)teacher->own)->file;
    const kd2m_feature_layer *logits =
        teacher->info.classes > 0 ? kd2m_feature_file_find(file, "logits") : NULL;
    size_t rows = teacher->dataset->row_count[split], known;
    double loss = 0;
    kd2m_class_scores *counts = NULL;
    kd2m_status status = KD2M_OK;
    *out = kd2m_evaluation_unknown;
    KD2M_TRY(kd2m_alloc(teacher->context, (void **)&counts, file->classes, sizeof *counts));
    for (size_t i = 0; logits && i < rows; i++) {
        uint64_t key;
        size_t place;
        KD2M_TRY(kd2m_dataset_read_keys(teacher->dataset, split, i, 1, &key));
        if (!kd2m_key_index_find(&file->keys, key, &place))
            continue;
        loss += cross_entropy(logits->values + place * file->classes, file->classes,
                              (size_t)kd2m_dataset_label(teacher->dataset, split, i), counts);
    }
    kd2m_evaluation_conclude(out, counts, file->classes, loss);
    known = out->scores.rows;
    if (known > 0 && known < rows)
        kd2m_log(teacher->context, KD2M_LOG_INFO,
                 "the teacher's accuracy is that on the %zu of %zu samples that %s has", known,
                 rows, file->name);
cleanup:
    kd2m_free(teacher->context, counts);
    return status;
}

static const kd2m_teacher_kind kind = {
    .find_layer = kd2m_stored_find_layer,
    .forward = forward,
    .read = kd2m_stored_read,
    .pass = kd2m_teacher_pass_samples,
    .evaluate = evaluate,
    .free = kd2m_stored_free,
};

/* *missing = training samples that the file has no row of, *first the first of them. */
static kd2m_status find_places(kd2m_teacher *teacher, size_t *missing, size_t *first) {
    kd2m_stored *own = teacher->own;
    size_t rows = teacher->dataset->row_count[KD2M_TRAIN];
    kd2m_status status = KD2M_OK;
    *missing = *first = 0;
    KD2M_TRY(kd2m_alloc(teacher->context, (void **)&own->places, rows, sizeof *own->places));
    for (size_t i = 0; i < rows; i++) {
        uint64_t key;
        KD2M_TRY(kd2m_dataset_read_keys(teacher->dataset, KD2M_TRAIN, i, 1, &key));
        if (!kd2m_key_index_find(&own->file->keys, key, &own->places[i]) && (*missing)++ == 0)
            *first = i;
    }
cleanup:
    return status;
}

kd2m_status kd2m_stored_pair(kd2m_teacher *teacher) {
    const kd2m_feature_file *file = ((const kd2m_stored *)teacher->own)->file;
    size_t rows = teacher->dataset->row_count[KD2M_TRAIN], missing, first;
    kd2m_status status = KD2M_OK;
    teacher->kind = &kind;
    teacher->rows = teacher->batch;
    teacher->info = (kd2m_teacher_info){.mode = KD2M_TEACHER_PAIRED,
                                        .classes = kd2m_stored_classes(teacher),
                                        .labelled = true,
                                        .stored = true};
    KD2M_TRY(find_places(teacher, &missing, &first));
    if (missing > 0) {
        status = kd2m_fail(teacher->context, KD2M_ERROR_INPUT,
                           "%s: has no features of %zu of the %zu training samples of %s, first "
                           "of training row %zu (from 0): they were made from other data, or the "
                           "data have changed since",
                           file->name, missing, rows, teacher->dataset->spec, first);
        goto cleanup;
    }
    kd2m_log(teacher->context, KD2M_LOG_INFO,
             "%s: features of %zu samples, all %zu training samples among them", file->name,
             file->rows, rows);
cleanup:
    return status;
}
