#!/bin/sh
# threads.sh KD2M: bound threads have a core each, also where the command starts itself again.
set -eu
kd2m=$1
[ "$(nproc)" -gt 1 ] || { echo "skipped: one core alone"; exit 77; }
if ldd "$kd2m" | grep -q libomp; then
    echo "skipped: clang's OpenMP beside oneDNN's, each of which binds threads by itself"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
env -u GOMP_SPINCOUNT -u OPENBLAS_CORETYPE OMP_PROC_BIND=true OMP_DISPLAY_AFFINITY=true \
    OMP_AFFINITY_FORMAT='thread %n has %A' "$kd2m" train --data bearing:train=40,test=10 \
    --model cnn1d:width=0.25 --epochs 1 --batch-size 16 --threads 2 --quiet \
    --out "$folder/run" >"$folder/out" 2>&1 || { cat "$folder/out"; exit 1; }
cores=$(grep -h 'thread [01] has' "$folder/out" | awk '{print $4}' | sort -u | wc -l)
[ "$cores" = 2 ] || { echo "two threads have $cores core(s):"; cat "$folder/out"; exit 1; }
