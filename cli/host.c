/*
 * What must be said before libraries load, once, here, for the command, the tests and the benches
 * (never in the library, which must not change its host's environment):
 *   OPENBLAS_CORETYPE  OpenBLAS 0.3.21 does not know newer processors and then runs SSE kernels;
 *                      this names the kernels that fit
 *   GOMP_SPINCOUNT     OpenMP's threads wait by spinning, which starves other work on busy cores
 *                      and slows every barrier; a short spin is nearly as quick on an idle machine
 * The process starts itself again with them. What a user has set is kept. With OMP_PROC_BIND the
 * OpenMP runtime has by now bound this thread to one core, and the new process would see no other:
 * it gets all of the runtime's places back.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__)

static const char *blas_kernels(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "Haswell";
#endif
    return NULL;
}

/* Whether the variable was missing and is set now. */
static int set_missing(const char *name, const char *value) {
    return value && !getenv(name) && setenv(name, value, 0) == 0;
}

static void unbind(void) {
    cpu_set_t all;
    int places = omp_get_num_places(), ids[CPU_SETSIZE];
    CPU_ZERO(&all);
    for (int place = 0; place < places; place++) {
        int count = omp_get_place_num_procs(place);
        if (count > CPU_SETSIZE)
            return;
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < count; i++)
            CPU_SET((size_t)ids[i], &all);
    }
    if (CPU_COUNT(&all) > 0)
        sched_setaffinity(0, sizeof all, &all);
}

__attribute__((constructor)) static void prepare_environment(int argc, char **argv) {
    (void)argc;
    int changed = set_missing("OPENBLAS_CORETYPE", blas_kernels());
    changed |= set_missing("GOMP_SPINCOUNT", "10000");
    if (!changed)
        return;
    unbind();
    execv("/proc/self/exe", argv); /* on failure the slow defaults serve */
}

#endif
