"""The network and its training as arXiv 1810.09162 and its authors' released TensorFlow code describe them, in plain
PyTorch: no fused operation, no batching over attributes, every step in the order of the paper's text. It is slow on
purpose; the Rust implementation is tested against its results, so the two share no code.

Parameters and running statistics are dictionaries of tensors, so that a name here is a name in the fixtures.
"""

import torch
import torch.nn.functional as F

EPS = 1e-3  # of every batch norm, as in the authors' code
CLN_CHANNELS = 10  # of the 1x1 convolution of a node
PSE_CHANNELS = 16  # between the two 1x1 convolutions of the attention mask

ATTRIBUTES = """
5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry
Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
Wearing_Necktie Young
""".split()

# Table 1 of the paper.
GROUPS = [
    "Attractive Blurry Chubby Heavy_Makeup Male Oval_Face Pale_Skin Smiling Young",
    "Bald Bangs Black_Hair Blond_Hair Brown_Hair Gray_Hair Receding_Hairline Straight_Hair Wavy_Hair Wearing_Hat",
    "Arched_Eyebrows Bags_Under_Eyes Bushy_Eyebrows Eyeglasses Narrow_Eyes",
    "Big_Nose Pointy_Nose",
    "High_Cheekbones Rosy_Cheeks Sideburns Wearing_Earrings",
    "5_o_Clock_Shadow Big_Lips Mouth_Slightly_Open Mustache Wearing_Lipstick",
    "Double_Chin Goatee No_Beard",
    "Wearing_Necklace Wearing_Necktie",
]


class Config:
    """The sizes of a network; the defaults are the paper's."""

    def __init__(self, widths=(96, 256, 384, 384, 256), branch=256, stride=4, side=227, attributes=40, last_pool=True):
        self.widths, self.branch, self.stride, self.side, self.attributes = widths, branch, stride, side, attributes
        # (kernel, stride, padding, groups, 3x3 stride-2 max-pool after it) of conv1..conv5
        self.stages = [
            (11, stride, 0, 1, True),
            (5, 1, 2, 2, True),
            (3, 1, 1, 1, False),
            (3, 1, 1, 2, False),
            (3, 1, 1, 2, last_pool),
        ]

    def map_side(self):
        """Side of the last map: 6 at the paper's size."""
        side = self.side
        for kernel, stride, padding, _, pool in self.stages:
            side = (side + 2 * padding - kernel) // stride + 1
            if pool:
                side = (side - 3) // 2 + 1
        return side

    def parameter_shapes(self):
        """Name and shape of every trainable tensor: data_bn, conv1..5, branches (FLN), then the CLN."""
        shapes = {"data_bn.weight": (3,), "data_bn.bias": (3,)}
        channels = 3
        for i, (width, (kernel, _, _, groups, _)) in enumerate(zip(self.widths, self.stages), start=1):
            shapes[f"conv{i}.weight"] = (width, channels // groups, kernel, kernel)
            for name in ("bias", "bn.weight", "bn.bias"):
                shapes[f"conv{i}.{name}"] = (width,)
            channels = width
        a, c, p, s = self.attributes, self.branch, PSE_CHANNELS, self.map_side() ** 2
        shapes["branch.conv.weight"] = (a, c, channels)
        for name in ("conv.bias", "bn.weight", "bn.bias"):
            shapes[f"branch.{name}"] = (a, c)
        for name in ("conv1.weight", "conv1.bias", "bn.weight", "bn.bias", "conv2.weight"):
            shapes[f"branch.pse.{name}"] = (a, p)
        shapes["branch.pse.conv2.bias"] = (a,)
        shapes["branch.fc.weight"] = (a, 2, c)
        shapes["branch.fc.bias"] = (a, 2)
        shapes["cln.node.weight"] = (a, CLN_CHANNELS, c)
        shapes["cln.node.bias"] = (a, CLN_CHANNELS)
        shapes["cln.fc.weight"] = (a, 2, CLN_CHANNELS * s)
        shapes["cln.fc.bias"] = (a, 2)
        return shapes

    def running_shapes(self):
        """Name and shape of every running statistic."""
        norms = {"data_bn": (3,)}
        norms.update({f"conv{i}.bn": (width,) for i, width in enumerate(self.widths, start=1)})
        norms["branch.bn"] = (self.attributes, self.branch)
        norms["branch.pse.bn"] = (self.attributes, PSE_CHANNELS)
        return {f"{norm}.running_{kind}": shape for norm, shape in norms.items() for kind in ("mean", "var")}


def prior_affinity():
    """GAL-p's fixed affinity: 1/n between the n attributes of a group of Table 1, including each attribute itself."""
    affinity = torch.zeros(len(ATTRIBUTES), len(ATTRIBUTES), dtype=torch.float64)
    for group in GROUPS:
        members = [ATTRIBUTES.index(name) for name in group.split()]
        for row in members:
            for column in members:
                affinity[row, column] = 1 / len(members)
    return affinity


def batch_norm(x, weight, bias, running_mean, running_var, training):
    """Batch norm over channel 1; returns the output and the batch's mean and biased variance."""
    axes = [d for d in range(x.dim()) if d != 1]
    mean, var = x.detach().mean(axes), x.detach().var(axes, unbiased=False)
    if training:
        y = F.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)
    else:
        y = F.batch_norm(x, running_mean, running_var, weight, bias, training=False, eps=EPS)
    return y, mean, var


