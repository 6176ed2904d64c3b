/*
 * Chains of transforms: see kd2m/transform.h. Each row goes through the whole chain on one worker,
 * between two rows of scratch. Memory: two rows and the transforms' states a worker. Thread rule:
 * that of the context; the rows run side by side.
 */
#include <math.h>
#include <string.h>

#include "augment.h"
#include "context.h"
#include "corruption.h"
#include "memory.h"
#include "parallel.h"
#include "transform.h"

#define GRAIN 16                  /* rows that are worth a thread */
#define LARGEST ((size_t)1 << 26) /* values of one sample, a quarter of a gigabyte */

#define KD2M_TRANSFORM(name) extern const kd2m_transform kd2m_transform_##name;
#include "transforms.def"
#undef KD2M_TRANSFORM

#define KD2M_TRANSFORM(name) &kd2m_transform_##name.step,
static const kd2m_step_kind *const kinds[] = {
#include "transforms.def"
};
#undef KD2M_TRANSFORM

static const kd2m_step_catalogue catalogue = {"transform", kinds, sizeof kinds / sizeof *kinds};

typedef struct chain_worker {
    kd2m_transform_use *uses; /* one a step */
    float *rows[2];
    /* The first sample that a step could not take: the step, NULL while there is none. */
    const kd2m_transform_use *refusing;
    size_t refused_row;
} chain_worker;

struct kd2m_chain {
    kd2m_context *context;
    kd2m_steps steps;
    kd2m_shape in, out;
    size_t largest; /* values in the largest row between two steps */
    chain_worker *workers;
    size_t worker_count;
};

/* The descriptor that a step's kind begins. */
static const kd2m_transform *transform_of(const kd2m_chain *chain, size_t step) {
    return (const kd2m_transform *)(const void *)chain->steps.items[step].kind;
}

kd2m_status kd2m_fit_signal(kd2m_context *context, kd2m_transform_use *use) {
    use->out = use->in;
    return kd2m_check_signal(context, &use->in);
}

kd2m_status kd2m_fit_image(kd2m_context *context, kd2m_transform_use *use) {
    use->out = use->in;
    return kd2m_check_image(context, &use->in);
}

/* *size = the values of a sample, refused where nobody can want so many. */
static kd2m_status limit_size(kd2m_context *context, const kd2m_shape *shape, size_t *size) {
    *size = 1;
    for (size_t i = 0; i < shape->dims; i++)
        if (!kd2m_size_multiply(*size, shape->sizes[i], size) || *size > LARGEST)
            return kd2m_fail(context, KD2M_ERROR_INPUT,
                             "more than %zu values of a sample would come out", LARGEST);
    return KD2M_OK;
}

/* Makes the uses of one worker, from the first step to the last. */
static kd2m_status make_uses(kd2m_chain *chain, chain_worker *worker) {
    kd2m_context *context = chain->context;
    kd2m_shape shape = chain->in;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_alloc(context, (void **)&worker->uses, chain->steps.count, sizeof *worker->uses));
    for (size_t i = 0; i < chain->steps.count; i++) {
        const kd2m_transform *transform = transform_of(chain, i);
        kd2m_transform_use *use = &worker->uses[i];
        size_t size = 1;
        use->parameters = chain->steps.items[i].parameters;
        use->in = shape;
        status = transform->fit(context, use);
        if (status == KD2M_OK)
            status = limit_size(context, &use->out, &size);
        if (status == KD2M_OK && transform->create)
            status = transform->create(context, use);
        if (status != KD2M_OK) {
            kd2m_fail_within(context, status, "transform %s", transform->step.name);
            goto cleanup;
        }
        shape = use->out;
        chain->largest = size > chain->largest ? size : chain->largest;
    }
    chain->out = shape;
cleanup:
    return status;
}

static kd2m_status make_worker(kd2m_chain *chain, chain_worker *worker) {
    kd2m_status status = KD2M_OK;
    KD2M_TRY(make_uses(chain, worker));
    for (size_t i = 0; i < 2; i++)
        KD2M_TRY(
            kd2m_alloc(chain->context, (void **)&worker->rows[i], chain->largest, sizeof(float)));
cleanup:
    return status;
}

kd2m_status kd2m_chain_open(kd2m_chain **out, kd2m_context *context, const char *text, size_t dims,
                            const size_t *shape) {
    *out = NULL;
    kd2m_chain *chain = NULL;
    size_t workers = (size_t)kd2m_context_threads(context);
    kd2m_status status = KD2M_OK;
    if (dims < 1 || dims > 3)
        return kd2m_fail(context, KD2M_ERROR_USAGE, "a sample has 1 to 3 dimensions, not %zu",
                         dims);
    KD2M_TRY(kd2m_alloc(context, (void **)&chain, 1, sizeof *chain));
    chain->context = context;
    chain->in.dims = dims;
    memcpy(chain->in.sizes, shape, dims * sizeof *shape);
    KD2M_TRY(kd2m_steps_parse(&chain->steps, context, text, &catalogue));
    KD2M_TRY(kd2m_alloc(context, (void **)&chain->workers, workers, sizeof *chain->workers));
    chain->worker_count = workers;
    for (size_t i = 0; i < workers; i++)
        KD2M_TRY(make_worker(chain, &chain->workers[i]));
    *out = chain;
    chain = NULL;
cleanup:
    kd2m_chain_free(chain);
    return status;
}

