#!/usr/bin/python3
"""Writes tests/golden/transform: what PyTorch's interpolate makes of an image.

    /usr/bin/python3 tools/golden_transforms.py

Value i of the image, 2 x 5 x 7, is ((37 i) mod 101) / 101; the files hold the resized images.
"""
import os

import numpy as np
import torch

folder = os.path.join(os.path.dirname(__file__), "..", "tests", "golden", "transform")
os.makedirs(folder, exist_ok=True)
image = torch.tensor((37 * np.arange(70)) % 101 / 101, dtype=torch.float32).reshape(1, 2, 5, 7)
for height, width in [(9, 11), (3, 2), (5, 14), (1, 1)]:
    resized = torch.nn.functional.interpolate(image, (height, width), mode="bilinear",
                                              align_corners=False)
    np.save(os.path.join(folder, f"resize-{height}x{width}.npy"), resized[0].numpy())
