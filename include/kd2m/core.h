/*
 * Status, context, memory, logging, progress.
 *
 * Everything that can fail returns a kd2m_status; the sentence that explains the failure lives in
 * the context that the call was given. The library never prints, exits, aborts or changes its
 * host's environment.
 *
 * Thread rule: a context, and every object made from it, serves one thread at a time. Different
 * contexts may be used by different threads at the same moment.
 */
#ifndef KD2M_CORE_H
#define KD2M_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/export.h"

KD2M_BEGIN_DECLS

typedef enum kd2m_status {
    KD2M_OK = 0,
    KD2M_ERROR_MEMORY = 1,      /* an allocation failed */
    KD2M_ERROR_USAGE = 2,       /* the caller asked for something that does not exist or fit */
    KD2M_ERROR_INPUT = 3,       /* data or a file is not what it should be */
    KD2M_ERROR_IO = 4,          /* the operating system refused to read or write */
    KD2M_ERROR_NUMERIC = 5,     /* a computation broke down (NaN, not converged under strict) */
    KD2M_ERROR_INTERRUPTED = 6, /* the interrupt callback asked to stop */
    KD2M_ERROR_UNSUPPORTED = 7, /* this build or machine can't do it */
    KD2M_ERROR_INTERNAL = 8     /* a fault of the library */
} kd2m_status;

/* The status's name, 'out of memory' and so on. Static text. */
KD2M_API const char *kd2m_status_text(kd2m_status status);

/* The library's version at run time, 'major.minor.patch'. Static text. */
KD2M_API const char *kd2m_version(void);

/*
 * Where memory comes from. Both functions must be safe to call from several threads if several
 * contexts share them. Each may be NULL only if both are: then aligned_alloc and free serve.
 */
typedef struct kd2m_allocator {
    /* Returns `size` bytes (> 0) aligned to `alignment` (a power of two, at most 64), or NULL. */
    void *(*allocate)(void *user, size_t size, size_t alignment);
    /* Takes back what allocate gave; never called with NULL. */
    void (*release)(void *user, void *memory);
    void *user; /* borrowed; must outlive the context */
} kd2m_allocator;

typedef enum kd2m_log_level {
    KD2M_LOG_DEBUG = 0,
    KD2M_LOG_INFO = 1,
    KD2M_LOG_WARNING = 2
} kd2m_log_level;

/* What a progress callback is told. `text` and `unit` are borrowed for the call alone. */
typedef struct kd2m_progress {
    const char *text;       /* what is under way, 'epoch 3/8' */
    const char *unit;       /* what is counted, 'samples' */
    double done;            /* units done so far */
    double total;           /* units in all, 0 when not known */
    double elapsed_seconds; /* since this progress began */
    double rate;            /* units per second, recent; 0 when not known yet */
    double eta_seconds;     /* seconds left at that rate, negative when not known */
    int finished;           /* non-zero in the last call of this progress */
} kd2m_progress;

typedef struct kd2m_context_settings {
    int version;              /* KD2M_CONTEXT_SETTINGS_VERSION */
    int threads;              /* worker threads, 1..256; 0 = as many as the process may use */
    kd2m_allocator allocator; /* copied */
    void *user;               /* borrowed; handed to the callbacks below */
    /* Called for every log line of `log_level` or above; may be NULL. `text` has no newline. */
    void (*log)(void *user, kd2m_log_level level, const char *text);
    kd2m_log_level log_level;
    /* Called at most about ten times a second by long work; may be NULL. */
    void (*progress)(void *user, const kd2m_progress *progress);
    /* Polled by long work; non-zero asks it to stop with KD2M_ERROR_INTERRUPTED; may be NULL. */
    int (*interrupted)(void *user);
} kd2m_context_settings;

#define KD2M_CONTEXT_SETTINGS_VERSION 1

/* Fills `settings` with the defaults: all threads, malloc's memory, silent. */
KD2M_API void kd2m_context_settings_default(kd2m_context_settings *settings);

typedef struct kd2m_context kd2m_context;

/*
 * Makes a context. `settings` is copied; NULL stands for the defaults. On failure *out is NULL and
 * there is nothing to free. Errors: KD2M_ERROR_MEMORY, KD2M_ERROR_USAGE (bad version or threads).
 */
KD2M_API kd2m_status kd2m_context_create(kd2m_context **out, const kd2m_context_settings *settings);

/* Frees the context. Everything made from it must have been freed before. NULL is fine. */
KD2M_API void kd2m_context_free(kd2m_context *context);

/*
 * The sentence about the last failure of a call given this context: what, where, what to do.
 * Borrowed; valid until the next call with this context. "" when nothing has failed yet.
 */
KD2M_API const char *kd2m_context_message(const kd2m_context *context);

/* How many threads work for this context. */
KD2M_API int kd2m_context_threads(const kd2m_context *context);

/* Gives back text that a function documented as returning 'owned text'. NULL is fine. */
KD2M_API void kd2m_text_free(kd2m_context *context, char *text);

/*
 * Writes a file as the library writes its own: to the side, flushed and renamed, so that after any
 * failure the file is what it was before. Devices and pipes are written straight. Errors:
 * KD2M_ERROR_IO (the message names the file), KD2M_ERROR_MEMORY.
 */
KD2M_API kd2m_status kd2m_write_file(kd2m_context *context, const char *path, const void *bytes,
                                     size_t size);

KD2M_END_DECLS

#endif
