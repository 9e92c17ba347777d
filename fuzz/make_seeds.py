"""Writes the seeds of the fuzz targets: small files of every supported form. Needs Pillow, torch and safetensors."""

import io
import pickle
import random
import struct
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image

HERE = Path(__file__).parent
NAMES = [line.split(",")[0] for line in (HERE / "../datasets/celeba-statistics.csv").read_text().splitlines()[1:41]]
ROWS = [[random.Random(row).choice((-1, 1)) for _ in NAMES] for row in range(3)]


def write(target, name, content):
    path = HERE / "seeds" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def jpeg(mode, size, **options):
    image = Image.effect_noise(size, 90).convert(mode)
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


text = "".join(f"{row + 1:06}.jpg {' '.join(f'{v:2}' for v in values)}\r\n" for row, values in enumerate(ROWS))
write("celeba_text", "labels", f"3\r\n{' '.join(NAMES)}\r\n{text}")
write("celeba_text", "labels-unix", f"3\n{' '.join(NAMES)} \n{text}".replace("\r", ""))
write("celeba_text", "partition", "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")

comma = "".join(f"{row + 1:06}.jpg,{','.join(map(str, values))}\n" for row, values in enumerate(ROWS))
write("csv", "labels", f"image_id,{','.join(NAMES)}\n{comma}")
write("csv", "partition", "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n")

faces = ["Aaron_Eckhart\\Aaron_Eckhart_0001.jpg", "Zico/Zico_0002.jpg", "Zico\\Zico_0003.jpg"]
table = "".join(f"{face} {' '.join(str(max(v, 0)) for v in values)}\n" for face, values in zip(faces, ROWS))
write("lfwa_text", "labels", f"3\n{' '.join(NAMES)}\n{table}")
write("lfwa_text", "partition", "".join(f"{face} {split}\n" for face, split in zip(faces, ("train", "test", "val"))))

some = "".join(f"{face},{v[20]},{v[31] if v[31] > 0 else ''},{split},p\n" for face, v, split in zip(faces, ROWS, ("train", "test", "val")))
write("user_table", "csv", f"path,Male,Smiling,split,identity\n{some}")
write("user_table", "semicolons", f"path;Male;Smiling;split;identity\n{some.replace(',', ';')}")
write("user_table", "text", f"3\n{' '.join(NAMES)} \n{text}")

# The golden tests' MATLAB files are seeds, too: see `run`.

write("jpeg", "grey", jpeg("L", (16, 16)))
write("jpeg", "quarter-colour", jpeg("RGB", (33, 17), subsampling=2))
write("jpeg", "half-colour", jpeg("RGB", (17, 9), subsampling=1))
write("jpeg", "full-colour", jpeg("RGB", (9, 9), subsampling=0))
write("jpeg", "progressive", jpeg("RGB", (24, 24), progressive=True))
write("jpeg", "four-colours", jpeg("CMYK", (16, 8)))
write("jpeg", "restarts", jpeg("RGB", (40, 24), restart_marker_blocks=1, optimize=True))

# Weights of the narrowest networks. The golden tests' weights are seeds, too: see `run`.


def saved(state, **options):
    out = io.BytesIO()
    torch.save(state, out, **options)
    return out.getvalue()


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def numpy_file(layers, protocol):
    out = io.BytesIO()
    array = np.array(layers, dtype=object)
    np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
    pickle.Pickler(out, protocol=protocol).dump(array)
    return out.getvalue()


SHAPES = [(1, 3, 11, 11), (1, 1, 5, 5), (1, 1, 3, 3), (1, 1, 3, 3), (1, 1, 3, 3)]
ramp = lambda *shape: torch.arange(np.prod(shape)).float().reshape(shape)
alexnet = {}
for place, shape in zip((0, 3, 6, 8, 10), SHAPES):
    alexnet |= {f"features.{place}.weight": ramp(*shape), f"features.{place}.bias": ramp(1)}
write("torch", "zip", saved(alexnet))
write("torch", "legacy", saved({k: v.double() for k, v in alexnet.items()}, _use_new_zipfile_serialization=False))
one = ramp(400).half()
views = {name: one[: v.numel()].view(v.shape[::-1]).permute(*range(v.dim())[::-1]) for name, v in alexnet.items()}
write("torch", "views", saved(views, _use_new_zipfile_serialization=False))
write("torch", "safetensors", safetensors.torch.save(alexnet | {"classifier.weight": ramp(2, 2).bfloat16()}))

GROUPED = [(2, 3, 11, 11), (2, 1, 5, 5), (2, 2, 3, 3), (2, 1, 3, 3), (2, 1, 3, 3)]
present, old, converted = b"", b"", {}
for place, shape in enumerate(GROUPED):
    name = f"conv{place + 1}"
    blobs = [ramp(*shape).numpy(), ramp(2).numpy()]
    shaped = [field(7, field(1, b"".join(map(varint, b.shape)))) + field(5, b.tobytes()) for b in blobs]
    sized = [struct.pack("8B", *sum(zip((8, 16, 24, 32), (1,) * (4 - b.ndim) + b.shape), ())) for b in blobs]
    present += field(100, field(1, name.encode()) + b"".join(field(7, blob) for blob in shaped))
    old += field(2, field(4, name.encode()) + b"".join(field(6, s + field(5, b.tobytes())) for s, b in zip(sized, blobs)))
    converted[name] = {"weights": blobs[0].transpose(2, 3, 1, 0), "biases": blobs[1].astype(float)}
write("caffemodel", "present", present)
write("caffemodel", "old", old)
write("npy", "bare", pickle.dumps(converted, protocol=2))
write("npy", "latest", numpy_file(converted, 5))
