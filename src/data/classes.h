/* Classes from the texts that stand for labels. */
#ifndef KD2M_DATA_CLASSES_H
#define KD2M_DATA_CLASSES_H

#include "frame.h"

/*
 * *labels = owned array: the label of each code of `column`. Whole numbers keep their value; other
 * texts are sorted by bytes and numbered 0, 1, ..; where `given` names classes, 'A;B;..', they have
 * that order. A `given` that is one whole number is how many classes numbers have. Only codes that
 * rows of the frames have (their first text) count. *classes = how many, or 0: the highest label
 * says it. Errors: KD2M_ERROR_INPUT (numbers that are not whole, a text that `given` does not
 * name), KD2M_ERROR_USAGE (`given`), KD2M_ERROR_MEMORY.
 */
kd2m_status kd2m_classes_number(int32_t **labels, size_t *classes, kd2m_context *context,
                                const kd2m_column *column, const char *given,
                                const kd2m_frame *train, const kd2m_frame *test);

#endif
