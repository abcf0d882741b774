#!/usr/bin/python3
"""Compares the whole ResNet50, at its full width, with PyTorch: make check-resnet50 (Debian: python3-torch, python3-h5py).

Weights are drawn, as large as trained ones; v1's are saved in Keras' HDF5 layout, v1.5's in torchvision's naming; both go through
build/helpers/import_weights, and pictures through build/tools/resnet50_features. Of each variant, for what `trainable: head` and `last4`
keep: in fp32 every number must be within 1e-3 of PyTorch's (relative, numbers below the root mean square counting as that); in bf16 the
least cosine of an image's features must be above 0.999. Then the gradients of one training pass with `last4`, the last batch norm by the
batch's statistics: in fp32 what differs must be below 5e-3 of each tensor (norms; a number at a ReLU's zero may fall on its other side), in
bf16 the cosine above 0.99. Exits with 1 where something is not so.
"""
import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"check_resnet50: {error}: make deps-bench installs it")

IMAGES, SIDE, EPSILON, CLASSES = 6, 224, 1.001e-5, 29
BLOCKS = ((2, 3, 64), (3, 4, 128), (4, 6, 256), (5, 3, 512))


def convolutions():
    """(name in Keras, names of convolution and norm in torchvision, size, inputs, filters), the layers in Keras' order."""
    yield "conv1", "conv1", "bn1", 7, 3, 64
    inputs = 64
    for stage, blocks, filters in BLOCKS:
        for block in range(blocks):
            keras, torchvision = f"conv{stage}_block{block + 1}_", f"layer{stage - 1}.{block}."
            yield keras + "1", torchvision + "conv1", torchvision + "bn1", 1, inputs, filters
            yield keras + "2", torchvision + "conv2", torchvision + "bn2", 3, filters, filters
            if block == 0:
                yield keras + "0", torchvision + "downsample.0", torchvision + "downsample.1", 1, inputs, 4 * filters
            yield keras + "3", torchvision + "conv3", torchvision + "bn3", 1, filters, 4 * filters
            inputs = 4 * filters


def draw(variant):
    """{name of a layer: its tensors}; kernels as PyTorch has them, [out, in, height, width]."""
    weights, v1 = {}, variant == "v1"
    for name, _, _, size, inputs, filters in convolutions():
        fan, first = inputs * size * size, name == "conv1"
        def uniform(low, high):
            return torch.rand(filters) * (high - low) + low
        weights[name] = {
            "kernel": torch.randn(filters, inputs, size, size) * math.sqrt(2 / fan),
            "bias": uniform(-0.1, 0.1) if v1 else torch.zeros(filters),  # torchvision's convolutions have none
            "gamma": uniform(0.5, 1) * (0.4 if name.endswith("_3") else 1),
            "beta": uniform(-0.1, 0.1),
            "moving_mean": uniform(-0.1, 0.1),
            "moving_variance": uniform(0.5, 1.5) * (1e4 if first and v1 else 1),  # v1 takes grey levels, v1.5 deviations
        }
    return weights


def save_keras(weights, path):
    with h5py.File(path, "w") as file:
        layers = [(name + kind, parts) for name in weights
                  for kind, parts in (("_conv", ("kernel", "bias")), ("_bn", ("gamma", "beta", "moving_mean", "moving_variance")))]
        file.attrs["layer_names"] = [layer.encode() for layer, _ in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer, parts in layers:
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{part}:0".encode() for part in parts]
            for part in parts:
                values = weights[layer.rsplit("_", 1)[0]][part]
                values = values.permute(2, 3, 1, 0) if part == "kernel" else values
                group.create_dataset(f"{layer}/{part}:0", data=values.contiguous().numpy())


def save_safetensors(tensors, path):
    header, at = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + 4 * values.numel()]}
        at += 4 * values.numel()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(values.contiguous().numpy().tobytes())


def save_torchvision(weights, path):
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    tensors = {}
    for name, conv, norm, *_ in convolutions():
        tensors[conv + ".weight"] = weights[name]["kernel"]
        for part, theirs in names.items():
            tensors[f"{norm}.{theirs}"] = weights[name][part]
    save_safetensors(tensors, path)


def forward(weights, pixels, variant):
    """The output of conv5_block3_out, and the row of its two inputs that `last4` keeps."""
    def column(values):
        return torch.tensor(values).reshape(1, 3, 1, 1)
    def convolve(name, x, stride=1, padding=0):
        w = weights[name]
        x = F.conv2d(x, w["kernel"], w["bias"], stride, padding)
        return F.batch_norm(x, w["moving_mean"], w["moving_variance"], w["gamma"], w["beta"], False, 0, EPSILON)
    def row(x):
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)
    x = pixels.permute(0, 3, 1, 2).float()
    if variant == "v1":
        x = x.flip(1) - column((103.939, 116.779, 123.68))
    else:
        x = (x / 255 - column((0.485, 0.456, 0.406))) / column((0.229, 0.224, 0.225))
    x = F.max_pool2d(F.pad(F.relu(convolve("conv1", x, 2, 3)), (1, 1, 1, 1)), 3, 2)
    for stage, blocks, _ in BLOCKS:
        for block in range(blocks):
            name, stride = f"conv{stage}_block{block + 1}_", 2 if stage > 2 and block == 0 else 1
            shortcut = convolve(name + "0", x, stride) if block == 0 else x
            inner = F.relu(convolve(name + "1", x, stride if variant == "v1" else 1))
            inner = F.relu(convolve(name + "2", inner, 1 if variant == "v1" else stride, 1))
            x = F.relu(shortcut + convolve(name + "3", inner))
    return {"head": row(x), "last4": torch.cat((row(inner), row(shortcut)), 1)}, (inner, shortcut)


