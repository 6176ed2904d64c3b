/* The transport metrics whose definition takes an algorithm: as plain as it gets, in double.
 * Nothing here is shared with the library. */
#include <math.h>
#include <stdlib.h>

#include "reference.h"
#include "rng.h"
#include "testing.h"

typedef double (*ground_cost)(const reference_metric *metric, const reference_side *x, size_t i,
                              const reference_side *y, size_t j, double constant);

/* ---- entropic transport ---- */

/* Where the mass from one side to the other goes: the costs in one array, and potentials. */
typedef struct entropic {
    const reference_side *x, *y;
    double *costs;
    double *f, *g;
    double epsilon, rho;
} entropic;

static entropic begin(const reference_metric *metric, const reference_side *x,
                      const reference_side *y, double constant, ground_cost cost, double epsilon,
                      double rho) {
    entropic e = {.x = x, .y = y, .epsilon = epsilon, .rho = rho};
    e.costs = malloc(x->rows * y->rows * sizeof *e.costs);
    e.f = calloc(x->rows, sizeof *e.f);
    e.g = calloc(y->rows, sizeof *e.g);
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++)
            e.costs[i * y->rows + j] = cost(metric, x, i, y, j, constant);
    return e;
}

static void end(entropic *e) {
    free(e->costs);
    free(e->f);
    free(e->g);
}

/* The other side's softmin: -eps log sum_l weight_l exp((potential_l - cost_kl)/eps). */
static double soft_minimum(const entropic *e, size_t k, bool of_row) {
    const reference_side *other = of_row ? e->y : e->x;
    const double *potentials = of_row ? e->g : e->f;
    double lowest = INFINITY, sum = 0;
    for (int step = 0; step < 2; step++)
        for (size_t l = 0; l < other->rows; l++) {
            double cost = of_row ? e->costs[k * e->y->rows + l] : e->costs[l * e->y->rows + k];
            double value = cost - potentials[l];
            if (other->weights[l] == 0)
                continue;
            if (step == 0)
                lowest = fmin(lowest, value);
            else
                sum += other->weights[l] * exp((lowest - value) / e->epsilon);
        }
    return lowest - e->epsilon * log(sum);
}

/* Sinkhorn's iteration until no mass moves; the dual's value errs by about the square of what is
 * left. */
static void iterate(entropic *e) {
    double damping = e->rho < INFINITY ? e->rho / (e->rho + e->epsilon) : 1, moved = 1;
    for (long count = 0; moved > 1e-11 && count < 100000; count++) {
        moved = 0;
        for (size_t j = 0; j < e->y->rows; j++)
            e->g[j] = damping * soft_minimum(e, j, false);
        for (size_t i = 0; i < e->x->rows; i++) {
            double before = e->f[i];
            e->f[i] = damping * soft_minimum(e, i, true);
            moved += e->x->weights[i] * fabs(expm1((e->f[i] - before) / e->epsilon));
        }
    }
    if (!(moved <= 1e-8))
        fail_msg("the reference's Sinkhorn iteration does not converge");
}

/* Between a sample and itself: both potentials are one, halfway to what it asks of itself. */
static void iterate_within(entropic *e) {
    size_t n = e->x->rows;
    for (int count = 0; count < 100; count++) {
        for (size_t i = 0; i < n; i++)
            e->f[i] = (e->g[i] + soft_minimum(e, i, true)) / 2;
        for (size_t i = 0; i < n; i++)
            e->g[i] = e->f[i];
    }
}

static double entropic_transport(const reference_metric *metric, const reference_side *x,
                                 const reference_side *y, double constant, ground_cost cost,
                                 double epsilon) {
    double value = 0;
    entropic e = begin(metric, x, y, constant, cost, epsilon, INFINITY);
    if (x == y)
        iterate_within(&e);
    else
        iterate(&e);
    for (size_t i = 0; i < x->rows; i++)
        value += x->weights[i] * e.f[i];
    for (size_t j = 0; j < y->rows; j++)
        value += y->weights[j] * e.g[j];
    end(&e);
    return value;
}

