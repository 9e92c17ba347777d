//! What holds for every image under every plan and every pipeline.

use crate::common::images::gradient;
use gal_bench::augment::{Part, Pipeline, Plan, Sampling, Source, Step, render};
use image::RgbImage;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_part() -> impl Strategy<Value = Part> {
    (100_u32..=1000, any_place()).prop_map(|(share, place)| Part { share, place })
}

fn any_place() -> impl Strategy<Value = (u32, u32)> {
    (0_u32..=1000, 0_u32..=1000)
}

fn any_nodes(reach: i32) -> impl Strategy<Value = ((u32, u32), Vec<(i32, i32)>)> {
    (1_u32..=9, 1_u32..=9).prop_flat_map(move |grid| {
        let count = ((grid.0 - 1) * (grid.1 - 1)) as usize;
        (Just(grid), proptest::collection::vec((-reach..=reach, -reach..=reach), count))
    })
}

/// Any step that moves places.
fn any_geometry() -> impl Strategy<Value = Step> {
    let corner = (-1000..=0, -1000..=0);
    let skew = proptest::array::uniform4(corner)
        .prop_map(|[a, b, c, d]| Step::Skew([a, (-b.0, b.1), (-c.0, -c.1), (d.0, -d.1)]));
    prop_oneof![
        (-90..=90).prop_map(Step::Rotate),
        (-25..=25).prop_map(Step::RotateAsAugmentor),
        (-180..=180).prop_map(Step::RotateWithoutCrop),
        (-180..=180).prop_map(Step::RotateExpand),
        (1_u32..=3).prop_map(Step::QuarterTurns),
        (100_u32..=10_000).prop_map(Step::Zoom),
        any_part().prop_map(Step::ZoomRandom),
        any_part().prop_map(Step::Crop),
        (2_u32..=300, 2_u32..=300, any_place()).prop_map(|(width, height, place)| Step::CropBySize {
            width,
            height,
            place
        }),
        (2_u32..=65_535, 2_u32..=65_535).prop_map(|(width, height)| Step::Resize(width, height)),
        (100_u32..=10_000).prop_map(Step::Scale),
        Just(Step::FlipLeftRight),
        Just(Step::FlipTopBottom),
        skew,
        (any::<bool>(), -25..=26).prop_map(|(rows, degrees)| Step::Shear { rows, degrees }),
        any_nodes(250).prop_map(|(grid, nodes)| Step::Distort { grid, nodes }),
        any_nodes(100_000).prop_map(|(grid, nodes)| Step::DistortFinely { grid, nodes }),
    ]
}

/// Any step that changes values.
fn any_photometric() -> impl Strategy<Value = Step> {
    let channel = || (100_u32..=10_000, -1000..=1000);
    prop_oneof![
        (any_place(), any_place(), any::<u32>()).prop_map(|(corner, size, seed)| Step::Erase { corner, size, seed }),
        Just(Step::Equalise),
        Just(Step::Greyscale),
        Just(Step::Invert),
        any::<u8>().prop_map(Step::BlackAndWhite),
        (0_u32..=10_000).prop_map(Step::Brightness),
        (0_u32..=10_000).prop_map(Step::Colour),
        (0_u32..=10_000).prop_map(Step::Contrast),
        (-1000..=1000, channel(), channel(), any::<bool>()).prop_map(|(hue, saturation, value, cut)| Step::HsvShift {
            hue,
            saturation,
            value,
            cut
        }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![2 => any_geometry(), 1 => any_photometric()]
}

/// Some of the operations of the pipeline of everything, in any order, always or sometimes applied.
fn any_pipeline() -> impl Strategy<Value = Pipeline> {
    let text = include_str!("../../../../datasets/pipelines/everything.toml");
    let everything = Pipeline::from_toml("everything.toml", text).unwrap();
    let count = everything.operations.len();
    (proptest::collection::vec(0..count, 0..8), any::<bool>()).prop_map(move |(places, augmentor_compat)| Pipeline {
        augmentor_compat,
        sampling: if augmentor_compat { Sampling::Bicubic } else { Sampling::Bilinear },
        operations: places.into_iter().map(|place| everything.operations[place].clone()).collect(),
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
    fn any_image_under_any_plan_is_rendered(
        width in 1_u32..=600,
        height in 1_u32..=400,
        side in 1_u32..=80,
        steps in proptest::collection::vec(any_step(), 0..6),
    ) {
        let mut source = Source::new(gradient(1, width, height), side);
        prop_assert_eq!(source.render(&Plan { steps }).dimensions(), (side, side));
    }

    #[test]
    fn geometry_shows_nothing_from_beyond_the_image(
        width in 1_u32..=60,
        height in 1_u32..=60,
        low: [u8; 3],
        steps in proptest::collection::vec(any_geometry(), 1..6),
    ) {
        // Neither 0 nor 255, so that anything made up shows.
        let image = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb(low.map(|low| 60 + low / 4 + ((x * 7 + y * 13) % 50) as u8))
        });
        assert_within(&render(&image, &Plan { steps }, 40), &image);
    }

    #[test]
    fn one_colour_stays_that_colour_under_any_geometry(
        width in 1_u32..=60,
        height in 1_u32..=60,
        colour: [u8; 3],
        steps in proptest::collection::vec(any_geometry(), 0..6),
    ) {
        let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
        let copy = render(&image, &Plan { steps }, 40);
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
    fn any_pipeline_renders_any_source_to_the_size_asked_for(
        pipeline in any_pipeline(),
        seed: u64,
        width in 1_u32..=300,
        height in 1_u32..=300,
        side in 1_u32..=60,
    ) {
        let image = gradient(2, width, height);
        let source = || Source::new(image.clone(), side).sampled_by(pipeline.sampling);
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
    fn large_images_under_any_plan_are_rendered(
        width in 1500_u32..=3000,
        height in 1_u32..=2000,
        steps in proptest::collection::vec(any_step(), 1..6),
    ) {
        prop_assert_eq!(render(&gradient(1, width, height), &Plan { steps }, 256).dimensions(), (256, 256));
    }
}

#[test]
fn text_of_a_step_holds_the_whole_draw() {
    let pipeline = include_str!("../../../../datasets/pipelines/everything.toml");
    let mut pipeline = Pipeline::from_toml("everything.toml", pipeline).unwrap();
    for augmentor_compat in [false, true] {
        pipeline.augmentor_compat = augmentor_compat;
        for place in 0..pipeline.operations.len() {
            let plans: Vec<Plan> = (1..500).map(|copy| pipeline.alone(1, "a", copy, place)).collect();
            let draws: BTreeSet<String> = plans.iter().map(|plan| format!("{plan:?}")).collect();
            let texts: BTreeSet<String> = plans.iter().map(Plan::to_string).collect();
            assert_eq!(draws.len(), texts.len(), "{}", plans[0]);
        }
    }
}

#[test]
fn extreme_sizes_are_rendered() {
    let pipeline = include_str!("../../../../datasets/pipelines/everything.toml");
    let pipeline = Pipeline::from_toml("everything.toml", pipeline).unwrap();
    for (width, height) in [(1, 1), (1, 2000), (3000, 1), (3000, 2000), (2, 3)] {
        let mut source = Source::new(gradient(3, width, height), 48);
        for place in 0..pipeline.operations.len() {
            assert_eq!(source.render(&pipeline.alone(1, "a", 1, place)).dimensions(), (48, 48), "{width} x {height}");
        }
    }
}
