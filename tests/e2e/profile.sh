#!/usr/bin/env bash
# --profile tells every part of a run, as text and as JSON, and changes nothing that is trained.
#   profile.sh KD2M
set -eu
kd2m=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
common="-q --data bearing:train=20,test=5 --epochs 2 --batch-size 16"
distil="--model cnn1d:width=0.25 --teacher $folder/teacher"
loss="ce + 0.5*w2@features + kd:T=4"

fail() {
    echo "$*"
    exit 1
}

# Whether each of `parts` begins a line of the file.
expect_parts() {
    for part in $2; do
        grep -q "^$part  *" "$1" || fail "no part '$part' in: $(cat "$1")"
    done
}

"$kd2m" train $common --model cnn1d:width=0.5 --out "$folder/teacher" --profile >"$folder/text"
expect_parts "$folder/text" "layer loss step epoch operator rest total"
grep -q 'waiting for data' "$folder/text" || fail "no waiting for data"

"$kd2m" distill $common $distil --loss "$loss" --out "$folder/plain" >/dev/null
"$kd2m" distill $common $distil --loss "$loss" --out "$folder/timed" --profile >"$folder/text"
expect_parts "$folder/text" "layer loss projector teacher step epoch operator rest total"
cmp "$folder/plain/model.safetensors" "$folder/timed/model.safetensors"
[ -e "$folder/plain/profile.json" ] && fail "a profile that nobody asked for"
cmp "$folder/plain/config.json" "$folder/timed/config.json"

# a run may be resumed with the flag or without it, and --force takes the file away
"$kd2m" distill $common $distil --loss "$loss" --out "$folder/timed" --resume --profile >/dev/null
"$kd2m" distill $common $distil --loss "$loss" --out "$folder/timed" --resume >/dev/null
"$kd2m" distill $common $distil --loss "$loss" --out "$folder/timed" --force --json --profile \
    >"$folder/result.json"
if command -v python3 >/dev/null; then
    python3 - "$folder/result.json" "$folder/timed/profile.json" <<'CHECK'
import json, math, sys
printed = json.load(open(sys.argv[1]))["profile"]
stored = json.load(open(sys.argv[2]))
assert printed == stored
rows = stored["rows"]
parts = {row["part"] for row in rows}
assert parts == {"layer", "loss", "projector", "teacher", "step", "epoch", "operator", "rest",
                 "total"}, parts
terms = [row["name"] for row in rows if row["part"] == "loss"]
assert terms == ["ce", "0.5*w2@features", "kd:T=4"], terms
bytes = [row["bytes"] for row in rows if row["part"] == "loss"]
assert bytes[0] is None and bytes[1] > 0 and bytes[2] > 0, bytes
total = rows[-1]["seconds"]
def whole(*which):
    return sum(row["seconds"] for row in rows if row["part"] in which)
assert math.isclose(whole(*(parts - {"operator", "total"})), total, rel_tol=1e-9)
assert math.isclose(whole("operator"), whole("layer"), rel_tol=1e-9)
assert all(row["gflops"] > 0 for row in rows if row["operator"] in ("conv", "linear"))
CHECK
fi
"$kd2m" distill $common $distil --loss "$loss" --out "$folder/timed" --force >/dev/null
[ -e "$folder/timed/profile.json" ] && fail "--force left the old profile"
echo "all parts told; same model"
