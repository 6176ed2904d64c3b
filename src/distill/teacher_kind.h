/* What a kind of teacher does, and what all kinds have in common. */
#ifndef KD2M_DISTILL_TEACHER_KIND_H
#define KD2M_DISTILL_TEACHER_KIND_H

#include "teacher_cache.h"
#include "tensors.h"

typedef struct kd2m_teacher_kind {
    kd2m_status (*find_layer)(kd2m_teacher *teacher, const char *name, kd2m_teacher_layer *out);
    kd2m_status (*forward)(kd2m_teacher *teacher, const kd2m_batch *batch, uint64_t seed,
                           uint64_t step);                                /* labels, too, &c. */
    kd2m_status (*read)(kd2m_teacher *teacher, size_t layer, float *out); /* the whole map */
    kd2m_status (*pass)(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user);
    /* Runs samples as they are: teacher->batch numbers of rows of the training part; `input` has
     * room for them. NULL where what it says is kept already. */
    kd2m_status (*run_samples)(kd2m_teacher *teacher, const uint32_t *numbers, float *input);
    kd2m_status (*evaluate)(kd2m_teacher *teacher, kd2m_split split, kd2m_evaluation *out);
    void (*free)(kd2m_context *context, void *own); /* `own` may be half made, never NULL */
} kd2m_teacher_kind;

struct kd2m_teacher {
    kd2m_context *context;
    const kd2m_dataset *dataset;             /* borrowed */
    const kd2m_normalisation *normalisation; /* borrowed: the student's */
    size_t batch;                            /* rows of the student's batches */
    const kd2m_teacher_kind *kind;           /* set by the kind's open, as all that follows */
    void *own;                               /* the kind's; owned */
    kd2m_teacher_info info;
    uint64_t digest;
    uint64_t origin;           /* of all that its outputs follow from, where it can run samples */
    bool plain;                /* batches hold samples as they are */
    kd2m_teacher_cache *cache; /* which it is read from; NULL without one; owned */
    size_t rows;               /* that a forward yields */
    const double *weights;     /* of these, summing to 1; NULL = all the same */
    const int32_t *labels;     /* of the last forward, as the columns */
    const kd2m_sample_column *columns;
    size_t column_count;
};

/* Labels and columns are those of the batch. */
void kd2m_teacher_take_batch(kd2m_teacher *teacher, const kd2m_batch *batch);

/* Runs the whole training split through forward, in order: a kind's pass where it can tell every
 * sample. */
kd2m_status kd2m_teacher_pass_samples(kd2m_teacher *teacher, kd2m_teacher_visit visit, void *user);

/* The kinds: each sets kind and own before it can fail. `tensors` are what the file `name` holds;
 * they are taken over, also on failure. */
kd2m_status kd2m_teacher_net_open(kd2m_teacher *teacher, kd2m_tensors *tensors, const char *name);
kd2m_status kd2m_teacher_stored_open(kd2m_teacher *teacher, kd2m_tensors *tensors,
                                     const char *name);

#endif
