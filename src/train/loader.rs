//! Batches: which images, cropped and mirrored how, is a function of (seed, step), so that a run goes on anywhere and
//! no batch depends on threads. A thread of its own keeps a few batches ahead of the device.

use crate::attribute::COUNT;
use crate::config::{Crop, ImagePolicy};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::random;
use candle_core::{Device, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Streams of random numbers that must not meet.
const ORDER: u64 = 1;
const CROPS: u64 = 2;

/// Decoded images up to this many bytes are kept in memory.
const RESIDENT_BYTES: usize = 3 << 30;

/// Batches made ahead of the device.
const AHEAD: usize = 3;

/// Labelled images, however they are stored.
pub trait LabelledImages: Sync {
    /// The labels of image `row`, in the order of [`crate::attribute::NAMES`].
    fn labels(&self, row: usize) -> &[bool; COUNT];
    /// Image `row` as `side x side` RGB, `3 * side * side` bytes.
    fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>>;
}

/// Some images of a set, decoded once where memory allows.
pub struct ImageCache<'a> {
    faces: &'a dyn LabelledImages,
    rows: Vec<usize>,
    side: usize,
    resident: Option<Vec<u8>>,
}

impl<'a> ImageCache<'a> {
    /// The images `rows`, brought to `side` pixels.
    pub fn new(
        faces: &'a dyn LabelledImages,
        rows: Vec<usize>,
        side: usize,
        title: &str,
        progress: &Progress,
    ) -> Result<Self> {
        let size = 3 * side * side;
        let mut cache = Self { faces, rows, side, resident: None };
        if cache.rows.len() * size <= RESIDENT_BYTES {
            let bar = progress.bar(title, "images", cache.rows.len());
            let mut pixels = vec![0; cache.rows.len() * size];
            pixels.par_chunks_exact_mut(size).zip(&cache.rows).try_for_each(|(to, row)| {
                to.copy_from_slice(&faces.pixels(*row, side)?);
                bar.advance(1);
                Ok::<(), Error>(())
            })?;
            bar.finish();
            cache.resident = Some(pixels);
        }
        Ok(cache)
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of the set that the images are.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    fn with<R>(&self, index: usize, work: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match &self.resident {
            Some(pixels) => {
                let size = 3 * self.side * self.side;
                Ok(work(&pixels[index * size..(index + 1) * size]))
            }
            None => Ok(work(&self.faces.pixels(self.rows[index], self.side)?)),
        }
    }
}

/// One batch, on the CPU until [`Batch::tensors`].
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Indices among the preloaded images.
    pub images: Vec<usize>,
    side: usize,
    /// `[3, batch, side, side]`, 0 to 255.
    pixels: Vec<f32>,
    /// One-hot, `[40, 2, batch]`.
    targets: Vec<f32>,
}

impl Batch {
    /// Pixels `[3, batch, side, side]` and one-hot targets `[40, 2, batch]`, f32 on `device`.
    pub fn tensors(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let pixels = Tensor::from_slice(&self.pixels, (3, self.images.len(), self.side, self.side), device)?;
        Ok((pixels, targets(&self.targets, device)?))
    }
}

/// One-hot targets as a tensor `[40, 2, batch]`.
pub(super) fn targets(values: &[f32], device: &Device) -> Result<Tensor> {
    Ok(Tensor::from_slice(values, (COUNT, 2, values.len() / (COUNT * 2)), device)?)
}

/// Where an image is cut and whether it is mirrored.
#[derive(Debug, Clone, Copy)]
struct View {
    left: usize,
    top: usize,
    mirrored: bool,
}

/// Makes batches of preloaded images.
pub struct DataLoader<'a> {
    /// Where the images come from.
    pub images: &'a ImageCache<'a>,
    /// Side of the network's input.
    pub input: usize,
    /// Crop and mirroring in training.
    pub policy: &'a ImagePolicy,
    /// Images a batch.
    pub size: usize,
    /// The places of a batch that are computed here: all of them, or a rank's share.
    pub own: Range<usize>,
    /// Seed of order, crops and flips.
    pub seed: u64,
}

