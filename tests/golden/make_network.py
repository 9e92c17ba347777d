"""Writes the golden values of the whole network: network/small.safetensors, network/streams.safetensors,
network/hundred.safetensors and network/paper.safetensors. README.md beside this file describes their content.

    python tests/golden/make_network.py [small] [streams] [hundred] [paper]
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fixture import Fixture, hashes, pin_torch, unit
from network import Config, MomentumSgd, Network, has_weight_decay, loss, prior_affinity

FOLDER = Path(__file__).parent / "network"
SCRIPT = "tests/golden/make_network.py"
KINK_MARGIN = 5  # minimum distance of the data to a kink, in rounding errors of float32
SMALL = Config(widths=(12, 16, 24, 24, 16), branch=8, stride=2, side=67)
SMALL_SEED = 114
SMALL_DECAY = 0.9  # low, so that the batch is visible in float32 running statistics
# A map of 3 x 3, which the last pool would reduce to one position.
STREAMS = Config(widths=(8, 8, 8, 8, 8), branch=3, stride=2, side=43, last_pool=False)
STREAMS_SEED = 0
HUNDRED_SEED = 22  # chosen so that rounding decides no ReLU or pool in any step
HUNDRED_DECAY = 0.99
HUNDRED_BATCH = 8
HUNDRED_PEAK_RATE = 0.002
HUNDRED_WEIGHT_DECAY = 5e-4
HUNDRED_MOMENTUM = 0.9
HUNDRED_MOVED_RUNS = 6
HUNDRED_KEPT = (10, 100)
HUNDRED_PRINTED = (1, 10, 40, 70, 80, 100)
PAPER_DECAY = 0.9
PAPER_PIXELS = "pictures/78"
PAPER_SAMPLES = 256


class RecordingNetwork(Network):
    """A network that records the inputs of its ReLUs and max-pools."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.before_relu, self.before_pool = [], []

    def relu(self, x):
        self.before_relu.append(x.detach())
        return super().relu(x)

    def max_pool(self, x):
        self.before_pool.append(x.detach())
        return super().max_pool(x)


def kink_margin(double, single):
    """Distance of the data to the nearest kink, in float32 rounding errors (their root mean square in a map).

    It is the smallest |x| before a ReLU, or difference between the two largest values of a max-pool. With a distance of
    a few rounding errors, rounding could decide a gradient."""
    margins = []
    for exact, rounded in zip(double.before_relu, single.before_relu):
        margins.append(exact.abs().min() / noise(exact, rounded))
    for exact, rounded in zip(double.before_pool, single.before_pool):
        windows = exact.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
        best = windows.topk(2, dim=4).values
        lead = (best[..., 0] - best[..., 1])[best[..., 0] > 0]
        margins.append(lead.min() / noise(exact, rounded) / 2**0.5)
    return float(min(margins))


def noise(exact, rounded):
    return (rounded - exact).square().mean().sqrt()


def as_double(arrays, requires_grad=False):
    return {name: torch.tensor(a, dtype=torch.float64, requires_grad=requires_grad) for name, a in arrays.items()}


def fan_in(shape):
    """Fan-in of a convolution [out, in, k, k], or of weights per attribute, [A, out, in] or the PSE's [A, 16]. The PSE's
    first convolution, with 1 input, is handled by the callers."""
    return int(np.prod(shape[1:])) if len(shape) == 4 else int(shape[-1])


