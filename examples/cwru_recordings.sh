#!/usr/bin/env bash
# A folder of machine recordings for docs/guide-own-data.md, from windows of CWRU's bearings: FOLDER
# holds loadL_train_x.npy (windows x 1024 floats, class by class in time order), loadL_train_y.npy
# (a byte each) and the same for test. Of each fault under each load the windows are put behind each
# other again: OUT/load1-ball-07.npy ..., and OUT/labels.csv says what they are.
#   cwru_recordings.sh FOLDER OUT
set -eu
folder=$1
out=$2
faults=(- ball-07 ball-14 ball-21 inner-07 inner-14 inner-21 outer-07 outer-14 outer-21)
speeds=(1797 1772 1750 1730)
mkdir -p "$out"

# The data of a .npy file of format 1.0, without its header.
data() { tail -c "+$(($(od -An -tu2 -j8 -N2 "$1") + 11))" "$1"; }

# Writes such a file of COUNT floats; they come on stdin.
write() { # write FILE COUNT
    local header="{'descr': '<f4', 'fortran_order': False, 'shape': ($2,), }"
    {
        printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
        cat
    } >"$1"
}

echo "file,fault,load,rpm" >"$out/labels.csv"
for load in 1 2 3; do
    for class in 1 2 3 4 5 6 7 8 9; do
        name=load$load-${faults[class]}
        windows=0
        for part in train test; do
            labels=$(data "$folder/load${load}_${part}_y.npy" | od -An -v -tu1 -w1)
            before=$(awk -v c=$class '$1 < c' <<<"$labels" | wc -l)
            count=$(awk -v c=$class '$1 == c' <<<"$labels" | wc -l)
            data "$folder/load${load}_${part}_x.npy" | tail -c "+$((before * 4096 + 1))" |
                head -c $((count * 4096))
            windows=$((windows + count))
        done >"$out/$name.raw"
        write "$out/$name.npy" $((windows * 1024)) <"$out/$name.raw"
        echo "$name.npy,${faults[class]},$load,${speeds[load]}" >>"$out/labels.csv"
        rm "$out/$name.raw"
    done
done
