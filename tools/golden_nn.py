#!/usr/bin/python3
"""Makes tests/golden/nn/{signal,image,grouped}.safetensors: small nets run by PyTorch in float64.

Each file holds parameters before a training step, an input, labels, and what PyTorch makes of
them: logits and loss in training, all gradients, the running statistics afterwards, and the logits
in evaluation with those. tests/unit/nn/test_golden.c builds the same nets. Rerun it anywhere:
    /usr/bin/python3 tools/golden_nn.py
"""
import json
import pathlib
import struct

import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "nn"
TYPES = {np.dtype("float32"): "F32", np.dtype("float64"): "F64", np.dtype("int32"): "I32"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values).tobytes()
        header[name] = {
            "dtype": TYPES[values.dtype],
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def global_pool(dims):
    mean = nn.AdaptiveAvgPool1d(1) if dims == 1 else nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(mean, nn.Flatten())


def signal_net():
    return {
        "conv1": nn.Conv1d(2, 12, 5, stride=2, padding=2, bias=False),
        "batch_norm2": nn.BatchNorm1d(12),
        "relu3": nn.ReLU(),
        "max_pool4": nn.MaxPool1d(3, stride=2, padding=1),
        "conv5": nn.Conv1d(12, 20, 3, padding=1),
        "relu6": nn.ReLU(),
        "global_pool7": global_pool(1),
        "linear8": nn.Linear(20, 4),
    }, (5, 2, 33)


def image_net():
    return {
        "conv1": nn.Conv2d(3, 10, (3, 5), padding=1),
        "relu2": nn.ReLU(),
        "max_pool3": nn.MaxPool2d(2),
        "conv4": nn.Conv2d(10, 17, 3, padding=1, bias=False),
        "batch_norm5": nn.BatchNorm2d(17),
        "relu6": nn.ReLU(),
        "flatten7": nn.Flatten(),
        "linear8": nn.Linear(17 * 4 * 3, 5),
    }, (4, 3, 9, 8)


def grouped_net():
    return {
        "conv1": nn.Conv2d(6, 12, 3, padding=1, groups=6, bias=False),
        "batch_norm2": nn.BatchNorm2d(12),
        "leaky_relu3": nn.LeakyReLU(0.2),
        "avg_pool4": nn.AvgPool2d(3, stride=2, padding=1),
        "conv5": nn.Conv2d(12, 20, 3, stride=2, groups=4),
        "relu6_6": nn.ReLU6(),
        "flatten7": nn.Flatten(),
        "linear8": nn.Linear(20 * 2 * 2, 5),
    }, (4, 6, 11, 10)


def tensors_of(net):
    return {name: t for name, t in net.state_dict().items() if "num_batches" not in name}


def make(name, layers, shape):
    net = nn.Sequential()
    for key, layer in layers.items():
        net.add_module(key, layer)
    out = {}
    with torch.no_grad():
        for key, value in tensors_of(net).items():
            noise = 0.2 * torch.randn_like(value)
            value += noise.abs() if key.endswith("running_var") else noise
            out[key] = value.numpy().copy()
    net = net.double().train()
    values = torch.randn(shape)
    out["input"] = values.numpy()
    values = values.double().requires_grad_()
    logits = net(values)
    labels = torch.arange(shape[0]) * 2 % logits.shape[1]
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    out["labels"] = labels.numpy().astype(np.int32)
    out["training.logits"] = logits.detach().numpy()
    out["training.loss"] = loss.detach().numpy().reshape(1)
    out["gradient.input"] = values.grad.numpy()
    for key, value in net.named_parameters():
        out["gradient." + key] = value.grad.numpy()
    for key, value in tensors_of(net).items():
        if "running" in key:
            out["after." + key] = value.numpy().copy()
    out["evaluation.logits"] = net.eval()(values).detach().numpy()
    write_safetensors(FOLDER / (name + ".safetensors"), out)


if __name__ == "__main__":
    torch.manual_seed(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    make("signal", *signal_net())
    make("image", *image_net())
    make("grouped", *grouped_net())
