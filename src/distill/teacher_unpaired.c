/*
 * A file of features without keys: rows of other samples than the student's, or of nobody knows
 * which. Their law is what can be matched. Each step takes as many rows as the student's batch has,
 * drawn without replacement by (seed, step) alone, or all where there are fewer; moments are rows
 * that are all taken, with weights. A draw is O(rows of the file).
 */
#include "context.h"
#include "evaluate.h"
#include "memory.h"
#include "teacher_stored.h"

/* What the draws are keyed by, beside (seed, step): matches count up from 0. */
#define DRAW_NUMBER UINT32_MAX

static void take_row(kd2m_teacher *teacher, size_t at, size_t row) {
    kd2m_stored *own = teacher->own;
    own->chosen[at] = row;
    if (own->labels)
        own->labels[at] = own->file->labels[row];
}

static kd2m_status forward(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                           uint64_t step) {
    kd2m_positions *drawn = ((kd2m_stored *)teacher->own)->drawn;
    (void)batch;
    kd2m_positions_draw(drawn, seed, DRAW_NUMBER, step);
    for (size_t i = 0; i < teacher->rows; i++)
        take_row(teacher, i, drawn->chosen[i]);
    return KD2M_OK;
}

/* All rows of the file, in order. */
static kd2m_status pass(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user) {
    size_t total = ((const kd2m_stored *)teacher->own)->file->rows, rows = teacher->rows;
    kd2m_status status = KD2M_OK;
    for (size_t first = 0; first < total; first += rows) {
        for (size_t i = 0; i < rows; i++)
            take_row(teacher, i, first + i < total ? first + i : total - 1);
        KD2M_TRY(kd2m_check_interrupt(teacher->context));
        KD2M_TRY(visit(user, teacher, total - first < rows ? total - first : rows));
    }
cleanup:
    return status;
}

static kd2m_status evaluate(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out) {
    (void)teacher;
    (void)split;
    *out = kd2m_evaluation_unknown;
    return KD2M_OK;
}

static const kd2m_teacher_kind kind = {
    .find_layer = kd2m_stored_find_layer,
    .forward = forward,
    .read = kd2m_stored_read,
    .pass = pass,
    .evaluate = evaluate,
    .free = kd2m_stored_free,
};

static kd2m_status check_labels(const kd2m_teacher *teacher, const kd2m_feature_file *file) {
    size_t classes = teacher->dataset->raw.classes;
    for (size_t i = 0; file->labels && i < file->rows; i++)
        if ((size_t)file->labels[i] >= classes)
            return kd2m_fail(teacher->context, KD2M_ERROR_INPUT,
                             "%s: %s class %d, but %s has classes 0..%zu", file->name,
                             file->moments ? "has moments of" : "its labels name", file->labels[i],
                             teacher->dataset->spec, classes - 1);
    return KD2M_OK;
}

static void tell(const kd2m_teacher *teacher, const kd2m_feature_file *file) {
    if (file->moments)
        kd2m_log(teacher->context, KD2M_LOG_INFO, "%s: the teacher is known by its moments alone%s",
                 file->name, file->labels ? ", class by class" : "");
    else
        kd2m_log(teacher->context, KD2M_LOG_INFO,
                 "%s: the teacher is unpaired (its features have no keys): of its %zu rows each "
                 "step draws %zu, and laws alone are matched",
                 file->name, file->rows, teacher->rows);
}

kd2m_status kd2m_stored_unpair(kd2m_teacher *teacher) {
    kd2m_stored *own = teacher->own;
    const kd2m_feature_file *file = own->file;
    bool all = file->moments || file->rows < teacher->batch;
    kd2m_status status = KD2M_OK;
    teacher->kind = &kind;
    teacher->rows = all ? file->rows : teacher->batch;
    teacher->weights = file->weights;
    teacher->info = (kd2m_teacher_info){
        .mode = file->moments ? KD2M_TEACHER_MOMENTS : KD2M_TEACHER_UNPAIRED,
        .classes = file->moments ? 0 : kd2m_stored_classes(teacher),
        .labelled = file->labels != NULL,
        .stored = true,
    };
    KD2M_TRY(check_labels(teacher, file));
    KD2M_TRY(kd2m_positions_create(&own->drawn, teacher->context, file->rows, 1, teacher->rows));
    if (file->labels)
        KD2M_TRY(kd2m_alloc(teacher->context, (void **)&own->labels, teacher->rows,
                            sizeof *own->labels));
    teacher->labels = own->labels;
    tell(teacher, file);
cleanup:
    return status;
}
