"""Features made up for the comparison of metrics: cloud(kind, rows, dim, seed, shift) in float32.

    gaussian    independent standard normals
    clustered   ten clusters behind a ReLU, two thirds of the values 0, as a net's last layer has them;
                what spreads inside a cluster lies in 32 directions
Both sides of a pair have the same clusters; the teacher's side is moved by `shift` per feature.
"""
import numpy as np

CLASSES = 10


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
