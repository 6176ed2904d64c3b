#!/usr/bin/env bash
# A student that is distilled from the teacher's features in a file is the one that is distilled from
# the teacher itself; the guide's PyTorch snippet makes a teacher as it stands there.
#   stored_teacher.sh KD2M docs/teachers-from-files.md [PYTHON]
set -eu
kd2m=$1
guide=$(realpath "$2")
python=${3:-/usr/bin/python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
data=bearing:train=30,test=12,length=256

fail() {
    echo "FAILED: $*"
    exit 1
}
accuracy() { sed -n "s/.*\"$1\": \([^,]*\).*/\1/p" "$2/result.json"; }

"$kd2m" train -q --data $data --model cnn1d:width=0.5 --epochs 3 --batch-size 16 --out teacher >/dev/null
"$kd2m" features teacher -q --data $data --layers bn3 --out file.safetensors
loss='ce + 0.9*kd:T=4 + 1*cond(w2):bank=32@features + 0.1*gauss-w2@bn3/positions:rows=64'
for teacher in teacher file.safetensors; do
    "$kd2m" distill -q --data $data --model cnn1d:width=0.25 --teacher $teacher --loss "$loss" \
        --epochs 2 --batch-size 16 --out from-$teacher >/dev/null
done
cmp from-teacher/model.safetensors from-file.safetensors/model.safetensors
[ "$(accuracy teacher_accuracy from-teacher)" = "$(accuracy teacher_accuracy from-file.safetensors)" ]
echo "from a file: the same model"

# moments, by class
"$kd2m" features teacher -q --data $data --moments --per-class --out moments.safetensors
"$kd2m" distill -q --data $data --model cnn1d:width=0.25 --teacher moments.safetensors \
    --loss 'ce + cond(gauss-w2)' --epochs 1 --batch-size 16 --out from-moments >printed.txt
! grep -q nan printed.txt || fail "an accuracy that nobody knows is printed"

# as the guide says
"$kd2m" data $data --out samples >/dev/null
[ "$(ls samples | tr '\n' ' ')" = "test_keys.npy test_x.npy test_y.npy train_keys.npy train_x.npy train_y.npy " ]
sed -n '/^```python$/,/^```$/p' "$guide" | grep -v '^```' >snippet.py
[ "$(wc -l <snippet.py)" -le 15 ] || fail "the guide's snippet has grown beyond 15 lines"
if "$python" -c 'import torch, numpy' 2>/dev/null; then
    cat snippet.py - >make.py <<'END'

torch.manual_seed(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv1d(1, 8, 32, 4), torch.nn.BatchNorm1d(8),
                                        torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(4))
        self.drop = torch.nn.Dropout(0.5)
        self.fc = torch.nn.Linear(32, 7)
    def forward(self, x):
        return self.fc(self.drop(self.body(x).flatten(1)))
net = Net()
write_teacher(net, net.fc, "samples", "torch-teacher", batch=50)
with torch.no_grad():
    found = net(torch.tensor(np.load("samples/test_x.npy"))).argmax(1).numpy()
print((found == np.load("samples/test_y.npy")).mean())
END
    name=torch-teacher
elif "$python" -c 'import numpy' 2>/dev/null; then
    echo "PyTorch is not there: NumPy alone makes the teacher, the guide's snippet is not run"
    cat >make.py <<'END'
import numpy as np, os
os.makedirs("numpy-teacher")
x, keys, y = ([np.load(f"samples/{part}_{what}.npy") for part in ("train", "test")]
              for what in ("x", "keys", "y"))
rng = np.random.default_rng(0)
flat = np.concatenate([part.reshape(len(part), -1) for part in x])
features = np.tanh(flat @ rng.normal(size=(flat.shape[1], 32)))
logits = features @ rng.normal(size=(32, 7))
for what, rows in {"features": features, "logits": logits, "keys": np.concatenate(keys)}.items():
    np.save(f"numpy-teacher/{what}.npy", rows)
print((logits[len(x[0]):].argmax(1) == y[1]).mean())
END
    name=numpy-teacher
else
    echo "Python with NumPy is not there: no teacher of another program is tried"
    exit 0
fi
expected=$("$python" make.py)
"$kd2m" distill -q --data $data --model cnn1d:width=0.25 --teacher $name \
    --loss 'ce + 0.5*kd:T=4 + 1*cond(w2)@features' --epochs 1 --batch-size 16 --out from-python >/dev/null
found=$(accuracy teacher_accuracy from-python)
awk -v a="$expected" -v b="$found" 'BEGIN { exit !(a - b < 1e-9 && b - a < 1e-9) }' ||
    fail "the teacher's accuracy is $expected by Python, $found by kd2m"
rm $name/keys.npy
"$kd2m" distill -q --data $data --model cnn1d:width=0.25 --teacher $name --loss 'ce + w2@features' \
    --epochs 1 --batch-size 16 --out from-unpaired >/dev/null
echo "$name: taken, with keys and without"
