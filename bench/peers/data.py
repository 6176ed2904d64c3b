"""The real data sets as PyTorch tensors, as recipes.py has them: training data and, by name, test
sets; each (values as stored, scaled to floats; labels)."""
import glob
import gzip

import numpy as np
import torch


def _idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def _digits(folder, part, side):
    images = _idx(f"{folder}/{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, side, side)
    labels = _idx(f"{folder}/{part}-labels-idx1-ubyte.gz", 8)
    return torch.tensor(images.astype(np.float32) / 255), torch.tensor(labels.astype(np.int64))


def _mnist(root):
    usps, labels = _digits(f"{root}/usps", "t10k", 16)
    usps = torch.nn.functional.interpolate(usps, size=28, mode="bilinear", align_corners=False)
    return _digits(f"{root}/mnist", "train", 28), {"MNIST": _digits(f"{root}/mnist", "t10k", 28),
                                                  "USPS": (usps, labels)}


def _cwru(root):
    def read(load, part):
        stem = f"{root}/cwru_bearing/load{load}_{part}"
        x, y = np.load(f"{stem}_x.npy"), np.load(f"{stem}_y.npy")
        return torch.tensor(x[:, None, :]), torch.tensor(y.astype(np.int64) - 1)  # classes 1 to 9

    return read(1, "train"), {f"load {load}": read(load, "test") for load in (1, 2, 3)}


def _cifar10(root):
    def read(pattern):
        records = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, 3073)
                                  for path in sorted(glob.glob(f"{root}/cifar10/{pattern}"))])
        images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
        return torch.tensor(images), torch.tensor(records[:, 0].astype(np.int64))

    return read("data_batch_*.bin"), {"CIFAR-10": read("test_batch.bin")}


READ = {"mnist": _mnist, "cwru": _cwru, "cifar10": _cifar10}


def normaliser(x):
    """Per channel by the mean and sd of x."""
    over = [d for d in range(x.dim()) if d != 1]
    mean, sd = x.mean(over, keepdim=True), x.std(over, unbiased=False, keepdim=True)
    return lambda values: (values - mean) / sd


def augment(x, zero):
    """Random crop of the image padded by 4, random flip; `zero` is what a raw 0 became."""
    n, c, h, w = x.shape
    padded = zero.expand(n, c, h + 8, w + 8).clone()
    padded[:, :, 4:-4, 4:-4] = x
    rows = torch.randint(9, (n, 1)) + torch.arange(h)
    columns = torch.randint(9, (n, 1)) + torch.arange(w)
    flip = torch.rand(n) < 0.5
    columns[flip] = columns[flip].flip(1)
    every = torch.arange(n)[:, None, None]
    return padded[every, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
