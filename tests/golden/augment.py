"""Writes augment/*.png: two synthetic images, distorted by Augmentor and Pillow.

Alpha is 255 where all steps read only pixels of the image. Elsewhere Augmentor shows black, and the crate does not. The
images are smooth, since Augmentor interpolates bicubically and the crate bilinearly. Flips, quarter turns and photometric
operations must agree exactly. Augmentor rounds some coordinates to whole pixels; the parameters keep that error small.
deviations.json holds the arguments of Augmentor's normal distribution in Gaussian distortions.
"""

import json
import math
import random
from pathlib import Path
from unittest import mock

import Augmentor.Operations as ops
import numpy as np
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter1d

FOLDER = Path(__file__).parent / "augment"
SIDE = 100
# Pixels; 5 x 5 cells of 20 pixels have 4 x 4 inner nodes.
NODES = [(4, -2), (-6, 0), (2, 2), (0, -4), (-2, 6), (6, 4), (-4, -6), (2, 0),
         (0, 4), (-6, 2), (4, -4), (6, 0), (2, -6), (-2, -2), (0, 6), (-4, 2)]


def waves(width, height):
    """Waves longer than 35 pixels, different in each channel, without symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    wave = lambda a, b, c: 127.5 + 100 * np.sin(a * x + b * y + c) + 0.25 * (x - y)
    channels = [wave(0.12, 0.05, 0.3), wave(-0.07, 0.13, 1.1), wave(0.02, -0.16, 2.0)]
    return Image.fromarray(np.clip(np.stack(channels, 2), 0, 255).astype(np.uint8))


def drawing(integers=(), floats=()):
    """Replaces random numbers by given ones."""
    integers, floats = iter(integers), iter(floats)
    return mock.patch.multiple(random, randint=lambda *_: next(integers), uniform=lambda *_: next(floats))


def turn(image, degrees):
    # Augmentor draws an angle to the left, one to the right, and a coin. Pillow rotates counterclockwise.
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
    """With Pillow, because Augmentor's rectangle is too small. Bisection finds the fraction of the sides."""
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


def quarter(degrees):
    return lambda image: ops.Rotate(1, degrees).perform_operation([image])[0]


def skew(kind, amount, direction):
    def apply(image):
        with drawing([amount, direction]):
            return ops.Skew(1, kind, 1).perform_operation([image])[0]
    return apply


def shear(degrees, axis):
    """Augmentor adds 1 to the drawn number, except to -1."""
    def apply(image):
        with drawing(floats=[degrees - 1 if degrees != -1 else -1]), mock.patch.object(random, "choice", lambda _: axis):
            return ops.Shear(1, 25, 25).perform_operation([image])[0]
    return apply


def stretched_turn(degrees):
    def apply(image):
        with drawing([degrees, 0, 0] if degrees < 0 else [0, degrees, 1]):
            return ops.RotateRange(1, 25, 25).perform_operation([image])[0]
    return apply


def turn_and_expand(degrees):
    def apply(image):
        with drawing([0, degrees, 1]):
            return ops.RotateStandard(1, 25, 25, expand=True).perform_operation([image])[0]
    return apply


def part(operation, *numbers):
    """The operation with given random numbers: the margins to the left and above in pixels."""
    def apply(image):
        with drawing(numbers):
            return operation.perform_operation([image])[0]
    return apply


def gaussian(image):
    numbers = iter(number for node in NODES for number in node)
    with mock.patch.object(np.random, "normal", lambda *_: [next(numbers) + 0.25]):
        return ops.GaussianDistortion(1, 5, 5, 6, "bell", "in", 0.5, 0.5, 0.05, 0.05).perform_operation([image])[0]


def deviations(corner, method, mex, mey, sdx, sdy):
    recorded = []

    def record(mean, deviation, count):
        recorded.append(float(deviation))
        return [0.0]

    with mock.patch.object(np.random, "normal", record):
        operation = ops.GaussianDistortion(1, 4, 5, 7, corner, method, mex, mey, sdx, sdy)
        operation.perform_operation([Image.new("RGB", (80, 100))])
    text = f"name = 'gaussian_distortion'\nprobability = 1\ngrid_width = 4\ngrid_height = 5\nmagnitude = 7\n"
    text += f"corner = '{corner}'\nmethod = '{method}'\nmex = {mex}\nmey = {mey}\nsdx = {sdx}\nsdy = {sdy}\n"
    # Augmentor draws once for x and once for y.
    return {"operation": text, "deviations": recorded[::2]}


def shift_hsv(hue, saturation, value):
    """Saturation and value are (factor, shift). Augmentor draws the hue, then these in turn."""
    numbers = iter([hue, *saturation, *value])

    def apply(image):
        with mock.patch.object(np.random, "uniform", lambda *_: next(numbers)):
            return ops.HSVShifting(1, 1, 1, 1, 1, 1).perform_operation([image])[0]
    return apply


def whole(operation):
    return lambda image: operation.perform_operation([image])[0].convert("RGB")


def affine(degrees, factor, right, down):
    """Rotates counterclockwise about the centre, enlarges, shifts; Pillow takes the inverse map of pixel corners."""
    def apply(image):
        angle, (x, y) = math.radians(degrees), (image.width / 2, image.height / 2)
        cosine, sine = math.cos(angle) / factor, math.sin(angle) / factor
        c = x - cosine * (x + right) + sine * (y + down)
        f = y - sine * (x + right) - cosine * (y + down)
        return image.transform(image.size, Image.AFFINE, (cosine, -sine, c, sine, cosine, f), Image.BICUBIC)
    return apply