impl DataLoader<'_> {
    /// The images of training step `step`, wherever they are computed: every epoch visits each image once, in an order of
    /// its own.
    pub(super) fn order(&self, step: usize) -> Vec<usize> {
        let count = self.images.len();
        let places = step * self.size..(step + 1) * self.size;
        let epoch_of = |place: usize| place / count;
        let mut images = Vec::with_capacity(self.size);
        for epoch in epoch_of(places.start)..=epoch_of(places.end - 1) {
            let mut order: Vec<usize> = (0..count).collect();
            order.shuffle(&mut random::generator(self.seed, &[ORDER, epoch as u64]));
            let first = epoch * count;
            images.extend(places.clone().filter(|place| epoch_of(*place) == epoch).map(|place| order[place - first]));
        }
        images
    }

    fn view(&self, place: usize) -> View {
        let mut random = random::generator(self.seed, &[CROPS, place as u64]);
        let room = self.policy.resize - self.input;
        let mut offset = || match self.policy.crop {
            Crop::Centre => room / 2,
            Crop::Random => random.random_range(0..=room),
        };
        let (left, top) = (offset(), offset());
        View { left, top, mirrored: self.policy.flip && random.random_bool(0.5) }
    }

    /// The images that are computed here, and how they are seen.
    fn own(&self, step: usize) -> (Vec<usize>, Vec<View>) {
        let views = self.own.clone().map(|place| self.view(step * self.size + place));
        (self.order(step)[self.own.clone()].to_vec(), views.collect())
    }

    /// The batch of training step `step`, as far as it is computed here.
    pub fn training(&self, step: usize) -> Result<Batch> {
        let (images, views) = self.own(step);
        self.assemble(images, &views)
    }

    /// The images of [`DataLoader::training`], each with whether it is mirrored, and the one-hot targets `[40, 2, batch]`:
    /// what is left of a batch where every image is cut in the centre and its features are known.
    pub fn mirrored(&self, step: usize) -> (Vec<(usize, bool)>, Vec<f32>) {
        let (images, views) = self.own(step);
        let targets = self.targets(&images);
        (images.into_iter().zip(views.iter().map(|view| view.mirrored)).collect(), targets)
    }

    /// The images `range`, cut in the centre, mirrored or not.
    pub fn centred(&self, range: Range<usize>, mirrored: bool) -> Result<Batch> {
        let margin = (self.policy.resize - self.input) / 2;
        let views: Vec<View> = range.clone().map(|_| View { left: margin, top: margin, mirrored }).collect();
        self.assemble(range.collect(), &views)
    }

    /// One-hot, `[40, 2, batch]`.
    fn targets(&self, images: &[usize]) -> Vec<f32> {
        let mut targets = vec![0.0; COUNT * 2 * images.len()];
        for (place, image) in images.iter().enumerate() {
            let labels = self.images.faces.labels(self.images.rows[*image]);
            for (attribute, positive) in labels.iter().enumerate() {
                targets[(2 * attribute + usize::from(*positive)) * images.len() + place] = 1.0;
            }
        }
        targets
    }

    fn assemble(&self, images: Vec<usize>, views: &[View]) -> Result<Batch> {
        let (batch, side) = (images.len(), self.input);
        let plane = side * side;
        let mut pixels = vec![0.0; 3 * batch * plane];
        let targets = self.targets(&images);
        let (red, rest) = pixels.split_at_mut(batch * plane);
        let (green, blue) = rest.split_at_mut(batch * plane);
        red.par_chunks_exact_mut(plane)
            .zip(green.par_chunks_exact_mut(plane))
            .zip(blue.par_chunks_exact_mut(plane))
            .zip(images.par_iter().zip(views))
            .try_for_each(|(((red, green), blue), (image, view))| {
                self.images.with(*image, |from| cut(from, self.images.side, *view, side, [red, green, blue]))
            })?;
        Ok(Batch { images, side, pixels, targets })
    }
}

/// Calls `work` with what `make` makes of each step in turn, made on another thread ahead of time, and with how long it had
/// to be waited for.
pub(super) fn ahead<T: Send>(
    steps: Range<usize>,
    make: impl Fn(usize) -> Result<T> + Send,
    mut work: impl FnMut(usize, T, Duration) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        let range = steps.clone();
        scope.spawn(move || {
            for step in range {
                // The receiver is gone when training stopped early.
                if sender.send(make(step)).is_err() {
                    return;
                }
            }
        });
        for step in steps {
            let asked = Instant::now();
            let made = receiver.recv().map_err(|_| Error::Internal("the loader stopped".to_owned()))??;
            work(step, made, asked.elapsed())?;
        }
        Ok(())
    })
}

