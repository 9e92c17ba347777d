//! The distortions compared with Augmentor's and Pillow's images, which `tests/golden/augment.py` makes. Values change by
//! about 8 from pixel to pixel, so an error of a quarter of a pixel is a mean difference of 2.

use gal_bench::augment::{CropWindow, Filter, Plan, SampledOp, render, resize};
use image::{RgbImage, RgbaImage};
use std::path::PathBuf;

/// Largest and mean difference between bicubic and bilinear interpolation, rounded alike.
const RESIZED: (u8, f64) = (2, 0.6);
/// The same if Pillow's `transform` truncates once, by half a level on average.
const TRANSFORMED: (u8, f64) = (4, 0.85);
/// The same if Pillow truncates twice.
const TRANSFORMED_TWICE: (u8, f64) = (5, 1.4);
/// The same after truncating once and enlarging twice: Augmentor cannot interpolate beyond the crop.
const CUT_AND_ENLARGED: (u8, f64) = (6, 0.9);
const EXACT: (u8, f64) = (0, 0.0);

/// The side of the golden images.
const SIDE: u32 = 100;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/augment").join(name)
}

fn golden(name: &str) -> RgbaImage {
    image::open(path(&format!("{name}.png"))).unwrap().to_rgba8()
}

fn source(name: &str) -> RgbImage {
    image::DynamicImage::from(golden(name)).to_rgb8()
}

fn distort() -> SampledOp {
    let nodes = serde_json::from_slice(&std::fs::read(path("nodes.json")).unwrap()).unwrap();
    SampledOp::Distort { grid: (5, 5), nodes }
}

/// The largest and the mean difference where the golden image depends only on the source.
fn difference(image: &RgbImage, name: &str) -> (u8, f64) {
    let expected = golden(name);
    assert_eq!(image.dimensions(), expected.dimensions(), "{name}");
    let compared = image.pixels().zip(expected.pixels()).filter(|(_, expected)| expected.0[3] == 255);
    let differences: Vec<u8> = compared
        .flat_map(|(ours, theirs)| std::array::from_fn::<u8, 3, _>(|c| ours.0[c].abs_diff(theirs.0[c])))
        .collect();
    assert!(differences.len() > image.len() / 2, "{name}: {} values to compare", differences.len());
    let sum: f64 = differences.iter().copied().map(f64::from).sum();
    (differences.iter().copied().max().unwrap(), sum / differences.len() as f64)
}

fn assert_near(source_name: &str, ops: &[SampledOp], name: &str, (max, mean): (u8, f64)) {
    let image = render(&source(source_name), &Plan { ops: ops.to_vec() }, SIDE);
    let found = difference(&image, name);
    assert!(found.0 <= max && found.1 <= mean, "{name}: largest and mean difference {found:?}");
}

#[test]
fn rotations_equal_augmentors() {
    let rotations = [("left_7", 7), ("right_11", -11)];
    for (name, degrees) in rotations {
        let name = format!("rotate_without_crop_{name}");
        assert_near("square", &[SampledOp::RotateWithoutCrop(degrees)], &name, TRANSFORMED);
    }
}

#[test]
fn cropped_rotations_enlarge_the_largest_rectangle_as_pillow() {
    assert_near("square", &[SampledOp::Rotate(13)], "rotate_left_13", TRANSFORMED);
    assert_near("tall", &[SampledOp::Rotate(-9)], "rotate_tall_right_9", TRANSFORMED);
}

#[test]
fn zooms_equal_augmentors() {
    assert_near("square", &[SampledOp::Zoom(1100)], "zoom_in", RESIZED);
    assert_near("square", &[SampledOp::Zoom(900)], "zoom_out", RESIZED);
}

#[test]
fn elastic_distortion_equals_augmentors() {
    assert_near("square", &[distort()], "random_distortion", TRANSFORMED);
}

#[test]
fn flips_and_quarter_turns_equal_augmentors_exactly() {
    assert_near("square", &[SampledOp::FlipLeftRight], "flip_left_right", EXACT);
    assert_near("square", &[SampledOp::FlipTopBottom], "flip_top_bottom", EXACT);
    for turns in 1..=3 {
        assert_near("square", &[SampledOp::QuarterTurns(turns)], &format!("rotate_{}", 90 * turns), EXACT);
    }
    assert_near("tall", &[SampledOp::QuarterTurns(1)], "rotate_tall_90", RESIZED);
}

#[test]
fn expanded_rotation_equals_augmentors() {
    assert_near("square", &[SampledOp::RotateExpand(13)], "rotate_expand_13", TRANSFORMED);
}

#[test]
fn stretched_rotation_equals_augmentors() {
    for degrees in [14, -22] {
        let name = format!("rotate_augmentor_{degrees}");
        assert_near("square", &[SampledOp::RotateAsAugmentor(degrees)], &name, CUT_AND_ENLARGED);
    }
}

