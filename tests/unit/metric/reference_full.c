/* Distances of the fitted Gaussians with full covariances, as their definitions read: inverses and
 * determinants by elimination, singular values by Jacobi's rotations. */
#include "reference_families.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rotates rows a and b until they are at right angles; whether they were not. */
static bool rotate(double *a, double *b, size_t count) {
    double aa = 0, bb = 0, ab = 0;
    for (size_t k = 0; k < count; k++) {
        aa += a[k] * a[k];
        bb += b[k] * b[k];
        ab += a[k] * b[k];
    }
    if (fabs(ab) <= 1e-15 * sqrt(aa * bb) || fabs(ab) < 1e-300)
        return false;
    double angle = 0.5 * atan2(2 * ab, aa - bb), c = cos(angle), s = sin(angle);
    for (size_t k = 0; k < count; k++) {
        double value = a[k];
        a[k] = c * value + s * b[k];
        b[k] = c * b[k] - s * value;
    }
    return true;
}

/* The sum of the singular values of rows x columns values, which are spoilt. */
static double nuclear_norm(double *values, size_t rows, size_t columns) {
    bool moved = true;
    double sum = 0;
    for (int sweep = 0; moved && sweep < 60; sweep++) {
        moved = false;
        for (size_t i = 0; i < rows; i++)
            for (size_t j = i + 1; j < rows; j++)
                moved = rotate(values + i * columns, values + j * columns, columns) || moved;
    }
    for (size_t i = 0; i < rows; i++) {
        double square = 0;
        for (size_t k = 0; k < columns; k++)
            square += pow(values[i * columns + k], 2);
        sum += sqrt(square);
    }
    return sum;
}

/* L of A = L L^T, 0 where a pivot is rounding. */
static double *lower_root(const reference_side *x) {
    size_t d = x->dim;
    double *a = reference_covariance(x), largest = 0;
    for (size_t k = 0; k < d; k++)
        largest = fmax(largest, a[k * d + k]);
    for (size_t k = 0; k < d; k++) {
        double pivot = a[k * d + k] > 1e-13 * largest ? sqrt(a[k * d + k]) : 0;
        for (size_t i = k; i < d; i++)
            a[i * d + k] = pivot > 0 ? a[i * d + k] / pivot : 0;
        for (size_t i = k + 1; i < d; i++)
            for (size_t j = k + 1; j <= i; j++)
                a[i * d + j] -= a[i * d + k] * a[j * d + k];
        for (size_t j = k + 1; j < d; j++)
            a[k * d + j] = 0;
    }
    return a;
}

/* tr (A^1/2 B A^1/2)^1/2 is the sum of the singular values of M^T L with A = L L^T, B = M M^T. */
REFERENCE(gauss_w2_full) {
    size_t d = x->dim;
    double *l = lower_root(x), *m = lower_root(y), *product = calloc(d * d, sizeof *product);
    double value = reference_mean_gap(metric, x, y, constant);
    for (size_t k = 0; k < d * d; k++)
        value += l[k] * l[k] + m[k] * m[k];
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < d; k++)
                product[i * d + j] += m[k * d + i] * l[k * d + j];
    value -= 2 * nuclear_norm(product, d, d);
    free(l);
    free(m);
    free(product);
    return value;
}

/* Inverts a positive definite matrix in place; log of its determinant, NaN if it is not one. */
static double invert(double *a, size_t d) {
    double determinant = 0;
    for (size_t k = 0; k < d; k++) {
        double pivot = a[k * d + k];
        determinant += log(pivot);
        a[k * d + k] = 1;
        for (size_t j = 0; j < d; j++)
            a[k * d + j] /= pivot;
        for (size_t i = 0; i < d; i++) {
            double factor = a[i * d + k];
            if (i == k)
                continue;
            a[i * d + k] = 0;
            for (size_t j = 0; j < d; j++)
                a[i * d + j] -= factor * a[k * d + j];
        }
    }
    return determinant;
}

/* Both laws: covariances with their floor, and the gap between means. */
typedef struct laws {
    size_t dim;
    double *s, *t, *gap;
} laws;

