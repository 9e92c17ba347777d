"""Writes nets.safetensors: outputs and gradients of the compared correlation nets, from PyTorch's own layers where it has
them. README.md beside this file describes its content.

    python tests/golden/make_nets.py
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fixture import Fixture, hashes, pin_torch, unit

FILE = Path(__file__).parent / "nets.safetensors"
# Images, channels of a branch, of a node and of the backbone's map, positions. A node has 40 values: eight heads of five.
BATCH, BRANCH, NODE, CHANNELS, SIDE = 3, 4, 10, 6, 2
A, P = 40, SIDE * SIDE
D = NODE * P
WIDTH, HIDDEN, HEADS = 128, 512, 4
SAMPLES = 256


def values(name, *shape, scale=1.0):
    """Numbers in [-scale, scale) from a hash of the name, exact in float32."""
    flat = unit(name, int(np.prod(shape))) * np.float32(scale)
    return torch.from_numpy(flat.astype(np.float32)).double().reshape(shape)


class Parameters:
    """Parameters by name; those of one net have names of their own in the hash."""

    def __init__(self, net):
        self.net, self.all = net, {}

    def __call__(self, name, *shape, scale=0.3, shift=0.0):
        value = values(f"{self.net}/cln.{name}", *shape, scale=scale)
        # The sum in float32, as the other side computes it.
        value = (value.float() + np.float32(shift)).double().requires_grad_()
        self.all[f"cln.{name}"] = value
        return value


def nodes(p, gated):
    """[B, 40, D]; value k P + q is channel k at position q."""
    weight, bias = p("node.weight", A, NODE, BRANCH), p("node.bias", A, NODE)
    maps = torch.einsum("agc,acbp->bagp", weight, gated.view(A, BRANCH, BATCH, P)) + bias[None, :, :, None]
    return maps.flatten(2)


def classify(p, tokens):
    weight, bias = p("fc.weight", A, 2, tokens.shape[2]), p("fc.bias", A, 2)
    return torch.einsum("baf,aof->bao", tokens, weight) + bias


def of_scores(scores):
    """[B, 40, 2] from scores [B, 40]."""
    return torch.stack([torch.zeros_like(scores), scores], 2)


def dot_product(scale):
    def net(p, gated, logits, maps):
        v = nodes(p, gated)
        if scale == "root":
            scores = v @ v.mT / D**0.5
        elif scale == "temperature":
            scores = p("temperature", 1, scale=0.1, shift=0.3) * (v @ v.mT)
        else:
            u = v / (v.square().sum(2, keepdim=True) + 1e-12).sqrt()
            scores = p("temperature", 1, scale=0.5, shift=5.0) * (u @ u.mT)
        weights = scores.softmax(2)
        return classify(p, weights @ v), weights
    return net


def others(p, gated, logits, maps):
    v = nodes(p, gated)
    scores = (v @ v.mT / D**0.5).masked_fill(torch.eye(A, dtype=torch.bool), float("-inf"))
    weights = scores.softmax(2)
    return classify(p, torch.cat([v, weights @ v], 2)), weights


def gat(p, gated, logits, maps):
    """Velickovic et al. 2018, equations 1 to 5; every node is adjacent to every node."""
    v = nodes(p, gated)
    h = v @ p("project.weight", D, D).mT
    h = h.view(BATCH, A, 8, D // 8)
    source, target = (p(f"{name}.weight", D).view(8, D // 8) for name in ("source", "target"))
    s, t = (h * source).sum(3), (h * target).sum(3)
    out, weights = [], []
    for head in range(8):
        scores = F.leaky_relu(s[:, :, None, head] + t[:, None, :, head], 0.2)
        weights.append(scores.softmax(2))
        out.append(weights[-1] @ h[:, :, head])
    tokens = F.elu(torch.cat(out, 2) + p("bias", D))
    return classify(p, tokens), torch.stack(weights).mean(0)


def gatv2(p, gated, logits, maps):
    """Brody et al. 2022, equation 7."""
    v = nodes(p, gated)
    left = F.linear(v, p("left.weight", D, D), p("left.bias", D)).view(BATCH, A, 8, D // 8)
    right = F.linear(v, p("right.weight", D, D), p("right.bias", D)).view(BATCH, A, 8, D // 8)
    a = p("attention.weight", D).view(8, D // 8)
    pairs = F.leaky_relu(left[:, :, None] + right[:, None, :], 0.2)
    weights = torch.einsum("bijhf,hf->bhij", pairs, a).softmax(3)
    tokens = torch.einsum("bhij,bjhf->bihf", weights, right).flatten(2)
    return classify(p, F.elu(tokens + p("bias", D))), weights.mean(1)


# Of each image: the labels that are given are 1 for "no" and 2 for "yes".
KNOWN = np.where(hashes("nets/known", BATCH * A) % np.uint64(3) == 0, 1 + (hashes("nets/targets", BATCH * A) >> np.uint64(63)), 0)


def transformer(layers, known=False):
    def net(p, gated, logits, maps):
        v = nodes(p, gated)
        tokens = F.linear(v, p("project.weight", WIDTH, D), p("project.bias", WIDTH)) + p("embedding", A, WIDTH)
        if known:
            tokens = tokens + F.embedding(torch.from_numpy(KNOWN.astype(np.int64)).view(BATCH, A), p("states", 3, WIDTH))
        attention = []
        for i in range(1, layers + 1):
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, HIDDEN, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64
            )
            norm = {f"norm{n}": (p(f"layer{i}.norm{n}.weight", WIDTH, scale=0.1, shift=1.0),
                                 p(f"layer{i}.norm{n}.bias", WIDTH)) for n in (1, 2)}
            three = [(p(f"layer{i}.{name}.weight", WIDTH, WIDTH), p(f"layer{i}.{name}.bias", WIDTH))
                     for name in ("query", "key", "value")]
            out = p(f"layer{i}.out.weight", WIDTH, WIDTH), p(f"layer{i}.out.bias", WIDTH)
            up = p(f"layer{i}.up.weight", HIDDEN, WIDTH), p(f"layer{i}.up.bias", HIDDEN)
            down = p(f"layer{i}.down.weight", WIDTH, HIDDEN), p(f"layer{i}.down.bias", WIDTH)
            state = {
                "self_attn.in_proj_weight": torch.cat([weight for weight, _ in three]),
                "self_attn.in_proj_bias": torch.cat([bias for _, bias in three]),
                "self_attn.out_proj.weight": out[0], "self_attn.out_proj.bias": out[1],
                "linear1.weight": up[0], "linear1.bias": up[1],
                "linear2.weight": down[0], "linear2.bias": down[1],
                "norm1.weight": norm["norm1"][0], "norm1.bias": norm["norm1"][1],
                "norm2.weight": norm["norm2"][0], "norm2.bias": norm["norm2"][1],
            }
            normed = F.layer_norm(tokens, (WIDTH,), *norm["norm1"])
            attention.append(torch.func.functional_call(
                layer.self_attn, {k[10:]: v for k, v in state.items() if k.startswith("self_attn.")},
                (normed, normed, normed))[1])
            tokens = torch.func.functional_call(layer, state, (tokens,))
        tokens = F.layer_norm(tokens, (WIDTH,), p("norm.weight", WIDTH, scale=0.1, shift=1.0), p("norm.bias", WIDTH))
        return classify(p, tokens), torch.stack(attention).mean(0)
    return net


def aux(p, gated, logits, maps):
    z = logits[:, :, 1] - logits[:, :, 0]
    weight = torch.eye(A).double() + p("aux.weight", A, A)
    influence = F.normalize(weight.detach().abs(), p=1, dim=1)
    return of_scores(F.linear(z, weight, p("aux.bias", A))), influence.expand(BATCH, A, A)


def linear(p, gated, logits, maps):
    return of_scores(F.linear(maps.mean((2, 3)), p("linear.weight", A, CHANNELS), p("linear.bias", A))), None


def label_graph(labels):
    """The graph as the code of Chen et al. computes it from counts (util.py, gen_A)."""
    counts = labels.T @ labels
    adjacency = counts / np.diag(counts)[:, None].clip(1)
    np.fill_diagonal(adjacency, 0)
    adjacency = (adjacency >= 0.4).astype(float)
    adjacency = adjacency * 0.25 / (adjacency.sum(0, keepdims=True) + 1e-6)
    return adjacency + np.identity(A)


def normalized(graph):
    """gen_adj of the same file."""
    d = np.diag(graph.sum(1) ** -0.5)
    return (graph @ d).T @ d


LABELS = (hashes("nets/labels", 50 * A) >> np.uint64(63)).astype(float).reshape(50, A)
LABELS[:, 7] = 0  # an attribute that nobody has
GRAPH = label_graph(LABELS)


def error_affinity(labels, probabilities):
    """Lu et al. 2017, section 3.3. A label that is not known is NaN."""
    margin = np.abs(labels - probabilities)
    errs = np.where(np.isnan(margin), np.nan, margin >= np.nanmean(margin, 0))
    affinity = np.zeros((A, A))
    for i in range(A):
        for j in range(A):
            both = ~np.isnan(errs[:, i]) & ~np.isnan(errs[:, j])
            first, second = errs[both, i], errs[both, j]
            affinity[i, j] = np.mean(first * second) + np.mean((1 - first) * (1 - second))
    return affinity / affinity.sum(1, keepdims=True)


UNKNOWN = hashes("nets/unknown", 50 * A).reshape(50, A) % np.uint64(10) == 0
PROBABILITIES = ((unit("nets/probabilities", 50 * A) + np.float32(1)) / np.float32(2)).reshape(50, A)
ERRORS = error_affinity(np.where(UNKNOWN, np.nan, LABELS), PROBABILITIES.astype(float))


def gal_e(p, gated, logits, maps):
    """The paper's layer, whose node vectors hold all channels of a position side by side."""
    v = nodes(p, gated).view(BATCH, A, NODE, P).transpose(2, 3).flatten(2)
    edges = torch.from_numpy(ERRORS)
    return classify(p, edges @ v), edges.expand(BATCH, A, A)


