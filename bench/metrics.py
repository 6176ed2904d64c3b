#!/usr/bin/python3
"""docs/performance.md's tables of metrics: kd2m beside POT and PyTorch in one run, value and gradient.

    bench/metrics.py [--most ROWS]               all that this build and peers/metrics.py have
    bench/metrics.py [--most ROWS] METRIC...     those named, printed and not put into the document
    bench/metrics.py --sizes N,N.. METRIC...     likewise, of these sizes

Both work on the same files, take turns and use two threads; PyTorch's and POT's BLAS is told what the
processor is. A cell is

    kd2m's time in ms, how many times faster than the peer, how many times its floor

and the floor is the larger of the flops that the definition asks for over the rate of float gemm, and
the bytes that must be read and written over the bandwidth, both measured in the same run. A cell whose
values differ by more than 1e-3 says so. Medians. 'Per iteration' is the time of a run less that of one
iteration, over the iterations between the two, on both sides: what stands before and after them is not
in it. kd2m counts every pass over the matrix as an iteration, those of Newton's method, too. 'Whole' is
value and gradient, from the rows on, until no more than 1e-7 of the mass is in the wrong place. gw on
4,096 clustered rows is left out: POT takes minutes there.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

AVX512 = "avx512vl" in open("/proc/cpuinfo").read()
os.environ["OPENBLAS_CORETYPE"] = "SkylakeX" if AVX512 else "Haswell"
os.environ["OMP_NUM_THREADS"] = "2"
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))

import numpy as np  # noqa: E402  (after the BLAS's kernels are chosen)
import torch  # noqa: E402

from clouds import HARD, labels, pair  # noqa: E402
from marks import replace  # noqa: E402
from metrics import PEERS, PER_ITERATION, SINKHORN_ITERATIONS  # noqa: E402

torch.set_num_threads(2)
KD2M = "build/release/bin/kd2m"
DIM, SIZES, CLOUDS = 512, (128, 256, 512, 1024, 2048, 4096), ("gaussian", "clustered")
HARD_SIZES = (256, 1024, 2048)
SHIFT = {"gaussian": 0.1, "clustered": 0.05}
TOO_LONG = {("gw", "clustered", 4096)}  # for the peer
TURNS, PATIENCE = 5, 20  # turns of a cell; seconds after which a cell has had enough of them


def floor(metric, n, m, rates):
    """Seconds that no implementation of the definition goes below."""
    gradient = n * DIM * 4
    read = (n + m) * DIM * 4
    pairs = {"w2": n * m, "w1": n * m, "cond(w2)": n * m / 10, "gw": (n * n + m * m) / 2,
             "mmd:kernel=rbf": 2 * n * m + (n * n + m * m) / 2 + n * n,
             "energy": 2 * n * m + (n * n + m * m) / 2 + n * n}.get(metric, 0)
    flops, size = 2 * pairs * DIM, read + gradient
    if metric in PER_ITERATION:
        flops, size = 0, n * m * 4  # an iteration reads the kernel once
    if metric == "sinkhorn, whole":
        flops = 4 * n * m * DIM  # the costs' product and the gradient's
    if metric == "sw2":
        flops = 2 * (n + m) * DIM * 50 + 2 * n * DIM * 50
    if metric == "gauss-w2:cov=full":
        flops = 2 * (n + m) * DIM * DIM if n >= DIM else 2 * n * m * DIM
    return max(flops / rates["flops"], size / rates["bytes"])


def machine():
    """The rates of float gemm and of reading memory, here and now."""
    a = torch.randn(2048, 2048)
    big = torch.zeros(2**28)
    gemm = statistics.median(seconds(lambda: a @ a) for _ in range(5))
    read = statistics.median(seconds(big.sum) for _ in range(5))
    return {"flops": 2 * 2048**3 / gemm, "bytes": 4 * 2**28 / read}


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def distance(spec, folder, repeat):
    command = [KD2M, "distance", f"{folder}/x.npy", f"{folder}/y.npy", "--metric", spec, "--json",
               "--quiet", "--threads", "2", "--labels-a", f"{folder}/xl.npy", "--labels-b",
               f"{folder}/yl.npy", "--repeat", str(repeat)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode == 2:
        return None  # a metric that this build doesn't have
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def run_kd2m(metric, folder, n):
    if not metric.startswith("sinkhorn"):
        return distance(metric, folder, max(10, 5120 // n))  # beyond what a process's first calls cost
    repeat = max(10, 20000 // n)
    if metric not in PER_ITERATION:
        return distance("sinkhorn:eps=0.05", folder, repeat)
    found = [per_iteration(folder, repeat) for _ in range(3)]
    return sorted(found, key=lambda one: one["seconds"])[1]


def per_iteration(folder, repeat):
    """A difference of times, either of which may have been disturbed."""
    found = distance("sinkhorn:eps=0.05", folder, repeat)
    one = distance("sinkhorn:eps=0.05,iters=1", folder, repeat)
    found["seconds"] -= one["seconds"]
    found["seconds"] /= found["iterations"] - one["iterations"]
    return found


def run_peer(metric, tensors):
    """Seconds and value of the peer."""
    peer = PEERS[metric][1]
    value = []
    took = seconds(lambda: value.append(float(peer(*tensors)[0])))
    if metric in PER_ITERATION:
        took -= seconds(lambda: peer(*tensors, iterations=1))
        took /= SINKHORN_ITERATIONS - 1
    return took, value[0]


def measure(metric, kind, n, m):
    """Medians (kd2m's seconds, the peer's) and the two values; None where kd2m has no such metric."""
    x, y = pair(kind, n, m, DIM, SHIFT.get(kind, 0))
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("x", x), ("y", y), ("xl", labels(n)), ("yl", labels(m))):
            np.save(f"{folder}/{name}.npy", array)
        tensors = [torch.tensor(array) for array in (x, y, labels(n), labels(m))]
        ours, theirs, value = [], [], None
        began = time.time()
        while not ours or (len(ours) < TURNS and time.time() - began < PATIENCE):
            found = run_kd2m(metric, folder, n)
            if found is None:
                return None
            ours.append(found["seconds"])
            took, value = run_peer(metric, tensors)
            theirs.append(took)
    return statistics.median(ours), statistics.median(theirs), found["value"], value


def cell(metric, found, n, m, rates):
    ours, theirs, value, expected = found
    text = f"{1000 * ours:.3g} · **{theirs / ours:.1f}×** · {ours / floor(metric, n, m, rates):.1f}"
    comparable = metric != "sw2" and not metric.startswith("sinkhorn")
    if comparable and abs(value - expected) > 1e-3 * max(abs(expected), 1e-3):
        text += f" ({value:.4g} for {expected:.4g})"
    return text


def table(metrics, sizes, rates, columns=lambda n: n, kinds=CLOUDS):
    rows = ["| metric | peer | features | " + " | ".join(str(n) for n in sizes) + " |",
            "|---" * (3 + len(sizes)) + "|"]
    for metric in metrics:
        for kind in kinds:
            cells = []
            for n in sizes:
                m = columns(n)
                found = None if (metric, kind, n) in TOO_LONG else measure(metric, kind, n, m)
                cells.append("–" if found is None else cell(metric, found, n, m, rates))
                print(f"{metric} {kind} {n} x {m}: {cells[-1]}", file=sys.stderr, flush=True)
                if found is None and n == sizes[0]:
                    break
            if len(cells) == len(sizes):
                rows.append("| " + " | ".join([f"`{metric}`", PEERS[metric][0], kind, *cells]) + " |")
    return rows


def main():
    arguments = sys.argv[1:]
    most = SIZES[-1]
    if arguments[:1] == ["--most"]:
        most, arguments = int(arguments[1]), arguments[2:]
    sizes = tuple(n for n in SIZES if n <= most)
    if arguments[:1] == ["--sizes"]:
        sizes, arguments = tuple(int(n) for n in arguments[1].split(",")), arguments[2:]
        most = max(sizes)
    chosen = arguments or list(PEERS)
    rates = machine()
    print(f"{rates['flops'] / 1e9:.0f} GFLOP/s, {rates['bytes'] / 1e9:.1f} GB/s", file=sys.stderr)
    equal = table(chosen, sizes, rates)
    unequal = table([name for name in chosen if name in ("w2", "w1")], sizes, rates,
                    columns=lambda n: n * 3 // 4 + 1)
    hard = table([name for name in chosen if name == "w2"], [n for n in HARD_SIZES if n <= most], rates,
                 kinds=HARD)
    if arguments:
        print("\n".join(equal + unequal + hard))
    else:
        replace("docs/performance.md", "metrics", equal)
        replace("docs/performance.md", "metrics unequal", unequal)
        replace("docs/performance.md", "metrics hard", hard)


main()
