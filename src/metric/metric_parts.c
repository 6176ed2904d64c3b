/*
 * Pieces of a call: see metric_parts.h.
 *
 * Parts of them run at once where there are at least as many pieces as threads, no piece is most of
 * the work, and the arena holds as many shares as there are threads. A context's message belongs to
 * one thread, so each part has a context of its own, and the host's callbacks are left to the part
 * that runs on the calling thread.
 */
#include "metric_parts.h"

#include "context.h"
#include "parallel.h"

/* A piece of more than this share of all work is better served by all threads. */
#define MOST_OF_WORK 0.6

typedef struct part {
    kd2m_context context;
    kd2m_arena arena;
    size_t begin, end; /* pieces */
    kd2m_status status;
} part;

typedef struct parts_job {
    const kd2m_metric_parts *parts;
    part *items;
} parts_job;

static kd2m_status run_pieces(const kd2m_metric_parts *parts, const kd2m_metric_call *call,
                              size_t begin, size_t end) {
    kd2m_status status = KD2M_OK;
    for (size_t i = begin; i < end && status == KD2M_OK; i++)
        status = parts->each(call, parts->user, i);
    return status;
}

static void run_parts(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const parts_job *job = user;
    for (size_t p = begin; p < end; p++) {
        part *own = &job->items[p];
        kd2m_metric_call call = *job->parts->call;
        call.context = &own->context;
        call.arena = &own->arena;
        own->status = run_pieces(job->parts, &call, own->begin, own->end);
    }
}

/* Whether `count` parts may run at once; *share = the arena's bytes that each of them gets. */
static bool fit_at_once(const kd2m_metric_parts *parts, size_t count, size_t *share) {
    double work = 0, most = 0;
    *share = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const kd2m_metric_piece *piece = &parts->pieces[i];
        work += piece->work;
        most = piece->work > most ? piece->work : most;
        *share = piece->bytes > *share ? piece->bytes : *share;
    }
    if (count < 2 || parts->count < count || most > MOST_OF_WORK * work)
        return false;
    size_t used = kd2m_arena_matrix_bytes(count, *share, 1);
    return kd2m_arena_sum(used, kd2m_arena_bytes(count, sizeof(part))) <= parts->room;
}

/* Deals the pieces out in their order: to each part about as much work. */
static void deal(const kd2m_metric_parts *parts, part *items, size_t count) {
    double work = 0, before = 0;
    for (size_t i = 0; i < parts->count; i++)
        work += parts->pieces[i].work;
    for (size_t i = 0, p = 0; i < parts->count; i++) {
        double middle = before + 0.5 * parts->pieces[i].work;
        for (; p + 1 < count && middle >= (double)(p + 1) * work / (double)count; p++)
            items[p].end = items[p + 1].begin = items[p + 1].end = i;
        items[p].end = i + 1;
        before += parts->pieces[i].work;
    }
}

static kd2m_status take_parts(const kd2m_metric_parts *parts, size_t count, size_t share,
                              part **out) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_call *call = parts->call;
    KD2M_TRY(kd2m_arena_take(call->arena, (void **)out, count, sizeof **out));
    for (size_t p = 0; p < count; p++) {
        part *own = &(*out)[p];
        unsigned char *memory;
        KD2M_TRY(kd2m_arena_take_unset(call->arena, (void **)&memory, share, 1));
        own->context = *call->context;
        own->context.settings.threads = 1;
        if (p > 0) {
            own->context.settings.interrupted = NULL;
            own->context.settings.progress = NULL;
            own->context.settings.log = NULL;
        }
        own->arena = (kd2m_arena){&own->context, memory, share, 0};
    }
cleanup:
    return status;
}

kd2m_status kd2m_metric_parts_run(const kd2m_metric_parts *parts) {
    kd2m_status status = KD2M_OK;
    const kd2m_metric_call *call = parts->call;
    size_t mark = call->arena->used, count = (size_t)kd2m_context_threads(call->context), share;
    parts_job job = {.parts = parts};
    if (!fit_at_once(parts, count, &share))
        return run_pieces(parts, call, 0, parts->count);
    KD2M_TRY(take_parts(parts, count, share, &job.items));
    deal(parts, job.items, count);
    kd2m_parallel_for(call->context, count, 1, run_parts, &job);
    for (size_t p = 0; p < count && status == KD2M_OK; p++)
        if (job.items[p].status != KD2M_OK)
            status =
                kd2m_fail(call->context, job.items[p].status, "%s", job.items[p].context.message);
cleanup:
    kd2m_arena_rewind(call->arena, mark);
    return status;
}
