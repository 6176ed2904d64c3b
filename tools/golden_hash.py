"""Numbers that a golden script and its test make alike; tests/support/testing.h has the other side."""
import numpy as np


def hashed(count, stream):
    """Uniform in [-1, 1) in steps of 2^-23, from a 32-bit mix of (stream, index)."""
    x = (np.arange(count, dtype=np.uint64) + np.uint64(stream * 1000003)) & 0xFFFFFFFF
    for factor in (0x7FEB352D, 0x846CA68B):
        x ^= x >> 16
        x = (x * factor) & 0xFFFFFFFF
    x ^= x >> 16
    return ((x >> 8).astype(np.float32) / np.float32(2 ** 23)) - np.float32(1)


def stream_of(name):
    """A stream for a name: its FNV-1a hash of 32 bits."""
    stream = 0x811C9DC5
    for byte in name.encode():
        stream = (stream ^ byte) * 0x01000193 & 0xFFFFFFFF
    return stream
