/* Byte sources: files and memory, plain and gzip, and everything that can be wrong with them. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "memory.h"
#include "rng.h"
#include "source.h"

#define PACKED_MAX 400000

static kd2m_context *context;

/* Content that gzip can't shrink much, longer than any buffer. */
static unsigned char content[200000];

/* The gzip member of `bytes`; returns its size. */
static size_t pack(unsigned char *out, const void *bytes, size_t size) {
    z_stream deflater = {.zalloc = Z_NULL};
    assert_int_equal(Z_OK, deflateInit2(&deflater, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY));
    deflater.next_in = (z_const Bytef *)(uintptr_t)bytes;
    deflater.avail_in = (uInt)size;
    deflater.next_out = out;
    deflater.avail_out = PACKED_MAX;
    assert_int_equal(Z_STREAM_END, deflate(&deflater, Z_FINISH));
    size_t packed = deflater.total_out;
    deflateEnd(&deflater);
    return packed;
}

/* Opens bytes as memory or as a file, by `how`. */
static kd2m_source *open_as(int how, const void *bytes, size_t size) {
    kd2m_source *source = NULL;
    if (how == 0) {
        EXPECT_OK(context, kd2m_source_memory(&source, context, bytes, size, "memory"));
    } else {
        static char path[300];
        static const char *folder;
        folder = folder ? folder : testing_folder();
        snprintf(path, sizeof path, "%s/bytes", folder);
        FILE *file = fopen(path, "wb"); /* not flushed to disk: there are thousands */
        assert_non_null(file);
        assert_int_equal(size, fwrite(bytes, 1, size, file));
        assert_int_equal(0, fclose(file));
        EXPECT_OK(context, kd2m_source_open(&source, context, path));
        assert_string_equal(path, kd2m_source_name(source));
        assert_true(kd2m_file_exists(path));
        unlink(path); /* read after all: it is open */
        assert_false(kd2m_file_exists(path));
    }
    return source;
}

static void expect_all(kd2m_source *source, const void *expected, size_t size) {
    void *got = NULL;
    size_t got_size = 0;
    EXPECT_OK(context, kd2m_source_read_all(source, &got, &got_size, SIZE_MAX));
    assert_int_equal(size, got_size);
    assert_memory_equal(expected, got, size);
    assert_int_equal(0, ((unsigned char *)got)[size]);
    assert_int_equal(size, kd2m_source_position(source));
    kd2m_free(context, got);
    kd2m_source_close(source);
}

static void whole_contents_are_read(void **state) {
    static const size_t sizes[] = {0, 1, 2, 3, 1000, 65535, 65536, 65537, 131072, sizeof content};
    static unsigned char packed[PACKED_MAX];
    (void)state;
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++)
        for (int how = 0; how < 2; how++) {
            expect_all(open_as(how, content, sizes[c]), content, sizes[c]);
            size_t size = pack(packed, content, sizes[c]);
            expect_all(open_as(how, packed, size), content, sizes[c]);
        }
}

/* Reads of every size join up, whatever the buffer's borders. */
static void parts_join_up(void **state) {
    static unsigned char packed[PACKED_MAX], got[sizeof content + 100];
    size_t size = pack(packed, content, sizeof content);
    (void)state;
    for (int zipped = 0; zipped < 2; zipped++) {
        kd2m_source *source =
            zipped ? open_as(0, packed, size) : open_as(1, content, sizeof content);
        kd2m_rng rng;
        size_t used = 0, part, asked;
        kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
        do {
            asked = (size_t)kd2m_rng_below(&rng, kd2m_rng_below(&rng, 4) ? 100 : 70000);
            asked = asked < sizeof got - used ? asked : sizeof got - used;
            EXPECT_OK(context, kd2m_source_read(source, got + used, asked, &part));
            assert_true(part == asked || used + part == sizeof content);
            used += part;
            assert_int_equal(used, kd2m_source_position(source));
        } while (used < sizeof content);
        assert_memory_equal(content, got, sizeof content);
        EXPECT_OK(context, kd2m_source_read(source, got, 10, &part));
        assert_int_equal(0, part);
        EXPECT_OK(context, kd2m_source_expect_end(source, "the content"));
        kd2m_source_close(source);
    }
    kd2m_source_close(NULL);
}

