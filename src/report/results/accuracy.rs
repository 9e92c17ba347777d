//! `accuracy.csv`: a row for every run, head and attribute.

use crate::attribute::{COUNT, NAMES};
use crate::config::RunSummary;
use crate::error::{Error, Result};
use crate::evaluate::{AttributeResult, Evaluation, Head, HeadResult};
use crate::metrics::interval::Interval;
use crate::metrics::scores::Scores;
use crate::variant::deserialize_name;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file.
pub(super) const FILE: &str = "accuracy.csv";

/// One row; accuracies are shares in [0, 1]. Those of an attribute without labels are empty.
#[derive(Serialize, Deserialize)]
pub(super) struct AccuracyRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    head: Head,
    attribute: String,
    n: usize,
    correct: usize,
    accuracy: Option<f64>,
    floor: Option<f64>,
    gain: Option<f64>,
    balanced_accuracy: Option<f64>,
    interval_low: Option<f64>,
    interval_high: Option<f64>,
    #[serde(default)]
    f1: Option<f64>,
    #[serde(default)]
    average_precision: Option<f64>,
    #[serde(default)]
    auroc: Option<f64>,
    #[serde(default)]
    calibration_error: Option<f64>,
}

/// The rows of one run.
pub(super) fn rows(evaluation: &Evaluation) -> impl Iterator<Item = AccuracyRow> {
    let summary = &evaluation.run;
    evaluation.heads.iter().flat_map(move |head| {
        head.attributes.iter().map(move |a| AccuracyRow {
            variant: summary.variant.clone(),
            seed: summary.seed,
            head: head.head,
            attribute: a.attribute.clone(),
            n: a.n,
            correct: a.correct,
            accuracy: a.accuracy,
            floor: a.floor,
            gain: a.gain(),
            balanced_accuracy: a.balanced_accuracy,
            interval_low: a.interval.map(|interval| interval.low),
            interval_high: a.interval.map(|interval| interval.high),
            f1: a.scores.f1,
            average_precision: a.scores.average_precision,
            auroc: a.scores.auroc,
            calibration_error: a.scores.calibration_error,
        })
    })
}

/// The heads of one run, from the rows of all; `path` is the file's.
pub(super) fn heads(path: &Path, rows: &[AccuracyRow], summary: &RunSummary) -> Result<Vec<HeadResult>> {
    let run = format!("{} with seed {}", summary.variant, summary.seed);
    let mut found = Vec::new();
    for head in [Head::Fln, Head::Cln] {
        let of_head =
            |row: &&AccuracyRow| row.variant == summary.variant && row.seed == summary.seed && row.head == head;
        let attributes: Vec<AttributeResult> = rows.iter().filter(of_head).map(attribute_result).collect();
        if attributes.is_empty() {
            continue;
        }
        if attributes.len() != COUNT || attributes.iter().zip(NAMES).any(|(a, name)| a.attribute != name) {
            let message = format!(
                "holds {} rows for the {} head of {run}, expected the {COUNT} attributes in CelebA's order: collect the \
                 runs again",
                attributes.len(),
                head.label(),
            );
            return Err(Error::file(path, message));
        }
        found.push(HeadResult { head, attributes });
    }
    if found.is_empty() {
        return Err(Error::file(path, format!("holds no row of {run}: collect the runs again")));
    }
    Ok(found)
}

fn attribute_result(row: &AccuracyRow) -> AttributeResult {
    AttributeResult {
        attribute: row.attribute.clone(),
        n: row.n,
        correct: row.correct,
        accuracy: row.accuracy,
        interval: Interval::of_bounds(row.interval_low, row.interval_high),
        balanced_accuracy: row.balanced_accuracy,
        floor: row.floor,
        scores: Scores {
            f1: row.f1,
            average_precision: row.average_precision,
            auroc: row.auroc,
            calibration_error: row.calibration_error,
        },
    }
}
