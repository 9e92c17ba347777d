//! What holds for every image under every plan.

use super::picture;
use gal_bench::augment::{Plan, Source, Step, render};
use image::RgbImage;
use proptest::prelude::*;

/// Any step that a pipeline can draw.
fn any_step() -> impl Strategy<Value = Step> {
    let mesh = (1_u32..=9, 1_u32..=9).prop_flat_map(|(across, down)| {
        let count = ((across - 1) * (down - 1)) as usize;
        let nodes = proptest::collection::vec((-250..=250, -250..=250), count);
        nodes.prop_map(move |nodes| Step::Distort { grid: (across, down), nodes })
    });
    prop_oneof![
        (-90..=90).prop_map(Step::Rotate),
        (-180..=180).prop_map(Step::RotateWithoutCrop),
        (100_u32..=10_000).prop_map(Step::Zoom),
        Just(Step::FlipLeftRight),
        mesh,
        (0_u32..=10_000).prop_map(Step::Brightness),
        (0_u32..=10_000).prop_map(Step::Contrast),
    ]
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
        let mut source = Source::new(picture(1, width, height), side);
        prop_assert_eq!(source.render(&Plan { steps }).dimensions(), (side, side));
    }

    #[test]
    fn one_colour_stays_that_colour_under_any_geometry(
        width in 1_u32..=60,
        height in 1_u32..=60,
        colour: [u8; 3],
        steps in proptest::collection::vec(any_step(), 0..6),
    ) {
        let values = |step: &Step| matches!(step, Step::Brightness(_) | Step::Contrast(_));
        let steps = steps.into_iter().filter(|step| !values(step)).collect();
        let image = RgbImage::from_pixel(width, height, image::Rgb(colour));
        let copy = render(&image, &Plan { steps }, 40);
        prop_assert!(copy.pixels().all(|pixel| pixel.0 == colour));
    }
}
