/* Random numbers: the published known answers, moments, bias, permutations, separate streams. */
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

#define DRAWS 200000

/* The known-answer vectors that Salmon et al. publish with their Random123 library. */
static void philox_gives_the_published_answers(void **state) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint32_t out[4];
        kd2m_philox(cases[c].counter, cases[c].key, out);
        assert_memory_equal(cases[c].out, out, sizeof out);
    }
}

static void a_walk_reads_the_blocks_in_order(void **state) {
    const uint64_t seed = UINT64_C(0x123456789abcdef0);
    kd2m_rng rng;
    (void)state;
    kd2m_rng_init(&rng, seed, KD2M_STREAM_TEST, 7);
    for (uint64_t index = 0; index < 5; index++) {
        uint32_t block[4];
        kd2m_random_block(seed, KD2M_STREAM_TEST, 7, index, block);
        for (int word = 0; word < 4; word++)
            assert_int_equal(block[word], kd2m_rng_next(&rng));
    }
}

/* Every part of the triple, its upper half included, changes the block. */
static void every_part_of_the_triple_counts(void **state) {
    static const struct {
        uint64_t seed, substream, index;
        kd2m_stream stream;
    } cases[] = {
        {1, 0, 0, KD2M_STREAM_TEST},
        {2, 0, 0, KD2M_STREAM_TEST},
        {1 + (UINT64_C(1) << 32), 0, 0, KD2M_STREAM_TEST},
        {1, 1, 0, KD2M_STREAM_TEST},
        {1, UINT32_MAX, 0, KD2M_STREAM_TEST},
        {1, 0, 1, KD2M_STREAM_TEST},
        {1, 0, UINT64_C(1) << 32, KD2M_STREAM_TEST},
        {1, 0, 0, KD2M_STREAM_INIT},
        {1, 0, 0, KD2M_STREAM_METRIC},
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    uint32_t blocks[COUNT][4];
    (void)state;
    for (size_t c = 0; c < COUNT; c++) {
        kd2m_random_block(cases[c].seed, cases[c].stream, cases[c].substream, cases[c].index,
                          blocks[c]);
        for (size_t other = 0; other < c; other++)
            for (int word = 0; word < 4; word++)
                assert_int_not_equal(blocks[other][word], blocks[c][word]);
    }
}

/* Means and central moments within five standard errors; the draws are fixed by their seed. */
static void uniform_numbers_have_their_moments(void **state) {
    kd2m_rng rng;
    double sum = 0, squares = 0, lowest = 1, highest = 0;
    (void)state;
    kd2m_rng_init(&rng, 11, KD2M_STREAM_TEST, 0);
    for (int i = 0; i < DRAWS; i++) {
        double u = kd2m_rng_uniform(&rng);
        assert_true(u >= 0 && u < 1);
        sum += u;
        squares += (u - 0.5) * (u - 0.5);
        lowest = fmin(lowest, u);
        highest = fmax(highest, u);
    }
    EXPECT_CLOSE(0.5, sum / DRAWS, 5 * sqrt(1.0 / 12 / DRAWS), 0);
    EXPECT_CLOSE(1.0 / 12, squares / DRAWS, 5 * sqrt(1.0 / 180 / DRAWS), 0);
    assert_true(lowest < 1e-4 && highest > 1 - 1e-4);
}

/* All 53 bits are in use: the lowest of them is set half of the time. */
static void uniform_numbers_have_53_bits(void **state) {
    kd2m_rng rng;
    int odd = 0;
    (void)state;
    kd2m_rng_init(&rng, 12, KD2M_STREAM_TEST, 0);
    for (int i = 0; i < DRAWS; i++)
        odd += (int)((uint64_t)(kd2m_rng_uniform(&rng) * 0x1p53) & 1);
    EXPECT_CLOSE(DRAWS / 2.0, odd, 5 * sqrt(DRAWS / 4.0), 0);
}

static void normal_numbers_have_their_moments(void **state) {
    static const double moments[] = {0, 1, 0, 3};     /* of order 1..4 */
    static const double variances[] = {1, 2, 15, 96}; /* of the power, minus moment squared */
    double sums[4] = {0}, neighbours = 0, last = 0;
    int beyond = 0;
    kd2m_rng rng;
    (void)state;
    kd2m_rng_init(&rng, 13, KD2M_STREAM_TEST, 0);
    for (int i = 0; i < DRAWS; i++) {
        double z = kd2m_rng_normal(&rng), power = 1;
        assert_true(isfinite(z));
        for (int order = 0; order < 4; order++)
            sums[order] += power *= z;
        beyond += fabs(z) > 1.959963984540054;
        neighbours += last * z;
        last = z;
    }
    for (int order = 0; order < 4; order++)
        EXPECT_CLOSE(moments[order], sums[order] / DRAWS, 5 * sqrt(variances[order] / DRAWS), 0);
    EXPECT_CLOSE(0.05, (double)beyond / DRAWS, 5 * sqrt(0.05 * 0.95 / DRAWS), 0);
    EXPECT_CLOSE(0, neighbours / DRAWS, 5 * sqrt(1.0 / DRAWS), 0);
}

/* Beside Box & Muller's method in double, on the same words, and however the numbers are asked for.
 */
static void filled_normals_are_those_of_their_words(void **state) {
    static float whole[1003], parts[1003];
    kd2m_rng rng;
    (void)state;
    kd2m_rng_init(&rng, UINT64_C(0x123456789), KD2M_STREAM_TEST, 5);
    rng.index = UINT32_MAX - UINT64_C(100); /* a carry on the way */
    kd2m_rng parted = rng;
    kd2m_rng_fill_normal(&rng, whole, 1003);
    for (uint64_t i = 0; i < 1003; i += 2) {
        uint32_t words[4], *pair = words + i % 4;
        kd2m_random_block(rng.seed, rng.stream, rng.substream, parted.index + i / 4, words);
        double radius = sqrt(-2 * log(((double)(pair[0] >> 8) + 1) * 0x1p-24));
        double angle = 2 * acos(-1) * (double)(pair[1] >> 8) * 0x1p-24;
        EXPECT_CLOSE(radius * cos(angle), whole[i], 1e-6, 0);
        if (i + 1 < 1003)
            EXPECT_CLOSE(radius * sin(angle), whole[i + 1], 1e-6, 0);
    }
    kd2m_rng_fill_normal(&parted, parts, 4);
    kd2m_rng_fill_normal(&parted, parts + 4, 516);
    kd2m_rng_fill_normal(&parted, parts + 520, 483);
    assert_memory_equal(whole, parts, sizeof whole);
    assert_int_equal(rng.index, parted.index);
}

/* Pearson's statistic against equal counts; 5 standard deviations above its mean is a failure. */
static void expect_even(const int *counts, size_t cells, double total) {
    double expected = total / (double)cells, statistic = 0;
    for (size_t i = 0; i < cells; i++)
        statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    double freedom = (double)cells - 1;
    if (statistic > freedom + 5 * sqrt(2 * freedom))
        fail_msg("chi-squared %g on %g degrees of freedom", statistic, freedom);
}

static void below_is_in_range_and_even(void **state) {
    static const uint64_t small[] = {1, 2, 3, 6, 7, 10, 100};
    (void)state;
    for (size_t c = 0; c < sizeof small / sizeof *small; c++) {
        int counts[100] = {0};
        kd2m_rng rng;
        kd2m_rng_init(&rng, 14, KD2M_STREAM_TEST, c);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t drawn = kd2m_rng_below(&rng, small[c]);
            assert_true(drawn < small[c]);
            counts[drawn]++;
        }
        if (small[c] > 1)
            expect_even(counts, small[c], DRAWS);
    }
}

