# What the library stands on, each as Debian packages it.
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(KISSFFT REQUIRED IMPORTED_TARGET kissfft-float)
pkg_check_modules(SAMPLERATE REQUIRED IMPORTED_TARGET samplerate)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)

# CBLAS and LAPACKE for double linear algebra.
add_library(kd2m_blas INTERFACE)
find_library(KD2M_CBLAS_LIBRARY NAMES openblas cblas blas REQUIRED)
find_library(KD2M_LAPACKE_LIBRARY NAMES lapacke REQUIRED)
find_path(KD2M_CBLAS_INCLUDE NAMES cblas.h PATH_SUFFIXES openblas-openmp openblas-pthread openblas
          HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} REQUIRED)
target_include_directories(kd2m_blas SYSTEM INTERFACE ${KD2M_CBLAS_INCLUDE})
target_link_libraries(kd2m_blas INTERFACE ${KD2M_LAPACKE_LIBRARY} ${KD2M_CBLAS_LIBRARY})

# Boost.Math's headers for the distributions of statistics.
add_library(kd2m_boost INTERFACE)
find_path(KD2M_BOOST_INCLUDE NAMES boost/math/distributions/students_t.hpp REQUIRED)
target_include_directories(kd2m_boost SYSTEM INTERFACE ${KD2M_BOOST_INCLUDE})

# The network engine. Without it the float gemm is CBLAS's, too.
set(KD2M_GEMM "")
if(KD2M_NN)
    find_package(dnnl REQUIRED)
    pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
    add_library(kd2m_onednn INTERFACE)
    target_link_libraries(kd2m_onednn INTERFACE DNNL::dnnl)
    set(KD2M_GEMM kd2m_onednn)
endif()
