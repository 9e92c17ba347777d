//! A finished run and its scores, read from its folder.

use super::head_result::HeadResult;
use super::predictions::Predictions;
use super::run_files::{self, Affinity, Point};
use crate::attribute::COUNT;
use crate::config::run_dir::{self, AFFINITY, METRICS, PREDICTIONS, PREDICTIONS_PLAIN, SUMMARY};
use crate::config::{EVALUATED, Record, RunSummary};
use crate::error::{Error, Result};
use crate::metrics::bootstrap::Units;
use crate::variant::Head;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A finished run with its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The run's own record.
    pub run: RunSummary,
    /// The heads that the run has, FLN before CLN.
    pub heads: Vec<HeadResult>,
    /// Mean accuracy of the primary head on the images alone, if predictions are averages with those of the mirror images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_accuracy: Option<f64>,
}

impl Evaluation {
    /// Evaluates the run in `folder` from its `summary.json` and `predictions.parquet`.
    ///
    /// # Errors
    /// A run that is missing or not finished; files that contradict their format or one another.
    pub fn of_run(folder: &Path) -> Result<Self> {
        Ok(Self::with_predictions(folder)?.0)
    }

    /// Evaluates as [`Evaluation::of_run`], and returns the predictions too.
    pub fn with_predictions(folder: &Path) -> Result<(Self, Predictions)> {
        let (run, predictions) = read_run(folder)?;
        let majority = majority(&run);
        let units = Units::new(&predictions.images, &predictions.known());
        let is_enough = units.info().is_enough();
        let results = |predictions: &Predictions| -> Vec<HeadResult> {
            let heads = predictions.heads();
            let results = heads.map(|(head, p)| HeadResult::new(head, &predictions.labels, p, &majority));
            results.map(|result| if is_enough { result } else { result.without_intervals() }).collect()
        };
        let plain = folder.join(PREDICTIONS_PLAIN);
        let plain = if plain.exists() { results(&read_predictions(&plain, &run)?) } else { Vec::new() };
        let plain_accuracy = plain.last().map(HeadResult::mean_accuracy);
        Ok((Self { run, heads: results(&predictions), plain_accuracy }, predictions))
    }

    /// The scores of the primary head, see [`Predictions::primary_head`].
    pub fn primary_head(&self) -> &HeadResult {
        self.heads.last().expect("an evaluation has a head")
    }

    /// The scores of one head, if the run has that head.
    pub fn head(&self, head: Head) -> Option<&HeadResult> {
        self.heads.iter().find(|h| h.head == head)
    }
}

/// Reads a finished run's summary and its predictions, and verifies the digests of all files that an evaluation reads.
pub fn read_run(folder: &Path) -> Result<(RunSummary, Predictions)> {
    run_dir::check_finished(folder, SUMMARY)?;
    let record = Record::read(folder)?;
    let run = &record.summary;
    let path = folder.join(PREDICTIONS);
    let predictions = read_predictions(&path, run)?;
    if predictions.labels.iter().all(Option::is_none) {
        let message = "holds no known label of an attribute that was trained, so nothing can be evaluated";
        return Err(Error::file(path, message));
    }
    // A file of another form has a message of its own, so the digests come last.
    record.verify(&EVALUATED)?;
    Ok((record.summary, predictions))
}

/// Reads predictions for the test images of `run`, without the labels of attributes that were not trained.
fn read_predictions(path: &Path, run: &RunSummary) -> Result<Predictions> {
    let predictions = Predictions::read(path, Some(run.test_images))?;
    if predictions.images.names.len() != run.test_images {
        let (found, expected) = (predictions.images.names.len(), run.test_images);
        let message = format!("holds {found} images, but {SUMMARY} says {expected} test images; train the run again");
        return Err(Error::file(path, message));
    }
    Ok(predictions.with_labels_of(&trained(run)))
}

/// Mean accuracies of the heads on single images; empty for a run that did not average over mirrored ones.
///
/// # Errors
/// A file that cannot be read, or with another number of images.
pub fn plain_accuracies(folder: &Path, run: &RunSummary) -> Result<Vec<(Head, f64)>> {
    let path = folder.join(PREDICTIONS_PLAIN);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let (predictions, majority) = (read_predictions(&path, run)?, majority(run));
    let accuracy = |head, p: &[f32]| HeadResult::new(head, &predictions.labels, p, &majority).mean_accuracy();
    Ok(predictions.heads().map(|(head, probabilities)| (head, accuracy(head, probabilities))).collect())
}

/// Whether each attribute had a training label.
pub fn trained(run: &RunSummary) -> [bool; COUNT] {
    std::array::from_fn(|i| run.train_positive_rate[i].is_some())
}

/// The most frequent training label of each attribute, negative if both are equally frequent or there is none.
pub fn majority(run: &RunSummary) -> [bool; COUNT] {
    std::array::from_fn(|i| run.train_positive_rate[i].is_some_and(|rate| rate > 0.5))
}

/// Reads a run's training curve.
pub fn read_curve(folder: &Path) -> Result<Vec<Point>> {
    run_files::read_metrics(&folder.join(METRICS))
}

/// Reads a run's mean affinity, if it has a CLN.
pub fn read_affinity(folder: &Path) -> Result<Option<Affinity>> {
    let path = folder.join(AFFINITY);
    if path.exists() { run_files::read_affinity(&path).map(Some) } else { Ok(None) }
}
