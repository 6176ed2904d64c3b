/*
 * CIFAR's binary files: records of one label byte (CIFAR-10) or two (CIFAR-100: coarse, fine) and
 * 3 x 32 x 32 bytes, channel by channel, row by row (Krizhevsky, 'Learning multiple layers of
 * features from tiny images', 2009).
 */
#ifndef KD2M_DATA_CIFAR_H
#define KD2M_DATA_CIFAR_H

#include "dataset.h"
#include "source.h"

typedef struct kd2m_cifar_format {
    size_t label_bytes; /* before each image */
    size_t label;       /* which of them to take */
} kd2m_cifar_format;

/*
 * Appends a file's records to `images` (N x 3 x 32 x 32 bytes) and `labels` (N bytes), both zeroed
 * before the first file; on failure they stay as they were. Errors: KD2M_ERROR_INPUT (no records,
 * or bytes that are no whole record), KD2M_ERROR_IO, KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_cifar_append(kd2m_array *images, kd2m_array *labels, kd2m_context *context,
                              kd2m_source *source, kd2m_cifar_format format);

/* For readers: the folder's files `names` (NULL behind the last), those that are there, at least
 * the first, become a part of `raw`. */
kd2m_status kd2m_cifar_read_part(kd2m_context *context, kd2m_raw_data *raw, kd2m_part *part,
                                 const char *folder, const char *const *names,
                                 kd2m_cifar_format format);

#endif