/* The mass that the plan leaves with rows of one number, of all of it. */
static double entropic_share(const reference_metric *metric, const reference_side *x,
                             const reference_side *y, double constant, ground_cost cost,
                             double epsilon, double rho) {
    entropic e = begin(metric, x, y, constant, cost, epsilon, rho);
    double paired = 0, total = 0;
    iterate(&e);
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++) {
            double mass = x->weights[i] * y->weights[j] *
                          exp((e.f[i] + e.g[j] - e.costs[i * y->rows + j]) / epsilon);
            total += mass;
            paired +=
                (x->numbers ? x->numbers[i] : i) == (y->numbers ? y->numbers[j] : j) ? mass : 0;
        }
    end(&e);
    return paired / total;
}

static double mean_cost(const reference_metric *metric, const reference_side *x,
                        const reference_side *y) {
    double sum = 0;
    for (size_t i = 0; i < x->rows; i++)
        for (size_t j = 0; j < y->rows; j++)
            sum += x->weights[i] * y->weights[j] * reference_squared_cost(metric, x, i, y, j, 1);
    return sum;
}

static double sinkhorn(const reference_metric *metric, const reference_side *x,
                       const reference_side *y, double mean) {
    return entropic_transport(metric, x, y, 1, reference_squared_cost, metric->parameter * mean);
}

/* The divergence's plan is that between the two samples. */
static double sinkhorn_share(const reference_metric *metric, const reference_side *x,
                             const reference_side *y, double mean) {
    return entropic_share(metric, x, y, 1, reference_squared_cost, metric->parameter * mean,
                          INFINITY);
}

static double joint_sinkhorn_share(const reference_metric *metric, const reference_side *x,
                                   const reference_side *y, double largest) {
    return entropic_share(metric, x, y, largest, reference_joint_cost, 0.5, INFINITY);
}

static double divergence(const reference_metric *metric, const reference_side *x,
                         const reference_side *y, double constant, ground_cost cost,
                         double epsilon) {
    return entropic_transport(metric, x, y, constant, cost, epsilon) -
           entropic_transport(metric, x, x, constant, cost, epsilon) / 2 -
           entropic_transport(metric, y, y, constant, cost, epsilon) / 2;
}

static double sinkhorn_div(const reference_metric *metric, const reference_side *x,
                           const reference_side *y, double mean) {
    return divergence(metric, x, y, 1, reference_squared_cost, metric->parameter * mean);
}

static double joint_sinkhorn_div(const reference_metric *metric, const reference_side *x,
                                 const reference_side *y, double largest) {
    return divergence(metric, x, y, largest, reference_joint_cost, 0.5);
}

/* joint around a metric with epsilon 0.5; the parameter is joint's beta */
static double joint_sinkhorn(const reference_metric *metric, const reference_side *x,
                             const reference_side *y, double largest) {
    return entropic_transport(metric, x, y, largest, reference_joint_cost, 0.5);
}

/* p log(p/q) - p + q */
static double kl_term(double p, double q) {
    return (p > 0 ? p * log(p / q) : 0) - p + q;
}

/* The primal's value, plans being free to miss their marginals. */
static double unbalanced(const reference_metric *metric, const reference_side *x,
                         const reference_side *y, double constant, ground_cost cost, double epsilon,
                         double rho) {
    entropic e = begin(metric, x, y, constant, cost, epsilon, rho);
    double value = 0, *columns = calloc(y->rows, sizeof *columns);
    iterate(&e);
    for (size_t i = 0; i < x->rows; i++) {
        double row = 0;
        for (size_t j = 0; j < y->rows; j++) {
            double outer = x->weights[i] * y->weights[j], c = e.costs[i * y->rows + j];
            double mass = outer * exp((e.f[i] + e.g[j] - c) / epsilon);
            value += mass * c + epsilon * kl_term(mass, outer);
            row += mass;
            columns[j] += mass;
        }
        value += rho * kl_term(row, x->weights[i]);
    }
    for (size_t j = 0; j < y->rows; j++)
        value += rho * kl_term(columns[j], y->weights[j]);
    free(columns);
    end(&e);
    return value;
}

