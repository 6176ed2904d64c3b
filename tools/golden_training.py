#!/usr/bin/python3
"""Losses of 50 training steps on MNIST, by PyTorch: the golden values of
tests/unit/distill/test_training.c. Weights and batches follow formulas that both sides compute alike.

    /usr/bin/python3 tools/golden_training.py MNIST_FOLDER > tests/golden/training/mnist.txt
"""
import gzip
import math
import sys

import numpy as np
import ot
import torch
import torch.nn.functional as F

from golden_hash import hashed

STEPS, BATCH, MOMENTUM, DECAY = 50, 128, 0.9, 1e-4
MEAN, SCALE = np.float32(0.1307), np.float32(1 / 0.3081)
TEACHER = [784, 512, 256, 128, 128, 128, 10]
STUDENT = [784, 64, 10]


def read(folder, name, header):
    with gzip.open(f"{folder}/{name}") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def weight(rows, columns, stream):
    bound = np.float32(math.sqrt(6 / columns))
    return torch.tensor((hashed(rows * columns, stream) * bound).reshape(rows, columns))


class Mlp(torch.nn.Module):
    def __init__(self, widths, stream):
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for i in range(len(widths) - 1):
            layer = torch.nn.Linear(widths[i], widths[i + 1])
            layer.weight.data = weight(widths[i + 1], widths[i], stream + i)
            layer.bias.data.zero_()
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return x, self.layers[-1](x)


def w2(x, y):
    cost = torch.cdist(x.detach().double(), y.double()).pow(2).numpy()
    n = len(x)
    plan = torch.tensor(ot.emd(np.full(n, 1 / n), np.full(n, 1 / n), cost)).float()
    return (plan * (x[:, None, :] - y[None, :, :]).pow(2).sum(2)).sum()


def train(images, labels, widths, terms, lr):
    net, teacher = Mlp(widths, 1), Mlp(TEACHER, 11)
    projector = torch.nn.Linear(widths[-2], TEACHER[-2], bias=False)
    projector.weight.data = weight(TEACHER[-2], widths[-2], 31)
    decayed = [p for p in net.parameters() if p.dim() > 1]
    groups = [{"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0}]
    if "w2" in terms:
        decayed.append(projector.weight)
    groups.append({"params": decayed, "weight_decay": DECAY})
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=MOMENTUM)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses = []
    for step in range(STEPS):
        rows = (step * BATCH + np.arange(BATCH)) * 7919 % len(labels)
        values = images[rows].astype(np.float32) * np.float32(1 / 255)
        x = torch.tensor((values - MEAN) * SCALE)
        target = torch.tensor(labels[rows].astype(np.int64))
        features, logits = net(x)
        with torch.no_grad():
            teacher_features, teacher_logits = teacher(x)
        loss = F.cross_entropy(logits, target)
        if "kd" in terms:
            loss = loss + 16 * F.kl_div(F.log_softmax(logits / 4, 1),
                                        F.log_softmax(teacher_logits / 4, 1),
                                        reduction="batchmean", log_target=True)
        if "w2" in terms:
            loss = loss + 0.005 * w2(projector(features), teacher_features)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return losses


def main():
    torch.set_num_threads(2)
    folder = sys.argv[1]
    images = read(folder, "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read(folder, "train-labels-idx1-ubyte.gz", 8)
    # At 0.05 the deep teacher's path is chaotic: PyTorch differs from itself by more than 1e-4
    # between one thread and two within the 50 steps.
    for name, widths, terms, lr in (("teacher ce", TEACHER, "ce", 0.01),
                                    ("student ce", STUDENT, "ce", 0.05),
                                    ("student ce+kd", STUDENT, "ce kd", 0.05),
                                    ("student ce+0.005*w2", STUDENT, "ce w2", 0.05)):
        print("# " + name)
        for loss in train(images, labels, widths, terms, lr):
            print(f"{loss:.7f}")


main()
