/* Contexts: statuses and messages, settings refused, callbacks, two threads at once. */
#include "testing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "parallel.h"
#include "rng.h"

static kd2m_context *context;

static int setup(void **state) {
    (void)state;
    context = testing_context(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kd2m_context_free(context);
    return 0;
}

static void every_status_has_a_text_of_its_own(void **state) {
    (void)state;
    for (int i = KD2M_OK; i <= KD2M_ERROR_INTERNAL; i++) {
        const char *text = kd2m_status_text((kd2m_status)i);
        assert_string_not_equal("unknown status", text);
        for (int j = KD2M_OK; j < i; j++)
            assert_string_not_equal(kd2m_status_text((kd2m_status)j), text);
    }
    assert_string_equal("ok", kd2m_status_text(KD2M_OK));
    assert_string_equal("out of memory", kd2m_status_text(KD2M_ERROR_MEMORY));
    assert_string_equal("unknown status", kd2m_status_text((kd2m_status)(KD2M_ERROR_INTERNAL + 1)));
}

static void the_version_is_that_of_the_headers(void **state) {
    char text[32];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", KD2M_VERSION_MAJOR, KD2M_VERSION_MINOR,
             KD2M_VERSION_PATCH);
    assert_string_equal(text, kd2m_version());
}

static void a_message_may_quote_the_one_before(void **state) {
    (void)state;
    assert_string_equal("", kd2m_context_message(context));
    assert_int_equal(KD2M_ERROR_INPUT, kd2m_fail(context, KD2M_ERROR_INPUT, "row %d", 7));
    assert_string_equal("row 7", kd2m_context_message(context));
    kd2m_fail(context, KD2M_ERROR_INPUT, "again '%s', twice '%s'", kd2m_context_message(context),
              kd2m_context_message(context));
    assert_string_equal("again 'row 7', twice 'row 7'", kd2m_context_message(context));
    kd2m_fail(context, KD2M_ERROR_INPUT, "%s", kd2m_context_message(context) + 6);
    assert_string_equal("'row 7', twice 'row 7'", kd2m_context_message(context));
}

static void a_message_can_say_where(void **state) {
    (void)state;
    kd2m_fail(context, KD2M_ERROR_INPUT, "no number");
    assert_int_equal(KD2M_ERROR_IO, kd2m_fail_within(context, KD2M_ERROR_IO, "file %d", 3));
    assert_string_equal("file 3: no number", kd2m_context_message(context));
    kd2m_fail_within(context, KD2M_ERROR_IO, "<%s>", kd2m_context_message(context));
    assert_string_equal("<file 3: no number>: file 3: no number", kd2m_context_message(context));
}

static void a_long_message_is_cut(void **state) {
    char longest[5000];
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    kd2m_fail(context, KD2M_ERROR_INPUT, "%s", longest);
    size_t length = strlen(kd2m_context_message(context));
    assert_in_range(length, 500, 4000);
    kd2m_fail_within(context, KD2M_ERROR_INPUT, "%s", longest);
    assert_in_range(strlen(kd2m_context_message(context)), length, 4000);
    kd2m_fail(context, KD2M_ERROR_INPUT, "cause");
    kd2m_fail_within(context, KD2M_ERROR_INPUT, "%s", longest);
    assert_non_null(strstr(kd2m_context_message(context), ": cause")); /* the cause survives */
}

static void failing_without_a_context_keeps_the_status(void **state) {
    (void)state;
    assert_int_equal(KD2M_ERROR_USAGE, kd2m_fail(NULL, KD2M_ERROR_USAGE, "nobody listens"));
    assert_int_equal(KD2M_ERROR_USAGE, kd2m_fail_within(NULL, KD2M_ERROR_USAGE, "nobody listens"));
}

static void *some_allocate(void *user, size_t size, size_t alignment) {
    ++*(int *)user;
    assert_int_equal(0, alignment & (alignment - 1));
    assert_in_range(alignment, 1, 64);
    return aligned_alloc(alignment, size);
}

static void some_release(void *user, void *memory) {
    --*(int *)user;
    assert_non_null(memory);
    free(memory);
}

