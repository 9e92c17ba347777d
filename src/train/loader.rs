//! Training and test batches. Images, distortions, crops and flips are a function of (seed, step), so that a run can resume at any step
//! and no batch depends on threads.

use super::image_cache::ImageCache;
use super::soft_targets::mix;
use crate::attribute::COUNT;
use crate::config::{Crop, ImagePolicy};
use crate::error::Result;
use crate::random;
use candle_core::{Device, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Independent streams of random numbers.
const ORDER: u64 = 1;
const CROPS: u64 = 2;

/// The seed of order, crops and flips of a correlation net that trains on a frozen FLN, from the run's. With the run's own
/// seed it would end on the batches that the FLN saw last, which it fits best.
pub(super) fn frozen_seed(seed: u64) -> u64 {
    random::generator(seed, &[random::name("frozen-fln")]).random()
}

/// Batches that are prepared ahead of the device.
const PREFETCH: usize = 3;

/// One batch on the CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Indices of the images in their cache.
    pub images: Vec<usize>,
    side: usize,
    /// `[3, batch, side, side]`, 0 to 255.
    pixels: Vec<f32>,
    /// One-hot or soft, `[40, 2, batch]`; zeros for a label that is not known.
    pub(super) targets: Vec<f32>,
}

impl Batch {
    /// Pixels `[3, batch, side, side]` and targets `[40, 2, batch]`, f32 on `device`. Targets are one-hot or soft, and zeros for
    /// a label that is not known.
    pub fn tensors(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let pixels = Tensor::from_slice(&self.pixels, (3, self.images.len(), self.side, self.side), device)?;
        Ok((pixels, target_tensor(&self.targets, device)?))
    }

    /// The images in reverse order.
    fn reversed(&self) -> Self {
        let images = self.images.iter().rev().copied().collect();
        let plane = self.side * self.side;
        let channels = self.pixels.chunks_exact(self.images.len() * plane);
        let pixels = channels.flat_map(|channel| channel.chunks_exact(plane).rev().flatten().copied()).collect();
        let rows = self.targets.chunks_exact(self.images.len());
        Self { images, side: self.side, pixels, targets: rows.flat_map(|row| row.iter().rev().copied()).collect() }
    }
}

/// Targets as a tensor `[40, 2, batch]`.
pub(super) fn target_tensor(values: &[f32], device: &Device) -> Result<Tensor> {
    Ok(Tensor::from_slice(values, (COUNT, 2, values.len() / (COUNT * 2)), device)?)
}

/// The offset of a crop, whether the crop is flipped, and the distortion before it.
#[derive(Debug, Clone, Copy)]
struct CropFlip {
    left: usize,
    top: usize,
    flip: bool,
    /// The epoch whose distortions apply, if the images are distorted anew in each; the undistorted image if `None`.
    epoch: Option<usize>,
}

/// Makes batches of cached images.
pub struct DataLoader<'a> {
    /// The images.
    pub images: &'a ImageCache<'a>,
    /// Side of the network's input in pixels.
    pub input_size: usize,
    /// Crops and flips in training.
    pub policy: &'a ImagePolicy,
    /// Images of a batch over all ranks.
    pub batch_size: usize,
    /// The positions in a batch that this process computes.
    pub local: Range<usize>,
    /// Seed of order, crops and flips.
    pub seed: u64,
}

