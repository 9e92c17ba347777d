//! The distortions beside Augmentor's and Pillow's own pictures; `tests/golden/augment.py` makes them. Values change by
//! about 8 from pixel to pixel there, so a place wrong by a quarter of a pixel shows as a mean difference of 2.

use gal_bench::augment::{Filter, Plan, Step, render, resize};
use image::{RgbImage, RgbaImage};
use std::path::PathBuf;

/// Largest and mean difference between cubics and lines, rounded alike.
const RESIZED: (u8, f64) = (2, 0.6);
/// The same where Pillow's `transform` drops the fraction, half a level on average, once...
const TRANSFORMED: (u8, f64) = (4, 0.85);
/// ...and twice.
const TRANSFORMED_TWICE: (u8, f64) = (5, 1.4);

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
fn mirror_is_augmentors_exactly() {
    assert_near("square", &[Step::FlipLeftRight], "flip_left_right", (0, 0.0));
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
fn resizing_is_pillows() {
    for (image, name) in [
        (resize(&source("tall"), 128, 37, Filter::Bicubic), "resize_bicubic_128x37"),
        (resize(&source("square"), 33, 45, Filter::Triangle), "resize_triangle_33x45"),
    ] {
        let (most, mean) = difference(&image, name);
        assert!(most <= 1 && mean <= 0.1, "{name}: {most}, {mean}");
    }
}
