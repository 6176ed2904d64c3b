/* Symbol visibility and the library's version. */
#ifndef KD2M_EXPORT_H
#define KD2M_EXPORT_H

#define KD2M_VERSION_MAJOR 0
#define KD2M_VERSION_MINOR 1
#define KD2M_VERSION_PATCH 0
#define KD2M_VERSION_TEXT "0.1.0"

#if defined(__GNUC__)
#define KD2M_API __attribute__((visibility("default")))
#define KD2M_PRINTF(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define KD2M_API
#define KD2M_PRINTF(format_index, first_argument)
#endif

#ifdef __cplusplus
#define KD2M_BEGIN_DECLS extern "C" {
#define KD2M_END_DECLS }
#else
#define KD2M_BEGIN_DECLS
#define KD2M_END_DECLS
#endif

#endif
