/* Any bytes as an IDX file. */
#include "fuzz_array.h"
#include "idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    fuzz_array(kd2m_idx_parse, bytes, size);
    return 0;
}
