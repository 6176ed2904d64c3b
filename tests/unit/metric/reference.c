/* See reference.h. Nothing here is shared with the library. */
#include "reference.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference_families.h"
#include "testing.h"

#define MAX_UNITS 8 /* of mass in a brute-force transport: 8! assignments */

/* Every assignment of units, those that already cost too much cut short. */
static void assign(const double *costs, size_t units, size_t done, unsigned taken, double cost,
                   double *best) {
    if (cost >= *best)
        return;
    if (done == units) {
        *best = cost;
        return;
    }
    for (size_t j = 0; j < units; j++)
        if (!(taken & (1U << j)))
            assign(costs, units, done + 1, taken | (1U << j), cost + costs[done * units + j], best);
}

/* Whether all weights are multiples of 1/units. */
bool reference_divides(const reference_side *side, size_t units) {
    for (size_t i = 0; i < side->rows; i++) {
        double count = side->weights[i] * (double)units;
        if (fabs(count - round(count)) > 1e-6)
            return false;
    }
    return true;
}

/* owner[u] = the row that unit u of the side's mass belongs to. */
void reference_share_out(const reference_side *side, size_t units, size_t *owner) {
    size_t next = 0;
    for (size_t i = 0; i < side->rows; i++)
        for (long count = lround(side->weights[i] * (double)units); count > 0; count--)
            owner[next++] = i;
    assert_int_equal(next, units);
}

/* What it costs to move row i of x to row j of y. */
typedef double (*ground_cost)(const reference_metric *metric, const reference_side *x, size_t i,
                              const reference_side *y, size_t j, double constant);

/* Mass is cut into equal units, so that some optimal plan is an assignment of them. */
static double transport(const reference_metric *metric, const reference_side *x,
                        const reference_side *y, double constant, ground_cost cost) {
    size_t units = 1, from[MAX_UNITS], to[MAX_UNITS];
    while (units <= MAX_UNITS && !(reference_divides(x, units) && reference_divides(y, units)))
        units++;
    if (units > MAX_UNITS)
        fail_msg("weights too odd for the brute-force transport");
    reference_share_out(x, units, from);
    reference_share_out(y, units, to);
    double costs[MAX_UNITS * MAX_UNITS], best = DBL_MAX;
    for (size_t u = 0; u < units; u++)
        for (size_t v = 0; v < units; v++)
            costs[u * units + v] = cost(metric, x, from[u], y, to[v], constant);
    assign(costs, units, 0, 0, 0, &best);
    return best / (double)units;
}

double reference_squared_cost(const reference_metric *metric, const reference_side *x, size_t i,
                              const reference_side *y, size_t j, double constant) {
    (void)metric;
    (void)constant;
    return reference_squared(x, i, y, j);
}

static double root_cost(const reference_metric *metric, const reference_side *x, size_t i,
                        const reference_side *y, size_t j, double constant) {
    (void)metric;
    (void)constant;
    return sqrt(reference_squared(x, i, y, j));
}

static double w2(const reference_metric *metric, const reference_side *x, const reference_side *y,
                 double constant) {
    return transport(metric, x, y, constant, reference_squared_cost);
}

static double w1(const reference_metric *metric, const reference_side *x, const reference_side *y,
                 double constant) {
    return transport(metric, x, y, constant, root_cost);
}

/* The rows that joint compares beside features: logits, or their softmax. */
static double beside(const reference_metric *metric, const reference_side *x, size_t i, size_t k) {
    const double *row = x->logits + i * x->classes;
    if (metric->beside == BESIDE_LOGITS)
        return row[k];
    double sum = 0;
    for (size_t c = 0; c < x->classes; c++)
        sum += exp(row[c] - row[k]);
    return 1 / sum;
}

static double label_cost(const reference_metric *metric, const reference_side *x, size_t i,
                         const reference_side *y, size_t j) {
    double sum = 0;
    if (metric->beside == BESIDE_ONEHOT)
        return x->labels[i] == y->labels[j] ? 0 : 2;
    for (size_t k = 0; k < x->classes; k++)
        sum += pow(beside(metric, x, i, k) - beside(metric, y, j, k), 2);
    return sum;
}

