#!/usr/bin/env bash
# Bad input: one clear sentence on stderr, exit code 1 (input) or 2 (usage), nothing half-written,
# no hang.   bad_input.sh KD2M
set -u
kd2m=$1
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

# expect CODE PATTERN COMMAND...: the command fails with CODE, and stderr matches PATTERN.
expect() {
    local code=$1 pattern=$2 found
    shift 2
    timeout 60 "$@" >out.txt 2>err.txt
    found=$?
    if [ $found -ne "$code" ] || ! grep -qE -- "$pattern" err.txt || [ -s out.txt ]; then
        echo "FAILED: $*" | cut -c1-200
        echo "  exit code $found, expected $code; stderr should match '$pattern':"
        sed 's/^/  /' err.txt | head -5
        failures=$((failures + 1))
    fi
}

npy() { # npy FILE DESCR SHAPE: a header of format 1.0; data comes on stdin
    local header="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    local length=$(((${#header} + 11 + 63) / 64 * 64 - 10))
    printf '\x93NUMPY\x01\x00' >"$1"
    printf "\\x$(printf %02x $((length % 256)))\\x$(printf %02x $((length / 256)))" >>"$1"
    printf "%-$((length - 1))s\n" "$header" >>"$1"
    cat >>"$1"
}
zeros() { head -c "$1" /dev/zero; }

zeros 96 | npy a.npy '<f4' '(6, 4)'
zeros 80 | npy b.npy '<f4' '(5, 4)'
zeros 72 | npy narrow.npy '<f4' '(6, 3)'
{ zeros 40; printf '\x00\x00\xc0\x7f'; zeros 52; } | npy nan.npy '<f4' '(6, 4)'
zeros 5 | npy labels5.npy '|u1' '(5,)'
zeros 6 | npy labels.npy '|u1' '(6,)'
{ zeros 5; printf '\x07'; } | npy labels7.npy '|u1' '(6,)'
zeros 50 | npy short.npy '<f4' '(6, 4)'
zeros 100 | npy long.npy '<f4' '(6, 4)'
zeros 16 | npy huge.npy '<f4' '(4611686018427387904, 4)'
zeros 16 | npy large.npy '<f4' '(1000000000, 4)'
zeros 16 | npy object.npy '|O' '(2, 2)'
zeros 96 | npy cube.npy '<f4' '(1, 2, 12)'
echo 'not an array' >text.npy
printf '\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x40\x40' | npy c.npy '<f4' '(3, 1)' # 0, 1, 3
printf '\x00\x00\x00\x40\x00\x00\x80\x40\x00\x00\xe0\x40' | npy d.npy '<f4' '(3, 1)' # 2, 4, 7
zeros 96 | npy whole.npy '<f4' '(6, 4)'
gzip -c whole.npy | head -c 60 >cut.npy

# arrays and metrics
expect 2 "no .*'w3'|did you mean" "$kd2m" distance a.npy b.npy --metric w3
expect 2 "kernel" "$kd2m" distance a.npy b.npy --metric mmd:kernl=rbf
expect 2 "position" "$kd2m" distance a.npy b.npy --metric 'cond(w2'
expect 2 "no closed form" "$kd2m" distance a.npy b.npy --metric fisher-rao:cov=full
expect 2 "alpha=1 is kl" "$kd2m" distance a.npy b.npy --metric renyi:alpha=1
expect 2 "power and c belong" "$kd2m" distance a.npy b.npy --metric mmd:c=1
expect 2 "nested" "$kd2m" distance a.npy b.npy --metric "$(printf 'cond(%.0s' {1..5000})w2"
expect 2 "." "$kd2m" distance a.npy b.npy --metric ''
expect 1 "[0-9]" "$kd2m" distance a.npy b.npy --metric mse
expect 1 "dim|width|features|columns" "$kd2m" distance a.npy narrow.npy --metric w2
expect 1 "NaN|not a number|finite" "$kd2m" distance nan.npy b.npy --metric w2
expect 1 "label" "$kd2m" distance a.npy b.npy --metric 'cond(w2)'
expect 1 "label" "$kd2m" distance a.npy b.npy --metric 'cond(w2)' --labels-a labels5.npy --labels-b labels5.npy
expect 1 "joint needs labels" "$kd2m" distance a.npy b.npy --metric 'joint(w2)'
expect 1 "joint compares logits, but the student" "$kd2m" distance a.npy b.npy --metric 'joint(w2):of=logits'
expect 1 "b.npy.*as many rows" "$kd2m" distance a.npy b.npy --metric 'joint(w2):of=logits' --logits-a b.npy --logits-b b.npy
expect 1 "3 of them in a row and the teacher .y. 4" "$kd2m" distance a.npy a.npy --metric 'joint(w2):of=logits' --logits-a narrow.npy --logits-b a.npy
expect 2 "'mse' has no cost" "$kd2m" distance a.npy a.npy --metric 'joint(mse)'
expect 1 "column 'machine', but the student .x. sample's columns are: none" "$kd2m" distance a.npy a.npy --metric 'cond(w2):by=machine'
expect 1 "columns are: load" "$kd2m" distance a.npy a.npy --metric 'cond(w2):by=machine' --column-a load=labels.npy --column-b load=labels.npy
expect 1 "labels5.npy: as many codes" "$kd2m" distance a.npy a.npy --metric 'cond(w2):by=load' --column-a load=labels5.npy
expect 1 "a.npy: codes are whole|as many codes" "$kd2m" distance a.npy a.npy --metric 'cond(w2):by=load' --column-a load=a.npy
expect 2 "NAME=FILE" "$kd2m" distance a.npy a.npy --metric 'cond(w2):by=load' --column-a labels.npy
for file in short long huge large object text cut missing; do
    expect 1 "$file.npy" "$kd2m" distance $file.npy b.npy --metric w2