def draw_head():
    return {"dense/kernel": torch.randn(100352, 256) * 0.003, "dense/bias": torch.rand(256) - 0.5,
            "predictions/kernel": torch.randn(256, CLASSES) * 0.05, "predictions/bias": torch.rand(CLASSES) - 0.5}


def gradients(weights, head, maps):
    """{name: gradient} of what trains with `last4`, in the order of the layers, as Keras has them."""
    inner, shortcut = maps
    w = {f"{kind}/{part}": weights["conv5_block3_3"][part].clone() for kind, part in
         (("conv", "kernel"), ("conv", "bias"), ("bn", "gamma"), ("bn", "beta"))}
    w.update({name: values.clone() for name, values in head.items()})
    for values in w.values():
        values.requires_grad_()
    with torch.enable_grad():
        x = F.conv2d(inner, w["conv/kernel"], w["conv/bias"])
        x = F.relu(shortcut + F.batch_norm(x, None, None, w["bn/gamma"], w["bn/beta"], True, 0, EPSILON))
        x = x.permute(0, 2, 3, 1).reshape(IMAGES, -1) @ w["dense/kernel"] + w["dense/bias"]
        x = x @ w["predictions/kernel"] + w["predictions/bias"]
        F.cross_entropy(x, 5 * torch.arange(IMAGES) % CLASSES).backward()
    found = {name: values.grad for name, values in w.items()}
    found["conv/kernel"] = found["conv/kernel"].permute(2, 3, 1, 0)
    return found


def pictures():
    """Smooth shapes, an edge and noise, as photographs have them."""
    y, x = numpy.mgrid[0:SIDE, 0:SIDE] / SIDE
    random, out = numpy.random.default_rng(0), []
    for _ in range(IMAGES):
        a, b, c, d = random.random((4, 3))
        waves = 128 + 100 * numpy.sin(6 * a * x[..., None] + 9 * b * y[..., None] + 6 * c)
        waves[(x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.05 + 0.1 * d[0]] = 255 * d
        out.append(numpy.clip(waves + random.normal(0, 8, waves.shape), 0, 255).astype(numpy.uint8))
    return torch.from_numpy(numpy.stack(out))


def ours(build, folder, part, precision, variant, *options):
    out = os.path.join(folder, "out")
    command = [f"{build}/tools/resnet50_features", folder + "/imported.safetensors", folder + "/pixels", out, "--part", part, "--precision",
               precision, "--variant", variant, *options]
    code = subprocess.run(command).returncode
    if code == 77:
        return None  # a CPU without bf16
    if code:
        sys.exit(1)
    return torch.from_numpy(numpy.fromfile(out, numpy.float32))


def judge(what, precision, difference, name, cosine, limits):
    right = difference < limits[0] if precision == "fp32" else cosine > limits[1]
    print(f"{what:24} {precision}  {name} {difference:.1e}  least cosine {cosine:.7f}  {'right' if right else 'WRONG'}", flush=True)
    return right


def compare_features(wanted, build, folder, variant):
    good = True
    for part, reference in wanted.items():
        rms = reference.square().mean().sqrt()
        for precision in ("fp32", "bf16"):
            features = ours(build, folder, part, precision, variant)
            if features is None:
                continue
            features = features.reshape(IMAGES, -1)
            difference = ((features - reference).abs() / reference.abs().clamp(min=rms)).max().item()
            cosine = F.cosine_similarity(features.double(), reference.double()).min().item()
            good &= judge(f"{variant} features, {part}", precision, difference, "largest relative difference", cosine, (1e-3, 0.999))
    return good


def compare_gradients(wanted, build, folder, variant):
    good = True
    for precision in ("fp32", "bf16"):
        found = ours(build, folder, "last4", precision, variant, "--head", folder + "/head.safetensors")
        if found is None:
            continue
        at, difference, cosine = 0, 0, 1
        for name, reference in wanted.items():
            reference = reference.reshape(-1).double()
            gradient = found[at:at + len(reference)].double()
            at += len(reference)
            if name == "conv/bias":  # the batch norm behind it takes it away: both are rounding
                continue
            difference = max(difference, ((gradient - reference).norm() / reference.norm()).item())
            cosine = min(cosine, F.cosine_similarity(gradient, reference, 0).item())
        assert at == len(found)
        good &= judge(f"{variant} gradients, last4", precision, difference, "largest relative norm", cosine, (5e-3, 0.99))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="where the programs are")
    build = parser.parse_args().build
    torch.manual_seed(0)
    good = True
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        pixels, head = pictures(), draw_head()
        pixels.numpy().tofile(folder + "/pixels")
        save_safetensors(head, folder + "/head.safetensors")
        for variant in ("v1", "v1.5"):
            weights = draw(variant)
            source = folder + ("/keras.h5" if variant == "v1" else "/torchvision.safetensors")
            (save_keras if variant == "v1" else save_torchvision)(weights, source)
            subprocess.run([f"{build}/helpers/import_weights", source, folder + "/imported.safetensors"] +
                           (["--stride-on-3x3"] if variant == "v1.5" else []), check=True)
            features, maps = forward(weights, pixels, variant)
            good &= compare_features(features, build, folder, variant)
            good &= compare_gradients(gradients(weights, head, maps), build, folder, variant)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