/*
 * Ranges of 3/4 of the generator's own, where one that does not reject gives the thirds of the
 * range, or the remainders by 3, shares of 1/2, 1/4, 1/4; and ranges on both sides of 2^32.
 */
static void below_is_even_for_huge_ranges(void **state) {
    static const uint64_t huge[] = {
        UINT64_C(3) << 30, UINT64_C(3) << 62,       UINT32_MAX,
        UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1, UINT64_MAX,
    };
    (void)state;
    for (size_t c = 0; c < sizeof huge / sizeof *huge; c++) {
        int thirds[3] = {0}, remainders[3] = {0};
        kd2m_rng rng;
        kd2m_rng_init(&rng, 15, KD2M_STREAM_TEST, c);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t drawn = kd2m_rng_below(&rng, huge[c]);
            assert_true(drawn < huge[c]);
            uint64_t third = drawn / (huge[c] / 3);
            thirds[third < 2 ? third : 2]++;
            remainders[drawn % 3]++;
        }
        expect_even(thirds, 3, DRAWS);
        expect_even(remainders, 3, DRAWS);
    }
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void number(uint32_t *items, size_t count) {
    for (size_t i = 0; i < count; i++)
        items[i] = (uint32_t)i;
}

static void shuffle_permutes(void **state) {
    static const size_t counts[] = {0, 1, 2, 3, 1000};
    uint32_t items[1000], plain[1000], again[1000];
    (void)state;
    number(plain, 1000);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t bytes = counts[c] * sizeof *items;
        kd2m_rng rng;
        number(items, counts[c]);
        number(again, counts[c]);
        kd2m_rng_init(&rng, 16, KD2M_STREAM_TEST, 0);
        kd2m_rng_shuffle(&rng, items, counts[c]);
        kd2m_rng_init(&rng, 16, KD2M_STREAM_TEST, 0);
        kd2m_rng_shuffle(&rng, again, counts[c]);
        assert_memory_equal(items, again, bytes);
        if (counts[c] == 1000)
            assert_memory_not_equal(items, plain, bytes);
        qsort(items, counts[c], sizeof *items, compare);
        assert_memory_equal(plain, items, bytes);
    }
}

