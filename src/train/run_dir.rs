//! The run folder of one variant: its files, its lock, and whether the run is finished.

use super::checkpoint::Checkpoint;
use super::job::TrainJob;
use super::trained_model::CheckpointMeta;
use crate::attribute::NAMES;
use crate::config::run_dir::{self, BEST_MODEL, CONFIG, DIVERGED, EVENTS, LOCK, SUMMARY};
use crate::config::{self, Record, RunConfig, RunSummary};
use crate::dataset::{DatasetName, Split};
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::store::Preprocessing;
use crate::variant::{BASELINE, Variant};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// True if the run in `folder` is finished.
pub fn is_finished(folder: &Path) -> bool {
    folder.join(SUMMARY).exists()
}

/// True if the run in `folder` diverged.
pub fn is_diverged(folder: &Path) -> bool {
    !is_finished(folder) && folder.join(DIVERGED).exists()
}

/// True if the run in `folder` is finished or diverged.
pub fn has_ended(folder: &Path) -> bool {
    is_finished(folder) || is_diverged(folder)
}

/// True if `folder` holds a training state from which this run, and those that share its FLN, can resume.
pub fn is_resumable(folder: &Path) -> bool {
    run_dir::training_state(folder).exists()
}

/// The run folder of one variant.
pub(super) struct RunDir {
    pub(super) variant: Variant,
    pub(super) config: RunConfig,
    pub(super) folder: PathBuf,
    preprocessing: Preprocessing,
    /// The attributes without a training label.
    untrained: Vec<String>,
}

impl RunDir {
    pub(super) fn new(job: &TrainJob, dataset: DatasetName, variant: Variant, seed: u64) -> Self {
        let config = job.config(dataset, &variant, seed);
        let folder = config::run_folder(job.runs, &config.dataset, &config.profile_id(), &variant, seed);
        let untrained = job.attributes_without(Split::Train).map(|attribute| NAMES[attribute].to_owned()).collect();
        Self { variant, config, folder, preprocessing: Preprocessing::of(&job.data.prepared), untrained }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder's name.
    pub(super) fn id(&self) -> String {
        self.folder.file_name().map_or_else(|| self.config.id(), |name| name.to_string_lossy().into_owned())
    }

    /// The TensorBoard event file.
    pub(super) fn events(&self) -> PathBuf {
        self.file(&format!("{EVENTS}{}", self.id()))
    }

    /// The record of this run if it is finished.
    ///
    /// # Errors
    /// The folder holds another run, or only a part of a finished one.
    pub(super) fn finished(&self) -> Result<Option<RunSummary>> {
        let (config, summary, model) = (self.file(CONFIG), self.file(SUMMARY), run_dir::model(&self.folder));
        if !config.exists() {
            if let Some(orphan) = [&summary, &model].into_iter().find(|path| path.exists()) {
                let message = "exists without the config.toml of its run: choose another --runs folder, or replace the run with \
                               --force";
                return Err(Error::file(orphan, message));
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
        if !model.exists() {
            let message = "is missing, though its run is finished: train the run again with --force";
            return Err(Error::file(model, message));
        }
        Record::read(&self.folder).map(|record| Some(record.summary))
    }

    /// Locks the folder against other processes until [`RunDir::unlock`] or the end of this process.
    pub(super) fn lock(&self, force: bool) -> Result<Lock> {
        if !force && !self.file(CONFIG).exists() {
            // A run that was killed before it wrote its configuration leaves hidden files only.
            io::refuse_foreign(&self.folder, "a run", |_| false)?;
        }
        io::create_folder(&self.folder)?;
        let folder = self.folder.display();
        let lock = Lock::take(&self.file(LOCK))?.map_err(|holder| {
            Error::Request(format!("{folder} is being trained by process {holder} already: wait for it"))
        })?;
        io::sweep_partial_files(&self.folder, Duration::ZERO)?;
        if !force && self.finished()?.is_some() {
            return Err(Error::Request(format!("another process has just finished {folder}: start again")));
        }
        Ok(lock)
    }

    /// Removes what a finished run has no use for, at last the lock.
    pub(super) fn unlock(&self) -> Result<()> {
        run_dir::OBSOLETE.into_iter().chain([LOCK]).try_for_each(|name| io::remove(&self.file(name)))
    }

    /// Writes the configuration into the locked folder. With `force`, removes the files of an earlier run.
    pub(super) fn create(&self, force: bool) -> Result<()> {
        for name in run_dir::STALE {
            io::remove(&self.file(name))?;
        }
        if force {
            for name in run_dir::REPLACED {
                io::remove(&self.file(name))?;
            }
            io::remove(&self.events())?;
        }
        let text = toml::to_string(&self.config).map_err(|e| Error::Internal(e.to_string()))?;
        io::write(&self.file(CONFIG), text.as_bytes())
    }

    /// The network with the best validation accuracy so far.
    pub(super) fn best_network(&self, device: &Device) -> Result<BTreeMap<String, Tensor>> {
        Ok(Checkpoint::<CheckpointMeta>::read(&self.file(BEST_MODEL), device)?.tensors)
    }

    /// Writes a trained network under `name`.
    pub(super) fn write_network(&self, name: &str, tensors: BTreeMap<String, Tensor>) -> Result<()> {
        let (config, untrained) = (self.config.clone(), self.untrained.clone());
        let meta = CheckpointMeta { config, preprocessing: self.preprocessing, untrained };
        Checkpoint { tensors, meta }.write(&self.file(name))
    }
}

/// The trained Baseline of the same data, profile and seed.
pub(super) fn baseline(job: &TrainJob, dataset: DatasetName, seed: u64) -> Result<BTreeMap<String, Tensor>> {
    let baseline = RunDir::new(job, dataset, BASELINE, seed);
    if baseline.finished()?.is_none() {
        return Err(Error::Request(format!(
            "GAL-c starts from a trained Baseline, and there is none in {}: add --variant baseline",
            baseline.folder.display()
        )));
    }
    let checkpoint = Checkpoint::<CheckpointMeta>::read(&run_dir::model(&baseline.folder), &job.device.device)?;
    Record::read(&baseline.folder)?.verify_network()?;
    Ok(checkpoint.tensors)
}
