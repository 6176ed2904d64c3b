/*
 * Statistics of comparisons, on arrays: intervals and tests over seeds, many comparisons at once,
 * resampling, proportions, ranks, and scores of a classifier's predictions.
 *
 * Arrays are borrowed for the call. p-values are two-sided. An interval's level is a share, 0.95
 * for 95 %; alpha = 1 - level. Values have the unit of what is given, and so have means,
 * differences, standard errors and bounds. Only functions that take a context can fail, always by
 * KD2M_ERROR_INPUT where the data allow no answer (too few, NaN, infinity: the message says which
 * and where), KD2M_ERROR_USAGE for other arguments, and KD2M_ERROR_MEMORY where they allocate.
 */
#ifndef KD2M_STATS_H
#define KD2M_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "kd2m/core.h"
#include "kd2m/settings.h"

KD2M_BEGIN_DECLS

/*
 * Distributions. A tail is P(X > x), a cdf P(X <= x), both exact to rounding where they are tiny,
 * too. An upper quantile is the x whose tail is p, a quantile the x whose cdf is p, 0 <= p <= 1.
 * NaN for arguments that the distribution does not have. Pure functions, safe on any thread.
 */
KD2M_API double kd2m_normal_tail(double z);
KD2M_API double kd2m_normal_upper_quantile(double p);
/* Student's t, df > 0; infinity is the normal distribution. */
KD2M_API double kd2m_student_tail(double t, double df);
KD2M_API double kd2m_student_upper_quantile(double p, double df);
/* Fisher's F of finite df1, df2 > 0, x >= 0. */
KD2M_API double kd2m_f_tail(double x, double df1, double df2);
KD2M_API double kd2m_f_upper_quantile(double p, double df1, double df2);
/* Beta of finite a, b > 0, 0 <= x <= 1. */
KD2M_API double kd2m_beta_cdf(double x, double a, double b);
KD2M_API double kd2m_beta_tail(double x, double a, double b);
KD2M_API double kd2m_beta_quantile(double p, double a, double b);
/* Successes in n trials of chance 0 <= p <= 1. The quantile is the smallest k whose cdf is q or
 * more; -1 where there is none. k may be any number, 0 <= n <= KD2M_MOST_TRIALS. */
#define KD2M_MOST_TRIALS (INT64_C(1) << 36)
KD2M_API double kd2m_binomial_mass(int64_t k, int64_t n, double p);
KD2M_API double kd2m_binomial_cdf(int64_t k, int64_t n, double p);
KD2M_API double kd2m_binomial_tail(int64_t k, int64_t n, double p);
KD2M_API int64_t kd2m_binomial_quantile(double q, int64_t n, double p);

/* Where n numbers lie. */
typedef struct kd2m_summary {
    size_t count;
    double mean;
    double sd; /* with n - 1; NaN for one number; 0 where it is below the values' rounding */
    double se; /* of the mean, sd / sqrt(n); NaN for one number */
} kd2m_summary;

KD2M_API kd2m_status kd2m_summarise(kd2m_summary *out, kd2m_context *context, const double *values,
                                    size_t count);

/*
 * A mean, or a difference of means, with its t interval and test against 0. Where se is 0 there is
 * no spread to judge by, and nothing is claimed: t is 0, p is 1, the interval all numbers.
 */
typedef struct kd2m_mean_test {
    double estimate;
    double se;
    double df; /* degrees of freedom */
    double t;  /* estimate / se */
    double p;
    double low, high; /* estimate -+ t_{df, alpha/2} se */
    double level;     /* of that interval */
} kd2m_mean_test;

/* The mean of `count` >= 2 values; df = count - 1. */
KD2M_API kd2m_status kd2m_mean_test_one(kd2m_mean_test *out, kd2m_context *context,
                                        const double *values, size_t count, double level);

/* The mean of a[i] - b[i], pair by pair (the same seed, say). */
KD2M_API kd2m_status kd2m_mean_test_paired(kd2m_mean_test *out, kd2m_context *context,
                                           const double *a, const double *b, size_t count,
                                           double level);

/*
 * Does a gain on b more under a shift than under nominal conditions? The mean over seeds of
 * (a_shift - b_shift) - (a_nominal - b_nominal), each array `count` values in the seeds' order.
 */
KD2M_API kd2m_status kd2m_mean_test_interaction(kd2m_mean_test *out, kd2m_context *context,
                                                const double *a_shift, const double *b_shift,
                                                const double *a_nominal, const double *b_nominal,
                                                size_t count, double level);

/* mean(a) - mean(b) of two independent samples, variances not taken for equal (Welch 1947);
 * each count >= 2. */
KD2M_API kd2m_status kd2m_mean_test_welch(kd2m_mean_test *out, kd2m_context *context,
                                          const double *a, size_t a_count, const double *b,
                                          size_t b_count, double level);