static void bad_settings_are_refused(void **state) {
    kd2m_context_settings good, bad;
    (void)state;
    kd2m_context_settings_default(&good);
    for (int c = 0; c < 6; c++) {
        bad = good;
        switch (c) {
        case 0:
            bad.version = 0;
            break;
        case 1:
            bad.version = KD2M_CONTEXT_SETTINGS_VERSION + 1;
            break;
        case 2:
            bad.threads = -1;
            break;
        case 3:
            bad.threads = 257;
            break;
        case 4:
            bad.allocator.allocate = some_allocate;
            break;
        default:
            bad.allocator.release = some_release;
            break;
        }
        kd2m_context *made = context;
        assert_int_equal(KD2M_ERROR_USAGE, kd2m_context_create(&made, &bad));
        assert_null(made);
    }
}

static void threads_are_as_asked(void **state) {
    static const int asked[] = {1, 2, 256};
    (void)state;
    for (size_t c = 0; c < sizeof asked / sizeof *asked; c++) {
        kd2m_context *made = testing_context(asked[c]);
        assert_int_equal(asked[c], kd2m_context_threads(made));
        kd2m_context_free(made);
    }
    kd2m_context *made = NULL;
    assert_int_equal(KD2M_OK, kd2m_context_create(&made, NULL));
    assert_in_range(kd2m_context_threads(made), 1, 256);
    kd2m_context_free(made);
    kd2m_context_free(NULL);
}

static void memory_comes_from_the_given_allocator(void **state) {
    int live = 0;
    kd2m_context_settings settings;
    kd2m_context *made = NULL;
    char *text = NULL;
    (void)state;
    kd2m_context_settings_default(&settings);
    settings.allocator = (kd2m_allocator){some_allocate, some_release, &live};
    assert_int_equal(KD2M_OK, kd2m_context_create(&made, &settings));
    assert_int_equal(1, live);
    EXPECT_OK(made, kd2m_text_copy(made, &text, "text"));
    assert_int_equal(2, live);
    kd2m_text_free(made, text);
    kd2m_text_free(made, NULL);
    kd2m_context_free(made);
    assert_int_equal(0, live);
}

static void *no_memory(void *user, size_t size, size_t alignment) {
    (void)user;
    (void)size;
    (void)alignment;
    return NULL;
}

static void a_context_needs_memory(void **state) {
    int live = 0;
    kd2m_context_settings settings;
    kd2m_context *made = context;
    (void)state;
    kd2m_context_settings_default(&settings);
    settings.allocator = (kd2m_allocator){no_memory, some_release, &live};
    assert_int_equal(KD2M_ERROR_MEMORY, kd2m_context_create(&made, &settings));
    assert_null(made);
}

/* What the callbacks were told. */
typedef struct host {
    int lines, polls, stop_at;
    kd2m_log_level level;
    char line[2000];
} host;

static void keep_line(void *user, kd2m_log_level level, const char *text) {
    host *told = user;
    told->lines++;
    told->level = level;
    snprintf(told->line, sizeof told->line, "%s", text);
}

static int poll_stop(void *user) {
    host *told = user;
    return ++told->polls == told->stop_at;
}

static kd2m_context *hosted(host *told, kd2m_log_level level) {
    kd2m_context_settings settings;
    kd2m_context *made = NULL;
    kd2m_context_settings_default(&settings);
    settings.user = told;
    settings.log = keep_line;
    settings.log_level = level;
    settings.interrupted = poll_stop;
    assert_int_equal(KD2M_OK, kd2m_context_create(&made, &settings));
    return made;
}

static void log_lines_reach_the_host(void **state) {
    host told = {0};
    kd2m_context *made = hosted(&told, KD2M_LOG_INFO);
    (void)state;
    kd2m_log(made, KD2M_LOG_DEBUG, "too quiet");
    assert_int_equal(0, told.lines);
    kd2m_log(made, KD2M_LOG_INFO, "epoch %d", 3);
    assert_int_equal(1, told.lines);
    assert_int_equal(KD2M_LOG_INFO, told.level);
    assert_string_equal("epoch 3", told.line);
    kd2m_log(made, KD2M_LOG_WARNING, "two\nlines\r\n");
    assert_int_equal(2, told.lines);
    assert_int_equal(KD2M_LOG_WARNING, told.level);
    assert_null(strpbrk(told.line, "\r\n"));
    kd2m_log(made, KD2M_LOG_WARNING, "%01999d", 0); /* longer than a line */
    assert_in_range(strlen(told.line), 500, 1999);
    kd2m_context_free(made);

    made = hosted(&told, KD2M_LOG_DEBUG);
    kd2m_log(made, KD2M_LOG_DEBUG, "quiet");
    assert_string_equal("quiet", told.line);
    kd2m_context_free(made);
    kd2m_log(context, KD2M_LOG_WARNING, "nobody listens");
}

