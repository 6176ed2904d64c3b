/* Plans for the tests of studies. */
#ifndef KD2M_TESTS_PLANS_H
#define KD2M_TESTS_PLANS_H

#include "plan.h"
#include "testing.h"

/* A small plan: one data set, two students, three methods. */
extern const char small_plan[];

/* The plan in `text`, with what stands under `key` replaced by the JSON `value`, or taken away
 * where it is NULL. */
json_t *plans_json(const char *text, const char *key, const char *value);

kd2m_plan *plans_take(kd2m_context *context, json_t *root);

#endif
