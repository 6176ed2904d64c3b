#!/usr/bin/python3
"""Writes tests/golden/npy: small .npy files by NumPy itself, which kd2m must read or refuse; and
tests/fuzz/corpus/npy, a few of them to begin fuzzing with.

    /usr/bin/python3 tools/golden_npy.py

Unless said otherwise element i of an array is 3 i - 4 (3 i for bytes).
"""
import gzip
import os
import shutil

import numpy as np

tests = os.path.join(os.path.dirname(__file__), "..", "tests")
folder = os.path.join(tests, "golden", "npy")
corpus = os.path.join(tests, "fuzz", "corpus", "npy")


def counted(shape, dtype):
    values = 3 * np.arange(np.prod(shape)).reshape(shape)
    return (values if np.dtype(dtype).kind == "u" else values - 4).astype(dtype)


def write(name, array, version=None):
    with open(os.path.join(folder, name + ".npy"), "wb") as file:
        np.lib.format.write_array(file, array, version=version)


os.makedirs(folder, exist_ok=True)
os.makedirs(corpus, exist_ok=True)
for code in ["<f4", ">f4", "<f8", ">f8", "|u1", "<i4", ">i4", "<i8", ">i8"]:
    order = {"<": "little", ">": "big", "|": "single"}[code[0]]
    write(f"{code[1:]}-{order}", counted((2, 3), code))
for version in [(2, 0), (3, 0)]:
    write(f"version-{version[0]}", counted((2, 3), "<f4"), version)
for shape in [(6,), (1, 2, 3), (1, 2, 1, 3)]:
    write(f"dims-{len(shape)}", counted(shape, "<f4"))
write("refused-fortran", np.asfortranarray(counted((2, 3), "<f4")))
write("refused-object", np.array([[1], [2, 3]], dtype=object))
write("refused-text", np.array(["dr\u00f6hnt", "l\u00e4uft"]))
write("refused-records", np.zeros(2, dtype=[("x", "<f4"), ("t\u00e4", "<i4")]), (3, 0))
write("refused-half", counted((2, 3), "<f2"))
write("refused-bool", np.ones((2, 3), dtype=bool))
write("refused-scalar", np.array(1.0, dtype="<f4"))
write("refused-empty", np.zeros((0, 3), dtype="<f4"))
write("refused-dims-5", counted((1, 2, 1, 3, 1), "<f4"))
holes = counted((4, 3), "<f4")
holes[2, 1] = np.nan
holes[3, 2] = -np.inf
write("refused-nan", holes)
write("refused-overflow", np.array([1.0, 1e300], dtype="<f8"))
write("refused-wide", np.array([[1, 2], [3, 2**31]], dtype="<i8"))
with open(os.path.join(folder, "zipped.npy.gz"), "wb") as file:
    with open(os.path.join(folder, "f4-little.npy"), "rb") as plain:
        file.write(gzip.compress(plain.read(), mtime=0))
for name in ["f8-big.npy", "i8-little.npy", "u1-single.npy", "version-3.npy", "dims-4.npy",
             "refused-records.npy", "refused-nan.npy", "zipped.npy.gz"]:
    shutil.copy(os.path.join(folder, name), corpus)
