"""kd2m's zoo in PyTorch: build(spec, sample_shape, classes) gives a net whose forward returns
(features, logits)."""
import torch
import torch.nn.functional as F
from torch import nn


class Mlp(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return x, self.layers[-1](x)


class Cnn1d(nn.Module):
    def __init__(self, shape, classes, width):
        super().__init__()
        channels = [round(width * c) for c in (32, 64, 128, 256, 256)]
        blocks, before, length = [], shape[0], shape[1] // 8
        for i, after in enumerate(channels):
            kernel, stride = (64, 8) if i == 0 else (3, 1)
            blocks += [nn.Conv1d(before, after, kernel, stride, (kernel - stride + 1) // 2,
                                 bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
            before = after
            if i + 1 < len(channels) and length >= 4:
                blocks.append(nn.MaxPool1d(2))
                length //= 2
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(before, classes)

    def forward(self, x):
        x = self.blocks(x).mean(2)
        return x, self.classifier(x)


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False),
                                          nn.BatchNorm2d(after))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x), inplace=True)


class Resnet(nn.Module):
    def __init__(self, stem, channels, blocks, classes):
        super().__init__()
        layers, before = [stem], channels[0]
        for stage, (after, count) in enumerate(zip(channels, blocks)):
            for i in range(count):
                layers.append(Block(before, after, 2 if stage > 0 and i == 0 else 1))
                before = after
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(before, classes)

    def forward(self, x):
        x = self.body(x).mean((2, 3))
        return x, self.classifier(x)


def _stem(before, after, kernel, stride, pool):
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(after), nn.ReLU(inplace=True),
                         nn.MaxPool2d(3, 2, 1) if pool else nn.Identity())


def build(spec, shape, classes):
    name, _, options = spec.partition(":")
    if name == "mlp":
        return Mlp([int(width) for width in options.split("-")])
    settings = dict(option.split("=") for option in options.split(",") if option)
    width = float(settings.get("width", 1))
    if name == "cnn1d":
        return Cnn1d(shape, classes, width)
    if name in ("resnet18", "resnet34"):
        channels = [round(width * c) for c in (64, 128, 256, 512)]
        imagenet = settings.get("stem") != "cifar"
        stem = _stem(shape[0], channels[0], 7 if imagenet else 3, 2 if imagenet else 1, imagenet)
        return Resnet(stem, channels, (2, 2, 2, 2) if name == "resnet18" else (3, 4, 6, 3), classes)
    depth = int(name.removeprefix("resnet"))
    channels = [round(width * c) for c in (16, 32, 64)]
    return Resnet(_stem(shape[0], channels[0], 3, 1, False), channels, [(depth - 2) // 6] * 3,
                  classes)
