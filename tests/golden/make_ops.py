"""Writes ops.safetensors: golden values of single operations with odd sizes, each with its gradients for a random
gradient of the output. README.md beside this file describes its content.

    python tests/golden/make_ops.py
"""

from pathlib import Path

import torch
import torch.nn.functional as F

from fixture import Fixture, pin_torch

FILE = Path(__file__).parent / "ops.safetensors"
EPS = 1e-3

# Blocks convolution -> batch norm (training) -> ReLU -> optional max-pool 3/2:
# name: (batch, channels in, channels out, kernel, stride, padding, groups, pool, side)
BLOCKS = {
    # Stride 4 without and with rows left over, as conv1; the pool also leaves a row over.
    "stride4": (2, 3, 8, 11, 4, 0, 1, True, 39),
    "stride4_remainder": (5, 3, 7, 11, 4, 0, 1, True, 42),
    # Stride 2 with a row left over, as conv1 of small inputs; one image.
    "stride2_remainder": (1, 3, 12, 11, 2, 0, 1, True, 38),
    # Kernel 5 in two groups, as conv2, with channel counts that do not fill a vector register.
    "kernel5_grouped": (5, 6, 10, 5, 1, 2, 2, True, 6),
    "kernel5_grouped_single": (1, 4, 6, 5, 1, 2, 2, True, 13),
    "kernel5_map3": (5, 4, 6, 5, 1, 2, 2, False, 3),
    # Kernel 3, as conv3 to conv5.
    "kernel3": (5, 7, 13, 3, 1, 1, 1, False, 6),
    "kernel3_single": (1, 8, 12, 3, 1, 1, 1, False, 6),
    "kernel3_grouped": (5, 8, 6, 3, 1, 1, 2, True, 6),
    "kernel3_grouped_map3": (5, 6, 4, 3, 1, 1, 2, True, 3),
    "kernel3_grouped_map3_single": (1, 6, 4, 3, 1, 1, 2, False, 3),
}
# Branches of a few attributes: (batch, channels in, attributes, channels, side of the map)
BRANCHES = {"branch": (5, 16, 4, 8, 6), "branch_odd": (2, 7, 4, 5, 3), "branch_single": (1, 6, 4, 3, 3)}
PSE = 16
MARGIN = 1e-4  # minimum distance of the data to a ReLU zero or max-pool tie; values are about 1


