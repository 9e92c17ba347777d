//! The runs of a report: `results.json`, `affinity-VARIANT-seedN.csv`, and their rows of the other files.

use super::{accuracy, csv_file, curves, plain};
use crate::config::run_dir::METRICS;
use crate::config::{Divergence, RunSummary};
use crate::error::{Error, Result};
use crate::evaluate::{self, Affinity, Evaluation, Head, Point, run_files};
use crate::io;
use crate::variant::REGISTRY;
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = "results.json";

/// Version of the results' form.
const FORMAT: u32 = 1;

/// One run of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Summary and accuracies.
    pub evaluation: Evaluation,
    /// The thinned training curve.
    pub curve: Vec<Point>,
    /// Mean affinity over the test split; `None` without a CLN.
    pub affinity: Option<Affinity>,
    /// Mean accuracies of predictions for single images, if the run averaged over mirrored ones; else empty.
    pub plain: Vec<(Head, f64)>,
}

impl Run {
    /// Reads the other files in the folder of an evaluated run.
    pub(in crate::report) fn new(evaluation: Evaluation, folder: &Path) -> Result<Self> {
        let curve = curves::thinned(&evaluate::read_curve(folder)?);
        let plain = evaluate::plain_accuracies(folder, &evaluation.run)?;
        Ok(Self { evaluation, curve, affinity: evaluate::read_affinity(folder)?, plain })
    }

    /// Mean accuracy of one head on single images, if the run averaged over mirrored ones.
    pub(in crate::report) fn plain_accuracy(&self, head: Head) -> Option<f64> {
        self.plain.iter().find(|(of, _)| *of == head).map(|(_, accuracy)| *accuracy)
    }

    /// The run's own record.
    pub fn summary(&self) -> &RunSummary {
        &self.evaluation.run
    }
}

/// A run that diverged, an element of `diverged` in `results.json`:
/// `{"variant": "gal-j", "seed": 0, "step": 561, "rate": 0.05}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diverged {
    /// The variant's name.
    #[serde(deserialize_with = "crate::variant::deserialize_name")]
    pub variant: String,
    /// Its seed.
    pub seed: u64,
    /// Index of the optimizer step at which it diverged, from 0.
    pub step: usize,
    /// The learning rate of that step, without the factors of the profile's `[optimizer]`.
    pub rate: f64,
}

impl From<&Divergence> for Diverged {
    fn from(found: &Divergence) -> Self {
        Self { variant: found.variant.clone(), seed: found.seed, step: found.step, rate: found.rate }
    }
}

/// A run that diverged, with its thinned training curve up to there.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct DivergedRun {
    pub(in crate::report) record: Diverged,
    pub(in crate::report) curve: Vec<Point>,
}

impl DivergedRun {
    /// Reads the training curve in the run's folder, if it has one.
    pub(in crate::report) fn new(divergence: &Divergence, folder: &Path) -> Result<Self> {
        let points = if folder.join(METRICS).is_file() { evaluate::read_curve(folder)? } else { Vec::new() };
        Ok(Self { record: Diverged::from(divergence), curve: curves::thinned(&points) })
    }
}

/// `results.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    runs: Vec<RunSummary>,
    /// In the order of variants, then seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    diverged: Vec<Diverged>,
}

fn affinity_file(variant: &str, seed: u64) -> String {
    format!("affinity-{variant}-seed{seed}.csv")
}

/// Writes `runs` and the runs that diverged into the results below `folder`, and removes the affinities of an earlier
/// report.
pub(in crate::report) fn write(runs: &[Run], diverged: &[DivergedRun], folder: &Path) -> Result<()> {
    let results = folder.join("results");
    io::create_folder(folder)?;
    io::create_folder_below(folder, "results")?;
    csv_file::remove_all(folder, "affinity-")?;
    for run in runs {
        if let Some(affinity) = &run.affinity {
            let text = run_files::affinity_text(affinity);
            io::write(&results.join(affinity_file(&run.summary().variant, run.summary().seed)), text.as_bytes())?;
        }
    }
    csv_file::write(&results.join(accuracy::FILE), runs.iter().flat_map(|run| accuracy::rows(&run.evaluation)))?;
    let finished = runs.iter().map(|run| (&run.summary().variant, run.summary().seed, &run.curve));
    let ended = diverged.iter().map(|run| (&run.record.variant, run.record.seed, &run.curve));
    let points = finished.chain(ended).flat_map(|(variant, seed, curve)| curves::rows(variant, seed, curve));
    csv_file::write(&results.join(curves::FILE), points)?;
    plain::write(runs.iter().map(|run| (run.summary(), run.plain.as_slice())), &results)?;
    let index = Index {
        format: FORMAT,
        runs: runs.iter().map(|run| run.summary().clone()).collect(),
        diverged: diverged.iter().map(|run| run.record.clone()).collect(),
    };
    io::write_json(&results.join(FILE), &index)
}

/// Reads the runs, and those that diverged, from the results below `folder`.
pub(in crate::report) fn read(folder: &Path) -> Result<(Vec<Run>, Vec<DivergedRun>)> {
    let results = folder.join("results");
    let path = results.join(FILE);
    let Some(index) = io::read_json_if_exists::<Index>(&path, "a report's index")? else {
        return Err(Error::Request(format!(
            "{} holds no results/{FILE}: run `gal-bench evaluate` first",
            folder.display()
        )));
    };
    if index.format != FORMAT || index.runs.is_empty() {
        let message =
            format!("has format {} and {} runs, expected {FORMAT} and one at least", index.format, index.runs.len());
        return Err(Error::file(&path, message));
    }
    let accuracy_path = results.join(accuracy::FILE);
    let accuracies = csv_file::read(&accuracy_path)?;
    let points = csv_file::read(&results.join(curves::FILE))?;
    let plain = plain::read(&results)?;
    let runs = index.runs.into_iter().map(|summary| {
        let heads = accuracy::heads(&accuracy_path, &accuracies, &summary)?;
        let names = REGISTRY.names(&summary.variant).into_iter();
        let affinity = names.map(|name| results.join(affinity_file(name, summary.seed))).find(|path| path.exists());
        Ok(Run {
            curve: curves::curve(&points, &summary.variant, summary.seed),
            affinity: affinity.map(|path| run_files::read_affinity(&path)).transpose()?,
            plain: plain::accuracies(&plain, &summary),
            evaluation: Evaluation { run: summary, heads, plain_accuracy: None },
        })
    });
    let runs = runs.collect::<Result<_>>()?;
    let diverged = index
        .diverged
        .into_iter()
        .map(|record| DivergedRun { curve: curves::curve(&points, &record.variant, record.seed), record });
    Ok((runs, diverged.collect()))
}
