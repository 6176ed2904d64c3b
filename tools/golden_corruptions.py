#!/usr/bin/python3
"""Writes tests/golden/corruption: what NumPy, SciPy and Pillow make of the corruptions' formulas.

    /usr/bin/python3 tools/golden_corruptions.py

KIND.npy holds severities 1 to 5 with seed 7 of an image, 3 x 9 x 12, or a signal, 2 x 33. The random
numbers come from Philox and the samples' digests, written here a second time.
"""
import io
import os
import struct

import numpy as np
from PIL import Image
from scipy import ndimage, stats

from golden_hash import hashed, stream_of

SEED, STREAM = 7, 15
folder = os.path.join(os.path.dirname(__file__), "..", "tests", "golden", "corruption")
image = ((hashed(3 * 9 * 12, stream_of("image")) + np.float32(1)) / np.float32(2)).reshape(3, 9, 12)
signal = hashed(2 * 33, stream_of("signal")).reshape(2, 33) + np.float32(0.5)


def digest(start, data):
    def mix(state, word):
        state = ((state ^ word) * 0x100000001B3) & (2 ** 64 - 1)
        return state ^ state >> 32
    whole = len(data) // 8 * 8
    for word in struct.unpack(f"<{whole // 8}Q", data[:whole]):
        start = mix(start, word)
    rest = data[whole:]
    return mix(mix(start, int.from_bytes(rest, "little")), len(rest)) if rest else start


def philox(seed, stream, substream, index):
    c = [index & 0xFFFFFFFF, index >> 32, substream, stream]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