static laws fit(const reference_side *x, const reference_side *y, double reg) {
    size_t d = x->dim;
    laws fitted = {d, reference_covariance(x), reference_covariance(y), calloc(d, sizeof(double))};
    double floor = 0;
    for (size_t k = 0; k < d; k++)
        floor += reg * fitted.t[k * d + k] / (double)d;
    for (size_t k = 0; k < d; k++) {
        fitted.s[k * d + k] += floor;
        fitted.t[k * d + k] += floor;
        for (size_t i = 0; i < x->rows; i++)
            fitted.gap[k] += x->weights[i] * x->values[i * d + k];
        for (size_t i = 0; i < y->rows; i++)
            fitted.gap[k] -= y->weights[i] * y->values[i * d + k];
    }
    return fitted;
}

static void forget(laws *fitted) {
    free(fitted->s);
    free(fitted->t);
    free(fitted->gap);
}

/* mixed = share S + (1 - share) T inverted; returns the log of its determinant. */
static double mix(const laws *fitted, double share, double *mixed) {
    for (size_t k = 0; k < fitted->dim * fitted->dim; k++)
        mixed[k] = share * fitted->s[k] + (1 - share) * fitted->t[k];
    return invert(mixed, fitted->dim);
}

static double quadratic(const laws *fitted, const double *inverse) {
    double sum = 0;
    for (size_t k = 0; k < fitted->dim; k++)
        for (size_t l = 0; l < fitted->dim; l++)
            sum += fitted->gap[k] * inverse[k * fitted->dim + l] * fitted->gap[l];
    return sum;
}

/* KL(S | T), or the other way round. */
static double divergence(const laws *fitted, bool reversed) {
    size_t d = fitted->dim;
    double *s = malloc(d * d * sizeof *s), *t = malloc(d * d * sizeof *t), sum = 0;
    double log_s = mix(fitted, 1, s), log_t = mix(fitted, 0, t);
    for (size_t k = 0; k < d * d; k++)
        sum += reversed ? s[k] * fitted->t[k] : t[k] * fitted->s[k];
    sum += quadratic(fitted, reversed ? s : t) - (double)d + (reversed ? -1 : 1) * (log_t - log_s);
    free(s);
    free(t);
    return sum / 2;
}

REFERENCE(kl_full) {
    (void)constant;
    laws fitted = fit(x, y, metric->parameter);
    double value = divergence(&fitted, metric->reversed);
    forget(&fitted);
    return value;
}

REFERENCE(jeffreys_full) {
    (void)constant;
    laws fitted = fit(x, y, metric->parameter);
    double value = divergence(&fitted, false) + divergence(&fitted, true);
    forget(&fitted);
    return value;
}

/* Gil et al. 2013, equation 10: -log of the integral of p^share q^(1 - share), over share (1 -
 * share), which for 1/2 is 4 times the Bhattacharyya distance. */
static double mixed_divergence(const laws *fitted, double share) {
    size_t d = fitted->dim;
    double *mixed = malloc(d * d * sizeof *mixed);
    double log_s = mix(fitted, 1, mixed), log_t = mix(fitted, 0, mixed);
    double log_mixed = mix(fitted, 1 - share, mixed);
    double value = quadratic(fitted, mixed) / 2 +
                   (log_mixed - (1 - share) * log_s - share * log_t) / (2 * share * (1 - share));
    free(mixed);
    return value;
}

REFERENCE(bhattacharyya_full) {
    (void)constant;
    laws fitted = fit(x, y, metric->parameter);
    double value = mixed_divergence(&fitted, 0.5) / 4;
    forget(&fitted);
    return value;
}

REFERENCE(hellinger_full) {
    double distance = reference_bhattacharyya_full(metric, x, y, constant);
    return isfinite(distance) ? sqrt(1 - exp(-distance)) : NAN;
}

REFERENCE(renyi_full) {
    (void)constant;
    laws fitted = fit(x, y, 1e-5);
    double value = metric->parameter * mixed_divergence(&fitted, metric->parameter);
    forget(&fitted);
    return value;
}
