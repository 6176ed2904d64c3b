#!/usr/bin/env bash
# docs/results.md's MNIST table: kd2m and PyTorch by the same recipe, one after the other.
#   bench/mnist_mlp.sh MNIST_FOLDER [SEEDS]      (about ten minutes on two cores)
set -eu
cd "$(dirname "$0")/.."
data=$1
seeds=${2:-3}
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export OMP_NUM_THREADS=2
grep -q avx512f /proc/cpuinfo 2>/dev/null && export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}
for tool in kd2m torch; do
    /usr/bin/python3 bench/peers/mnist_mlp.py $tool "$data" "$seeds" | tee -a "$lines" >&2
done
/usr/bin/python3 bench/results_table.py docs/results.md mnist_mlp <"$lines"
