"""Augmentor's side of benches/expand.rs: augmentor_expand.py FACES OUT COUNT; prints {"images", "seconds"} as JSON.

One thread, as Augmentor is seeded only there. Augmentor saves with quality 75; this script sets 95, as ours.
"""

import contextlib
import io
import json
import os
import sys
import time

import Augmentor
from PIL import Image

faces, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

save = Image.Image.save
Image.Image.save = lambda self, file, format=None, **options: save(self, file, format, quality=95, **options)

with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    pipeline = Augmentor.Pipeline(faces, out)
    pipeline.set_seed(1)
    pipeline.rotate(1, 15, 15)
    pipeline.zoom(1, 1.05, 1.2)
    pipeline.random_distortion(1, 4, 4, 8)
    pipeline.flip_left_right(0.5)
    pipeline.resize(1, 256, 256)
    start = time.perf_counter()
    pipeline.sample(count, multi_threaded=False)
    seconds = time.perf_counter() - start
print(json.dumps({"images": len(os.listdir(out)), "seconds": seconds}))