/* The parameter is rho; eps is 0.2. */
static double uot(const reference_metric *metric, const reference_side *x, const reference_side *y,
                  double mean) {
    return unbalanced(metric, x, y, 1, reference_squared_cost, 0.2 * mean,
                      metric->parameter * mean);
}

/* The parameter is joint's beta. */
static double joint_uot(const reference_metric *metric, const reference_side *x,
                        const reference_side *y, double largest) {
    return unbalanced(metric, x, y, largest, reference_joint_cost, 0.5, 0.8);
}

static double uot_share(const reference_metric *metric, const reference_side *x,
                        const reference_side *y, double mean) {
    return entropic_share(metric, x, y, 1, reference_squared_cost, 0.2 * mean,
                          metric->parameter * mean);
}

static double joint_uot_share(const reference_metric *metric, const reference_side *x,
                              const reference_side *y, double largest) {
    return entropic_share(metric, x, y, largest, reference_joint_cost, 0.5, 0.8);
}

/* ---- partial transport ---- */

#define MOST_UNITS 12

/* Mass is cut into units; unit by unit of x it is decided which of y it goes to, if any. lowest[s]
 * = the least cost of what was decided so far, s the set of y's units that are taken. */
static double partial_transport(const reference_metric *metric, const reference_side *x,
                                const reference_side *y, double constant, ground_cost cost,
                                double mass) {
    size_t units = 1, from[MOST_UNITS], to[MOST_UNITS];
    double lowest[1 << MOST_UNITS], best = INFINITY;
    while (units <= MOST_UNITS &&
           !(reference_divides(x, units) && reference_divides(y, units) &&
             fabs(mass * (double)units - round(mass * (double)units)) < 1e-9))
        units++;
    if (units > MOST_UNITS)
        fail_msg("weights too odd for the brute-force transport");
    reference_share_out(x, units, from);
    reference_share_out(y, units, to);
    for (size_t s = 0; s < (size_t)1 << units; s++)
        lowest[s] = s == 0 ? 0 : INFINITY;
    for (size_t u = 0; u < units; u++)
        for (size_t s = (size_t)1 << units; s-- > 0;) /* from above: a unit goes once */
            for (size_t v = 0; v < units; v++)
                if (s >> v & 1)
                    lowest[s] = fmin(lowest[s], lowest[s ^ (size_t)1 << v] +
                                                    cost(metric, x, from[u], y, to[v], constant));
    for (size_t s = 0; s < (size_t)1 << units; s++) {
        long taken = 0;
        for (size_t v = 0; v < units; v++)
            taken += (long)(s >> v & 1);
        if (taken == lround(mass * (double)units))
            best = fmin(best, lowest[s]);
    }
    return best / (double)units;
}

static double partial(const reference_metric *metric, const reference_side *x,
                      const reference_side *y, double constant) {
    return partial_transport(metric, x, y, constant, reference_squared_cost, metric->parameter);
}

static double joint_partial(const reference_metric *metric, const reference_side *x,
                            const reference_side *y, double largest) {
    return partial_transport(metric, x, y, largest, reference_joint_cost, 0.5);
}

/* ---- Gromov-Wasserstein ---- */

/* Costs between units of mass: unit u of x goes to unit goes_to[u] of y. */
typedef struct pairing {
    const double *x, *y; /* distances between units */
    size_t units, goes_to[MOST_UNITS];
    unsigned taken;
} pairing;

/* E is concave for Euclidean distances, so that an assignment of units is among the best plans:
 * every one is tried, those that already cost too much cut short. */
