/*
 * Every function of core that allocates, with its memory refused at the first, second, ... request:
 * each failure says so, leaves nothing behind and changes nothing. (jansson's own memory is not the
 * context's.)
 */
#include "testing.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "arena.h"
#include "context.h"
#include "json.h"
#include "kd2m/table.h"
#include "memory.h"
#include "normalisation.h"
#include "source.h"
#include "spec.h"
#include "writer.h"

#define CONTENT_SIZE 300000

static unsigned char content[CONTENT_SIZE];
static unsigned char packed[CONTENT_SIZE];
static size_t packed_size;
static char file[300];

static kd2m_status copy_text(kd2m_context *context) {
    char *text = (char *)file;
    kd2m_status status = kd2m_text_copy(context, &text, "text");
    assert_int_equal(status == KD2M_OK, text != NULL);
    kd2m_text_free(context, text);
    return status;
}

static kd2m_status join_paths(kd2m_context *context) {
    char *path = (char *)file;
    kd2m_status status = kd2m_join_path(context, &path, "folder", "name");
    assert_int_equal(status == KD2M_OK, path != NULL);
    kd2m_text_free(context, path);
    return status;
}

static kd2m_status reserve_arena(kd2m_context *context) {
    kd2m_arena arena;
    void *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_arena_init(&arena, context);
    KD2M_TRY(kd2m_arena_reserve(&arena, kd2m_arena_bytes(100, 1)));
    KD2M_TRY(kd2m_arena_reserve(&arena, kd2m_arena_bytes(1000, 1)));
    KD2M_TRY(kd2m_arena_take(&arena, &out, 1000, 1));
cleanup:
    kd2m_arena_free(&arena);
    return status;
}

static kd2m_status create_normalisation(kd2m_context *context) {
    kd2m_normalisation made;
    kd2m_status status = kd2m_normalisation_create(&made, context, 3);
    if (status == KD2M_OK)
        kd2m_normalisation_clear(context, &made);
    assert_null(made.mean);
    assert_null(made.scale);
    return status;
}

static kd2m_status parse_spec(kd2m_context *context) {
    const char *text = "\"a b\"(w2:p=2,q=\"x y\",bare):k=1,j=2,l=3,m=4,n=5";
    kd2m_spec *spec = (kd2m_spec *)&spec;
    char *written = NULL;
    kd2m_status status = kd2m_spec_parse(&spec, context, text);
    assert_int_equal(status == KD2M_OK, spec != NULL);
    if (status == KD2M_OK) {
        status = kd2m_spec_text(context, &written, spec);
        assert_int_equal(status == KD2M_OK, written != NULL);
    }
    kd2m_text_free(context, written);
    kd2m_spec_free(context, spec);
    return status;
}

static kd2m_status parse_embedded_spec(kd2m_context *context) {
    kd2m_spec *spec = (kd2m_spec *)&spec;
    size_t position = 2;
    kd2m_status status =
        kd2m_spec_parse_embedded(&spec, context, "1*cond(w2:p=2)@features", &position);
    assert_int_equal(status == KD2M_OK, spec != NULL);
    assert_int_equal(status == KD2M_OK ? 14 : 2, position);
    kd2m_spec_free(context, spec);
    return status;
}

static kd2m_status read_all(kd2m_context *context, kd2m_source *source) {
    void *all = content;
    size_t size = 1;
    kd2m_status status = kd2m_source_read_all(source, &all, &size, SIZE_MAX);
    assert_int_equal(status == KD2M_OK, all != NULL);
    assert_int_equal(status == KD2M_OK ? CONTENT_SIZE : 0, size);
    if (status == KD2M_OK)
        assert_memory_equal(content, all, size);
    kd2m_free(context, all);
    kd2m_source_close(source);
    return status;
}

static kd2m_status read_file(kd2m_context *context) {
    kd2m_source *source = (kd2m_source *)content;
    kd2m_status status = kd2m_source_open(&source, context, file);
    assert_int_equal(status == KD2M_OK, source != NULL);
    return status == KD2M_OK ? read_all(context, source) : status;
}

static kd2m_status read_packed(kd2m_context *context) {
    kd2m_source *source = (kd2m_source *)content;
    kd2m_status status = kd2m_source_memory(&source, context, packed, packed_size, "packed");
    assert_int_equal(status == KD2M_OK, source != NULL);
    return status == KD2M_OK ? read_all(context, source) : status;
}

static kd2m_status read_block(kd2m_context *context) {
    kd2m_source *source = NULL;
    void *block = content;
    kd2m_status status = kd2m_source_memory(&source, context, content, CONTENT_SIZE, "plain");
    if (status != KD2M_OK)
        return status;
    status = kd2m_source_read_block(source, &block, CONTENT_SIZE, "the block");
    assert_int_equal(status == KD2M_OK, block != NULL);
    kd2m_free(context, block);
    kd2m_source_close(source);
    return status;
}

/* Whatever is in the file after a failure is what was there before. */
static void expect_content(const char *path, const void *expected, size_t size) {
    unsigned char got[64];
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(size, fread(got, 1, sizeof got, stream));
    assert_memory_equal(expected, got, size);
    fclose(stream);
}