class Network:
    """The network on dictionaries of parameters and running statistics with the names of the fixtures."""

    def __init__(self, config, parameters, running):
        self.config, self.parameters, self.running = config, parameters, running

    def forward(self, pixels, training, affinity=None, separate=True):
        """Runs on pixels [B, 3, H, W], 0..255. `affinity` is None for a learned one, or a fixed [A, A]. If `separate`, the
        gradient of the CLN stops at the branches.

        Returns a dictionary: logits `fln` and `cln` [B, A, 2], `affinity` [B, A, A] (rows sum to 1), and
        `batch_statistics`, batch means and biased variances with the names of their running statistics.
        """
        p = self.parameters
        statistics = {}

        def norm(x, name, attribute=None):
            pick = (lambda t: t) if attribute is None else (lambda t: t[attribute])
            means, variances = self.running[f"{name}.running_mean"], self.running[f"{name}.running_var"]
            y, mean, var = batch_norm(
                x, pick(p[f"{name}.weight"]), pick(p[f"{name}.bias"]), pick(means), pick(variances), training
            )
            for kind, value in (("mean", mean), ("var", var)):
                key = f"{name}.running_{kind}"
                if attribute is None:
                    statistics[key] = value
                else:
                    statistics.setdefault(key, torch.zeros_like(means))[attribute] = value
            return y

        # Backbone.
        x = norm(pixels, "data_bn")
        for i, (_, stride, padding, groups, pool) in enumerate(self.config.stages, start=1):
            x = F.conv2d(x, p[f"conv{i}.weight"], p[f"conv{i}.bias"], stride, padding, 1, groups)
            x = self.relu(norm(x, f"conv{i}.bn"))
            if pool:
                x = self.max_pool(x)

        # One branch per attribute.
        fln, nodes = [], []
        for a in range(self.config.attributes):
            features = F.conv2d(x, p["branch.conv.weight"][a, :, :, None, None], p["branch.conv.bias"][a])
            features = self.relu(norm(features, "branch.bn", a))
            summary = features.mean(dim=1, keepdim=True)
            weight, bias = p["branch.pse.conv1.weight"][a], p["branch.pse.conv1.bias"][a]
            hidden = F.conv2d(summary, weight[:, None, None, None], bias)
            hidden = self.relu(norm(hidden, "branch.pse.bn", a))
            weight, bias = p["branch.pse.conv2.weight"][a], p["branch.pse.conv2.bias"][a : a + 1]
            mask = F.conv2d(hidden, weight[None, :, None, None], bias)
            gated = features * torch.sigmoid(mask)
            pooled = gated.mean(dim=(2, 3))
            fln.append(F.linear(pooled, p["branch.fc.weight"][a], p["branch.fc.bias"][a]))

            read = gated.detach() if separate else gated
            node = F.conv2d(read, p["cln.node.weight"][a, :, :, None, None], p["cln.node.bias"][a])
            # Element 10 q + g of a node is channel g at position q.
            nodes.append(node.permute(0, 2, 3, 1).flatten(1))

        v = torch.stack(nodes, dim=1)
        if affinity is None:
            weights = torch.softmax(v @ v.transpose(1, 2), dim=2)
        else:
            weights = affinity.to(v.dtype).expand(len(v), -1, -1)
        refined = weights @ v
        cln = [
            F.linear(refined[:, a], p["cln.fc.weight"][a], p["cln.fc.bias"][a]) for a in range(self.config.attributes)
        ]
        return {
            "fln": torch.stack(fln, dim=1),
            "cln": torch.stack(cln, dim=1),
            "affinity": weights,
            "batch_statistics": statistics,
        }

    # Methods, so that a subclass can record their inputs.
    def relu(self, x):
        return F.relu(x)

    def max_pool(self, x):
        return F.max_pool2d(x, 3, 2)

    def update_running(self, statistics, decay):
        """running = decay x running + (1 - decay) x batch, with the biased variance, as in TensorFlow."""
        for name, value in statistics.items():
            self.running[name] = decay * self.running[name] + (1 - decay) * value


def loss(logits, labels):
    """Two-class softmax cross-entropy, averaged over the batch, summed over attributes; class 1 has the attribute."""
    total = 0
    for a in range(labels.shape[1]):
        total = total + F.cross_entropy(logits[:, a], labels[:, a].long(), reduction="mean")
    return total


def has_weight_decay(name):
    """True if weight decay applies: weights of convolutions and linear layers; no bias, no batch normalisation."""
    return name.endswith(".weight") and not name.endswith("bn.weight")


class MomentumSgd:
    """SGD with momentum as in Caffe and TensorFlow: v = momentum x v + (g + weight_decay x w); w -= lr x v."""

    def __init__(self, parameters, momentum, weight_decay):
        self.parameters, self.momentum, self.weight_decay = parameters, momentum, weight_decay
        self.momentum_buffer = {name: torch.zeros_like(w) for name, w in parameters.items()}

    def step(self, gradients, lr):
        with torch.no_grad():
            for name, w in self.parameters.items():
                g = gradients[name] + (self.weight_decay * w if has_weight_decay(name) else 0)
                self.momentum_buffer[name] = self.momentum * self.momentum_buffer[name] + g
                w -= lr * self.momentum_buffer[name]