static void pair_units(pairing *p, size_t done, double cost, double *best) {
    if (cost >= *best)
        return;
    if (done == p->units)
        *best = cost;
    for (size_t v = 0; done < p->units && v < p->units; v++) {
        double more = 0;
        if (p->taken >> v & 1U)
            continue;
        for (size_t u = 0; u < done; u++)
            more += 2 * pow(p->x[done * p->units + u] - p->y[v * p->units + p->goes_to[u]], 2);
        p->goes_to[done] = v;
        p->taken |= 1U << v;
        pair_units(p, done + 1, cost + more, best);
        p->taken &= ~(1U << v);
    }
}

static void unit_distances(const reference_side *side, size_t units, double *out) {
    size_t owner[MOST_UNITS];
    reference_share_out(side, units, owner);
    for (size_t u = 0; u < units; u++)
        for (size_t v = 0; v < units; v++)
            out[u * units + v] =
                sqrt(reference_squared_cost(NULL, side, owner[u], side, owner[v], 1));
}

static double gromov(const reference_metric *metric, const reference_side *x,
                     const reference_side *y, double constant) {
    (void)metric;
    (void)constant;
    size_t units = 1;
    double distances[2][MOST_UNITS * MOST_UNITS], best = INFINITY;
    while (units <= 8 && !(reference_divides(x, units) && reference_divides(y, units)))
        units++;
    if (units > 8)
        fail_msg("weights too odd for the brute-force transport");
    unit_distances(x, units, distances[0]);
    unit_distances(y, units, distances[1]);
    pairing p = {.x = distances[0], .y = distances[1], .units = units};
    pair_units(&p, 0, 0, &best);
    return best / (double)(units * units);
}

/* ---- sliced transport ---- */

typedef struct placed {
    double value, weight;
} placed;

static int compare_places(const void *a, const void *b) {
    double x = ((const placed *)a)->value, y = ((const placed *)b)->value;
    return (x > y) - (x < y);
}

static placed *project(const reference_side *side, const float *direction) {
    placed *line = malloc(side->rows * sizeof *line);
    for (size_t i = 0; i < side->rows; i++) {
        line[i] = (placed){0, side->weights[i]};
        for (size_t k = 0; k < side->dim; k++)
            line[i].value += side->values[i * side->dim + k] * (double)direction[k];
    }
    qsort(line, side->rows, sizeof *line, compare_places);
    return line;
}

/* The integral over the quantiles: between two places where either side's steps, both are flat. */
static double line_transport(const placed *x, size_t n, const placed *y, size_t m) {
    double value = 0, done = 0, x_end = x[0].weight, y_end = y[0].weight;
    for (size_t i = 0, j = 0; i < n && j < m;) {
        double end = fmin(x_end, y_end);
        value += (end - done) * pow(x[i].value - y[j].value, 2);
        done = end;
        bool x_ends = x_end <= y_end, y_ends = y_end <= x_end;
        if (x_ends && ++i < n)
            x_end += x[i].weight;
        if (y_ends && ++j < m)
            y_end += y[j].weight;
    }
    return value;
}

/* Directions are draw 0 of seed 0, as many as the parameter says. */
static double sliced(const reference_metric *metric, const reference_side *x,
                     const reference_side *y, double constant) {
    (void)constant;
    size_t count = (size_t)metric->parameter;
    float *directions = malloc(count * x->dim * sizeof *directions);
    double value = 0;
    kd2m_rng rng;
    kd2m_rng_init(&rng, 0, KD2M_STREAM_METRIC, 0);
    kd2m_rng_fill_normal(&rng, directions, count * x->dim);
    for (size_t k = 0; k < count; k++) {
        const float *direction = directions + k * x->dim;
        double square = 0;
        for (size_t l = 0; l < x->dim; l++)
            square += (double)direction[l] * (double)direction[l];
        placed *along_x = project(x, direction), *along_y = project(y, direction);
        value += line_transport(along_x, x->rows, along_y, y->rows) / square / (double)count;
        free(along_x);
        free(along_y);
    }
    free(directions);
    return value;
}