def ml_gcn(p, gated, logits, maps):
    edges = torch.from_numpy(normalized(GRAPH))
    hidden = F.leaky_relu(edges @ p("first.weight", A, 1024), 0.2)
    classifiers = edges @ (hidden @ p("second.weight", 1024, CHANNELS))
    return of_scores(maps.amax((2, 3)) @ classifiers.mT), None


NETS = {
    "gal-scaled": dot_product("root"), "gal-temperature": dot_product("temperature"),
    "gal-cosine": dot_product("cosine"), "gal-others": others, "gat": gat, "gatv2": gatv2,
    "transformer": transformer(1), "transformer-2": transformer(2),
    "transformer-known": transformer(1, known=True), "aux": aux, "linear": linear, "ml-gcn": ml_gcn,
    "gal-e": gal_e,
}


def sample(tensor):
    """As in make_network.py."""
    flat, n = tensor.detach().flatten(), tensor.numel()
    if n <= SAMPLES:
        return flat
    jitter = hashes("sample", SAMPLES) % np.uint64(n // SAMPLES)
    return flat[[j * n // SAMPLES + int(jitter[j]) for j in range(SAMPLES)]]


def main():
    pin_torch()
    fixture = Fixture()
    gated = values("nets/gated", A, BRANCH, BATCH * P)
    logits = values("nets/logits", BATCH, A, 2)
    maps = values("nets/map", BATCH, CHANNELS, SIDE, SIDE)
    targets = torch.from_numpy((hashes("nets/targets", BATCH * A) >> np.uint64(63)).astype(np.int64)).view(BATCH, A)
    fixture.add("labels", LABELS.astype(np.uint8))
    fixture.add("affinity", GRAPH / GRAPH.sum(1, keepdims=True))
    fixture.add("normalized", normalized(GRAPH))
    fixture.add("unknown", UNKNOWN.astype(np.uint8))
    fixture.add("probabilities", PROBABILITIES)
    fixture.add("errors", ERRORS)
    for name, net in NETS.items():
        p = Parameters(name)
        out, weights = net(p, gated, logits, maps)
        loss = F.cross_entropy(out.reshape(-1, 2), targets.reshape(-1), reduction="sum") / BATCH
        loss.backward()
        fixture.add(f"{name}/logits", out)
        fixture.add(f"{name}/loss", loss)
        if weights is not None:
            assert torch.allclose(weights.sum(2), torch.ones(BATCH, A).double())
            fixture.add(f"{name}/weights", weights.mean(0))
        for parameter, value in p.all.items():
            fixture.add(f"{name}/gradient/{parameter}", sample(value.grad))
            fixture.add(f"{name}/norm/{parameter}", value.grad.norm())
    fixture.write(FILE, "make_nets.py")


if __name__ == "__main__":
    main()