def initial_arrays(config, generator):
    """Nontrivial float32 parameters and running statistics of the small network."""
    parameters, running = {}, {}
    for name, shape in config.parameter_shapes().items():
        noise = generator.standard_normal(shape)
        if name.endswith("bn.weight"):
            value = 1 + 0.2 * noise
        elif name == "branch.pse.conv1.weight":
            value = noise
        elif name == "cln.node.weight":
            # Small nodes: otherwise the softmax over dot products would be the identity matrix.
            value = 0.5 * noise / np.sqrt(fan_in(shape))
        elif has_weight_decay(name):
            value = noise * np.sqrt(2 / fan_in(shape))
        else:
            value = 0.1 * noise
        parameters[name] = value.astype(np.float32)
    # Running statistics near those of a batch, randomly perturbed: others would saturate evaluation.
    zeros = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in config.running_shapes().items()}
    pixels = torch.tensor(images(generator, 16, config.side)).double()
    with torch.no_grad():
        batch = Network(config, as_double(parameters), zeros).forward(pixels, True)["batch_statistics"]
    for name, value in batch.items():
        if name.endswith("running_var"):
            value = value.numpy() * generator.uniform(0.7, 1.4, value.shape)
        else:
            spread = batch[name.replace("running_mean", "running_var")].sqrt().numpy()
            value = value.numpy() + 0.2 * spread * generator.standard_normal(value.shape)
        running[name] = value.astype(np.float32)
    return parameters, running


def images(generator, count, side):
    """Smooth coloured spots under fine noise: uint8 [count, 3, side, side]."""
    coarse = torch.tensor(generator.uniform(0, 255, (count, 3, 6, 6)))
    smooth = F.interpolate(coarse, (side, side), mode="bilinear", align_corners=True).numpy()
    return np.clip(np.round(smooth + 25 * generator.standard_normal(smooth.shape)), 0, 255).astype(np.uint8)


def run(net, pixels, labels, training, affinity=None):
    """Forward and backward pass of L_FLN + L_CLN: results, losses and the gradient of every parameter."""
    dtype = next(iter(net.parameters.values())).dtype
    result = net.forward(torch.tensor(pixels).to(dtype), training, affinity)
    for head in ("fln", "cln"):
        result[f"loss_{head}"] = loss(result[head], torch.tensor(labels))
    names = list(net.parameters)
    total = result["loss_fln"] + result["loss_cln"]
    gradients = torch.autograd.grad(total, [net.parameters[name] for name in names])
    result["gradients"] = dict(zip(names, gradients))
    result.update({key: result[key].detach() for key in ("fln", "cln", "loss_fln", "loss_cln", "affinity")})
    return result


def relative(a, b):
    """Largest difference relative to the largest value of the reference `b`."""
    return float((a.double() - b.double()).abs().max() / b.double().abs().max())


def float32_twin(config, parameters, running):
    """The same network in float32."""
    return RecordingNetwork(
        config,
        {name: torch.tensor(a, requires_grad=True) for name, a in parameters.items()},
        {name: torch.tensor(a) for name, a in running.items()},
    )


def print_float32_errors(label, result, single):
    """How far PyTorch's own float32 is from float64: the least error that a test can demand."""
    # A bias before a batch norm has gradient 0, so an error relative to it is meaningless.
    kept = [name for name, g in result["gradients"].items() if float(g.abs().max()) > 1e-9]
    worst = max(kept, key=lambda name: relative(single["gradients"][name], result["gradients"][name]))
    print(
        f"  {label}: float32 off by fln {relative(single['fln'], result['fln']):.1e},"
        f" cln {relative(single['cln'], result['cln']):.1e},"
        f" gradients up to {relative(single['gradients'][worst], result['gradients'][worst]):.1e} ({worst})"
    )


