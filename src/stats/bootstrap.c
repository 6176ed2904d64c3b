/*
 * The bootstrap of a mean difference, by clusters: see stats.h.
 *
 * A replicate draws G of the G clusters and divides the sum of their differences by their samples.
 * With theta the mean, theta_r the replicates, theta_(g) the mean without cluster g:
 *
 *     z0 = z of the share of theta_r below theta (equal ones count half)
 *     a  = sum d_g^3 / (6 (sum d_g^2)^(3/2)),  d_g = mean theta_(.) - theta_(g)
 *     BCa bounds: quantiles Phi(z0 + (z0 + z) / (1 - a (z0 + z))) of theta_r, z = -+z_{alpha/2}
 *
 * Quantiles are interpolated between neighbours as NumPy does. B. Efron, 'Better bootstrap
 * confidence intervals', JASA 82, 1987; A. C. Davison, D. V. Hinkley, 'Bootstrap methods and their
 * application', 1997, sections 3.8 (clusters) and 5.3. Draws are keyed by seed and replicate.
 * Cost: O(R G) time, R + O(n) numbers. Threads: replicates run side by side.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "context.h"
#include "item.h"
#include "memory.h"
#include "parallel.h"
#include "rng.h"
#include "summary.h"

#define REPLICATES_AT_ONCE 4096 /* between two looks at the interrupt */

static const kd2m_setting setting_rows[] = {
#define ROW(...) KD2M_SETTINGS_ROW(kd2m_bootstrap_settings, __VA_ARGS__)
    KD2M_BOOTSTRAP_SETTINGS(ROW)
#undef ROW
};

static const kd2m_setting_list setting_list = {setting_rows,
                                               sizeof setting_rows / sizeof *setting_rows};

const kd2m_setting_list *kd2m_bootstrap_setting_list(void) {
    return &setting_list;
}

typedef struct cluster {
    double sum;  /* of its samples' differences */
    double rows; /* samples */
} cluster;

typedef struct drawing {
    const cluster *clusters;
    size_t count;
    uint64_t seed;
    size_t first;          /* replicate of this turn */
    kd2m_item *replicates; /* means */
} drawing;

/* Sums of the clusters, in the order of their codes; `items` is room for `count`. */
static size_t gather(cluster *clusters, kd2m_item *items, const kd2m_contrast *differences,
                     const int32_t *groups, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        items[i] = (kd2m_item){groups ? groups[i] : (double)i, i};
    kd2m_items_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        found += i == 0 || items[i].value > items[i - 1].value;
        clusters[found - 1].sum += kd2m_contrast_row(differences, items[i].place);
        clusters[found - 1].rows++;
    }
    return found;
}

static void draw(void *user, size_t begin, size_t end, int worker) {
    const drawing *job = user;
    (void)worker;
    for (size_t r = job->first + begin; r < job->first + end; r++) {
        kd2m_rng rng;
        cluster total = {0, 0};
        kd2m_rng_init(&rng, job->seed, KD2M_STREAM_BOOTSTRAP, r);
        for (size_t g = 0; g < job->count; g++) {
            const cluster *drawn = &job->clusters[kd2m_rng_below(&rng, job->count)];
            total.sum += drawn->sum;
            total.rows += drawn->rows;
        }
        job->replicates[r] = (kd2m_item){total.sum / total.rows, r};
    }
}

static kd2m_status draw_all(drawing *job, kd2m_context *context, size_t replicates) {
    kd2m_status status = KD2M_OK;
    for (size_t first = 0; first < replicates && status == KD2M_OK; first += REPLICATES_AT_ONCE) {
        size_t left = replicates - first;
        job->first = first;
        kd2m_parallel_for(context, left < REPLICATES_AT_ONCE ? left : REPLICATES_AT_ONCE, 64, draw,
                          job);
        status = kd2m_check_interrupt(context);
    }
    return status;
}

