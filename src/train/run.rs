//! A run's folder: what it is called, what lies in it, and whether it is finished.

use super::checkpoint::Checkpoint;
use super::divergence;
use super::trained_model::{About, CHECKPOINT};
use super::trainer::TrainJob;
use crate::config::{RunConfig, RunSummary};
use crate::dataset::DatasetName;
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::store::Preprocessing;
use crate::tensorboard;
use crate::variant::{VARIANTS, Variant};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a finished run says of itself.
pub(super) const SUMMARY: &str = "summary.json";
/// The state that an unfinished run goes on from.
pub(super) const RESUME: &str = "resume.safetensors";
/// The network of the best validation accuracy so far.
pub(super) const BEST: &str = "best.safetensors";
/// What it says of the test split.
pub(super) const PREDICTIONS: &str = "predictions.parquet";
/// Who trains it.
const LOCK: &str = ".training";
/// The training curve.
pub(super) const METRICS: &str = "metrics.jsonl";

/// Whether the run in `folder` has come to its end.
pub fn is_finished(folder: &Path) -> bool {
    folder.join(SUMMARY).exists()
}

/// Whether `folder` holds the state of a run, or of those that share its trunk, to go on from.
pub fn is_resumable(folder: &Path) -> bool {
    folder.join(RESUME).exists()
}

/// One variant's place on disk.
pub(super) struct Run {
    pub(super) variant: Variant,
    pub(super) config: RunConfig,
    pub(super) folder: PathBuf,
    /// How the pictures that it learns from were standardized.
    preprocessing: Preprocessing,
}

impl Run {
    pub(super) fn new(request: &TrainJob, dataset: DatasetName, variant: Variant, seed: u64) -> Self {
        let config = RunConfig {
            dataset: dataset.label().to_owned(),
            data_digest: request.data.prepared.manifest_digest.clone(),
            variant: variant.name.to_owned(),
            seed,
            ranks: request.rendezvous.map_or(1, |rendezvous| rendezvous.world_size),
            profile: request.profile.clone(),
        };
        let folder = request.runs.join(config.id());
        Self { variant, config, folder, preprocessing: Preprocessing::of(&request.data.prepared) }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The record for TensorBoard.
    pub(super) fn events(&self) -> PathBuf {
        self.file(&tensorboard::file_name(&self.config.id()))
    }

    /// The record of this very run, if it is finished; an error if the folder holds another one.
    pub(super) fn finished(&self) -> Result<Option<RunSummary>> {
        let (config, summary) = (self.file("config.toml"), self.file(SUMMARY));
        if !config.exists() {
            if let Some(left) = [&summary, &self.file(CHECKPOINT)].into_iter().find(|path| path.exists()) {
                let message = "is there without the config.toml of its run: choose another --runs folder, or replace the run \
                               with --force";
                return Err(Error::file(left, message));
            }
            return Ok(None);
        }
        if let Some(difference) = self.config.difference(&RunConfig::read(&config)?) {
            return Err(Error::Request(format!(
                "the run folder {} holds another run ({difference}): choose another --runs folder, or replace it with \
                 --force",
                self.folder.display()
            )));
        }
        if !summary.exists() {
            return Ok(None);
        }
        let checkpoint = self.file(CHECKPOINT);
        if !checkpoint.exists() {
            let message = "is missing, though its run is finished: train the run again with --force";
            return Err(Error::file(checkpoint, message));
        }
        RunSummary::read(&summary).map(Some)
    }

    /// Keeps other processes off the folder until [`Run::free`], or the end of this one.
    pub(super) fn lock(&self, force: bool) -> Result<Lock> {
        io::create_folder(&self.folder)?;
        let lock = Lock::take(&self.file(LOCK))?.map_err(|holder| {
            Error::Request(format!(
                "{} is being trained by process {holder} already: wait for it",
                self.folder.display()
            ))
        })?;
        if !force && self.finished()?.is_some() {
            let folder = self.folder.display();
            return Err(Error::Request(format!("{folder} has just been finished by another process: start again")));
        }
        Ok(lock)
    }

    /// Lets others in, who find the run finished.
    pub(super) fn free(&self) -> Result<()> {
        io::remove(&self.file(LOCK))
    }

    /// Makes the folder; with `force` it holds nothing afterwards that a replaced run left.
    pub(super) fn create(&self, force: bool) -> Result<()> {
        io::create_folder(&self.folder)?;
        if force {
            for name in [SUMMARY, RESUME, BEST, METRICS, PREDICTIONS, "affinity.csv", "masks.npy"] {
                io::remove(&self.file(name))?;
            }
            io::remove(&self.events())?;
        }
        io::remove(&self.file(divergence::FILE))?;
        let text = toml::to_string(&self.config).map_err(|e| Error::Internal(e.to_string()))?;
        io::write(&self.file("config.toml"), text.as_bytes())
    }

    /// Writes the trained network under `name`.
    pub(super) fn write_network(&self, name: &str, tensors: BTreeMap<String, Tensor>) -> Result<()> {
        Checkpoint { tensors, about: About { config: self.config.clone(), preprocessing: self.preprocessing } }
            .write(&self.file(name))
    }
}

/// The trained Baseline of the same data, profile and seed.
pub(super) fn baseline(request: &TrainJob, dataset: DatasetName, seed: u64) -> Result<BTreeMap<String, Tensor>> {
    let baseline = Run::new(request, dataset, VARIANTS[0], seed);
    if baseline.finished()?.is_none() {
        return Err(Error::Request(format!(
            "GAL-c starts from a trained Baseline, and there is none in {}: add --variant baseline",
            baseline.folder.display()
        )));
    }
    Ok(Checkpoint::<About>::read(&baseline.file(CHECKPOINT), &request.device.device)?.tensors)
}
