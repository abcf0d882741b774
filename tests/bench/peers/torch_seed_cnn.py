#!/usr/bin/python3
"""A peer of `make bench`: seed-cnn in PyTorch, at the fairest settings that we found for it on a CPU.

  torch_seed_cnn.py train|infer --precision fp32|bf16 [--threads N] [--batch N] [--seconds S] [--setting NAME]
  torch_seed_cnn.py export FILE          the network as ONNX, for onnxruntime

Prints name=..., images_per_second=... (the median over the steps). Exits with 77 where PyTorch is missing. channels_last beats the
default layout by far; for inference the optimized trace is best in fp32, the network as it is in bf16 (SPEED.md).
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

BATCH, SIDE, CLASSES = 64, 100, 29


class Separable(nn.Module):
    def __init__(self, inputs, filters):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, filters, 1)

    def forward(self, x):
        return F.relu(self.pointwise(self.depthwise(x)))


class SeedCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.sep1 = Separable(64, 64)
        self.res1 = nn.Conv2d(64, 64, 1, stride=2)
        self.sep2 = Separable(64, 32)
        self.sep3 = Separable(32, 32)
        self.res2 = nn.Conv2d(32, 32, 1, stride=2)
        self.dense = nn.Linear(25 * 25 * 32, 32)
        self.predictions = nn.Linear(32, CLASSES)

    def forward(self, x):
        a = F.relu(self.conv1(x))
        x = F.dropout(F.max_pool2d(self.sep1(a), 2) + self.res1(a), 0.3, self.training)
        b = self.sep2(x)
        x = F.dropout(F.max_pool2d(self.sep3(b), 2) + self.res2(b), 0.3, self.training)
        return self.predictions(F.relu(self.dense(x.flatten(1))))


def cast(options):
    # The cache of cast weights is of no use to a traced network.
    return torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16", cache_enabled=options.setting == "eager")


def training(options, pixels):
    net = SeedCnn().to(memory_format=options.layout).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    labels = torch.randint(0, CLASSES, (options.batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        with cast(options):
            logits = net((pixels.float() / 255).permute(0, 3, 1, 2).contiguous(memory_format=options.layout))
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def inference(options, pixels):
    net = SeedCnn().to(memory_format=options.layout).eval()
    # Prepared beforehand, which our own inference is not.
    images = (pixels.float() / 255).permute(0, 3, 1, 2).contiguous(memory_format=options.layout)
    with torch.no_grad(), cast(options):
        if options.setting != "eager":
            net = torch.jit.freeze(torch.jit.trace(net, images))
        if options.setting == "optimized":
            net = torch.jit.optimize_for_inference(net)

    def step():
        with torch.no_grad(), cast(options):
            net(images)

    return step


def export(path):
    torch.onnx.export(SeedCnn().eval(), torch.zeros(1, 3, SIDE, SIDE), path, input_names=["pixels"], output_names=["logits"],
                      dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}}, opset_version=13)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["train", "infer", "export"])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--setting", choices=["eager", "frozen", "optimized"])
    parser.add_argument("--nchw", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.task == "export":
        return export(options.file)
    torch.set_num_threads(options.threads)
    options.layout = torch.contiguous_format if options.nchw else torch.channels_last
    options.setting = options.setting or ("optimized" if options.task == "infer" and options.precision == "fp32" else "eager")
    pixels = torch.randint(0, 256, (options.batch, SIDE, SIDE, 3), dtype=torch.uint8)
    step = (training if options.task == "train" else inference)(options, pixels)
    for _ in range(2 if options.task == "infer" else 1):  # the first ones compile kernels
        step()
    took, begun = [], time.perf_counter()
    while len(took) < 2 or time.perf_counter() - begun < options.seconds:
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    print(f"name=PyTorch {'.'.join(torch.__version__.split('.')[:2])}")  # Debian's 1.13.1 calls itself 1.13.0a0
    print(f"images_per_second={options.batch / statistics.median(took):.2f}")


if __name__ == "__main__":
    main()
