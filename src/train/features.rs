//! What a frozen backbone makes of every training image, and of its mirror image: computed once and kept in a file, so
//! that a correlation net on top of it never runs the backbone again.

use super::learner::Learner;
use super::loader::{DataLoader, ahead};
use crate::config::{Crop, ImagePolicy};
use crate::error::{Error, Result};
use crate::progress::Progress;
use candle_core::{Device, Tensor};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of an f32.
const FLOAT: usize = 4;

/// The backbone's last maps, f32 little-endian `[image, c, h, w]`, all images and then all mirror images.
pub(super) struct Features {
    /// Without a name: gone when the process is, whatever ends it.
    file: File,
    folder: PathBuf,
    images: usize,
    /// `[c, h, w]`.
    shape: [usize; 3],
}

/// How many pictures a frozen backbone would have to see once, where that is less work than seeing the batches of all
/// steps. Crops at random places show it too many different ones.
pub(super) fn pictures(policy: &ImagePolicy, images: usize, seen: usize) -> Option<usize> {
    let pictures = if policy.flip { 2 * images } else { images };
    (policy.crop == Crop::Centre && pictures < seen).then_some(pictures)
}

impl Features {
    /// Runs the backbone of `learner` over all images of `loader`.
    pub(super) fn compute(
        learner: &Learner,
        loader: &DataLoader,
        folder: &Path,
        device: &Device,
        progress: &Progress,
    ) -> Result<Self> {
        let images = loader.images.len();
        let passes = if loader.policy.flip { 2 } else { 1 };
        let (chunk, chunks) = (loader.own.len(), images.div_ceil(loader.own.len()));
        let file = tempfile::tempfile_in(folder).map_err(Error::io("write a file in", folder))?;
        let mut writer = BufWriter::new(&file);
        let mut shape = [0; 3];
        let bar = progress.bar("Features of the frozen backbone", "images", passes * images);
        let range = |place: usize| place * chunk..((place + 1) * chunk).min(images);
        ahead(
            0..passes * chunks,
            |place| loader.centred(range(place % chunks), place >= chunks),
            |_, batch, _| {
                let (pixels, _) = batch.tensors(device)?;
                let maps = learner.features(&pixels)?.transpose(0, 1)?.contiguous()?;
                let (count, c, h, w) = maps.dims4()?;
                shape = [c, h, w];
                let bytes: Vec<u8> =
                    maps.flatten_all()?.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect();
                writer.write_all(&bytes).map_err(Error::io("write a file in", folder))?;
                bar.advance(count);
                Ok(())
            },
        )?;
        writer.flush().map_err(Error::io("write a file in", folder))?;
        drop(writer);
        bar.finish();
        Ok(Self { file, folder: folder.to_path_buf(), images, shape })
    }

    /// The features `[c, batch, h, w]` of images, each mirrored or not, as the backbone itself would give them.
    pub(super) fn batch(&self, images: &[(usize, bool)]) -> Result<Tensor> {
        let [c, h, w] = self.shape;
        let (plane, count) = (h * w, images.len());
        let mut values = vec![0.0_f32; c * count * plane];
        let mut bytes = vec![0; c * plane * FLOAT];
        for (place, (image, mirrored)) in images.iter().enumerate() {
            let item = image + if *mirrored { self.images } else { 0 };
            let mut file = &self.file;
            file.seek(SeekFrom::Start((item * bytes.len()) as u64))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(Error::io("read a file in", &self.folder))?;
            for (channel, map) in bytes.chunks_exact(plane * FLOAT).enumerate() {
                let to = &mut values[(channel * count + place) * plane..][..plane];
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
    use super::*;
    use crate::attribute::COUNT;
    use crate::config::Profile;
    use crate::model::Backend;
    use crate::random;
    use crate::train::{ImageCache, LabelledImages, shared_runs};
    use crate::variant::Variant;
    use rand::RngExt;

    struct Noise;

    impl LabelledImages for Noise {
        fn labels(&self, row: usize) -> &[bool; COUNT] {
            if row.is_multiple_of(3) { &[true; COUNT] } else { &[false; COUNT] }
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            let mut random = random::generator(7, &[row as u64]);
            Ok((0..3 * side * side).map(|_| random.random()).collect())
        }
    }

    #[test]
    fn features_computed_once_are_those_of_every_step_to_the_last_bit() {
        let mut profile = Profile::load("quick").unwrap();
        profile.images.crop = Crop::Centre;
        let plan = shared_runs(&[Variant::named("gal-c").unwrap()], &profile).remove(0);
        let learner =
            Learner::new(&profile.network, &plan, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        let quiet = Progress::new(true);
        let images = ImageCache::new(&Noise, (0..21).collect(), profile.images.resize, "", &quiet).unwrap();
        let loader = DataLoader {
            images: &images,
            input: profile.network.input_size,
            policy: &profile.images,
            size: 8,
            own: 0..8,
            seed: 1,
        };
        let folder = tempfile::tempdir().unwrap();
        let features = Features::compute(&learner, &loader, folder.path(), &Device::Cpu, &quiet).unwrap();
        for step in 0..6 {
            let (drawn, targets) = loader.mirrored(step);
            let (pixels, plain_targets) = loader.training(step).unwrap().tensors(&Device::Cpu).unwrap();
            let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(flat(&features.batch(&drawn).unwrap()) == flat(&learner.features(&pixels).unwrap()), "step {step}");
            assert!(targets == flat(&plain_targets), "step {step}");
        }
    }

    #[test]
    fn a_frozen_backbone_sees_all_pictures_once_only_where_that_is_less() {
        let policy = |crop, flip| ImagePolicy { resize: 9, crop, flip };
        assert_eq!(pictures(&policy(Crop::Centre, true), 100, 201), Some(200));
        assert_eq!(pictures(&policy(Crop::Centre, false), 100, 201), Some(100));
        assert_eq!(pictures(&policy(Crop::Centre, true), 100, 200), None);
        assert_eq!(pictures(&policy(Crop::Random, true), 100, 1_000_000), None);
    }
}
