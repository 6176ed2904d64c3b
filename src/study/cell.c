/* Answers of a cell's nets: see cell.h. Memory O(methods x seeds x rows) bytes, one cell at a time.
 */
#include "cell.h"

#include <string.h>

#include "comparisons.h"
#include "context.h"
#include "memory.h"
#include "scores.h"

const kd2m_answers *kd2m_cell_net(const kd2m_cell *cell, size_t method, size_t seed) {
    return &cell->nets[method * cell->study->plan->seeds + seed];
}

static void bind_cell(void *user, sqlite3_stmt *statement) {
    const kd2m_cell *cell = user;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)cell->data);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)cell->student);
    sqlite3_bind_text(statement, 3, cell->part, -1, SQLITE_STATIC);
}

/* Columns: 0 method, 1 repeat, 2 classes, 3 labels, 4 logits. */
static kd2m_status take_net(void *user, sqlite3_stmt *row) {
    kd2m_cell *cell = user;
    const kd2m_plan *plan = cell->study->plan;
    size_t method = (size_t)sqlite3_column_int64(row, 0);
    size_t seed = (size_t)sqlite3_column_int64(row, 1);
    kd2m_outputs outputs;
    kd2m_status status = KD2M_OK;
    if (method >= plan->method_count || seed >= plan->seeds)
        return KD2M_OK;
    KD2M_TRY(kd2m_store_outputs_in(cell->study->store, row, 2, &outputs));
    kd2m_answers *to = &cell->nets[method * plan->seeds + seed];
    KD2M_TRY(kd2m_alloc(cell->context, (void **)&to->labels, outputs.rows, sizeof *to->labels));
    KD2M_TRY(kd2m_alloc(cell->context, (void **)&to->right, outputs.rows, sizeof *to->right));
    to->rows = outputs.rows;
    for (size_t i = 0; i < outputs.rows; i++) {
        size_t said = kd2m_argmax(outputs.logits + i * outputs.classes, outputs.classes);
        to->labels[i] = outputs.labels[i];
        to->right[i] = (int32_t)said == outputs.labels[i];
    }
cleanup:
    return status;
}

kd2m_status kd2m_cell_read(kd2m_cell *out, kd2m_study *study, size_t data, const char *part,
                           size_t student) {
    const kd2m_plan *plan = study->plan;
    kd2m_status status = KD2M_OK;
    *out = (kd2m_cell){study, study->context, data, student, part, NULL};
    KD2M_TRY(kd2m_alloc(out->context, (void **)&out->nets, plan->method_count * plan->seeds,
                        sizeof *out->nets));
    KD2M_TRY(kd2m_store_query(study->store,
                              "SELECT method, repeat, classes, labels, logits FROM outputs JOIN"
                              " trial ON trial.id = outputs.trial WHERE stage = 2 AND data = ?"
                              " AND student = ? AND part = ?",
                              bind_cell, take_net, out));
cleanup:
    return status;
}

void kd2m_cell_clear(kd2m_cell *cell) {
    const kd2m_plan *plan = cell->study->plan;
    for (size_t i = 0; cell->nets && i < plan->method_count * plan->seeds; i++) {
        kd2m_free(cell->context, cell->nets[i].labels);
        kd2m_free(cell->context, cell->nets[i].right);
    }
    kd2m_free(cell->context, cell->nets);
}

bool kd2m_answers_match(const kd2m_answers *a, const kd2m_answers *b) {
    return a->rows == b->rows && a->rows > 0 &&
           memcmp(a->labels, b->labels, a->rows * sizeof *a->labels) == 0;
}

kd2m_status kd2m_for_each_cell(kd2m_study *study, kd2m_cell_visit visit, void *user) {
    const kd2m_plan *plan = study->plan;
    kd2m_status status = KD2M_OK;
    for (size_t d = 0; d < plan->data_count; d++)
        for (size_t p = 0; p < kd2m_part_count(&plan->data[d]); p++)
            for (size_t s = 0; s < plan->student_count && status == KD2M_OK; s++) {
                kd2m_cell cell;
                status = kd2m_cell_read(&cell, study, d, kd2m_part_name(&plan->data[d], p), s);
                if (status == KD2M_OK)
                    status = visit(user, &cell);
                kd2m_cell_clear(&cell);
            }
    return status;
}

kd2m_status kd2m_cell_add_row(const kd2m_cell *cell, kd2m_table *table, size_t method) {
    const kd2m_plan *plan = cell->study->plan;
    return kd2m_begin_method_row(table, plan, cell->data, cell->part, cell->student,
                                 plan->methods[method].part.name);
}
