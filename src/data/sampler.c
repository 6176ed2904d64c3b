/*
 * Shuffled, class-balanced and clustered sampling from the same queues.
 *
 *   slot s = step * B + i of an epoch draws from queue s mod Q, as that queue's draw k = s div Q;
 *   draw k takes element k mod n of the queue's permutation number k div n of that epoch
 *
 * Shuffle is one queue that holds every row: a permutation an epoch, each row once. Balanced has a
 * queue for every class present: each batch holds each class equally often (+-1), and so does the
 * epoch. The permutation is keyed by (seed, epoch, queue, number). Memory 8 bytes a row; a draw is
 * O(1) but for a new permutation, O(n) once in n draws.
 *
 * Clustered makes batches that are not like the data, each row once an epoch: a batch's slots are
 * cut into as many equal pieces as it is to have classes, and each piece is filled by a class that
 * is not in the batch yet, drawn by how many rows it has left; where it runs out, by the next one
 * drawn. Another 4 bytes a row; O(rows + pieces x classes) once an epoch.
 *
 * Thread rule: one thread at a time.
 */
#include "sampler.h"

#include <stdbool.h>
#include <string.h>

#include "context.h"
#include "memory.h"
#include "rng.h"

static kd2m_status check_batch(const kd2m_dataset *dataset, size_t batch_size) {
    size_t rows = dataset->row_count[KD2M_TRAIN];
    if (batch_size >= 1 && batch_size <= rows)
        return KD2M_OK;
    return kd2m_fail(dataset->context, KD2M_ERROR_USAGE,
                     "a batch of %zu does not fit the %zu training rows of data set '%s'; choose a "
                     "batch size from 1 to %zu",
                     batch_size, rows, dataset->spec, rows);
}

/* Counts the rows of each class into `counts` (zeroed, one per class). */
static void count_classes(const kd2m_dataset *dataset, size_t *counts) {
    for (size_t i = 0; i < dataset->row_count[KD2M_TRAIN]; i++)
        counts[kd2m_dataset_label(dataset, KD2M_TRAIN, i)]++;
}

/* Fills the queues, one per class that has rows, and sorts the rows by class. */
static void fill_queues(kd2m_row_sampler *sampler, const kd2m_dataset *dataset, size_t *counts) {
    size_t start = 0;
    for (size_t c = 0; c < dataset->raw.classes; c++) {
        size_t count = counts[c];
        counts[c] = start; /* from here on: where the class's next row goes */
        if (count > 0)
            sampler->queues[sampler->queue_count++] =
                (kd2m_class_queue){.start = start, .count = count, .round = SIZE_MAX};
        start += count;
    }
    for (size_t i = 0; i < sampler->rows; i++)
        sampler->sorted[counts[kd2m_dataset_label(dataset, KD2M_TRAIN, i)]++] = (uint32_t)i;
}

static kd2m_status alloc_clusters(kd2m_row_sampler *sampler) {
    if (sampler->cluster_classes == 0)
        return kd2m_fail(sampler->context, KD2M_ERROR_USAGE, "batches of 0 classes can't be drawn");
    return kd2m_alloc(sampler->context, (void **)&sampler->clusters, sampler->rows,
                      sizeof *sampler->clusters);
}

kd2m_status kd2m_row_sampler_init(kd2m_row_sampler *sampler, const kd2m_dataset *dataset,
                                  const kd2m_loader_settings *settings) {
    kd2m_status status = KD2M_OK;
    kd2m_context *context = dataset->context;
    size_t classes = dataset->raw.classes;
    size_t *counts = NULL;
    *sampler = (kd2m_row_sampler){.context = context,
                                  .seed = settings->seed,
                                  .batch_size = settings->batch_size,
                                  .rows = dataset->row_count[KD2M_TRAIN],
                                  .cluster_classes = settings->classes_per_batch,
                                  .clustered = SIZE_MAX};

    KD2M_TRY(check_batch(dataset, settings->batch_size));
    if (settings->sampler == KD2M_SAMPLER_CLUSTERED)
        KD2M_TRY(alloc_clusters(sampler));
    KD2M_TRY(kd2m_alloc(context, (void **)&counts, classes, sizeof *counts));
    KD2M_TRY(kd2m_alloc(context, (void **)&sampler->queues, classes, sizeof *sampler->queues));
    KD2M_TRY(
        kd2m_alloc(context, (void **)&sampler->sorted, sampler->rows, sizeof *sampler->sorted));
    KD2M_TRY(kd2m_alloc(context, (void **)&sampler->order, sampler->rows, sizeof *sampler->order));
    if (settings->sampler != KD2M_SAMPLER_SHUFFLE) {
        count_classes(dataset, counts);
        fill_queues(sampler, dataset, counts);
    } else {
        sampler->queue_count = 1;
        sampler->queues[0] = (kd2m_class_queue){.count = sampler->rows, .round = SIZE_MAX};
        for (size_t i = 0; i < sampler->rows; i++)
            sampler->sorted[i] = (uint32_t)i;
    }

cleanup:
    kd2m_free(context, counts);
    if (status != KD2M_OK)
        kd2m_row_sampler_clear(sampler);
    return status;
}