def make_small():
    generator = np.random.default_rng(SMALL_SEED)
    parameters, running = initial_arrays(SMALL, generator)
    fixture = Fixture()
    fixture.add_all("small/parameter", parameters)
    fixture.add_all("small/running", running)
    fixture.add("small/decay", SMALL_DECAY)
    fixture.add("small/affinity/prior", prior_affinity())
    fixed = {
        "prior": prior_affinity(),
        "identity": torch.eye(SMALL.attributes, dtype=torch.float64),
        "uniform": torch.full((SMALL.attributes, SMALL.attributes), 1 / SMALL.attributes, dtype=torch.float64),
    }
    margin = float("inf")
    for batch in (5, 2):
        pixels = images(generator, batch, SMALL.side)
        labels = generator.integers(0, 2, (batch, SMALL.attributes)).astype(np.uint8)
        fixture.add(f"small/batch{batch}/pixels", pixels)
        fixture.add(f"small/batch{batch}/labels", labels)
        for mode in ("train", "eval"):
            key = f"small/{mode}{batch}"
            net = RecordingNetwork(SMALL, as_double(parameters, True), as_double(running))
            result = run(net, pixels, labels, mode == "train")
            for name in ("fln", "cln", "loss_fln", "loss_cln"):
                fixture.add(f"{key}/{name}", result[name])
            fixture.add(f"{key}/affinity", result["affinity"].mean(dim=0))
            fixture.add_all(f"{key}/grad", result["gradients"])
            for name, affinity in fixed.items():
                other = run(Network(SMALL, net.parameters, net.running), pixels, labels, mode == "train", affinity)
                fixture.add(f"{key}/{name}/cln", other["cln"])
                fixture.add(f"{key}/{name}/loss_cln", other["loss_cln"])
                cln = {n: g for n, g in other["gradients"].items() if n.startswith("cln.")}
                fixture.add_all(f"{key}/{name}/grad", cln)
            if mode == "train":
                net.update_running(result["batch_statistics"], SMALL_DECAY)
                fixture.add_all(f"{key}/running", net.running)
            diagonal = result["affinity"].diagonal(dim1=1, dim2=2)
            print(
                f"  {key}: losses {float(result['loss_fln']):.3f} {float(result['loss_cln']):.3f},"
                f" affinity to self {float(diagonal.min()):.3f}..{float(diagonal.max()):.3f}"
            )
            twin = float32_twin(SMALL, parameters, running)
            print_float32_errors(key, result, run(twin, pixels, labels, mode == "train"))
            margin = min(margin, kink_margin(net, twin))
    print(f"  margin to a kink: {margin:.1f} rounding errors")
    assert margin > KINK_MARGIN, "rounding could decide a gradient: take another SMALL_SEED"
    fixture.write(FOLDER / "small.safetensors", SCRIPT, kink_margin=f"{margin:.1f}")
    return parameters, running


def make_streams():
    """Gradients of a training step whose correlation net's gradient reaches the features."""
    generator = np.random.default_rng(STREAMS_SEED)
    parameters, running = initial_arrays(STREAMS, generator)
    pixels = images(generator, 4, STREAMS.side)
    labels = generator.integers(0, 2, (4, STREAMS.attributes)).astype(np.uint8)
    net = RecordingNetwork(STREAMS, as_double(parameters, True), as_double(running))
    twin = float32_twin(STREAMS, parameters, running)
    result = net.forward(torch.tensor(pixels).double(), True, separate=False)
    twin.forward(torch.tensor(pixels).float(), True, separate=False)
    margin = kink_margin(net, twin)
    print(f"  margin to a kink: {margin:.1f} rounding errors")
    assert margin > KINK_MARGIN, "rounding could decide a gradient: take another STREAMS_SEED"
    fixture = Fixture()
    fixture.add_all("streams/parameter", parameters)
    fixture.add_all("streams/running", running)
    fixture.add("streams/pixels", pixels)
    fixture.add("streams/labels", labels)
    for head in ("fln", "cln"):
        result[f"loss_{head}"] = loss(result[head], torch.tensor(labels))
        fixture.add(f"streams/{head}", result[head])
        fixture.add(f"streams/loss_{head}", result[f"loss_{head}"])
    for streams, total in [("one", result["loss_fln"] + result["loss_cln"]), ("cln-only", result["loss_cln"])]:
        gradients = torch.autograd.grad(total, list(net.parameters.values()), retain_graph=True, allow_unused=True)
        found = {name: gradient for name, gradient in zip(net.parameters, gradients) if gradient is not None}
        print(f"  {streams}: {len(found)} gradients")
        fixture.add_all(f"streams/{streams}/grad", found)
    fixture.write(FOLDER / "streams.safetensors", SCRIPT, kink_margin=f"{margin:.1f}")


