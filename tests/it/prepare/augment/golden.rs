//! The distortions beside Augmentor's and Pillow's own pictures; `tests/golden/augment.py` makes them. Values change by
//! about 8 from pixel to pixel there, so a place wrong by a quarter of a pixel shows as a mean difference of 2.

use gal_bench::augment::{Filter, Part, Plan, Step, render, resize};
use image::{RgbImage, RgbaImage};
use std::path::PathBuf;

/// Largest and mean difference between cubics and lines, rounded alike.
const RESIZED: (u8, f64) = (2, 0.6);
/// The same where Pillow's `transform` drops the fraction, half a level on average, once...
const TRANSFORMED: (u8, f64) = (4, 0.85);
/// ...and twice.
const TRANSFORMED_TWICE: (u8, f64) = (5, 1.4);
/// Once, then cut and enlarged twice over: Augmentor does not see beyond the cut, we do.
const CUT_AND_ENLARGED: (u8, f64) = (6, 0.9);
const EXACT: (u8, f64) = (0, 0.0);

/// The side of the golden pictures.
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

fn distort() -> Step {
    let nodes = serde_json::from_slice(&std::fs::read(path("nodes.json")).unwrap()).unwrap();
    Step::Distort { grid: (5, 5), nodes }
}

/// The largest and the mean difference where the golden picture shows nothing but the source.
fn difference(image: &RgbImage, name: &str) -> (u8, f64) {
    let expected = golden(name);
    assert_eq!(image.dimensions(), expected.dimensions(), "{name}");
    let seen = image.pixels().zip(expected.pixels()).filter(|(_, expected)| expected.0[3] == 255);
    let differences: Vec<u8> =
        seen.flat_map(|(ours, theirs)| std::array::from_fn::<u8, 3, _>(|c| ours.0[c].abs_diff(theirs.0[c]))).collect();
    assert!(differences.len() > image.len() / 2, "{name}: {} values to compare", differences.len());
    let sum: f64 = differences.iter().copied().map(f64::from).sum();
    (differences.iter().copied().max().unwrap(), sum / differences.len() as f64)
}

fn assert_near(source_name: &str, steps: &[Step], name: &str, (most, mean): (u8, f64)) {
    let image = render(&source(source_name), &Plan { steps: steps.to_vec() }, SIDE);
    let found = difference(&image, name);
    assert!(found.0 <= most && found.1 <= mean, "{name}: largest and mean difference {found:?}");
}

#[test]
fn turns_are_augmentors() {
    let turns = [("left_7", 7), ("right_11", -11)];
    for (name, degrees) in turns {
        let name = format!("rotate_without_crop_{name}");
        assert_near("square", &[Step::RotateWithoutCrop(degrees)], &name, TRANSFORMED);
    }
}

#[test]
fn cropped_turns_show_the_largest_rectangle_as_pillow_does() {
    assert_near("square", &[Step::Rotate(13)], "rotate_left_13", TRANSFORMED);
    assert_near("tall", &[Step::Rotate(-9)], "rotate_tall_right_9", TRANSFORMED);
}

#[test]
fn zooms_are_augmentors() {
    assert_near("square", &[Step::Zoom(1100)], "zoom_in", RESIZED);
    assert_near("square", &[Step::Zoom(900)], "zoom_out", RESIZED);
}

#[test]
fn elastic_distortion_is_augmentors() {
    assert_near("square", &[distort()], "random_distortion", TRANSFORMED);
}

#[test]
fn mirrors_and_quarter_turns_are_augmentors_exactly() {
    assert_near("square", &[Step::FlipLeftRight], "flip_left_right", EXACT);
    assert_near("square", &[Step::FlipTopBottom], "flip_top_bottom", EXACT);
    for turns in 1..=3 {
        assert_near("square", &[Step::QuarterTurns(turns)], &format!("rotate_{}", 90 * turns), EXACT);
    }
    assert_near("tall", &[Step::QuarterTurns(1)], "rotate_tall_90", RESIZED);
}

#[test]
fn expanded_turn_is_augmentors() {
    assert_near("square", &[Step::RotateExpand(13)], "rotate_expand_13", TRANSFORMED);
}

#[test]
fn stretching_turn_is_augmentors() {
    for degrees in [14, -22] {
        let name = format!("rotate_augmentor_{degrees}");
        assert_near("square", &[Step::RotateAsAugmentor(degrees)], &name, CUT_AND_ENLARGED);
    }
}

