/*
 * What a descriptor declares holds, and what it does not declare does not: each trait by a change
 * of the samples that must, or must not, leave the value alone.
 */
#include "problem.h"

#include <math.h>
#include <string.h>

#include "rng.h"

static kd2m_context *context;
static metric_problem given, changed;
static float gradient[PROBLEM_VALUES], other_gradient[PROBLEM_VALUES];

/* Rounding of float32 inputs after they were moved, turned or scaled. */
#define SAME 2e-5
/* A trait that is not declared must be broken by more than that: a swap rounds nothing, and the
 * teacher's floor breaks symmetry by little. */
#define DIFFERENT 1e-3
#define SWAP_DIFFERENT 1e-9

/* Values of `given` and `changed` agree if the trait is declared, and else differ. */
static void expect_trait(const problem_metric *opened, unsigned trait, double factor) {
    double before = problem_result(opened, &given, NULL).value * factor;
    double after = problem_result(opened, &changed, NULL).value;
    double gap = fabs(after - before);
    bool declared = opened->info.traits & trait;
    double different = trait == KD2M_METRIC_SYMMETRIC ? SWAP_DIFFERENT : DIFFERENT;
    if (declared ? !(gap <= SAME * fabs(before)) : !(gap >= different * fabs(before)))
        fail_msg("%s %s trait 0x%x, but the value went from %.9g to %.9g", opened->info.spec,
                 declared ? "declares" : "does not declare", trait, before, after);
}

static void each_value(problem_side *side, void (*body)(float *row, size_t dim)) {
    for (size_t i = 0; i < side->rows; i++)
        body(side->values + i * side->stride, side->dim);
}

/* What the plan between a sample and itself leaves with its row: all, unless entropy spreads it. */
static double share_within(const reference_metric *metric, reference_use use) {
    if (!reference_spread_share(metric))
        return 1;
    reference_side x = problem_reference(&changed.x), y = problem_reference(&changed.y);
    reference_constants constants;
    reference_prepare(metric, use, &x, &y, &constants);
    double share = reference_pair_share(metric, use, &x, &y, &constants);
    problem_release(&x);
    problem_release(&y);
    return share;
}

static void check_zero(problem_metric *opened, const reference_metric *metric, reference_use use) {
    problem_adapt(&changed, &given, opened);
    double far = problem_result(opened, &changed, gradient).value;
    double steep = problem_largest(gradient, changed.x.rows * changed.x.dim);
    changed.y = changed.x;
    kd2m_metric_result result = problem_result(opened, &changed, gradient);
    bool is_zero = fabs(result.value) <= 1e-12 * far;
    assert_int_equal(is_zero, (opened->info.traits & KD2M_METRIC_ZERO) != 0);
    if (is_zero) /* a minimum */
        assert_true(problem_largest(gradient, changed.x.rows * changed.x.dim) <= 1e-6 * steep);
    if (opened->info.traits & KD2M_METRIC_TRANSPORT)
        EXPECT_CLOSE(share_within(metric, use), result.pair_share,
                     reference_spread_share(metric) ? 1e-6 : 1e-12, 0);
    else
        assert_true(isnan(result.pair_share));
}

/* Nine rows; for a metric whose plan is a local optimum so few that its starts find the best, where
 * a change may lead it to another. */
static void fill_for(const problem_metric *opened) {
    size_t rows = strstr(opened->info.spec, "gw:") ? 5 : 9;
    problem_fill(&given, 1, rows, rows, 4);
}

static void check_symmetry(problem_metric *opened, const reference_metric *metric,
                           reference_use use) {
    (void)metric;
    (void)use;
    fill_for(opened);
    static metric_problem base;
    base = given;
    problem_adapt(&given, &base, opened);
    changed.x = given.y;
    changed.y = given.x;
    expect_trait(opened, KD2M_METRIC_SYMMETRIC, 1);
    given = base;
}

static void move_row(float *row, size_t dim) {
    for (size_t k = 0; k < dim; k++)
        row[k] += k % 2 ? 1.5F : -0.75F;
}

static void turn_row(float *row, size_t dim) {
    for (size_t k = 0; k + 1 < dim; k++) { /* by 0.7 in the plane of each pair of neighbours */
        float a = row[k], b = row[k + 1];
        row[k] = (float)(cos(0.7) * a - sin(0.7) * b);
        row[k + 1] = (float)(sin(0.7) * a + cos(0.7) * b);
    }
}

static void scale_row(float *row, size_t dim) {
    for (size_t k = 0; k < dim; k++)
        row[k] *= 2.5F;
}

static void check_change(problem_metric *opened, unsigned trait, void (*body)(float *, size_t),
                         double factor) {
    static metric_problem base;
    base = given;
    problem_adapt(&given, &base, opened);
    changed = given;
    each_value(&changed.x, body);
    each_value(&changed.y, body);
    expect_trait(opened, trait, factor);
    given = base;
}

static void check_translation(problem_metric *opened, const reference_metric *metric,
                              reference_use use) {
    (void)metric;
    (void)use;
    check_change(opened, KD2M_METRIC_TRANSLATION, move_row, 1);
}

