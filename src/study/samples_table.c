/*
 * Sample by sample: whether a net got it right, averaged over the seeds that the sample stands in,
 * and the mean over samples of the difference to each baseline, over the seeds that both have, with
 * a bootstrap interval (BCa) that draws whole groups. It tells what other samples, or other
 * recordings, might have said of these nets; what other trainings would say, the intervals over
 * seeds of the results tell. A mean over samples is what is drawn, so that the score is accuracy.
 * Cost: see kd2m_bootstrap_mean, for each difference.
 */
#include <math.h>
#include <stdio.h>

#include "cell.h"
#include "comparisons.h"
#include "context.h"
#include "kd2m/stats.h"
#include "memory.h"
#include "roster.h"

#define LEVEL 0.95
#define REPLICATES 2000 /* enough for two digits of a 95 % bound */
#define FEW_CLUSTERS 20

typedef struct means {
    kd2m_study *study;
    kd2m_context *context;
    kd2m_table *table;
    size_t data; /* whose part the roster is */
    const char *part;
    kd2m_roster roster;
    double *a, *b;   /* count: of the samples that there are */
    int32_t *groups; /* count */
    double *sums;    /* 3 x count: of a, of b, seeds */
    bool few;
} means;

/* ---- a part ---- */

static void leave_part(means *m) {
    kd2m_free(m->context, m->a);
    kd2m_free(m->context, m->b);
    kd2m_free(m->context, m->groups);
    kd2m_free(m->context, m->sums);
    kd2m_roster_clear(&m->roster);
    m->a = m->b = m->sums = NULL;
    m->groups = NULL;
    m->roster = (kd2m_roster){.context = m->context};
    m->part = NULL;
}

static kd2m_status add_part_note(const means *m, const kd2m_cell *cell, const char *text) {
    char note[256];
    snprintf(note, sizeof note, "%.60s, %.60s: %s", m->study->plan->data[cell->data].part.name,
             cell->part, text);
    return kd2m_table_add_note(m->table, note);
}

/* Rows that all nets have with the same labels; 0 where they differ. */
static size_t common_rows(const kd2m_cell *cell) {
    const kd2m_plan *plan = cell->study->plan;
    const kd2m_answers *first = NULL;
    for (size_t i = 0; i < plan->method_count * plan->seeds; i++) {
        const kd2m_answers *at = &cell->nets[i];
        if (at->rows == 0)
            continue;
        first = first ? first : at;
        if (!kd2m_answers_match(first, at))
            return 0;
    }
    return first ? first->rows : 0;
}

/* Whether every seed has the same rows there: earlier versions cut shares off by the seed, so that
 * they differ even where their labels don't. */
static kd2m_status is_fixed(const kd2m_cell *cell, bool *out) {
    const kd2m_plan *plan = cell->study->plan;
    json_t *settings = NULL;
    kd2m_train_settings values;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_plan_candidate(plan, cell->data, cell->student, 0, 0, &settings));
    KD2M_TRY(kd2m_plan_settings(plan->context, settings, &values));
    *out = cell->part != kd2m_part_name(&plan->data[cell->data], 0) && values.test <= 0;
cleanup:
    json_decref(settings);
    return status;
}

/* A study of an earlier version doesn't know which samples a part has. */
static kd2m_status assume_samples(means *m, const kd2m_cell *cell) {
    size_t rows = common_rows(cell);
    bool fixed;
    kd2m_status status = KD2M_OK;
    if (rows == 0)
        return KD2M_OK;
    KD2M_TRY(is_fixed(cell, &fixed));
    if (!fixed)
        return add_part_note(m, cell, "left out: which samples each seed has is not kept");
    KD2M_TRY(kd2m_roster_assume(&m->roster, rows));
    KD2M_TRY(add_part_note(m, cell,
                           "groups are not kept (--final does so now): each sample is a cluster of "
                           "its own"));
cleanup:
    return status;
}

