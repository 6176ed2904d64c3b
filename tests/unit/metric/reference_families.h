/* The references' parts that fill files of their own, by family; reference.c lists them. */
#ifndef KD2M_TESTS_METRIC_REFERENCE_FAMILIES_H
#define KD2M_TESTS_METRIC_REFERENCE_FAMILIES_H

#include "reference.h"

#define REFERENCE(name)                                                                            \
    double reference_##name(const reference_metric *metric, const reference_side *x,               \
                            const reference_side *y, double constant)

/* reference_kernel.c */
double reference_squared(const reference_side *x, size_t i, const reference_side *y, size_t j);
double reference_bandwidth(const reference_metric *metric, const reference_side *x,
                           const reference_side *y);
REFERENCE(rbf);
REFERENCE(rbf_u);
REFERENCE(linear_u);
REFERENCE(poly);
REFERENCE(poly_cubic);
REFERENCE(poly_u);
REFERENCE(energy);

/* reference_full.c */
REFERENCE(gauss_w2_full);
REFERENCE(kl_full);
REFERENCE(jeffreys_full);
REFERENCE(bhattacharyya_full);
REFERENCE(hellinger_full);
REFERENCE(renyi_full);

/* reference_paired.c */
REFERENCE(cosine);
REFERENCE(cka);
REFERENCE(rkd);
REFERENCE(coral);

/* reference_gaussian.c */
double *reference_covariance(const reference_side *x); /* dim x dim; the caller's to free */
REFERENCE(mean_gap);
REFERENCE(gauss_w2);
REFERENCE(kl);
REFERENCE(jeffreys);
REFERENCE(fisher_rao);
REFERENCE(bhattacharyya);
REFERENCE(hellinger);
REFERENCE(renyi);

#endif
