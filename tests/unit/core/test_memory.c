/* Memory: alignment, zeroes, sizes that would overflow, growth, the arena. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "context.h"
#include "memory.h"

static kd2m_context *context;

static bool is_zero(const void *memory, size_t size) {
    const unsigned char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_aligned(const void *memory) {
    return (uintptr_t)memory % KD2M_ALIGNMENT == 0;
}

static void sizes_multiply_without_overflow(void **state) {
    static const struct {
        size_t a, b;
        bool fits;
    } cases[] = {
        {0, 0, true},
        {0, SIZE_MAX, true},
        {SIZE_MAX, 0, true},
        {SIZE_MAX, 1, true},
        {1, SIZE_MAX, true},
        {SIZE_MAX, 2, false},
        {SIZE_MAX / 2, 2, true},
        {SIZE_MAX / 2 + 1, 2, false},
        {SIZE_MAX / 8, 8, true},
        {SIZE_MAX / 8 + 1, 8, false},
        {SIZE_MAX, SIZE_MAX, false},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t product;
        assert_int_equal(cases[c].fits, kd2m_size_multiply(cases[c].a, cases[c].b, &product));
        if (cases[c].fits)
            assert_true(product == cases[c].a * cases[c].b);
    }
}

static void sizes_align_without_overflow(void **state) {
    (void)state;
    assert_int_equal(0, kd2m_size_align(0));
    assert_int_equal(64, kd2m_size_align(1));
    assert_int_equal(64, kd2m_size_align(64));
    assert_int_equal(128, kd2m_size_align(65));
    assert_true(kd2m_size_align(SIZE_MAX - 63) == SIZE_MAX - 63);
    assert_true(kd2m_size_align(SIZE_MAX - 62) == SIZE_MAX);
    assert_true(kd2m_size_align(SIZE_MAX) == SIZE_MAX);
}

static void memory_is_aligned_and_zeroed(void **state) {
    (void)state;
    for (size_t count = 0; count < 200; count += 3) {
        double *memory = NULL;
        EXPECT_OK(context, kd2m_alloc(context, (void **)&memory, count, sizeof *memory));
        assert_non_null(memory);
        assert_true(is_aligned(memory));
        assert_true(is_zero(memory, count * sizeof *memory));
        memset(memory, 0xff, count * sizeof *memory); /* for the next round to find */
        kd2m_free(context, memory);
    }
    kd2m_free(context, NULL);
}

static void impossible_sizes_are_refused(void **state) {
    static const struct {
        size_t count, size;
    } cases[] = {
        {SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX / 2, 4}, {SIZE_MAX / 8 + 1, 8}, {PTRDIFF_MAX, 1},
    };
    kd2m_context *counting = testing_failing_context(SIZE_MAX);
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        void *memory = &memory;
        EXPECT_STATUS(counting, KD2M_ERROR_MEMORY,
                      kd2m_alloc(counting, &memory, cases[c].count, cases[c].size));
        EXPECT_MESSAGE(counting, "out of memory");
        assert_null(memory);
    }
    assert_int_equal(0, testing_allocations()); /* the allocator never hears of them */
    kd2m_context_free(counting);
}

static void refused_memory_is_reported(void **state) {
    kd2m_context *failing = testing_failing_context(0);
    void *memory = &memory;
    (void)state;
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY, kd2m_alloc(failing, &memory, 100, 10));
    EXPECT_MESSAGE(failing, "1024 bytes"); /* as asked of the allocator */
    assert_null(memory);
    kd2m_context_free(failing);
}

