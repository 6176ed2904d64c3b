/* Any bytes as a .npy file. */
#include "fuzz_array.h"
#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    fuzz_array(kd2m_array_parse, bytes, size);
    return 0;
}
