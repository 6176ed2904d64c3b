#!/usr/bin/env bash
# The guide's commands, as they stand in docs/guide-own-data.md, on CWRU's recordings.
#   guide.sh KD2M SOURCE CWRU_FOLDER
set -eu
kd2m=$1
source=$2
cwru=$3
[ -d "$cwru" ] || { echo "SKIPPED: no data in $cwru"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir bin
ln -s "$kd2m" bin/kd2m
PATH=$folder/bin:$PATH

"$source/examples/cwru_recordings.sh" "$cwru" recordings
awk '/^```sh/ {inside = 1; next} /^```/ {inside = 0} inside' "$source/docs/guide-own-data.md" >guide
[ "$(grep -c kd2m guide)" -ge 9 ] || { echo "FAILED: the guide has lost its commands"; exit 1; }
bash -eux guide >printed

expect() { # expect PATTERN: in what was printed
    grep -qE -- "$1" printed || { echo "FAILED: '$1' was not printed:"; cat printed; exit 1; }
}
expect '9 classes, 639 for training, 108 for validation, 320 for test'
expect 'runs/teacher: test accuracy 0\.9[0-9]'
expect 'runs/student: test accuracy 0\.9[0-9].*21817 parameters'
[ "$(grep -cE '1070 samples$' printed)" -eq 3 ] || { echo "FAILED: three nets on load 3"; exit 1; }
for net in teacher alone student; do
    expect "runs/$net on .*load3.*: accuracy 0\.[89]"
done
# trained under loads 1 and 2, one of them for validation, tested under load 3
grep -q '"split": "group:load"' runs/loads/config.json
# three inner-race recordings of 119 windows under load 2, most of them known
[ "$(grep -o '"class"' predicted.json | wc -l)" -ge 300 ] || { echo "FAILED: predictions"; exit 1; }
