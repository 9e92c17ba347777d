"""Writes the files beside this script: networks of other frameworks with few channels, and their outputs.

    pip install -r tests/golden/requirements.txt torchvision==0.29.2 grpcio-tools==1.85.1
    python tests/golden/weights/make_weights.py

NAME.pth is the state_dict of a torchvision network with the widths of WIDTHS, written by torch.save. NAME.safetensors
holds images, the last map in evaluation mode (with torchvision's preprocessing) and in training mode (with pixels
standardized by batch statistics), and gradients of the sum of that map times `weights`.

NAME-legacy.pth holds the same weights in the format before PyTorch 1.6; those of resnet18 are channels-last in memory.
alexnet-oldest.pth has parameters and tensors pickled as by PyTorch 0.1. alexnet-python2.pth is pickled as by Python 2,
with an ordered dictionary from a list of pairs. torch.load reads all of them here. Storages are named by their addresses,
so that the bytes of these files differ each time.

present.caffemodel and old.caffemodel are one AlexNet-cvgj in both forms of caffe.proto (an excerpt of it is beside this
script), encoded by protobuf. caffe.safetensors holds images and the last map, computed with PyTorch from Caffe's layout:
BGR images, batch norm without scale. converted-FORM.npy are the same layers with the names and axes of caffe-tensorflow,
pickled by NumPy with protocol FORM, or as by Python 2. np.load reads all of them here.
"""

import copyreg
import pickle
import struct
import sys
import tempfile
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import grpc_tools.protoc
import numpy as np
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
    """torchvision's ResNet with other widths."""
    net = ResNet(block, layers, num_classes=2)
    net.inplanes = widths[0]
    net.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
    net.bn1 = nn.BatchNorm2d(widths[0])
    for stage, (width, count) in enumerate(zip(widths[1:], layers)):
        setattr(net, f"layer{stage + 1}", net._make_layer(block, width, count, stride=1 if stage == 0 else 2))
    net.fc = nn.Linear(widths[4] * block.expansion, 2)
    return net


def alexnet(widths):
    """torchvision's AlexNet with other widths and a small classifier."""
    net = torchvision.models.alexnet(num_classes=2)
    inputs = 3
    for index, width in zip([0, 3, 6, 8, 10], widths):
        old = net.features[index]
        net.features[index] = nn.Conv2d(inputs, width, old.kernel_size, old.stride, old.padding)
        inputs = width
    net.classifier = nn.Linear(2, 2)
    return net


