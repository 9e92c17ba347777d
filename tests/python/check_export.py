"""Compares exported networks with the output of `gal-bench predict --json --details` for the same images.

Usage: check_export.py EXPORT_FOLDER PREDICTIONS.json [EXPORT_FOLDER PREDICTIONS.json ...]   (needs torch)
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch

TOLERANCE = 1e-4


def check(folder, predictions):
    spec = importlib.util.spec_from_file_location("gal_net", folder / "gal_net.py")
    gal_net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gal_net)
    network, about = gal_net.load(folder / "gal_net.safetensors")
    images = predictions["images"]
    pixels = torch.cat([gal_net.read(image["image"], about) for image in images])
    with torch.no_grad():
        fln, cln, affinity = network(pixels)

    def largest(found, expected):
        expected = torch.tensor(expected)
        assert found.shape == expected.shape, (found.shape, expected.shape)
        return ((found - expected).abs() / expected.abs().clamp(min=1)).max().item()

    differences = {}
    # A variant may leave its FLN's own classifiers untrained; their output is not predicted.
    if images[0]["fln"] is not None:
        differences["fln"] = largest(fln, [image["logits_fln"] for image in images])
    if predictions["primary_head"] == "cln":
        differences["cln"] = largest(cln, [image["logits_cln"] for image in images])
        if predictions.get("affinity") is None:
            assert affinity is None
        else:
            differences["affinity"] = largest(affinity.mean(0), predictions["affinity"])
    else:
        assert cln is None and affinity is None
    probabilities = gal_net.probabilities(network, about, pixels)
    named = [[image[predictions["primary_head"]][name] for name in about["attributes"]] for image in images]
    differences["probabilities"] = largest(probabilities, named)
    # Equal predictions for all images would prove little.
    assert probabilities.std(dim=0).mean() > 1e-4, "this network predicts the same for all images"
    assert max(differences.values()) < TOLERANCE, differences
    shown = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
    print(f"{predictions['run']}: {len(images)} images in PyTorch, largest differences: {shown}")


arguments = sys.argv[1:]
for folder, predictions in zip(arguments[::2], arguments[1::2]):
    check(Path(folder), json.loads(Path(predictions).read_text()))
