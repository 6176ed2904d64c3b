/*
 * A teacher's kept outputs: see teacher_cache.h. Opening reads every byte of its files once (their
 * checksums) and the samples' values (their digest); a batch costs a copy of its rows. Memory: a
 * batch's row numbers; the files are mapped. Thread rule: that of the context.
 */
#include "teacher_cache.h"

#include <string.h>

#include "cache_file.h"
#include "context.h"
#include "memory.h"
#include "progress.h"
#include "source.h"
#include "teacher_kind.h"

/* A layer that is kept. */
typedef struct kept_layer {
    kd2m_teacher_layer layer;
    kd2m_cache_key key;
    char *path; /* owned */
    kd2m_mapping mapping;
    const float *values;      /* in the mapping */
    kd2m_cache_writer writer; /* while the file is made */
    bool missing;
} kept_layer;

struct kd2m_teacher_cache {
    kd2m_context *context;
    kept_layer *layers; /* owned */
    size_t count;
    const uint32_t *split; /* of each row of the training split, its number in the part; borrowed */
    const uint32_t
        *numbers;   /* of each row of the files, likewise; NULL: they are all of the part */
    size_t rows;    /* of the files */
    size_t *chosen; /* batch: rows of the files; owned */
    size_t batch;
};

/* ---- what the files are of ---- */

/* Chooses the samples that the files have rows of. */
static void choose_rows(kd2m_teacher_cache *cache, const kd2m_dataset *dataset) {
    const size_t *count = dataset->row_count;
    size_t all = dataset->raw.train.rows;
    cache->split = dataset->rows[KD2M_TRAIN];
    bool whole = !dataset->test_cut && count[KD2M_TRAIN] + count[KD2M_VALIDATION] == all;
    cache->numbers = whole ? NULL : cache->split;
    cache->rows = whole ? all : count[KD2M_TRAIN];
}

static size_t number_of(const kd2m_teacher_cache *cache, size_t row) {
    return cache->numbers ? cache->numbers[row] : row;
}

/* Of the samples as a teacher sees them: behind all transforms, in the files' order. */
static uint64_t digest_samples(const kd2m_teacher_cache *cache, const kd2m_dataset *dataset) {
    const kd2m_raw_data *raw = &dataset->raw;
    const uint64_t about[] = {cache->rows,   raw->dims,     raw->shape[0],
                              raw->shape[1], raw->shape[2], raw->train.values.element};
    size_t bytes = kd2m_dataset_sample_size(dataset) * kd2m_part_width(&raw->train);
    uint64_t digest = kd2m_digest(KD2M_DIGEST_START, about, sizeof about);
    digest = kd2m_digest(digest, &raw->value_scale, sizeof raw->value_scale);
    for (size_t i = 0; i < cache->rows; i++)
        digest = kd2m_digest(
            digest, (const char *)raw->train.values.values + number_of(cache, i) * bytes, bytes);
    return digest;
}

/* Of the net, and of what may change the last bits of what it says. */
static uint64_t digest_teacher(const kd2m_teacher *teacher) {
    const uint64_t how[] = {teacher->batch, (uint64_t)kd2m_context_threads(teacher->context)};
    uint64_t digest = kd2m_digest(teacher->origin, how, sizeof how);
    return kd2m_digest(digest, kd2m_version(), strlen(kd2m_version()));
}

static void add_layer(kd2m_teacher_cache *cache, const kd2m_teacher_reading *reading,
                      const kd2m_cache_key *common) {
    for (size_t i = 0; i < cache->count; i++)
        if (cache->layers[i].layer.number == reading->layer.number &&
            cache->layers[i].key.pooled == reading->pooled)
            return;
    kept_layer *kept = &cache->layers[cache->count++];
    kept->layer = reading->layer;
    kept->key = *common;
    kept->key.layer = reading->name;
    kept->key.channels = reading->layer.channels;
    kept->key.positions = reading->layer.positions;
    kept->key.pooled = reading->pooled;
}

static kd2m_status add_layers(kd2m_teacher_cache *cache, const kd2m_teacher *teacher,
                              const kd2m_teacher_reading *readings, size_t count) {
    const kd2m_cache_key common = {
        .teacher = digest_teacher(teacher),
        .samples = digest_samples(cache, teacher->dataset),
        .rows = cache->rows,
        .keys = teacher->dataset->raw.train.keys,
        .numbers = cache->numbers,
    };
    kd2m_status status =
        kd2m_alloc(cache->context, (void **)&cache->layers, count, sizeof *cache->layers);
    for (size_t i = 0; status == KD2M_OK && i < count; i++)
        add_layer(cache, &readings[i], &common);
    return status;
}

