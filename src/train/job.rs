//! The input of a training job, and its result.

use super::device::NamedDevice;
use super::init::InitialRun;
use crate::attribute::COUNT;
use crate::config::{CheckpointChoice, Divergence, Profile, RunConfig, RunSummary};
use crate::dataset::{DatasetName, Split};
use crate::distributed::Rendezvous;
use crate::error::{Error, Result};
use crate::store;
use crate::variant::Variant;
use serde::{Serialize, Serializer};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Variants and seeds to train, the data, and the folder for the runs.
#[derive(Debug)]
pub struct TrainJob<'a> {
    /// The prepared set.
    pub data: &'a store::Reader,
    /// Network, optimizer and schedules.
    pub profile: &'a Profile,
    /// The variants to train.
    pub variants: &'a [Variant],
    /// Seeds of weights, batches, crops and flips. Every variant is trained with each.
    pub seeds: &'a [u64],
    /// The folder that holds the run folders.
    pub runs: &'a Path,
    /// The device to train on.
    pub device: &'a NamedDevice,
    /// Rendezvous of distributed training; `None` for a single process.
    pub rendezvous: Option<&'a Rendezvous>,
    /// The run that these start from; `None` for the profile's initial weights, or random ones.
    pub init: Option<&'a InitialRun>,
    /// Replace existing runs.
    pub force: bool,
    /// The command that reproduces these runs.
    pub command: &'a str,
}

/// One trained variant.
#[derive(Debug, Clone, Serialize)]
pub struct TrainedRun {
    /// The run's folder.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub folder: PathBuf,
    /// Its record.
    pub summary: RunSummary,
    /// True if the run was finished before this job.
    pub reused: bool,
}

/// A run that was stopped because it diverged.
#[derive(Debug, Clone, Serialize)]
pub struct DivergedRun {
    /// The run's folder.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub folder: PathBuf,
    /// Its record.
    pub diverged: Divergence,
    /// True if it diverged in an earlier job.
    pub reused: bool,
}

/// The runs of a job. As JSON a list, of which an element has a `summary` if it finished, or `diverged`.
#[derive(Debug, Default)]
pub struct TrainOutcome {
    /// Runs that finished, seed by seed, in the order of the job's variants.
    pub finished: Vec<TrainedRun>,
    /// Runs that diverged.
    pub diverged: Vec<DivergedRun>,
}

impl Serialize for TrainOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Run<'a> {
            Finished(&'a TrainedRun),
            Diverged(&'a DivergedRun),
        }
        serializer.collect_seq(self.finished.iter().map(Run::Finished).chain(self.diverged.iter().map(Run::Diverged)))
    }
}

impl TrainJob<'_> {
    pub(super) fn dataset(&self) -> Result<DatasetName> {
        let name = &self.data.prepared.dataset;
        DatasetName::parse(name).ok_or_else(|| Error::Internal(format!("data set {name}")))
    }

    /// Number of training images that an epoch visits: with distortions drawn anew, the undistorted ones.
    pub(super) fn training_images(&self) -> usize {
        let is_used = |copy: u32| copy == 0 || self.profile.online.is_none();
        self.data.rows.iter().filter(|row| row.split == Split::Train && is_used(row.copy)).count()
    }

    /// The positions in a batch that this process computes.
    pub(super) fn local_range(&self, dataset: DatasetName) -> Result<Range<usize>> {
        let batch = self.profile.training(dataset)?.batch;
        self.rendezvous.map_or(Ok(0..batch), |rendezvous| rendezvous.local_range(batch))
    }

    /// Refuses to choose a checkpoint by validation without a validation split.
    pub(super) fn check_checkpoint_choice(&self) -> Result<()> {
        let is_labelled = |row: &store::Row| row.split == Split::Val && row.labels.iter().any(Option::is_some);
        let has_validation = || self.data.rows.iter().any(is_labelled);
        if self.profile.evaluation.checkpoint == CheckpointChoice::Best && !has_validation() {
            return Err(Error::Request(format!(
                "profile {} tests the checkpoint with the best validation accuracy, and the prepared set has no labelled \
                 validation images: prepare the set with --val-split, or remove `checkpoint = \"best\"` from [evaluation]",
                self.profile.name
            )));
        }
        Ok(())
    }

    /// Refuses imported weights for a network with another backbone than the profile's.
    pub(super) fn check_initial_weights(&self) -> Result<()> {
        let network = &self.profile.network;
        let other = self.variants.iter().find(|variant| network.with_layers(variant.layers) != *network);
        match other.filter(|_| self.profile.initial_weights.is_some()) {
            None => Ok(()),
            Some(variant) => Err(Error::Request(format!(
                "the imported weights are those of {}, and the variant {} has another backbone: leave out the variant, or the \
                 weights",
                network.backbone, variant.name
            ))),
        }
    }

    /// Refuses data without an attribute that has both training and test labels.
    pub(super) fn check_labels(&self) -> Result<()> {
        let has_images = |split: Split| self.data.rows.iter().any(|row| row.split == split);
        // A split without images is an error of its own.
        if !has_images(Split::Train) || !has_images(Split::Test) {
            return Ok(());
        }
        store::check_labels(self.data.rows.iter().map(|row| (row.split, &row.labels)))
    }

    /// The attributes without a known label in a split.
    pub(super) fn attributes_without(&self, split: Split) -> impl Iterator<Item = usize> {
        let rows = move || self.data.rows.iter().filter(move |row| row.split == split);
        (0..COUNT).filter(move |attribute| rows().all(|row| row.labels[*attribute].is_none()))
    }

    pub(super) fn config(&self, dataset: DatasetName, variant: &Variant, seed: u64) -> RunConfig {
        RunConfig {
            dataset: dataset.label().to_owned(),
            data_digest: self.data.prepared.manifest_digest.clone(),
            variant: variant.name.to_owned(),
            seed,
            ranks: self.rendezvous.map_or(1, |rendezvous| rendezvous.world_size),
            init: self.init.map(|run| run.of(variant)),
            profile: self.profile.clone(),
        }
    }
}
