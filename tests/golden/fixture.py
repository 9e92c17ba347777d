"""Shared by the golden scripts: float32 fixtures with their origin, and numbers from formulas."""

import json

import numpy as np
import safetensors.numpy
import torch


def pin_torch():
    """Uses one thread, so that sums are always added in the same order."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


class Fixture:
    """Tensors by name, written to one file."""

    def __init__(self):
        self.tensors = {}

    def add(self, name, value):
        """Adds a tensor, or a number as [1]. Floats are stored as float32, integers unchanged."""
        if isinstance(value, torch.Tensor):
            value = value.detach().numpy()
        value = np.atleast_1d(np.ascontiguousarray(value))
        if np.issubdtype(value.dtype, np.floating):
            assert np.isfinite(value).all(), name
            value = value.astype(np.float32)
        assert name not in self.tensors, name
        self.tensors[name] = value

    def add_all(self, prefix, values):
        for name, value in values.items():
            self.add(f"{prefix}/{name}", value)

    def write(self, path, script, **notes):
        origin = {"script": script, "torch": torch.__version__, "numpy": np.__version__, "computed_in": "float64"}
        origin.update({key: str(value) for key, value in notes.items()})
        # One entry: safetensors writes several in arbitrary order, so that files would differ.
        metadata = {"origin": json.dumps(origin, sort_keys=True)}
        safetensors.numpy.save_file(dict(sorted(self.tensors.items())), path, metadata)
        print(f"{path.name}: {path.stat().st_size:,} bytes, {len(self.tensors)} tensors")


# Numbers from integer arithmetic, which is the same in every language.

MASK = (1 << 64) - 1


def fnv1a64(text):
    """64-bit FNV-1a of the UTF-8 bytes."""
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & MASK
    return state


def splitmix64(values):
    """SplitMix64's next output for each state in a uint64 array (its increment is added first)."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hashes(name, count):
    """h(name, i) = splitmix64(fnv1a64(name) + i) for i in 0..count, as uint64."""
    with np.errstate(over="ignore"):
        return splitmix64(np.uint64(fnv1a64(name)) + np.arange(count, dtype=np.uint64))


def unit(name, count):
    """u(name, i) in [-1, 1): the upper 24 bits of h as float32, divided by 2^23, less 1; exact in float32."""
    return (hashes(name, count) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
