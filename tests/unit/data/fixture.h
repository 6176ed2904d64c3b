/* Data sets made for a test: npy files whose values tell where they came from. */
#ifndef KD2M_TESTS_DATA_FIXTURE_H
#define KD2M_TESTS_DATA_FIXTURE_H

#include "testing.h"

#include "kd2m/array.h"
#include "kd2m/data.h"

/* Value `column` of row `row`. */
float fixture_value(size_t row, size_t column);

/* Writes `count` rows x `columns` of fixture_value and the labels, and returns 'FOLDER/NAME-x.npy;
 * FOLDER/NAME-y.npy'. Static buffer, overwritten by the call after the next. */
const char *fixture_files(kd2m_context *context, const char *name, size_t count, size_t columns,
                          const int32_t *labels);

/* Opens the data set whose training part fixture_files wrote. */
kd2m_dataset *fixture_dataset(kd2m_context *context, size_t count, size_t columns,
                              const int32_t *labels, double validation, uint64_t seed);

#endif