static kd2m_status enter_part(means *m, const kd2m_cell *cell) {
    kd2m_status status = KD2M_OK;
    if (m->part == cell->part && m->data == cell->data)
        return KD2M_OK;
    leave_part(m);
    KD2M_TRY(kd2m_roster_read(&m->roster, m->study, cell->data, cell->part));
    if (m->roster.count == 0)
        KD2M_TRY(assume_samples(m, cell));
    size_t count = m->roster.count;
    KD2M_TRY(kd2m_alloc(m->context, (void **)&m->a, count, sizeof *m->a));
    KD2M_TRY(kd2m_alloc(m->context, (void **)&m->b, count, sizeof *m->b));
    KD2M_TRY(kd2m_alloc(m->context, (void **)&m->groups, count, sizeof *m->groups));
    KD2M_TRY(kd2m_alloc(m->context, (void **)&m->sums, 3 * count, sizeof *m->sums));
    m->data = cell->data;
    m->part = cell->part;
cleanup:
    return status;
}

/* ---- means and intervals ---- */

/* Fills a and b with the means of two methods' answers over the seeds that both have: *seeds of
 * them. Returns the number of samples. */
static size_t average(means *m, const kd2m_cell *cell, size_t one, size_t other, size_t *seeds) {
    const kd2m_roster *roster = &m->roster;
    size_t found = 0, count = roster->count;
    *seeds = 0;
    for (size_t i = 0; i < 3 * count; i++)
        m->sums[i] = 0;
    for (size_t seed = 0; seed < roster->seeds; seed++) {
        const kd2m_answers *a = kd2m_cell_net(cell, one, seed);
        const kd2m_answers *b = kd2m_cell_net(cell, other, seed);
        if (!kd2m_answers_match(a, b) || a->rows != roster->rows[seed])
            continue;
        ++*seeds;
        for (size_t i = 0; i < a->rows; i++) {
            size_t number = roster->numbers[seed][i];
            m->sums[number] += a->right[i];
            m->sums[count + number] += b->right[i];
            m->sums[2 * count + number]++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        double times = m->sums[2 * count + i];
        if (times <= 0)
            continue;
        m->a[found] = m->sums[i] / times;
        m->b[found] = m->sums[count + i] / times;
        m->groups[found++] = roster->groups ? roster->groups[i] : 0;
    }
    return found;
}

static bool has_two_clusters(const means *m, size_t count) {
    if (!m->roster.groups)
        return count > 1;
    for (size_t i = 1; i < count; i++)
        if (m->groups[i] != m->groups[0])
            return true;
    return false;
}

/* The mean of a - b, of a where b is NULL. One cluster tells of no other: the interval is NaN. */
static kd2m_status estimate(means *m, const double *b, size_t count, kd2m_bootstrap *out) {
    kd2m_bootstrap_settings settings;
    kd2m_settings_default(kd2m_bootstrap_setting_list(), &settings);
    settings.replicates = REPLICATES;
    settings.level = LEVEL;
    if (has_two_clusters(m, count))
        return kd2m_bootstrap_mean(out, m->context, m->a, b, m->roster.groups ? m->groups : NULL,
                                   count, &settings);
    *out = (kd2m_bootstrap){.bca_low = NAN, .bca_high = NAN, .clusters = 1};
    for (size_t i = 0; i < count; i++)
        out->estimate += (m->a[i] - (b ? b[i] : 0)) / (double)count;
    return KD2M_OK;
}

/* ---- the table ---- */

static kd2m_status add_columns(const kd2m_plan *plan, kd2m_table *table) {
    static const kd2m_table_column columns[] = {
        {"data", NULL, KD2M_COLUMN_TEXT, 0},        {"part", NULL, KD2M_COLUMN_TEXT, 0},
        {"student", NULL, KD2M_COLUMN_TEXT, 0},     {"method", NULL, KD2M_COLUMN_TEXT, 0},
        {"seeds", NULL, KD2M_COLUMN_INTEGER, 0},    {"samples", NULL, KD2M_COLUMN_INTEGER, 0},
        {"clusters", NULL, KD2M_COLUMN_INTEGER, 0}, {"cluster", NULL, KD2M_COLUMN_TEXT, 0},
        {"accuracy", NULL, KD2M_COLUMN_REAL, 4},    {"low", "from", KD2M_COLUMN_REAL, 4},
        {"high", "to", KD2M_COLUMN_REAL, 4},
    };
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_columns(table, columns, sizeof columns / sizeof *columns));
    for (size_t k = 0; k < plan->baseline_count; k++)
        KD2M_TRY(kd2m_add_difference_columns(table, plan, k));
cleanup:
    return status;
}

