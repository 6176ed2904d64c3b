#!/usr/bin/env bash
# A disk that fills up: whatever is being written then, the command exits with 1 and names the file,
# nothing half-written is left, and once there is room again the run resumes to the same bytes.
#   full_disk.sh KD2M
# The disk is a tmpfs of its own; where none can be mounted, the test is skipped.
set -u
kd2m=$1
folder=$(mktemp -d)
disk=$folder/disk
trap 'umount "$disk" 2>/dev/null; rm -rf "$folder"' EXIT
mkdir "$disk"
if ! mount -t tmpfs -o size=1m kd2m-test "$disk" 2>/dev/null; then
    if [ -z "${INSIDE:-}" ] && unshare -rm true 2>/dev/null; then
        rm -rf "$folder"
        INSIDE=1 exec unshare -rm "$0" "$@"
    fi
    echo "skipped: no file system can be mounted here"
    exit 77
fi
cd "$folder" || exit 1

fail() {
    echo "FAILED: $*"
    sed 's/^/  /' err.txt
    exit 1
}

# Leaves `1` KiB on the disk.
leave() {
    rm -f "$disk/ballast"
    head -c $(($(df --output=avail -k "$disk" | tail -1) - $1))K /dev/zero >"$disk/ballast"
}

# The failure of a command whose exit code was `1`: one sentence that names file `2` and says why.
check_failure() {
    [ "$1" -eq 1 ] || fail "exit code $1 on a full disk, expected 1"
    grep -qE "^kd2m: $2: .*No space left" err.txt || fail "stderr should name $2 and say why"
    [ "$(wc -l <err.txt)" -eq 1 ] || fail "one sentence, please"
    [ -z "$(find "$disk" -name '*.tmp-*')" ] || fail "left behind: $(find "$disk" -name '*.tmp-*')"
}

plain_log() { sed 's/,"seconds":[^}]*}$/}/' "$1/log.jsonl"; }

# What a struck run has left: whole files or none.
check_left() {
    local left=$disk/run
    [ ! -e $left/model.safetensors ] || cmp whole/model.safetensors $left/model.safetensors ||
        fail "a half-written model"
    [ ! -e $left/log.jsonl ] || cmp -s <(plain_log whole | head -n "$(wc -l <$left/log.jsonl)") \
        <(plain_log $left) || fail "a torn log: ..$(tail -c 100 $left/log.jsonl)"
    [ ! -e $left/config.json ] || cmp whole/config.json $left/config.json || fail "a torn config"
}

# sweep STEP COMMAND...: a run on a disk with 0, STEP, .. KiB left until it has enough; in `struck`
# the files that did not fit, in `resumed` how often a run that had a checkpoint was struck.
sweep() {
    local step=$1 room code
    shift
    rm -rf whole
    "$kd2m" "$@" -q --out whole >/dev/null || exit 1
    struck='' resumed=0
    for ((room = 0; ; room += step)); do
        leave $room
        "$kd2m" "$@" -q --out "$disk/run" >out.txt 2>err.txt && break
        code=$?
        check_failure $code "$disk/run/[a-z./]*"
        [ ! -s out.txt ] || fail "a result of a run that failed"
        check_left
        struck+="$(sed -E 's|.*/([a-z]*\.[a-z]*): .*|\1 |' err.txt)"
        [ ! -e "$disk/run/checkpoint/state.safetensors" ] || resumed=$((resumed + 1))
        rm "$disk/ballast"
        "$kd2m" "$@" -q --resume --out "$disk/run" >/dev/null 2>err.txt || fail "no resumption"
        cmp whole/model.safetensors "$disk/run/model.safetensors" || fail "another model: $room KiB"
        cmp <(plain_log whole) <(plain_log "$disk/run") || fail "another log: $room KiB"
        rm -rf "$disk/run"
    done
    rm -rf "$disk/run" "$disk/ballast"
    echo "$1: struck at $struck, $resumed times behind a checkpoint"
}

data="--data bearing:train=10,test=4,length=64 --batch-size 16"
sweep 4 train $data --model mlp:64-16-7 --epochs 1 --profile
for file in config.json log.jsonl state.safetensors profile.json model.safetensors result.json; do
    [[ " $struck" == *" $file "* ]] || fail "no run was struck as it wrote $file"
done
cp -r whole teacher
loss='ce + kd + kd:T=2 + kd:T=4 + 0.1*w2 + 0.1*w1 + 0.1*mmd' # its lines in the log are long
sweep 4 distill $data --model mlp:64-8-7 --teacher teacher --loss "$loss" --epochs 3
[[ "$struck" == *state*log.jsonl*state* ]] || fail "no run was struck in the midst of a line"

# what a teacher says
leave 0
"$kd2m" distill $data -q --model mlp:64-8-7 --teacher teacher --loss 'ce + kd' --epochs 1 \
    --teacher-cache "$disk/cache" --out kept >out.txt 2>err.txt
check_failure $? "$disk/cache/[a-z0-9.-]*"
[ -z "$(find "$disk/cache" -type f)" ] || fail "a half-made file"
rm -r "$disk/cache" "$disk/ballast"

# arrays: what was there before stays
head -c 4096 /dev/zero >zeros
{ printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 64), }"
  cat zeros; } >x.npy
for file in logits.npy gradient.npy; do
    echo "as it was" >"$disk/$file"
done
leave 0
"$kd2m" predict teacher x.npy --logits "$disk/logits.npy" >out.txt 2>err.txt
check_failure $? "$disk/logits.npy"
"$kd2m" predict teacher x.npy --features "$disk/features.npy" >out.txt 2>err.txt
check_failure $? "$disk/features.npy"
"$kd2m" distance x.npy x.npy --metric mse --grad-out "$disk/gradient.npy" >out.txt 2>err.txt
check_failure $? "$disk/gradient.npy"
[ ! -s out.txt ] && [ ! -e "$disk/features.npy" ] || fail "something was left"
for file in logits.npy gradient.npy; do
    [ "$(cat "$disk/$file")" = "as it was" ] || fail "$file is another"
done

# features and samples: whole or not at all
leave 4
"$kd2m" features teacher -q ${data%--batch*} --out "$disk/features.safetensors" >out.txt 2>err.txt
check_failure $? "$disk/features.safetensors"
"$kd2m" data -q bearing:train=10,test=4,length=64 --out "$disk/samples" >out.txt 2>err.txt
check_failure $? "$disk/samples/train_x.npy"
[ ! -e "$disk/features.safetensors" ] && [ ! -e "$disk/samples/train_keys.npy" ] ||
    fail "something was left"
rm -rf "$disk/samples"
leave 0

# what is printed
for command in "metrics" "metrics --json" "data bearing:train=10,test=4" "data --transforms" \
    "eval teacher ${data%--batch*}" "eval teacher ${data%--batch*} --json" "predict teacher x.npy" \
    "model show teacher --json" "distance x.npy x.npy --metric mse" "--help" "train --help"; do
    "$kd2m" $command >"$disk/printed" 2>err.txt
    check_failure $? "standard output can't be written"
done
echo "the disk was full, and nothing was lost"
