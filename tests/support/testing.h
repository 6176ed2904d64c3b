/* What the tests share: cmocka, a context that says why, tolerances, data folders. */
#ifndef KD2M_TESTS_TESTING_H
#define KD2M_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kd2m/core.h"

/* Exit code of a program whose tests can't run here. */
#define TESTING_SKIPPED 77

/* A context with `threads` threads (0 = all), freed by the caller. Never NULL. */
kd2m_context *testing_context(int threads);

/*
 * A context whose allocator fails on allocation number `fail_at` (from 0) and on all after it;
 * SIZE_MAX = never. testing_allocations: how many were asked for; testing_live: not given back.
 */
kd2m_context *testing_failing_context(size_t fail_at);
size_t testing_allocations(void);
size_t testing_live(void);

/* Fails the test with the context's message unless `status` is the expected one. */
void testing_expect(kd2m_context *context, kd2m_status expected, kd2m_status status,
                    const char *file, int line);
#define EXPECT_STATUS(context, expected, expression)                                               \
    testing_expect(context, expected, expression, __FILE__, __LINE__)
#define EXPECT_OK(context, expression) EXPECT_STATUS(context, KD2M_OK, expression)

/* Fails unless the context's message holds `part`. */
void testing_expect_message(kd2m_context *context, const char *part, const char *file, int line);
#define EXPECT_MESSAGE(context, part) testing_expect_message(context, part, __FILE__, __LINE__)

/* Fails unless |value - expected| <= absolute + relative * |expected|; NaN always fails. */
void testing_expect_close(double expected, double value, double absolute, double relative,
                          const char *file, int line);
#define EXPECT_CLOSE(expected, value, absolute, relative)                                          \
    testing_expect_close(expected, value, absolute, relative, __FILE__, __LINE__)

/* Uniform in [-1, 1) in steps of 2^-23, from a 32-bit mix of (stream, index), and a stream for a
 * name; tools/golden_hash.py makes the same numbers. */
float testing_hashed(size_t index, uint32_t stream);
uint32_t testing_stream(const char *name);

/* Calls work(first) and work(second) in threads of their own that start together, and waits for
 * both. cmocka's checks belong to the main thread: the work only notes how it went. */
void testing_side_by_side(void (*work)(void *job), void *first, void *second);

/* 'KD2M_TEST_DATA/name', or NULL with a message on stdout where it is not there. Static buffer. */
const char *testing_data(const char *name);

/* A new folder for this test, removed at exit. Static buffer, overwritten by the next call. */
const char *testing_folder(void);

#endif
