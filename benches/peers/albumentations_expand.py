"""albumentations' side of benches/expand.rs: albumentations_expand.py FACES OUT COUNT PROCESSES; prints {"images", "seconds"}
as JSON. Uses its closest equivalents of Augmentor's five operations. Processes are started before timing.
"""

import json
import os
import sys
import time
import warnings
from multiprocessing import Pool

warnings.filterwarnings("ignore")
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import albumentations as A  # noqa: E402
import cv2  # noqa: E402

cv2.setNumThreads(0)
FACES, OUT, COUNT, PROCESSES = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
FILES = sorted(os.path.join(FACES, name) for name in os.listdir(FACES) if name.endswith(".jpg"))
CUBIC = {"interpolation": cv2.INTER_CUBIC}
TRANSFORM = A.Compose(
    [
        A.Rotate((-15, 15), crop_border=True, p=1, **CUBIC),
        A.Resize(250, 250, **CUBIC),
        A.Affine(scale=(1.05, 1.2), p=1, **CUBIC),
        A.GridDistortion(num_steps=4, distort_limit=8 / 62.5, p=1, **CUBIC),
        A.HorizontalFlip(p=0.5),
        A.Resize(256, 256, **CUBIC),
    ],
    seed=1,
)


def make(index):
    image = cv2.imread(FILES[index % len(FILES)], cv2.IMREAD_COLOR_RGB)
    copy = TRANSFORM(image=image)["image"]
    cv2.imwrite(f"{OUT}/{index}.jpg", copy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])


if __name__ == "__main__":
    with Pool(PROCESSES) as pool:
        list(pool.imap_unordered(make, range(2 * PROCESSES), chunksize=1))
        start = time.perf_counter()
        list(pool.imap_unordered(make, range(COUNT), chunksize=32))
        seconds = time.perf_counter() - start
    print(json.dumps({"images": len(os.listdir(OUT)), "seconds": seconds}))
