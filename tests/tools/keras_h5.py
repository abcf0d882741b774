#!/usr/bin/env python3
"""Weights in Keras' HDF5 layout, read and written by h5py as Keras 2 does (saving/hdf5_format.py).

  keras_h5.py digest FILE           a line per weight: layer, name, shape, SHA-256 of its bytes
  keras_h5.py copy FROM TO [--old]  the same weights, written anew; --old: names of Keras before 2.2.5
"""
import hashlib
import re
import sys

import h5py
import numpy


def texts(values):
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def weights(path):
    with h5py.File(path, "r") as file:
        for layer in texts(file.attrs["layer_names"]):
            group = file[layer]
            for name in texts(group.attrs["weight_names"]):
                yield layer, name, numpy.asarray(group[name])


def old_layer(layer):
    if layer.startswith("conv1_"):
        return "conv1" if layer == "conv1_conv" else "bn_conv1"
    stage, block, part, kind = re.fullmatch(r"conv(\d)_block(\d)_(\d)_(conv|bn)", layer).groups()
    branch = "1" if part == "0" else "2" + "abc"[int(part) - 1]
    return ("res" if kind == "conv" else "bn") + stage + "abcdef"[int(block) - 1] + "_branch" + branch


def digest(path):
    for layer, name, values in weights(path):
        print(layer, name, "x".join(map(str, values.shape)), hashlib.sha256(values.tobytes()).hexdigest())


def copy(source, target, old):
    layers = {}
    for layer, name, values in weights(source):
        if old:
            name = name.replace(layer, old_layer(layer))
            layer = old_layer(layer)
        layers.setdefault(layer, []).append((name, values))
    with h5py.File(target, "w") as file:
        file.attrs["layer_names"] = [layer.encode("utf8") for layer in layers]
        file.attrs["backend"] = "tensorflow".encode("utf8")
        file.attrs["keras_version"] = "2.2.4".encode("utf8")
        for layer, entries in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode("utf8") for name, _ in entries]
            for name, values in entries:
                group.create_dataset(name, values.shape, dtype=values.dtype)[:] = values


if __name__ == "__main__":
    if sys.argv[1] == "digest":
        digest(sys.argv[2])
    else:
        copy(sys.argv[2], sys.argv[3], "--old" in sys.argv)
