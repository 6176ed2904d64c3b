/* What the tests of tables and recordings share: text files, golden arrays, opening, the log. */
#ifndef KD2M_TESTS_DATA_TABLES_FIXTURE_H
#define KD2M_TESTS_DATA_TABLES_FIXTURE_H

#include "testing.h"

#include "kd2m/array.h"
#include "kd2m/data.h"

/* Writes FOLDER/NAME and returns its path. Static buffer, the last of eight. */
const char *tables_write(const char *folder, const char *name, const char *text);

/* tests/golden/csv/NAME. Static buffer, the last of eight. */
const char *tables_golden(const char *name);

/* Reads a golden array; freed by the caller. */
void tables_array(kd2m_array *out, kd2m_context *context, const char *name);

/* Opens a data set without validation, under a policy about missing values. */
kd2m_status tables_open(kd2m_dataset **out, kd2m_context *context, const char *spec,
                        const char *missing);

/* Fails unless opening is refused so, the message holding all of `message`. */
void tables_refuse(kd2m_context *context, const char *spec, const char *missing,
                   kd2m_status expected, const char *message);

/* Fails unless a split holds the golden values (their first dimension is rows) and labels. */
void tables_check(kd2m_context *context, const kd2m_dataset *dataset, kd2m_split split,
                  const char *values, const char *labels);

/* A context that keeps the lines of its log, and these. */
kd2m_context *tables_talking_context(void);
extern char tables_log[4096];

/* Opens and reads with every allocation failing in turn. */
void tables_sweep(const char *spec, const char *missing);

#endif
