"""Compares exported ONNX models with the output of `gal-bench predict --json --details` for the same images.

Usage: check_onnx.py EXPORT_FOLDER PREDICTIONS.json [EXPORT_FOLDER PREDICTIONS.json ...]

Images have the size that the network resizes them to. The example of the last model card is run, too.
"""

import contextlib
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

TOLERANCE = 1e-5
# Logits and affinities are compared relative to their size.
LOGITS = 1e-4


def check(folder, predictions):
    onnx.checker.check_model(folder / "gal_net.onnx", full_check=True)
    session = onnxruntime.InferenceSession(folder / "gal_net.onnx", providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert (about["run"], about["variant"]) == (predictions["run"], predictions["variant"]), about
    names, images = json.loads(about["attributes"]), predictions["images"]
    side, margin = int(about["input"]), (int(about["resize"]) - int(about["input"])) // 2
    pixels = np.stack([np.asarray(Image.open(image["image"]).convert("RGB"), np.float32) for image in images])
    assert pixels.shape[1:] == (int(about["resize"]), int(about["resize"]), 3), pixels.shape
    pixels = pixels[:, margin : margin + side, margin : margin + side].transpose(0, 3, 1, 2)
    outputs = {output.name: output for output in session.get_outputs()}
    head = predictions["primary_head"]
    expected = {"probabilities": [[image[head][name] for name in names] for image in images]}
    # A variant may leave its FLN's own classifiers untrained; their output is not predicted.
    for name in ("fln", "cln"):
        if images[0][name] is not None:
            expected[name] = [image[f"logits_{name}"] for image in images]
    assert outputs.keys() >= expected.keys() and ("affinity" in outputs) == ("affinity" in predictions), outputs.keys()

    differences = dict.fromkeys([*expected, *(["affinity"] if "affinity" in outputs else [])], 0.0)
    # All images at once, and in batches of another size.
    for size in (len(images), 2):
        batches = [session.run(None, {"pixels": pixels[first : first + size]}) for first in range(0, len(images), size)]
        found = {name: np.concatenate(parts) for name, parts in zip(outputs, zip(*batches))}
        for name, value in found.items():
            assert list(value.shape[1:]) == outputs[name].shape[1:] and len(value) == len(images), (name, value.shape)
        for name, value in expected.items():
            value = np.array(value)
            off = np.abs(found[name] - value) / np.maximum(np.abs(value), 1)
            differences[name] = max(differences[name], off.max())
        if "affinity" in outputs:
            off = np.abs(found["affinity"].mean(axis=0) - np.array(predictions["affinity"])).max()
            differences["affinity"] = max(differences["affinity"], off)
    # Equal predictions for all images would prove little.
    assert found["probabilities"].std(axis=0).mean() > 1e-4, "this network predicts the same for all images"
    largest = differences.pop("probabilities")
    assert largest < TOLERANCE and max(differences.values()) < LOGITS, (predictions["run"], largest, differences)
    return found["probabilities"], names, largest


def check_example(folder, image, probabilities, names):
    """Runs the example of a model card on the file `image`."""
    (example,) = re.findall(r"^```python\n(.*?)^```", (folder / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    example = example.replace("gal_net.onnx", str(folder / "gal_net.onnx")).replace("face.jpg", image)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(example, f"{folder}/README.md", "exec"), {})
    found = eval(printed.getvalue())
    assert list(found) == names and np.abs(np.array(list(found.values())) - probabilities).max() < TOLERANCE


arguments = sys.argv[1:]
pairs = [(Path(folder), json.loads(Path(file).read_text())) for folder, file in zip(arguments[::2], arguments[1::2])]
largest = 0.0
for folder, predictions in pairs:
    probabilities, names, off = check(folder, predictions)
    largest = max(largest, off)
check_example(folder, predictions["images"][0]["image"], probabilities[0], names)
print(f"{len(pairs)} ONNX models predict the same as gal-bench, to {largest:.1e}; the example of a model card runs")
