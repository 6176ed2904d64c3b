/*
 * OpenBLAS 0.3.21 does not know newer processors and then runs SSE kernels. This names the kernels
 * that fit before the library loads: once, here, for the command, the tests and the benches (never
 * in the library, which must not change its host's environment). The process starts itself again,
 * because the choice is made while libraries load. A user's own OPENBLAS_CORETYPE is kept.
 */
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__linux__)

__attribute__((constructor)) static void choose_blas_kernels(int argc, char **argv) {
    (void)argc;
    __builtin_cpu_init();
    const char *type = NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        type = "SkylakeX";
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        type = "Haswell";
    if (!type || getenv("OPENBLAS_CORETYPE"))
        return;
    if (setenv("OPENBLAS_CORETYPE", type, 0) == 0)
        execv("/proc/self/exe", argv); /* on failure the slow kernels serve */
}

#endif
