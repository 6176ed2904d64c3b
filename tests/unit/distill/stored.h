/* Files of features for the tests of teachers that were computed elsewhere. */
#ifndef KD2M_TESTS_DISTILL_STORED_H
#define KD2M_TESTS_DISTILL_STORED_H

#include "feature_file.h"
#include "fixture.h"
#include "kd2m/array.h"

/* Writes the features of a model on data to PATH; `layers` may be NULL. */
void stored_write(kd2m_context *context, const char *model, const char *data, const char *layers,
                  bool moments, bool per_class, const char *path);

/* Reads FROM, lets `change` (NULL = nothing) at its tensors, and writes it to TO without those
 * named in `drop`, which may be NULL. */
void stored_change(kd2m_context *context, const char *from, const char *to,
                   void (*change)(kd2m_tensors *tensors), const char *drop);

/* Puts row order[i] of every tensor in the place of row i. */
void stored_reorder(kd2m_tensors *tensors, const uint32_t *order);

/* Writes a tensor to FOLDER/NAME.npy. */
void stored_write_array(kd2m_context *context, const char *folder, const kd2m_tensor *tensor);

#endif