/* Whether all layers are within the limit; else the log is told. */
static bool fits(const kd2m_teacher_cache *cache, double limit) {
    const kept_layer *largest = cache->layers;
    double bytes = 0;
    for (size_t i = 0; i < cache->count; i++) {
        bytes += kd2m_cache_bytes(&cache->layers[i].key);
        if (kd2m_cache_bytes(&cache->layers[i].key) > kd2m_cache_bytes(&largest->key))
            largest = &cache->layers[i];
    }
    if (bytes <= limit)
        return true;
    kd2m_log(cache->context, KD2M_LOG_INFO,
             "the teacher's outputs are not kept, it runs in every step: they would take %.0f MiB, "
             "'%s' %.0f of them, --teacher-cache-limit is %.0f",
             bytes / 0x1p20, largest->key.layer, kd2m_cache_bytes(&largest->key) / 0x1p20,
             limit / 0x1p20);
    return false;
}

/* ---- making files ---- */

/* What making works in. */
typedef struct making {
    uint32_t *numbers; /* batch: of samples in the training part */
    float *input;      /* batch x sample */
    float *map, *rows; /* batch x the widest layer */
} making;

static kd2m_status allocate(making *out, const kd2m_teacher_cache *cache,
                            const kd2m_teacher *teacher) {
    kd2m_context *context = cache->context;
    size_t sample = kd2m_dataset_sample_size(teacher->dataset), widest = 1;
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < cache->count; i++) {
        size_t width = cache->layers[i].layer.channels * cache->layers[i].layer.positions;
        widest = width > widest ? width : widest;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)&out->numbers, cache->batch, sizeof *out->numbers));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->input, cache->batch * sample, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->map, cache->batch * widest, sizeof(float)));
    KD2M_TRY(kd2m_alloc(context, (void **)&out->rows, cache->batch * widest, sizeof(float)));
cleanup:
    return status;
}

static void clear(making *m, kd2m_context *context) {
    kd2m_free(context, m->numbers);
    kd2m_free(context, m->input);
    kd2m_free(context, m->map);
    kd2m_free(context, m->rows);
}

/* Runs the samples of the files' rows from `first` on, `rows` of them, and adds what is said. */
static kd2m_status add_batch(kd2m_teacher_cache *cache, kd2m_teacher *teacher, making *m,
                             size_t first, size_t rows) {
    kd2m_status status = KD2M_OK;
    for (size_t i = 0; i < cache->batch; i++) /* the last one again where they end */
        m->numbers[i] = (uint32_t)number_of(cache, first + (i < rows ? i : rows - 1));
    KD2M_TRY(teacher->kind->run_samples(teacher, m->numbers, m->input));
    for (size_t i = 0; i < cache->count; i++) {
        kept_layer *kept = &cache->layers[i];
        if (!kept->missing)
            continue;
        KD2M_TRY(kd2m_teacher_read(teacher, &kept->layer,
                                   kept->key.pooled ? KD2M_REDUCTION_POOL : KD2M_REDUCTION_FLATTEN,
                                   m->map, m->rows));
        KD2M_TRY(kd2m_cache_add(&kept->writer, &kept->key, m->rows, rows));
    }
cleanup:
    return status;
}

static kd2m_status pass(kd2m_teacher_cache *cache, kd2m_teacher *teacher, making *m) {
    kd2m_meter meter;
    kd2m_status status = KD2M_OK;
    kd2m_meter_begin(&meter, cache->context, "samples", (double)cache->rows, 0);
    kd2m_meter_text(&meter, "the teacher's outputs");
    for (size_t first = 0, rows; first < cache->rows; first += rows) {
        rows = cache->rows - first < cache->batch ? cache->rows - first : cache->batch;
        KD2M_TRY(kd2m_check_interrupt(cache->context));
        KD2M_TRY(add_batch(cache, teacher, m, first, rows));
        kd2m_meter_advance(&meter, (double)rows);
    }
cleanup:
    kd2m_meter_end(&meter);
    return status;
}

/* Makes the files that are missing. Another process may make the same ones meanwhile: of files of
 * one name either is right, and each comes whole. */
