/* Pieces of a call: which run together, what each is given, and whose failure is told. */
#include "testing.h"

#include <stdio.h>
#include <string.h>

#include "context.h"
#include "metric_parts.h"

#define PIECES 8
#define BYTES ((size_t)4096)

typedef struct record {
    size_t fail_from; /* pieces from this number on fail */
    int runs[PIECES], threads[PIECES];
    bool wrong[PIECES]; /* found in its memory what it had not written */
    const kd2m_arena *arena[PIECES];
} record;

static kd2m_status work_on(const kd2m_metric_call *call, void *user, size_t number) {
    kd2m_status status = KD2M_OK;
    record *seen = user;
    unsigned char *memory = NULL;
    size_t mark = call->arena->used;
    seen->runs[number]++;
    seen->threads[number] = kd2m_context_threads(call->context);
    seen->arena[number] = call->arena;
    KD2M_TRY(kd2m_check_interrupt(call->context));
    KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&memory, BYTES, 1));
    memset(memory, (int)number, BYTES);
    if (number >= seen->fail_from)
        status = kd2m_fail(call->context, KD2M_ERROR_NUMERIC, "piece %zu is bad", number);
    for (size_t i = 0; i < BYTES; i++)
        seen->wrong[number] |= memory[i] != number;
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}

/* Runs PIECES of the given work with `room` bytes to share. */
static kd2m_status run(kd2m_context *context, const double *work, size_t room, record *seen) {
    kd2m_arena arena;
    kd2m_metric_piece pieces[PIECES];
    size_t fail_from = seen->fail_from;
    *seen = (record){.fail_from = fail_from};
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, 16 * BYTES));
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = (kd2m_metric_piece){work[i], BYTES};
    kd2m_metric_call call = {.context = context, .arena = &arena};
    kd2m_metric_parts parts = {&call, pieces, PIECES, room, work_on, seen};
    kd2m_status status = kd2m_metric_parts_run(&parts);
    assert_int_equal(arena.used, 0);
    kd2m_arena_free(&arena);
    return status;
}

static const double even[PIECES] = {1, 1, 1, 1, 1, 1, 1, 1};

static size_t arenas_of(const record *seen) {
    size_t count = 1;
    for (size_t i = 1; i < PIECES; i++)
        count += seen->arena[i] != seen->arena[i - 1];
    return count;
}

static void test_every_piece_runs_once(void **state) {
    (void)state;
    const double uneven[PIECES] = {5, 1, 1, 1, 1, 1, 1, 1};
    for (int threads = 1; threads <= 5; threads++) {
        kd2m_context *context = testing_context(threads);
        record seen = {.fail_from = PIECES};
        EXPECT_OK(context, run(context, even, 15 * BYTES, &seen));
        assert_int_equal(arenas_of(&seen), threads);
        EXPECT_OK(context, run(context, uneven, 15 * BYTES, &seen));
        for (size_t i = 0; i < PIECES; i++) {
            assert_int_equal(seen.runs[i], 1);
            assert_false(seen.wrong[i]);
            assert_int_equal(seen.threads[i], 1); /* one of the context's, for each part */
        }
        if (threads == 2) /* 5 + 1 and 6 of 12 */
            assert_true(seen.arena[1] == seen.arena[0] && seen.arena[2] != seen.arena[1]);
        kd2m_context_free(context);
    }
}

/* All threads for each piece where there is no room, or one piece is most of the work. */
static void test_one_after_another(void **state) {
    (void)state;
    const double lopsided[PIECES] = {1, 1, 20, 1, 1, 1, 1, 1};
    kd2m_context *context = testing_context(3);
    record seen = {.fail_from = PIECES};
    for (int form = 0; form < 3; form++) {
        EXPECT_OK(context, run(context, form == 2 ? lopsided : even,
                               form == 0   ? 0
                               : form == 1 ? 3 * BYTES /* none for the parts themselves */
                                           : 15 * BYTES,
                               &seen));
        assert_int_equal(arenas_of(&seen), 1);
        for (size_t i = 0; i < PIECES; i++) {
            assert_int_equal(seen.runs[i], 1);
            assert_int_equal(seen.threads[i], 3);
        }
    }
    kd2m_context_free(context);
}

static void test_the_first_failure_is_told(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        for (size_t first = 0; first < PIECES; first++) {
            char message[32];
            kd2m_context *context = testing_context(threads);
            record seen = {.fail_from = first};
            snprintf(message, sizeof message, "piece %zu is bad", first);
            EXPECT_STATUS(context, KD2M_ERROR_NUMERIC, run(context, even, 15 * BYTES, &seen));
            EXPECT_MESSAGE(context, message);
            kd2m_context_free(context);
        }
}

static int interrupt(void *user) {
    (void)user;
    return 1;
}

static void test_an_interrupt_stops_it(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        kd2m_context_settings settings;
        kd2m_context_settings_default(&settings);
        settings.threads = threads;
        settings.interrupted = interrupt;
        kd2m_context *context = NULL;
        assert_int_equal(kd2m_context_create(&context, &settings), KD2M_OK);
        record seen = {.fail_from = PIECES};
        EXPECT_STATUS(context, KD2M_ERROR_INTERRUPTED, run(context, even, 15 * BYTES, &seen));
        kd2m_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_piece_runs_once),
        cmocka_unit_test(test_one_after_another),
        cmocka_unit_test(test_the_first_failure_is_told),
        cmocka_unit_test(test_an_interrupt_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