double reference_joint_cost(const reference_metric *metric, const reference_side *x, size_t i,
                            const reference_side *y, size_t j, double largest) {
    return reference_squared(x, i, y, j) / largest +
           metric->parameter * label_cost(metric, x, i, y, j);
}

static double joint_w1_cost(const reference_metric *metric, const reference_side *x, size_t i,
                            const reference_side *y, size_t j, double largest) {
    return sqrt(reference_squared(x, i, y, j)) / largest +
           metric->parameter * label_cost(metric, x, i, y, j);
}

static double joint_w2(const reference_metric *metric, const reference_side *x,
                       const reference_side *y, double largest) {
    return transport(metric, x, y, largest, reference_joint_cost);
}

static double joint_w1(const reference_metric *metric, const reference_side *x,
                       const reference_side *y, double largest) {
    return transport(metric, x, y, largest, joint_w1_cost);
}

double reference_largest_squared(const reference_metric *metric, const reference_side *x,
                                 const reference_side *y) {
    (void)metric;
    double largest = 0;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++)
            largest = fmax(largest, reference_squared(x, i, y, j));
    return largest;
}

static double largest_root(const reference_metric *metric, const reference_side *x,
                           const reference_side *y) {
    return sqrt(reference_largest_squared(metric, x, y));
}

static double mse(const reference_metric *metric, const reference_side *x, const reference_side *y,
                  double constant) {
    (void)metric;
    (void)constant;
    double sum = 0;
    for (size_t i = 0; i < x->rows; i++)
        sum += reference_squared(x, i, y, i) / (double)x->rows;
    return sum;
}

/* The probability of class k in row i at a temperature. */
static double softmax(const reference_side *x, size_t i, size_t k, double temperature) {
    double sum = 0;
    for (size_t c = 0; c < x->dim; c++)
        sum += exp((x->values[i * x->dim + c] - x->values[i * x->dim + k]) / temperature);
    return 1 / sum;
}

static double kd(const reference_metric *metric, const reference_side *x, const reference_side *y,
                 double constant) {
    (void)constant;
    double sum = 0, temperature = metric->parameter;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t k = 0; k < x->dim; k++) {
            double p = softmax(y, i, k, temperature), q = softmax(x, i, k, temperature);
            sum += p * log(p / q);
        }
    return temperature * temperature * sum / (double)x->rows;
}