static kd2m_status make_missing(kd2m_teacher_cache *cache, kd2m_teacher *teacher) {
    making m = {0};
    kd2m_status status = KD2M_OK;
    KD2M_TRY(allocate(&m, cache, teacher));
    for (size_t i = 0; i < cache->count; i++)
        if (cache->layers[i].missing)
            KD2M_TRY(kd2m_cache_begin(&cache->layers[i].writer, cache->context,
                                      cache->layers[i].path, &cache->layers[i].key));
    KD2M_TRY(pass(cache, teacher, &m));
    for (size_t i = 0; i < cache->count; i++)
        if (cache->layers[i].missing)
            KD2M_TRY(kd2m_cache_finish(&cache->layers[i].writer, &cache->layers[i].key));
cleanup:
    for (size_t i = 0; i < cache->count; i++)
        kd2m_cache_close(&cache->layers[i].writer);
    clear(&m, cache->context);
    return status;
}

/* ---- opening and reading ---- */

static kd2m_status open_files(kd2m_teacher_cache *cache, kd2m_teacher *teacher,
                              const char *folder) {
    size_t missing = 0;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_make_folder(cache->context, folder));
    for (size_t i = 0; i < cache->count; i++) {
        kept_layer *kept = &cache->layers[i];
        KD2M_TRY(kd2m_cache_path(cache->context, &kept->path, folder, &kept->key));
        kept->missing = !kd2m_file_exists(kept->path);
        missing += kept->missing;
    }
    if (missing > 0)
        KD2M_TRY(make_missing(cache, teacher));
    for (size_t i = 0; i < cache->count; i++) {
        kept_layer *kept = &cache->layers[i];
        KD2M_TRY(
            kd2m_cache_map(&kept->mapping, &kept->values, cache->context, kept->path, &kept->key));
    }
    kd2m_log(
        cache->context, KD2M_LOG_INFO,
        "the teacher's outputs for %zu samples are looked up in %s (%zu of %zu files made now)",
        cache->rows, folder, missing, cache->count);
cleanup:
    return status;
}

kd2m_status kd2m_teacher_cache_open(kd2m_teacher_cache **out, kd2m_teacher *teacher,
                                    const char *folder, double limit,
                                    const kd2m_teacher_reading *readings, size_t count) {
    *out = NULL;
    kd2m_context *context = teacher->context;
    kd2m_teacher_cache *cache = NULL;
    kd2m_status status = KD2M_OK;
    if (!teacher->kind->run_samples) {
        kd2m_log(context, KD2M_LOG_INFO,
                 "--teacher-cache: the teacher's outputs are in a file as "
                 "it is, nothing is kept");
        return KD2M_OK;
    }
    KD2M_TRY(kd2m_alloc(context, (void **)&cache, 1, sizeof *cache));
    cache->context = context;
    cache->batch = teacher->batch;
    choose_rows(cache, teacher->dataset);
    KD2M_TRY(add_layers(cache, teacher, readings, count));
    if (!fits(cache, limit))
        goto cleanup;
    KD2M_TRY(kd2m_alloc(context, (void **)&cache->chosen, cache->batch, sizeof *cache->chosen));
    KD2M_TRY(open_files(cache, teacher, folder));
    *out = cache;
    cache = NULL;
cleanup:
    kd2m_teacher_cache_free(cache);
    return status;
}

void kd2m_teacher_cache_free(kd2m_teacher_cache *cache) {
    if (!cache)
        return;
    for (size_t i = 0; i < cache->count; i++) {
        kd2m_mapping_close(&cache->layers[i].mapping);
        kd2m_free(cache->context, cache->layers[i].path);
    }
    kd2m_free(cache->context, cache->layers);
    kd2m_free(cache->context, cache->chosen);
    kd2m_free(cache->context, cache);
}

void kd2m_teacher_cache_seek(kd2m_teacher_cache *cache, const uint32_t *ids) {
    for (size_t i = 0; i < cache->batch; i++)
        cache->chosen[i] = cache->numbers ? ids[i] : cache->split[ids[i]];
}

kd2m_status kd2m_teacher_cache_read(const kd2m_teacher_cache *cache,
                                    const kd2m_teacher_layer *layer, bool pooled, float *out) {
    for (size_t k = 0; k < cache->count; k++) {
        const kept_layer *kept = &cache->layers[k];
        if (kept->layer.number != layer->number || kept->key.pooled != pooled)
            continue;
        size_t width = kd2m_cache_width(&kept->key);
        for (size_t i = 0; i < cache->batch; i++)
            memcpy(out + i * width, kept->values + cache->chosen[i] * width, width * sizeof *out);
        return KD2M_OK;
    }
    return kd2m_fail(cache->context, KD2M_ERROR_INTERNAL, "a teacher's layer was not kept");
}