impl DataLoader<'_> {
    /// The images of training step `step` on all ranks. Every epoch visits each image once, in its own order.
    pub(super) fn order(&self, step: usize) -> Vec<usize> {
        let count = self.images.len();
        let positions = step * self.batch_size..(step + 1) * self.batch_size;
        let epoch_of = |position: usize| position / count;
        let mut images = Vec::with_capacity(self.batch_size);
        for epoch in epoch_of(positions.start)..=epoch_of(positions.end - 1) {
            let mut order: Vec<usize> = (0..count).collect();
            order.shuffle(&mut random::generator(self.seed, &[ORDER, epoch as u64]));
            let first = epoch * count;
            let in_epoch = positions.clone().filter(|position| epoch_of(*position) == epoch);
            images.extend(in_epoch.map(|position| order[position - first]));
        }
        images
    }

    fn crop_flip(&self, position: usize) -> CropFlip {
        let mut random = random::generator(self.seed, &[CROPS, position as u64]);
        let margin = self.policy.resize - self.input_size;
        let mut offset = || match self.policy.crop {
            Crop::Centre => margin / 2,
            Crop::Random => random.random_range(0..=margin),
        };
        let (left, top) = (offset(), offset());
        let epoch = Some(position / self.images.len());
        CropFlip { left, top, flip: self.policy.flip && random.random_bool(0.5), epoch }
    }

    /// The images at `positions` of the batch of `step`, with their crops and flips.
    fn at(&self, step: usize, positions: impl Iterator<Item = usize> + Clone) -> (Vec<usize>, Vec<CropFlip>) {
        let order = self.order(step);
        let crops = positions.clone().map(|position| self.crop_flip(step * self.batch_size + position));
        (positions.map(|position| order[position]).collect(), crops.collect())
    }

    /// The local batch of training step `step`.
    pub fn training_batch(&self, step: usize) -> Result<Batch> {
        let (images, crops) = self.at(step, self.local.clone());
        self.assemble(images, &crops)
    }

    /// Like [`DataLoader::training_batch`], with mixup (Zhang et al. 2018): `share` of each image and its targets, and the
    /// rest of the image at the same position from the end of the whole batch, as in timm.
    pub(super) fn mixed_batch(&self, step: usize, share: f64) -> Result<Batch> {
        let mut batch = self.training_batch(step)?;
        let other = if self.local.len() == self.batch_size {
            batch.reversed()
        } else {
            let (images, crops) = self.at(step, self.local.clone().map(|position| self.batch_size - 1 - position));
            self.assemble(images, &crops)?
        };
        mix(&mut batch.pixels, &other.pixels, share);
        mix(&mut batch.targets, &other.targets, share);
        Ok(batch)
    }

    /// The images of [`DataLoader::training_batch`], each with whether it is flipped, and their targets `[40, 2, batch]`.
    /// With center crops and known features, a step needs nothing else.
    pub fn flip_indices(&self, step: usize) -> (Vec<(usize, bool)>, Vec<f32>) {
        let (images, crops) = self.at(step, self.local.clone());
        let targets = self.targets(&images);
        (images.into_iter().zip(crops.iter().map(|crop| crop.flip)).collect(), targets)
    }

    /// Center crops of the images `range`, all flipped or none.
    pub fn center_crop_batch(&self, range: Range<usize>, flip: bool) -> Result<Batch> {
        let margin = (self.policy.resize - self.input_size) / 2;
        let center = CropFlip { left: margin, top: margin, flip, epoch: None };
        let crops = vec![center; range.len()];
        self.assemble(range.collect(), &crops)
    }

    /// One-hot, `[40, 2, batch]`; zeros for a label that is not known, so that it has neither loss nor gradient.
    fn targets(&self, images: &[usize]) -> Vec<f32> {
        let mut targets = vec![0.0; COUNT * 2 * images.len()];
        for (position, image) in images.iter().enumerate() {
            let known = self.images.labels(*image).iter().enumerate().filter_map(|(i, label)| Some((i, (*label)?)));
            for (attribute, positive) in known {
                targets[(2 * attribute + usize::from(positive)) * images.len() + position] = 1.0;
            }
        }
        targets
    }

    fn assemble(&self, images: Vec<usize>, crops: &[CropFlip]) -> Result<Batch> {
        let (batch, side) = (images.len(), self.input_size);
        let plane = side * side;
        let mut pixels = vec![0.0; 3 * batch * plane];
        let targets = self.targets(&images);
        let (red, rest) = pixels.split_at_mut(batch * plane);
        let (green, blue) = rest.split_at_mut(batch * plane);
        red.par_chunks_exact_mut(plane)
            .zip(green.par_chunks_exact_mut(plane))
            .zip(blue.par_chunks_exact_mut(plane))
            .zip(images.par_iter().zip(crops))
            .try_for_each(|(((red, green), blue), (image, crop_flip))| {
                let planes = [red, green, blue];
                let distortion = crop_flip.epoch.map(|epoch| (self.seed, epoch));
                self.images
                    .with_pixels(*image, distortion, |from| crop(from, self.policy.resize, *crop_flip, side, planes))
            })?;
        Ok(Batch { images, side, pixels, targets })
    }
}