/*
 * Holm's adjusted p-values (step-down): adjusted_(k) = max over j <= k of min(1, (m - j + 1)
 * p_(j)). Refusing those of at most alpha keeps the chance of any false refusal below alpha,
 * however the tests depend on each other. p, adjusted: count values, may be the same array.
 */
KD2M_API kd2m_status kd2m_holm(double *adjusted, kd2m_context *context, const double *p,
                               size_t count);

/* What may be said of one comparison among many. */
typedef struct kd2m_verdict {
    double adjusted_p; /* Holm's */
    size_t rank;       /* k: 1 for the smallest p; equal ones in the order given */
    double step_level; /* 1 - alpha / (m - k + 1) */
    double step_low, step_high;
    double low, high; /* at 1 - alpha / m */
    int sign;         /* +1 or -1 where a difference may be claimed, else 0 */
} kd2m_verdict;

/*
 * Verdicts on a family of `count` tests, each of a mean against 0.
 *
 * `sign` is set only where Holm's step-down has rejected (adjusted_p <= alpha) and the step
 * interval excludes 0. The step interval is the t interval at the level that the step-down asks of
 * this rank: it shows the decision, and covers with its own level when taken alone. The interval
 * [low, high] is Bonferroni's: all of a family cover together with 1 - alpha or more.
 */
KD2M_API kd2m_status kd2m_family_judge(kd2m_verdict *verdicts, kd2m_context *context,
                                       const kd2m_mean_test *tests, size_t count, double alpha);

/* clang-format off */
#define KD2M_BOOTSTRAP_SETTINGS(X)                                                                 \
    X(INTEGER, replicates, "10000", 100,  10000000, "N",     "bootstrap samples")                  \
    X(REAL,    level,      "0.95",  1e-6, 0.999999, "SHARE", "confidence level")                   \
    X(INTEGER, seed,       "1",     0,    4294967295.0, "N",    "seed of the drawing")
/* clang-format on */

typedef struct kd2m_bootstrap_settings {
    KD2M_BOOTSTRAP_SETTINGS(KD2M_SETTINGS_FIELD)
} kd2m_bootstrap_settings;

/* The list behind the struct: for defaults, flags and help. Static. */
KD2M_API const kd2m_setting_list *kd2m_bootstrap_setting_list(void);

typedef struct kd2m_bootstrap {
    double estimate; /* the mean difference over all samples */
    double se;       /* sd of the replicates */
    double percentile_low, percentile_high;
    double bca_low, bca_high; /* bias-corrected and accelerated */
    size_t clusters;
} kd2m_bootstrap;

/*
 * Bootstrap intervals of the mean of a[i] - b[i] over `count` samples. Whole clusters are drawn,
 * with replacement, as many as there are: samples of the same group (a machine, a recording) stand
 * or fall together. b NULL: of the mean of a. groups NULL: each sample is a cluster; else any
 * codes, of 2 clusters or more. With few clusters (below 20, say) such intervals are too narrow.
 * Where all clusters agree, the intervals are points. The same seed gives the same bits on any
 * number of threads.
 * Errors also: KD2M_ERROR_INTERRUPTED.
 */
KD2M_API kd2m_status kd2m_bootstrap_mean(kd2m_bootstrap *out, kd2m_context *context,
                                         const double *a, const double *b, const int32_t *groups,
                                         size_t count, const kd2m_bootstrap_settings *settings);

/* McNemar's test of two classifiers on the same samples, from those that one alone got right. */
typedef struct kd2m_mcnemar {
    int64_t only_a, only_b;
    double p;     /* exact binomial */
    double mid_p; /* half the chance of the very counts: less cautious, nearer to alpha */
} kd2m_mcnemar;

/* Counts >= 0, together at most KD2M_MOST_TRIALS. Without discordant samples both p are 1. */
KD2M_API kd2m_status kd2m_mcnemar_counts(kd2m_mcnemar *out, kd2m_context *context, int64_t only_a,
                                         int64_t only_b);

/* The counts are taken from the predictions a and b of `count` samples. */
KD2M_API kd2m_status kd2m_mcnemar_predictions(kd2m_mcnemar *out, kd2m_context *context,
                                              const int32_t *labels, const int32_t *a,
                                              const int32_t *b, size_t count);

typedef struct kd2m_proportion {
    double estimate; /* successes / trials */
    double low, high;
} kd2m_proportion;

/* Wilson's score interval: covers with its level on average. 0 <= successes <= trials,
 * 1 <= trials <= KD2M_MOST_TRIALS. */
KD2M_API kd2m_status kd2m_proportion_wilson(kd2m_proportion *out, kd2m_context *context,
                                            int64_t successes, int64_t trials, double level);

