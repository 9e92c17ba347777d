"""Compares what two devices computed in single precision. Rounding that switches a ReLU grows from step to step, so losses are
compared in the first steps, of networks that start from the same weights.

    compare.py losses RUNS RUNS
    compare.py predictions FILE FILE
"""

import json
import sys
from pathlib import Path

STEPS = 5


def losses(folder):
    """By run and step: the losses of both nets. A frozen FLN is that of a Baseline after many steps."""
    found = {}
    for path in sorted(Path(folder).glob("*/metrics.jsonl")):
        for line in map(json.loads, path.read_text().splitlines()):
            if line["step"] > STEPS or line.get("loss_fln") is None:
                continue
            for name in ("loss_fln", "loss_cln"):
                if line[name] is not None:
                    found[path.parent.name, line["step"], name] = line[name]
    return found


def predictions(path):
    """By image and attribute: the probability of the correlation net."""
    images = json.loads(Path(path).read_text())["images"]
    return {(image["image"], name): value for image in images for name, value in image["cln"].items()}


def allowed(key, value):
    """The difference that rounding explains: it grows by 0.2 % of a loss a step."""
    return 2e-3 * key[1] * abs(value) if kind == "losses" else 2e-5


kind, first, second = sys.argv[1:]
read = {"losses": losses, "predictions": predictions}[kind]
first, second = read(first), read(second)
assert first and first.keys() == second.keys(), "other runs, steps or images"
worst = max(first, key=lambda key: abs(first[key] - second[key]) - allowed(key, first[key]))
error = abs(first[worst] - second[worst])
assert error <= allowed(worst, first[worst]), f"{worst}: {first[worst]} and {second[worst]}"
print(f"{len(first)} {kind}, largest difference {max(abs(first[key] - second[key]) for key in first):.1e}")
