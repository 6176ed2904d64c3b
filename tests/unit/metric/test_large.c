/* Full covariances so large that products take the place of decompositions: gauss-w2:cov=full
 * against the singular values of Y X^T, by rows and by features, with and without full rank. */
#include "problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "factor.h"

static kd2m_context *context;
static metric_problem given;

/* One side in double: rows less their mean, each times the root of its weight. */
typedef struct centred {
    size_t rows, dim;
    double *values, *mean, *weights;
} centred;

static centred centre(const problem_side *side) {
    centred out = {side->rows, side->dim, calloc(side->rows * side->dim, sizeof(double)),
                   calloc(side->dim, sizeof(double)), calloc(side->rows, sizeof(double))};
    double total = 0;
    for (size_t i = 0; i < side->rows; i++)
        total += out.weights[i] = side->weighted ? side->weights[i] : 1;
    for (size_t i = 0; i < side->rows; i++) {
        out.weights[i] /= total;
        for (size_t k = 0; k < side->dim; k++)
            out.mean[k] += out.weights[i] * (double)side->values[i * side->stride + k];
    }
    for (size_t i = 0; i < side->rows; i++)
        for (size_t k = 0; k < side->dim; k++)
            out.values[i * side->dim + k] =
                sqrt(out.weights[i]) * ((double)side->values[i * side->stride + k] - out.mean[k]);
    return out;
}

static void release(centred *side) {
    free(side->values);
    free(side->mean);
    free(side->weights);
}

/* Returns the value; gradient (n x d) = its derivative, directions of no size left out. */
static double expected(const centred *x, const centred *y, double *gradient) {
    size_t n = x->rows, m = y->rows, d = x->dim, count = n < m ? n : m;
    double *cross = calloc(m * n, sizeof *cross), *u = calloc(m * count, sizeof *u);
    double *vt = calloc(count * n, sizeof *vt), *s = calloc(count, sizeof *s), value = 0;
    double *turned = calloc(count * d, sizeof *turned);
    kd2m_arena arena;
    kd2m_arena_init(&arena, context);
    EXPECT_OK(context, kd2m_arena_reserve(&arena, kd2m_svd_bytes(count, n < m ? m : n)));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < d; k++)
                cross[i * n + j] += y->values[i * d + k] * x->values[j * d + k];
    EXPECT_OK(context, kd2m_svd(&arena, cross, m, n, u, s, vt));
    for (size_t k = 0; k < n * d; k++)
        value += x->values[k] * x->values[k];
    for (size_t k = 0; k < m * d; k++)
        value += y->values[k] * y->values[k];
    for (size_t r = 0; r < count; r++) {
        value -= 2 * s[r];
        for (size_t i = 0; i < m && s[r] > 1e-10 * s[0]; i++)
            for (size_t k = 0; k < d; k++)
                turned[r * d + k] += u[i * count + r] * y->values[i * d + k];
    }
    for (size_t k = 0; k < d; k++)
        value += (x->mean[k] - y->mean[k]) * (x->mean[k] - y->mean[k]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            double by = x->values[i * d + k];
            for (size_t r = 0; r < count; r++)
                by -= vt[r * n + i] * turned[r * d + k];
            gradient[i * d + k] =
                2 * (sqrt(x->weights[i]) * by + x->weights[i] * (x->mean[k] - y->mean[k]));
        }
    kd2m_arena_free(&arena);
    free(cross);
    free(u);
    free(vt);
    free(s);
    free(turned);
    return value;
}

static void compare(double tolerance) {
    centred x = centre(&given.x), y = centre(&given.y);
    size_t count = x.rows * x.dim;
    double *gradient = calloc(count, sizeof *gradient);
    float *found = calloc(count, sizeof *found);
    problem_metric opened = problem_open(context, "gauss-w2:cov=full");
    double value = expected(&x, &y, gradient);
    EXPECT_CLOSE(value, problem_result(&opened, &given, found).value, 1e-9, 1e-7);
    double largest = problem_largest(found, count);
    for (size_t k = 0; k < count; k++)
        EXPECT_CLOSE(gradient[k], found[k], tolerance * largest, 0);
    problem_close(&opened);
    release(&x);
    release(&y);
    free(gradient);
    free(found);
}

static void test_by_rows(void **state) {
    (void)state;
    static const size_t shapes[][3] = {
        {110, 110, 200}, {100, 140, 220}, {140, 100, 220}, {130, 130, 130}, {250, 100, 110}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem_fill(&given, 10 + i, shapes[i][0], shapes[i][1], shapes[i][2]);
        compare(2e-5);
        given.x.weighted = true;
        for (size_t k = 0; k < given.x.rows; k++)
            given.x.weights[k] = 1 + (double)(k % 4);
        compare(2e-5);
    }
}

static void test_by_features(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{150, 220, 100}, {220, 150, 100}, {101, 102, 100}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem_fill(&given, 20 + i, shapes[i][0], shapes[i][1], shapes[i][2]);
        compare(2e-5);
        given.y.weighted = true;
        for (size_t k = 0; k < given.y.rows; k++)
            given.y.weights[k] = 1 + (double)(k % 3);
        compare(2e-5);
    }
}

/* Duplicates, dead features and weights of 0 leave directions out. */
static void test_lacking_rank(void **state) {
    (void)state;
    problem_fill(&given, 30, 110, 110, 200);
    for (size_t k = 0; k < 200; k++)
        given.x.values[5 * given.x.stride + k] = given.x.values[9 * given.x.stride + k];
    compare(2e-5);
    problem_fill(&given, 31, 110, 120, 200);
    given.y.weighted = true;
    for (size_t i = 0; i < 120; i++)
        given.y.weights[i] = (double)(i % 5);
    compare(2e-5);
    problem_fill(&given, 32, 150, 160, 100);
    for (size_t i = 0; i < 160; i++)
        given.y.values[i * given.y.stride + 7] = given.y.values[i * given.y.stride + 8];
    for (size_t i = 0; i < 150; i++)
        given.x.values[i * given.x.stride + 3] = 2.5F;
    compare(2e-5);
}

/* An offset of 10 and a spread of 1e-3, and the same rows on both sides. */
static void test_offset_and_equal_sides(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{110, 120, 200}, {150, 160, 100}};
    for (size_t s = 0; s < 2; s++) {
        problem_fill(&given, 40 + s, shapes[s][0], shapes[s][1], shapes[s][2]);
        for (size_t i = 0; i < shapes[s][1] * given.x.stride; i++) {
            given.x.values[i] = 10 + 1e-3F * given.x.values[i];
            given.y.values[i] = 10 + 1e-3F * given.y.values[i];
        }
        compare(2e-5);
        problem_fill(&given, 50 + s, shapes[s][0], shapes[s][0], shapes[s][2]);
        memcpy(given.y.values, given.x.values, sizeof given.x.values);
        problem_metric opened = problem_open(context, "gauss-w2:cov=full");
        EXPECT_CLOSE(0, problem_result(&opened, &given, NULL).value, 1e-7, 0);
        problem_close(&opened);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_rows),
        cmocka_unit_test(test_by_features),
        cmocka_unit_test(test_lacking_rank),
        cmocka_unit_test(test_offset_and_equal_sides),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
