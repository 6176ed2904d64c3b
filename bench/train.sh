#!/usr/bin/env bash
# docs/performance.md's table: training and inference of the zoo's nets beside PyTorch, as installed
# and with its BLAS told what the processor is. The three take turns, on two threads.
#   bench/train.sh [TURNS [ROUNDS]]      (five minutes a turn)
set -eu
cd "$(dirname "$0")/.."
turns=${1:-3}
rounds=${2:-5}
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export OMP_NUM_THREADS=2
kernels=Haswell
grep -q avx512vl /proc/cpuinfo 2>/dev/null && kernels=SkylakeX
for _ in $(seq "$turns"); do
    build/release/bin/bench_train "$rounds"
    env -u OPENBLAS_CORETYPE /usr/bin/python3 bench/peers/train.py installed "$rounds"
    OPENBLAS_CORETYPE=$kernels /usr/bin/python3 bench/peers/train.py fair "$rounds"
done | tee "$lines" >&2
/usr/bin/python3 bench/train_table.py docs/performance.md train <"$lines"