static void the_host_can_interrupt(void **state) {
    host told = {.stop_at = 3};
    kd2m_context *made = hosted(&told, KD2M_LOG_INFO);
    (void)state;
    EXPECT_OK(made, kd2m_check_interrupt(made));
    EXPECT_OK(made, kd2m_check_interrupt(made));
    EXPECT_STATUS(made, KD2M_ERROR_INTERRUPTED, kd2m_check_interrupt(made));
    assert_int_equal(3, told.polls);
    assert_string_not_equal("", kd2m_context_message(made));
    kd2m_context_free(made);
    EXPECT_OK(context, kd2m_check_interrupt(context));
}

/* One thread's work with a context of its own: messages, memory, parallel loops. */
typedef struct worker {
    int number;
    int faults;
    double sum;
} worker;

static void add_part(void *user, size_t begin, size_t end, int part) {
    double *sums = user;
    for (size_t i = begin; i < end; i++) {
        uint32_t block[4];
        kd2m_random_block(1, KD2M_STREAM_TEST, 0, i, block);
        sums[part] += block[0];
    }
}

static void *work(void *user) {
    worker *self = user;
    kd2m_context_settings settings;
    kd2m_context *own = NULL;
    char expected[64];
    kd2m_context_settings_default(&settings);
    settings.threads = 2;
    if (kd2m_context_create(&own, &settings) != KD2M_OK) {
        self->faults++;
        return NULL;
    }
    for (int round = 0; round < 300; round++) {
        double *sums = NULL;
        snprintf(expected, sizeof expected, "worker %d: round %d", self->number, round);
        kd2m_fail(own, KD2M_ERROR_INPUT, "round %d", round);
        kd2m_fail_within(own, KD2M_ERROR_INPUT, "worker %d", self->number);
        self->faults += strcmp(kd2m_context_message(own), expected) != 0;
        if (kd2m_alloc(own, (void **)&sums, 2, sizeof *sums) != KD2M_OK) {
            self->faults++;
            continue;
        }
        kd2m_parallel_for(own, 1000, 100, add_part, sums);
        self->sum = sums[0] + sums[1];
        kd2m_free(own, sums);
    }
    kd2m_context_free(own);
    return NULL;
}

static void two_contexts_serve_two_threads(void **state) {
    worker workers[2] = {{.number = 1}, {.number = 2}};
    pthread_t threads[2];
    double expected[2] = {0};
    (void)state;
    add_part(expected, 0, 500, 0);
    add_part(expected, 500, 1000, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, work, &workers[i]));
    for (int i = 0; i < 2; i++)
        assert_int_equal(0, pthread_join(threads[i], NULL));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(0, workers[i].faults);
        EXPECT_CLOSE(expected[0] + expected[1], workers[i].sum, 0, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_text_of_its_own),
        cmocka_unit_test(the_version_is_that_of_the_headers),
        cmocka_unit_test_setup_teardown(a_message_may_quote_the_one_before, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_can_say_where, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_message_is_cut, setup, teardown),
        cmocka_unit_test(failing_without_a_context_keeps_the_status),
        cmocka_unit_test_setup_teardown(bad_settings_are_refused, setup, teardown),
        cmocka_unit_test(threads_are_as_asked),
        cmocka_unit_test(memory_comes_from_the_given_allocator),
        cmocka_unit_test_setup_teardown(a_context_needs_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(log_lines_reach_the_host, setup, teardown),
        cmocka_unit_test_setup_teardown(the_host_can_interrupt, setup, teardown),
        cmocka_unit_test(two_contexts_serve_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
