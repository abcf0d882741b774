#!/usr/bin/python3
"""A peer of `make bench`: Keras' ResNet50 in PyTorch, at the fairest settings that we found for it on a CPU.

  torch_resnet50.py features|head|resnet50 --precision fp32|bf16 [--threads N] [--batch N] [--seconds S]

    features   the frozen part, traced and optimised for inference (batch norms folded)
    head       a training step of the last four layers and the head, from features in memory
    resnet50   a training step of everything

  torch_resnet50.py export FILE          the frozen part as ONNX, for onnxruntime

Prints name=..., images_per_second=... (the median over the steps). Exits with 77 where PyTorch is missing.
"""
import argparse
import statistics
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)

CLASSES, STAGES = 29, ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


def convolution(inputs, filters, size, stride=1, padding=0):
    return nn.Sequential(nn.Conv2d(inputs, filters, size, stride, padding), nn.BatchNorm2d(filters, eps=1.001e-5, momentum=0.01))


class End(nn.Module):
    """The last convolution of a block, the sum and the ReLU."""
    def __init__(self, filters):
        super().__init__()
        self.last = convolution(filters, 4 * filters, 1)

    def forward(self, inner, shortcut):
        return F.relu(self.last(inner) + shortcut)


class Inside(nn.Module):
    def __init__(self, inputs, filters, stride, projects):
        super().__init__()
        self.shortcut = convolution(inputs, 4 * filters, 1, stride) if projects else nn.Identity()
        self.first = convolution(inputs, filters, 1, stride)
        self.second = convolution(filters, filters, 3, 1, 1)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x)))), self.shortcut(x)


class Trunk(nn.Module):
    """Up to the two inputs of the last block's end."""
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        insides, ends, inputs = [], [], 64
        for filters, blocks, stride in STAGES:
            for block in range(blocks):
                insides.append(Inside(inputs, filters, stride if block == 0 else 1, block == 0))
                ends.append(End(filters))
                inputs = 4 * filters
        self.insides, self.ends = nn.ModuleList(insides), nn.ModuleList(ends[:-1])

    def forward(self, x):
        x = self.stem(x)
        for inside, end in zip(self.insides, self.ends):
            x = end(*inside(x))
        return self.insides[-1](x)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.end, self.dense, self.predictions = End(512), nn.Linear(100352, 256), nn.Linear(256, CLASSES)

    def forward(self, inner, shortcut):
        x = self.end(inner, shortcut).flatten(1)
        return self.predictions(F.dropout(self.dense(x), 0.5, self.training))


def mapped(*shape):
    return torch.rand(*shape).contiguous(memory_format=torch.channels_last)


def features(options, cast):
    net, images = Trunk().to(memory_format=torch.channels_last).eval(), mapped(options.batch, 3, 224, 224)
    with torch.no_grad():
        if options.precision == "bf16":  # faster than autocast
            net, images = net.to(torch.bfloat16), images.to(torch.bfloat16)
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, images)))

    def step():
        with torch.no_grad():
            traced(images)
    return step


def training(net, inputs, options, cast):
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-5)
    labels = torch.arange(options.batch) % CLASSES

    def step():
        optimizer.zero_grad(set_to_none=True)
        with cast():
            logits = net(*inputs)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
    return step


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.head = Trunk(), Head()

    def forward(self, x):
        return self.head(*self.trunk(x))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=("features", "head", "resnet50", "export"))
    parser.add_argument("file", nargs="?")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    if options.task == "export":
        return torch.onnx.export(Trunk().eval(), torch.zeros(1, 3, 224, 224), options.file, input_names=["pixels"],
                                 dynamic_axes={"pixels": {0: "n"}}, opset_version=13)
    torch.set_num_threads(options.threads)

    def cast():
        return torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")
    if options.task == "features":
        step = features(options, cast)
    elif options.task == "head":
        step = training(Head(), (mapped(options.batch, 512, 7, 7), mapped(options.batch, 2048, 7, 7)), options, cast)
    else:
        step = training(Whole(), (mapped(options.batch, 3, 224, 224),), options, cast)
    took, begun = [], None
    for number in range(1 << 16):
        start = time.perf_counter()
        if number == 2:
            begun = start
        if number > 4 and start - begun > options.seconds:
            break
        step()
        if number >= 2:
            took.append(time.perf_counter() - start)
    print(f"name=PyTorch {'.'.join(torch.__version__.split('.')[:2])}")  # Debian's 1.13.1 calls itself 1.13.0a0
    print(f"images_per_second={options.batch / statistics.median(took):.2f}")


if __name__ == "__main__":
    main()
