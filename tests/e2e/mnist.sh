#!/usr/bin/env bash
# Real data through the command: a teacher and a distilled student on MNIST; the teacher on USPS,
# whose images are brought to MNIST's size, where they are there.
#   mnist.sh KD2M FOLDER [USPS_FOLDER]
set -eu
kd2m=$1
data=idx:$2
[ -d "$2" ] || { echo "skipped: no MNIST in $2"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

value() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$2"; }
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }' || { echo "$3: $1 is not above $2"; exit 1; }; }

"$kd2m" train -q --data "$data" --model mlp:784-256-128-10 --epochs 2 --out "$folder/teacher" >/dev/null
"$kd2m" distill -q --data "$data" --model mlp:784-32-10 --teacher "$folder/teacher" --metric w2 \
    --epochs 2 --out "$folder/student" >/dev/null
above "$(value test_accuracy "$folder/teacher/result.json")" 0.96 "teacher"
above "$(value test_accuracy "$folder/student/result.json")" 0.92 "student"
"$kd2m" eval "$folder/student" --data "$data" --json >"$folder/eval.json"
[ "$(sed 's/.*"accuracy":\([0-9.]*\).*/\1/' "$folder/eval.json")" = \
  "$(value test_accuracy "$folder/student/result.json")" ] ||
    { echo "eval and result.json differ"; cat "$folder/eval.json" "$folder/student/result.json"; exit 1; }
if [ -d "${3:-}" ]; then
    "$kd2m" eval "$folder/teacher" --data "idx:$3" --transform resize:to=28 --json >"$folder/usps.json"
    above "$(sed 's/.*"accuracy":\([0-9.]*\).*/\1/' "$folder/usps.json")" 0.3 "teacher on USPS"
    if "$kd2m" eval "$folder/teacher" --data "idx:$3" 2>"$folder/refused"; then
        echo "16 x 16 pixels went into a net for 28 x 28"
        exit 1
    fi
    grep -q 'resize:to=28x28' "$folder/refused" || { cat "$folder/refused"; exit 1; }
fi
"$kd2m" model show "$folder/student" >/dev/null
echo "teacher $(value test_accuracy "$folder/teacher/result.json"), student $(value test_accuracy "$folder/student/result.json")"