/* Clopper and Pearson's interval: covers with its level at least. */
KD2M_API kd2m_status kd2m_proportion_exact(kd2m_proportion *out, kd2m_context *context,
                                           int64_t successes, int64_t trials, double level);

/* 'Better in k of n cells.' */
typedef struct kd2m_sign_count {
    int64_t better, worse, equal; /* differences > 0, < 0, = 0 */
    kd2m_proportion better_share; /* of all cells, equal ones included; exact interval */
    double p;                     /* sign test: exact binomial, without the equal ones */
} kd2m_sign_count;

KD2M_API kd2m_status kd2m_count_signs(kd2m_sign_count *out, kd2m_context *context,
                                      const double *differences, size_t count, double level);

/*
 * p of a permutation test where `reached` of `drawn` random permutations had a statistic as large
 * as the observed one: (reached + 1) / (drawn + 1), never 0 (Phipson and Smyth 2010). NaN where
 * reached > drawn.
 */
KD2M_API double kd2m_permutation_p(size_t reached, size_t drawn);

/* The statistic, large against the null hypothesis, of rows taken in `order` (count numbers). */
typedef kd2m_status (*kd2m_permutation_statistic)(void *user, const uint32_t *order, size_t count,
                                                  double *out);

typedef struct kd2m_permutation_test {
    double observed; /* the statistic in the order 0, 1, 2, ... */
    double p;
    size_t reached, drawn;
} kd2m_permutation_test;

/*
 * Draws `permutations` >= 1 orders of `count` rows (1..2^32 - 1) and compares. One that equals the
 * observed value to 12 digits has reached it. `statistic` runs on the calling thread; what it fails
 * with is passed on. Errors also: KD2M_ERROR_NUMERIC (NaN), KD2M_ERROR_INTERRUPTED.
 */
KD2M_API kd2m_status kd2m_permutation_run(kd2m_permutation_test *out, kd2m_context *context,
                                          kd2m_permutation_statistic statistic, void *user,
                                          size_t count, size_t permutations, uint64_t seed);

/*
 * ranks[j] = the mean over blocks (data sets, seeds) of method j's rank within the block: 1 for the
 * highest score, equal scores share the mean of their ranks. For description, not a test. scores:
 * blocks x methods, row-major; infinity is allowed. ranks: `methods` numbers.
 */
KD2M_API kd2m_status kd2m_average_ranks(double *ranks, kd2m_context *context, const double *scores,
                                        size_t blocks, size_t methods);

/* Scores of predictions, as scikit-learn defines them. */
typedef struct kd2m_scores {
    size_t rows;
    double accuracy;
    double balanced_accuracy; /* mean recall of the classes that have samples */
    double macro_f1;          /* mean f1 of the classes that have samples or predictions */
} kd2m_scores;

typedef struct kd2m_class_scores {
    size_t rows;      /* of this class */
    size_t predicted; /* as this class */
    size_t correct;
    double recall;    /* correct / rows; NaN without rows */
    double precision; /* correct / predicted; NaN without predictions */
    double f1;        /* 2 correct / (rows + predicted); NaN without both */
} kd2m_class_scores;

/*
 * labels, predictions: `count` >= 1 classes in 0..class_count - 1. by_class: class_count elements,
 * or NULL.
 */
KD2M_API kd2m_status kd2m_score_predictions(kd2m_scores *out, kd2m_class_scores *by_class,
                                            kd2m_context *context, const int32_t *labels,
                                            const int32_t *predictions, size_t count,
                                            size_t class_count);

/* What an alarm on one class's score does: it is raised where score > threshold. */
typedef struct kd2m_alarm {
    double threshold;
    double recall;      /* share of the class's rows that raise it */
    double false_alarm; /* share of the other rows that raise it */
    size_t rows, other_rows;
} kd2m_alarm;

/*
 * The alarm of class `alarm_class` whose false-alarm rate on these rows is as near to `rate`
 * (0..1) as it can be without exceeding it. Equal scores are on one side: where others tie at the
 * threshold, none of them raises it. scores: the class's score of row i at scores[i x stride] (a
 * column of logits or probabilities). Needs rows of the class, and others. A threshold chosen on
 * the rows it is judged on flatters a little: choose on validation, judge by kd2m_alarm_at.
 */
KD2M_API kd2m_status kd2m_alarm_at_rate(kd2m_alarm *out, kd2m_context *context,
                                        const int32_t *labels, const float *scores, size_t stride,
                                        size_t count, int32_t alarm_class, double rate);

/* The same of a threshold that is given (not NaN). */
KD2M_API kd2m_status kd2m_alarm_at(kd2m_alarm *out, kd2m_context *context, const int32_t *labels,
                                   const float *scores, size_t stride, size_t count,
                                   int32_t alarm_class, double threshold);

KD2M_END_DECLS

#endif
