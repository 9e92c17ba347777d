//! The slow warp, for tests: pixel by pixel in f64, each step's inverse on its own; and the fast one beside it.

use super::geometry::Inverse;
use super::{Pipeline, Plan, Sampling, Source, Step, render};
use image::RgbImage;

/// Smooth, so that a small error of place is a small error of value.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |a: f64, b: f64| (127.5 + 127.5 * (f64::from(x) * a + f64::from(y) * b).sin()) as u8;
        image::Rgb([wave(0.05, 0.02), wave(-0.03, 0.06), wave(0.01, -0.04)])
    })
}

/// What a copy shows, pixel by pixel in f64, each step's inverse on its own.
fn slow(image: &RgbImage, plan: &Plan, side: u32, sampling: Sampling) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let mut canvas = (width, height);
    let mut inverses = Vec::new();
    for step in &plan.steps {
        if let Some((inverse, left)) = Inverse::of(step, canvas) {
            inverses.push(inverse);
            canvas = left;
        }
    }
    let scale = (canvas.0 / f64::from(side), canvas.1 / f64::from(side));
    RgbImage::from_fn(side, side, |u, v| {
        let output = ((f64::from(u) + 0.5) * scale.0, (f64::from(v) + 0.5) * scale.1);
        let (x, y) = inverses.iter().rev().fold(output, |place, inverse| inverse.at(place));
        let (x, y) = ((x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0));
        image::Rgb(std::array::from_fn(|channel| {
            let mut sum = 0.0;
            for (row, lower) in around(y, height) {
                for (column, right) in around(x, width) {
                    let value = f64::from(image.get_pixel(column, row).0[channel]);
                    sum += value * weight(sampling, lower) * weight(sampling, right);
                }
            }
            sum.round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// The four pixels about a place, held inside, and how far from it they would lie.
fn around(place: f64, size: f64) -> [(u32, f64); 4] {
    [-1.0, 0.0, 1.0, 2.0].map(|offset| {
        let pixel = place.floor() + offset;
        (pixel.clamp(0.0, size - 1.0) as u32, (pixel - place).abs())
    })
}

/// Of a pixel at that distance; Keys 1981 with a = -0.5, as Wikipedia's "Bicubic interpolation" writes it.
fn weight(sampling: Sampling, distance: f64) -> f64 {
    let (d, a) = (distance, -0.5);
    match sampling {
        Sampling::Bilinear => (1.0 - d).max(0.0),
        Sampling::Bicubic if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
        Sampling::Bicubic if d < 2.0 => a * d.powi(3) - 5.0 * a * d.powi(2) + 8.0 * a * d - 4.0 * a,
        Sampling::Bicubic => 0.0,
    }
}

/// Between what the fused warp shows and the slow one.
fn difference(image: &RgbImage, plan: &Plan, side: u32, sampling: Sampling) -> u8 {
    let fused = Source::new(image.clone(), side).sampled_by(sampling).render(plan);
    largest_difference(&fused, &slow(image, plan, side, sampling))
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn distort() -> Step {
    let nodes = [(6, -6), (-6, 6), (0, 5), (-5, -5), (6, 6), (1, -2), (3, 3), (-6, 0), (4, -4)];
    Step::Distort { grid: (4, 4), nodes: nodes.to_vec() }
}

/// To the left, and one corner besides.
fn tilt() -> Step {
    Step::Skew([(0, -120), (0, 0), (90, 0), (0, 120)])
}

#[test]
fn fused_warp_equals_the_slow_one() {
    let orders = [
        vec![Step::RotateWithoutCrop(11), Step::Zoom(900), distort(), Step::FlipLeftRight],
        vec![Step::Rotate(-7), Step::Zoom(1100), distort()],
        vec![distort(), Step::Zoom(900), Step::FlipLeftRight],
        vec![distort(), Step::Rotate(11), Step::Zoom(900)],
        vec![distort(), Step::FlipLeftRight, distort()],
        vec![Step::RotateWithoutCrop(90), Step::Zoom(1050)],
        vec![Step::Rotate(-13), distort()],
        vec![distort()],
        vec![tilt()],
        vec![Step::QuarterTurns(1), tilt(), Step::Shear { rows: true, degrees: 9 }],
        vec![Step::Shear { rows: false, degrees: -14 }, Step::Zoom(950), distort()],
        vec![tilt(), distort(), Step::RotateExpand(20)],
        vec![
            Step::CropBySize { width: 90, height: 80, place: (300, 900) },
            Step::RotateAsAugmentor(10),
            tilt(),
            tilt(),
        ],
    ];
    for image in [picture(250, 250), picture(178, 218), picture(300, 100)] {
        for steps in &orders {
            let plan = Plan { steps: steps.clone() };
            // Sides at which none of the images is shrunk before it is sampled.
            for (side, sampling) in [(256, Sampling::Bilinear), (160, Sampling::Bilinear), (160, Sampling::Bicubic)] {
                let difference = difference(&image, &plan, side, sampling);
                assert!(difference <= 2, "{plan} at {side}, {sampling:?}: {difference}");
            }
        }
    }
}

/// Whether the step changes values, which the slow warp leaves alone.
fn is_photometric(step: &Step) -> bool {
    Inverse::of(step, (9.0, 9.0)).is_none() && !matches!(step, Step::CropBySize { .. })
}

#[test]
fn pipelines_are_drawn_as_the_slow_warp_has_them() {
    let everything = include_str!("../../datasets/pipelines/everything.toml");
    let often = everything.replace("probability = 0.0", "probability = 0.2");
    let everything = Pipeline::from_toml("everything.toml", &often).unwrap();
    let image = picture(178, 218);
    for (pipeline, copies) in [(Pipeline::default(), 40), (everything, 200)] {
        for copy in 1..copies {
            let mut plan = pipeline.plan(5, "a", copy);
            plan.steps.retain(|step| !is_photometric(step));
            if !plan.steps.is_empty() {
                let difference = difference(&image, &plan, 112, Sampling::Bilinear);
                assert!(difference <= 3, "{plan}: {difference}");
            }
        }
    }
}

#[test]
fn mirror_alone_mirrors_exactly() {
    let image = picture(64, 64);
    let mirrored = render(&image, &Plan { steps: vec![Step::FlipLeftRight] }, 64);
    assert_eq!(mirrored, image::imageops::flip_horizontal(&image));
}

#[test]
fn copies_of_one_source_do_not_depend_on_each_other() {
    let image = picture(700, 300);
    let plans = [Plan { steps: vec![Step::Rotate(5)] }, Plan::default(), Plan { steps: vec![distort()] }];
    let mut source = Source::new(image.clone(), 64);
    for plan in plans {
        assert_eq!(source.render(&plan), render(&image, &plan, 64));
    }
}

#[test]
fn large_images_are_shrunk_before_they_are_sampled() {
    let stripes = RgbImage::from_fn(2000, 500, |x, _| image::Rgb([if x % 2 == 0 { 0 } else { 200 }; 3]));
    let copy = render(&stripes, &Plan { steps: vec![Step::Zoom(1001)] }, 64);
    assert!(copy.iter().all(|value| value.abs_diff(100) < 10));
}