/* Highly redundant content: much comes out of few bytes. */
static void zeros_unpack(void **state) {
    static unsigned char packed[PACKED_MAX], zeros[5000000];
    size_t size = pack(packed, zeros, sizeof zeros);
    (void)state;
    assert_true(size < sizeof zeros / 500);
    expect_all(open_as(0, packed, size), zeros, sizeof zeros);
}

/* From the third byte on it is a gzip file, and wherever it is cut, reading it fails. */
static void every_cut_of_gzip_is_an_error(void **state) {
    static unsigned char packed[PACKED_MAX];
    size_t size = pack(packed, content, 300);
    unsigned char got[400];
    (void)state;
    for (size_t cut = 2; cut < size; cut++)
        for (int how = 0; how < 2; how++) {
            kd2m_source *source = open_as(how, packed, cut);
            void *all = &all;
            size_t all_size, part;
            EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                          kd2m_source_read_all(source, &all, &all_size, SIZE_MAX));
            EXPECT_MESSAGE(context, "the gzip stream is cut short after ");
            assert_null(all);
            kd2m_source_close(source);

            source = open_as(how, packed, cut);
            EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                          kd2m_source_read(source, got, sizeof got, &part));
            kd2m_source_close(source);

            /* what came before the cut is right, and no more than that is given */
            source = open_as(how, packed, cut);
            size_t used = 0;
            while (kd2m_source_read(source, got, 1, &part) == KD2M_OK) {
                assert_int_equal(1, part);
                assert_int_equal(content[used++], got[0]);
            }
            assert_in_range(used, 0, 300);
            kd2m_source_close(source);
        }
}

/* A flipped bit is an error or changes nothing: a few bits of deflate mean nothing, such as those
 * that fill up its last byte. */
static void damage_of_gzip_is_an_error(void **state) {
    static unsigned char packed[PACKED_MAX];
    size_t size = pack(packed, content, 300), harmless = 0;
    (void)state;
    for (size_t bit = 8 * 10; bit < 8 * size; bit++) {
        unsigned char mask = (unsigned char)(1 << bit % 8);
        packed[bit / 8] ^= mask;
        kd2m_source *source = open_as(0, packed, size);
        void *all = NULL;
        size_t all_size;
        kd2m_status status = kd2m_source_read_all(source, &all, &all_size, SIZE_MAX);
        if (status == KD2M_OK) {
            assert_int_equal(300, all_size);
            assert_memory_equal(content, all, 300);
            harmless++;
        } else {
            EXPECT_STATUS(context, KD2M_ERROR_INPUT, status);
            EXPECT_MESSAGE(context, "memory: the gzip stream is ");
        }
        kd2m_free(context, all);
        kd2m_source_close(source);
        packed[bit / 8] ^= mask;
    }
    assert_true(harmless < 16);
}

static void members_of_gzip_follow_each_other(void **state) {
    static unsigned char packed[2 * PACKED_MAX];
    size_t first = pack(packed, content, 70000);
    size_t size = first + pack(packed + first, content + 70000, sizeof content - 70000);
    size_t third = size + pack(packed + size, content, 0);
    (void)state;
    for (int how = 0; how < 2; how++) {
        expect_all(open_as(how, packed, size), content, sizeof content);
        expect_all(open_as(how, packed, third), content, sizeof content);
        expect_all(open_as(how, packed, first), content, 70000);
    }
    for (size_t cut = 1; cut < 40; cut++) {
        kd2m_source *source = open_as(0, packed, first + cut);
        void *all = NULL;
        size_t all_size;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_source_read_all(source, &all, &all_size, SIZE_MAX));
        kd2m_source_close(source);
    }
}

