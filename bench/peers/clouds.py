"""Features made up for the comparison of metrics, in float32: pair(kind, n, m, dim, shift).

    gaussian    independent standard normals
    clustered   ten clusters behind a ReLU, two thirds of the values 0, as a net's last layer has them;
                what spreads inside a cluster lies in 32 directions
Both sides of a pair have the same clusters; the student's side is moved by `shift` per feature.

HARD are those that solvers of transport find hard:

    offset       10 with a spread of 1e-3, in which squared distances by products lose everything
    duplicates   each row four times
    permutation  the teacher's rows are the student's, in another order
    ties         0, 1 and 2 in four features, 0 in all others: most distances are equal
    plane        a plane in which both sides lie, hardly moved
    dead         half of the student's features 0
"""
import numpy as np

CLASSES = 10
HARD = ("offset", "duplicates", "permutation", "ties", "plane", "dead")


def labels(rows):
    return np.arange(rows, dtype=np.int32) % CLASSES


def cloud(kind, rows, dim, seed, shift=0.0):
    random = np.random.default_rng([seed, rows])
    if kind == "gaussian":
        return (random.standard_normal((rows, dim)) + shift).astype(np.float32)
    shared = np.random.default_rng(99)
    centres = shared.standard_normal((CLASSES, dim)) - 0.5
    spread = shared.standard_normal((32, dim)) / 6
    inside = random.standard_normal((rows, 32)) @ spread
    return np.maximum(centres[labels(rows)] + inside + shift, 0).astype(np.float32)


def pair(kind, n, m, dim, shift=0.0):
    if kind not in HARD:
        return cloud(kind, n, dim, 1, shift), cloud(kind, m, dim, 2)
    random = np.random.default_rng([7, n])
    x, y = random.standard_normal((n, dim)), random.standard_normal((m, dim))
    if kind == "offset":
        x, y = 10 + 1e-3 * x, 10 + 1e-3 * y
    elif kind == "duplicates":
        x, y = np.repeat(x[:(n + 3) // 4], 4, 0)[:n], np.repeat(y[:(m + 3) // 4], 4, 0)[:m]
    elif kind == "permutation":
        y = x[random.permutation(n)]
    elif kind == "ties":
        x, y = np.zeros_like(x), np.zeros_like(y)
        x[:, :4], y[:, :4] = random.integers(0, 3, (n, 4)), random.integers(0, 3, (m, 4))
    elif kind == "plane":
        axes = random.standard_normal((2, dim)) / np.sqrt(dim)
        x, y = x[:, :2] @ axes + 0.1, y[:, :2] @ axes
    elif kind == "dead":
        x[:, dim // 2:] = 0
    return x.astype(np.float32), y.astype(np.float32)