class Draw:
    """Seeded tensors, rounded to float32 so that the fixture holds the exact inputs."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape, scale=1.0, shift=0.0):
        return (torch.randn(*shape, generator=self.generator) * scale + shift).float().double().requires_grad_()


def batch_norm(x, weight, bias):
    """Batch norm over channel 1 with batch statistics; also returns mean and biased variance."""
    axes = [d for d in range(x.dim()) if d != 1]
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)
    return y, x.detach().mean(axes), x.detach().var(axes, unbiased=False)


def relu_margin(x):
    return float(x.detach().abs().min())


def pool_margin(x):
    best = x.detach().unfold(2, 3, 2).unfold(3, 3, 2).flatten(4).topk(2, dim=4).values
    lead = (best[..., 0] - best[..., 1])[best[..., 0] > 0]
    return float(lead.min()) if len(lead) else float("inf")


def gradients(y, dy, inputs):
    return dict(zip(inputs, torch.autograd.grad(y, list(inputs.values()), dy.detach())))


def block(draw, batch, channels, out, kernel, stride, padding, groups, pool, side):
    """Tensors of one convolution block, and its distance to a kink."""
    fan_in = channels // groups * kernel * kernel
    inputs = {
        "input": draw.normal(batch, channels, side, side, shift=0.3),
        "weight": draw.normal(out, channels // groups, kernel, kernel, scale=fan_in**-0.5),
        "bias": draw.normal(out, scale=0.1),
        "bn.weight": draw.normal(out, scale=0.2, shift=1),
        "bn.bias": draw.normal(out, scale=0.2),
    }
    x = F.conv2d(inputs["input"], inputs["weight"], inputs["bias"], stride, padding, 1, groups)
    x, mean, var = batch_norm(x, inputs["bn.weight"], inputs["bn.bias"])
    margin = relu_margin(x)
    y = F.relu(x)
    if pool:
        margin = min(margin, pool_margin(y))
        y = F.max_pool2d(y, 3, 2)
    dy = draw.normal(*y.shape)
    tensors = dict(inputs, output=y, batch_mean=mean, batch_var=var, output_grad=dy)
    # The bias's gradient is 0, as the batch norm cancels it.
    wanted = {name: inputs[name] for name in inputs if name != "bias"}
    tensors.update({f"grad/{name}": g for name, g in gradients(y, dy, wanted).items()})
    return tensors, margin


def branch(draw, batch, channels, attributes, width, side):
    """Tensors of the branches: 1x1 convolution, batch norm, ReLU, PSE mask, gate, global average pool."""
    a, p = attributes, PSE
    inputs = {
        "input": draw.normal(batch, channels, side, side),
        "conv.weight": draw.normal(a, width, channels, scale=channels**-0.5),
        "conv.bias": draw.normal(a, width, scale=0.1),
        "bn.weight": draw.normal(a, width, scale=0.2, shift=1),
        "bn.bias": draw.normal(a, width, scale=0.2),
        "pse.conv1.weight": draw.normal(a, p),
        "pse.conv1.bias": draw.normal(a, p, scale=0.1),
        "pse.bn.weight": draw.normal(a, p, scale=0.2, shift=1),
        "pse.bn.bias": draw.normal(a, p, scale=0.2),
        "pse.conv2.weight": draw.normal(a, p, scale=p**-0.5),
        "pse.conv2.bias": draw.normal(a, scale=0.1),
    }
    margin = float("inf")
    results = {name: [] for name in ("mask", "gated", "pooled", "bn.mean", "bn.var", "pse.bn.mean", "pse.bn.var")}
    for i in range(a):
        w = {name: t[i] for name, t in inputs.items() if name != "input"}
        features = F.conv2d(inputs["input"], w["conv.weight"][:, :, None, None], w["conv.bias"])
        features, mean, var = batch_norm(features, w["bn.weight"], w["bn.bias"])
        margin = min(margin, relu_margin(features))
        features = F.relu(features)
        summary = features.mean(1, keepdim=True)
        hidden = F.conv2d(summary, w["pse.conv1.weight"][:, None, None, None], w["pse.conv1.bias"])
        hidden, pse_mean, pse_var = batch_norm(hidden, w["pse.bn.weight"], w["pse.bn.bias"])
        margin = min(margin, relu_margin(hidden))
        mask = F.conv2d(F.relu(hidden), w["pse.conv2.weight"][None, :, None, None], w["pse.conv2.bias"][None])
        mask = torch.sigmoid(mask)
        gated = features * mask
        found = (mask[:, 0], gated, gated.mean((2, 3)), mean, var, pse_mean, pse_var)
        for values, value in zip(results.values(), found):
            values.append(value)
    # Attributes are axis 1 of tensors with a batch axis, and axis 0 of statistics.
    tensors = dict(inputs)
    for name, values in results.items():
        tensors[name] = torch.stack(values, dim=0 if name.endswith(("mean", "var")) else 1)
    dy = draw.normal(*tensors["pooled"].shape)
    tensors["pooled_grad"] = dy
    wanted = {name: t for name, t in inputs.items() if name not in ("conv.bias", "pse.conv1.bias")}
    tensors.update({f"grad/{name}": g for name, g in gradients(tensors["pooled"], dy, wanted).items()})
    return tensors, margin


def max_pool(draw, batch, channels, side):
    """Max-pool 3/2 without padding."""
    x = draw.normal(batch, channels, side, side)
    best = x.detach().unfold(2, 3, 2).unfold(3, 3, 2).flatten(4).topk(2, dim=4).values
    y = F.max_pool2d(x, 3, 2)
    dy = draw.normal(*y.shape)
    tensors = {"input": x, "output": y, "output_grad": dy, "grad/input": gradients(y, dy, {"input": x})["input"]}
    return tensors, float((best[..., 0] - best[..., 1]).min())


def away_from_kinks(make, *sizes):
    """The tensors of the first seed whose data is far enough from ReLU zeros and ties."""
    for seed in range(1000):
        tensors, margin = make(Draw(seed), *sizes)
        if margin > MARGIN:
            return tensors
    raise SystemExit(f"no seed keeps {make.__name__} {sizes} away from its kinks")


def main():
    pin_torch()
    fixture = Fixture()
    for name, sizes in BLOCKS.items():
        fixture.add_all(f"ops/block/{name}", away_from_kinks(block, *sizes))
        _, _, _, _, stride, padding, groups, pool, _ = sizes
        fixture.add(f"ops/block/{name}/stride_padding_groups_pool", torch.tensor([stride, padding, groups, int(pool)]))
    for name, sizes in {"side13": (2, 3, 13), "side8": (5, 2, 8), "side3": (1, 4, 3)}.items():
        fixture.add_all(f"ops/max_pool/{name}", away_from_kinks(max_pool, *sizes))
    for name, sizes in BRANCHES.items():
        fixture.add_all(f"ops/{name}", away_from_kinks(branch, *sizes))
    fixture.write(FILE, "tests/golden/make_ops.py")


if __name__ == "__main__":
    main()
