/*
 * What each term compares in a step: the batch's rows beside the teacher's; or positions of their
 * maps, each with what belongs to its sample; or, on the teacher's side, the rows of a bank.
 * O(rows x width) time for what is copied.
 */
#include "objective.h"

/* One side of a term on a layer. `store` keeps what belongs to each row where `drawn` positions are
 * the rows. */
static void take_side(kd2m_sample *out, const kd2m_sample *of, kd2m_row_store *store,
                      const kd2m_positions *drawn, const float *features, size_t width) {
    *out = *of;
    if (drawn) {
        const kd2m_row_choice rows = {drawn->chosen, drawn->positions, drawn->rows};
        kd2m_row_store_write(store, 0, of, &rows);
        kd2m_row_store_sample(store, drawn->rows, out);
    }
    out->features = features;
    out->dim = out->stride = width;
}

void kd2m_objective_gather(kd2m_objective *objective, const kd2m_batch *batch) {
    kd2m_teacher *teacher = objective->ends.teacher;
    size_t classes = objective->classes;
    const kd2m_sample x = {
        .rows = objective->batch,
        .labels = batch->labels,
        .logits = objective->logits,
        .classes = classes,
        .logits_stride = classes,
        .columns = batch->columns,
        .column_count = batch->column_count,
    };
    kd2m_sample y = x;
    if (!teacher)
        return;
    y.rows = kd2m_teacher_rows(teacher);
    y.weights = kd2m_teacher_weights(teacher);
    y.labels = kd2m_teacher_labels(teacher);
    y.logits = objective->teacher_logits;
    y.columns = kd2m_teacher_columns(teacher, &y.column_count);
    for (size_t i = 0; i < objective->loss->count; i++) {
        kd2m_bound_term *bound = &objective->terms[i];
        bound->x = x;
        bound->y = y;
        if (bound->match == KD2M_NO_MATCH)
            continue;
        const kd2m_match *match = &objective->matches[bound->match];
        take_side(&bound->x, &x, bound->x_rows, match->student_drawn, match->compared,
                  kd2m_match_width(match));
        take_side(&bound->y, &y, bound->y_rows, match->teacher_drawn, match->teacher,
                  match->teacher_width);
        if (!bound->bank)
            continue;
        kd2m_bank_push(bound->bank, &bound->y);
        kd2m_bank_sample(bound->bank, &bound->y);
    }
}
