#!/usr/bin/env bash
# docs/results.md's tables on real data: kd2m and PyTorch by the same recipe, one after the other.
#   bench/real_data.sh DATA_FOLDER [SEEDS] [RECIPE...]     RECIPE: mnist cwru cifar10
# On two cores, three seeds: mnist three minutes, cwru two, cifar10 an hour.
set -eu
cd "$(dirname "$0")/.."
data=$1
seeds=${2:-3}
shift $(($# < 2 ? $# : 2))
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export OMP_NUM_THREADS=2
grep -q avx512f /proc/cpuinfo 2>/dev/null && export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-SkylakeX}
[ $# -gt 0 ] || set -- mnist cwru cifar10
for recipe; do
    : >"$lines"
    for tool in kd2m torch; do
        /usr/bin/python3 bench/peers/real_data.py $tool "$recipe" "$data" "$seeds" | tee -a "$lines" >&2
    done
    /usr/bin/python3 bench/results_table.py docs/results.md "$recipe" <"$lines"
done
