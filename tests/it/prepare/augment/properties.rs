//! Properties of every image under every plan and every pipeline.

use crate::common::images::gradient;
use gal_bench::augment::{CropWindow, Interpolation, Pipeline, Plan, SampledOp, Source, render};
use image::RgbImage;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_window() -> impl Strategy<Value = CropWindow> {
    (100_u32..=1000, any_position()).prop_map(|(share, position)| CropWindow { share, position })
}

fn any_position() -> impl Strategy<Value = (u32, u32)> {
    (0_u32..=1000, 0_u32..=1000)
}

fn any_nodes(max: i32) -> impl Strategy<Value = ((u32, u32), Vec<(i32, i32)>)> {
    (1_u32..=9, 1_u32..=9).prop_flat_map(move |grid| {
        let count = ((grid.0 - 1) * (grid.1 - 1)) as usize;
        (Just(grid), proptest::collection::vec((-max..=max, -max..=max), count))
    })
}

/// Any geometric operation.
fn any_geometry() -> impl Strategy<Value = SampledOp> {
    let corner = (-1000..=0, -1000..=0);
    let skew = proptest::array::uniform4(corner)
        .prop_map(|[a, b, c, d]| SampledOp::Skew([a, (-b.0, b.1), (-c.0, -c.1), (d.0, -d.1)]));
    prop_oneof![
        (-90..=90).prop_map(SampledOp::Rotate),
        (-25..=25).prop_map(SampledOp::RotateAsAugmentor),
        (-180..=180).prop_map(SampledOp::RotateWithoutCrop),
        (-180..=180).prop_map(SampledOp::RotateExpand),
        (1_u32..=3).prop_map(SampledOp::QuarterTurns),
        (100_u32..=10_000).prop_map(SampledOp::Zoom),
        any_window().prop_map(SampledOp::ZoomRandom),
        any_window().prop_map(SampledOp::Crop),
        (2_u32..=300, 2_u32..=300, any_position()).prop_map(|(width, height, position)| SampledOp::CropBySize {
            width,
            height,
            position
        }),
        (2_u32..=65_535, 2_u32..=65_535).prop_map(|(width, height)| SampledOp::Resize(width, height)),
        (100_u32..=10_000).prop_map(SampledOp::Scale),
        Just(SampledOp::FlipLeftRight),
        Just(SampledOp::FlipTopBottom),
        skew,
        (any::<bool>(), -25..=26).prop_map(|(rows, degrees)| SampledOp::Shear { rows, degrees }),
        (-18_000..=18_000, 125_u32..=8_000, (-1000..=1000, -1000..=1000))
            .prop_map(|(hundredths, scale, shift)| SampledOp::Affine { hundredths, scale, shift }),
        any_nodes(250).prop_map(|(grid, nodes)| SampledOp::Distort { grid, nodes }),
        any_nodes(100_000).prop_map(|(grid, nodes)| SampledOp::DistortFinely { grid, nodes }),
    ]
}

/// Any photometric operation.
fn any_photometric() -> impl Strategy<Value = SampledOp> {
    let channel = || (100_u32..=10_000, -1000..=1000);
    prop_oneof![
        (any_position(), any_position(), any::<u32>()).prop_map(|(corner, size, seed)| SampledOp::Erase {
            corner,
            size,
            seed
        }),
        Just(SampledOp::Equalise),
        Just(SampledOp::Greyscale),
        Just(SampledOp::Invert),
        any::<u8>().prop_map(SampledOp::BlackAndWhite),
        (0_u32..=10_000).prop_map(SampledOp::Brightness),
        (0_u32..=10_000).prop_map(SampledOp::Colour),
        (0_u32..=10_000).prop_map(SampledOp::Contrast),
        (0_u32..=20_000).prop_map(SampledOp::Blur),
        (-10_000..=10_000).prop_map(SampledOp::Gamma),
        (-1000..=1000, channel(), channel(), any::<bool>()).prop_map(|(hue, saturation, value, clamp_hue)| {
            SampledOp::HsvShift { hue, saturation, value, clamp_hue }
        }),
    ]
}

fn any_op() -> impl Strategy<Value = SampledOp> {
    prop_oneof![2 => any_geometry(), 1 => any_photometric()]
}

/// Some operations of `everything.toml`, in any order.
fn any_pipeline() -> impl Strategy<Value = Pipeline> {
    let text = include_str!("../../../../datasets/pipelines/everything.toml");
    let everything = Pipeline::from_toml("everything.toml", text).unwrap();
    let count = everything.operations.len();
    (proptest::collection::vec(0..count, 0..8), any::<bool>()).prop_map(move |(indices, augmentor_compat)| Pipeline {
        augmentor_compat,
        interpolation: if augmentor_compat { Interpolation::Bicubic } else { Interpolation::Bilinear },
        operations: indices.into_iter().map(|index| everything.operations[index].clone()).collect(),
    })
}

