#!/usr/bin/python3
"""Golden values of src/stats, by mpmath, fractions, SciPy, statsmodels, scikit-learn and NumPy.

    /usr/bin/python3 tools/golden_stats.py tests/golden/stats

Writes distributions.txt and procedures.txt. Lines: name : what goes in : what comes out. Stands on
Debian's python3-mpmath, python3-scipy, python3-statsmodels, python3-sklearn.
"""
import math
import sys
from fractions import Fraction

import mpmath as mp
import numpy as np
from scipy import stats
from sklearn import metrics
from statsmodels.stats import contingency_tables, multitest, proportion, weightstats

mp.mp.dps = 40
folder = sys.argv[1]
out = None


def put(name, given, found):
    def text(numbers):
        return " ".join(repr(float(x)) for x in numbers)
    print(f"{name} : {text(given)} : {text(found)}", file=out)


# Distributions: 40 digits, or whole numbers.

def normal_tail(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2


def beta_cdf(x, a, b):
    """I_x(a, b) by Gauss's continued fraction, or that of its complement."""
    x, a, b = mp.mpf(x), mp.mpf(a), mp.mpf(b)
    if x <= 0 or x >= 1:
        return mp.mpf(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    log_front = (a * mp.log(x) + b * mp.log1p(-x) + mp.loggamma(a + b) - mp.loggamma(a)
                 - mp.loggamma(b))
    fraction = mp.mpf(0)
    for m in range(400 + int(8 * math.sqrt(float(a + b))), 0, -1):  # backwards: no stopping rule
        if m % 2:
            k = (m - 1) // 2
            term = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        else:
            k = m // 2
            term = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        fraction = term / (1 + fraction)
    return mp.exp(log_front) / a / (1 + fraction)


def student_tail(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    if t < 0:
        return 1 - student_tail(-t, df)
    return beta_cdf(df / (df + t * t), df / 2, mp.mpf(1) / 2) / 2


def f_tail(x, df1, df2):
    x, df1, df2 = mp.mpf(x), mp.mpf(df1), mp.mpf(df2)
    return beta_cdf(df2 / (df2 + df1 * x), df2 / 2, df1 / 2)


def invert(falling, p, low, high):
    """x in low..high > 0 with falling(x) = p, to 19 digits: bisection of log x."""
    low, high = mp.log(mp.mpf(low)), mp.log(mp.mpf(high))
    while high - low > mp.mpf(10) ** -19:
        middle = (low + high) / 2
        if falling(mp.exp(middle)) > p:
            low = middle
        else:
            high = middle
    return mp.exp(low)


def binomial(k, n, p):
    p = Fraction(p)
    mass = [math.comb(n, i) * p ** i * (1 - p) ** (n - i) for i in range(n + 1)]
    return mass[k], sum(mass[:k + 1]), sum(mass[k + 1:])


def distributions():
    for z in [-38, -8.5, -1, -1e-9, 0, 0.5, 1.96, 5, 8.3, 20, 37]:
        put("normal_tail", [z], [normal_tail(z)])
    for p in [0.3, 0.025, 1e-6, 1e-17, 1e-100, 1e-300]:
        put("normal_upper_quantile", [p], [invert(normal_tail, mp.mpf(p), 1e-3, 40)])
    for df in [1, 2, 2.5, 4, 9, 30, 300, 1e4, 1e6]:
        for t in [-40, -2, -1e-6, 0, 1e-3, 0.7, 1, 2.776, 12.7, 36.5, 1e4]:
            put("student_tail", [t, df], [student_tail(t, df)])
        for p in [0.4, 0.025, 0.005, 1e-4, 1e-10, 1e-100, 1e-300]:
            high = mp.mpf(10) ** 305 if df < 4 else mp.mpf(10) ** 150 if df < 30 else 1e12
            put("student_upper_quantile", [p, df],
                [invert(lambda t: student_tail(t, df), mp.mpf(p), 1e-3, high)])
    for df1, df2 in [(1, 1), (1, 5), (4, 10), (3.5, 200), (60, 60)]:
        for x in [1e-8, 0.2, 1, 3.3, 40, 1e5]:
            put("f_tail", [x, df1, df2], [f_tail(x, df1, df2)])
        for p in [0.95, 0.05, 1e-3, 1e-12]:
            put("f_upper_quantile", [p, df1, df2],
                [invert(lambda x: f_tail(x, df1, df2), mp.mpf(p), 1e-12, 1e30)])
    for a, b in [(0.5, 0.5), (1, 1), (2, 7), (0.1, 30), (120, 80), (1, 5000)]:
        for x in [1e-12, 1e-4, 0.1, 0.5, 0.62, 0.999]:
            put("beta_cdf", [x, a, b], [beta_cdf(x, a, b)])
            put("beta_tail", [x, a, b], [beta_cdf(1 - mp.mpf(x), b, a)])
        for p in [1e-6, 0.025, 0.5, 0.975]:
            put("beta_quantile", [p, a, b],
                [invert(lambda x: -beta_cdf(x, a, b), -mp.mpf(p), 1e-80, 1)])
    for n, p in [(1, 0.5), (8, 0.5), (20, 0.125), (200, 0.75), (1100, 0.5), (300, 0.001)]:
        for k in sorted({0, n // 8, n // 3, n // 2, n - 1}):
            mass, cdf, tail = binomial(k, n, p)
            put("binomial", [k, n, p], [mass, cdf, tail])
        for q in [1e-4, 0.3, 0.5, 0.9, 0.9999]:
            put("binomial_quantile", [q, n, p], [stats.binom.ppf(q, n, p)])


# Procedures: what the usual packages say.

def t_row(estimate, t, df, p, level, bounds):
    """The interval with 19 digits of t's quantile; the packages' own is good to 8."""
    quantile = invert(lambda x: student_tail(x, float(df)), (1 - mp.mpf(level)) / 2, 1e-3, 1e9)
    reach = float(quantile * float(estimate) / float(t))
    interval = sorted([estimate - reach, estimate + reach])
    assert np.allclose(interval, bounds, rtol=1e-6), (interval, bounds)
    return [t, df, p, *interval]


def t_result(values, level, test):
    return t_row(values.mean(), test.statistic, test.df, test.pvalue, level,
                 test.confidence_interval(level))


def means(draw):
    for count, level in [(2, 0.95), (5, 0.95), (10, 0.99), (40, 0.9)]:
        a, b, c, d = draw.normal(0.9, 0.02, (4, count))
        put("summary", a, [np.mean(a), np.std(a, ddof=1), stats.sem(a)])
        put("one", [level, *a], t_result(a, level, stats.ttest_1samp(a, 0)))
        put("paired", [level, *a, *b], t_result(a - b, level, stats.ttest_rel(a, b)))
        put("interaction", [level, *a, *b, *c, *d],
            t_result(a - b - c + d, level, stats.ttest_1samp(a - b - c + d, 0)))
    for n, m, level in [(2, 3, 0.95), (6, 5, 0.9), (12, 40, 0.99)]:
        a, b = draw.normal(3, 1, n), draw.normal(2, 4, m)
        test = weightstats.CompareMeans(weightstats.DescrStatsW(a), weightstats.DescrStatsW(b))
        t, p, df = test.ttest_ind(usevar="unequal")
        bounds = test.tconfint_diff(1 - level, usevar="unequal")
        put("welch", [level, n, *a, *b], t_row(a.mean() - b.mean(), t, df, p, level, bounds))


def families(draw):
    for p in [[0.01], [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.2], [1, 0, 0.5, 1e-300],
              list(draw.uniform(0, 1, 12) ** 3)]:
        put("holm", p, multitest.multipletests(p, method="holm")[1])


def counts():
    for k, n, level in [(0, 1, 0.95), (1, 1, 0.95), (0, 10, 0.95), (3, 10, 0.95), (10, 10, 0.99),
                        (81, 263, 0.95), (15, 148, 0.95), (999, 100000, 0.999)]:
        put("wilson", [k, n, level], proportion.proportion_confint(k, n, 1 - level, "wilson"))
        put("exact", [k, n, level], proportion.proportion_confint(k, n, 1 - level, "beta"))
    for b, c in [(0, 0), (1, 0), (0, 6), (5, 5), (3, 12), (121, 59), (400, 700)]:
        p = contingency_tables.mcnemar([[9, b], [c, 9]], exact=True).pvalue if b + c else 1
        mid = 1 if b == c else 2 * sum(binomial(min(b, c), b + c, 0.5)[:2]) - 3 * binomial(
            min(b, c), b + c, 0.5)[0]
        put("mcnemar", [b, c], [p, mid])


def ranks(draw):
    for blocks, methods in [(1, 1), (1, 6), (5, 4), (9, 7)]:
        scores = draw.integers(0, 4, (blocks, methods))
        put("ranks", [blocks, *scores.ravel()], stats.rankdata(-scores, axis=1).mean(0))


def predictions(draw):
    for rows, classes, used in [(1, 1, 1), (30, 3, 3), (50, 6, 4), (12, 2, 1)]:
        labels = draw.integers(0, used, rows)
        predicted = np.where(draw.uniform(0, 1, rows) < 0.6, labels,
                             draw.integers(0, classes, rows))
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(classes), zero_division=0)
        put("scores", [classes, *labels, *predicted],
            [metrics.accuracy_score(labels, predicted),
             np.mean(recall[support > 0]) if used == 1
             else metrics.balanced_accuracy_score(labels, predicted),
             metrics.f1_score(labels, predicted, average="macro", zero_division=0),
             *recall, *precision, *f1])


# The bootstrap: src/core/rng.h's numbers, then NumPy's quantiles and SciPy's normal law.

class Rng:
    def __init__(self, seed, stream, substream):
        self.key, self.stream, self.substream = (seed & 0xffffffff, seed >> 32), stream, substream
        self.index, self.block = 0, []

    def word(self):
        if not self.block:
            c = [self.index & 0xffffffff, self.index >> 32, self.substream, self.stream]
            k = list(self.key)
            for _ in range(10):
                p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
                c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xffffffff, (p0 >> 32) ^ c[3] ^ k[1],
                     p0 & 0xffffffff]
                k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
            self.index, self.block = self.index + 1, c
        return self.block.pop(0)

    def below(self, n):
        while True:
            product = self.word() * n
            if product % 2 ** 32 >= 2 ** 32 % n:
                return product >> 32


STREAM_BOOTSTRAP = 12


def bootstrap_of(differences, groups, replicates, level, seed):
    codes = np.unique(groups)
    sums = np.array([differences[groups == g].sum() for g in codes])
    sizes = np.array([(groups == g).sum() for g in codes])
    estimate, drawn = sums.sum() / sizes.sum(), []
    for r in range(replicates):
        rng = Rng(seed, STREAM_BOOTSTRAP, r)
        chosen = [rng.below(len(codes)) for _ in codes]
        drawn.append(sums[chosen].sum() / sizes[chosen].sum())
    drawn = np.array(drawn)
    tail = (1 - level) / 2
    equal = np.isclose(drawn, estimate, rtol=1e-13, atol=0)
    z0 = stats.norm.ppf(((drawn < estimate) & ~equal).mean() + equal.mean() / 2)
    left = (sums.sum() - sums) / (sizes.sum() - sizes)
    pull = left.mean() - left
    a = (pull ** 3).sum() / (6 * (pull ** 2).sum() ** 1.5)
    z = z0 + stats.norm.ppf([tail, 1 - tail])
    return [estimate, drawn.std(ddof=1), *np.quantile(drawn, [tail, 1 - tail]),
            *np.quantile(drawn, stats.norm.cdf(z0 + z / (1 - a * z)))]


def bootstrap(draw):
    for rows, clusters, replicates, level, seed in [(12, 0, 400, 0.95, 1), (60, 9, 999, 0.9, 7),
                                                    (45, 15, 1000, 0.99, 4294967295)]:
        a, b = draw.exponential(1, rows), draw.normal(0.5, 0.2, rows)
        groups = draw.integers(-3, clusters - 3, rows) if clusters else np.arange(rows)
        found = bootstrap_of(a - b, groups, replicates, level, seed)
        put("bootstrap", [replicates, level, seed, *a, *b, *groups],
            [len(np.unique(groups)), *found])
    values = draw.exponential(1, 30)
    own = bootstrap_of(values, np.arange(30), 9999, 0.9, 3)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=100000, confidence_level=0.9,
                             random_state=1)
    bounds = theirs.confidence_interval
    assert np.allclose(own[4:], [bounds.low, bounds.high], atol=0.02), (own, theirs)


with open(f"{folder}/distributions.txt", "w") as out:
    distributions()
with open(f"{folder}/procedures.txt", "w") as out:
    generator = np.random.default_rng(5)
    means(generator)
    families(generator)
    counts()
    ranks(generator)
    predictions(generator)
    bootstrap(generator)
