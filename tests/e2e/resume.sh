#!/usr/bin/env bash
# A run that is killed again and again, at random times and in the midst of checkpoint writes, and
# resumed each time, must end with the very model file of an undisturbed run.
#   resume.sh KD2M [KILLS_OF_EACH_KIND [OPTIMIZER]]
set -eu
source "$(dirname "$0")/clock.bash"
kd2m=$1
kills=${2:-6}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
data=bearing:load=0-2,train=54,test=10

"$kd2m" train -q --data $data --model cnn1d:width=0.5 --epochs 2 --batch-size 32 \
    --split group:load --out "$folder/teacher" >/dev/null
# To be called in a subshell: the process becomes the run, so that a signal meets it.
distil() {
    # two iterations are not enough for the third term: its steps are counted, and so must add up
    exec "$kd2m" distill -q --data $data --model cnn1d:width=0.25 --teacher "$folder/teacher" \
        --loss 'ce + 1*cond(w2)@features + 0.5*kd:T=4 + 0.1*cond(sinkhorn:eps=0.001,iters=2)' --epochs 150 --batch-size 32 \
        --split group:load --imbalance 0.5 --label-noise 0.1 \
        --augment 'shift:max=64+gain+noise:sd=0.05' --optimizer "$optimizer" --sampler "$sampler" "$@" >/dev/null
}

# Waits until a checkpoint is being written (its temporary file is there) or the run has ended.
await_write() {
    while kill -0 "$1" 2>/dev/null; do
        compgen -G "$2/checkpoint/*.tmp-*" >/dev/null && return
    done
    return 0
}

for optimizer in ${3:-sgd adamw}; do
    sampler=shuffle
    [ "$optimizer" = adamw ] && sampler=clustered
    began=$(now)
    (distil --out "$folder/whole")
    took=$(($(now) - began))
    done_kills=0
    torn=0
    for ((i = 0; i < 2 * kills; i++)); do
        distil --resume --out "$folder/torn" &
        pid=$!
        if ((i % 2)); then
            random_nap $((took / kills / 3))
        else
            nap $((took / kills / 6)) # all of them together: a third of the whole, and the writes waited for
            await_write $pid "$folder/torn"
        fi
        kill -9 $pid 2>/dev/null && done_kills=$((done_kills + 1))
        wait $pid 2>/dev/null || true
        compgen -G "$folder/torn/checkpoint/*.tmp-*" >/dev/null && torn=$((torn + 1))
    done
    (distil --resume --out "$folder/torn")
    cmp "$folder/whole/model.safetensors" "$folder/torn/model.safetensors"
    # the log's lines and the result are the same but for the seconds
    strip='s/,"seconds":[^}]*}$/}/'
    cmp <(sed "$strip" "$folder/whole/log.jsonl") <(sed "$strip" "$folder/torn/log.jsonl")
    result() { grep -v second "$1/result.json"; }
    cmp <(result "$folder/whole") <(result "$folder/torn")
    result "$folder/torn" | grep -qE '"unconverged": ?[1-9]' || { echo "nothing was counted"; exit 1; }
    leftover=$(find "$folder/torn" -name '*.tmp-*')
    [ -z "$leftover" ] || { echo "left behind: $leftover"; exit 1; }
    echo "$optimizer: $done_kills kills, $torn of them within a checkpoint's write: same model"
    [ $done_kills -ge $((2 * kills - 2)) ] || { echo "only $done_kills kills hit a living run"; exit 1; }
    rm -rf "$folder/whole" "$folder/torn"
done
