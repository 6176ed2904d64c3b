#!/usr/bin/env python3
"""The corpus of fuzz_features: small files of features, sound and refused.

    tools/corpus_features.py tests/fuzz/corpus/features
"""
import json
import struct
import sys

SIZES = {"F32": ("f", 4), "F64": ("d", 8), "I32": ("i", 4), "I64": ("q", 8), "U8": ("B", 1)}


def write(path, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, kind, shape, values in tensors:
        code, size = SIZES[kind]
        end = len(data) + size * len(values)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), end]}
        data += struct.pack("<%d%s" % (len(values), code), *values)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main(folder):
    features = ("features", "F32", [3, 2], [0.5, 1, -2, 3, 0.25, 4])
    keys = ("keys", "U8", [3, 8], list(range(24)))
    write(folder + "/rows", [features, ("logits", "F64", [3, 2], [1, 2, 3, 4, 5, 6]), keys,
                             ("labels", "I64", [3], [0, 1, 1]),
                             ("bn1", "F32", [3, 1, 2, 2], [i / 4 for i in range(12)])],
          {"data": "0123456789abcdef", "kd2m.features": "1"})
    write(folder + "/repeated", [features, ("keys", "I64", [3], [7, 7, -1])])
    write(folder + "/unpaired", [features, ("labels", "U8", [3], [2, 0, 1])])
    write(folder + "/moments", [("features.mean", "F64", [2], [1, 2]),
                                ("features.variance", "F32", [2], [0.5, 0])])
    write(folder + "/by-class", [("features.mean", "F32", [2, 2], [1, 2, 3, 4]),
                                 ("features.variance", "F32", [2, 2], [1, 0, 2, 4]),
                                 ("features.weight", "I32", [2], [3, 9])])
    write(folder + "/mixed", [features, ("a.mean", "F32", [2], [1, 2]),
                              ("a.covariance", "F32", [2, 2], [1, 0, 0, 1])])


if __name__ == "__main__":
    main(sys.argv[1])