/* All 24 orders of four come equally often. */
static void shuffle_is_even(void **state) {
    int counts[24] = {0};
    kd2m_rng rng;
    (void)state;
    kd2m_rng_init(&rng, 17, KD2M_STREAM_TEST, 0);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t items[4];
        number(items, 4);
        kd2m_rng_shuffle(&rng, items, 4);
        int rank = 0; /* in the factorial system */
        for (int a = 0; a < 4; a++) {
            int smaller = 0;
            for (int b = a + 1; b < 4; b++)
                smaller += items[b] < items[a];
            rank = rank * (4 - a) + smaller;
        }
        counts[rank]++;
    }
    expect_even(counts, 24, DRAWS);
}

/* All 20 ordered pairs out of five come equally often, and more of them begin with the same pair.
 */
static void choice_is_even(void **state) {
    int counts[20] = {0};
    (void)state;
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint32_t pair[5], all[5];
        kd2m_rng rng;
        number(pair, 5);
        number(all, 5);
        kd2m_rng_init(&rng, 17, KD2M_STREAM_TEST, i);
        kd2m_rng_choose(&rng, pair, 5, 2);
        kd2m_rng_init(&rng, 17, KD2M_STREAM_TEST, i);
        kd2m_rng_choose(&rng, all, 5, 5);
        assert_memory_equal(pair, all, 2 * sizeof *pair);
        counts[4 * pair[0] + pair[1] - (pair[1] > pair[0])]++;
    }
    expect_even(counts, 20, DRAWS);
}

/* Numbers of neighbouring seeds, streams and substreams do not move together. */
static void streams_are_independent(void **state) {
    static const struct {
        uint64_t seed, substream;
        kd2m_stream stream;
    } others[] = {
        {19, 0, KD2M_STREAM_TEST},
        {18, 1, KD2M_STREAM_TEST},
        {18, 0, KD2M_STREAM_METRIC},
    };
    (void)state;
    for (size_t c = 0; c < sizeof others / sizeof *others; c++) {
        kd2m_rng one, other;
        double products = 0;
        kd2m_rng_init(&one, 18, KD2M_STREAM_TEST, 0);
        kd2m_rng_init(&other, others[c].seed, others[c].stream, others[c].substream);
        for (int i = 0; i < DRAWS; i++)
            products += (kd2m_rng_uniform(&one) - 0.5) * (kd2m_rng_uniform(&other) - 0.5);
        EXPECT_CLOSE(0, products / DRAWS, 5 * sqrt(1.0 / 144 / DRAWS), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(a_walk_reads_the_blocks_in_order),
        cmocka_unit_test(every_part_of_the_triple_counts),
        cmocka_unit_test(uniform_numbers_have_their_moments),
        cmocka_unit_test(uniform_numbers_have_53_bits),
        cmocka_unit_test(normal_numbers_have_their_moments),
        cmocka_unit_test(filled_normals_are_those_of_their_words),
        cmocka_unit_test(below_is_in_range_and_even),
        cmocka_unit_test(below_is_even_for_huge_ranges),
        cmocka_unit_test(shuffle_permutes),
        cmocka_unit_test(shuffle_is_even),
        cmocka_unit_test(choice_is_even),
        cmocka_unit_test(streams_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
