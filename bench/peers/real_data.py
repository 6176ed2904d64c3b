#!/usr/bin/python3
"""A recipe of recipes.py with kd2m or in PyTorch: prints one JSON line a net.

    /usr/bin/python3 bench/peers/real_data.py kd2m RECIPE DATA_FOLDER [SEEDS] [COMMAND]
    /usr/bin/python3 bench/peers/real_data.py torch RECIPE DATA_FOLDER [SEEDS]

DATA_FOLDER holds mnist, usps, cwru_bearing and cifar10.
"""
import json
import subprocess
import sys
import tempfile
import time

from recipes import BATCH, DECAY, LOSSES, MOMENTUM, RECIPES


def report(tool, net, seed, accuracies, seconds):
    print(json.dumps({"tool": tool, "net": net, "seed": seed, "accuracy": accuracies,
                      "seconds": seconds}), flush=True)


def run_kd2m(recipe, root, seeds, command):
    def call(*arguments):
        done = subprocess.run([command, *arguments, "--quiet", "--json"], check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    with tempfile.TemporaryDirectory() as runs:
        for seed in range(seeds):
            common = [*recipe["train"](root), "--epochs", str(recipe["epochs"]), "--batch-size",
                      str(BATCH), "--lr", str(recipe["lr"]), "--momentum", str(MOMENTUM),
                      "--weight-decay", str(DECAY), "--select", "last", "--seed", str(seed),
                      "--split-seed", str(seed)]
            teacher = f"{runs}/teacher-{seed}"
            jobs = {"teacher": ["train", "--model", recipe["teacher"]]}
            for name, loss in LOSSES.items():
                jobs[name] = ["train" if name == "ce" else "distill", "--model", recipe["student"],
                              "--loss", loss] + ([] if name == "ce" else ["--teacher", teacher])
            for name, job in jobs.items():
                out = f"{runs}/{name}-{seed}"
                seconds = call(*job, "--out", out, *common)["seconds"]
                accuracies = {test: call("eval", out, *flags(root))["accuracy"]
                              for test, flags in recipe["tests"].items()}
                report("kd2m", name, seed, accuracies, seconds)


def run_torch(recipe, name, root, seeds):
    import torch
    import data
    from distil import accuracy, train

    torch.set_num_threads(2)
    (x, y), tests = data.READ[name](root)
    for seed in range(seeds):
        torch.manual_seed(seed)
        kept = torch.randperm(len(x))[len(x) // 10:]
        normalise = data.normaliser(x[kept])
        train_x, train_y = normalise(x[kept]), y[kept]
        teacher = None
        for net_name in ("teacher", *LOSSES):
            began = time.time()
            spec = recipe["teacher" if net_name == "teacher" else "student"]
            net = train(spec, net_name, teacher, train_x, train_y, recipe, normalise)
            seconds = time.time() - began
            teacher = net if net_name == "teacher" else teacher
            report("torch", net_name, seed,
                   {test: accuracy(net, normalise(tx), ty) for test, (tx, ty) in tests.items()},
                   seconds)


def main():
    tool, name, root = sys.argv[1:4]
    seeds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    if tool == "torch":
        run_torch(RECIPES[name], name, root, seeds)
    else:
        command = sys.argv[5] if len(sys.argv) > 5 else "build/release/bin/kd2m"
        run_kd2m(RECIPES[name], root, seeds, command)


main()
