#!/usr/bin/python3
"""Writes tests/fuzz/corpus/idx: small IDX files to begin fuzzing with.

    /usr/bin/python3 tools/corpus_idx.py
"""
import gzip
import os
import struct

folder = os.path.join(os.path.dirname(__file__), "..", "tests", "fuzz", "corpus", "idx")


def idx(code, shape, elements):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + elements


files = {
    "bytes": idx(0x08, [2, 2, 3], bytes(range(12))),
    "integers": idx(0x0C, [3], struct.pack(">3i", 1, -2, 300000)),
    "floats": idx(0x0D, [2, 2], struct.pack(">4f", 0.5, -1, 1e30, 0)),
    "doubles": idx(0x0E, [1, 2, 1, 1], struct.pack(">2d", 0.5, float("nan"))),
    "lies": idx(0x08, [2**32 - 1, 2**32 - 1], bytes(4)),
    "zipped": gzip.compress(idx(0x08, [4], bytes(4)), mtime=0),
}
os.makedirs(folder, exist_ok=True)
for name, content in files.items():
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)