done
expect 1 "can't be written" "$kd2m" distance a.npy b.npy --metric w2 --grad-out nowhere/g.npy
expect 2 "npy" "$kd2m" distance a.npy --metric w2
expect 1 "sinkhorn:eps=0.05,abs=0,iters=1,memory=1024 did not converge: gap .* after 1 iterations; raise iters= or eps=" "$kd2m" distance c.npy d.npy --metric sinkhorn:iters=1 --strict
"$kd2m" distance c.npy d.npy --metric sinkhorn:iters=1 --json 2>err.txt | grep -q '"converged":false' && grep -q "warning: sinkhorn.* --strict makes this an error" err.txt || { echo "FAILED: a value that did not converge"; failures=$((failures + 1)); }
expect 2 "repeat" "$kd2m" distance a.npy b.npy --metric w2 --repeat -3
bias="$kd2m distance a.npy a.npy --bias"
expect 2 "belong to --bias" "$kd2m" distance a.npy a.npy --metric w2 --draws 5
expect 2 "belong to --bias" "$kd2m" distance a.npy a.npy --metric w2 --csv bias.csv
expect 2 "don't go with --bias" $bias --metric w2 --grad-out g.npy
expect 2 "end at half of all, but there are 6: say which with --batches" $bias --metric w2
expect 2 "batches of 6 rows: numbers go from 0 to 6" $bias --metric w2 --batches 3,7
expect 2 "draws takes a whole number from 2" $bias --metric w2 --batches 3 --draws 1
expect 2 "row i with row i: leave pairing=apart out" $bias --metric mse --batches 3 --pairing apart
expect 1 "needs labels" $bias --metric 'cond(w2)' --batches 3
expect 1 "row i with row i" "$kd2m" distance a.npy b.npy --metric mse --bias --batches 3
expect 2 "has 6 and the teacher .y. 5" "$kd2m" distance a.npy b.npy --metric w2 --bias --batches 3 --pairing paired
expect 1 "nowhere/bias.csv" $bias --metric w2 --batches 3 --csv nowhere/bias.csv
expect 1 "sinkhorn.* did not converge" "$kd2m" distance c.npy d.npy --metric sinkhorn:iters=1 --bias --batches 2 --strict
expect 2 "no command" "$kd2m" distnace a.npy b.npy
expect 2 "option" "$kd2m" train --no-such-option

