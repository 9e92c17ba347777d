//! Features of a frozen backbone for all training images and their flipped copies, computed once and stored in a temporary
//! file. Training a correlation net then never runs the backbone.

use super::learner::Learner;
use super::loader::{DataLoader, prefetch};
use crate::config::{Crop, ImagePolicy};
use crate::error::{Error, Result};
use crate::progress::Progress;
use candle_core::{Device, Tensor};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Bytes of an f32.
const FLOAT: usize = 4;

/// The backbone's last maps, f32 little-endian `[image, c, h, w]`: all images, then all flipped images.
pub(super) struct Features {
    /// Unlinked, so the system removes it however the process ends.
    file: File,
    folder: PathBuf,
    images: usize,
    /// `[c, h, w]`.
    shape: [usize; 3],
}

/// The number of forward passes that compute all features; `None` unless it is less than the `passes` of all steps. With
/// random crops the features of an image are not reused.
pub(super) fn forward_passes(policy: &ImagePolicy, images: usize, passes: usize) -> Option<usize> {
    let needed = if policy.flip { 2 * images } else { images };
    (policy.crop == Crop::Centre && needed < passes).then_some(needed)
}

impl Features {
    /// Runs the backbone of `learner` on all images of `loader`.
    pub(super) fn compute(
        learner: &Learner,
        loader: &DataLoader,
        folder: &Path,
        device: &Device,
        progress: &Progress,
    ) -> Result<Self> {
        let images = loader.images.len();
        let passes = if loader.policy.flip { 2 } else { 1 };
        let (chunk, chunks) = (loader.local.len(), images.div_ceil(loader.local.len()));
        let file = tempfile::tempfile_in(folder).map_err(Error::io("write a file in", folder))?;
        let mut writer = BufWriter::new(&file);
        let mut shape = [0; 3];
        let bar = progress.bar("Computing features of the frozen backbone", "images", passes * images);
        let range = |index: usize| index * chunk..((index + 1) * chunk).min(images);
        prefetch(
            (0..passes * chunks).map(|index| loader.center_crop_batch(range(index % chunks), index >= chunks)),
            |batch, _| {
                let (pixels, _) = batch.tensors(device)?;
                let maps = learner.features(&pixels)?.transpose(0, 1)?.contiguous()?;
                let (count, c, h, w) = maps.dims4()?;
                shape = [c, h, w];
                let bytes: Vec<u8> =
                    maps.flatten_all()?.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect();
                writer.write_all(&bytes).map_err(Error::io("write a file in", folder))?;
                bar.advance(count);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        writer.flush().map_err(Error::io("write a file in", folder))?;
        drop(writer);
        bar.finish();
        Ok(Self { file, folder: folder.to_path_buf(), images, shape })
    }

    /// The features `[c, batch, h, w]` of images, each flipped or not, bit-identical to the backbone's.
    pub(super) fn batch(&self, images: &[(usize, bool)]) -> Result<Tensor> {
        let [c, h, w] = self.shape;
        let (plane, count) = (h * w, images.len());
        let mut values = vec![0.0_f32; c * count * plane];
        let mut bytes = vec![0; c * plane * FLOAT];
        for (position, (image, flipped)) in images.iter().enumerate() {
            let item = image + if *flipped { self.images } else { 0 };
            let mut file = &self.file;
            file.seek(SeekFrom::Start((item * bytes.len()) as u64))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(Error::io("read a file in", &self.folder))?;
            for (channel, map) in bytes.chunks_exact(plane * FLOAT).enumerate() {
                let to = &mut values[(channel * count + position) * plane..][..plane];
                for (to, from) in to.iter_mut().zip(map.as_chunks().0) {
                    *to = f32::from_le_bytes(*from);
                }
            }
        }
        Ok(Tensor::from_vec(values, (c, count, h, w), &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::image_cache::{ImageCache, LabelledImages};
    use super::super::shared_run::shared_runs;
    use super::*;
    use crate::attribute::{COUNT, ImageLabels};
    use crate::config::Profile;
    use crate::model::Backend;
    use crate::random;
    use crate::variant::Variant;
    use rand::RngExt;

    struct Noise;

    impl LabelledImages for Noise {
        fn labels(&self, row: usize) -> &ImageLabels {
            if row.is_multiple_of(3) { &[Some(true); COUNT] } else { &[Some(false); COUNT] }
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            let mut random = random::generator(7, &[row as u64]);
            Ok((0..3 * side * side).map(|_| random.random()).collect())
        }
    }

    #[test]
    fn stored_features_equal_those_of_every_step_bit_for_bit() {
        let mut profile = Profile::load("quick").unwrap();
        profile.images.crop = Crop::Centre;
        let run = shared_runs(&[Variant::named("gal-c").unwrap()], &profile).remove(0);
        let learner =
            Learner::new(&profile.network, &run, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        let quiet = Progress::new(true);
        let images = ImageCache::new(&Noise, (0..21).collect(), profile.images.resize, "", &quiet).unwrap();
        let loader = DataLoader {
            images: &images,
            input_size: profile.network.input_size,
            policy: &profile.images,
            batch_size: 8,
            local: 0..8,
            seed: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let features = Features::compute(&learner, &loader, folder.path(), &Device::Cpu, &quiet).unwrap();
        for step in 0..6 {
            let (flips, targets) = loader.flip_indices(step);
            let (pixels, expected_targets) = loader.training_batch(step).unwrap().tensors(&Device::Cpu).unwrap();
            let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(flat(&features.batch(&flips).unwrap()) == flat(&learner.features(&pixels).unwrap()), "step {step}");
            assert!(targets == flat(&expected_targets), "step {step}");
        }
    }

    #[test]
    fn features_are_stored_only_if_that_saves_forward_passes() {
        let policy = |crop, flip| ImagePolicy { resize: 9, crop, flip };
        assert_eq!(forward_passes(&policy(Crop::Centre, true), 100, 201), Some(200));
        assert_eq!(forward_passes(&policy(Crop::Centre, false), 100, 201), Some(100));
        assert_eq!(forward_passes(&policy(Crop::Centre, true), 100, 200), None);
        assert_eq!(forward_passes(&policy(Crop::Random, true), 100, 1_000_000), None);
    }
}