class Draws:
    """The numbers of one sample and kind."""

    def __init__(self, kind, values):
        key = digest(digest(0xCBF29CE484222325, kind.encode()), values.tobytes())
        high, low = philox(SEED, STREAM, 0, key)[:2]
        self.seed, self.index, self.words = high << 32 | low, 0, []

    def word(self):
        if not self.words:
            self.words = philox(self.seed, STREAM, 1, self.index)
            self.index += 1
        return self.words.pop(0)

    def uniform(self):
        high = self.word()
        return ((high << 32 | self.word()) >> 11) * 2.0 ** -53

    def uniforms(self, count):
        return np.array([self.uniform() for _ in range(count)])

    def normals(self, shape):
        count = int(np.prod(shape))
        words = np.array([self.word() for _ in range((count + 3) // 4 * 4)]).reshape(-1, 2)
        radius = np.sqrt(-2 * np.log(((words[:, 0] >> 8) + 1) * 2.0 ** -24))
        angle = 2 * np.pi * (words[:, 1] >> 8) * 2.0 ** -24
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return both.reshape(-1)[:count].reshape(shape)

    def sign(self):
        return 1 if self.word() >> 31 else -1


# ---- images ----

def gaussian_noise(x, draws, c):
    return x + c * draws.normals(x.shape)


def poisson(mean, u):
    """In the order mode, mode + 1, mode - 1, .. or, of small means, 0, 1, .."""
    mode = int(mean) if mean >= 10 else 0
    order = [mode]
    for step in range(1, 2000):
        order += [mode + step] + ([mode - step] if mode >= step else [])
    reached = np.cumsum(stats.poisson.pmf(order, mean))
    return order[int(np.argmax(reached > u))]


def shot_noise(x, draws, c):
    counts = [poisson(c * float(v), u) for v, u in zip(x.ravel(), draws.uniforms(x.size))]
    return np.array(counts).reshape(x.shape) / c


def impulse_noise(x, draws, c):
    y = x.ravel().copy()
    for i in range(y.size):
        u, white = draws.uniform(), draws.word() >> 31
        y[i] = y[i] if u >= c else white
    return y.reshape(x.shape)


def defocus_blur(x, draws, c):
    radius, sd = c
    v, u = np.mgrid[-8:9, -8:9]
    taps = np.exp(-np.array([-1, 0, 1]) ** 2 / (2 * sd ** 2))
    disc = ndimage.correlate((v ** 2 + u ** 2 <= radius ** 2).astype(float),
                             np.outer(taps, taps), mode="constant")
    return np.stack([ndimage.correlate(channel, disc / disc.sum(), mode="mirror")
                     for channel in x.astype(float)])


def motion_blur(x, draws, c):
    sd, radius = c
    angle = np.deg2rad(-45 + 90 * draws.uniform())
    i = np.arange(2 * radius + 1)
    weights = np.exp(-i ** 2 / (2 * sd ** 2))
    right, down = np.ceil(i * np.cos(angle) - 0.5), np.ceil(i * np.sin(angle) - 0.5)
    edge = 2 * radius + 2
    wide = np.pad(x.astype(float), ((0, 0), (edge, edge), (edge, edge)), mode="edge")
    y = np.zeros(x.shape)
    for w, d, r in zip(weights / weights.sum(), down.astype(int), right.astype(int)):
        y += w * wide[:, edge + d:edge + d + x.shape[1], edge + r:edge + r + x.shape[2]]
    return y


def pixelate(x, draws, c):
    height, width = x.shape[1:]
    made = []
    for channel in x:
        small = Image.fromarray(channel, "F").resize((int(width * c), int(height * c)), Image.BOX)
        made.append(np.asarray(small.resize((width, height), Image.BOX)))
    return np.stack(made)


def brightness(x, draws, c):
    value = x.max(axis=0)
    return x * (np.minimum(value + c, 1) / value)


def contrast(x, draws, c):
    mean = x.mean(axis=(1, 2), keepdims=True, dtype=float)
    return (x - mean) * c + mean


def cloud(side, decay, draws):
    """Hendrycks and Dietterich's plasma_fractal, from a uniform amplitude of 1."""
    points = np.zeros((side, side))
    step, amplitude = side, 1.0

    def noisy(total):
        noise = 2 * draws.uniforms(total.size).reshape(total.shape) - 1
        return total / 4 + amplitude * noise

    while step >= 2:
        half = step // 2
        corners = points[::step, ::step]
        total = corners + np.roll(corners, -1, axis=0)
        points[half::step, half::step] = noisy(total + np.roll(total, -1, axis=1))
        middles = points[half::step, half::step]
        points[::step, half::step] = noisy(middles + np.roll(middles, 1, axis=0)
                                           + corners + np.roll(corners, -1, axis=1))
        points[half::step, ::step] = noisy(middles + np.roll(middles, 1, axis=1)
                                           + corners + np.roll(corners, -1, axis=0))
        step, amplitude = half, amplitude / decay ** 2
    return (points - points.min()) / (points.max() - points.min())


def jpeg(x, draws, c):
    """The same libjpeg in the same distribution: the same bytes."""
    stored = io.BytesIO()
    pixels = np.rint(x.astype(float) * 255).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(pixels).save(stored, "JPEG", quality=c)
    return np.asarray(Image.open(stored)).transpose(2, 0, 1) / 255


def fog(x, draws, c):
    density, decay = c
    veil = cloud(16, decay, draws)[:x.shape[1], :x.shape[2]]
    return (x + density * veil) * x.max() / (x.max() + density)


# ---- signals ----

def gain(x, draws, c):
    return np.stack([channel * (1 + c) ** draws.sign() for channel in x.astype(float)])


def offset(x, draws, c):
    return np.stack([channel + draws.sign() * c * channel.std() for channel in x.astype(float)])


def noise(x, draws, c):
    return x + c * x.astype(float).std(axis=1, keepdims=True) * draws.normals(x.shape)


def time_warp(x, draws, c):
    phase, last = 2 * np.pi * draws.uniform(), x.shape[1] - 1
    t = np.arange(x.shape[1])
    at = t + c * last / (2 * np.pi) * (np.sin(2 * np.pi * t / last + phase) - np.sin(phase))
    return np.stack([np.interp(at, t, channel) for channel in x])


def dropped(x, draws, c):
    lost = np.concatenate([[False], draws.uniforms(x.shape[1] - 1) < c])
    held = np.maximum.accumulate(np.where(lost, 0, np.arange(x.shape[1])))
    return x[:, held]


IMAGES = {
    gaussian_noise: [0.04, 0.06, 0.08, 0.09, 0.1],
    shot_noise: [500, 250, 100, 75, 50],
    impulse_noise: [0.01, 0.02, 0.03, 0.05, 0.07],
    defocus_blur: [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
    motion_blur: [(1, 6), (1.5, 6), (2, 6), (2, 8), (2.5, 9)],
    pixelate: [0.95, 0.9, 0.85, 0.75, 0.65],
    brightness: [0.05, 0.1, 0.15, 0.2, 0.3],
    contrast: [0.75, 0.5, 0.4, 0.3, 0.15],
    jpeg: [80, 65, 58, 50, 40],
    fog: [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)],
}
SIGNALS = {
    gain: [0.1, 0.2, 0.4, 0.7, 1],
    offset: [0.1, 0.25, 0.5, 1, 2],
    noise: [0.1, 0.2, 0.4, 0.8, 1.6],
    time_warp: [0.05, 0.1, 0.2, 0.3, 0.4],
    dropped: [0.01, 0.05, 0.1, 0.2, 0.4],
}

os.makedirs(folder, exist_ok=True)
for kinds, sample in ((IMAGES, image), (SIGNALS, signal)):
    for kind, amounts in kinds.items():
        name = kind.__name__.replace("_", "-")
        made = np.stack([kind(sample, Draws(name, sample), amount) for amount in amounts])
        made = np.clip(made, 0, 1) if kinds is IMAGES else made
        np.save(os.path.join(folder, f"{name}.npy"), made.astype(np.float32))
