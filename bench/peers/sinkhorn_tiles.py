"""Entropic transport without a stored matrix, as one would write it in PyTorch (GeomLoss does the same
online): log-sum-exp over tiles of rows, then of columns, in float32. Value and gradient.

    sinkhorn_tiles.py X.npy Y.npy EPS ITERATIONS [ROWS]     eps as a share of the mean cost; prints JSON

With ROWS, each pass works on so many rows alone, against all of the other side: what comes out is no
transport, but takes ROWS/n of the time.
"""
import json
import sys
import time

import numpy as np
import torch

TILE = 1024
torch.set_num_threads(2)


def costs(x, y):
    return (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T


def softmin(x, y, potential, eps, rows):
    """-eps log mean_j exp((potential_j - |x_i - y_j|^2) / eps)"""
    out = torch.zeros(len(x))
    for first in range(0, rows, TILE):
        tile = (potential[None] - costs(x[first:first + TILE], y)) / eps
        out[first:first + TILE] = -eps * (torch.logsumexp(tile, 1) - np.log(len(y)))
    return out


def main():
    x, y = (torch.tensor(np.load(path)) for path in sys.argv[1:3])
    share = int(sys.argv[5]) if len(sys.argv) > 5 else len(x)
    began = time.perf_counter()
    mean = y.mean(0)
    x, y = x - mean, y - mean
    eps = float(sys.argv[3]) * float(x.var(0, unbiased=False).sum() + y.var(0, unbiased=False).sum()
                                     + (x.mean(0) - y.mean(0)).pow(2).sum())
    g = torch.zeros(len(y))
    for _ in range(int(sys.argv[4])):
        f = softmin(x, y, g, eps, share)
        g = softmin(y, x, f, eps, share)
    gradient = torch.empty_like(x)
    for first in range(0, share, TILE):
        rows = x[first:first + TILE]
        plan = torch.exp((f[first:first + TILE, None] + g[None] - costs(rows, y)) / eps)
        plan /= len(x) * len(y)
        gradient[first:first + TILE] = 2 * (plan.sum(1)[:, None] * rows - plan @ y)
    print(json.dumps({"seconds": time.perf_counter() - began,
                      "value": float(f.double().mean() + g.double().mean())}))


main()
