/*
 * McNemar's test of each method and each baseline, seed by seed: of the rows that one of the two
 * nets alone got right, how many each (Q. McNemar, Psychometrika 12, 1947; exact binomial p). Two
 * nets and one seed are a pair; several seeds answer the same rows, so that their counts are not
 * independent and are never added up.
 */
#include "cell.h"
#include "comparisons.h"
#include "context.h"
#include "kd2m/stats.h"

typedef struct mcnemar_table {
    kd2m_study *study;
    kd2m_table *table;
} mcnemar_table;

static kd2m_status add_test(const mcnemar_table *to, const kd2m_cell *cell, size_t method,
                            size_t baseline, size_t seed) {
    size_t other = kd2m_baseline_method(to->study->plan, baseline);
    const kd2m_answers *a = kd2m_cell_net(cell, method, seed);
    const kd2m_answers *b = kd2m_cell_net(cell, other, seed);
    int64_t only_a = 0, only_b = 0;
    kd2m_mcnemar test;
    kd2m_status status = KD2M_OK;
    if (!kd2m_answers_match(a, b))
        return KD2M_OK;
    for (size_t i = 0; i < a->rows; i++) {
        only_a += a->right[i] && !b->right[i];
        only_b += b->right[i] && !a->right[i];
    }
    KD2M_TRY(kd2m_mcnemar_counts(&test, cell->context, only_a, only_b));
    KD2M_TRY(kd2m_cell_add_row(cell, to->table, method));
    KD2M_TRY(kd2m_table_set_text(to->table, "baseline", to->study->plan->methods[other].part.name));
    KD2M_TRY(kd2m_table_set_integer(to->table, "seed", (int64_t)seed));
    KD2M_TRY(kd2m_table_set_integer(to->table, "samples", (int64_t)a->rows));
    KD2M_TRY(kd2m_table_set_integer(to->table, "method_alone", test.only_a));
    KD2M_TRY(kd2m_table_set_integer(to->table, "baseline_alone", test.only_b));
    KD2M_TRY(kd2m_table_set_real(to->table, "p", test.p));
cleanup:
    return status;
}

static kd2m_status add_cell(void *user, const kd2m_cell *cell) {
    const mcnemar_table *to = user;
    const kd2m_plan *plan = to->study->plan;
    kd2m_status status = KD2M_OK;
    for (size_t m = 0; m < plan->method_count; m++)
        for (size_t k = 0; k < plan->baseline_count; k++)
            for (size_t seed = 0; seed < plan->seeds && kd2m_is_compared(plan, m, k); seed++)
                KD2M_TRY(add_test(to, cell, m, k, seed));
cleanup:
    return status;
}

kd2m_status kd2m_study_mcnemar(kd2m_table **out, kd2m_study *study) {
    static const kd2m_table_column columns[] = {
        {"data", NULL, KD2M_COLUMN_TEXT, 0},
        {"part", NULL, KD2M_COLUMN_TEXT, 0},
        {"student", NULL, KD2M_COLUMN_TEXT, 0},
        {"method", NULL, KD2M_COLUMN_TEXT, 0},
        {"baseline", NULL, KD2M_COLUMN_TEXT, 0},
        {"seed", NULL, KD2M_COLUMN_INTEGER, 0},
        {"samples", NULL, KD2M_COLUMN_INTEGER, 0},
        {"method_alone", "method alone", KD2M_COLUMN_INTEGER, 0},
        {"baseline_alone", "baseline alone", KD2M_COLUMN_INTEGER, 0},
        {"p", NULL, KD2M_COLUMN_REAL, 4},
    };
    mcnemar_table to = {study, NULL};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&to.table, study->context, "mcnemar"));
    KD2M_TRY(kd2m_table_add_columns(to.table, columns, sizeof columns / sizeof *columns));
    KD2M_TRY(kd2m_for_each_cell(study, add_cell, &to));
    KD2M_TRY(kd2m_table_add_note(
        to.table, "alone: rows that this net of the two alone got right; p: exact, of two nets on "
                  "rows taken for independent, not adjusted for their number"));
    KD2M_TRY(kd2m_table_add_note(to.table,
                                 "seeds answer the same rows: their counts are not to be added up, "
                                 "and one seed's p says nothing of another training"));
    *out = to.table;
    to.table = NULL;
cleanup:
    kd2m_table_free(to.table);
    return status;
}
