//! Recomputes the running statistics of batch norm, as PyTorch's `torch.optim.swa_utils.update_bn`.

use super::learner::Learner;
use super::loader::DataLoader;
use crate::error::Result;
use crate::model::Mode;
use candle_core::Device;
use std::ops::Range;

impl Learner {
    /// Sets the running statistics to the plain means of the statistics of the loader's training batches `steps`, with the
    /// present weights. A frozen feature net keeps its own.
    pub(super) fn update_bn(&mut self, loader: &DataLoader, steps: Range<usize>, device: &Device) -> Result<()> {
        if self.is_frozen() {
            return Ok(());
        }
        let decay = self.feature_net.bn_decay();
        // The other ranks do not take part.
        let ranks = self.feature_net.set_ranks(None);
        for (seen, step) in steps.enumerate() {
            let (pixels, _) = loader.training_batch(step)?.tensors(device)?;
            self.feature_net.set_bn_decay(seen as f64 / (seen + 1) as f64);
            self.feature_net.forward(&pixels, Mode::Train, false)?;
        }
        self.feature_net.set_bn_decay(decay);
        self.feature_net.set_ranks(ranks);
        Ok(())
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
    use crate::progress::Progress;
    use crate::random;
    use crate::variant::Variant;
    use rand::RngExt;

    struct Noise;

    impl LabelledImages for Noise {
        fn labels(&self, _: usize) -> &ImageLabels {
            &[Some(false); COUNT]
        }

        fn pixels(&self, row: usize, side: usize) -> Result<Vec<u8>> {
            let mut random = random::generator(7, &[row as u64]);
            Ok((0..3 * side * side).map(|_| random.random_range(0..=20 * row as u8)).collect())
        }
    }

    #[test]
    fn statistics_are_the_means_of_those_of_the_batches() {
        let mut profile = Profile::load("quick").unwrap();
        profile.network.widths = [4; 5];
        let run = shared_runs(&[Variant::named("baseline").unwrap()], &profile).remove(0);
        let mut learner =
            Learner::new(&profile.network, &run, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        let (side, quiet) = (profile.images.resize, Progress::new(true));
        let images = ImageCache::new(&Noise, (0..12).collect(), side, "", &quiet).unwrap();
        let loader = DataLoader {
            images: &images,
            input_size: profile.network.input_size,
            policy: &profile.images,
            batch_size: 4,
            local: 0..4,
            seed: 1,
        };
        let running =
            |learner: &Learner, name: &str| -> Vec<f32> { learner.feature_net.running()[name].to_vec1().unwrap() };
        for name in ["data_bn.running_mean", "branch.bn.running_var"] {
            let of_batch = |learner: &mut Learner, step: usize| {
                learner.update_bn(&loader, step..step + 1, &Device::Cpu).unwrap();
                running(learner, name)
            };
            let single: Vec<Vec<f32>> = (5..8).map(|step| of_batch(&mut learner, step)).collect();
            learner.update_bn(&loader, 5..8, &Device::Cpu).unwrap();
            for (channel, found) in running(&learner, name).into_iter().enumerate() {
                let expected = single.iter().map(|batch| batch[channel]).sum::<f32>() / 3.0;
                assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1e-3), "{name}: {found} for {expected}");
            }
        }
        assert!((learner.feature_net.bn_decay() - profile.network.bn_decay).abs() < 1e-12);
    }
}
