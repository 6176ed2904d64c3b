/* The one context of a program's tests: set-up and tear-down of its group. */
#ifndef KD2M_TESTS_STATS_SUITE_H
#define KD2M_TESTS_STATS_SUITE_H

#include "testing.h"

static kd2m_context *context;

static int make_context(void **state) {
    (void)state;
    context = testing_context(1);
    return 0;
}

static int drop_context(void **state) {
    (void)state;
    kd2m_context_free(context);
    return 0;
}

#endif
