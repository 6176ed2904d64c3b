/* What the fuzz targets share. */
#ifndef KD2M_TESTS_FUZZ_H
#define KD2M_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input; returns 0. Declared here because libFuzzer has no header for C. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
