//! A reference warp for tests, in f64, pixel by pixel and operation by operation; the fused warp must equal it.

use super::geometry::Inverse;
use super::interpolation::Interpolation;
use super::pipeline::{Pipeline, Plan};
use super::sampled_op::{CropWindow, SampledOp};
use super::warp::{Source, render};
use image::RgbImage;

/// A smooth image, so that a small error in coordinates is a small error in values.
fn image(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |a: f64, b: f64| (127.5 + 127.5 * (f64::from(x) * a + f64::from(y) * b).sin()) as u8;
        image::Rgb([wave(0.05, 0.02), wave(-0.03, 0.06), wave(0.01, -0.04)])
    })
}

/// A copy without its photometric operations.
fn reference(image: &RgbImage, plan: &Plan, side: u32, interpolation: Interpolation) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let mut canvas = (width, height);
    let mut inverses = Vec::new();
    for op in &plan.ops {
        if let Some((inverse, canvas_after)) = Inverse::of(op, canvas) {
            inverses.push(inverse);
            canvas = canvas_after;
        }
    }
    let scale = (canvas.0 / f64::from(side), canvas.1 / f64::from(side));
    RgbImage::from_fn(side, side, |u, v| {
        let output = ((f64::from(u) + 0.5) * scale.0, (f64::from(v) + 0.5) * scale.1);
        let (x, y) = inverses.iter().rev().fold(output, |point, inverse| inverse.at(point));
        let (x, y) = ((x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0));
        image::Rgb(std::array::from_fn(|channel| {
            let mut sum = 0.0;
            for (row, lower) in around(y, height) {
                for (column, right) in around(x, width) {
                    let value = f64::from(image.get_pixel(column, row).0[channel]);
                    sum += value * weight(interpolation, lower) * weight(interpolation, right);
                }
            }
            sum.round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// The four pixels around a coordinate, clamped to the image, and their distances before clamping.
fn around(coordinate: f64, size: f64) -> [(u32, f64); 4] {
    [-1.0, 0.0, 1.0, 2.0].map(|offset| {
        let pixel = coordinate.floor() + offset;
        (pixel.clamp(0.0, size - 1.0) as u32, (pixel - coordinate).abs())
    })
}

/// The weight of a pixel at a distance; Keys 1981 with a = -0.5, in the form of Wikipedia's "Bicubic interpolation".
fn weight(interpolation: Interpolation, distance: f64) -> f64 {
    let (d, a) = (distance, -0.5);
    match interpolation {
        Interpolation::Bilinear => (1.0 - d).max(0.0),
        Interpolation::Bicubic if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
        Interpolation::Bicubic if d < 2.0 => a * d.powi(3) - 5.0 * a * d.powi(2) + 8.0 * a * d - 4.0 * a,
        Interpolation::Bicubic => 0.0,
    }
}

/// The largest difference between the fused warp and the reference.
fn difference(image: &RgbImage, plan: &Plan, side: u32, interpolation: Interpolation) -> u8 {
    let fused = Source::new(image.clone(), side).with_interpolation(interpolation).render(plan);
    largest_difference(&fused, &reference(image, plan, side, interpolation))
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn distort() -> SampledOp {
    let nodes = [(6, -6), (-6, 6), (0, 5), (-5, -5), (6, 6), (1, -2), (3, 3), (-6, 0), (4, -4)];
    SampledOp::Distort { grid: (4, 4), nodes: nodes.to_vec() }
}

/// A tilt to the left, with one more corner moved.
fn tilt() -> SampledOp {
    SampledOp::Skew([(0, -120), (0, 0), (90, 0), (0, 120)])
}

#[test]
fn fused_warp_equals_the_reference() {
    let orders = [
        vec![SampledOp::RotateWithoutCrop(11), SampledOp::Zoom(900), distort(), SampledOp::FlipLeftRight],
        vec![SampledOp::Rotate(-7), SampledOp::Zoom(1100), distort()],
        vec![distort(), SampledOp::Zoom(900), SampledOp::FlipLeftRight],
        vec![distort(), SampledOp::Rotate(11), SampledOp::Zoom(900)],
        vec![distort(), SampledOp::FlipLeftRight, distort()],
        vec![SampledOp::RotateWithoutCrop(90), SampledOp::Zoom(1050)],
        vec![SampledOp::Rotate(-13), distort()],
        vec![distort()],
        vec![tilt()],
        vec![SampledOp::QuarterTurns(1), tilt(), SampledOp::Shear { rows: true, degrees: 9 }],
        vec![SampledOp::Shear { rows: false, degrees: -14 }, SampledOp::Zoom(950), distort()],
        vec![tilt(), distort(), SampledOp::RotateExpand(20)],
        vec![
            SampledOp::CropBySize { width: 90, height: 80, position: (300, 900) },
            SampledOp::RotateAsAugmentor(10),
            tilt(),
            tilt(),
        ],
    ];
    for image in [image(250, 250), image(178, 218), image(300, 100)] {
        for ops in &orders {
            let plan = Plan { ops: ops.clone() };
            // Sides at which none of the images is reduced before the warp.
            for (side, interpolation) in
                [(256, Interpolation::Bilinear), (160, Interpolation::Bilinear), (160, Interpolation::Bicubic)]
            {
                let difference = difference(&image, &plan, side, interpolation);
                assert!(difference <= 2, "{plan} at {side}, {interpolation:?}: {difference}");
            }
        }
    }
}

/// True if the reference ignores the operation, because it changes values.
fn is_photometric(op: &SampledOp) -> bool {
    Inverse::of(op, (9.0, 9.0)).is_none() && !matches!(op, SampledOp::CropBySize { .. })
}

#[test]
fn sampled_plans_equal_the_reference() {
    let everything = include_str!("../../datasets/pipelines/everything.toml");
    let often = everything.replace("probability = 0.0", "probability = 0.2");
    let everything = Pipeline::from_toml("everything.toml", &often).unwrap();
    let image = image(178, 218);
    for (pipeline, copies) in [(Pipeline::default(), 40), (everything, 200)] {
        for copy in 1..copies {
            let mut plan = pipeline.plan(5, "a", copy);
            plan.ops.retain(|op| !is_photometric(op));
            if !plan.ops.is_empty() {
                let difference = difference(&image, &plan, 112, Interpolation::Bilinear);
                assert!(difference <= 3, "{plan}: {difference}");
            }
        }
    }
}

#[test]
fn a_zoom_out_after_a_random_zoom_shows_what_lies_beyond_the_window() {
    let ramp = RgbImage::from_fn(400, 400, |x, y| image::Rgb([(x / 2) as u8, (y / 2) as u8, 0]));
    let window = CropWindow { share: 827, position: (0, 1000) };
    let shifted = render(&ramp, &Plan { ops: vec![SampledOp::ZoomRandom(window), SampledOp::Zoom(827)] }, 400);
    // To the right and up by (1 - 0.827) / 2 of the side, and the border pixel repeated at the left and at the bottom.
    let shift = 34.6;
    for (x, y, pixel) in shifted.enumerate_pixels() {
        let source = |at: f64| at.clamp(0.0, 399.0) / 2.0;
        let expected = [source(f64::from(x) - shift), source(f64::from(y) + shift)];
        let found = [pixel.0[0], pixel.0[1]].map(f64::from);
        let difference = (found[0] - expected[0]).abs().max((found[1] - expected[1]).abs());
        assert!(difference <= 1.0, "{x}, {y}: {found:?} for {expected:?}");
    }
}

#[test]
fn flip_alone_is_exact() {
    let image = image(64, 64);
    let mirrored = render(&image, &Plan { ops: vec![SampledOp::FlipLeftRight] }, 64);
    assert_eq!(mirrored, image::imageops::flip_horizontal(&image));
}

#[test]
fn copies_of_one_source_do_not_depend_on_each_other() {
    let image = image(700, 300);
    let plans = [Plan { ops: vec![SampledOp::Rotate(5)] }, Plan::default(), Plan { ops: vec![distort()] }];
    let mut source = Source::new(image.clone(), 64);
    for plan in plans {
        assert_eq!(source.render(&plan), render(&image, &plan, 64));
    }
}

#[test]
fn large_images_are_reduced_before_the_warp() {
    let stripes = RgbImage::from_fn(2000, 500, |x, _| image::Rgb([if x % 2 == 0 { 0 } else { 200 }; 3]));
    let copy = render(&stripes, &Plan { ops: vec![SampledOp::Zoom(1001)] }, 64);
    assert!(copy.iter().all(|value| value.abs_diff(100) < 10));
}
