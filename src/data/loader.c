/*
 * The loader: one thread fills slots while the net works on another.
 *
 * A ring of slots, each with a batch. The caller holds one from kd2m_loader_next until the next
 * call; the thread fills those behind it, then sleeps until half of them are used up: the net's
 * threads take all cores, so that waking up costs it more than a batch. (epoch, step) counts on
 * from the last seek; what a batch holds is the sampler's business and depends on nothing here. The
 * thread calls nothing that uses the context, the allocator or OpenMP. Memory: two batches, or up
 * to SLOTS_MOST where they fit into SLOTS_BYTES, and the sampler.
 *
 * Thread rule: the caller's functions serve one thread at a time. The mutex guards `filled`,
 * `ready`, `paused`, `busy` and `stop`. A slot belongs to the thread until it is filled, then to
 * the caller; the sampler and the position belong to the thread unless it is paused and not busy.
 */
#include "loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "augment.h"
#include "context.h"
#include "memory.h"
#include "progress.h"
#include "sampler.h"

#define SLOTS_MOST ((size_t)8)
#define SLOTS_BYTES ((size_t)16 << 20)

typedef struct loader_slot {
    float *values;
    int32_t *labels;
    uint32_t *ids;
    int32_t *codes[KD2M_COLUMNS_LIMIT]; /* of the columns that the training part has */
    kd2m_sample_column columns[KD2M_COLUMNS_LIMIT];
    bool filled;
} loader_slot;

struct kd2m_loader {
    kd2m_context *context;
    const kd2m_dataset *dataset;
    const kd2m_normalisation *normalisation;
    kd2m_augmenter *augmenter; /* NULL without one */
    kd2m_row_sampler sampler;
    size_t batch_size;
    size_t steps;
    size_t columns[KD2M_COLUMNS_LIMIT]; /* numbers in the data set */
    size_t column_count;
    size_t epoch, step; /* of the batch to be filled next */
    loader_slot slots[SLOTS_MOST];
    size_t slot_count; /* >= 2 */
    size_t fill;       /* slot to be filled next */
    size_t take;       /* slot to be handed out next */
    size_t ready;      /* filled and not yet handed out */
    bool held;         /* the caller holds the one before `take` */
    bool paused;       /* the thread is to begin no batch */
    bool busy;         /* the thread is filling a slot */
    bool stop;         /* the thread is to end */
    double waited;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool running; /* thread, mutex and condition are there */
};

static size_t slot_behind(const kd2m_loader *loader, size_t slot) {
    return (slot + 1) % loader->slot_count;
}

static loader_slot *held_slot(kd2m_loader *loader) {
    return &loader->slots[(loader->take + loader->slot_count - 1) % loader->slot_count];
}

/* One sample of the epoch: augmented as measured, then normalised. */
static void fill_sample(kd2m_loader *loader, uint32_t id, float *values, int32_t *label) {
    const kd2m_dataset *dataset = loader->dataset;
    if (!loader->augmenter) {
        kd2m_dataset_fetch(dataset, KD2M_TRAIN, id, loader->normalisation, values, label);
        return;
    }
    kd2m_dataset_fetch(dataset, KD2M_TRAIN, id, NULL, values, label);
    kd2m_augmenter_apply(loader->augmenter, loader->epoch, dataset->rows[KD2M_TRAIN][id], values);
    kd2m_normalisation_apply(loader->normalisation, values, kd2m_dataset_sample_size(dataset));
}

static void fill_slot(kd2m_loader *loader, loader_slot *slot) {
    size_t size = kd2m_dataset_sample_size(loader->dataset);
    kd2m_row_sampler_draw(&loader->sampler, loader->epoch, loader->step, slot->ids);
    for (size_t i = 0; i < loader->batch_size; i++) {
        if (i + 1 < loader->batch_size)
            kd2m_dataset_prefetch(loader->dataset, KD2M_TRAIN, slot->ids[i + 1]);
        fill_sample(loader, slot->ids[i], slot->values + i * size, slot->labels + i);
    }
    for (size_t k = 0; k < loader->column_count; k++)
        for (size_t i = 0; i < loader->batch_size; i++)
            slot->codes[k][i] =
                kd2m_dataset_code(loader->dataset, KD2M_TRAIN, loader->columns[k], slot->ids[i]);
    if (++loader->step == loader->steps) {
        loader->step = 0;
        loader->epoch++;
    }
}