static const reference_metric metrics[] = {
    {"w2", "w2", w2, NULL, 1, 0, false, false, 0},
    {"w1", "w1", w1, NULL, 1, 0, false, false, 0},
    {"gauss-w2", "gauss-w2", reference_gauss_w2, NULL, 2, 0, false, false, 0},
    {"kl", "kl", reference_kl, NULL, 2, 1e-5, false, false, 0},
    {"kl", "kl:dir=ts", reference_kl, NULL, 2, 1e-5, true, false, 0},
    {"kl", "kl:reg=0.3,dir=st", reference_kl, NULL, 2, 0.3, false, false, 0},
    {"jeffreys", "jeffreys", reference_jeffreys, NULL, 2, 1e-5, false, false, 0},
    {"jeffreys", "jeffreys:reg=0.2", reference_jeffreys, NULL, 2, 0.2, false, false, 0},
    {"fisher-rao", "fisher-rao", reference_fisher_rao, NULL, 2, 1e-5, false, false, 0},
    {"bhattacharyya", "bhattacharyya", reference_bhattacharyya, NULL, 2, 1e-5, false, false, 0},
    {"hellinger", "hellinger", reference_hellinger, NULL, 2, 1e-5, false, false, 0},
    {"renyi", "renyi", reference_renyi, NULL, 2, 0.5, false, false, 0},
    {"renyi", "renyi:alpha=0.9", reference_renyi, NULL, 2, 0.9, false, false, 0},
    {"renyi", "renyi:alpha=1.05", reference_renyi, NULL, 2, 1.05, false, false, 0},
    {"gauss-w2", "gauss-w2:cov=full", reference_gauss_w2_full, NULL, 2, 0, false, false, 0},
    {"kl", "kl:cov=full", reference_kl_full, NULL, 2, 1e-5, false, false, 0},
    {"kl", "kl:cov=full,dir=ts,reg=0.1", reference_kl_full, NULL, 2, 0.1, true, false, 0},
    {"jeffreys", "jeffreys:cov=full", reference_jeffreys_full, NULL, 2, 1e-5, false, false, 0},
    {"bhattacharyya", "bhattacharyya:cov=full", reference_bhattacharyya_full, NULL, 2, 1e-5, false,
     false, 0},
    {"hellinger", "hellinger:cov=full,reg=1e-3", reference_hellinger_full, NULL, 2, 1e-3, false,
     false, 0},
    {"renyi", "renyi:cov=full,alpha=0.7", reference_renyi_full, NULL, 2, 0.7, false, false, 0},
    {"mmd", "mmd", reference_rbf, reference_bandwidth, 1, 0, false, false, 0},
    {"mmd", "mmd:kernel=rbf,sigma=1.5", reference_rbf, reference_bandwidth, 1, 1.5, false, false,
     0},
    {"mmd", "mmd:kernel=linear", reference_mean_gap, NULL, 1, 0, false, false, 0},
    {"mmd", "mmd:unbiased=1", reference_rbf_u, reference_bandwidth, 2, 0, false, false, 0},
    {"mmd", "mmd:kernel=linear,unbiased=1", reference_linear_u, NULL, 2, 0, false, false, 0},
    {"mmd", "mmd:kernel=poly", reference_poly, NULL, 1, 0, false, false, 0},
    {"mmd", "mmd:kernel=poly,power=3,c=0.5", reference_poly_cubic, NULL, 1, 0.5, false, false, 0},
    {"mmd", "mmd:kernel=poly,unbiased=1,c=1", reference_poly_u, NULL, 2, 1, false, false, 0},
    {"energy", "energy", reference_energy, NULL, 1, 0, false, false, 0},
    {"coral", "coral", reference_coral, NULL, 2, 0, false, false, 0},
    {"cosine", "cosine", reference_cosine, NULL, 1, 0, false, false, 0},
    {"cka", "cka", reference_cka, NULL, 1, 0, false, false, 0},
    {"rkd", "rkd", reference_rkd, NULL, 1, 0, false, false, 0},
    {"mse", "mse", mse, NULL, 1, 0, false, false, 0},
    {"kd", "kd", kd, NULL, 1, 4, false, false, 0},
    {"kd", "kd:T=1.5", kd, NULL, 1, 1.5, false, false, 0},
    {"joint", "joint(w2)", joint_w2, reference_largest_squared, 1, 1, false, true, BESIDE_ONEHOT},
    {"joint", "joint(w1):beta=0.1", joint_w1, largest_root, 1, 0.1, false, true, BESIDE_ONEHOT},
    {"joint", "joint(w2):beta=0", joint_w2, reference_largest_squared, 1, 0, false, true,
     BESIDE_ONEHOT},
    {"joint", "joint(w2):of=logits", joint_w2, reference_largest_squared, 1, 1, false, true,
     BESIDE_LOGITS},
    {"joint", "joint(w1):of=logits,beta=0.2", joint_w1, largest_root, 1, 0.2, false, true,
     BESIDE_LOGITS},
    {"joint", "joint(w2):of=softmax,beta=3", joint_w2, reference_largest_squared, 1, 3, false, true,
     BESIDE_SOFTMAX},
};

const reference_metric *reference_metric_at(size_t index) {
    size_t count = sizeof metrics / sizeof *metrics;
    return index < count ? &metrics[index] : reference_transport_at(index - count);
}

const char *reference_constant_name(const reference_metric *metric) {
    if (metric->alone)
        return "largest_cost";
    return metric->constant == reference_bandwidth ? "sigma" : "mean_cost";
}