/// Cuts a square of `side` out of an interleaved RGB image of `width`, into one plane a colour.
fn cut(from: &[u8], width: usize, view: View, side: usize, planes: [&mut [f32]; 3]) {
    for (colour, plane) in planes.into_iter().enumerate() {
        for (row, line) in plane.chunks_exact_mut(side).enumerate() {
            let start = 3 * ((view.top + row) * width + view.left);
            let source = from[start..start + 3 * side].iter().skip(colour).step_by(3);
            if view.mirrored {
                line.iter_mut().rev().zip(source).for_each(|(to, from)| *to = f32::from(*from));
            } else {
                line.iter_mut().zip(source).for_each(|(to, from)| *to = f32::from(*from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    struct Numbered;

    impl LabelledImages for Numbered {
        fn labels(&self, row: usize) -> &[bool; COUNT] {
            if row.is_multiple_of(2) { &[true; COUNT] } else { &[false; COUNT] }
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            Ok((0..3 * side * side).map(|i| (row * 7 + i) as u8).collect())
        }
    }

    const POLICY: ImagePolicy = ImagePolicy { resize: 12, crop: Crop::Random, flip: true };

    fn training(step: usize) -> Batch {
        part(step, 0..4)
    }

    fn part(step: usize, own: Range<usize>) -> Batch {
        let cache = ImageCache::new(&Numbered, (0..10).collect(), 12, "", &Progress::new(true)).unwrap();
        DataLoader { images: &cache, input: 8, policy: &POLICY, size: 4, own, seed: 3 }.training(step).unwrap()
    }

    #[test]
    fn shares_of_a_batch_are_its_places() {
        let (whole, parts) = (training(7), [part(7, 0..2), part(7, 2..4)]);
        assert_eq!(whole.images, [&*parts[0].images, &*parts[1].images].concat());
        let plane = 8 * 8;
        for colour in 0..3 {
            let of = |batch: &Batch| {
                batch.pixels[colour * batch.images.len() * plane..][..batch.images.len() * plane].to_vec()
            };
            assert!(of(&whole) == [of(&parts[0]), of(&parts[1])].concat());
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
    fn a_mirrored_cut_is_the_cut_read_from_the_right() {
        let image = Numbered.pixels(1, 12).unwrap();
        let take = |mirrored| {
            let mut planes = vec![0.0; 3 * 64];
            let (red, rest) = planes.split_at_mut(64);
            let (green, blue) = rest.split_at_mut(64);
            cut(&image, 12, View { left: 1, top: 2, mirrored }, 8, [red, green, blue]);
            planes
        };
        let (plain, mirrored) = (take(false), take(true));
        assert_eq!(plain[0], f32::from(image[3 * (2 * 12 + 1)]));
        for (plain, mirrored) in plain.chunks(8).zip(mirrored.chunks(8)) {
            assert!(plain.iter().eq(mirrored.iter().rev()));
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "ones and zeros are set, not computed")]
    fn a_target_is_one_at_its_class_and_zero_at_the_other() {
        let batch = training(0);
        for (place, image) in batch.images.iter().enumerate() {
            let positive = usize::from(image.is_multiple_of(2));
            for attribute in 0..COUNT {
                let at = |class: usize| batch.targets[(2 * attribute + class) * batch.images.len() + place];
                assert_eq!((at(positive), at(1 - positive)), (1.0, 0.0));
            }
        }
    }

    #[test]
    fn waiting_for_a_slow_loader_is_measured() {
        let slow = Duration::from_millis(20);
        let mut waited = Vec::new();
        let make = |step: usize| {
            std::thread::sleep(slow);
            Ok(step)
        };
        ahead(3..6, make, |step, made, waiting| {
            assert_eq!(step, made);
            waited.push(waiting);
            Ok(())
        })
        .unwrap();
        // Timers may be coarse; what matters is that it is of this order.
        assert!(waited.len() == 3 && waited.iter().sum::<Duration>() > slow, "{waited:?}");
    }
}
