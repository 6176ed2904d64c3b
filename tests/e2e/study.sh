#!/usr/bin/env bash
# A study whose processes are killed at random moments, two of them at work at once towards the end,
# must end in the very figures of one that was left alone, no trial having been trained twice.
#   study.sh KD2M [KILLS]
set -eu
source "$(dirname "$0")/clock.bash"
kd2m=$1
kills=${2:-20}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "$*"
    exit 1
}

cat >"$folder/plan.json" <<'JSON'
{
  "settings": {"epochs": 12, "batch_size": 32},
  "data": [{
    "name": "rig",
    "settings": {"data": "bearing:train=40,test=20,length=256,load=0-3"},
    "group": "load",
    "teacher": {"model": "cnn1d:width=0.25"},
    "shifts": [{"name": "noise", "settings": {"data": "bearing:train=40,test=20,length=256,snr=0"}}]
  }],
  "students": ["mlp:256-16-7"],
  "methods": [
    {"name": "ce", "loss": "ce", "search": {"lr": [0.01, 0.05]}},
    {"name": "kd", "loss": "ce + {w}*kd:T=4", "search": {"w": [0.5, 2]}},
    {"name": "w2", "loss": "ce + {w}*w2@features", "search": {"w": {"low": 0.01, "high": 1, "log": true}}}
  ],
  "budget": {"candidates": 4, "rungs": 2},
  "seeds": 4
}
JSON
study() {
    exec "$kd2m" study -q --threads 1 "$@"
}

began=$(now)
(study "$folder/plan.json" --out "$folder/whole" --final --as json) >"$folder/whole.json"
took=$(($(now) - began))
hit=0
for ((i = 0; i < kills; i++)); do
    study "$folder/plan.json" --out "$folder/torn" >/dev/null 2>&1 &
    pid=$!
    random_nap $((took * 14 / kills / 10)) # all of them together: 0.7 of the whole
    kill -9 $pid 2>/dev/null && hit=$((hit + 1))
    wait $pid 2>/dev/null || true
done
[ $hit -ge $((kills / 2)) ] || fail "only $hit of $kills kills met a living process"
study --out "$folder/torn" >/dev/null 2>"$folder/errors" &
pid=$!
(study --out "$folder/torn") >/dev/null || fail "a second process at work: $?"
wait $pid || fail "the first process: $(cat "$folder/errors")"
(study --out "$folder/torn" --final --as json) >"$folder/torn.json"
cmp "$folder/whole.json" "$folder/torn.json"
grep -q '"part": "noise"' "$folder/torn.json" || fail "no figures under shift"
for table in samples mcnemar; do
    (study --out "$folder/whole" --show $table --as csv) >"$folder/one"
    (study --out "$folder/torn" --show $table --as csv) >"$folder/other"
    cmp "$folder/one" "$folder/other"
    grep -q "^rig,noise," "$folder/one" || fail "no $table under shift"
done
(study --out "$folder/torn" --show samples --as csv) | grep -q ",load," || fail "loads group no samples"
(study --out "$folder/torn" --show costs --as csv) >"$folder/costs"
grep -qE '^rig,mlp:256-16-7,w2,[1-4],[0-9.e-]+,[0-9.e-]+,[^,]*w2@features,[0-9.e-]+,[0-9.e-]+,[0-9.e-]+$' \
    "$folder/costs" || fail "costs: $(cat "$folder/costs")"

# once finished, nothing is trained again
(study --out "$folder/torn" --show trials --as csv) >"$folder/before"
(study "$folder/plan.json" --out "$folder/torn") >/dev/null
(study --out "$folder/torn" --show trials --as csv) >"$folder/after"
cmp "$folder/before" "$folder/after"
# trials are runs
[ "$("$kd2m" runs "$folder/torn" --where state=done --as csv | wc -l)" -eq "$(wc -l <"$folder/before")" ] ||
    fail "not every trial is listed as a run: $("$kd2m" runs "$folder/torn")"

# the teacher was asked once, whatever the seed and the loss: logits for kd, features for w2
for study in whole torn; do
    [ "$(find "$folder/$study/cache" -name '*.safetensors' | wc -l)" -eq 2 ] ||
        fail "kept in $study: $(ls "$folder/$study/cache")"
done
echo "$hit kills: the same figures"

# Ctrl-C
study "$folder/plan.json" --out "$folder/stopped" >/dev/null 2>"$folder/errors" &
pid=$!
until [ "$(ls "$folder/stopped/trials" 2>/dev/null | wc -l)" -ge 4 ]; do
    sleep 0.02
done
kill -INT $pid
code=0
wait $pid || code=$?
[ $code -eq 1 ] || fail "exit code $code after Ctrl-C"
grep -q "the same command goes on" "$folder/errors" || fail "after Ctrl-C: $(cat "$folder/errors")"

# and goes on where it was moved to
mv "$folder/stopped" "$folder/moved"
(study --out "$folder/moved") >/dev/null
(study --out "$folder/moved" --final --as csv) >"$folder/other"
(study --out "$folder/whole" --show results --as csv) >"$folder/one"
cmp "$folder/one" "$folder/other" || fail "moved: other results"