#[test]
fn skews_are_augmentors() {
    let tilts = [
        ("left", [(0, -200), (0, 0), (0, 0), (0, 200)]),
        ("right", [(0, 0), (0, -200), (0, 200), (0, 0)]),
        ("top", [(-200, 0), (200, 0), (0, 0), (0, 0)]),
        ("bottom", [(0, 0), (0, 0), (200, 0), (-200, 0)]),
    ];
    for (name, corners) in tilts {
        assert_near("square", &[Step::Skew(corners)], &format!("skew_tilt_{name}"), TRANSFORMED);
    }
    assert_near("tall", &[Step::Skew(tilts[0].1)], "skew_tall_left", TRANSFORMED);
    // Upper left, upper right, lower right, lower left: across, then up and down.
    let moves = [(-300, 0), (0, -300), (300, 0), (0, -300), (300, 0), (0, 300), (-300, 0), (0, 300)];
    for (direction, moved) in moves.into_iter().enumerate() {
        let mut corners = [(0, 0); 4];
        corners[direction / 2] = moved;
        assert_near("square", &[Step::Skew(corners)], &format!("skew_corner_{direction}"), TRANSFORMED);
    }
}

#[test]
fn shears_are_augmentors() {
    for (axis, rows) in [("x", true), ("y", false)] {
        for degrees in [14, -14] {
            assert_near("square", &[Step::Shear { rows, degrees }], &format!("shear_{axis}_{degrees}"), TRANSFORMED);
        }
    }
}

#[test]
fn crops_are_augmentors() {
    // 4 of 20 pixels to the left, 12 of 20 above.
    let part = Part { share: 800, place: (200, 600) };
    assert_near("square", &[Step::ZoomRandom(part)], "zoom_random", RESIZED);
    assert_near("square", &[Step::Crop(part)], "crop_random", RESIZED);
    assert_near("square", &[Step::Crop(Part { share: 600, place: (500, 500) })], "crop_centre", RESIZED);
    let centre = |width, height| Step::CropBySize { width, height, place: (500, 500) };
    // 10 of 40 pixels, 15 of 20.
    assert_near("square", &[Step::CropBySize { width: 60, height: 80, place: (250, 750) }], "crop_by_size", RESIZED);
    assert_near("square", &[Step::Resize(200, 150), centre(100, 100)], "crop_resized", RESIZED);
    assert_near("square", &[Step::Scale(1500), centre(90, 120)], "crop_scaled", RESIZED);
}

#[test]
fn gaussian_distortion_is_augmentors() {
    let Step::Distort { grid, nodes } = distort() else { unreachable!() };
    // A quarter of a golden pixel more, in 1/25,000 of the side.
    let moved = |units: i32| units * 100 + 25_000 / SIDE as i32 / 4;
    let nodes = nodes.into_iter().map(|(x, y)| (moved(x), moved(y))).collect();
    assert_near("square", &[Step::DistortFinely { grid, nodes }], "gaussian_distortion", TRANSFORMED);
}

#[test]
fn one_warp_is_what_four_passes_of_augmentor_give() {
    let steps = [Step::RotateWithoutCrop(7), Step::Zoom(1100), distort(), Step::FlipLeftRight];
    assert_near("square", &steps, "all_geometry", TRANSFORMED_TWICE);
}

#[test]
fn brightness_and_contrast_are_pillows_exactly() {
    for thousandths in [1150, 850] {
        let brightness = Step::Brightness(thousandths);
        assert_near("square", &[brightness], &format!("random_brightness_{thousandths}"), (0, 0.0));
        assert_near("square", &[Step::Contrast(thousandths)], &format!("random_contrast_{thousandths}"), (0, 0.0));
    }
}

#[test]
fn what_changes_values_is_pillows_exactly() {
    for (step, name) in [
        (Step::Equalise, "histogram_equalisation"),
        (Step::Greyscale, "greyscale"),
        (Step::Invert, "invert"),
        (Step::BlackAndWhite(100), "black_and_white_100"),
        (Step::Colour(1700), "random_color_1700"),
        (Step::Colour(300), "random_color_300"),
        (Step::HsvShift { hue: 150, saturation: (1300, -50), value: (900, 100), cut: true }, "hsv_shift"),
        (Step::HsvShift { hue: -400, saturation: (800, 200), value: (1200, -100), cut: true }, "hsv_shift_down"),
    ] {
        assert_near("square", &[step], name, EXACT);
    }
}

#[test]
fn resizing_is_pillows() {
    for (image, name) in [
        (resize(&source("tall"), 128, 37, Filter::Bicubic), "resize_bicubic_128x37"),
        (resize(&source("square"), 33, 45, Filter::Triangle), "resize_triangle_33x45"),
    ] {
        let (most, mean) = difference(&image, name);
        assert!(most <= 1 && mean <= 0.1, "{name}: {most}, {mean}");
    }
}