def make_masked():
    """Gradients of the step of `streams` with half of the labels, and with an attribute that has none. The loss is PyTorch's
    `BCEWithLogitsLoss` with the known labels as weights: it divides by all labels, known or not."""
    generator = np.random.default_rng(STREAMS_SEED)
    parameters, running = initial_arrays(STREAMS, generator)
    pixels = images(generator, 4, STREAMS.side)
    labels = generator.integers(0, 2, (4, STREAMS.attributes)).astype(np.uint8)
    known = (generator.random(labels.shape) < 0.5).astype(np.uint8)
    known[:, 7] = 0
    net = Network(STREAMS, as_double(parameters, True), as_double(running))
    result = net.forward(torch.tensor(pixels).double(), True, separate=False)
    criterion = torch.nn.BCEWithLogitsLoss(weight=torch.tensor(known).double())
    fixture = Fixture()
    fixture.add("masked/known", known)
    for head in ("fln", "cln"):
        difference = result[head][..., 1] - result[head][..., 0]
        result[f"loss_{head}"] = STREAMS.attributes * criterion(difference, torch.tensor(labels).double())
        fixture.add(f"masked/loss_{head}", result[f"loss_{head}"])
    gradients = torch.autograd.grad(result["loss_fln"] + result["loss_cln"], list(net.parameters.values()))
    fixture.add_all("masked/grad", dict(zip(net.parameters, gradients)))
    print(f"  {known.sum()} of {known.size} labels")
    fixture.write(FOLDER / "masked.safetensors", SCRIPT)


def falling(steps, peak):
    """Learning rates that fall linearly from `peak` towards 0, as float32. Large rates come first, while float32 still
    follows float64 exactly."""
    return np.array([peak * (1 - t / steps) for t in range(steps)], dtype=np.float32)


def train(config, parameters, running, pixels, labels, rates):
    """Trains in the precision of the tensors. Returns both losses of every step, and copies of parameters and running
    statistics after the steps in HUNDRED_KEPT."""
    net = Network(config, parameters, running)
    momentum = MomentumSgd(parameters, HUNDRED_MOMENTUM, HUNDRED_WEIGHT_DECAY)
    losses, kept = {"fln": [], "cln": []}, {}
    for step, rate in enumerate(rates):
        start = HUNDRED_BATCH * step % len(pixels)
        batch = slice(start, start + HUNDRED_BATCH)
        result = run(net, pixels[batch], labels[batch], training=True)
        for head, values in losses.items():
            values.append(float(result[f"loss_{head}"]))
        net.update_running(result["batch_statistics"], HUNDRED_DECAY)
        momentum.step(result["gradients"], float(rate))
        if step + 1 in HUNDRED_KEPT:
            kept[step + 1] = ({n: w.detach().clone() for n, w in parameters.items()}, dict(net.running))
    return {head: np.array(values) for head, values in losses.items()}, kept


def visible_labels(generator, pixels, attributes):
    """Labels from the image: the mean of a colour in a patch is above some quantile."""
    side = pixels.shape[2]
    labels = np.zeros((len(pixels), attributes), dtype=np.uint8)
    for a in range(attributes):
        top, left, colour = generator.integers(0, side - 30), generator.integers(0, side - 30), generator.integers(0, 3)
        means = pixels[:, colour, top : top + 30, left : left + 30].mean(axis=(1, 2))
        labels[:, a] = means > np.quantile(means, generator.uniform(0.3, 0.7))
    return labels