static void check_rotation(problem_metric *opened, const reference_metric *metric,
                           reference_use use) {
    (void)metric;
    (void)use;
    check_change(opened, KD2M_METRIC_ROTATION, turn_row, 1);
}

static void check_scaling(problem_metric *opened, const reference_metric *metric,
                          reference_use use) {
    (void)metric;
    (void)use;
    check_change(opened, KD2M_METRIC_SCALING, scale_row, pow(2.5, opened->info.degree));
}

/* Row i of the result is row order[i] of `side`. */
static void reorder(problem_side *side, const uint32_t *order) {
    static problem_side before;
    before = *side;
    for (size_t i = 0; i < side->rows; i++) {
        memcpy(side->values + i * side->stride, before.values + order[i] * before.stride,
               side->dim * sizeof(float));
        memcpy(side->logits + i * PROBLEM_LOGITS_STRIDE,
               before.logits + order[i] * PROBLEM_LOGITS_STRIDE, PROBLEM_CLASSES * sizeof(float));
        side->weights[i] = before.weights[order[i]];
        side->labels[i] = before.labels[order[i]];
    }
}

static void check_permutation(problem_metric *opened, const reference_metric *metric,
                              reference_use use) {
    (void)metric;
    (void)use;
    static metric_problem base;
    uint32_t order[2][PROBLEM_ROWS];
    bool paired = opened->info.traits & KD2M_METRIC_PAIRED;
    kd2m_rng rng;
    assert_true(opened->info.traits & KD2M_METRIC_PERMUTATION); /* nothing else makes sense */
    base = given;
    if (!problem_adapt(&given, &base, opened))
        problem_fill(&given, 2, 9, 9, 4); /* without weights */
    problem_adapt(&given, &given, opened);
    changed = given;
    kd2m_rng_init(&rng, 3, KD2M_STREAM_TEST, 0);
    for (int side = 0; side < 2; side++) {
        problem_side *moved = side ? &changed.y : &changed.x;
        for (uint32_t i = 0; i < moved->rows; i++)
            order[side][i] = i;
        kd2m_rng_shuffle(&rng, order[side], moved->rows);
        reorder(moved, order[paired ? 0 : side]);
    }
    expect_trait(opened, KD2M_METRIC_PERMUTATION, 1);

    /* the gradient's rows follow their rows */
    size_t dim = given.x.dim;
    problem_result(opened, &given, gradient);
    problem_result(opened, &changed, other_gradient);
    double largest = problem_largest(gradient, given.x.rows * dim);
    for (size_t i = 0; i < given.x.rows; i++)
        for (size_t k = 0; k < dim; k++)
            EXPECT_CLOSE(gradient[order[0][i] * dim + k], other_gradient[i * dim + k],
                         SAME * largest, 0);
    given = base;
}

/* A row of weight 2 is two rows, a row of weight 0 is none: with the constants held, because the
 * bandwidth counts rows, not weights. */
static void check_weights(problem_metric *opened, const reference_metric *metric,
                          reference_use use) {
    (void)metric;
    (void)use;
    fill_for(opened);
    problem_adapt(&changed, &given, opened);
    changed.x.weighted = true;
    if (!(opened->info.traits & KD2M_METRIC_WEIGHTS)) {
        kd2m_metric_result result;
        EXPECT_STATUS(context, KD2M_ERROR_INPUT, problem_evaluate(opened, &changed, &result, NULL));
        EXPECT_MESSAGE(context, "takes no row weights");
        return;
    }
    changed.x.weights[1] = 2;
    changed.x.weights[3] = 0;
    changed.y.weighted = true;
    changed.y.weights[0] = 0.5;
    for (size_t i = 1; i < changed.y.rows; i++)
        changed.y.weights[i] = i == 2 ? 0 : 0.25;
    double weighted = problem_result(opened, &changed, gradient).value;
    for (size_t k = 0; k < changed.x.dim; k++)
        assert_true(gradient[3 * changed.x.dim + k] == 0);

    uint32_t x_order[PROBLEM_ROWS] = {0}, y_order[PROBLEM_ROWS] = {0};
    for (size_t i = 0; i < changed.x.rows; i++)
        x_order[i] = (uint32_t)(i == 3 ? 1 : i);
    for (size_t i = 0; i < changed.y.rows; i++)
        y_order[i] = (uint32_t)(i == 2 ? 0 : i);
    reorder(&changed.x, x_order);
    reorder(&changed.y, y_order);
    changed.x.weighted = changed.y.weighted = false;
    kd2m_metric_result result;
    EXPECT_OK(context, problem_evaluate(opened, &changed, &result, NULL));
    EXPECT_CLOSE(weighted, result.value, 0, SAME);
}

/* Two rows with the teacher's means and variances serve as well as all of its rows: sigma points,
 * the trick that teachers of moments alone rest on; and they don't where it is not declared. */
