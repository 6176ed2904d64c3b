#!/usr/bin/python3
"""Optimal transport costs by POT on problems that tests/unit/ot/problem.c makes alike.

    /usr/bin/python3 tools/golden_transport.py > tests/golden/transport/costs.txt

Lines: kind rows columns weighted seed cost
"""
import numpy as np
import ot

DIM = 8
CASES = [("uniform", 64, 64, 0, 1), ("uniform", 37, 53, 0, 2), ("uniform", 128, 96, 1, 3),
         ("clusters", 150, 90, 0, 4), ("clusters", 256, 256, 1, 5), ("duplicates", 40, 61, 1, 6),
         ("plane", 200, 131, 0, 7), ("line", 90, 120, 1, 8), ("permuted", 70, 70, 1, 9),
         ("uniform", 1, 40, 1, 10), ("uniform", 500, 333, 0, 11)]


class Draws:
    def __init__(self, seed):
        self.state = seed

    def __call__(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return (self.state >> 33) % limit


def point(kind, draw):
    if kind == "line":
        return [draw(10)] + [0] * (DIM - 1)
    first = draw(10) if kind == "clusters" else draw(5) if kind == "duplicates" else 0
    second = 0
    if kind == "plane":
        first, second = draw(256), draw(256)
    if kind == "clusters":
        return [100 * ((first * 7 + k * 13) % 10) + draw(20) for k in range(DIM)]
    if kind == "duplicates":
        return [(first * 37 + k * 11) % 50 for k in range(DIM)]
    if kind == "plane":
        return [first * (k % 3) + second * (k % 2) for k in range(DIM)]
    return [draw(1024) for _ in range(DIM)]


def weights(count, draw):
    drawn = np.array([draw(7) for _ in range(count)], float)
    if drawn.sum() == 0:
        drawn[0] = 1
    return drawn / drawn.sum()


for kind, rows, columns, weighted, seed in CASES:
    draw = Draws(seed)
    x = np.array([point(kind, draw) for _ in range(rows)], float)
    y = x[::-1] if kind == "permuted" else np.array([point(kind, draw) for _ in range(columns)],
                                                    float)
    cost = ((x[:, None] - y[None]) ** 2).sum(2)
    a = weights(rows, draw) if weighted else np.full(rows, 1 / rows)
    b = weights(columns, draw) if weighted else np.full(columns, 1 / columns)
    print(kind, rows, columns, weighted, seed, repr(float(ot.emd2(a, b, cost, numItermax=10 ** 7))))
