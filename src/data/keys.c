/*
 * The key of a sample: the 64-bit digest (digest.h) of its shape and its values as stored, bytes or
 * floats, before any transform or normalisation. It knows no row number, split, seed or file;
 * samples that are the same share it.
 * Cost: one pass over the values, in parallel over rows. Threads: the context's.
 */
#include "keys.h"

#include "digest.h"
#include "memory.h"
#include "parallel.h"

typedef struct key_job {
    kd2m_part *part;
    uint64_t start; /* the digest of the shape */
    size_t bytes;   /* of a sample */
} key_job;

static void make_keys(void *user, size_t begin, size_t end, int worker) {
    (void)worker;
    const key_job *job = user;
    const unsigned char *values = job->part->values.values;
    for (size_t i = begin; i < end; i++)
        job->part->keys[i] = kd2m_digest(job->start, values + i * job->bytes, job->bytes);
}

kd2m_status kd2m_raw_data_make_keys(kd2m_context *context, kd2m_raw_data *raw) {
    kd2m_part *parts[] = {&raw->train, &raw->test};
    size_t size = 1;
    kd2m_status status = KD2M_OK;
    uint64_t start = KD2M_DIGEST_START;
    for (size_t i = 0; i < raw->dims; i++) {
        const uint64_t length = raw->shape[i];
        start = kd2m_digest(start, &length, sizeof length);
        size *= raw->shape[i];
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == KD2M_OK; i++) {
        key_job job = {parts[i], start, size * kd2m_part_width(parts[i])};
        status =
            kd2m_alloc(context, (void **)&parts[i]->keys, parts[i]->rows, sizeof *parts[i]->keys);
        if (status == KD2M_OK)
            kd2m_parallel_for(context, parts[i]->rows, 64, make_keys, &job);
    }
    return status;
}