static void check_moments(problem_metric *opened, const reference_metric *metric,
                          reference_use use) {
    (void)metric;
    static metric_problem base;
    size_t dim = given.y.dim, rows = given.y.rows;
    if (use != USE_ALONE || (opened->info.traits & KD2M_METRIC_PAIRED))
        return;
    base = given;
    problem_adapt(&given, &base, opened);
    changed = given;
    for (size_t k = 0; k < dim; k++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < rows; i++)
            mean += (double)given.y.values[i * given.y.stride + k] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            variance +=
                pow((double)given.y.values[i * given.y.stride + k] - mean, 2) / (double)rows;
        changed.y.values[k] = (float)(mean + sqrt(variance));
        changed.y.values[changed.y.stride + k] = (float)(mean - sqrt(variance));
    }
    changed.y.rows = 2;
    expect_trait(opened, KD2M_METRIC_MOMENTS, 1);
    given = base;
}

static void run(void (*body)(problem_metric *, const reference_metric *, reference_use)) {
    problem_fill(&given, 1, 9, 9, 4);
    problem_for_each(context, body);
}

static void test_zero(void **state) {
    (void)state;
    run(check_zero);
}

/* Kernels over several tiles, whose mirror images are not computed twice: a BLAS may round a tile's
 * edge otherwise than its image's, by 1e-7 of kernels of order 1, most of which evens out. */
static void test_zero_over_tiles(void **state) {
    (void)state;
    static const char *const specs[] = {"energy", "mmd", "mmd:kernel=poly"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        problem_metric opened = problem_open(context, specs[i]);
        problem_fill(&changed, 8, 630, 630, 9);
        problem_result(&opened, &changed, gradient);
        double steep = problem_largest(gradient, 630 * 9);
        changed.y = changed.x;
        EXPECT_CLOSE(0, problem_result(&opened, &changed, gradient).value, 1e-9, 0);
        assert_true(problem_largest(gradient, 630 * 9) <= 1e-5 * steep);
        problem_close(&opened);
    }
}

static void test_symmetric(void **state) {
    (void)state;
    run(check_symmetry);
}

/* Without the teacher's floor. */
static void test_symmetric_without_floor(void **state) {
    (void)state;
    static const char *const specs[] = {"jeffreys:reg=0", "fisher-rao:reg=0", "bhattacharyya:reg=0",
                                        "hellinger:reg=0", "renyi:reg=0"};
    problem_fill(&given, 1, 9, 9, 4);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        problem_metric opened = problem_open(context, specs[i]);
        assert_true(opened.info.traits & KD2M_METRIC_SYMMETRIC);
        check_symmetry(&opened, NULL, USE_ALONE);
        problem_close(&opened);
    }
}

/* A permutation of the rows is the same law: nothing is left but rounding, which no root may blow
 * up to a gradient. */
static void check_reordered_copy(problem_metric *opened, const reference_metric *metric,
                                 reference_use use) {
    (void)metric;
    uint32_t order[PROBLEM_ROWS];
    if (opened->info.traits & KD2M_METRIC_PAIRED || !(opened->info.traits & KD2M_METRIC_ZERO))
        return;
    problem_fill(&given, 5, 40, 40, 4);
    problem_fill(&changed, 6, 40, 40, 4);
    for (int close = 0; close < 2; close++) {
        double far = problem_result(opened, &given, gradient).value;
        double steep = problem_largest(gradient, 160);
        changed.x = given.x;
        changed.y = given.x;
        for (uint32_t i = 0; i < 40; i++)
            order[i] = (i + (use == USE_ALONE ? 7 : 6)) % 40;
        reorder(&changed.y, order);
        kd2m_metric_result result = problem_result(opened, &changed, gradient);
        if (fabs(result.value) > 1e-8 * far || problem_largest(gradient, 160) > 1e-6 * steep)
            fail_msg("%s of a reordered copy: %g, gradient %g", opened->info.spec, result.value,
                     problem_largest(gradient, 160));
        for (size_t i = 0; i < 40 * given.x.stride; i++) {
            given.x.values[i] = 10 + 1e-3F * given.x.values[i];
            given.y.values[i] = 10 + 1e-3F * given.y.values[i];
        }
    }
}

static void test_reordered_copy(void **state) {
    (void)state;
    problem_for_each(context, check_reordered_copy);
}

static void test_translation(void **state) {
    (void)state;
    run(check_translation);
}

static void test_rotation(void **state) {
    (void)state;
    run(check_rotation);
}

static void test_scaling(void **state) {
    (void)state;
    run(check_scaling);
}

static void test_permutation(void **state) {
    (void)state;
    run(check_permutation);
    problem_fill(&given, 4, 9, 12, 4);
    given.x.weighted = true;
    for (size_t i = 0; i < given.x.rows; i++)
        given.x.weights[i] = 1 + (double)(i % 3);
    problem_for_each(context, check_permutation);
}

static void test_moments(void **state) {
    (void)state;
    run(check_moments);
}

static void test_weights(void **state) {
    (void)state;
    run(check_weights);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_symmetric),
        cmocka_unit_test(test_translation),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_symmetric_without_floor),
        cmocka_unit_test(test_reordered_copy),
        cmocka_unit_test(test_zero_over_tiles),
    };
    context = testing_context(2);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kd2m_context_free(context);
    return failed;
}
