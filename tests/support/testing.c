#include "testing.h"

#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

kd2m_context *testing_context(int threads) {
    kd2m_context_settings settings;
    kd2m_context_settings_default(&settings);
    settings.threads = threads;
    kd2m_context *context = NULL;
    if (kd2m_context_create(&context, &settings) != KD2M_OK)
        fail_msg("no context");
    return context;
}

static struct {
    size_t asked;
    size_t live;
    size_t fail_at;
} counted;

static void *counted_allocate(void *user, size_t size, size_t alignment) {
    (void)user;
    void *memory = NULL;
    size_t number = counted.asked++;
    if (number < counted.fail_at)
        memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    counted.live += memory != NULL;
    return memory;
}

static void counted_release(void *user, void *memory) {
    (void)user;
    counted.live--;
    free(memory);
}

kd2m_context *testing_failing_context(size_t fail_at) {
    kd2m_context_settings settings;
    kd2m_context_settings_default(&settings);
    settings.allocator.allocate = counted_allocate;
    settings.allocator.release = counted_release;
    counted.asked = 0;
    counted.live = 0;
    counted.fail_at = SIZE_MAX;
    kd2m_context *context = NULL;
    if (kd2m_context_create(&context, &settings) != KD2M_OK)
        fail_msg("no context");
    counted.asked = 0;
    counted.live = 0;
    counted.fail_at = fail_at;
    return context;
}

size_t testing_allocations(void) {
    return counted.asked;
}

size_t testing_live(void) {
    return counted.live;
}

void testing_expect(kd2m_context *context, kd2m_status expected, kd2m_status status,
                    const char *file, int line) {
    if (status == expected)
        return;
    print_error("expected '%s', got '%s': %s\n", kd2m_status_text(expected),
                kd2m_status_text(status), context ? kd2m_context_message(context) : "");
    _fail(file, line);
}

void testing_expect_message(kd2m_context *context, const char *part, const char *file, int line) {
    if (strstr(kd2m_context_message(context), part))
        return;
    print_error("message '%s' does not hold '%s'\n", kd2m_context_message(context), part);
    _fail(file, line);
}

void testing_expect_close(double expected, double value, double absolute, double relative,
                          const char *file, int line) {
    if (fabs(value - expected) <= absolute + relative * fabs(expected))
        return;
    print_error("expected %.12g, got %.12g (off by %.3g)\n", expected, value, value - expected);
    _fail(file, line);
}

float testing_hashed(size_t index, uint32_t stream) {
    uint32_t x = (uint32_t)index + stream * 1000003U;
    const uint32_t factors[] = {0x7FEB352D, 0x846CA68B};
    for (int i = 0; i < 2; i++) {
        x ^= x >> 16;
        x *= factors[i];
    }
    x ^= x >> 16;
    return (float)(x >> 8) / 8388608.0F - 1.0F;
}

/* FNV-1a */
uint32_t testing_stream(const char *name) {
    uint32_t stream = 0x811C9DC5;
    for (; *name; name++)
        stream = (stream ^ (unsigned char)*name) * 0x01000193U;
    return stream;
}

typedef struct side {
    void (*work)(void *job);
    void *job;
    pthread_barrier_t *start;
} side;

static void *run_side(void *user) {
    side *own = user;
    pthread_barrier_wait(own->start);
    own->work(own->job);
    return NULL;
}

void testing_side_by_side(void (*work)(void *job), void *first, void *second) {
    pthread_barrier_t start;
    side sides[2] = {{work, first, &start}, {work, second, &start}};
    pthread_t threads[2];
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_side, &sides[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

const char *testing_data(const char *name) {
    static char path[4096];
    struct stat found;
    snprintf(path, sizeof path, "%s/%s", KD2M_TEST_DATA, name);
    if (stat(path, &found) == 0)
        return path;
    print_message("skipped: no data at %s (cmake -DKD2M_TEST_DATA=FOLDER names the folder)\n",
                  path);
    return NULL;
}

static char folders[64][64];
static size_t folder_count;

static int remove_entry(const char *path, const struct stat *found, int type, struct FTW *walk) {
    (void)found;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_folders(void) {
    for (size_t i = 0; i < folder_count; i++)
        nftw(folders[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *testing_folder(void) {
    if (folder_count == 0)
        atexit(remove_folders);
    if (folder_count == sizeof folders / sizeof *folders)
        fail_msg("too many test folders");
    char *path = folders[folder_count];
    snprintf(path, sizeof *folders, "/tmp/kd2m-test-XXXXXX");
    if (!mkdtemp(path))
        fail_msg("can't make a folder in /tmp");
    folder_count++;
    return path;
}
