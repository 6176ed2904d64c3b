/*
 * What a teacher says of the training samples, computed once and kept in files (cache_file.h): from
 * then on a step looks rows up instead of running a net. Rows are found by the samples' numbers in
 * the training part, which the loader tells of each batch; their order in batches, splits and seeds
 * does not matter.
 *
 * Where nothing but validation was taken from the training part, a file has the rows of all of it,
 * and serves every split; else those of the training split alone.
 */
#ifndef KD2M_DISTILL_TEACHER_CACHE_H
#define KD2M_DISTILL_TEACHER_CACHE_H

#include "teacher.h"

typedef struct kd2m_teacher_cache kd2m_teacher_cache;

/*
 * Opens the files of `count` things that are read of a teacher, in `folder`, and makes those that
 * are missing with one pass over the samples. *out is NULL where nothing can be kept, which the log
 * is told: a teacher that is no net, more than `limit` bytes in all. Errors: KD2M_ERROR_IO,
 * KD2M_ERROR_INPUT (a file that isn't what it should be), KD2M_ERROR_INTERRUPTED.
 */
kd2m_status kd2m_teacher_cache_open(kd2m_teacher_cache **out, kd2m_teacher *teacher,
                                    const char *folder, double limit,
                                    const kd2m_teacher_reading *readings, size_t count);
void kd2m_teacher_cache_free(kd2m_teacher_cache *cache);

/* The batch that kd2m_teacher_cache_read is to read: rows of the training split. */
void kd2m_teacher_cache_seek(kd2m_teacher_cache *cache, const uint32_t *ids);

/* out = the rows of a layer, the whole map or the means over its positions. */
kd2m_status kd2m_teacher_cache_read(const kd2m_teacher_cache *cache,
                                    const kd2m_teacher_layer *layer, bool pooled, float *out);

#endif