static void garbage_behind_gzip_is_an_error(void **state) {
    static const char *const garbage[] = {"g", "garbage", "\x1f", "\x1f\x8b", "\n", "\x1f\x8c\x08"};
    static unsigned char packed[PACKED_MAX];
    size_t size = pack(packed, content, 300);
    (void)state;
    for (size_t c = 0; c < sizeof garbage / sizeof *garbage; c++) {
        unsigned char got[300];
        memcpy(packed + size, garbage[c], strlen(garbage[c]));
        kd2m_source *source = open_as(0, packed, size + strlen(garbage[c]));
        EXPECT_OK(context, kd2m_source_read_exact(source, got, 300, "the content"));
        assert_memory_equal(content, got, 300);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_source_expect_end(source, "the content"));
        EXPECT_MESSAGE(context, "after 300 bytes of content");
        kd2m_source_close(source);
    }
}

static void what_can_not_be_opened_is_named(void **state) {
    const char *folder = testing_folder();
    char missing[300];
    kd2m_source *source = (kd2m_source *)&source;
    (void)state;
    snprintf(missing, sizeof missing, "%s/missing", folder);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_source_open(&source, context, missing));
    EXPECT_MESSAGE(context, missing);
    EXPECT_MESSAGE(context, "No such file");
    assert_null(source);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_source_open(&source, context, folder));
    EXPECT_MESSAGE(context, "is a folder");
    assert_null(source);
    EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_source_open(&source, context, ""));
    assert_null(source);
    assert_false(kd2m_file_exists(missing));
    /* opens, but can't be read at address 0 */
    if (access("/proc/self/mem", R_OK) == 0) {
        EXPECT_STATUS(context, KD2M_ERROR_IO, kd2m_source_open(&source, context, "/proc/self/mem"));
        EXPECT_MESSAGE(context, "/proc/self/mem: can't be read: ");
        assert_null(source);
    }
}

