/*
 * The teacher: whatever gives features and logits for the samples of a training batch. It is never
 * updated. What stands behind it, a net or arrays computed elsewhere, is a kind (teacher_kind.h);
 * who distils asks only what is here:
 *
 *     kd2m_teacher_find_layer(teacher, "stage3", &layer);      its size, and a handle to read it by
 *     kd2m_teacher_forward(teacher, &batch, seed, step);       for every batch
 *     kd2m_teacher_read(teacher, &layer, reduction, scratch, rows);
 */
#ifndef KD2M_DISTILL_TEACHER_H
#define KD2M_DISTILL_TEACHER_H

#include "evaluate.h"
#include "loader.h"
#include "loss.h"

typedef struct kd2m_teacher kd2m_teacher;

typedef struct kd2m_teacher_layer {
    size_t number; /* what the kind knows it by */
    size_t channels, positions;
} kd2m_teacher_layer;

/* Whose rows a forward yields. */
typedef enum kd2m_teacher_mode {
    KD2M_TEACHER_PAIRED,   /* row i is of the batch's sample i */
    KD2M_TEACHER_UNPAIRED, /* they are of other samples, or of nobody knows which */
    KD2M_TEACHER_MOMENTS   /* they stand for means and variances, and mean nothing else */
} kd2m_teacher_mode;

typedef struct kd2m_teacher_info {
    kd2m_teacher_mode mode;
    size_t classes; /* logits of a row; 0: it has none */
    bool labelled;  /* its rows have labels */
    bool stored;    /* its features were computed elsewhere, of samples as they are */
} kd2m_teacher_info;

/* Opens the teacher at `path`, a run folder, a model file, or features in a file or folder, for
 * batches of `batch` rows of `dataset` that were normalised with `normalisation`; both are borrowed
 * until kd2m_teacher_free. Errors: as for reading a model or features; KD2M_ERROR_INPUT where it
 * doesn't fit the data. */
kd2m_status kd2m_teacher_open(kd2m_teacher **out, kd2m_context *context, const char *path,
                              const kd2m_dataset *dataset, const kd2m_normalisation *normalisation,
                              size_t batch);
void kd2m_teacher_free(kd2m_teacher *teacher);

const kd2m_teacher_info *kd2m_teacher_describe(const kd2m_teacher *teacher);

/* Of all that it teaches: another teacher has another one. */
uint64_t kd2m_teacher_digest(const kd2m_teacher *teacher);

/* A layer by name; 'features' and 'logits' are known to every teacher that has them. Errors:
 * KD2M_ERROR_USAGE, the message naming the nearest. */
kd2m_status kd2m_teacher_find_layer(kd2m_teacher *teacher, const char *name,
                                    kd2m_teacher_layer *out);

/* Says that every batch to come holds training samples as they are, none changed at random. A net
 * then takes them from the data set, normalised its own way: what it says of a sample depends on
 * nothing of the student's, and can be kept. */
void kd2m_teacher_expect_plain(kd2m_teacher *teacher);

/* Something that is read of a teacher: a layer, or with `pooled` the means over its positions,
 * of which it then has several. */
typedef struct kd2m_teacher_reading {
    const char *name; /* the layer's; borrowed */
    kd2m_teacher_layer layer;
    bool pooled;
} kd2m_teacher_reading;

/*
 * From now on what is read of the teacher, which is to be these `count` readings alone, comes from
 * files in `folder`, made now where they are missing; the names must outlive the teacher. After
 * kd2m_teacher_expect_plain alone. The teacher runs as before where nothing can be kept; the log
 * says why. Errors: as kd2m_teacher_cache_open.
 */
kd2m_status kd2m_teacher_keep(kd2m_teacher *teacher, const char *folder, double limit,
                              const kd2m_teacher_reading *readings, size_t count);

/* Whether a layer with this reduction is read pooled. */
static inline bool kd2m_teacher_pools(const kd2m_teacher_layer *layer, kd2m_reduction reduction) {
    return layer->positions > 1 && reduction == KD2M_REDUCTION_POOL;
}

/* Runs a training batch, as the loader gives it: its values and its ids. What it draws depends on
 * (seed, step) alone, step < 2^32. */
kd2m_status kd2m_teacher_forward(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                                 uint64_t step);

/* Rows that a forward yields; their weights, which sum to 1, or NULL where all are the same; and
 * their labels and columns (of the last forward, owned by teacher or batch). */
size_t kd2m_teacher_rows(const kd2m_teacher *teacher);
const double *kd2m_teacher_weights(const kd2m_teacher *teacher);
const int32_t *kd2m_teacher_labels(const kd2m_teacher *teacher);
const kd2m_sample_column *kd2m_teacher_columns(const kd2m_teacher *teacher, size_t *count);

/* out (rows x width after the reduction, or the whole map where positions are to be rows) = a
 * layer of the last forward. `scratch` has room for the
 * whole map, rows x channels x positions; it may not be `out`. */
kd2m_status kd2m_teacher_read(kd2m_teacher *teacher, const kd2m_teacher_layer *layer,
                              kd2m_reduction reduction, float *scratch, float *out);

/* Called after each forward of a pass; the first `rows` rows are true ones, the rest repeats. */
typedef kd2m_status (*kd2m_teacher_visit)(void *user, kd2m_teacher *teacher, size_t rows);

/* Goes through all that it has of the training split, in order, each row once; one that is not of
 * these samples through all that it has. */
kd2m_status kd2m_teacher_pass(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user);

/* Accuracy and loss on a split; NaN where it does not know. */
kd2m_status kd2m_teacher_evaluate(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out);

#endif