static void clear_worker(kd2m_chain *chain, chain_worker *worker) {
    for (size_t i = 0; worker->uses && i < chain->steps.count; i++) {
        const kd2m_transform *transform = transform_of(chain, i);
        if (transform->destroy && worker->uses[i].state)
            transform->destroy(chain->context, &worker->uses[i]);
    }
    kd2m_free(chain->context, worker->uses);
    kd2m_free(chain->context, worker->rows[0]);
    kd2m_free(chain->context, worker->rows[1]);
}

void kd2m_chain_free(kd2m_chain *chain) {
    if (!chain)
        return;
    for (size_t i = 0; i < chain->worker_count; i++)
        clear_worker(chain, &chain->workers[i]);
    kd2m_free(chain->context, chain->workers);
    kd2m_steps_clear(chain->context, &chain->steps);
    kd2m_free(chain->context, chain);
}

void kd2m_chain_describe(const kd2m_chain *chain, kd2m_chain_info *info) {
    *info = (kd2m_chain_info){.text = chain->steps.text,
                              .dims = chain->out.dims,
                              .sample_size = kd2m_shape_size(&chain->out)};
    memcpy(info->shape, chain->out.sizes, sizeof info->shape);
}

typedef struct application {
    kd2m_chain *chain;
    const float *values;
    float *out;
} application;

/* Sends row `row` through the steps, up to one that refuses it. */
static void apply_steps(const application *job, chain_worker *worker, size_t row) {
    kd2m_chain *chain = job->chain;
    size_t last = chain->steps.count - 1;
    const float *from = job->values + row * kd2m_shape_size(&chain->in);
    for (size_t i = 0; i <= last && !worker->refusing; i++) {
        float *to = i == last ? job->out + row * kd2m_shape_size(&chain->out) : worker->rows[i % 2];
        kd2m_transform_use *use = &worker->uses[i];
        transform_of(chain, i)->apply(use, from, to);
        from = to;
        if (use->refused) {
            worker->refusing = use;
            worker->refused_row = row;
        }
    }
}

static void apply_rows(void *user, size_t begin, size_t end, int number) {
    const application *job = user;
    chain_worker *worker = &job->chain->workers[number];
    for (size_t row = begin; row < end && !worker->refusing; row++)
        apply_steps(job, worker, row);
}

/* Names the first row that a step refused, and forgets all that were. */
static kd2m_status check_refused(kd2m_chain *chain) {
    const chain_worker *first = NULL;
    const char *why = NULL;
    size_t step = 0;
    for (size_t i = 0; i < chain->worker_count; i++) {
        chain_worker *worker = &chain->workers[i];
        if (!worker->refusing)
            continue;
        size_t refusing = (size_t)(worker->refusing - worker->uses);
        if (!first || worker->refused_row < first->refused_row) {
            first = worker;
            step = refusing;
            why = worker->refusing->refused;
        }
        worker->uses[refusing].refused = NULL;
        worker->refusing = NULL;
    }
    return first ? kd2m_fail(chain->context, KD2M_ERROR_INPUT, "transform %s: row %zu (from 0): %s",
                             chain->steps.items[step].kind->name, first->refused_row, why)
                 : KD2M_OK;
}

static kd2m_status check_finite(const kd2m_chain *chain, const float *values, size_t rows) {
    size_t size = kd2m_shape_size(&chain->out);
    for (size_t i = 0; i < rows * size; i++)
        if (!isfinite(values[i]))
            return kd2m_fail(chain->context, KD2M_ERROR_INPUT,
                             "transform %s: NaN or infinity comes out of row %zu (from 0), at "
                             "value %zu",
                             chain->steps.text, i / size, i % size);
    return KD2M_OK;
}

kd2m_status kd2m_chain_apply(kd2m_chain *chain, const float *values, size_t rows, float *out) {
    if (chain->steps.count == 0) {
        memcpy(out, values, rows * kd2m_shape_size(&chain->in) * sizeof *out);
        return KD2M_OK;
    }
    kd2m_parallel_for(chain->context, rows, GRAIN, apply_rows, &(application){chain, values, out});
    kd2m_status status = check_refused(chain);
    return status == KD2M_OK ? check_finite(chain, out, rows) : status;
}

kd2m_status kd2m_transform_table(kd2m_table **out, kd2m_context *context) {
    static const char *const columns[] = {"what", "name", "key", "value", "default", "meaning"};
    *out = NULL;
    kd2m_table *table = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_table_create(&table, context, "transforms and augmentations"));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        KD2M_TRY(kd2m_table_add_column(table, columns[i], columns[i], KD2M_COLUMN_TEXT, 0));
    KD2M_TRY(kd2m_steps_list(table, &catalogue));
    KD2M_TRY(kd2m_corruptions_list(table));
    KD2M_TRY(kd2m_augmentations_list(table));
    *out = table;
    table = NULL;
cleanup:
    kd2m_table_free(table);
    return status;
}
