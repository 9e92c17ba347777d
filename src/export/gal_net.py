"""A network trained by gal-bench, in PyTorch.

    import gal_net
    network, config = gal_net.load("gal_net.safetensors")
    fln, cln, affinity = network(pixels)      # pixels: float [batch, 3, side, side], RGB, 0 to 255

`python gal_net.py IMAGE...` prints probabilities as JSON. Requires torch and safetensors, and Pillow and numpy for
images. The network is that of arXiv 1810.09162, "Exploring Correlations in Multiple Facial Attributes through Graph
Attention Network". MIT licence, as gal-bench.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

ATTRIBUTES = 40
HIDDEN = 16  # maps between the two convolutions of a mask


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU and optionally 3x3 max-pooling with stride 2."""

    def __init__(self, inputs, outputs, kernel, stride, padding, groups, pool, eps):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
        self.bn = nn.BatchNorm2d(outputs, eps=eps)
        self.pool = nn.MaxPool2d(3, 2) if pool else nn.Identity()

    def forward(self, x):
        return self.pool(torch.relu(self.bn(self.conv(x))))


class Mask(nn.Module):
    """One spatial mask per attribute, from the mean of its channels: [B, 40, h, w] to the same shape, in (0, 1)."""

    def __init__(self, eps):
        super().__init__()
        self.conv1 = nn.Conv2d(ATTRIBUTES, ATTRIBUTES * HIDDEN, 1, groups=ATTRIBUTES)
        self.bn = nn.BatchNorm2d(ATTRIBUTES * HIDDEN, eps=eps)
        self.conv2 = nn.Conv2d(ATTRIBUTES * HIDDEN, ATTRIBUTES, 1, groups=ATTRIBUTES)

    def forward(self, summary):
        return torch.sigmoid(self.conv2(torch.relu(self.bn(self.conv1(summary)))))


class Branches(nn.Module):
    """Forty branches with masks and classifiers; the channels of an attribute are contiguous."""

    def __init__(self, inputs, channels, eps):
        super().__init__()
        self.conv = nn.Conv2d(inputs, ATTRIBUTES * channels, 1)
        self.bn = nn.BatchNorm2d(ATTRIBUTES * channels, eps=eps)
        self.pse = Mask(eps)
        self.fc = nn.Conv2d(ATTRIBUTES * channels, ATTRIBUTES * 2, 1, groups=ATTRIBUTES)

    def forward(self, x):
        """Logits [B, 40, 2] and gated features [B, 40 c, h, w]."""
        features = torch.relu(self.bn(self.conv(x)))
        batch, _, height, width = features.shape
        by_attribute = features.view(batch, ATTRIBUTES, -1, height, width)
        gated = (by_attribute * self.pse(by_attribute.mean(2)).unsqueeze(2)).view(features.shape)
        logits = self.fc(gated.mean((2, 3), keepdim=True)).view(batch, ATTRIBUTES, 2)
        return logits, gated


class Correlation(nn.Module):
    """Correlation learning net: graph attention over one node per attribute."""

    def __init__(self, channels, node, positions, affinity, layout):
        super().__init__()
        self.node = nn.Conv2d(ATTRIBUTES * channels, ATTRIBUTES * node, 1, groups=ATTRIBUTES)
        self.fc = nn.Conv2d(ATTRIBUTES * node * positions, ATTRIBUTES * 2, 1, groups=ATTRIBUTES)
        self.layout = layout
        fixed = torch.zeros(ATTRIBUTES, ATTRIBUTES) if affinity == "fixed" else None
        self.register_buffer("affinity", fixed)

    def forward(self, gated, fln, maps):
        """Logits [B, 40, 2] and affinity [B, 40, 40]."""
        batch = len(gated)
        nodes = self.node(gated.detach()).flatten(2)  # [B, 40 g, positions]
        by_attribute = nodes.view(batch, ATTRIBUTES, -1, nodes.shape[2])  # [B, 40, g, positions]
        vectors = by_attribute.transpose(2, 3).flatten(2)  # element g q + k: channel k at position q
        if self.affinity is None:
            affinity = torch.softmax(vectors @ vectors.transpose(1, 2), dim=2)
        else:
            affinity = self.affinity.expand(batch, -1, -1)
        if self.layout == "joined":
            # The authors' released code: channel k of value j is flat channel 40 k + j of all nodes.
            cut = nodes.view(batch, -1, ATTRIBUTES, nodes.shape[2])
            vectors = cut.permute(0, 2, 3, 1).flatten(2)
        refined = affinity @ vectors
        return self.fc(refined.reshape(batch, -1, 1, 1)).view(batch, ATTRIBUTES, 2), affinity


