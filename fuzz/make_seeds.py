"""Writes the seeds of the fuzz targets: small files of every form that the readers know. Needs Pillow."""

import io
import random
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
NAMES = [line.split(",")[0] for line in (HERE / "../datasets/celeba-statistics.csv").read_text().splitlines()[1:41]]
ROWS = [[random.Random(row).choice((-1, 1)) for _ in NAMES] for row in range(3)]


def write(target, name, content):
    path = HERE / "seeds" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def jpeg(mode, size, **options):
    picture = Image.effect_noise(size, 90).convert(mode)
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
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

# MATLAB files are fuzzed from those of the golden tests: see `run`.

write("jpeg", "grey", jpeg("L", (16, 16)))
write("jpeg", "quarter-colour", jpeg("RGB", (33, 17), subsampling=2))
write("jpeg", "half-colour", jpeg("RGB", (17, 9), subsampling=1))
write("jpeg", "full-colour", jpeg("RGB", (9, 9), subsampling=0))
write("jpeg", "progressive", jpeg("RGB", (24, 24), progressive=True))
write("jpeg", "four-colours", jpeg("CMYK", (16, 8)))
write("jpeg", "restarts", jpeg("RGB", (40, 24), restart_marker_blocks=1, optimize=True))
