/*
 * Runtime dispatch for plain C loops: the compiler makes one copy of the function per level and the
 * loader picks the best the processor has. On other processors, and for sanitizers that run before
 * the loader's choice, it is empty and the generic code serves.
 * Such a function's name must be unique in the library, static or not: clang 14 gives the loader's
 * resolver external linkage.
 */
#ifndef KD2M_CORE_SIMD_H
#define KD2M_CORE_SIMD_H

#if defined(__x86_64__) && defined(__linux__) && !defined(KD2M_NO_CLONES)
#define KD2M_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KD2M_CLONES
#endif

#endif
