//! Running statistics of all batch norms of a network.

use super::backend::Mode;
use crate::nn::{Moments, Ranks, Statistics, average_into};
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use std::collections::BTreeMap;

/// `NAME.running_mean` and `NAME.running_var`, `[channels]`, of each batch norm.
#[derive(Debug)]
pub(super) struct RunningStats {
    statistics: BTreeMap<String, Var>,
    /// Factor of the old value in an update.
    decay: f64,
    /// The ranks over whose batches moments are taken in training; `None` for the local batch.
    ranks: Option<Ranks>,
}

impl RunningStats {
    pub(super) fn new(decay: f64) -> Self {
        Self { statistics: BTreeMap::new(), decay, ranks: None }
    }

    pub(super) fn decay(&self) -> f64 {
        self.decay
    }

    pub(super) fn set_decay(&mut self, decay: f64) {
        self.decay = decay;
    }

    pub(super) fn set_ranks(&mut self, ranks: Option<Ranks>) -> Option<Ranks> {
        std::mem::replace(&mut self.ranks, ranks)
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Var> {
        &self.statistics
    }

    /// Adds a batch norm with mean 0 and variance 1.
    pub(super) fn track(&mut self, name: &str, channels: usize, device: &Device) -> Result<()> {
        let (zeros, ones) = (Tensor::zeros(channels, DType::F32, device)?, Tensor::ones(channels, DType::F32, device)?);
        self.statistics.insert(format!("{name}.running_mean"), Var::from_tensor(&zeros)?);
        self.statistics.insert(format!("{name}.running_var"), Var::from_tensor(&ones)?);
        Ok(())
    }

    /// Sets all statistics.
    pub(super) fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, variable) in &self.statistics {
            let Some(tensor) = tensors.get(name) else { bail!("running statistic {name} is missing") };
            variable.set(&tensor.flatten_all()?.to_device(variable.device())?)?;
        }
        Ok(())
    }

    /// Statistics that batch norm `name` normalizes with.
    pub(super) fn of(&self, name: &str, mode: Mode) -> Statistics {
        match mode {
            Mode::Train => self.ranks.clone().map_or(Statistics::Batch, Statistics::Synchronized),
            Mode::Eval => Statistics::Running(Moments {
                mean: self.statistics[&format!("{name}.running_mean")].as_detached_tensor(),
                variance: self.statistics[&format!("{name}.running_var")].as_detached_tensor(),
            }),
        }
    }

    /// Moves the running averages of `name` towards the moments of a batch.
    pub(super) fn record(&self, name: &str, moments: Option<&Moments>) -> Result<()> {
        let Some(moments) = moments else { return Ok(()) };
        for (kind, batch) in [("running_mean", &moments.mean), ("running_var", &moments.variance)] {
            let running = &self.statistics[&format!("{name}.{kind}")];
            average_into(running, &batch.detach(), self.decay)?;
        }
        Ok(())
    }
}
