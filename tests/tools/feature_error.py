#!/usr/bin/env python3
"""What is lost when features are kept as bytes, by what shares a scale: feature_error.py FILE...

FILE: feature files in bf16 of `trainable: last4` (work/tensors/KEY-00000.safetensors). Prints, for each of the two maps in a row and each
way, the root mean square of the error over that of the numbers. pipeline/data/feature_rows.h has what was chosen, and why.
"""
import json
import struct
import sys

import numpy

PLACES, CHANNELS = 49, (512, 2048)


def load(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    rows = json.loads(data[8:8 + size])["features"]["shape"][0]
    halves = numpy.frombuffer(data[8 + size:], dtype="<u2").reshape(rows, -1)
    return (halves.astype(numpy.uint32) << 16).view(numpy.float32)


def report(name, numbers, most):
    scale = numpy.maximum(most, 1e-30) / 255
    error = numpy.rint(numbers / scale) * scale - numbers
    print(f"  a scale for each {name:16} {numpy.sqrt((error ** 2).mean() / (numbers ** 2).mean()):.5f}")


features = numpy.concatenate([load(path) for path in sys.argv[1:]])
first = 0
for channels in CHANNELS:
    rows = features[:, first:first + PLACES * channels].reshape(-1, PLACES, channels)
    first += PLACES * channels
    print(f"{len(rows)} maps of {PLACES} x {channels}, {100 * (rows == 0).mean():.0f} % zeros")
    for name, axes in (("map", (0, 1, 2)), ("row", (1, 2)), ("channel", (0, 1)), ("row and channel", 1), ("row and place", 2)):
        report(name, rows, rows.max(axis=axes, keepdims=True))
    for group in (64, 256, 512):
        groups = rows.reshape(-1, group)
        report(f"group of {group}", groups, groups.max(axis=1, keepdims=True))