# training
small=bearing:train=10,test=4
expect 2 "epochs" "$kd2m" train --data $small --model cnn1d --epochs -1 --out run
expect 2 "batch" "$kd2m" train --data $small --model cnn1d --batch-size 5000 --out run
expect 2 "bearing" "$kd2m" train --data baering --model cnn1d --out run
expect 2 "load" "$kd2m" train --data bearing:laod=3 --model cnn1d --out run
expect 2 "cnn1d" "$kd2m" train --data $small --model cnn1 --out run
expect 2 "1024|values" "$kd2m" train --data $small --model mlp:784-10 --out run
expect 2 "teacher" "$kd2m" distill --data $small --model cnn1d --out run
expect 1 "nowhere" "$kd2m" distill --data $small --model cnn1d --teacher nowhere --batch-size 16 --out run
expect 2 "data" "$kd2m" train --model cnn1d --out run
expect 1 "can't|not" "$kd2m" train --data idx:nowhere --model mlp:784-10 --out run
expect 1 "label" "$kd2m" train --data 'npy:train=a.npy;labels7.npy,classes=3' --model mlp:4-3 --batch-size 2 --out run
expect 1 "NaN|finite|not a number" "$kd2m" train --data 'npy:train=nan.npy;labels.npy' --model mlp:4-1 --batch-size 2 --out run
expect 1 "labels5|rows|labels" "$kd2m" train --data 'npy:train=a.npy;labels5.npy' --model mlp:4-1 --batch-size 2 --out run
expect 1 "made|written|not" "$kd2m" train --data $small --model cnn1d --out /proc/nowhere/run
[ ! -e run/model.safetensors ] || { echo "FAILED: a refused run left a model"; failures=$((failures + 1)); }

# transforms and augmentations
expect 2 "did you mean 'detrend'" "$kd2m" train --data $small --model cnn1d --transform detrnd --out run
expect 1 "takes images" "$kd2m" train --data $small --model cnn1d --transform resize:to=4 --out run
expect 2 "position" "$kd2m" data $small --transform 'detrend++detrend'
expect 2 "to=LENGTH" "$kd2m" data $small --transform resample
expect 2 "did you mean 'noise'" "$kd2m" data $small --transform corrupt:nois
expect 2 "severity takes a whole number from 1 to 5" "$kd2m" data $small --transform corrupt:noise,severity=0
expect 1 "for these there are gain, offset" "$kd2m" data $small --transform corrupt:fog
expect 2 "did you mean 'crop'" "$kd2m" train --data $small --model cnn1d --augment crp --batch-size 16 --out run
expect 1 "takes images" "$kd2m" train --data $small --model cnn1d --augment crop --batch-size 16 --out run

# tables and recordings
printf 'x,y,label\n1,2,ok\n3,,ok\n5,6,bad\n' >table.csv
printf 'x,label\n1,0\n2,0,1\n' >ragged.csv
printf 'x,label\n"1,0\n' >open.csv
printf 'x,label\n1,0\0\n' >nul.csv
printf 'x;label\n1,5;0\n' >comma.csv
printf '\xff\xfex\0,\0' >wide.csv
: >empty.csv
expect 1 "1 value.s. are missing .NaN., the first in table.csv, line 3, column 'y'; --missing drop" "$kd2m" data csv:table.csv
expect 2 "no order to go along" "$kd2m" data csv:table.csv --missing interpolate
expect 2 "refuse.drop.interpolate" "$kd2m" data csv:table.csv --missing ignore
expect 2 "no column 'class'.*it has x, y, label" "$kd2m" data csv:table.csv,label=class
expect 1 "ragged.csv, line 3: has 3 cells, but there are 2 columns" "$kd2m" data csv:ragged.csv
expect 1 "open.csv, line 2: a quote is not closed" "$kd2m" data csv:open.csv
expect 1 "nul.csv, line 2: holds a NUL byte" "$kd2m" data csv:nul.csv
expect 1 "comma.csv, line 2, column 'x': '1,5' is not a finite number; the decimal point is '.'" "$kd2m" data csv:comma.csv
expect 1 "wide.csv, line 1: the text is in UTF-16" "$kd2m" data csv:wide.csv
expect 1 "empty.csv: is empty" "$kd2m" data csv:empty.csv
expect 1 "nowhere.csv: can't be opened" "$kd2m" data csv:nowhere.csv
expect 1 "none\*.csv: no file fits" "$kd2m" data 'csv:none*.csv'
expect 2 "table.csv: is named twice" "$kd2m" data csv:train=table.csv,test=table.csv
expect 2 "did you mean 'window'" "$kd2m" data recordings:table.csv,windows=2
expect 1 "no windows are left" "$kd2m" data recordings:table.csv,window=8 --missing interpolate
expect 2 "say labels=TABLE.csv or labels=folder" "$kd2m" data recordings:a.npy,window=2
expect 2 "no column 'file'" "$kd2m" data recordings:a.npy,labels=table.csv,window=2
expect 2 "needs paths with a folder" "$kd2m" data recordings:a.npy,labels=folder,window=2
expect 1 "nan.npy, row 2, element 2" "$kd2m" data 'npy:train=nan.npy;labels.npy'
"$kd2m" data -q csv:table.csv --missing drop >/dev/null || { echo "FAILED: --missing drop"; failures=$((failures + 1)); }

