#!/usr/bin/python3
"""Makes tests/golden/nn/resnet.safetensors: residual nets run by PyTorch in float64.

Parameters, inputs and labels follow formulas that the test computes alike, so that only results are
kept. For each net: the input's number, drawn so that no value lies near a ReLU's kink, where rounding
would decide the gradient; logits in evaluation and in training, the loss, and a digest of every gradient
and of every running statistic after the step (its norm, its products with two vectors of the
formula, some of its values). For a resnet20, the losses of 50 training steps.
tests/unit/nn/test_golden_resnet.c is the other side. Rerun it anywhere:
    /usr/bin/python3 tools/golden_resnet.py
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from golden_hash import hashed, stream_of
from golden_nn import FOLDER, write_safetensors

CLASSES = 10
SAMPLES, DRAWS = 8, 40
STEPS, BATCH, BATCHES, SIDE = 50, 16, 4, 16
LR, MOMENTUM, DECAY = 0.003, 0.9, 0.01  # strong decay: to be seen within the steps

# spec, imagenet stem, channels of stage 1, blocks, batch and shape of the input
NETS = [
    ("resnet20", False, 16, (3, 3, 3), (4, 3, 32, 32)),
    ("resnet18", True, 64, (2, 2, 2, 2), (4, 3, 64, 64)),
    ("resnet18:stem=cifar,width=0.3", False, 19, (2, 2, 2, 2), (4, 1, 28, 21)),
]
WIDTHS = {19: (19, 38, 77, 154)}  # 64, 128, 256, 512 times 0.3, rounded


def fill(name, shape):
    """A parameter's first values, from its name. The scale that ends a block's inner way is small:
    near 1, rounding alone parts the paths of float32 and float64 within the 50 steps."""
    values = hashed(math.prod(shape), stream_of(name))
    if len(shape) > 1:
        values = values * np.float32(math.sqrt(6 / math.prod(shape[1:])))
    elif name.endswith(".weight"):
        values = (1 + values / 4) * np.float32(0.25 if name.endswith("_bn2.weight") else 1)
    elif name.endswith(".running_var"):
        values = 1 + values / 2
    else:
        values = values / 4
    return torch.tensor(values.astype(np.float32).reshape(shape))


class Resnet:
    """Parameters by kd2m's names, made where the first pass asks for them."""

    def __init__(self, imagenet, first, blocks, dtype):
        self.imagenet, self.blocks, self.dtype = imagenet, blocks, dtype
        self.channels = WIDTHS.get(first, [first << stage for stage in range(len(blocks))])
        self.trained, self.running, self.training = {}, {}, True
        self.margin = math.inf  # of all values from the kinks of the ReLUs

    def get(self, name, *shape):
        kept = self.running if ".running" in name else self.trained
        if name not in kept:
            kept[name] = fill(name, shape).to(self.dtype)
            kept[name].requires_grad_(".running" not in name)
        return kept[name]

    def relu(self, x):
        self.margin = min(self.margin, x.abs().min().item())
        return F.relu(x)

    def conv_bn(self, x, conv, bn, channels, kernel, stride):
        weight = self.get(conv + ".weight", channels, x.shape[1], kernel, kernel)
        x = F.conv2d(x, weight, None, stride, kernel // 2)
        return F.batch_norm(x, self.get(bn + ".running_mean", channels),
                            self.get(bn + ".running_var", channels),
                            self.get(bn + ".weight", channels), self.get(bn + ".bias", channels),
                            self.training, 0.1, 1e-5)

    def block(self, x, name, channels, stride):
        y = self.relu(self.conv_bn(x, name + "_conv1", name + "_bn1", channels, 3, stride))
        y = self.conv_bn(y, name + "_conv2", name + "_bn2", channels, 3, 1)
        if stride > 1 or x.shape[1] != channels:
            x = self.conv_bn(x, name + "_down", name + "_down_bn", channels, 1, stride)
        return self.relu(x + y)

    def __call__(self, x):
        stem = (7, 2) if self.imagenet else (3, 1)
        x = self.relu(self.conv_bn(x, "conv1", "bn1", self.channels[0], *stem))
        if self.imagenet:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage, count in enumerate(self.blocks):
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                x = self.block(x, f"stage{stage + 1}_{i + 1}", self.channels[stage], stride)
        x = x.mean((2, 3))
        return F.linear(x, self.get("classifier.weight", CLASSES, x.shape[1]),
                        self.get("classifier.bias", CLASSES))


def digest(values):
    flat = values.detach().double().numpy().ravel()
    products = [flat @ hashed(len(flat), stream).astype(float) for stream in (1, 2)]
    samples = [flat[i * len(flat) // SAMPLES] for i in range(SAMPLES)]
    return np.array([np.linalg.norm(flat)] + products + samples)


def draw_input(number, shape):
    values = hashed(math.prod(shape), stream_of(f"input{number}"))
    return torch.tensor(values.reshape(shape)).double()


@torch.no_grad()
def margin(form, x):
    net = Resnet(*form, torch.float64)
    net(x)
    return net.margin


def one_step(spec, *form, shape):
    number = max(range(DRAWS), key=lambda n: margin(form, draw_input(n, shape)))
    x = draw_input(number, shape)
    print(f"{spec}: input {number}, {margin(form, x):.1g} from the nearest kink")
    net = Resnet(*form, torch.float64)
    out = {"input": np.array([float(number)])}
    net.training = False
    out["evaluation"] = net(x).detach().numpy()
    net.training = True
    logits = net(x)
    loss = F.cross_entropy(logits, torch.arange(shape[0]) % CLASSES)
    loss.backward()
    out["training"] = logits.detach().numpy()
    out["loss"] = loss.detach().numpy().reshape(1)
    for name, values in net.trained.items():
        out["gradient/" + name] = digest(values.grad)
    for name, values in net.running.items():
        out["after/" + name] = digest(values)
    return {spec + "/" + name: values for name, values in out.items()}


def images(batch):
    """Noise, brighter in one row and one column by class, so that there is something to learn."""
    labels = np.arange(BATCH) * 7 % CLASSES
    values = hashed(BATCH * SIDE * SIDE, stream_of(f"batch{batch}")).reshape(BATCH, 1, SIDE, SIDE)
    for i, label in enumerate(labels):
        values[i, 0, label, :] += 1
        values[i, 0, :, label + 3] += 1
    return torch.tensor(values), torch.tensor(labels)


def train(dtype, lr=LR):
    net = Resnet(False, 16, (3, 3, 3), dtype)
    net(images(0)[0].to(dtype))
    net.running.clear()
    groups = [{"params": [p for p in net.trained.values() if (p.dim() > 1) == decays],
               "weight_decay": DECAY * decays} for decays in (False, True)]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=MOMENTUM)
    losses = []
    for step in range(STEPS):
        x, labels = images(step % BATCHES)
        loss = F.cross_entropy(net(x.to(dtype)), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(losses)


def main():
    out = {}
    for spec, *form, shape in NETS:
        out.update(one_step(spec, *form, shape=shape))
    out["losses"] = train(torch.float64)
    # the test's tolerance has to lie well above what float32 does to this path
    noise = np.abs(out["losses"] - train(torch.float32)).max()
    print(f"losses {out['losses'][0]:.3f} to {out['losses'][-1]:.3f}, in float32 off by {noise:.1g}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_safetensors(FOLDER / "resnet.safetensors", out)


if __name__ == "__main__":
    main()
