/*
 * Lists of runs: those below some folders, filtered, sorted, compared.
 *
 * A run is told by keys. What came of it: `run` (its folder), `state` (done; open: not at its end,
 * whether somebody is at it or not; diverged: broke down, `message` says of what; damaged: a file
 * can't be understood, `message` says which and why), `epoch` (epochs done), `best_epoch`,
 * `validation` and `test` (accuracy), `test_loss`, `teacher_accuracy`, `parameters`, `unconverged`,
 * `seconds`, `date` (when it was last written to, local time). What it was made by: `version`,
 * `threads`, `data_digest`, `teacher_digest`, and the settings of kd2m_train_setting_list: `loss`
 * with --metric and defaults written out, `validation` and `test` as `validation_share` and
 * `test_share`.
 */
#ifndef KD2M_RUNS_H
#define KD2M_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/settings.h"
#include "kd2m/table.h"

KD2M_BEGIN_DECLS

/* clang-format off */
#define KD2M_RUNS_SETTINGS(X)                                                                      \
    X(TEXT,    sort,         "run",     0, 0,        "KEY",    "order by a setting or result, e.g. validation or date") \
    X(FLAG,    reverse,      "0",       0, 1,        NULL,     "largest first; runs without a value come last either way") \
    X(INTEGER, limit,        "0",       0, 1e9,      "N",      "the first N alone, 0 for all")                         \
    X(FLAG,    compare,      "0",       0, 1,        NULL,     "show the settings in which these runs differ, and their results")
/* clang-format on */

typedef struct kd2m_runs_settings {
    KD2M_RUNS_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_runs_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_runs_setting_list(void);

/*
 * *out = a table, to be freed by the caller, of the runs in `folders` and below them (links to
 * folders are not followed) for which all of `where` hold. Each of these is KEY, one of = != < <= >
 * >= ~ !~ (holds the text, or doesn't), and VALUE; an empty VALUE stands for none, numbers compare
 * as such. Nothing is written, and runs may be under way.
 * Errors: KD2M_ERROR_USAGE (a key or condition that makes no sense), KD2M_ERROR_IO (one of
 * `folders` can't be read; what can't be read below them is listed as damaged),
 * KD2M_ERROR_INTERRUPTED, KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_runs_table(kd2m_table **out, kd2m_context *context,
                                     const char *const *folders, size_t folder_count,
                                     const char *const *where, size_t where_count,
                                     const kd2m_runs_settings *settings);

KD2M_END_DECLS

#endif