class Parameters(nn.Module):
    """Parameters with the names and shapes of a file; dots in a name are levels."""

    def __init__(self, tensors):
        super().__init__()
        for name, tensor in tensors.items():
            *path, leaf = name.split(".")
            module = self
            for part in path:
                if not hasattr(module, part):
                    module.add_module(part, nn.Module())
                module = getattr(module, part)
            module.register_parameter(leaf, nn.Parameter(torch.empty_like(tensor)))


class Compared(Parameters):
    """A correlation net that is not the paper's: logits [B, 40, 2] and weights of attributes [B, 40, 40], or None."""

    HEADS = 4  # of the transformer

    def __init__(self, kind, tensors):
        super().__init__(tensors)
        self.kind = kind

    def forward(self, gated, fln, maps):
        if self.kind == "aux":
            scores = fln[:, :, 1] - fln[:, :, 0]
            sizes = (self.aux.weight + torch.eye(ATTRIBUTES, device=scores.device)).abs()
            influence = (sizes / sizes.sum(1, keepdim=True)).expand(len(scores), -1, -1)
            return of_scores(scores + F.linear(scores, self.aux.weight, self.aux.bias)), influence
        if self.kind == "linear":
            return of_scores(F.linear(maps.mean((2, 3)), self.linear.weight, self.linear.bias)), None
        if self.kind == "ml-gcn":
            hidden = F.leaky_relu(self.edges @ self.first.weight, 0.2)
            classifiers = self.edges @ (hidden @ self.second.weight)
            return of_scores(maps.amax((2, 3)) @ classifiers.T), None
        # [B, 40, channels, positions] to [B, 40, d], ordered by channel.
        features = gated.flatten(2).view(len(gated), ATTRIBUTES, -1, gated.shape[2] * gated.shape[3])
        nodes = torch.einsum("agc,bacp->bagp", self.node.weight, features) + self.node.bias[:, :, None]
        tokens, attention = self.attend(nodes.flatten(2))
        return torch.einsum("bad,aod->bao", tokens, self.fc.weight) + self.fc.bias, attention

    def attend(self, nodes):
        if self.kind in ("gat", "gatv2"):
            return self.published(nodes)
        if self.kind == "transformer":
            return self.transformer(nodes)
        keys = nodes
        if self.kind == "cosine":
            keys = nodes / (nodes.square().sum(2, keepdim=True) + 1e-12).sqrt()
        scale = self.temperature if self.kind in ("cosine", "temperature") else nodes.shape[2] ** -0.5
        scores = (keys * scale) @ keys.transpose(1, 2)
        if self.kind == "others":
            scores = scores.masked_fill(torch.eye(ATTRIBUTES, dtype=torch.bool, device=nodes.device), -torch.inf)
        attention = scores.softmax(2)
        refined = attention @ nodes
        return torch.cat([nodes, refined], 2) if self.kind == "others" else refined, attention

    def published(self, nodes):
        """GAT (Velickovic et al. 2018) or GATv2 (Brody et al. 2022)."""
        d = nodes.shape[2]
        heads = max(heads for heads in range(1, 9) if d % heads == 0)
        split = lambda x: x.unflatten(-1, (heads, d // heads))
        if self.kind == "gat":
            values = split(F.linear(nodes, self.project.weight))
            source, target = ((values * split(x.weight)).sum(3) for x in (self.source, self.target))
            scores = F.leaky_relu(source[:, :, None] + target[:, None], 0.2)
        else:
            left, values = (split(F.linear(nodes, x.weight, x.bias)) for x in (self.left, self.right))
            scores = (F.leaky_relu(left[:, :, None] + values[:, None], 0.2) * split(self.attention.weight)).sum(4)
        attention = scores.softmax(2)  # [B, 40, 40, heads]
        tokens = torch.einsum("bijh,bjhf->bihf", attention, values).flatten(2)
        return F.elu(tokens + self.bias), attention.mean(3)

    def transformer(self, nodes):
        norm = lambda x, layer: F.layer_norm(x, x.shape[-1:], layer.weight, layer.bias)
        linear = lambda x, layer: F.linear(x, layer.weight, layer.bias)
        tokens = linear(nodes, self.project) + self.embedding
        layers = [getattr(self, f"layer{i}") for i in range(1, 100) if hasattr(self, f"layer{i}")]
        attention = []
        for layer in layers:
            normed = norm(tokens, layer.norm1)
            query, key, value = (
                linear(normed, x).unflatten(2, (self.HEADS, -1)).transpose(1, 2) for x in (layer.query, layer.key, layer.value)
            )
            weights = (query @ key.transpose(2, 3) * query.shape[3] ** -0.5).softmax(3)
            tokens = tokens + linear((weights @ value).transpose(1, 2).flatten(2), layer.out)
            tokens = tokens + linear(F.gelu(linear(norm(tokens, layer.norm2), layer.up)), layer.down)
            attention.append(weights.mean(1))
        return norm(tokens, self.norm), torch.stack(attention).mean(0)


def of_scores(scores):
    """Logits [B, 40, 2] of scores [B, 40]: 0 for "no", the score for "yes"."""
    return torch.stack([torch.zeros_like(scores), scores], 2)


class GalNet(nn.Module):
    """Maps pixels [B, 3, side, side] to (FLN logits, CLN logits, affinity).

    The last two are None without a CLN; the affinity is None, too, if the CLN does not weigh attributes.

    The FLN's own classifiers are untrained in the variant cln-only: only its CLN logits mean anything.
    Logits are [B, 40, 2]. After softmax over the last axis, index 1 is the probability of the attribute.
    """

    def __init__(self, config, tensors):
        super().__init__()
        eps, widths = config["eps"], config["widths"]
        # kernel, stride, padding, groups, pool
        layers = [
            (11, config["stride"], 0, 1, True),
            (5, 1, 2, 2, True),
            (3, 1, 1, 1, False),
            (3, 1, 1, 2, False),
            (3, 1, 1, 2, config.get("last_pool", True)),
        ]
        self.data_bn = nn.BatchNorm2d(3, eps=eps)
        for i, (inputs, outputs, layer) in enumerate(zip([3, *widths], widths, layers), start=1):
            setattr(self, f"conv{i}", ConvBlock(inputs, outputs, *layer, eps))
        self.branch = Branches(widths[-1], config["branch"], eps)
        self.cln = None
        if config["affinity"] is not None:
            self.cln = Correlation(
                config["branch"], config["node"], config["positions"], config["affinity"], config["node_layout"]
            )
        elif config["net"] is not None:
            self.cln = Compared(config["net"], {n[4:]: t for n, t in tensors.items() if n.startswith("cln.")})

    def forward(self, pixels):
        x = self.data_bn(pixels)
        for i in range(1, 6):
            x = getattr(self, f"conv{i}")(x)
        fln, gated = self.branch(x)
        cln, affinity = (None, None) if self.cln is None else self.cln(gated, fln, x)
        return fln, cln, affinity


def load(path):
    """Loads a file of `gal-bench export`: the network in evaluation mode, and its configuration."""
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["gal-bench"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    network = GalNet(config, tensors)
    network.load_state_dict(tensors)
    return network.eval(), config


def read(path, config):
    """Preprocesses an image to [1, 3, side, side]: resize (aspect ratio not kept), then center crop.

    Images must be cropped as CelebA's aligned or LFW's deep-funneled images. Pillow rounds slightly differently from
    gal-bench, and a prepared set of JPEG files is encoded once more. Without resampling the pixels are equal.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    for side, filter in [(config["prepared"], Image.Resampling.BICUBIC), (config["resize"], Image.Resampling.BILINEAR)]:
        if image.size != (side, side):
            image = image.resize((side, side), filter)
    margin, side = (config["resize"] - config["input"]) // 2, config["input"]
    pixels = np.asarray(image, dtype=np.float32)[margin : margin + side, margin : margin + side]
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).contiguous()


def probabilities(network, config, pixels):
    """Probabilities [B, 40] of the network's primary head: the CLN's if it has one, else the FLN's.

    They are the mean over an image and its mirror image if the run was tested so. Those of the attributes in
    `config["untrained"]` mean nothing.
    """
    views = [pixels, pixels.flip(3)] if config.get("mirror", False) else [pixels]
    with torch.no_grad():
        heads = [fln if cln is None else cln for fln, cln, _ in map(network, views)]
    return torch.stack([torch.softmax(head, dim=2)[:, :, 1] for head in heads]).mean(0)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    network, config = load(Path(__file__).with_name("gal_net.safetensors"))
    for path in sys.argv[1:]:
        found = probabilities(network, config, read(path, config))[0].tolist()
        known = dict(zip(config["attributes"], found)) | dict.fromkeys(config.get("untrained", []))
        print(json.dumps({"image": path} | known))


if __name__ == "__main__":
    main()