static void *prefetch(void *user) {
    kd2m_loader *loader = user;
    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        loader_slot *slot = &loader->slots[loader->fill];
        if (slot->filled || loader->paused) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        loader->busy = true;
        pthread_mutex_unlock(&loader->mutex);
        fill_slot(loader, slot);
        pthread_mutex_lock(&loader->mutex);
        loader->busy = false;
        slot->filled = true;
        loader->ready++;
        loader->fill = slot_behind(loader, loader->fill);
        pthread_cond_signal(&loader->changed);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

/* Starts the thread with all signals blocked: the host's handlers run on the host's threads. */
static kd2m_status start_thread(kd2m_loader *loader) {
    sigset_t all;
    sigset_t before;
    if (pthread_mutex_init(&loader->mutex, NULL) != 0)
        return kd2m_fail(loader->context, KD2M_ERROR_MEMORY, "no mutex for the loader");
    if (pthread_cond_init(&loader->changed, NULL) != 0) {
        pthread_mutex_destroy(&loader->mutex);
        return kd2m_fail(loader->context, KD2M_ERROR_MEMORY, "no condition for the loader");
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&loader->thread, NULL, prefetch, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        pthread_cond_destroy(&loader->changed);
        pthread_mutex_destroy(&loader->mutex);
        return kd2m_fail(loader->context, KD2M_ERROR_MEMORY,
                         "the system has no thread for the loader: %s", strerror(failure));
    }
    loader->running = true;
    return KD2M_OK;
}

static kd2m_status alloc_slot(kd2m_loader *loader, loader_slot *slot) {
    kd2m_status status = KD2M_OK;
    size_t rows = loader->batch_size;
    size_t row_bytes = kd2m_dataset_sample_size(loader->dataset) * sizeof(float);
    KD2M_TRY(kd2m_alloc(loader->context, (void **)&slot->values, rows, row_bytes));
    KD2M_TRY(kd2m_alloc(loader->context, (void **)&slot->labels, rows, sizeof *slot->labels));
    KD2M_TRY(kd2m_alloc(loader->context, (void **)&slot->ids, rows, sizeof *slot->ids));
    for (size_t k = 0; k < loader->column_count; k++) {
        KD2M_TRY(kd2m_alloc(loader->context, (void **)&slot->codes[k], rows, sizeof(int32_t)));
        slot->columns[k] = (kd2m_sample_column){
            loader->dataset->raw.columns[loader->columns[k]].name, slot->codes[k]};
    }

cleanup:
    return status;
}

static size_t count_slots(const kd2m_loader *loader) {
    size_t batch = loader->batch_size * kd2m_dataset_sample_size(loader->dataset) * sizeof(float);
    size_t fitting = SLOTS_BYTES / batch;
    return fitting < 2 ? 2 : fitting < SLOTS_MOST ? fitting : SLOTS_MOST;
}

/* The columns that batches carry: those of the training part. */
static void choose_columns(kd2m_loader *loader) {
    const kd2m_raw_data *raw = &loader->dataset->raw;
    for (size_t i = 0; i < raw->column_count; i++)
        if (raw->train.codes[i])
            loader->columns[loader->column_count++] = i;
}

static kd2m_status create_augmenter(kd2m_loader *loader, const kd2m_loader_settings *settings) {
    const kd2m_raw_data *raw = &loader->dataset->raw;
    kd2m_shape shape = {raw->dims, {raw->shape[0], raw->shape[1], raw->shape[2]}};
    return kd2m_augmenter_create(&loader->augmenter, loader->context, settings->augment, &shape,
                                 settings->normalisation, settings->seed);
}

kd2m_status kd2m_loader_create(kd2m_loader **out, const kd2m_dataset *dataset,
                               const kd2m_loader_settings *settings) {
    *out = NULL;
    kd2m_status status = KD2M_OK;
    kd2m_context *context = dataset->context;
    kd2m_loader *loader = NULL;

    KD2M_TRY(kd2m_alloc(context, (void **)&loader, 1, sizeof *loader));
    loader->context = context;
    loader->dataset = dataset;
    loader->normalisation = settings->normalisation;
    loader->batch_size = settings->batch_size;
    choose_columns(loader);
    KD2M_TRY(kd2m_row_sampler_init(&loader->sampler, dataset, settings));
    KD2M_TRY(create_augmenter(loader, settings));
    loader->steps = dataset->row_count[KD2M_TRAIN] / settings->batch_size;
    loader->slot_count = count_slots(loader);
    for (size_t i = 0; i < loader->slot_count; i++)
        KD2M_TRY(alloc_slot(loader, &loader->slots[i]));
    KD2M_TRY(start_thread(loader));
    *out = loader;

cleanup:
    if (status != KD2M_OK)
        kd2m_loader_free(loader);
    return status;
}

size_t kd2m_loader_steps(const kd2m_loader *loader) {
    return loader->steps;
}

kd2m_status kd2m_loader_seek(kd2m_loader *loader, size_t epoch, size_t step) {
    if (step >= loader->steps)
        return kd2m_fail(loader->context, KD2M_ERROR_USAGE,
                         "step %zu sought in an epoch of %zu steps (from 0)", step, loader->steps);
    pthread_mutex_lock(&loader->mutex);
    loader->paused = true;
    while (loader->busy)
        pthread_cond_wait(&loader->changed, &loader->mutex);
    loader->epoch = epoch;
    loader->step = step;
    for (size_t i = 0; i < loader->slot_count; i++)
        loader->slots[i].filled = false;
    held_slot(loader)->filled = loader->held;
    loader->ready = 0;
    loader->fill = loader->take;
    loader->paused = false;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    return KD2M_OK;
}

kd2m_status kd2m_loader_next(kd2m_loader *loader, kd2m_batch *batch) {
    loader_slot *slot = &loader->slots[loader->take];
    pthread_mutex_lock(&loader->mutex);
    if (loader->held)
        held_slot(loader)->filled = false;
    if (loader->held && 2 * loader->ready <= loader->slot_count)
        pthread_cond_signal(&loader->changed);
    if (!slot->filled) {
        double start = kd2m_seconds();
        while (!slot->filled)
            pthread_cond_wait(&loader->changed, &loader->mutex);
        loader->waited += kd2m_seconds() - start;
    }
    loader->ready--;
    loader->take = slot_behind(loader, loader->take);
    loader->held = true;
    pthread_mutex_unlock(&loader->mutex);
    *batch = (kd2m_batch){loader->batch_size, slot->values,  slot->labels,
                          slot->ids,          slot->columns, loader->column_count};
    return KD2M_OK;
}

double kd2m_loader_waited(const kd2m_loader *loader) {
    return loader->waited;
}

void kd2m_loader_free(kd2m_loader *loader) {
    if (!loader)
        return;
    if (loader->running) {
        pthread_mutex_lock(&loader->mutex);
        loader->stop = true;
        pthread_cond_signal(&loader->changed);
        pthread_mutex_unlock(&loader->mutex);
        pthread_join(loader->thread, NULL);
        pthread_cond_destroy(&loader->changed);
        pthread_mutex_destroy(&loader->mutex);
    }
    for (size_t i = 0; i < loader->slot_count; i++) {
        kd2m_free(loader->context, loader->slots[i].values);
        kd2m_free(loader->context, loader->slots[i].labels);
        kd2m_free(loader->context, loader->slots[i].ids);
        for (size_t k = 0; k < loader->column_count; k++)
            kd2m_free(loader->context, loader->slots[i].codes[k]);
    }
    kd2m_augmenter_free(loader->augmenter);
    kd2m_row_sampler_clear(&loader->sampler);
    kd2m_free(loader->context, loader);
}
