/*
 * A file mapped into memory, to be read where it lies: pages come in as they are touched, and
 * processes that map the same file share them.
 *
 * For files alone that are written to the side and renamed (writer.h) and never changed in place:
 * a mapped file that is replaced or removed stays what it was, but one that is cut short while it
 * is mapped ends the process (SIGBUS).
 */
#ifndef KD2M_CORE_MAPPING_H
#define KD2M_CORE_MAPPING_H

#include <stddef.h>

#include "kd2m/core.h"

typedef struct kd2m_mapping {
    const unsigned char *bytes; /* NULL where there are none */
    size_t size;
} kd2m_mapping;

/* Maps a whole file for reading. Errors: KD2M_ERROR_IO with the path and the system's reason. */
kd2m_status kd2m_mapping_open(kd2m_mapping *out, kd2m_context *context, const char *path);

/* Takes it back and zeroes the struct; one that maps nothing is fine. */
void kd2m_mapping_close(kd2m_mapping *mapping);

#endif