static kd2m_status write_file(kd2m_context *context) {
    char path[400];
    FILE *stream;
    snprintf(path, sizeof path, "%s.target", file);
    stream = fopen(path, "wb");
    assert_non_null(stream);
    fputs("old", stream);
    fclose(stream);
    kd2m_status status = kd2m_write_file(context, path, "new!", 4);
    if (status == KD2M_OK)
        expect_content(path, "new!", 4);
    else
        expect_content(path, "old", 3);
    remove(path);
    return status;
}

static kd2m_status make_folder(kd2m_context *context) {
    char path[400];
    snprintf(path, sizeof path, "%s.folder/inner", file);
    return kd2m_make_folder(context, path);
}

static kd2m_status read_json(kd2m_context *context) {
    char path[400];
    json_t *value = json_pack("[i]", 1), *back = value;
    kd2m_status status = KD2M_OK;
    snprintf(path, sizeof path, "%s.json", file);
    KD2M_TRY(kd2m_json_write(context, value, path));
    status = kd2m_json_read(context, &back, path);
    assert_int_equal(status == KD2M_OK, back != NULL);
    json_decref(back);
cleanup:
    json_decref(value);
    remove(path);
    return status;
}

static kd2m_status fill_table(kd2m_table *table) {
    kd2m_status status = KD2M_OK;
    for (int c = 0; c < 5; c++) {
        char key[16];
        snprintf(key, sizeof key, "c%d", c);
        KD2M_TRY(kd2m_table_add_column(table, key, "Title", KD2M_COLUMN_TEXT, 0));
    }
    for (int r = 0; r < 5; r++) {
        KD2M_TRY(kd2m_table_add_row(table));
        KD2M_TRY(kd2m_table_set_text(table, "c0", "old"));
        KD2M_TRY(kd2m_table_set_text(table, "c0", "new"));
        KD2M_TRY(kd2m_table_add_note(table, "note"));
    }
cleanup:
    return status;
}

static kd2m_status render_table(kd2m_context *context) {
    kd2m_table *table = (kd2m_table *)&table;
    char *text = NULL, *json = NULL, *markdown = NULL, *csv = NULL;
    kd2m_status status = kd2m_table_create(&table, context, "name");
    assert_int_equal(status == KD2M_OK, table != NULL);
    if (status != KD2M_OK)
        return status;
    KD2M_TRY(fill_table(table));
    KD2M_TRY(kd2m_table_to_text(table, &text));
    KD2M_TRY(kd2m_table_to_json(table, &json));
    KD2M_TRY(kd2m_table_to_markdown(table, &markdown));
    KD2M_TRY(kd2m_table_to_csv(table, &csv));
cleanup:
    kd2m_text_free(context, csv);
    kd2m_text_free(context, text);
    kd2m_text_free(context, json);
    kd2m_text_free(context, markdown);
    kd2m_table_free(table);
    return status;
}

/* Runs `body` with memory for 0, 1, 2, ... requests until it succeeds. */
static void sweep(kd2m_status (*body)(kd2m_context *context)) {
    kd2m_status status = KD2M_ERROR_MEMORY;
    for (size_t fail_at = 0; status != KD2M_OK; fail_at++) {
        kd2m_context *context = testing_failing_context(fail_at);
        assert_true(fail_at < 10000);
        status = body(context);
        if (status != KD2M_OK) {
            EXPECT_STATUS(context, KD2M_ERROR_MEMORY, status);
            EXPECT_MESSAGE(context, "out of memory");
        }
        assert_int_equal(status == KD2M_OK, testing_allocations() <= fail_at);
        assert_int_equal(0, testing_live());
        kd2m_context_free(context);
    }
}

static void every_refusal_is_survived(void **state) {
    kd2m_status (*const bodies[])(kd2m_context *) = {
        copy_text,           join_paths, reserve_arena, create_normalisation, parse_spec,
        parse_embedded_spec, read_file,  read_packed,   read_block,           write_file,
        make_folder,         read_json,  render_table,
    };
    (void)state;
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++)
        sweep(bodies[b]);
}

/* No sweep left a temporary file behind. */
static void nothing_is_left_on_disk(void **state) {
    char folder[300];
    (void)state;
    snprintf(folder, sizeof folder, "%s", file);
    *strrchr(folder, '/') = '\0';
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder)) != NULL;)
        assert_null(strstr(entry->d_name, ".tmp-"));
    closedir(open_folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_is_survived),
        cmocka_unit_test(nothing_is_left_on_disk),
    };
    for (size_t i = 0; i < CONTENT_SIZE; i++)
        content[i] = (unsigned char)(i % 251);
    snprintf(file, sizeof file, "%s/content", testing_folder());
    gzFile zipped = gzopen(file, "wb");
    gzwrite(zipped, content, CONTENT_SIZE);
    gzclose(zipped);
    FILE *stream = fopen(file, "rb");
    packed_size = stream ? fread(packed, 1, sizeof packed, stream) : 0;
    if (stream)
        fclose(stream);
    stream = fopen(file, "wb");
    if (!stream || fwrite(content, 1, CONTENT_SIZE, stream) != CONTENT_SIZE || fclose(stream))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
