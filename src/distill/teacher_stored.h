/* Teachers whose features were computed elsewhere: what their two kinds share. */
#ifndef KD2M_DISTILL_TEACHER_STORED_H
#define KD2M_DISTILL_TEACHER_STORED_H

#include "feature_file.h"
#include "positions.h"
#include "teacher_kind.h"

/* What teacher->own is. */
typedef struct kd2m_stored {
    kd2m_feature_file *file;
    size_t *chosen; /* teacher->rows: the file's row of each row of the last forward; owned */
    size_t *places; /* paired: of each training sample the file's row; owned */
    kd2m_positions *drawn; /* unpaired: the file's rows that a step takes; owned */
    int32_t *labels;       /* unpaired: of the last forward, teacher->rows; NULL without; owned */
} kd2m_stored;

/* The samples are known by their keys: finds the file's row of every training sample. */
kd2m_status kd2m_stored_pair(kd2m_teacher *teacher);

/* They are not: makes ready to draw from the file's rows. Serves moments, too. */
kd2m_status kd2m_stored_unpair(kd2m_teacher *teacher);

/* Classes that the file's logits serve for: the data's, or 0 where they are of others, which the
 * log is told. */
size_t kd2m_stored_classes(const kd2m_teacher *teacher);

/* For their descriptors. */
kd2m_status kd2m_stored_find_layer(kd2m_teacher *teacher, const char *name,
                                   kd2m_teacher_layer *out);
kd2m_status kd2m_stored_read(kd2m_teacher *teacher, size_t layer, float *out);
void kd2m_stored_free(kd2m_context *context, void *own);

#endif