reference_use reference_uses(const reference_metric *metric) {
    return metric->alone ? USE_COND : USE_COUNT;
}

const char *reference_spec(const reference_metric *metric, reference_use use) {
    static char text[128];
    static const char *const forms[USE_COUNT] = {"%s", "cond(%s)", "cond(%s):classes=sum"};
    snprintf(text, sizeof text, forms[use], metric->spec);
    return text;
}

/* The rows of one label; their memory is given back by release. */
static reference_side group_of(const reference_side *side, int32_t label, double *share) {
    reference_side group = {.dim = side->dim};
    double *values = malloc(side->rows * side->dim * sizeof *values);
    group.weights = malloc(side->rows * sizeof *group.weights);
    group.numbers = malloc(side->rows * sizeof *group.numbers);
    group.values = values;
    *share = 0;
    for (size_t i = 0; i < side->rows; i++) {
        if (side->labels[i] != label || side->weights[i] == 0)
            continue;
        memcpy(values + group.rows * side->dim, side->values + i * side->dim,
               side->dim * sizeof *values);
        group.numbers[group.rows] = i;
        group.weights[group.rows++] = side->weights[i];
        *share += side->weights[i];
    }
    for (size_t i = 0; i < group.rows; i++)
        group.weights[i] /= *share;
    return group;
}

static void release(reference_side *group) {
    free((void *)(uintptr_t)group->values);
    free(group->weights);
    free(group->numbers);
}

void reference_prepare(const reference_metric *metric, reference_use use, const reference_side *x,
                       const reference_side *y, reference_constants *constants) {
    memset(constants, 0, sizeof *constants);
    if (!metric->constant)
        return;
    if (use == USE_ALONE) {
        constants->values[0] = metric->constant(metric, x, y);
        return;
    }
    for (int32_t label = 0; label < REFERENCE_GROUPS; label++) {
        double share;
        reference_side in_x = group_of(x, label, &share), in_y = group_of(y, label, &share);
        if (in_x.rows >= metric->least_rows && in_y.rows >= metric->least_rows)
            constants->values[label] = metric->constant(metric, &in_x, &in_y);
        release(&in_x);
        release(&in_y);
    }
}

double reference_value(const reference_metric *metric, reference_use use, const reference_side *x,
                       const reference_side *y, const reference_constants *constants) {
    if (use == USE_ALONE)
        return metric->value(metric, x, y, constants->values[0]);
    double value = 0, kept = 0;
    for (int32_t label = 0; label < REFERENCE_GROUPS; label++) {
        double share_x, share_y;
        reference_side in_x = group_of(x, label, &share_x), in_y = group_of(y, label, &share_y);
        if (in_x.rows > 0 && in_y.rows > 0) {
            double part = metric->value(metric, &in_x, &in_y, constants->values[label]);
            bool small = in_x.rows < metric->least_rows || in_y.rows < metric->least_rows;
            if (small || (metric->least_rows > 1 && !isfinite(part)))
                part = reference_mean_gap(metric, &in_x, &in_y, 0);
            value += (use == USE_COND ? share_x : 1) * part;
            kept += use == USE_COND ? share_x : 0;
        }
        release(&in_x);
        release(&in_y);
    }
    return use == USE_COND ? value / kept : value;
}

double reference_pair_share(const reference_metric *metric, reference_use use,
                            const reference_side *x, const reference_side *y,
                            const reference_constants *constants) {
    reference_figure alone = reference_spread_share(metric);
    if (use == USE_ALONE)
        return alone(metric, x, y, constants->values[0]);
    double share = 0, kept = 0;
    for (int32_t label = 0; label < REFERENCE_GROUPS; label++) {
        double share_x, share_y;
        reference_side in_x = group_of(x, label, &share_x), in_y = group_of(y, label, &share_y);
        if (in_x.rows > 0 && in_y.rows > 0) {
            double weight = use == USE_COND ? share_x : 1;
            share += weight * alone(metric, &in_x, &in_y, constants->values[label]);
            kept += weight;
        }
        release(&in_x);
        release(&in_y);
    }
    return share / kept;
}