# splits
expect 2 "group:COLUMN" "$kd2m" train --data $small --model cnn1d --split grop:load --out run
expect 2 "there are 'load', 'speed'" "$kd2m" train --data $small --model cnn1d --split group:machine --out run
expect 2 "1 group.s. by 'load', but 2 are needed" "$kd2m" train --data $small --model cnn1d --split group:load --out run
expect 2 "when samples were taken" "$kd2m" train --data $small --model cnn1d --split time --out run
expect 2 "leave --test out" "$kd2m" train --data $small --model cnn1d --test 0.2 --out run
expect 2 "nothing to train on" "$kd2m" data bearing:train=10,test=0 --validation 0.5 --test 0.5

# classes and limit
expect 2 "numbers go from 0 to 6" "$kd2m" train --data $small --model cnn1d --classes 7 --out run
expect 2 "there twice" "$kd2m" data $small --classes 1,1
expect 2 "none of the 6 training rows" "$kd2m" data 'npy:train=a.npy;labels.npy,classes=3' --classes 2
expect 2 "limit" "$kd2m" data $small --limit -1
expect 2 "imbalance takes a number from 1e-06 to 1" "$kd2m" data $small --imbalance 0
expect 2 "label_noise takes a number from 0 to 1" "$kd2m" data $small --label-noise 1.5
expect 2 "no other to take" "$kd2m" data $small --classes 2 --label-noise 0.5

# runs and models
rm -rf run teacher
"$kd2m" train -q --data $small --model cnn1d:width=0.25 --epochs 1 --batch-size 16 --out teacher >/dev/null || exit 1
"$kd2m" train -q --data "$small,length=512" --model mlp:512-8-7 --epochs 1 --batch-size 16 --out other >/dev/null || exit 1
expect 2 "not empty" "$kd2m" train --data $small --model cnn1d --out teacher
expect 2 "epochs" "$kd2m" train --resume --data $small --model cnn1d:width=0.25 --epochs 9 --batch-size 16 --out teacher
expect 1 "512" "$kd2m" eval other --data $small
expect 1 "512" "$kd2m" distill --data $small --model cnn1d --teacher other --batch-size 16 --out run
"$kd2m" train -q --data 'npy:train=a.npy;labels.npy,classes=5' --model mlp:4-5 --epochs 1 --batch-size 2 --out five >/dev/null || exit 1
"$kd2m" train -q --data $small --classes 1-3 --limit 20 --model cnn1d:width=0.25 --epochs 1 --batch-size 16 --out three >/dev/null || exit 1
expect 1 "knows 3 classes, .* has 7; --classes chooses" "$kd2m" eval three --data $small
"$kd2m" eval three --data $small --classes 1-3 >/dev/null || { echo "FAILED: eval of some classes"; failures=$((failures + 1)); }
expect 1 "knows 5 classes" "$kd2m" distill --data 'npy:train=a.npy;labels.npy,classes=3' --model mlp:4-3 --teacher five --batch-size 2 --out run
expect 1 "does not start|tensor" "$kd2m" train --data $small --model cnn1d --initial teacher --batch-size 16 --out run2
expect 2 "lyer|feature" "$kd2m" distill --data $small --model cnn1d:width=0.25 --teacher teacher --loss 'ce + w2@featurs' --batch-size 16 --out run3
expect 2 "position" "$kd2m" distill --data $small --model cnn1d:width=0.25 --teacher teacher --loss 'ce + + w2' --batch-size 16 --out run4
expect 1 "epoch 1, step 1: term '0.5.sinkhorn:iters=1': sinkhorn:eps=.* did not converge" "$kd2m" distill --data $small --model cnn1d:width=0.25 --teacher teacher --loss 'ce + 0.5*sinkhorn:iters=1' --strict --batch-size 16 --out run5s
head -c 1000 teacher/model.safetensors >cut.safetensors
expect 1 "cut.safetensors" "$kd2m" model show cut.safetensors
expect 1 "text.npy" "$kd2m" model show text.npy
expect 1 "takes" "$kd2m" predict teacher a.npy
"$kd2m" train -q --data $small --transform resample:to=512 --model cnn1d:width=0.25 --epochs 1 --batch-size 16 --out halved >/dev/null || exit 1
expect 1 "transform resample" "$kd2m" distill --data $small --model cnn1d --teacher halved --batch-size 16 --out run
expect 1 "behind 'resample:to=512'" "$kd2m" predict halved cube.npy
zeros 8192 | npy signals.npy '<f4' '(2, 1024)'
"$kd2m" predict halved signals.npy >/dev/null || { echo "FAILED: predict behind a transform"; failures=$((failures + 1)); }
"$kd2m" eval halved --data $small >/dev/null || { echo "FAILED: eval behind a transform"; failures=$((failures + 1)); }
"$kd2m" eval halved --data $small --transform corrupt:dropped,severity=5 >/dev/null || { echo "FAILED: eval of spoilt data"; failures=$((failures + 1)); }

