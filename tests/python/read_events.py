"""Reads the event files of run folders with TensorBoard's own reader and checks them against metrics.jsonl.

Usage: read_events.py RUN_FOLDER...   (TensorFlow is not needed)
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TRAINING = {
    "loss/fln": "loss_fln",
    "loss/cln": "loss_cln",
    "accuracy/training_fln": "training_accuracy_fln",
    "accuracy/training_cln": "training_accuracy_cln",
    "learning_rate": "lr",
    "speed/images_per_second": "images_per_second",
    "speed/data_wait": "data_wait",
    "accuracy/validation_fln": "validation_accuracy_fln",
    "accuracy/validation_cln": "validation_accuracy_cln",
    "affinity/diagonal": "affinity_diagonal",
    "affinity/self_product": "self_product",
    "affinity/largest_other_product": "largest_other_product",
}

for folder in map(Path, sys.argv[1:]):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    compared = set()
    for tag, key in TRAINING.items():
        expected = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
        if not expected:
            continue
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert [step for step, _ in found] == [step for step, _ in expected], tag
        assert np.allclose([value for _, value in found], [value for _, value in expected], rtol=1e-6), tag
        compared.add(tag)
    assert set(events.Tags()["scalars"]) == compared, events.Tags()
    steps = [line["step"] for line in lines if "validation_accuracy_fln" in line]
    if (folder / "affinity.csv").exists():
        assert [event.step for event in events.Images("affinity/validation")] == steps
        assert [event.step for event in events.Images("affinity/test")] == steps[-1:]
        weights = np.loadtxt(folder / "affinity.csv", delimiter=",", skiprows=1, usecols=range(1, 41))
        event = events.Images("affinity/test")[0]
        image = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB")).astype(int)
        assert image.shape == (event.height, event.width, 3) == (320, 320, 3)
        red = 255 - 247 * np.sqrt(weights.clip(0, 1))
        assert np.abs(image[4::8, 4::8, 0] - red).max() <= 1
    else:
        assert events.Tags()["images"] == []
    print(f"{folder.name}: TensorBoard reads {len(compared)} scalars, {len(events.Tags()['images'])} image tags")
