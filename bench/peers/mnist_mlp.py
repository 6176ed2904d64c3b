#!/usr/bin/python3
"""The recipe of docs/results.md's MNIST table in PyTorch, or with kd2m: prints one JSON line a net.

    /usr/bin/python3 bench/peers/mnist_mlp.py torch MNIST_FOLDER [SEEDS]
    /usr/bin/python3 bench/peers/mnist_mlp.py kd2m MNIST_FOLDER [SEEDS] [COMMAND]

Teacher 784-512-256-128-128-128-10 and student 784-64-10, one teacher a seed; students with ce,
ce + kd:T=4, ce + w2@features (projector 64 -> 128, divided by the teacher's total feature variance).
8 epochs of 421 batches of 128 (a tenth of the training data is left out), SGD 0.05 / 0.9, cosine to
0, decay 1e-4 not on biases, He initialisation, inputs normalised by the training data's mean and sd,
the last epoch's net tested.
"""
import gzip
import json
import math
import subprocess
import sys
import tempfile
import time

EPOCHS, BATCH, LR, MOMENTUM, DECAY = 8, 128, 0.05, 0.9, 1e-4
TEACHER, STUDENT = [784, 512, 256, 128, 128, 128, 10], [784, 64, 10]
LOSSES = {"ce": "ce", "kd": "ce + 1*kd:T=4", "w2": "ce + 1*w2@features"}


def run_kd2m(folder, seeds, command):
    shape = lambda widths: "mlp:" + "-".join(map(str, widths))
    with tempfile.TemporaryDirectory() as runs:
        for seed in range(seeds):
            common = ["--data", f"idx:{folder}", "--epochs", str(EPOCHS), "--batch-size",
                      str(BATCH), "--lr", str(LR), "--momentum", str(MOMENTUM), "--weight-decay",
                      str(DECAY), "--select", "last", "--seed", str(seed), "--quiet", "--json"]
            teacher = f"{runs}/teacher-{seed}"
            jobs = [("teacher", ["train", "--model", shape(TEACHER), "--out", teacher])]
            jobs += [(name, ["distill" if name != "ce" else "train", "--model", shape(STUDENT),
                             "--loss", loss, "--out", f"{runs}/{name}-{seed}"]
                      + (["--teacher", teacher] if name != "ce" else []))
                     for name, loss in LOSSES.items()]
            for name, job in jobs:
                out = subprocess.run([command, *job, *common], check=True, capture_output=True)
                result = json.loads(out.stdout)
                print(json.dumps({"tool": "kd2m", "net": name, "seed": seed,
                                  "accuracy": result["test_accuracy"],
                                  "seconds": result["seconds"]}), flush=True)


def run_torch(folder, seeds):
    import numpy as np
    import ot
    import torch
    import torch.nn.functional as F

    def read(name, header):
        with gzip.open(f"{folder}/{name}") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    def images(name):
        return torch.tensor(read(name, 16).reshape(-1, 784).astype(np.float32) / 255)

    def labels(name):
        return torch.tensor(read(name, 8).astype(np.int64))

    class Mlp(torch.nn.Module):
        def __init__(self, widths):
            super().__init__()
            self.layers = torch.nn.ModuleList(
                torch.nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
            for layer in self.layers:
                torch.nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
                torch.nn.init.zeros_(layer.bias)

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = F.relu(layer(x))
            return x, self.layers[-1](x)

    def w2(x, y):
        n = len(x)
        cost = torch.cdist(x.detach().double(), y.double()).pow(2).numpy()
        mass = np.full(n, 1 / n)
        to = torch.tensor(ot.emd(mass, mass, cost).argmax(1))
        return (x - y[to]).pow(2).sum(1).mean()

    def train(x, y, widths, name, teacher):
        net = Mlp(widths)
        projector = torch.nn.Linear(widths[-2], TEACHER[-2], bias=False)
        torch.nn.init.normal_(projector.weight, std=math.sqrt(2 / projector.in_features))
        decayed = [p for p in net.parameters() if p.dim() > 1]
        if name == "w2":
            decayed.append(projector.weight)
            with torch.no_grad():
                variance = teacher(x)[0].var(0, unbiased=False).sum()
        optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": DECAY},
             {"params": [p for p in net.parameters() if p.dim() == 1]}], lr=LR, momentum=MOMENTUM)
        steps = len(x) // BATCH
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
        for _ in range(EPOCHS):
            order = torch.randperm(len(x))
            for step in range(steps):
                rows = order[step * BATCH:(step + 1) * BATCH]
                features, logits = net(x[rows])
                loss = F.cross_entropy(logits, y[rows])
                if name in ("kd", "w2"):
                    with torch.no_grad():
                        teacher_features, teacher_logits = teacher(x[rows])
                if name == "kd":
                    loss = loss + 16 * F.kl_div(F.log_softmax(logits / 4, 1),
                                                F.log_softmax(teacher_logits / 4, 1),
                                                reduction="batchmean", log_target=True)
                if name == "w2":
                    loss = loss + w2(projector(features), teacher_features) / variance
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return net

    torch.set_num_threads(2)
    x, y = images("train-images-idx3-ubyte.gz"), labels("train-labels-idx1-ubyte.gz")
    tx, ty = images("t10k-images-idx3-ubyte.gz"), labels("t10k-labels-idx1-ubyte.gz")
    for seed in range(seeds):
        torch.manual_seed(seed)
        kept = torch.randperm(len(x))[len(x) // 10:]
        mean, sd = x[kept].mean(), x[kept].std(unbiased=False)
        sx, sy, st = (x[kept] - mean) / sd, y[kept], (tx - mean) / sd
        teacher = None
        for name in ("teacher", *LOSSES):
            began = time.time()
            net = train(sx, sy, TEACHER if name == "teacher" else STUDENT, name, teacher)
            seconds = time.time() - began
            teacher = net if name == "teacher" else teacher
            with torch.no_grad():
                accuracy = (net(st)[1].argmax(1) == ty).double().mean().item()
            print(json.dumps({"tool": "torch", "net": name, "seed": seed, "accuracy": accuracy,
                              "seconds": seconds}), flush=True)


tool, data = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 3
if tool == "torch":
    run_torch(data, count)
else:
    run_kd2m(data, count, sys.argv[4] if len(sys.argv) > 4 else "build/release/bin/kd2m")