def blur(deviation):
    """SciPy's filter ends at int(truncate * deviation + 0.5) pixels; AFFACT's at int(3 * deviation)."""
    def apply(image):
        values = np.asarray(image).astype(float)
        truncate = int(3 * deviation) / deviation
        for axis in [0, 1]:
            values = gaussian_filter1d(values, deviation, axis=axis, mode="nearest", truncate=truncate)
        return Image.fromarray(np.round(values).astype(np.uint8))
    return apply


def gamma(power):
    return lambda image: Image.fromarray(np.round(255 * (np.asarray(image) / 255) ** power).astype(np.uint8))


def save(name, image, steps=None, seen=True, frame=2):
    """Applies `steps` to the image, and to a white one with a black frame, which shows the pixels that depend only on the
    image. The frame is as wide as the reach of bicubic interpolation."""
    mask = ImageOps.expand(Image.new("RGB", (image.width - 2 * frame, image.height - 2 * frame), "white"), frame)
    for step in steps or []:
        image = step(image)
        mask = step(mask) if seen else mask
    image = image.convert("RGBA")
    image.putalpha(mask.convert("L").resize(image.size).point(lambda value: 255 if value == 255 else 0))
    image.save(FOLDER / f"{name}.png", optimize=True)


def main():
    FOLDER.mkdir(exist_ok=True)
    square, tall = waves(SIDE, SIDE), waves(80, 120)
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
    fit = lambda i: i.resize((SIDE, SIDE), Image.BICUBIC)
    for degrees in [90, 180, 270]:
        save(f"rotate_{degrees}", square, [quarter(degrees)], frame=0)
    save("rotate_tall_90", tall, [quarter(90), fit])
    save("flip_top_bottom", square, [lambda i: ops.Flip(1, "TOP_BOTTOM").perform_operation([i])[0]], frame=0)
    for direction, name in enumerate(["left", "right", "top", "bottom"]):
        save(f"skew_tilt_{name}", square, [skew("TILT", 20, direction)])
    for direction in range(8):
        save(f"skew_corner_{direction}", square, [skew("CORNER", 30, direction)])
    save("skew_tall_left", tall, [skew("TILT", 24, 0), fit])
    # Angles at which Augmentor's rounding error is below a tenth of a pixel.
    for axis in "xy":
        save(f"shear_{axis}_14", square, [shear(14, axis)])
        save(f"shear_{axis}_-14", square, [shear(-14, axis)])
    save("rotate_augmentor_14", square, [stretched_turn(14)])
    save("rotate_augmentor_-22", square, [stretched_turn(-22)])
    save("rotate_expand_13", square, [turn_and_expand(13), fit])
    save("zoom_random", square, [part(ops.ZoomRandom(1, 0.8, False), 4, 12)])
    save("crop_random", square, [part(ops.CropPercentage(1, 0.8, False, False), 4, 12), fit])
    save("crop_centre", square, [part(ops.CropPercentage(1, 0.6, True, False), 0, 0), fit])
    save("crop_by_size", square, [part(ops.Crop(1, 60, 80, False), 10, 15), fit])
    save("crop_resized", square, [lambda i: ops.Resize(1, 200, 150, "BICUBIC").perform_operation([i])[0],
                                  part(ops.Crop(1, 100, 100, True), 0, 0), fit])
    save("crop_scaled", square, [lambda i: ops.Scale(1, 1.5).perform_operation([i])[0],
                                 part(ops.Crop(1, 90, 120, True), 0, 0), fit])
    save("gaussian_distortion", square, [gaussian])
    save("random_affine", square, [affine(17.25, 1.12, 6, -3)])
    save("gaussian_blur", square, [blur(2.4)], seen=False, frame=0)
    save("random_gamma_up", square, [gamma(2 ** 0.75)], seen=False, frame=0)
    save("random_gamma_down", square, [gamma(2 ** -1.5)], seen=False, frame=0)
    for name, step in {
        "histogram_equalisation": whole(ops.HistogramEqualisation(1)),
        "greyscale": whole(ops.Greyscale(1)),
        "invert": whole(ops.Invert(1)),
        "black_and_white_100": whole(ops.BlackAndWhite(1, 100)),
        "random_color_1700": photometric(ops.RandomColor, 1.7),
        "random_color_300": photometric(ops.RandomColor, 0.3),
        "hsv_shift": shift_hsv(0.15, (1.3, -0.05), (0.9, 0.1)),
        "hsv_shift_down": shift_hsv(-0.4, (0.8, 0.2), (1.2, -0.1)),
    }.items():
        save(name, square, [step], seen=False, frame=0)
    bells = [(corner, method, 0.5, 0.5, 0.05, 0.05) for corner in ["bell", "ul", "ur", "dl", "dr"]
             for method in ["in", "out"]]
    bells[0], bells[3] = ("bell", "in", 0.3, 0.9, 0.2, 0.01), ("ul", "out", 0.7, 0.45, 0.02, 0.3)
    (FOLDER / "deviations.json").write_text(json.dumps([deviations(*bell) for bell in bells], indent=1) + "\n")
    # In 1/250 of the side.
    (FOLDER / "nodes.json").write_text(json.dumps([[x * 250 // SIDE, y * 250 // SIDE] for x, y in NODES]) + "\n")


if __name__ == "__main__":
    main()
