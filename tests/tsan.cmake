# Tests under the thread sanitizer. It sees what clang compiled; the OpenMP runtime, oneDNN and
# OpenBLAS are not instrumented. Archer, the runtime's tool, tells it what their parallel regions
# order (it must be named: its own search follows the program's path alone and misses libkd2m's),
# what happens inside of them is left out, and OpenBLAS, whose threads know nothing of Archer, works
# alone. No report is suppressed.
get_filename_component(openmp "${OpenMP_omp_LIBRARY}" REALPATH)
get_filename_component(openmp "${openmp}" DIRECTORY)
find_library(KD2M_ARCHER archer HINTS ${openmp} REQUIRED)
list(APPEND KD2M_TEST_ENVIRONMENT
     OMP_TOOL_LIBRARIES=${KD2M_ARCHER} TSAN_OPTIONS=ignore_noninstrumented_modules=1
     OPENBLAS_NUM_THREADS=1)