static void growing_keeps_what_is_used(void **state) {
    int *items = NULL;
    size_t capacity = 0, moves = 0;
    (void)state;
    for (size_t used = 0; used < 1000; used++) {
        const int *before = items;
        EXPECT_OK(context,
                  kd2m_grow(context, (void **)&items, &capacity, used, used + 1, sizeof *items));
        assert_true(capacity > used);
        assert_true(is_zero(items + used, (capacity - used) * sizeof *items) || items == before);
        moves += items != before;
        items[used] = (int)used;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(i, items[i]);
    assert_in_range(moves, 1, 11); /* by doubling */
    EXPECT_OK(context, kd2m_grow(context, (void **)&items, &capacity, 1000, 5000, sizeof *items));
    assert_true(capacity >= 5000);
    assert_int_equal(999, items[999]);
    kd2m_free(context, items);
}

static void growing_from_nothing_gives_memory(void **state) {
    void *memory = NULL;
    size_t capacity = 0;
    (void)state;
    EXPECT_OK(context, kd2m_grow(context, &memory, &capacity, 0, 0, 8));
    assert_non_null(memory);
    kd2m_free(context, memory);
}

static void failed_growth_changes_nothing(void **state) {
    kd2m_context *failing = testing_failing_context(1);
    int *items = NULL;
    size_t capacity = 0;
    (void)state;
    EXPECT_OK(failing, kd2m_grow(failing, (void **)&items, &capacity, 0, 4, sizeof *items));
    int *before = items;
    size_t capacity_before = capacity;
    items[3] = 42;
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                  kd2m_grow(failing, (void **)&items, &capacity, 4, 5, sizeof *items));
    EXPECT_STATUS(failing, KD2M_ERROR_MEMORY,
                  kd2m_grow(failing, (void **)&items, &capacity, 4, SIZE_MAX, sizeof *items));
    assert_ptr_equal(before, items);
    assert_int_equal(capacity_before, capacity);
    assert_int_equal(42, items[3]);
    assert_int_equal(1, testing_live());
    kd2m_free(failing, items);
    kd2m_context_free(failing);
}

static void text_is_copied(void **state) {
    char text[] = "text", *copy = text;
    (void)state;
    EXPECT_OK(context, kd2m_text_copy(context, &copy, text));
    assert_ptr_not_equal(text, copy);
    text[0] = 'n';
    assert_string_equal("text", copy);
    kd2m_free(context, copy);
    EXPECT_OK(context, kd2m_text_copy(context, &copy, NULL));
    assert_null(copy);
}

static void arena_sizes_saturate(void **state) {
    (void)state;
    assert_int_equal(0, kd2m_arena_bytes(0, 8));
    assert_int_equal(64, kd2m_arena_bytes(1, 8));
    assert_int_equal(128, kd2m_arena_bytes(9, 8));
    assert_true(kd2m_arena_bytes(SIZE_MAX / 4, 8) == SIZE_MAX);
    assert_true(kd2m_arena_bytes(SIZE_MAX - 5, 1) == SIZE_MAX);
    assert_int_equal(kd2m_arena_bytes(21, 8), kd2m_arena_matrix_bytes(3, 7, 8));
    assert_true(kd2m_arena_matrix_bytes(SIZE_MAX / 2, 3, 1) == SIZE_MAX);
    assert_true(kd2m_arena_matrix_bytes(SIZE_MAX / 4, 3, 8) == SIZE_MAX);
    assert_int_equal(192, kd2m_arena_sum(64, 128));
    assert_true(kd2m_arena_sum(SIZE_MAX, 64) == SIZE_MAX);
    assert_true(kd2m_arena_sum(64, SIZE_MAX) == SIZE_MAX);
    assert_true(kd2m_arena_sum(SIZE_MAX - 64, 64) == SIZE_MAX);
    assert_true(kd2m_arena_sum(SIZE_MAX - 63, 64) == SIZE_MAX);
}