def make_hundred():
    parameters, running = initial_arrays(SMALL, np.random.default_rng(SMALL_SEED))
    generator = np.random.default_rng(HUNDRED_SEED)
    pixels = images(generator, 64, SMALL.side)
    labels = visible_labels(generator, pixels, SMALL.attributes)
    for name, value in parameters.items():
        if shifts_a_relu(name):
            # Three standard deviations from the ReLU's kink, on either side; see README.md.
            parameters[name] = (value + 3 * generator.choice([-1.0, 1.0], value.shape)).astype(np.float32)
    rates = falling(100, HUNDRED_PEAK_RATE)
    losses, kept = train(SMALL, as_double(parameters, True), as_double(running), pixels, labels, rates)

    fixture = Fixture()
    fixture.add_all("hundred/parameter", parameters)
    fixture.add_all("hundred/running", running)
    fixture.add("hundred/pixels", pixels)
    fixture.add("hundred/labels", labels)
    fixture.add("hundred/rate", rates)
    for head, values in losses.items():
        fixture.add(f"hundred/loss_{head}", values)
        print(f"  {head} loss of eight steps: {values[:8].mean():.2f} at first, {values[-8:].mean():.2f} at last")
    for step, (weights, statistics) in kept.items():
        fixture.add_all(f"hundred/after{step}/parameter", weights)
        fixture.add_all(f"hundred/after{step}/running", statistics)

    # Effect of rounding alone: the same run in float32, and float64 runs whose parameters differ by 1e-7. At some step a
    # rounding error decides a ReLU or a max-pool, and the runs diverge.
    twin = float32_twin(SMALL, parameters, running)
    runs = {"float32": train(SMALL, twin.parameters, twin.running, pixels, labels, rates)}
    for i in range(1, 1 + HUNDRED_MOVED_RUNS):
        moved = {n: a * (1 + 1e-7 * generator.choice([-1.0, 1.0], a.shape)) for n, a in parameters.items()}
        runs[f"moved {i}"] = train(SMALL, as_double(moved, True), as_double(running), pixels, labels, rates)
    for head in losses:
        off = np.array([np.abs(other[head] / losses[head] - 1) for other, _ in runs.values()])
        off = np.maximum.accumulate(off, axis=1)
        fixture.add(f"hundred/spread_{head}", off.max(axis=0))
        for name, row in zip(runs, off):
            print(f"  {name}: {head} loss off by " + ", ".join(f"{row[t - 1]:.0e} in {t}" for t in HUNDRED_PRINTED))
    for name, (_, other) in runs.items():
        for step, states in kept.items():
            for what, mine, theirs in zip(("parameters", "running statistics"), states, other[step]):
                # The gradient of a bias that a batch norm cancels is only rounding noise.
                names = [n for n in mine if not feeds_batch_norm(n)]
                worst = max(names, key=lambda n: relative(theirs[n], mine[n]))
                print(f"  {name}: {what} after {step} off by {relative(theirs[worst], mine[worst]):.1e} ({worst})")
    fixture.write(
        FOLDER / "hundred.safetensors",
        SCRIPT,
        batch=HUNDRED_BATCH,
        momentum=HUNDRED_MOMENTUM,
        weight_decay=HUNDRED_WEIGHT_DECAY,
        decay=HUNDRED_DECAY,
    )


def shifts_a_relu(name):
    """True for the shift of a batch norm before a ReLU."""
    return name.endswith("bn.bias") and name != "data_bn.bias"


def feeds_batch_norm(name):
    """True for a bias that a batch norm cancels, so that its gradient is 0."""
    return name.endswith("conv.bias") or name == "branch.pse.conv1.bias" or (name[:4] == "conv" and name[5:] == ".bias")


def paper_arrays(config):
    """Parameters and running statistics from hashes of their names, by the formulas of README.md."""
    one, tenth, half = np.float32(1), np.float32(0.1), np.float32(0.5)
    parameters, running = {}, {}
    for name, shape in config.parameter_shapes().items():
        u = unit(name, int(np.prod(shape)))
        if name.endswith("bn.weight"):
            value = one + tenth * u
        elif name == "branch.pse.conv1.weight":
            value = np.float32(np.sqrt(3)) * u
        elif name == "cln.node.weight":
            value = np.float32(np.sqrt(0.3 / fan_in(shape))) * u
        elif has_weight_decay(name):
            value = np.float32(np.sqrt(3 / fan_in(shape))) * u
        elif shifts_a_relu(name):
            # Two standard deviations from the ReLU's kink, on either side. Otherwise some of two million values lie within
            # a rounding error of it, and their gradients are undefined.
            value = tenth * u + np.where(u < 0, np.float32(-2), np.float32(2))
        else:
            value = tenth * u
        parameters[name] = value.reshape(shape)
    for name, shape in config.running_shapes().items():
        u = unit(name, int(np.prod(shape)))
        if name == "data_bn.running_mean":
            value = np.float32(128) + np.float32(10) * u
        elif name == "data_bn.running_var":
            value = np.float32(5000) + np.float32(500) * u
        elif name.endswith("mean"):
            value = tenth * u
        else:
            value = one + half * u
        running[name] = value.reshape(shape)
    return parameters, running


