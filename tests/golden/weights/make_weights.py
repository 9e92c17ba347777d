"""Writes the files beside this script: networks of other frameworks with few channels, and what they compute.

    pip install -r tests/golden/requirements.txt torchvision==0.29.2
    python tests/golden/weights/make_weights.py

NAME.pth is a torchvision network's state_dict as torch.save writes it, with the widths of WIDTHS. NAME.safetensors
holds pictures, the last map in evaluation mode (on pixels as torchvision wants them) and in training mode (on pixels
standardized by the batch's own moments), and gradients of the sum of that map times `weights`. present.caffemodel and
old.caffemodel are one AlexNet-cvgj in both forms of caffe.proto, encoded here by hand; caffe.safetensors holds pictures
and its last map, computed with PyTorch from Caffe's own layout: pictures in BGR, batch norm without scale.
"""

import struct
import sys
from pathlib import Path

import torch
import torchvision
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

sys.path.append(str(Path(__file__).parents[1]))
from fixture import Fixture, pin_torch

FOLDER = Path(__file__).parent
EPS = 1e-5
MEAN = torch.tensor([0.485, 0.456, 0.406]).double().view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).double().view(1, 3, 1, 1)
WIDTHS = {"alexnet": [4, 6, 8, 6, 4], "resnet18": [4, 4, 6, 6, 8], "resnet50": [4, 2, 2, 3, 3]}


def resnet(block, layers, widths):
    """torchvision's ResNet with other widths: its own forward and blocks."""
    net = ResNet(block, layers, num_classes=2)
    net.inplanes = widths[0]
    net.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
    net.bn1 = nn.BatchNorm2d(widths[0])
    for stage, (width, count) in enumerate(zip(widths[1:], layers)):
        setattr(net, f"layer{stage + 1}", net._make_layer(block, width, count, stride=1 if stage == 0 else 2))
    net.fc = nn.Linear(widths[4] * block.expansion, 2)
    return net


def alexnet(widths):
    """torchvision's AlexNet with other widths, and without its large classifier."""
    net = torchvision.models.alexnet(num_classes=2)
    inputs = 3
    for place, width in zip([0, 3, 6, 8, 10], widths):
        old = net.features[place]
        net.features[place] = nn.Conv2d(inputs, width, old.kernel_size, old.stride, old.padding)
        inputs = width
    net.classifier = nn.Linear(2, 2)
    return net


def features(name, net, x):
    if name == "alexnet":
        return net.features(x)
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def blob(values, old):
    """BlobProto; old files have four sizes and unpacked numbers in place of a shape and packed ones."""
    numbers = values.flatten().tolist()
    if old:
        shape = [1] * (4 - values.dim()) + list(values.shape)
        sizes = b"".join(varint((i + 1) << 3) + varint(size) for i, size in enumerate(shape))
        return sizes + b"".join(varint(5 << 3 | 5) + struct.pack("<f", x) for x in numbers)
    shape = message(1, b"".join(varint(size) for size in values.shape))
    return message(7, shape) + message(5, struct.pack(f"<{len(numbers)}f", *numbers))


def layer(name, blobs, old):
    """V1LayerParameter in field 2 of NetParameter, or LayerParameter in field 100."""
    name_field, blob_field, field = (4, 6, 2) if old else (1, 7, 100)
    content = message(name_field, name.encode()) + b"".join(message(blob_field, blob(b, old)) for b in blobs)
    return message(field, content)


def caffe():
    generator = torch.Generator().manual_seed(9)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    layers, widths, inputs = {}, [4, 8, 6, 6, 4], 3
    factor = torch.tensor([0.5])
    layers["data/bn"] = [factor * torch.tensor([100.0, 120, 140]), factor * torch.tensor([4000.0, 5000, 6000]), factor]
    layers["data/scale"] = [torch.tensor([0.9, 1.0, 1.2]), torch.tensor([0.1, -0.2, 0.3])]
    plan = [(11, 4, 0, 1), (5, 1, 2, 2), (3, 1, 1, 1), (3, 1, 1, 2), (3, 1, 1, 2)]
    for i, ((k, stride, padding, groups), width) in enumerate(zip(plan, widths)):
        fan = inputs // groups * k * k
        layers[f"conv{i + 1}"] = [draw(width, inputs // groups, k, k) / fan**0.5, 0.1 * draw(width)]
        layers[f"conv{i + 1}/bn"] = [factor * 0.1 * draw(width), factor * (0.5 + draw(width).abs()), factor]
        inputs = width
    layers["fc6"] = [draw(2, 4), draw(2)]
    for old, name in [(False, "present"), (True, "old")]:
        content = b"".join(layer(name, blobs, old) for name, blobs in layers.items())
        (FOLDER / f"{name}.caffemodel").write_bytes(message(1, b"AlexNet") + content)

    pixels = torch.randint(0, 256, (2, 3, 99, 99), dtype=torch.uint8, generator=generator)

    def norm(x, name):
        mean, variance, factor = (blob.double() for blob in layers[f"{name}/bn"])
        return F.batch_norm(x, mean / factor, variance / factor, eps=EPS)

    x = norm(pixels.double()[:, [2, 1, 0]], "data")
    scale, shift = (blob.double().view(1, 3, 1, 1) for blob in layers["data/scale"])
    x = x * scale + shift
    for i, (_, stride, padding, groups) in enumerate(plan):
        weight, bias = (blob.double() for blob in layers[f"conv{i + 1}"])
        x = F.relu(norm(F.conv2d(x, weight, bias, stride, padding, groups=groups), f"conv{i + 1}"))
        if i in (0, 1, 4):
            x = F.max_pool2d(x, 3, 2)
    fixture = Fixture()
    fixture.add("pixels", pixels)
    fixture.add("eval/features", x)
    fixture.write(FOLDER / "caffe.safetensors", "make_weights.py")


def main():
    caffe()
    pin_torch()
    nets = {
        "alexnet": lambda w: alexnet(w),
        "resnet18": lambda w: resnet(BasicBlock, [2, 2, 2, 2], w),
        "resnet50": lambda w: resnet(Bottleneck, [3, 4, 6, 3], w),
    }
    for seed, (name, build) in enumerate(nets.items()):
        torch.manual_seed(seed)
        net = build(WIDTHS[name])
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        torch.save(net.state_dict(), FOLDER / f"{name}.pth")
        net = net.double()
        for module in net.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        fixture = Fixture()
        pixels = torch.randint(0, 256, (3, 3, 75, 75), dtype=torch.uint8)
        fixture.add("pixels", pixels)
        x = (pixels.double() / 255 - MEAN) / DEVIATION
        net.eval()
        fixture.add("eval/features", features(name, net, x))
        weights = torch.randn(features(name, net, x).shape).float().double()
        fixture.add("weights", weights)
        for mode in ["eval", "train"]:
            net.train(mode == "train")
            net.zero_grad()
            if mode == "train":
                p = pixels.double()
                spread = p.var((0, 2, 3), unbiased=False, keepdim=True)
                x = (p - p.mean((0, 2, 3), keepdim=True)) / (spread + EPS).sqrt()
            y = features(name, net, x)
            (y * weights).sum().backward()
            if mode == "train":
                fixture.add("train/features", y)
            for key, parameter in net.named_parameters():
                if parameter.grad is not None:
                    fixture.add(f"{mode}/grad/{key}", parameter.grad)
        fixture.write(FOLDER / f"{name}.safetensors", "make_weights.py", torchvision=torchvision.__version__)


if __name__ == "__main__":
    main()
