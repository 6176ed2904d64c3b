#!/usr/bin/python3
"""docs/performance.md's table of whole data sets: `sinkhorn` where its matrix is not kept, beside tiles of
it in PyTorch, value and gradient.

    bench/large.py [ROWS [DIM]]            50000 x 64 unless given; only those are put into the document

An iteration is the time of a longer run less that of a shorter one, over the iterations between them. The
peer's take two passes over the pairs each (rows, then columns), kd2m's one. Of more than 8,192 rows the peer
works on 2,048 in each pass, against all of the other side, and its seconds are those times rows/2,048. Memory
is the largest resident set of the process, reading the arrays included.
"""
import json
import os
import subprocess
import sys
import tempfile

AVX512 = "avx512vl" in open("/proc/cpuinfo").read()
os.environ["OPENBLAS_CORETYPE"] = "SkylakeX" if AVX512 else "Haswell"
os.environ["OMP_NUM_THREADS"] = "2"
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "peers"))

import numpy as np  # noqa: E402  (after the BLAS's kernels are chosen)

from clouds import cloud  # noqa: E402
from marks import replace  # noqa: E402

SHORT, LONG = 1, 3
PEER_MOST, PEER_SHARE = 8192, 2048


def run(command):
    """What a command says in JSON, and its largest resident set in MB."""
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdout=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"{command[0]} failed")
        said.seek(0)
        return json.loads(said.read()), usage.ru_maxrss / 1024


def row(name, command, times=1):
    """A line of the table; `times`: what was left out of the work, so that its value means nothing."""
    short, _ = run(command(SHORT))
    long, memory = run(command(LONG))
    each = (long["seconds"] - short["seconds"]) / (LONG - SHORT)
    whole = times == 1
    return [name, f"{times * each:.2f}", f"{long['seconds'] - LONG * each:.2f}" if whole else "–", f"{memory:.0f}",
            f"{long['value']:.6g}" if whole else "–"]


def main():
    rows, dim = (int(text) for text in sys.argv[1:3] + ["50000", "64"][len(sys.argv) - 1:])
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/x.npy", f"{folder}/y.npy"]
        for path, seed, shift in zip(paths, (1, 2), (0.1, 0)):
            np.save(path, cloud("gaussian", rows, dim, seed, shift))
        ours = row("kd2m", lambda n: ["build/release/bin/kd2m", "distance", *paths, "--metric",
                                      f"sinkhorn:eps=0.05,memory=64,iters={n}", "--json", "--quiet",
                                      "--threads", "2"])
        share = PEER_SHARE if rows > PEER_MOST else rows
        theirs = row("PyTorch in tiles", lambda n: [
            "/usr/bin/python3", f"{FOLDER}/peers/sinkhorn_tiles.py", *paths, "0.05", str(n), str(share)],
            rows / share)
    table = ["| | s per iteration | s before and after them | peak memory, MB | value |", "|---" * 5 + "|"]
    table += ["| " + " | ".join(cells) + " |" for cells in (ours, theirs)]
    if sys.argv[1:]:
        print("\n".join(table))
    else:
        replace("docs/performance.md", "large", table)


main()
