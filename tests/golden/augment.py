"""Golden images for the distortions: what Augmentor 0.2.12 and Pillow make of two drawn pictures.

    pip install Augmentor==0.2.12 Pillow==13.0.0 numpy==2.4.6
    python3 tests/golden/augment.py

Writes tests/golden/augment/*.png. Alpha is 255 where every step saw pixels of the picture only; elsewhere Augmentor
shows black, which is not what we do beyond the border. Augmentor interpolates by cubics and we linearly, so the pictures
are smooth; flips, brightness and contrast have to agree exactly.
"""

import json
import math
import random
from pathlib import Path
from unittest import mock

import Augmentor.Operations as ops
import numpy as np
from PIL import Image, ImageOps

FOLDER = Path(__file__).parent / "augment"
SIDE = 100
# Pixels; 5 x 5 cells of 20 pixels have 4 x 4 inner nodes.
NODES = [(4, -2), (-6, 0), (2, 2), (0, -4), (-2, 6), (6, 4), (-4, -6), (2, 0),
         (0, 4), (-6, 2), (4, -4), (6, 0), (2, -6), (-2, -2), (0, 6), (-4, 2)]


def picture(width, height):
    """Waves longer than 35 pixels, different in each channel, without any symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    wave = lambda a, b, c: 127.5 + 100 * np.sin(a * x + b * y + c) + 0.25 * (x - y)
    channels = [wave(0.12, 0.05, 0.3), wave(-0.07, 0.13, 1.1), wave(0.02, -0.16, 2.0)]
    return Image.fromarray(np.clip(np.stack(channels, 2), 0, 255).astype(np.uint8))


def drawing(integers=(), floats=()):
    """Random numbers as given, instead of drawn."""
    integers, floats = iter(integers), iter(floats)
    return mock.patch.multiple(random, randint=lambda *_: next(integers), uniform=lambda *_: next(floats))


def turn(image, degrees):
    # Its own draws: one to the left, one to the right, and the coin. Pillow turns counterclockwise.
    with drawing([0, degrees, 1] if degrees > 0 else [degrees, 0, 0]):
        return ops.RotateStandard(1, 25, 25).perform_operation([image])[0]


def zoom(image, factor):
    with drawing(floats=[factor]):
        return ops.Zoom(1, factor, factor).perform_operation([image])[0]


def distort(image):
    with drawing([number for node in NODES for number in node]):
        return ops.Distort(1, 5, 5, 6).perform_operation([image])[0]


def flip(image):
    return ops.Flip(1, "LEFT_RIGHT").perform_operation([image])[0]


def turn_and_crop(image, degrees):
    """By Pillow, since Augmentor misses the largest rectangle: the share of the sides by bisection over the corners."""
    width, height = image.size
    angle = math.radians(degrees)

    def inside(share):
        for x, y in [(1, 1), (1, -1)]:
            x, y = x * share * width / 2, y * share * height / 2
            turned = (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
            if abs(turned[0]) > width / 2 or abs(turned[1]) > height / 2:
                return False
        return True

    least, most = 0.0, 1.0
    for _ in range(60):
        middle = (least + most) / 2
        least, most = (middle, most) if inside(middle) else (least, middle)
    x, y = width * (1 - least) / 2, height * (1 - least) / 2
    rotated = image.rotate(degrees, resample=Image.BICUBIC)
    return rotated.resize(image.size, Image.BICUBIC, box=(x, y, width - x, height - y))


def photometric(operation, factor):
    def apply(image):
        with mock.patch.object(np.random, "uniform", lambda *_: factor):
            return operation(1, factor, factor).perform_operation([image])[0]
    return apply


def save(name, image, steps=None, seen=True, frame=2):
    """`steps` on the picture, and the same on a white one with a black frame to know where they saw the picture only:
    the frame is as wide as cubics reach."""
    mask = ImageOps.expand(Image.new("RGB", (image.width - 2 * frame, image.height - 2 * frame), "white"), frame)
    for step in steps or []:
        image = step(image)
        mask = step(mask) if seen else mask
    image = image.convert("RGBA")
    image.putalpha(mask.convert("L").resize(image.size).point(lambda value: 255 if value == 255 else 0))
    image.save(FOLDER / f"{name}.png", optimize=True)


def main():
    FOLDER.mkdir(exist_ok=True)
    square, tall = picture(SIDE, SIDE), picture(80, 120)
    save("square", square, frame=0)
    save("tall", tall, frame=0)
    left, right = lambda i: turn(i, 7), lambda i: turn(i, -11)
    save("rotate_without_crop_left_7", square, [left])
    save("rotate_without_crop_right_11", square, [right])
    save("rotate_left_13", square, [lambda i: turn_and_crop(i, 13)])
    save("rotate_tall_right_9", tall, [lambda i: turn_and_crop(i, -9), lambda i: i.resize((SIDE, SIDE), Image.BICUBIC)])
    save("zoom_in", square, [lambda i: zoom(i, 1.1)])
    save("zoom_out", square, [lambda i: zoom(i, 0.9)])
    save("random_distortion", square, [distort])
    save("flip_left_right", square, [flip], frame=0)
    save("all_geometry", square, [left, lambda i: zoom(i, 1.1), distort, flip])
    save("random_brightness_1150", square, [photometric(ops.RandomBrightness, 1.15)], seen=False, frame=0)
    save("random_brightness_850", square, [photometric(ops.RandomBrightness, 0.85)], seen=False, frame=0)
    save("random_contrast_1150", square, [photometric(ops.RandomContrast, 1.15)], seen=False, frame=0)
    save("random_contrast_850", square, [photometric(ops.RandomContrast, 0.85)], seen=False, frame=0)
    save("resize_bicubic_128x37", tall, [lambda i: i.resize((128, 37), Image.BICUBIC)], frame=0)
    save("resize_triangle_33x45", square, [lambda i: i.resize((33, 45), Image.BILINEAR)], frame=0)
    # In 1/250 of the side.
    (FOLDER / "nodes.json").write_text(json.dumps([[x * 250 // SIDE, y * 250 // SIDE] for x, y in NODES]) + "\n")


if __name__ == "__main__":
    main()
