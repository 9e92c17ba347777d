//! Distortions of training images, drawn anew for each image and epoch. Nothing is stored: an image is one fused warp of its
//! undistorted source, which the cache keeps at a size that makes the warp cheap.

use crate::augment::{Pipeline, Plan, Source};
use crate::error::{Error, Result};
use image::RgbImage;

/// Distorts the images of a cache.
pub(super) struct Online<'a> {
    pub(super) pipeline: &'a Pipeline,
    /// The source of each image, on which its plan depends.
    pub(super) sources: Vec<&'a str>,
    /// Side of the undistorted images of the set in pixels. Lengths in pixels refer to it, as in fixed copies.
    pub(super) stored_side: u32,
    /// Side of a distorted image in pixels.
    pub(super) side: usize,
}

impl Online<'_> {
    /// The side to which the cache reduces the undistorted images. One and a half times the output's is fastest among those
    /// that keep images as sharp as the test images. Those are reduced from the stored size with a triangle of variance
    /// 1/6 square pixels. Here reduction and bilinear interpolation together have 0.15 on average; at twice the side they
    /// have 0.08, at the side itself 0.33.
    pub(super) fn working_side(&self) -> usize {
        (3 * self.side).div_ceil(2).min(self.stored_side as usize)
    }

    /// The distortions of image `index` in `epoch`. They are those of copy `epoch + 1` in a prepared set of this pipeline and
    /// seed, since copy 0 is the undistorted one.
    pub(super) fn plan(&self, index: usize, seed: u64, epoch: usize) -> Plan {
        self.pipeline.plan(seed, self.sources[index], epoch as u32 + 1)
    }

    /// Distorts an image of [`Online::working_side`]. Returns `3 * side * side` bytes.
    pub(super) fn render(&self, pixels: Vec<u8>, plan: &Plan) -> Result<Vec<u8>> {
        let working = self.working_side() as u32;
        let image = RgbImage::from_raw(working, working, pixels)
            .ok_or_else(|| Error::Internal("a cached image has the wrong size".to_owned()))?;
        let source = Source::new(image, self.side as u32).with_canvas((self.stored_side, self.stored_side));
        Ok(source.with_interpolation(self.pipeline.interpolation).warp(plan).into_raw())
    }
}

#[cfg(test)]
mod tests {
    use super::super::image_cache::{ImageCache, LabelledImages};
    use super::super::loader::{Batch, DataLoader};
    use super::*;
    use crate::attribute::{COUNT, ImageLabels};
    use crate::augment::{Filter, render, resize};
    use crate::config::{Crop, ImagePolicy};
    use crate::progress::Progress;

    const SIDE: usize = 24;
    const STORED: u32 = 60;
    const POLICY: ImagePolicy = ImagePolicy { resize: SIDE, crop: Crop::Random, flip: true };

    /// Different waves for each row.
    struct Waves;

    fn wave(row: usize) -> RgbImage {
        RgbImage::from_fn(STORED, STORED, |x, y| {
            let of = |a: f64, b: f64| (127.5 + 127.5 * (f64::from(x) * a + f64::from(y) * b + row as f64).sin()) as u8;
            image::Rgb([of(0.2, 0.1), of(-0.1, 0.3), of(0.05, -0.2)])
        })
    }

    impl LabelledImages for Waves {
        fn labels(&self, _: usize) -> &ImageLabels {
            &[Some(false); COUNT]
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            Ok(resize(&wave(row), side as u32, side as u32, Filter::Triangle).into_raw())
        }
    }

    fn online(pipeline: &Pipeline) -> Online<'_> {
        let sources = ["a", "b", "c", "d", "e", "f"].to_vec();
        Online { pipeline, sources, stored_side: STORED, side: SIDE }
    }

    /// Batches of 4 of 6 images; `pipeline` is that of `[online]`.
    fn batches(pipeline: &Pipeline, steps: std::ops::Range<usize>, seed: u64) -> Vec<Batch> {
        let online = online(pipeline);
        let (rows, side) = ((0..6).collect(), online.working_side());
        let cache = ImageCache::new(&Waves, rows, side, "", &Progress::new(true)).unwrap().distorted(online);
        let loader = DataLoader { images: &cache, input_size: 20, policy: &POLICY, batch_size: 4, local: 0..4, seed };
        steps.map(|step| loader.training_batch(step).unwrap()).collect()
    }

    #[test]
    fn an_image_equals_the_renderers_for_the_same_plan() {
        let pipeline = Pipeline::default();
        let online = online(&pipeline);
        let working = resize(&wave(1), 36, 36, Filter::Triangle);
        assert_eq!(online.working_side(), 36);
        for epoch in 0..40 {
            let plan = online.plan(1, 7, epoch);
            assert_eq!(plan, pipeline.plan(7, "b", epoch as u32 + 1));
            let distorted = online.render(working.clone().into_raw(), &plan).unwrap();
            if !plan.ops.is_empty() {
                // Relative geometry does not depend on the canvas; coordinates may round differently.
                let expected = render(&working, &plan, SIDE as u32).into_raw();
                let furthest = distorted.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(furthest <= Some(1), "{plan}: {furthest:?}");
            }
        }
    }

    #[test]
    fn an_undistorted_image_is_about_as_sharp_as_a_test_image() {
        let pipeline = Pipeline { operations: Vec::new(), ..Pipeline::default() };
        let online = online(&pipeline);
        let working = resize(&wave(0), 36, 36, Filter::Triangle).into_raw();
        let found = online.render(working, &online.plan(0, 1, 0)).unwrap();
        let expected = Waves.pixels(0, SIDE).unwrap();
        let furthest = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(furthest <= 8, "{furthest}");
    }

    #[test]
    fn batches_are_the_same_for_any_threads_and_from_any_step_on() {
        let pipeline = Pipeline::default();
        let on = |threads: usize, steps: std::ops::Range<usize>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| batches(&pipeline, steps, 3))
        };
        let all = on(1, 0..6);
        assert!(all == on(5, 0..6) && all[4..] == on(2, 4..6));
        assert!(all != batches(&pipeline, 0..6, 4));
    }

    #[test]
    fn every_epoch_distorts_an_image_in_its_own_way() {
        let pipeline = Pipeline::default();
        let online = online(&pipeline);
        let distinct: std::collections::HashSet<String> =
            (0..20).map(|epoch| online.plan(0, 3, epoch).to_string()).collect();
        assert!(distinct.len() > 17, "{distinct:?}");
        let off = Pipeline { operations: Vec::new(), ..Pipeline::default() };
        let (with, without) = (batches(&pipeline, 0..3, 3), batches(&off, 0..3, 3));
        assert!(with != without && with.iter().zip(&without).all(|(a, b)| a.images == b.images));
    }
}