void kd2m_row_sampler_clear(kd2m_row_sampler *sampler) {
    kd2m_free(sampler->context, sampler->queues);
    kd2m_free(sampler->context, sampler->sorted);
    kd2m_free(sampler->context, sampler->order);
    kd2m_free(sampler->context, sampler->clusters);
    *sampler = (kd2m_row_sampler){0};
}

/* Brings permutation number `round` of an epoch into the queue's part of `order`. A generator holds
 * 2^32 substreams, so the queue's own seed for this epoch is drawn first. */
static void permute(kd2m_row_sampler *sampler, size_t number, size_t epoch, size_t round) {
    kd2m_class_queue *queue = &sampler->queues[number];
    kd2m_stream stream = sampler->queue_count == 1 ? KD2M_STREAM_SHUFFLE : KD2M_STREAM_SAMPLER;
    uint32_t word[4];
    kd2m_rng rng;
    if (queue->epoch == epoch && queue->round == round)
        return;
    kd2m_random_block(sampler->seed, stream, epoch, number, word);
    kd2m_rng_init(&rng, (uint64_t)word[0] << 32 | word[1], stream, round);
    memcpy(sampler->order + queue->start, sampler->sorted + queue->start,
           queue->count * sizeof *sampler->order);
    kd2m_rng_shuffle(&rng, sampler->order + queue->start, queue->count);
    queue->epoch = epoch;
    queue->round = round;
}

/* The rows that may fill a batch's next piece: of one class all that are left, of classes that are
 * in the batch already none, unless `again`. */
static size_t rows_left(const kd2m_class_queue *queue, size_t step, bool again) {
    return again || queue->step != step ? queue->count - queue->taken : 0;
}

/* Draws the class of a batch's next rows. At least one row of all is left. */
static kd2m_class_queue *draw_class(kd2m_row_sampler *sampler, kd2m_rng *rng, size_t step) {
    kd2m_class_queue *queue = sampler->queues;
    size_t sum = 0;
    bool again;
    for (size_t i = 0; i < sampler->queue_count; i++)
        sum += rows_left(&queue[i], step, false);
    again = sum == 0;
    for (size_t i = 0; again && i < sampler->queue_count; i++)
        sum += rows_left(&queue[i], step, true);
    size_t drawn = (size_t)kd2m_rng_below(rng, sum);
    while (drawn >= rows_left(queue, step, again))
        drawn -= rows_left(queue++, step, again);
    return queue;
}

/* Fills places first..end-1 of the epoch, a piece of a batch. */
static void fill_piece(kd2m_row_sampler *sampler, kd2m_rng *rng, size_t step, size_t first,
                       size_t end) {
    while (first < end) {
        kd2m_class_queue *queue = draw_class(sampler, rng, step);
        size_t left = queue->count - queue->taken;
        size_t count = left < end - first ? left : end - first;
        memcpy(sampler->clusters + first, sampler->order + queue->start + queue->taken,
               count * sizeof *sampler->clusters);
        queue->taken += count;
        queue->step = step;
        first += count;
    }
}

/* Brings an epoch's batches into `clusters`. */
static void cluster(kd2m_row_sampler *sampler, size_t epoch) {
    size_t batch = sampler->batch_size, classes = sampler->cluster_classes;
    size_t pieces = classes < batch ? classes : batch;
    uint32_t word[4];
    kd2m_rng rng;
    if (sampler->clustered == epoch)
        return;
    kd2m_random_block(sampler->seed, KD2M_STREAM_SAMPLER, epoch, sampler->queue_count, word);
    kd2m_rng_init(&rng, (uint64_t)word[0] << 32 | word[1], KD2M_STREAM_SAMPLER, 0);
    for (size_t i = 0; i < sampler->queue_count; i++) {
        permute(sampler, i, epoch, 0);
        sampler->queues[i].taken = 0;
        sampler->queues[i].step = SIZE_MAX;
    }
    for (size_t step = 0; step < sampler->rows / batch; step++)
        for (size_t i = 0; i < pieces; i++)
            fill_piece(sampler, &rng, step, step * batch + i * batch / pieces,
                       step * batch + (i + 1) * batch / pieces);
    sampler->clustered = epoch;
}

void kd2m_row_sampler_draw(kd2m_row_sampler *sampler, size_t epoch, size_t step, uint32_t *ids) {
    if (sampler->clusters) {
        cluster(sampler, epoch);
        memcpy(ids, sampler->clusters + step * sampler->batch_size,
               sampler->batch_size * sizeof *ids);
        return;
    }
    for (size_t i = 0; i < sampler->batch_size; i++) {
        size_t slot = step * sampler->batch_size + i;
        size_t number = slot % sampler->queue_count;
        size_t draw = slot / sampler->queue_count;
        const kd2m_class_queue *queue = &sampler->queues[number];
        permute(sampler, number, epoch, draw / queue->count);
        ids[i] = sampler->order[queue->start + draw % queue->count];
    }
}
