/* The orthogonal factor against the singular value decomposition, from well conditioned matrices to
 * those without full rank. */
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "factor.h"
#include "polar.h"
#include "rng.h"

static kd2m_arena arena;

typedef struct problem {
    size_t m, n;
    double *a, *u; /* m x n; u: the factor, by its decomposition */
    double sum;    /* of singular values */
} problem;

/* Random directions, singular values going down from 1 to `least` evenly on a log scale, times
 * `scale`. */
static problem make(size_t m, size_t n, double least, double scale) {
    problem p = {m, n, calloc(m * n, sizeof(double)), calloc(m * n, sizeof(double)), 0};
    double *u = calloc(m * n, sizeof *u), *vt = calloc(n * n, sizeof *vt);
    double *values = calloc(n, sizeof *values);
    kd2m_rng rng;
    kd2m_rng_init(&rng, m + n, KD2M_STREAM_TEST, 0);
    for (size_t i = 0; i < m * n; i++)
        p.a[i] = kd2m_rng_normal(&rng);
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_svd_bytes(n, m)));
    EXPECT_OK(arena.context, kd2m_svd(&arena, p.a, m, n, u, values, vt));
    memset(p.a, 0, m * n * sizeof *p.a);
    for (size_t k = 0; k < n; k++) {
        double value = scale * (n > 1 ? pow(least, (double)k / (double)(n - 1)) : 1);
        p.sum += value;
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
                p.a[i * n + j] += value * u[i * n + k] * vt[k * n + j];
                p.u[i * n + j] += u[i * n + k] * vt[k * n + j];
            }
    }
    free(u);
    free(vt);
    free(values);
    return p;
}

static void release(problem *p) {
    free(p->a);
    free(p->u);
}

static bool factor(const problem *p, double *u) {
    bool found;
    memcpy(u, p->a, p->m * p->n * sizeof *u);
    kd2m_arena_rewind(&arena, 0);
    EXPECT_OK(arena.context, kd2m_arena_reserve(&arena, kd2m_polar_bytes(p->m, p->n)));
    EXPECT_OK(arena.context, kd2m_polar(&arena, p->m, p->n, u, &found));
    assert_int_equal(arena.used, 0);
    return found;
}

static void expect_factor(const problem *p, double tolerance) {
    size_t m = p->m, n = p->n;
    double *u = malloc(m * n * sizeof *u), sum = 0, wrong = 0;
    assert_true(factor(p, u));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double product = 0;
            for (size_t k = 0; k < m; k++)
                product += u[k * n + i] * u[k * n + j];
            EXPECT_CLOSE(i == j, product, 1e-8, 0);
        }
    for (size_t k = 0; k < m * n; k++) {
        sum += u[k] * p->a[k];
        wrong = fmax(wrong, fabs(u[k] - p->u[k]));
    }
    EXPECT_CLOSE(p->sum, sum, 0, 1e-9);
    if (wrong > tolerance)
        fail_msg("a factor of %zu x %zu is off by %g", m, n, wrong);
    free(u);
}

static void test_all_conditions(void **state) {
    (void)state;
    static const struct {
        size_t m, n;
        double least, tolerance;
    } cases[] = {
        {1, 1, 1, 1e-7},       {7, 3, 0.5, 1e-6},    {40, 40, 1, 1e-6},     {40, 40, 0.9, 1e-6},
        {60, 50, 0.3, 1e-6},   {60, 50, 0.1, 1e-6},  {64, 64, 0.03, 3e-6},  {64, 64, 1e-3, 1e-5},
        {130, 64, 1e-5, 1e-5}, {64, 64, 1e-6, 2e-5}, {200, 96, 1e-2, 1e-5}, {48, 48, 1e-7, 1e-4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (double scale = 1e-12; scale < 1e13; scale *= 1e12) {
            problem p = make(cases[i].m, cases[i].n, cases[i].least, scale);
            expect_factor(&p, cases[i].tolerance);
            release(&p);
        }
}

/* The largest singular value stands alone, far above the others: what clusters look like. */
static void test_one_large_direction(void **state) {
    (void)state;
    problem p = make(80, 80, 0.5, 1);
    for (size_t i = 0; i < 80; i++)
        for (size_t j = 0; j < 80; j++)
            p.a[i * 80 + j] = 1 + (i == j) * 1e-3; /* symmetric and positive */
    memset(p.u, 0, 80 * 80 * sizeof *p.u);
    for (size_t i = 0; i < 80; i++)
        p.u[i * 80 + i] = 1;
    p.sum = 80 * 1.001;
    expect_factor(&p, 1e-5);
    release(&p);
}

static void test_lack_of_rank_is_said(void **state) {
    (void)state;
    problem p = make(50, 40, 0.1, 1);
    double *u = malloc(50 * 40 * sizeof *u);
    for (size_t i = 0; i < 50; i++)
        p.a[i * 40 + 3] = p.a[i * 40 + 17]; /* two columns alike */
    assert_false(factor(&p, u));
    for (size_t i = 0; i < 50; i++)
        p.a[i * 40 + 3] = 0;
    assert_false(factor(&p, u));
    memset(p.a, 0, 50 * 40 * sizeof *p.a);
    assert_false(factor(&p, u));
    for (size_t i = 0; i < 50 * 40; i++)
        p.a[i] = i % 7 ? 1e200 : -3e200; /* squares overflow */
    assert_false(factor(&p, u));
    free(u);
    release(&p);
}

static void test_little_room_is_refused(void **state) {
    (void)state;
    double u[12 * 12];
    bool found;
    size_t bytes = kd2m_polar_bytes(12, 12);
    for (size_t part = 0; part < 8; part++) {
        kd2m_arena small;
        kd2m_arena_init(&small, arena.context);
        EXPECT_OK(arena.context, kd2m_arena_reserve(&small, bytes * part / 9));
        EXPECT_STATUS(arena.context, KD2M_ERROR_INTERNAL, kd2m_polar(&small, 12, 12, u, &found));
        assert_false(found);
        kd2m_arena_free(&small);
    }
    assert_true(kd2m_polar_bytes(SIZE_MAX / 4, 5) == SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_conditions),
        cmocka_unit_test(test_one_large_direction),
        cmocka_unit_test(test_lack_of_rank_is_said),
        cmocka_unit_test(test_little_room_is_refused),
    };
    kd2m_context *context = testing_context(2);
    kd2m_arena_init(&arena, context);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_arena_free(&arena);
    kd2m_context_free(context);
    return failed;
}