static kd2m_status add_difference(means *m, const kd2m_cell *cell, size_t method, size_t k) {
    const kd2m_plan *plan = m->study->plan;
    char key[KD2M_KEY_SIZE];
    size_t seeds;
    size_t count = average(m, cell, method, kd2m_baseline_method(plan, k), &seeds);
    kd2m_bootstrap found;
    kd2m_status status = KD2M_OK;
    if (count == 0)
        return KD2M_OK;
    KD2M_TRY(estimate(m, m->b, count, &found));
    kd2m_baseline_key(key, "difference", plan, k);
    KD2M_TRY(kd2m_table_set_real(m->table, key, found.estimate));
    kd2m_baseline_key(key, "low", plan, k);
    KD2M_TRY(kd2m_table_set_real(m->table, key, found.bca_low));
    kd2m_baseline_key(key, "high", plan, k);
    KD2M_TRY(kd2m_table_set_real(m->table, key, found.bca_high));
cleanup:
    return status;
}

static kd2m_status add_method(means *m, const kd2m_cell *cell, size_t method) {
    const kd2m_plan *plan = m->study->plan;
    size_t seeds, count = average(m, cell, method, method, &seeds);
    kd2m_bootstrap found;
    kd2m_status status = KD2M_OK;
    if (count == 0)
        return KD2M_OK;
    KD2M_TRY(estimate(m, NULL, count, &found));
    m->few |= found.clusters < FEW_CLUSTERS;
    KD2M_TRY(kd2m_cell_add_row(cell, m->table, method));
    KD2M_TRY(kd2m_table_set_integer(m->table, "seeds", (int64_t)seeds));
    KD2M_TRY(kd2m_table_set_integer(m->table, "samples", (int64_t)count));
    KD2M_TRY(kd2m_table_set_integer(m->table, "clusters", (int64_t)found.clusters));
    KD2M_TRY(
        kd2m_table_set_text(m->table, "cluster", m->roster.column ? m->roster.column : "sample"));
    KD2M_TRY(kd2m_table_set_real(m->table, "accuracy", found.estimate));
    KD2M_TRY(kd2m_table_set_real(m->table, "low", found.bca_low));
    KD2M_TRY(kd2m_table_set_real(m->table, "high", found.bca_high));
    for (size_t k = 0; k < plan->baseline_count; k++)
        if (kd2m_is_compared(plan, method, k))
            KD2M_TRY(add_difference(m, cell, method, k));
cleanup:
    return status;
}

static kd2m_status add_cell(void *user, const kd2m_cell *cell) {
    means *m = user;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(enter_part(m, cell));
    for (size_t i = 0; i < m->study->plan->method_count; i++)
        KD2M_TRY(add_method(m, cell, i));
cleanup:
    return status;
}

static kd2m_status add_notes(const means *m) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_add_note(
        m->table, "each sample's answers averaged over seeds; 95 % bootstrap intervals (BCa) that "
                  "draw whole clusters, each for itself: what other samples might say of these "
                  "nets. What other trainings might, the results' intervals over seeds tell"));
    if (m->few)
        KD2M_TRY(kd2m_table_add_note(
            m->table, "with fewer than 20 clusters such intervals are too narrow; with one there "
                      "is none"));
cleanup:
    return status;
}

kd2m_status kd2m_study_samples(kd2m_table **out, kd2m_study *study) {
    means m = {.study = study, .context = study->context, .roster = {.context = study->context}};
    kd2m_status status = KD2M_OK;
    *out = NULL;
    KD2M_TRY(kd2m_table_create(&m.table, study->context, "samples"));
    KD2M_TRY(add_columns(study->plan, m.table));
    KD2M_TRY(kd2m_for_each_cell(study, add_cell, &m));
    KD2M_TRY(add_notes(&m));
    *out = m.table;
    m.table = NULL;
cleanup:
    kd2m_table_free(m.table);
    leave_part(&m);
    return status;
}
