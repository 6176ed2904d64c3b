#!/usr/bin/env bash
# Real data through the command: a teacher and a distilled student on MNIST.
#   mnist.sh KD2M FOLDER
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
"$kd2m" model show "$folder/student" >/dev/null
echo "teacher $(value test_accuracy "$folder/teacher/result.json"), student $(value test_accuracy "$folder/student/result.json")"
