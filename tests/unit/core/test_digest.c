/* Digests: the formula word by word, every bit counts, and so does the length. */
#include "testing.h"

#include <string.h>

#include "digest.h"

#define SIZE_OF_ALL 100

/* One step of the formula in digest.h. */
static uint64_t step(uint64_t digest, uint64_t word) {
    digest = (digest ^ word) * UINT64_C(1099511628211);
    return digest ^ (digest >> 32);
}

static void the_formula_is_kept(void **state) {
    static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0x80};
    uint64_t word = step(KD2M_DIGEST_START, UINT64_C(0x0807060504030201));
    (void)state;
    assert_true(kd2m_digest(KD2M_DIGEST_START, bytes, 0) == KD2M_DIGEST_START);
    assert_true(kd2m_digest(KD2M_DIGEST_START, bytes, 8) == word);
    assert_true(kd2m_digest(KD2M_DIGEST_START, bytes, 10) == step(step(word, 0x80ff), 2));
}

static void words_may_be_cut_anywhere(void **state) {
    unsigned char bytes[SIZE_OF_ALL + 1];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(7 * i);
    uint64_t whole = kd2m_digest(KD2M_DIGEST_START, bytes, SIZE_OF_ALL);
    for (size_t cut = 0; cut <= SIZE_OF_ALL; cut += 8) {
        uint64_t first = kd2m_digest(KD2M_DIGEST_START, bytes, cut);
        assert_true(kd2m_digest(first, bytes + cut, SIZE_OF_ALL - cut) == whole);
    }
    memmove(bytes + 1, bytes, SIZE_OF_ALL); /* nor does alignment count */
    assert_true(kd2m_digest(KD2M_DIGEST_START, bytes + 1, SIZE_OF_ALL) == whole);
}

/* All digests of one changed bit, and of all lengths, differ from each other. */
static void every_bit_and_the_length_count(void **state) {
    static uint64_t digests[8 * SIZE_OF_ALL + SIZE_OF_ALL + 1];
    unsigned char bytes[SIZE_OF_ALL] = {0};
    size_t count = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * SIZE_OF_ALL; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        digests[count++] = kd2m_digest(KD2M_DIGEST_START, bytes, SIZE_OF_ALL);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t size = 0; size <= SIZE_OF_ALL; size++)
        digests[count++] = kd2m_digest(KD2M_DIGEST_START, bytes, size);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(digests[i] != digests[j]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_is_kept),
        cmocka_unit_test(words_may_be_cut_anywhere),
        cmocka_unit_test(every_bit_and_the_length_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