/* From how much single clusters pull at the mean. */
static double acceleration(const cluster *clusters, size_t count, cluster total) {
    double mean = 0, squares = 0, cubes = 0;
    for (size_t g = 0; g < count; g++)
        mean += (total.sum - clusters[g].sum) / (total.rows - clusters[g].rows) / (double)count;
    for (size_t g = 0; g < count; g++) {
        double pull = mean - (total.sum - clusters[g].sum) / (total.rows - clusters[g].rows);
        squares += pull * pull;
        cubes += pull * pull * pull;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

/* z0. Where all replicates are on one side, as if half of one were on the other. */
static double bias(const kd2m_item *replicates, size_t count, double estimate) {
    double below = 0;
    for (size_t r = 0; r < count; r++)
        below += replicates[r].value < estimate ? 1 : replicates[r].value > estimate ? 0 : 0.5;
    below = fmin(fmax(below, 0.5), (double)count - 0.5);
    return -kd2m_normal_upper_quantile(below / (double)count);
}

/* The share of replicates below the bound that would be at z. */
static double corrected(double z, double z0, double a) {
    double room = 1 - a * (z0 + z);
    if (room <= 0) /* past the pole of the correction: the outermost replicate */
        return z > 0 ? 1 : 0;
    return kd2m_normal_tail(-(z0 + (z0 + z) / room));
}

static double quantile(const kd2m_item *sorted, size_t count, double share) {
    double place = share * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;
    return sorted[below].value +
           (place - (double)below) * (sorted[above].value - sorted[below].value);
}

static void conclude(kd2m_bootstrap *out, kd2m_item *replicates, size_t count, double a,
                     double level) {
    double tail = (1 - level) / 2, squares = 0, mean = 0;
    kd2m_items_sort(replicates, count);
    for (size_t r = 0; r < count; r++)
        mean += replicates[r].value / (double)count;
    for (size_t r = 0; r < count; r++)
        squares += pow(replicates[r].value - mean, 2);
    double z = kd2m_normal_upper_quantile(tail), z0 = bias(replicates, count, out->estimate);
    out->se = sqrt(squares / (double)(count - 1));
    out->percentile_low = quantile(replicates, count, tail);
    out->percentile_high = quantile(replicates, count, 1 - tail);
    out->bca_low = quantile(replicates, count, corrected(-z, z0, a));
    out->bca_high = quantile(replicates, count, corrected(z, z0, a));
}

kd2m_status kd2m_bootstrap_mean(kd2m_bootstrap *out, kd2m_context *context, const double *a,
                                const double *b, const int32_t *groups, size_t count,
                                const kd2m_bootstrap_settings *settings) {
    *out = (kd2m_bootstrap){NAN, NAN, NAN, NAN, NAN, NAN, 0};
    const kd2m_contrast differences = {b ? 2 : 1, {a, b}, {"a", "b"}};
    kd2m_summary summary;
    cluster *clusters = NULL, total = {0, 0};
    kd2m_item *items = NULL, *replicates = NULL;
    kd2m_status status = KD2M_OK;
    KD2M_TRY(kd2m_settings_validate(context, &setting_list, settings));
    KD2M_TRY(kd2m_contrast_summarise(&summary, context, &differences, count, 2));
    size_t wanted = (size_t)settings->replicates;
    KD2M_TRY(kd2m_alloc(context, (void **)&clusters, count, sizeof *clusters));
    KD2M_TRY(kd2m_alloc(context, (void **)&items, count, sizeof *items));
    KD2M_TRY(kd2m_alloc(context, (void **)&replicates, wanted, sizeof *replicates));
    size_t found = gather(clusters, items, &differences, groups, count);
    KD2M_TRY(kd2m_check_count(context, "clusters", found, 2));
    for (size_t g = 0; g < found; g++) {
        total.sum += clusters[g].sum;
        total.rows += clusters[g].rows;
    }
    drawing job = {clusters, found, (uint64_t)settings->seed, 0, replicates};
    KD2M_TRY(draw_all(&job, context, wanted));
    out->estimate = total.sum / total.rows;
    out->clusters = found;
    conclude(out, replicates, wanted, acceleration(clusters, found, total), settings->level);
cleanup:
    kd2m_free(context, replicates);
    kd2m_free(context, items);
    kd2m_free(context, clusters);
    return status;
}
