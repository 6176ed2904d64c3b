/* Comparisons of paired rows, and of covariances, as their definitions read. */
#include "reference_families.h"

#include <math.h>
#include <stdlib.h>

REFERENCE(cosine) {
    (void)metric;
    (void)constant;
    double sum = 0;
    for (size_t i = 0; i < x->rows; i++) {
        double xx = 0, yy = 0, xy = 0;
        for (size_t k = 0; k < x->dim; k++) {
            double a = x->values[i * x->dim + k], b = y->values[i * x->dim + k];
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
        sum += 1 - xy / sqrt(xx * yy);
    }
    return sum / (double)x->rows;
}

/* Squared distances of all pairs of rows, less the means of their rows and columns: -2 times the
 * Gram matrix of the centred rows. */
static double *centred_squares(const reference_side *x) {
    size_t n = x->rows;
    double *squares = malloc(n * n * sizeof *squares);
    double *means = calloc(n, sizeof *means), mean = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            squares[i * n + j] = reference_squared(x, i, x, j);
            means[i] += squares[i * n + j] / (double)n;
        }
    for (size_t i = 0; i < n; i++)
        mean += means[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            squares[i * n + j] += mean - means[i] - means[j];
    free(means);
    return squares;
}

REFERENCE(cka) {
    (void)metric;
    (void)constant;
    double *k = centred_squares(x), *l = centred_squares(y), kk = 0, ll = 0, kl = 0;
    for (size_t p = 0; p < x->rows * x->rows; p++) {
        kk += k[p] * k[p];
        ll += l[p] * l[p];
        kl += k[p] * l[p];
    }
    free(k);
    free(l);
    if (kk == 0 || ll == 0)
        return kk == ll ? 0 : 1;
    return 1 - kl / sqrt(kk) / sqrt(ll);
}

/* The mean of the distances above 0. */
static double mean_distance(const reference_side *x) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < i; j++) {
            double distance = sqrt(reference_squared(x, i, x, j));
            sum += distance;
            count += distance > 0;
        }
    return count > 0 ? sum / count : 1;
}

REFERENCE(rkd) {
    (void)metric;
    (void)constant;
    double mean_x = mean_distance(x), mean_y = mean_distance(y), sum = 0;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < i; j++) {
            double gap = fabs(sqrt(reference_squared(x, i, x, j)) / mean_x -
                              sqrt(reference_squared(y, i, y, j)) / mean_y);
            sum += gap < 1 ? gap * gap / 2 : gap - 0.5;
        }
    return 2 * sum / (double)(x->rows * x->rows);
}

REFERENCE(coral) {
    (void)metric;
    (void)constant;
    size_t d = x->dim;
    double *a = reference_covariance(x), *b = reference_covariance(y), sum = 0;
    for (size_t p = 0; p < d * d; p++)
        sum += pow(a[p] - b[p], 2);
    free(a);
    free(b);
    return sum / (4.0 * (double)(d * d));
}
