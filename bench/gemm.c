/*
 * The library's matrix products beside the rates of the libraries under them: kd2m_gemm against
 * dnnl_sgemm called directly, then double and LAPACK. Median of several, in GFLOP/s.
 *   bench_gemm [--json]
 */
#include <dnnl.h>
#include <lapacke.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "kd2m/table.h"
#include "progress.h"
#include "rng.h"

#define REPEATS 15
#define LAPACK_SIZE 512

/* One call to be timed; each case knows its sizes. */
typedef struct work {
    kd2m_context *context;
    size_t m, n, k;
    float *a, *b, *c;
    double *a2, *b2, *c2;
} work;

static void *allocate(size_t count, size_t size) {
    void *memory = aligned_alloc(64, (count * size + 63) / 64 * 64);
    if (!memory)
        exit(1);
    return memory;
}

static int ours(work *w) {
    return (int)kd2m_gemm(w->context, false, false, w->m, w->n, w->k, 1, w->a, w->k, w->b, w->n, 0,
                          w->c, w->n);
}

static int direct(work *w) {
    dnnl_dim_t m = (dnnl_dim_t)w->m, n = (dnnl_dim_t)w->n, k = (dnnl_dim_t)w->k;
    return (int)dnnl_sgemm('N', 'N', m, n, k, 1, w->a, k, w->b, n, 0, w->c, n);
}

static int ours_double(work *w) {
    return (int)kd2m_gemm_double(w->context, false, false, w->m, w->n, w->k, 1, w->a2, w->k, w->b2,
                                 w->n, 0, w->c2, w->n);
}

/* A fresh symmetric matrix, since LAPACK overwrites it; the copy is small beside the work. */
static int eigenvectors(work *w) {
    int n = (int)w->n;
    for (size_t i = 0; i < w->n; i++)
        for (size_t j = 0; j < w->n; j++)
            w->c2[i * w->n + j] = w->a2[i * w->n + j] + w->a2[j * w->n + i];
    return LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', n, w->c2, n, w->b2);
}

static int singular_vectors(work *w) {
    int n = (int)w->n;
    size_t square = w->n * w->n;
    memcpy(w->c2, w->a2, square * sizeof *w->c2);
    return LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', n, n, w->c2, n, w->b2, w->b2 + w->n, n,
                          w->b2 + w->n + square, n);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of each of `count` calls, taken in turn so that all meet the same machine. */
static void measure(int (*const calls[])(work *), size_t count, work *w, double *seconds) {
    double times[2][REPEATS];
    for (int r = -2; r < REPEATS; r++) /* two rounds to warm up */
        for (size_t i = 0; i < count; i++) {
            double began = kd2m_seconds();
            if (calls[i](w) != 0) {
                fprintf(stderr, "bench_gemm: a call failed\n");
                exit(1);
            }
            if (r >= 0)
                times[i][r] = kd2m_seconds() - began;
        }
    for (size_t i = 0; i < count; i++) {
        qsort(times[i], REPEATS, sizeof **times, compare);
        seconds[i] = times[i][REPEATS / 2];
    }
}

static void must(kd2m_context *context, kd2m_status status) {
    if (status == KD2M_OK)
        return;
    fprintf(stderr, "bench_gemm: %s\n", kd2m_context_message(context));
    exit(1);
}

static void add_row(kd2m_table *table, kd2m_context *context, const char *what, double rate,
                    double peer) {
    must(context, kd2m_table_add_row(table));
    must(context, kd2m_table_set_text(table, "work", what));
    must(context, kd2m_table_set_real(table, "gflops", rate));
    if (peer > 0) {
        must(context, kd2m_table_set_real(table, "onednn_gflops", peer));
        must(context, kd2m_table_set_real(table, "ratio", rate / peer));
    }
}