static void the_arena_gives_what_was_asked_for(void **state) {
    kd2m_arena arena;
    float *floats = NULL;
    double *doubles = NULL;
    unsigned char *bytes = NULL;
    size_t wanted = kd2m_arena_sum(
        kd2m_arena_bytes(5, sizeof *floats),
        kd2m_arena_sum(kd2m_arena_bytes(100, sizeof *doubles), kd2m_arena_bytes(65, 1)));
    (void)state;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, wanted));
    for (int step = 0; step < 3; step++) {
        EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&floats, 5, sizeof *floats));
        EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&doubles, 100, sizeof *doubles));
        EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&bytes, 65, 1));
        assert_int_equal(wanted, arena.used);
        assert_true(is_aligned(floats) && is_aligned(doubles) && is_aligned(bytes));
        assert_true(is_zero(floats, 5 * sizeof *floats));
        assert_true(is_zero(doubles, 100 * sizeof *doubles));
        assert_true(is_zero(bytes, 65));
        memset(floats, 0xff, 5 * sizeof *floats);
        memset(doubles, 0xff, 100 * sizeof *doubles);
        memset(bytes, 0xff, 65);
        kd2m_arena_rewind(&arena, 0);
    }
    kd2m_arena_free(&arena);
    assert_null(arena.memory);
    kd2m_arena_free(&arena);
}

static void the_arena_rewinds_to_a_mark(void **state) {
    kd2m_arena arena;
    int *kept = NULL, *passing = NULL, *next = NULL;
    (void)state;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, 128));
    EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&kept, 16, sizeof *kept));
    kept[15] = 1;
    size_t mark = arena.used;
    EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&passing, 16, sizeof *passing));
    kd2m_arena_rewind(&arena, mark);
    EXPECT_OK(context, kd2m_arena_take(&arena, (void **)&next, 16, sizeof *next));
    assert_ptr_equal(passing, next);
    assert_int_equal(1, kept[15]);
    kd2m_arena_free(&arena);
}

static void a_short_arena_is_an_internal_error(void **state) {
    kd2m_arena arena;
    void *out = &arena;
    (void)state;
    kd2m_arena_init(&arena, context);
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_arena_take(&arena, &out, 1, 1));
    assert_null(out);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, 128));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_arena_take(&arena, &out, 129, 1));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_arena_take(&arena, &out, SIZE_MAX / 2, 8));
    EXPECT_OK(context, kd2m_arena_take(&arena, &out, 1, 1));
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_arena_take(&arena, &out, 65, 1));
    assert_null(out);
    EXPECT_STATUS(context, KD2M_ERROR_INTERNAL, kd2m_arena_reserve(&arena, 256));
    EXPECT_OK(context, kd2m_arena_take(&arena, &out, 64, 1));
    kd2m_arena_free(&arena);
}

static void reserving_allocates_only_for_more(void **state) {
    kd2m_context *counting = testing_failing_context(2);
    kd2m_arena arena;
    (void)state;
    kd2m_arena_init(&arena, counting);
    EXPECT_OK(counting, kd2m_arena_reserve(&arena, 1000));
    EXPECT_OK(counting, kd2m_arena_reserve(&arena, 500));
    EXPECT_OK(counting, kd2m_arena_reserve(&arena, 1000));
    assert_int_equal(1, testing_allocations());
    EXPECT_OK(counting, kd2m_arena_reserve(&arena, 2000));
    assert_int_equal(1, testing_live());
    EXPECT_STATUS(counting, KD2M_ERROR_MEMORY, kd2m_arena_reserve(&arena, 4000));
    EXPECT_STATUS(counting, KD2M_ERROR_MEMORY, kd2m_arena_reserve(&arena, SIZE_MAX));
    void *out = &arena;
    EXPECT_STATUS(counting, KD2M_ERROR_INTERNAL, kd2m_arena_take(&arena, &out, 1, 1));
    kd2m_arena_free(&arena);
    assert_int_equal(0, testing_live());
    kd2m_context_free(counting);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_multiply_without_overflow),
        cmocka_unit_test(sizes_align_without_overflow),
        cmocka_unit_test(memory_is_aligned_and_zeroed),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(refused_memory_is_reported),
        cmocka_unit_test(growing_keeps_what_is_used),
        cmocka_unit_test(growing_from_nothing_gives_memory),
        cmocka_unit_test(failed_growth_changes_nothing),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(arena_sizes_saturate),
        cmocka_unit_test(the_arena_gives_what_was_asked_for),
        cmocka_unit_test(the_arena_rewinds_to_a_mark),
        cmocka_unit_test(a_short_arena_is_an_internal_error),
        cmocka_unit_test(reserving_allocates_only_for_more),
    };
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