/// Smallest and largest value of each channel.
fn range(image: &RgbImage) -> [(u8, u8); 3] {
    std::array::from_fn(|channel| {
        let values = image.pixels().map(|pixel| pixel.0[channel]);
        (values.clone().min().unwrap(), values.max().unwrap())
    })
}

fn assert_within(copy: &RgbImage, image: &RgbImage) {
    let within = |(inner, outer): ((u8, u8), (u8, u8))| outer.0 <= inner.0 && inner.1 <= outer.1;
    let (inner, outer) = (range(copy), range(image));
    assert!(inner.into_iter().zip(outer).all(within), "{inner:?} beyond {outer:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_plan_renders_any_image(
        width in 1_u32..=600,
        height in 1_u32..=400,
        side in 1_u32..=80,
        interpolation in prop_oneof![Just(Interpolation::Bilinear), Just(Interpolation::Bicubic)],
        ops in proptest::collection::vec(any_op(), 0..6),
    ) {
        let mut source = Source::new(gradient(1, width, height), side).with_interpolation(interpolation);
        prop_assert_eq!(source.render(&Plan { ops }).dimensions(), (side, side));
    }

    #[test]
    fn geometry_invents_no_values(
        width in 1_u32..=60,
        height in 1_u32..=60,
        low: [u8; 3],
        ops in proptest::collection::vec(any_geometry(), 1..6),
    ) {
        // Neither 0 nor 255, so that invented values show.
        let image = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb(low.map(|low| 60 + low / 4 + ((x * 7 + y * 13) % 50) as u8))
        });
        assert_within(&render(&image, &Plan { ops }, 40), &image);
    }

    #[test]
    fn geometry_does_not_change_an_image_of_one_colour(
        width in 1_u32..=60,
        height in 1_u32..=60,
        colour: [u8; 3],
        ops in proptest::collection::vec(any_geometry(), 0..6),
    ) {
        let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
        let copy = render(&image, &Plan { ops }, 40);
        prop_assert!(copy.pixels().all(|pixel| pixel.0 == colour));
    }

    #[test]
    fn plan_is_a_function_of_seed_source_and_copy(
        pipeline in any_pipeline(),
        seed: u64,
        source in "[a-z]{1,9}",
        copy in 0_u32..=99,
    ) {
        let plan = pipeline.plan(seed, &source, copy);
        for other in 0..5 {
            pipeline.plan(seed.wrapping_add(other), &source, copy + other as u32);
        }
        let read = Pipeline::from_toml("again.toml", &pipeline.to_toml().unwrap()).unwrap();
        prop_assert_eq!(&read, &pipeline);
        prop_assert_eq!(read.plan(seed, &source, copy), plan);
    }

    #[test]
    fn any_pipeline_renders_any_source_at_the_requested_size(
        pipeline in any_pipeline(),
        seed: u64,
        width in 1_u32..=300,
        height in 1_u32..=300,
        side in 1_u32..=60,
    ) {
        let image = gradient(2, width, height);
        let source = || Source::new(image.clone(), side).with_interpolation(pipeline.interpolation);
        let mut shared = source();
        for copy in 0..3 {
            let plan = pipeline.plan(seed, "a", copy);
            let rendered = shared.render(&plan);
            prop_assert_eq!(rendered.dimensions(), (side, side));
            prop_assert_eq!(rendered, source().render(&plan));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_plan_renders_large_images(
        width in 1500_u32..=3000,
        height in 1_u32..=2000,
        ops in proptest::collection::vec(any_op(), 1..6),
    ) {
        prop_assert_eq!(render(&gradient(1, width, height), &Plan { ops }, 256).dimensions(), (256, 256));
    }
}

#[test]
fn text_of_an_operation_holds_all_parameters() {
    let pipeline = include_str!("../../../../datasets/pipelines/everything.toml");
    let mut pipeline = Pipeline::from_toml("everything.toml", pipeline).unwrap();
    for augmentor_compat in [false, true] {
        pipeline.augmentor_compat = augmentor_compat;
        for index in 0..pipeline.operations.len() {
            let plans: Vec<Plan> = (1..500).map(|copy| pipeline.plan_alone(1, "a", copy, index)).collect();
            let sampled: BTreeSet<String> = plans.iter().map(|plan| format!("{plan:?}")).collect();
            let texts: BTreeSet<String> = plans.iter().map(Plan::to_string).collect();
            assert_eq!(sampled.len(), texts.len(), "{}", plans[0]);
        }
    }
}

#[test]
fn extreme_sizes_are_rendered() {
    let pipeline = include_str!("../../../../datasets/pipelines/everything.toml");
    let pipeline = Pipeline::from_toml("everything.toml", pipeline).unwrap();
    for (width, height) in [(1, 1), (1, 2000), (3000, 1), (3000, 2000), (2, 3)] {
        let mut source = Source::new(gradient(3, width, height), 48);
        for index in 0..pipeline.operations.len() {
            assert_eq!(
                source.render(&pipeline.plan_alone(1, "a", 1, index)).dimensions(),
                (48, 48),
                "{width} x {height}"
            );
        }
    }
}