def paper_batch(config, batch, source):
    """Pixels: the upper 8 bits of h(source, i); labels: the upper bit of h("labels", i)."""
    shape = (batch, 3, config.side, config.side)
    pixels = (hashes(source, int(np.prod(shape))) >> np.uint64(56)).astype(np.uint8).reshape(shape)
    shape = (batch, config.attributes)
    labels = (hashes("labels", int(np.prod(shape))) >> np.uint64(63)).astype(np.uint8).reshape(shape)
    return pixels, labels


def sample(values):
    """All of up to 256 values, otherwise one of each of 256 equal ranges, at an offset from a hash."""
    flat = values.detach().flatten()
    n = len(flat)
    if n <= PAPER_SAMPLES:
        return flat
    jitter = hashes("sample", PAPER_SAMPLES) % np.uint64(n // PAPER_SAMPLES)
    return flat[[j * n // PAPER_SAMPLES + int(jitter[j]) for j in range(PAPER_SAMPLES)]]


def make_paper():
    config = Config()
    counts = {name: int(np.prod(shape)) for name, shape in config.parameter_shapes().items()}
    cln = sum(count for name, count in counts.items() if name.startswith("cln."))
    branches = sum(count for name, count in counts.items() if name.startswith("branch."))
    assert sum(counts.values()) == 5_144_478
    assert sum(counts.values()) - cln == 5_012_798
    assert (branches, cln) == (40 * 66_899, 40 * 3_292)

    parameters, running = paper_arrays(config)
    pixels, labels = paper_batch(config, 2, PAPER_PIXELS)
    fixture = Fixture()
    fixture.add("paper/decay", PAPER_DECAY)
    # A few numbers of the formula, so that a mistake in it is found before the network is built.
    for name, values in {**parameters, **running}.items():
        fixture.add(f"paper/formula/{name}", values.ravel()[:4])
    fixture.add("paper/formula/pixels", pixels.ravel()[:16])
    fixture.add("paper/labels", labels)
    for mode in ("train", "eval"):
        key = f"paper/{mode}2"
        net = RecordingNetwork(config, as_double(parameters, True), as_double(running))
        result = run(net, pixels, labels, mode == "train")
        for name in ("fln", "cln", "loss_fln", "loss_cln"):
            fixture.add(f"{key}/{name}", result[name])
        fixture.add(f"{key}/affinity", result["affinity"].mean(dim=0))
        diagonal = result["affinity"].diagonal(dim1=1, dim2=2)
        print(
            f"  {key}: losses {float(result['loss_fln']):.3f} {float(result['loss_cln']):.3f},"
            f" affinity to self {float(diagonal.min()):.3f}..{float(diagonal.max()):.3f}"
        )
        if mode == "train":
            for name, gradient in result["gradients"].items():
                fixture.add(f"{key}/grad_norm/{name}", gradient.norm())
                fixture.add(f"{key}/grad/{name}", sample(gradient))
            net.update_running(result["batch_statistics"], PAPER_DECAY)
            for name, value in net.running.items():
                fixture.add(f"{key}/running/{name}", sample(value))
        twin = float32_twin(config, parameters, running)
        print_float32_errors(key, result, run(twin, pixels, labels, mode == "train"))
        if mode == "train":
            margin = kink_margin(net, twin)
    print(f"  margin to a kink: {margin:.1f} rounding errors")
    assert margin > KINK_MARGIN, "rounding could decide a gradient: take other PAPER_PIXELS"
    fixture.write(FOLDER / "paper.safetensors", SCRIPT, kink_margin=f"{margin:.1f}", pictures=PAPER_PIXELS)


if __name__ == "__main__":
    pin_torch()
    FOLDER.mkdir(exist_ok=True)
    makers = {"small": make_small, "streams": make_streams, "masked": make_masked, "hundred": make_hundred, "paper": make_paper}
    for wanted in sys.argv[1:] or makers:
        print(wanted)
        makers[wanted]()
