//! The exponential mean of the weights over the steps: it starts from the initial weights and covers running statistics too,
//! as timm's `ModelEmaV2`. It is validated, tested and stored in place of the weights.

use super::learner::Learner;
use crate::error::{Error, Result};
use crate::nn::average_into;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// Prefix of the mean's tensors in a training state.
const PREFIX: &str = "average/";

/// The mean of a learner's weights.
pub(super) struct WeightAverage {
    /// Largest factor of the old value in an update.
    decay: f64,
    /// By the names of [`Learner::trained`].
    tensors: BTreeMap<String, Tensor>,
}

impl WeightAverage {
    /// A mean that starts with the weights of `learner`.
    pub(super) fn new(learner: &Learner, decay: f64) -> Result<Self> {
        let copy = |(name, variable): (String, candle_core::Var)| Ok((name, variable.as_detached_tensor().copy()?));
        Ok(Self { decay, tensors: learner.trained().into_iter().map(copy).collect::<Result<_>>()? })
    }

    /// `mean = decay * mean + (1 - decay) * weights`, for the weights that `learner` still has after `steps` steps. The first
    /// steps have smaller factors, as TensorFlow's `ExponentialMovingAverage` with `num_updates`: so a short training forgets
    /// the initial weights, too.
    pub(super) fn update(&mut self, learner: &Learner, steps: usize) -> Result<()> {
        let decay = self.decay.min((1 + steps) as f64 / (10 + steps) as f64);
        for (name, variable) in learner.trained() {
            average_into(self.tensor(&name)?, &variable.as_detached_tensor(), decay)?;
        }
        Ok(())
    }

    /// Exchanges the mean and the weights of `learner`.
    pub(super) fn swap(&mut self, learner: &Learner) -> Result<()> {
        for (name, variable) in learner.trained() {
            let mean = self.tensor(&name)?;
            let weights = variable.as_detached_tensor().copy()?;
            variable.set(mean)?;
            *mean = weights;
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str) -> Result<&mut Tensor> {
        self.tensors.get_mut(name).ok_or_else(|| Error::Internal(format!("{name} has no mean")))
    }

    /// The mean for a training state.
    pub(super) fn state_dict(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor.clone()))
    }

    /// Loads what [`WeightAverage::state_dict`] returned.
    pub(super) fn load_state_dict(&mut self, state: &BTreeMap<String, Tensor>, device: &Device) -> Result<()> {
        for (name, own) in &mut self.tensors {
            let stored = state.get(&format!("{PREFIX}{name}")).filter(|stored| stored.shape() == own.shape());
            let missing = || Error::Internal(format!("the training state has no mean of {name}"));
            *own = stored.ok_or_else(missing)?.to_device(device)?.copy()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_run::shared_runs;
    use super::*;
    use crate::config::Profile;
    use crate::model::Backend;
    use crate::variant::Variant;

    /// A learner of a variant, and the first value of each of its weights that training changes.
    fn learner(variant: &str) -> Learner {
        let mut profile = Profile::load("quick").unwrap();
        profile.network.widths = [4; 5];
        let run = shared_runs(&[Variant::named(variant).unwrap()], &profile).remove(0);
        Learner::new(&profile.network, &run, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap()
    }

    fn values(learner: &Learner) -> BTreeMap<String, Vec<f32>> {
        let flat = |variable: candle_core::Var| variable.flatten_all().unwrap().to_vec1().unwrap();
        learner.trained().into_iter().map(|(name, variable)| (name, flat(variable))).collect()
    }

    /// Adds `amount` to every weight.
    fn shift(learner: &Learner, amount: f64) {
        for variable in learner.trained().into_values() {
            variable.set(&(variable.as_detached_tensor() + amount).unwrap()).unwrap();
        }
    }

    #[test]
    fn the_mean_equals_the_one_by_hand_and_swapping_twice_changes_nothing() {
        let learner = learner("gal-j");
        let start = values(&learner);
        assert!(
            ["trunk/branch.fc.weight", "running/data_bn.running_var", "gal-j/cln.fc.bias"]
                .iter()
                .all(|name| start.contains_key(*name))
        );
        let mut average = WeightAverage::new(&learner, 0.75).unwrap();
        shift(&learner, 1.0);
        average.update(&learner, 1).unwrap();
        shift(&learner, 2.0);
        average.update(&learner, 26).unwrap();
        let last = values(&learner);
        // The first factor is 2 / 11: 0.75 * (2 / 11 * 0 + 9 / 11 * 1) + 0.25 * 3.
        let shifted = 0.75 * 9.0 / 11.0 + 0.75;
        average.swap(&learner).unwrap();
        for (name, found) in values(&learner) {
            for (found, start) in found.iter().zip(&start[&name]) {
                assert!((found - start - shifted).abs() < 1e-5, "{name}: {found} from {start}");
            }
        }
        average.swap(&learner).unwrap();
        assert!(values(&learner) == last);
    }

    #[test]
    fn a_loaded_mean_goes_on_as_if_it_had_never_stopped() {
        let learner = learner("gal-j");
        let mut average = WeightAverage::new(&learner, 0.9).unwrap();
        shift(&learner, 0.3);
        average.update(&learner, 100).unwrap();
        let state: BTreeMap<String, Tensor> = average.state_dict().collect();
        let mut resumed = WeightAverage::new(&learner, 0.9).unwrap();
        resumed.load_state_dict(&state, &Device::Cpu).unwrap();
        shift(&learner, 0.5);
        let after = |mut average: WeightAverage| {
            average.update(&learner, 101).unwrap();
            average.swap(&learner).unwrap();
            let values = values(&learner);
            average.swap(&learner).unwrap();
            values
        };
        assert!(after(average) == after(resumed));
    }

    #[test]
    fn a_frozen_feature_net_has_no_mean() {
        assert!(learner("gal-c").trained().keys().all(|name| name.starts_with("gal-c/")));
    }
}
