#!/usr/bin/python3
"""What bench/train.c does, in PyTorch: one JSON line a net, mode and memory layout.

    /usr/bin/python3 bench/peers/train.py NAME [ROUNDS]     NAME stands in the lines as the tool
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

import nets

BATCH, CLASSES, ROUND_SECONDS, MODE_SECONDS = 128, 10, 0.5, 3.0
IMAGE = (3, 32, 32)
SUBJECTS = {"resnet18": IMAGE, "resnet34": IMAGE, "resnet18:stem=cifar": IMAGE, "resnet20": IMAGE,
            "resnet56": IMAGE, "cnn1d": (1, 1024), "mlp:784-512-256-10": (784,)}


def rate(step, rounds):
    rates = []
    step()
    start = time.perf_counter()
    while not rates or (len(rates) < rounds and time.perf_counter() - start < MODE_SECONDS):
        steps, began = 0, time.perf_counter()
        while steps == 0 or took < ROUND_SECONDS:
            step()
            steps += 1
            took = time.perf_counter() - began
        rates.append(steps * BATCH / took)
    return statistics.median(rates)


def main():
    tool, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    torch.set_num_threads(2)
    for spec, shape in SUBJECTS.items():
        formats = [torch.contiguous_format] + [torch.channels_last] * (len(shape) == 3)
        for layout in formats:
            net = nets.build(spec, shape, CLASSES).to(memory_format=layout)
            x = torch.randn(BATCH, *shape).contiguous(memory_format=layout)
            y = torch.arange(BATCH) % CLASSES
            optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

            def train():
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(net(x)[1], y).backward()
                optimizer.step()

            def infer():
                with torch.no_grad():
                    net(x)

            for mode, step in (("training", train), ("inference", infer)):
                net.train(mode == "training")
                print(json.dumps({"tool": tool, "net": spec, "mode": mode,
                                  "layout": str(layout).split(".")[1],
                                  "rate": rate(step, rounds)}), flush=True)


main()
