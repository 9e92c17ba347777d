"""Writes heads.safetensors: outputs and gradients of the layers of networks without branches, and the loss with MOON's
weights. README.md beside this file describes its content.

    python tests/golden/make_heads.py
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fixture import Fixture, hashes, pin_torch, splitmix64, unit
from network import ATTRIBUTES, GROUPS

FILE = Path(__file__).parent / "heads.safetensors"
BATCH, CHANNELS, SIDE = 3, 6, 2
A = 40
EPS, DECAY = 1e-3, 0.999
# A map of 6 channels in place of 256.
CONV, HIDDEN, GROUP = (-(-width * CHANNELS // 256) for width in (300, 512, 256))

# Hand and Chellappa 2017. The last four groups share one convolution.
MCNN = [
    "Male",
    "Big_Nose Pointy_Nose",
    "Big_Lips Smiling Wearing_Lipstick Mouth_Slightly_Open",
    "Arched_Eyebrows Bags_Under_Eyes Bushy_Eyebrows Narrow_Eyes Eyeglasses",
    "Attractive Blurry Oval_Face Pale_Skin Young Heavy_Makeup",
    "Black_Hair Blond_Hair Brown_Hair Gray_Hair Wearing_Earrings Wearing_Necklace Wearing_Necktie Bald"
    " Receding_Hairline Bangs Wearing_Hat Straight_Hair Wavy_Hair",
    "5_o_Clock_Shadow Mustache No_Beard Sideburns Goatee",
    "High_Cheekbones Rosy_Cheeks",
    "Chubby Double_Chin",
]


def values(name, *shape, scale=1.0, shift=0.0):
    """Numbers in [shift - scale, shift + scale) from a hash of the name, exact in float32."""
    flat = unit(name, int(np.prod(shape))) * np.float32(scale) + np.float32(shift)
    return torch.from_numpy(flat.astype(np.float32)).double().reshape(shape)


class Parameters:
    """Parameters by name; those of one network have names of their own in the hash."""

    def __init__(self, net):
        self.net, self.all = net, {}

    def __call__(self, name, *shape, scale=0.3, shift=0.0):
        self.all[f"head.{name}"] = values(f"{self.net}/head.{name}", *shape, scale=scale, shift=shift).requires_grad_()
        return self.all[f"head.{name}"]


def rectified(x):
    """ReLU far from its kink: a rounding error there would change the gradient."""
    assert x.abs().min() > 1e-5, x.abs().min()
    return F.relu(x)


def outputs(p, by_attribute):
    """[B, 40, 2] of [40] values [B, d]."""
    weight, bias = p("fc.weight", A, 2, by_attribute[0].shape[1]), p("fc.bias", A, 2)
    return torch.stack([F.linear(x, w, b) for x, w, b in zip(by_attribute, weight, bias)], 1)


def by_attribute(groups, hidden):
    members = [group.split() for group in groups]
    assert sorted(sum(members, [])) == sorted(ATTRIBUTES)
    return [next(x for names, x in zip(members, hidden) if name in names) for name in ATTRIBUTES]


def plain(p, maps, running):
    return outputs(p, [maps.mean((2, 3))] * A)


def dmtl(p, maps, running):
    size = CHANNELS * SIDE * SIDE
    shared = rectified(F.linear(maps.flatten(1), p("shared.weight", 1, HIDDEN, size)[0], p("shared.bias", 1, HIDDEN)[0]))
    weight, bias = p("group.weight", len(GROUPS), GROUP, HIDDEN), p("group.bias", len(GROUPS), GROUP)
    hidden = [rectified(F.linear(shared, w, b)) for w, b in zip(weight, bias)]
    return outputs(p, by_attribute(GROUPS, hidden))


def mcnn(p, maps, running):
    convolved = F.conv2d(maps, p("conv.weight", 6 * CONV, CHANNELS, 3, 3), padding=1)
    mean, variance = convolved.mean((0, 2, 3)), convolved.var((0, 2, 3), correction=0)
    running["head.conv.bn.running_mean"] = (1 - DECAY) * mean
    running["head.conv.bn.running_var"] = DECAY + (1 - DECAY) * variance
    scale, shift = p("conv.bn.weight", 6 * CONV, scale=0.1, shift=1.0), p("conv.bn.bias", 6 * CONV)
    normed = F.batch_norm(convolved, None, None, scale, shift, training=True, eps=EPS)
    largest = rectified(normed).amax((2, 3)).view(BATCH, 6, CONV)
    layers = [(p(f"fc{i}.weight", 9, HIDDEN, inputs), p(f"fc{i}.bias", 9, HIDDEN)) for i, inputs in ((1, CONV), (2, HIDDEN))]
    hidden = []
    for group in range(9):
        x = largest[:, min(group, 5)]
        for weight, bias in layers:
            x = rectified(F.linear(x, weight[group], bias[group]))
        hidden.append(x)
    return outputs(p, by_attribute(MCNN, hidden))


def ml_decoder(p, maps, running):
    width, hidden = 8 * -(-96 * CHANNELS // 256), -(-2048 * CHANNELS // 256)

    def linear(name, x, outputs):
        return F.linear(x, p(f"{name}.weight", outputs, x.shape[-1]), p(f"{name}.bias", outputs))

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], p(f"{name}.weight", width, scale=0.1, shift=1.0), p(f"{name}.bias", width))

    memory = rectified(linear("embed", maps.flatten(2).transpose(1, 2), width))
    uniform = (splitmix64(np.arange(A * width, dtype=np.uint64)) >> np.uint64(40)) / 2**23 - 1
    queries = torch.from_numpy(uniform * 3**0.5).view(1, A, width)
    queries = norm("norm1", queries + queries).expand(BATCH, -1, -1)
    projected = [linear("query", queries, width), linear("key", memory, width), linear("value", memory, width)]
    heads = [x.unflatten(2, (8, -1)).transpose(1, 2) for x in projected]
    read = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    tokens = norm("norm2", queries + linear("out", read, width))
    tokens = norm("norm3", tokens + linear("linear2", rectified(linear("linear1", tokens, hidden)), width))
    return outputs(p, list(tokens.unbind(1)))


def moon(fixture):
    """Rudd et al. 2016, equations 3 to 5, for a balanced target."""
    labels = (hashes("heads/labels", 20 * A) % np.uint64(100)).reshape(20, A) < np.arange(5, 85, 2, dtype=np.uint64)
    labels[:, 7], labels[:, 8] = False, True
    source = {True: labels.mean(0), False: 1 - labels.mean(0)}
    target = {True: 0.5, False: 0.5}

    def weight(sign, i):
        if source[True][i] in (0, 1):
            return 1.0  # no weight balances one class
        if target[sign] > source[sign][i]:
            return 1.0
        return source[not sign][i] * target[sign] / (source[sign][i] * target[not sign])

    weights = torch.tensor([[weight(False, i), weight(True, i)] for i in range(A)], dtype=torch.float64)
    logits = values("heads/logits", 20, A, 2, scale=3.0).requires_grad_()
    classes = torch.from_numpy(labels.astype(np.int64))
    loss = sum(F.cross_entropy(logits[:, i], classes[:, i], weights[i], reduction="sum") for i in range(A)) / len(labels)
    loss.backward()
    fixture.add("moon/labels", labels.astype(np.uint8))
    fixture.add("moon/weights", weights)
    fixture.add("moon/logits", logits)
    fixture.add("moon/loss", loss)
    fixture.add("moon/gradient", logits.grad)


def main():
    pin_torch()
    fixture = Fixture()
    targets = torch.from_numpy((hashes("heads/targets", BATCH * A) >> np.uint64(63)).astype(np.int64)).view(BATCH, A)
    for name, net in {"moon-unbalanced": plain, "dmtl": dmtl, "mcnn": mcnn, "ml-decoder": ml_decoder}.items():
        p, running = Parameters(name), {}
        maps = values("heads/map", BATCH, CHANNELS, SIDE, SIDE).requires_grad_()
        logits = net(p, maps, running)
        loss = F.cross_entropy(logits.reshape(-1, 2), targets.reshape(-1), reduction="sum") / BATCH
        loss.backward()
        fixture.add(f"{name}/logits", logits)
        fixture.add(f"{name}/loss", loss)
        fixture.add(f"{name}/gradient/map", maps.grad)
        fixture.add_all(f"{name}/gradient", {key: value.grad for key, value in p.all.items()})
        fixture.add_all(name, running)
    moon(fixture)
    fixture.write(FILE, "make_heads.py")


if __name__ == "__main__":
    main()