def features(name, net, x):
    if name == "alexnet":
        return net.features(x)
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def caffe_proto():
    """The module that protobuf's compiler generates from caffe.proto."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["protoc", f"-I{FOLDER}", f"--python_out={folder}", str(FOLDER / "caffe.proto")]
        assert grpc_tools.protoc.main(arguments) == 0
        sys.path.insert(0, folder)
        module = import_module("caffe_pb2")
        sys.path.remove(folder)
    return module


def caffemodel(caffe_pb2, layers, old):
    """The layers as a NetParameter; old files have a V1LayerParameter for each layer, and four sizes in index of a shape."""
    net = caffe_pb2.NetParameter(name="AlexNet")
    for name, blobs in layers.items():
        layer = (net.layers if old else net.layer).add(name=name, bottom=["below"], top=[name])
        for values in blobs:
            if old:
                layer.blobs_lr.append(2)
            else:
                layer.param.add(lr_mult=2, decay_mult=0)
            blob = layer.blobs.add(data=values.flatten().tolist())
            sides = list(values.shape)
            if old:
                blob.num, blob.channels, blob.height, blob.width = [1] * (4 - len(sides)) + sides
            else:
                blob.shape.dim.extend(sides)
    return net.SerializeToString(deterministic=True)


def converted(layers):
    """The dictionary of caffe-tensorflow. Slashes in names become underscores, statistics are divided by their factor, and a
    scale is merged with the batch norm before it. Convolutions are HWIO. Only the second array of a layer loses the leading
    ones of its shape."""
    found = {}
    of_old_shape = lambda values: values.numpy().reshape((1,) * (4 - values.dim()) + tuple(values.shape))
    for name, blobs in layers.items():
        if name.endswith("/bn"):
            mean, variance, factor = blobs
            arrays = {"mean": of_old_shape(mean / factor), "variance": (variance / factor).numpy()}
        elif name.endswith("/scale"):
            found["data_bn"] |= {"scale": of_old_shape(blobs[0]), "offset": blobs[1].numpy()}
            continue
        else:
            weights = blobs[0].numpy()
            axes = (2, 3, 1, 0) if weights.ndim == 4 else (1, 0)
            arrays = {"weights": weights.transpose(axes), "biases": blobs[1].numpy()}
        found[name.replace("/", "_")] = arrays
    return found


class Python2Pickler(pickle._Pickler):
    """Pickles as Python 2 and its NumPy did: text as byte strings, old names of modules, numbers for booleans."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, obj):
        short = len(obj) < 256
        self.write(pickle.SHORT_BINSTRING + bytes([len(obj)]) if short else pickle.BINSTRING + struct.pack("<i", len(obj)))
        self.write(obj)
        self.memoize(obj)

    def save_text(self, obj):
        self.save_bytes(obj.encode("latin1"))

    def save_name(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(f"c{module}\n{obj.__name__}\n".encode())
        self.memoize(obj)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text
    dispatch[type] = save_name
    dispatch[type(len)] = save_name

    def reducer_override(self, obj):
        if isinstance(obj, np.dtype) and obj.kind == "f":
            return np.dtype, (obj.str[1:], 0, 1), (3, "<", None, None, None, -1, -1, 0)
        return NotImplemented


def write_npy(path, layers, protocol, pickler=pickle.Pickler):
    """Writes a dictionary as np.save does, with another pickle protocol than its 4."""
    array = np.array(layers, dtype=object)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        pickler(file, protocol=protocol).dump(array)
    loaded = np.load(path, allow_pickle=True, encoding="latin1").item()
    assert loaded.keys() == layers.keys()
    for name, arrays in layers.items():
        assert loaded[name].keys() == arrays.keys()
        assert all(np.array_equal(loaded[name][kind], arrays[kind]) for kind in arrays)


def save_converted(layers):
    """All forms, with different order and type of the numbers."""
    for protocol in [0, 2, 3, 4, 5]:
        found = converted(layers)
        if protocol == 2:
            found["conv2"]["weights"] = np.asfortranarray(found["conv2"]["weights"])
        if protocol == 3:
            found["conv3"] = {kind: values.astype(np.float64) for kind, values in found["conv3"].items()}
        write_npy(FOLDER / f"converted-{protocol}.npy", found, protocol)
    np.save(FOLDER / "converted-save.npy", np.array(converted(layers), dtype=object))
    assert (FOLDER / "converted-save.npy").read_bytes() == (FOLDER / "converted-4.npy").read_bytes()
    (FOLDER / "converted-save.npy").unlink()
    write_npy(FOLDER / "converted-python2.npy", converted(layers), 2, Python2Pickler)


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
    caffe_pb2 = caffe_proto()
    for old, name in [(False, "present"), (True, "old")]:
        (FOLDER / f"{name}.caffemodel").write_bytes(caffemodel(caffe_pb2, layers, old))
    save_converted(layers)

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


class OrderedPython2Pickler(Python2Pickler):
    """Pickles an ordered dictionary with its items, instead of adding them afterwards."""

    def reducer_override(self, obj):
        if isinstance(obj, OrderedDict):
            return OrderedDict, ([[key, value] for key, value in obj.items()],)
        return super().reducer_override(obj)


class OldestPickler(pickle.Pickler):
    """Pickles parameters as an object and its state, and tensors without the fields of later versions."""

    def reducer_override(self, obj):
        if isinstance(obj, nn.Parameter):
            return copyreg.__newobj__, (nn.Parameter,), (obj.data, None, OrderedDict(), True, False)
        if isinstance(obj, torch.Tensor):
            view = (obj.storage_offset(), tuple(obj.size()), obj.stride())
            return torch._utils._rebuild_tensor, (torch.storage.TypedStorage(wrap_storage=obj.untyped_storage(),
                                                  dtype=obj.dtype, _internal=True), *view)
        return NotImplemented


def save_legacy(name, net):
    """The formats before PyTorch 1.6."""

    def save(path, state, **options):
        torch.save(state, path, _use_new_zipfile_serialization=False, **options)
        loaded = torch.load(path, weights_only=True)
        assert loaded.keys() == state.keys() and all(torch.equal(loaded[key], state[key]) for key in state)

    state = net.state_dict(keep_vars=True)
    if name == "resnet18":
        state = OrderedDict(
            (key, values.data.contiguous(memory_format=torch.channels_last) if values.dim() == 4 else values)
            for key, values in state.items()
        )
    save(FOLDER / f"{name}-legacy.pth", state)
    if name == "alexnet":
        oldest = SimpleNamespace(__name__="oldest", Pickler=OldestPickler, dump=pickle.dump)
        save(FOLDER / f"{name}-oldest.pth", state, pickle_module=oldest)
        python2 = SimpleNamespace(__name__="python2", Pickler=OrderedPython2Pickler, dump=pickle.dump)
        save(FOLDER / f"{name}-python2.pth", net.state_dict(), pickle_module=python2)


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
        if name != "resnet50":
            save_legacy(name, net)
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
