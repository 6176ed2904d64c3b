/* Sharing rows out: see split.h. Time O(rows) beside the rule's. */
#include "split.h"

#include <math.h>
#include <string.h>

#include "context.h"
#include "memory.h"

/* Behind `word`, or behind 'word:', in `rule`; NULL if the rule is another. */
static const char *behind(const char *rule, const char *word) {
    size_t length = strlen(word);
    if (strncmp(rule, word, length) != 0)
        return NULL;
    return rule[length] == '\0'                              ? rule + length
           : rule[length] == ':' && rule[length + 1] != '\0' ? rule + length + 1
                                                             : NULL;
}

kd2m_status kd2m_split_check(kd2m_context *context, const char *rule) {
    const char *column = behind(rule, "group");
    if (strcmp(rule, "random") == 0 || (column && *column) || behind(rule, "time"))
        return KD2M_OK;
    return kd2m_fail(context, KD2M_ERROR_USAGE,
                     "split '%s': say random, group:COLUMN, time or time:COLUMN", rule);
}

void kd2m_split_shares(const kd2m_sharing *sharing, size_t count, size_t *test,
                       size_t *validation) {
    size_t most = count > 0 ? count - 1 : 0;
    *test = (size_t)floor((double)count * sharing->test + 0.5);
    *validation = (size_t)floor((double)count * sharing->validation + 0.5);
    *test = *test < most ? *test : most;
    *validation = *validation < most - *test ? *validation : most - *test;
}

void kd2m_split_by_class(const kd2m_sharing *sharing, size_t *start, uint32_t *by_class) {
    const kd2m_part *part = &sharing->dataset->raw.train;
    size_t sum = 0;
    for (size_t i = 0; i < part->rows; i++)
        if (sharing->places[i] == KD2M_TRAIN)
            start[part->labels[i]]++;
    for (size_t c = 0; c <= sharing->dataset->raw.classes; c++) {
        sum += start[c];
        start[c] = sum;
    }
    for (size_t i = part->rows; i-- > 0;)
        if (sharing->places[i] == KD2M_TRAIN)
            by_class[--start[part->labels[i]]] = (uint32_t)i;
}

static kd2m_status apply_rule(kd2m_sharing *sharing, const char *rule) {
    const kd2m_dataset *dataset = sharing->dataset;
    const char *group = behind(rule, "group"), *clock = behind(rule, "time");
    const char *name = group ? group : clock;
    size_t column = KD2M_NO_COLUMN;
    kd2m_status status = KD2M_OK;
    if (name && *name)
        status = kd2m_dataset_find_column(dataset, name, &column);
    if (status == KD2M_OK)
        status = group   ? kd2m_split_groups(sharing, column)
                 : clock ? kd2m_split_time(sharing, column)
                         : kd2m_split_random(sharing);
    return status == KD2M_OK ? status
                             : kd2m_fail_within(dataset->context, status, "split '%s'", rule);
}

static kd2m_status check_shares(const kd2m_dataset *dataset, const kd2m_data_settings *settings) {
    if (settings->test > 0 && dataset->raw.test.rows > 0)
        return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                         "'%s' has %zu test rows of its own: leave --test out", dataset->spec,
                         dataset->raw.test.rows);
    if (settings->validation + settings->test >= 1)
        return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                         "shares of %g for validation and %g for test leave nothing to train on",
                         settings->validation, settings->test);
    return KD2M_OK;
}

static kd2m_status count_rows(kd2m_dataset *dataset, const unsigned char *places, bool test_cut) {
    const kd2m_raw_data *raw = &dataset->raw;
    size_t counts[KD2M_PLACES] = {0};
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < raw->train.rows; i++)
        counts[places[i]]++;
    if (raw->train.rows > 0 && counts[KD2M_TRAIN] == 0)
        return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                         "none of the %zu training rows of '%s' is left to train on",
                         raw->train.rows, dataset->spec);
    if (!test_cut)
        counts[KD2M_TEST] = raw->test.rows;
    for (size_t split = 0; split < 3; split++) {
        dataset->row_count[split] = counts[split];
        KD2M_TRY(kd2m_alloc(dataset->context, (void **)&dataset->rows[split], counts[split],
                            sizeof(uint32_t)));
    }
    dataset->dropped = counts[KD2M_NOWHERE];
cleanup:
    return status;
}

static void fill_rows(kd2m_dataset *dataset, const unsigned char *places) {
    size_t next[3] = {0};
    for (size_t i = 0; i < dataset->raw.train.rows; i++)
        if (places[i] <= KD2M_TEST)
            dataset->rows[places[i]][next[places[i]]++] = (uint32_t)i;
    for (size_t i = 0; i < dataset->raw.test.rows; i++)
        dataset->rows[KD2M_TEST][i] = (uint32_t)i;
}

kd2m_status kd2m_dataset_split(kd2m_dataset *dataset, const kd2m_data_settings *settings) {
    size_t rows = dataset->raw.train.rows;
    kd2m_sharing sharing = {dataset, settings->validation, settings->test,
                            (uint64_t)settings->split_seed, NULL};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(check_shares(dataset, settings));
    KD2M_TRY(kd2m_alloc(dataset->context, (void **)&sharing.places, rows, 1));
    memset(sharing.places, KD2M_TRAIN, rows);
    if (rows > 0)
        KD2M_TRY(apply_rule(&sharing, settings->split));
    if (settings->imbalance < 1)
        KD2M_TRY(kd2m_split_imbalance(&sharing, settings->imbalance));
    if (settings->limit > 0)
        KD2M_TRY(kd2m_split_limit(&sharing, (size_t)settings->limit));
    dataset->test_cut = settings->test > 0;
    KD2M_TRY(count_rows(dataset, sharing.places, dataset->test_cut));
    fill_rows(dataset, sharing.places);
    if (dataset->dropped > 0)
        kd2m_log(dataset->context, KD2M_LOG_INFO,
                 "%zu rows are left out: they begin before a cut in time and end behind it",
                 dataset->dropped);

cleanup:
    kd2m_free(dataset->context, sharing.places);
    return status;
}