static void exact_reads_take_what_they_need(void **state) {
    unsigned char got[10];
    kd2m_source *source = open_as(0, content, 10);
    (void)state;
    EXPECT_OK(context, kd2m_source_read_exact(source, got, 4, "the header"));
    EXPECT_OK(context, kd2m_source_read_exact(source, got, 0, "nothing"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_source_expect_end(source, "the header"));
    EXPECT_MESSAGE(context, "memory: has bytes after the header");
    kd2m_source_close(source);

    source = open_as(0, content, 10);
    EXPECT_OK(context, kd2m_source_read_exact(source, got, 4, "the header"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_source_read_exact(source, got, 7, "the data"));
    EXPECT_MESSAGE(context, "memory: ends after 10 bytes");
    EXPECT_MESSAGE(context, "the data takes 7 bytes");
    kd2m_source_close(source);

    source = open_as(0, NULL, 0);
    EXPECT_OK(context, kd2m_source_expect_end(source, "nothing"));
    EXPECT_STATUS(context, KD2M_ERROR_INPUT, kd2m_source_read_exact(source, got, 1, "a byte"));
    kd2m_source_close(source);
}

/* An allocator that keeps the sum of what is in use, and its highest value. */
typedef struct account {
    size_t used, highest;
} account;

static void *account_allocate(void *user, size_t size, size_t alignment) {
    account *of = user;
    unsigned char *memory = aligned_alloc(alignment, size + alignment);
    if (!memory)
        return NULL;
    memcpy(memory, &size, sizeof size);
    of->used += size;
    of->highest = of->used > of->highest ? of->used : of->highest;
    return memory + alignment;
}

static void account_release(void *user, void *memory) {
    account *of = user;
    unsigned char *begin = (unsigned char *)memory - KD2M_ALIGNMENT;
    size_t size;
    memcpy(&size, begin, sizeof size);
    of->used -= size;
    free(begin);
}

static void a_lying_size_costs_little_memory(void **state) {
    static const size_t lies[] = {sizeof content + 1, (size_t)1 << 40, PTRDIFF_MAX, SIZE_MAX};
    static unsigned char packed[PACKED_MAX];
    size_t size = pack(packed, content, sizeof content);
    (void)state;
    for (size_t c = 0; c < 2 * sizeof lies / sizeof *lies; c++) {
        account of = {0, 0};
        kd2m_context_settings settings;
        kd2m_context *own = NULL;
        kd2m_source *source = NULL;
        void *block = &block;
        kd2m_context_settings_default(&settings);
        settings.allocator = (kd2m_allocator){account_allocate, account_release, &of};
        assert_int_equal(KD2M_OK, kd2m_context_create(&own, &settings));
        EXPECT_OK(own, c % 2 ? kd2m_source_memory(&source, own, packed, size, "zipped")
                             : kd2m_source_memory(&source, own, content, sizeof content, "plain"));
        EXPECT_STATUS(own, KD2M_ERROR_INPUT,
                      kd2m_source_read_block(source, &block, lies[c / 2], "the block"));
        EXPECT_MESSAGE(own, ": ends after 200000 bytes, too early: the block takes ");
        assert_null(block);
        assert_true(of.highest < 5 * sizeof content);
        kd2m_source_close(source);
        kd2m_context_free(own);
        assert_int_equal(0, of.used);
    }
}

static void blocks_are_read(void **state) {
    static const size_t sizes[] = {0, 1, 65536, 65537, sizeof content};
    (void)state;
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
        kd2m_source *source = open_as(0, content, sizeof content);
        void *block = NULL;
        EXPECT_OK(context, kd2m_source_read_block(source, &block, sizes[c], "the block"));
        assert_non_null(block);
        assert_memory_equal(content, block, sizes[c]);
        assert_int_equal(sizes[c], kd2m_source_position(source)); /* and not a byte more */
        kd2m_free(context, block);
        kd2m_source_close(source);
    }
}

static void reading_all_has_a_limit(void **state) {
    static const size_t sizes[] = {0, 1, 1000, 65536, 100000};
    (void)state;
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
        kd2m_source *source = open_as(0, content, sizes[c]);
        void *all = NULL;
        size_t size = 0;
        EXPECT_OK(context, kd2m_source_read_all(source, &all, &size, sizes[c]));
        assert_int_equal(sizes[c], size);
        kd2m_free(context, all);
        kd2m_source_close(source);
        if (sizes[c] == 0)
            continue;
        source = open_as(0, content, sizes[c]);
        EXPECT_STATUS(context, KD2M_ERROR_INPUT,
                      kd2m_source_read_all(source, &all, &size, sizes[c] - 1));
        EXPECT_MESSAGE(context, "memory: ");
        assert_null(all);
        assert_int_equal(0, size);
        kd2m_source_close(source);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_contents_are_read),
        cmocka_unit_test(parts_join_up),
        cmocka_unit_test(zeros_unpack),
        cmocka_unit_test(every_cut_of_gzip_is_an_error),
        cmocka_unit_test(damage_of_gzip_is_an_error),
        cmocka_unit_test(members_of_gzip_follow_each_other),
        cmocka_unit_test(garbage_behind_gzip_is_an_error),
        cmocka_unit_test(what_can_not_be_opened_is_named),
        cmocka_unit_test(exact_reads_take_what_they_need),
        cmocka_unit_test(a_lying_size_costs_little_memory),
        cmocka_unit_test(blocks_are_read),
        cmocka_unit_test(reading_all_has_a_limit),
    };
    kd2m_rng rng;
    kd2m_rng_init(&rng, 2, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (unsigned char)kd2m_rng_below(&rng, 200);
    context = testing_context(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