static const reference_metric metrics[] = {
    {.name = "sw2",
     .spec = "sw2:proj=7,redraw=0",
     .value = sliced,
     .least_rows = 1,
     .parameter = 7},

    {.name = "sinkhorn",
     .spec = "sinkhorn:eps=0.2", /* plain iterations are slow for a few points at a small one */
     .value = sinkhorn,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 0.2},
    {.name = "sinkhorn",
     .spec = "sinkhorn:eps=1,memory=0", /* costs are made anew in every pass */
     .value = sinkhorn,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 1},
    {.name = "joint",
     .spec = "joint(sinkhorn:eps=0.5,abs=1)",
     .value = joint_sinkhorn,
     .constant = reference_largest_squared,
     .least_rows = 1,
     .parameter = 1,
     .alone = true,
     .beside = BESIDE_ONEHOT},
    {.name = "joint",
     .spec = "joint(sinkhorn:eps=0.5,abs=1,memory=0):of=softmax,beta=3",
     .value = joint_sinkhorn,
     .constant = reference_largest_squared,
     .least_rows = 1,
     .parameter = 3,
     .alone = true,
     .beside = BESIDE_SOFTMAX},
    {.name = "gw",
     .spec = "gw:starts=300", /* enough to find the global optimum of a few points */
     .value = gromov,
     .least_rows = 1},
    {.name = "uot",
     .spec = "uot:eps=0.2,rho=0.7",
     .value = uot,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 0.7},
    {.name = "uot",
     .spec = "uot:eps=0.2,rho=0.7,memory=0",
     .value = uot,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 0.7},
    {.name = "joint",
     .spec = "joint(uot:eps=0.5,rho=0.8,abs=1):beta=2",
     .value = joint_uot,
     .constant = reference_largest_squared,
     .least_rows = 1,
     .parameter = 2,
     .alone = true,
     .beside = BESIDE_ONEHOT},
    {.name = "partial",
     .spec = "partial:mass=0.5",
     .value = partial,
     .least_rows = 1,
     .parameter = 0.5},
    {.name = "joint",
     .spec = "joint(partial:mass=0.5):of=logits,beta=0.2",
     .value = joint_partial,
     .constant = reference_largest_squared,
     .least_rows = 1,
     .parameter = 0.2,
     .alone = true,
     .beside = BESIDE_LOGITS},
    {.name = "sinkhorn-div",
     .spec = "sinkhorn-div:eps=0.2",
     .value = sinkhorn_div,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 0.2},
    {.name = "sinkhorn-div",
     .spec = "sinkhorn-div:eps=0.2,memory=0",
     .value = sinkhorn_div,
     .constant = mean_cost,
     .least_rows = 1,
     .parameter = 0.2},
    {.name = "joint",
     .spec = "joint(sinkhorn-div:eps=0.5,abs=1):of=logits,beta=0.3",
     .value = joint_sinkhorn_div,
     .constant = reference_largest_squared,
     .least_rows = 1,
     .parameter = 0.3,
     .alone = true,
     .beside = BESIDE_LOGITS},
};

const reference_metric *reference_transport_at(size_t index) {
    return index < sizeof metrics / sizeof *metrics ? &metrics[index] : NULL;
}

reference_figure reference_spread_share(const reference_metric *metric) {
    static const struct {
        reference_figure value, share;
    } spread[] = {
        {sinkhorn, sinkhorn_share},
        {sinkhorn_div, sinkhorn_share},
        {joint_sinkhorn, joint_sinkhorn_share},
        {joint_sinkhorn_div, joint_sinkhorn_share},
        {uot, uot_share},
        {joint_uot, joint_uot_share},
    };
    for (size_t i = 0; i < sizeof spread / sizeof *spread; i++)
        if (spread[i].value == metric->value)
            return spread[i].share;
    return NULL;
}