static void open_work(work *w, kd2m_context *context, size_t m, size_t n, size_t k) {
    kd2m_rng rng;
    size_t square = n * n;
    kd2m_rng_init(&rng, 1, KD2M_STREAM_TEST, 0);
    *w = (work){.context = context, .m = m, .n = n, .k = k};
    w->a = allocate(m * k, sizeof *w->a);
    w->b = allocate(k * n, sizeof *w->b);
    w->c = allocate(m * n, sizeof *w->c);
    w->a2 = allocate(m * k, sizeof *w->a2);
    w->b2 = allocate(k * n + 2 * square + n, sizeof *w->b2);
    w->c2 = allocate(m * n + square, sizeof *w->c2);
    for (size_t i = 0; i < m * k; i++)
        w->a[i] = (float)(w->a2[i] = kd2m_rng_normal(&rng));
    for (size_t i = 0; i < k * n; i++)
        w->b[i] = (float)(w->b2[i] = kd2m_rng_normal(&rng));
}

static void close_work(work *w) {
    free(w->a);
    free(w->b);
    free(w->c);
    free(w->a2);
    free(w->b2);
    free(w->c2);
}

int main(int argc, char **argv) {
    static const size_t sizes[][3] = {{256, 256, 256},    {512, 512, 512},  {1024, 1024, 1024},
                                      {2048, 2048, 2048}, {128, 512, 784},  {128, 256, 512},
                                      {128, 64, 784},     {1024, 1024, 512}};
    kd2m_context *context;
    kd2m_table *table;
    char what[64], *text;
    double seconds[2] = {0, 0};
    work w;
    if (kd2m_context_create(&context, NULL) != KD2M_OK)
        return 1;
    must(context, kd2m_table_create(&table, context, "gemm"));
    must(context, kd2m_table_add_column(table, "work", "work", KD2M_COLUMN_TEXT, 0));
    must(context, kd2m_table_add_column(table, "gflops", "GFLOP/s", KD2M_COLUMN_REAL, 1));
    must(context, kd2m_table_add_column(table, "onednn_gflops", "oneDNN", KD2M_COLUMN_REAL, 1));
    must(context, kd2m_table_add_column(table, "ratio", "ratio", KD2M_COLUMN_REAL, 2));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open_work(&w, context, sizes[i][0], sizes[i][1], sizes[i][2]);
        double flops = 2e-9 * (double)w.m * (double)w.n * (double)w.k;
        measure((int (*const[])(work *)){ours, direct}, 2, &w, seconds);
        snprintf(what, sizeof what, "float gemm %zu x %zu x %zu", w.m, w.n, w.k);
        add_row(table, context, what, flops / seconds[0], flops / seconds[1]);
        close_work(&w);
    }
    open_work(&w, context, 1024, 1024, 1024);
    measure((int (*const[])(work *)){ours_double}, 1, &w, seconds);
    add_row(table, context, "double gemm 1024 x 1024 x 1024",
            2e-9 * 1024.0 * 1024.0 * 1024.0 / seconds[0], 0);
    close_work(&w);
    open_work(&w, context, LAPACK_SIZE, LAPACK_SIZE, LAPACK_SIZE);
    double cube = 1e-9 * (double)LAPACK_SIZE * LAPACK_SIZE * LAPACK_SIZE;
    measure((int (*const[])(work *)){eigenvectors}, 1, &w, seconds);
    add_row(table, context, "double syevd 512, as 9 n^3", 9 * cube / seconds[0], 0);
    measure((int (*const[])(work *)){singular_vectors}, 1, &w, seconds);
    add_row(table, context, "double gesdd 512, as 22 n^3", 22 * cube / seconds[0], 0);
    close_work(&w);
    snprintf(what, sizeof what, "%d threads, median of %d", kd2m_context_threads(context), REPEATS);
    must(context, kd2m_table_add_note(table, what));
    int json = argc > 1 && strcmp(argv[1], "--json") == 0;
    must(context, json ? kd2m_table_to_json(table, &text) : kd2m_table_to_text(table, &text));
    fputs(text, stdout);
    kd2m_text_free(context, text);
    kd2m_table_free(table);
    kd2m_context_free(context);
    return 0;
}
