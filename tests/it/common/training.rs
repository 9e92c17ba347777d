//! A network that trains in a second, its data, and the files of its runs.

use super::workspace::Workspace;
use gal_bench::attribute::NAMES;
use gal_bench::config::Profile;
use gal_bench::dataset::synthetic;
use gal_bench::progress::Progress;
use gal_bench::store::{self, Reader};
use gal_bench::train::{NamedDevice, TrainJob, TrainedRun, train};
use gal_bench::variant::Variant;
use polars::prelude::Column;
use std::path::{Path, PathBuf};

/// The network of the paper at a size that trains in a second.
pub(crate) const TINY: &str = r#"
name = "tiny"
description = "For tests."
log_every = 4
validate_every = 10
checkpoint_every = 4
[network]
input_size = 40
stride = 2
widths = [4, 4, 4, 4, 4]
branch_channels = 3
node_channels = 2
bn_eps = 1e-3
bn_decay = 0.9
[images]
resize = 44
crop = "random"
flip = true
[optimizer]
momentum = 0.9
head_rate = 1.0
weight_decay = 0.001
[training.synthetic]
batch = 8
steps = 40
schedule = { kind = "polynomial", initial = 0.01, power = 1.0 }
[prepare.synthetic]
"#;

/// The attribute without labels of [`Workspace::partly_labelled`].
pub(crate) const UNLABELLED: &str = "Bald";

impl Workspace {
    /// The profile [`TINY`] in `tiny.toml`, and a prepared set of 30 + 6 + 10 synthetic faces in `prepared`.
    pub(crate) fn trainable() -> Self {
        Self::trainable_with(TINY)
    }

    pub(crate) fn trainable_with(profile: &str) -> Self {
        Self::prepared(profile, |labels| labels)
    }

    /// Like [`Self::trainable`], with half of the labels, and none of [`UNLABELLED`].
    pub(crate) fn partly_labelled() -> Self {
        Self::prepared(TINY, |labels| {
            let attribute = NAMES.iter().position(|name| *name == labels.name().as_str()).unwrap();
            let is_known =
                |row: usize| NAMES[attribute] != UNLABELLED && (row * (2 * attribute + 3) / 8).is_multiple_of(2);
            let labels = labels.bool().unwrap().iter().enumerate();
            Column::new(
                NAMES[attribute].into(),
                labels.map(|(row, label)| label.filter(|_| is_known(row))).collect::<Vec<_>>(),
            )
        })
    }

    /// A profile, and a prepared set of faces whose columns of labels are changed.
    fn prepared(profile: &str, change: impl Fn(Column) -> Column) -> Self {
        let workspace = Self::new();
        workspace.write("tiny.toml", profile);
        let faces = synthetic::Options { train: 30, val: 6, test: 10, seed: 1 };
        let mut dataset = synthetic::dataset(&faces).unwrap();
        for name in NAMES {
            let column = change(dataset.table.column(name).unwrap().clone());
            dataset.table.with_column(column).unwrap();
        }
        let options = store::Options { size: 48, copies: Some(2), ..store::Options::default() };
        store::prepare(&dataset, &workspace.path("prepared"), &options, &Progress::new(true)).unwrap();
        workspace
    }

    /// Trains `variants` with seed 5 below the folder `runs`.
    pub(crate) fn try_train(&self, runs: &str, variants: &[&str]) -> gal_bench::Result<Vec<TrainedRun>> {
        let data = Reader::open(&self.path("prepared")).unwrap();
        let profile = Profile::load(self.path("tiny.toml").to_str().unwrap()).unwrap();
        let job = TrainJob {
            data: &data,
            profile: &profile,
            variants: &variants.iter().map(|name| Variant::named(name).unwrap()).collect::<Vec<_>>(),
            seeds: &[5],
            runs: &self.path(runs),
            device: &NamedDevice::cpu(),
            rendezvous: None,
            init: None,
            force: false,
            command: "test",
        };
        train(&job, &Progress::new(true)).map(|outcome| outcome.finished)
    }

    pub(crate) fn train(&self, runs: &str, variants: &[&str]) -> Vec<TrainedRun> {
        self.try_train(runs, variants).unwrap()
    }

    /// Folder of the run that [`Self::train`] makes of a variant.
    pub(crate) fn run(&self, runs: &str, variant: &str) -> PathBuf {
        self.path(format!("{runs}/synthetic-tiny-{variant}-seed5"))
    }
}

/// The bytes of every file that a run computes. A network without branches has no masks.
pub(crate) fn outputs(run: &Path) -> Vec<Vec<u8>> {
    let masks = run.join("masks.npy").exists().then_some("masks.npy");
    let names = ["model.safetensors", "best.safetensors", "predictions.parquet"].into_iter().chain(masks);
    names.map(|name| std::fs::read(run.join(name)).unwrap()).collect()
}

/// The JSON lines of a run's `metrics.jsonl`.
pub(crate) fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