# teachers in files
distil="$kd2m distill --data $small --model cnn1d:width=0.25 --batch-size 16 --out run5"
"$kd2m" features -q teacher --data $small --out f.safetensors >/dev/null || exit 1
"$kd2m" features -q teacher --data $small --moments --out m.safetensors >/dev/null || exit 1
mkdir empty features other_rows
zeros 640 | npy features/features.npy '<f4' '(80, 2)'
zeros 80 | npy other_rows/logits.npy '<f4' '(10, 2)'
cp features/features.npy other_rows
head -c 500 f.safetensors >torn.safetensors
expect 1 "neither model.safetensors nor .npy" $distil --teacher empty
expect 1 "not a safetensors file.*a teacher is a run folder" $distil --teacher a.npy
expect 1 "torn.safetensors" $distil --teacher torn.safetensors
expect 1 "'logits' has 10 rows, but 'features' 80" $distil --teacher other_rows
expect 1 "features are of data with digest" $distil --data $small,snr=1 --teacher f.safetensors
expect 2 "leave --augment out" $distil --teacher f.safetensors --augment shift
expect 2 "no keys" $distil --teacher features --loss 'ce + mse'
expect 2 "add 'labels'" $distil --teacher features --loss 'ce + cond(w2)'
expect 2 "did you mean 'features'" $distil --teacher features --loss 'ce + w2@featurs'
expect 2 "other Gaussian metrics with cov=diag work" $distil --teacher m.safetensors --loss 'ce + w2'
expect 2 "FILE are needed" "$kd2m" features teacher --data $small
expect 2 "say --moments" "$kd2m" features teacher --data $small --per-class --out f2.safetensors
expect 2 "no layer 'bm1' .did you mean 'bn1'" "$kd2m" features teacher --data $small --layers bm1 --out f2.safetensors
expect 1 "takes samples of" "$kd2m" features other --data $small --out f2.safetensors
expect 1 "can't be" "$kd2m" features teacher --data $small --out nowhere/f2.safetensors
expect 2 "say which" "$kd2m" data --out samples
expect 1 "a.npy" "$kd2m" data $small --out a.npy/samples
[ ! -e f2.safetensors ] && [ ! -e run5 ] || { echo "FAILED: refused, but something was written"; failures=$((failures + 1)); }

# lists of runs
expect 2 "did you mean 'lr'" "$kd2m" runs --where lrr=0.1
expect 2 "'lr' is no condition" "$kd2m" runs --where lr
expect 2 "lr is a number" "$kd2m" runs --where lr=high
expect 2 "no setting or result 'accuracy'" "$kd2m" runs --sort accuracy
expect 2 "--as takes text" "$kd2m" runs --as html
expect 1 "nowhere: can't be read" "$kd2m" runs nowhere
echo '{' >halved/result.json
"$kd2m" runs . --where state=damaged | grep -q '^./halved .*not JSON' || { echo "FAILED: a damaged run is not told"; failures=$((failures + 1)); }
expect 2 "knows no --score" "$kd2m" study --out foreign --show samples --score accuracy

mkdir foreign && echo hello >foreign/file
expect 2 "not a run" "$kd2m" train --data $small --model cnn1d --force --out foreign
[ -s foreign/file ] || { echo "FAILED: --force removed a stranger's file"; failures=$((failures + 1)); }
leftover=$(find . -name '*.tmp-*')
[ -z "$leftover" ] || { echo "FAILED: left behind $leftover"; failures=$((failures + 1)); }

echo "$failures failed"
[ $failures -eq 0 ]