/// Calls `consume` with each of `items`, and with the time that it waited for it. A second thread computes up to
/// four items ahead: three that wait, and the next one. Ends early if `consume` breaks.
///
/// # Errors
/// That of an item, or of `consume`.
pub fn prefetch<T: Send>(
    items: impl Iterator<Item = Result<T>> + Send,
    mut consume: impl FnMut(T, Duration) -> Result<ControlFlow<()>>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(PREFETCH);
        scope.spawn(move || {
            for item in items {
                // Sending fails if no more are wanted.
                if sender.send(item).is_err() {
                    return;
                }
            }
        });
        loop {
            let started = Instant::now();
            let Ok(item) = receiver.recv() else { return Ok(()) };
            if consume(item?, started.elapsed())?.is_break() {
                return Ok(());
            }
        }
    })
}

/// Crops a square of `side` pixels from an interleaved RGB image of `width`, into one plane for each channel.
fn crop(from: &[u8], width: usize, crop: CropFlip, side: usize, planes: [&mut [f32]; 3]) {
    for (channel, plane) in planes.into_iter().enumerate() {
        for (row, line) in plane.chunks_exact_mut(side).enumerate() {
            let start = 3 * ((crop.top + row) * width + crop.left);
            let source = from[start..start + 3 * side].iter().skip(channel).step_by(3);
            if crop.flip {
                line.iter_mut().rev().zip(source).for_each(|(to, from)| *to = f32::from(*from));
            } else {
                line.iter_mut().zip(source).for_each(|(to, from)| *to = f32::from(*from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::image_cache::LabelledImages;
    use super::*;
    use crate::attribute::ImageLabels;
    use crate::progress::Progress;
    use std::collections::BTreeSet;

    struct Numbered;

    impl LabelledImages for Numbered {
        fn labels(&self, row: usize) -> &ImageLabels {
            if row.is_multiple_of(2) { &[Some(true); COUNT] } else { &[Some(false); COUNT] }
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            Ok((0..3 * side * side).map(|i| (row * 7 + i) as u8).collect())
        }
    }

    const POLICY: ImagePolicy = ImagePolicy { resize: 12, crop: Crop::Random, flip: true };

    fn training(step: usize) -> Batch {
        local(step, 0..4)
    }

    fn local(step: usize, local: Range<usize>) -> Batch {
        let cache = ImageCache::new(&Numbered, (0..10).collect(), 12, "", &Progress::new(true)).unwrap();
        let loader = DataLoader { images: &cache, input_size: 8, policy: &POLICY, batch_size: 4, local, seed: 3 };
        loader.training_batch(step).unwrap()
    }

    #[test]
    fn local_batches_are_parts_of_the_whole_batch() {
        let (whole, parts) = (training(7), [local(7, 0..2), local(7, 2..4)]);
        assert_eq!(whole.images, [&*parts[0].images, &*parts[1].images].concat());
        let plane = 8 * 8;
        for channel in 0..3 {
            let of = |batch: &Batch| {
                batch.pixels[channel * batch.images.len() * plane..][..batch.images.len() * plane].to_vec()
            };
            assert!(of(&whole) == [of(&parts[0]), of(&parts[1])].concat());
        }
    }

    #[test]
    fn a_frozen_fln_has_its_batches_in_another_order_with_other_crops() {
        let cache = ImageCache::new(&Numbered, (0..10).collect(), 12, "", &Progress::new(true)).unwrap();
        let batches = |seed| {
            let local = 0..4;
            let loader = DataLoader { images: &cache, input_size: 8, policy: &POLICY, batch_size: 4, local, seed };
            (0..5).map(|step| loader.flip_indices(step).0).collect::<Vec<_>>()
        };
        let (trunk, frozen) = (batches(3), batches(frozen_seed(3)));
        assert_eq!(frozen, batches(frozen_seed(3)));
        for (trunk, frozen) in trunk.iter().zip(&frozen) {
            let images = |batch: &[(usize, bool)]| batch.iter().map(|(image, _)| *image).collect::<Vec<_>>();
            assert_ne!(images(trunk), images(frozen));
        }
        assert_ne!(frozen_seed(3), frozen_seed(4));
    }

    #[test]
    fn mixtures_are_those_of_the_whole_batch_on_every_rank() {
        // Mixed images with other labels.
        let differ = |step: &usize| training(*step).images[1..3].iter().map(|image| image % 2).sum::<usize>() == 1;
        let step = (0..50).find(differ).unwrap();
        let mixed = |local: Range<usize>| {
            let cache = ImageCache::new(&Numbered, (0..10).collect(), 12, "", &Progress::new(true)).unwrap();
            let loader = DataLoader { images: &cache, input_size: 8, policy: &POLICY, batch_size: 4, local, seed: 3 };
            loader.mixed_batch(step, 0.25).unwrap()
        };
        let (whole, plain) = (mixed(0..4), training(step));
        let at = |batch: &Batch, image: usize| batch.pixels[image * 64 + 5];
        let expected = 0.25 * at(&plain, 1) + 0.75 * at(&plain, 2);
        assert!((at(&whole, 1) - expected).abs() < 1e-3 && whole.images == plain.images);
        assert!(plain.targets != whole.targets);
        let sums = whole.targets[..8].chunks(4).collect::<Vec<_>>();
        assert!(sums[0].iter().zip(sums[1]).all(|(no, yes)| (no + yes - 1.0).abs() < 1e-6));
        let parts = [mixed(0..2), mixed(2..4)];
        for (image, (part, position)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
            assert!(at(&whole, image).to_bits() == at(&parts[part], position).to_bits());
            assert!(whole.targets[image].to_bits() == parts[part].targets[position].to_bits());
        }
    }

    #[test]
    fn an_epoch_visits_every_image_once() {
        let seen: Vec<usize> = (0..5).flat_map(|step| training(step).images).collect();
        assert_eq!(seen[..10].iter().collect::<BTreeSet<_>>().len(), 10);
        assert_eq!(seen[10..].iter().collect::<BTreeSet<_>>().len(), 10);
        assert_ne!(seen[..10], seen[10..]);
    }

    #[test]
    fn a_batch_is_the_same_for_any_number_of_threads() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (0..4).map(training).collect::<Vec<_>>())
        };
        let one = on(1);
        assert_eq!(one, on(2));
        assert_eq!(one, on(7));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "pixels are copied, not computed")]
    fn a_flipped_crop_is_the_crop_read_from_the_right() {
        let image = Numbered.pixels(1, 12).unwrap();
        let take = |flip| {
            let mut planes = vec![0.0; 3 * 64];
            let (red, rest) = planes.split_at_mut(64);
            let (green, blue) = rest.split_at_mut(64);
            crop(&image, 12, CropFlip { left: 1, top: 2, flip, epoch: None }, 8, [red, green, blue]);
            planes
        };
        let (plain, flipped) = (take(false), take(true));
        assert_eq!(plain[0], f32::from(image[3 * (2 * 12 + 1)]));
        for (plain, flipped) in plain.chunks(8).zip(flipped.chunks(8)) {
            assert!(plain.iter().eq(flipped.iter().rev()));
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "ones and zeros are set, not computed")]
    fn a_target_is_one_at_its_class_and_zero_at_the_other() {
        let batch = training(0);
        for (position, image) in batch.images.iter().enumerate() {
            let positive = usize::from(image.is_multiple_of(2));
            for attribute in 0..COUNT {
                let at = |class: usize| batch.targets[(2 * attribute + class) * batch.images.len() + position];
                assert_eq!((at(positive), at(1 - positive)), (1.0, 0.0));
            }
        }
    }

    #[test]
    fn waiting_for_a_slow_loader_is_measured() {
        let slow = Duration::from_millis(20);
        let mut waited = Vec::new();
        let items = (3..6).map(|step| {
            std::thread::sleep(slow);
            Ok(step)
        });
        let mut steps = 3..6;
        prefetch(items, |item, waiting| {
            assert_eq!(steps.next(), Some(item));
            waited.push(waiting);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        // Timers may be coarse: only the order of magnitude counts.
        assert!(waited.len() == 3 && waited.iter().sum::<Duration>() > slow, "{waited:?}");
    }
}