#[test]
fn skews_equal_augmentors() {
    let tilts = [
        ("left", [(0, -200), (0, 0), (0, 0), (0, 200)]),
        ("right", [(0, 0), (0, -200), (0, 200), (0, 0)]),
        ("top", [(-200, 0), (200, 0), (0, 0), (0, 0)]),
        ("bottom", [(0, 0), (0, 0), (200, 0), (-200, 0)]),
    ];
    for (name, corners) in tilts {
        assert_near("square", &[SampledOp::Skew(corners)], &format!("skew_tilt_{name}"), TRANSFORMED);
    }
    assert_near("tall", &[SampledOp::Skew(tilts[0].1)], "skew_tall_left", TRANSFORMED);
    // Upper left, upper right, lower right, lower left: each horizontally, then vertically.
    let moves = [(-300, 0), (0, -300), (300, 0), (0, -300), (300, 0), (0, 300), (-300, 0), (0, 300)];
    for (direction, moved) in moves.into_iter().enumerate() {
        let mut corners = [(0, 0); 4];
        corners[direction / 2] = moved;
        assert_near("square", &[SampledOp::Skew(corners)], &format!("skew_corner_{direction}"), TRANSFORMED);
    }
}

#[test]
fn shears_equal_augmentors() {
    for (axis, rows) in [("x", true), ("y", false)] {
        for degrees in [14, -14] {
            assert_near(
                "square",
                &[SampledOp::Shear { rows, degrees }],
                &format!("shear_{axis}_{degrees}"),
                TRANSFORMED,
            );
        }
    }
}

#[test]
fn affacts_distortions_equal_pillows_and_scipys() {
    let affine = SampledOp::Affine { hundredths: 1725, scale: 1120, shift: (60, -30) };
    assert_near("square", &[affine], "random_affine", TRANSFORMED);
    // 2.4 of 100 pixels.
    assert_near("square", &[SampledOp::Blur(6000)], "gaussian_blur", (1, 0.01));
    assert_near("square", &[SampledOp::Gamma(750)], "random_gamma_up", EXACT);
    assert_near("square", &[SampledOp::Gamma(-1500)], "random_gamma_down", EXACT);
}

#[test]
fn crops_equal_augmentors() {
    // Margins of 4 of 20 pixels to the left and 12 of 20 above.
    let window = CropWindow { share: 800, position: (200, 600) };
    assert_near("square", &[SampledOp::ZoomRandom(window)], "zoom_random", RESIZED);
    assert_near("square", &[SampledOp::Crop(window)], "crop_random", RESIZED);
    assert_near("square", &[SampledOp::Crop(CropWindow { share: 600, position: (500, 500) })], "crop_centre", RESIZED);
    let centre = |width, height| SampledOp::CropBySize { width, height, position: (500, 500) };
    // Margins of 10 of 40 pixels and 15 of 20.
    assert_near(
        "square",
        &[SampledOp::CropBySize { width: 60, height: 80, position: (250, 750) }],
        "crop_by_size",
        RESIZED,
    );
    assert_near("square", &[SampledOp::Resize(200, 150), centre(100, 100)], "crop_resized", RESIZED);
    assert_near("square", &[SampledOp::Scale(1500), centre(90, 120)], "crop_scaled", RESIZED);
}

#[test]
fn gaussian_distortion_equals_augmentors() {
    let SampledOp::Distort { grid, nodes } = distort() else { unreachable!() };
    // A quarter of a golden pixel further, in 1/25,000 of the side.
    let displacement = |units: i32| units * 100 + 25_000 / SIDE as i32 / 4;
    let nodes = nodes.into_iter().map(|(x, y)| (displacement(x), displacement(y))).collect();
    assert_near("square", &[SampledOp::DistortFinely { grid, nodes }], "gaussian_distortion", TRANSFORMED);
}

#[test]
fn one_warp_equals_four_passes_of_augmentor() {
    let ops = [SampledOp::RotateWithoutCrop(7), SampledOp::Zoom(1100), distort(), SampledOp::FlipLeftRight];
    assert_near("square", &ops, "all_geometry", TRANSFORMED_TWICE);
}

#[test]
fn brightness_and_contrast_equal_pillows_exactly() {
    for thousandths in [1150, 850] {
        let brightness = SampledOp::Brightness(thousandths);
        assert_near("square", &[brightness], &format!("random_brightness_{thousandths}"), (0, 0.0));
        assert_near("square", &[SampledOp::Contrast(thousandths)], &format!("random_contrast_{thousandths}"), (0, 0.0));
    }
}

#[test]
fn photometric_operations_equal_pillows_exactly() {
    for (op, name) in [
        (SampledOp::Equalise, "histogram_equalisation"),
        (SampledOp::Greyscale, "greyscale"),
        (SampledOp::Invert, "invert"),
        (SampledOp::BlackAndWhite(100), "black_and_white_100"),
        (SampledOp::Colour(1700), "random_color_1700"),
        (SampledOp::Colour(300), "random_color_300"),
        (SampledOp::HsvShift { hue: 150, saturation: (1300, -50), value: (900, 100), clamp_hue: true }, "hsv_shift"),
        (
            SampledOp::HsvShift { hue: -400, saturation: (800, 200), value: (1200, -100), clamp_hue: true },
            "hsv_shift_down",
        ),
    ] {
        assert_near("square", &[op], name, EXACT);
    }
}

#[test]
fn resizing_equals_pillows() {
    for (image, name) in [
        (resize(&source("tall"), 128, 37, Filter::Bicubic), "resize_bicubic_128x37"),
        (resize(&source("square"), 33, 45, Filter::Triangle), "resize_triangle_33x45"),
    ] {
        let (max, mean) = difference(&image, name);
        assert!(max <= 1 && mean <= 0.1, "{name}: {max}, {mean}");
    }
}
