//! `plain.csv`: mean accuracies of predictions for single images, of runs that also averaged over mirrored images.

use super::csv_file;
use crate::config::RunSummary;
use crate::error::Result;
use crate::evaluate::Head;
use crate::io;
use crate::variant::deserialize_name;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file.
const FILE: &str = "plain.csv";

/// One row.
#[derive(Serialize, Deserialize)]
pub(super) struct PlainRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    head: Head,
    accuracy: f64,
}

/// Writes the accuracies of each run into the folder `results`, or removes the file without any.
pub(super) fn write<'a>(runs: impl Iterator<Item = (&'a RunSummary, &'a [(Head, f64)])>, results: &Path) -> Result<()> {
    let row = |run: &RunSummary, (head, accuracy): (Head, f64)| PlainRow {
        variant: run.variant.clone(),
        seed: run.seed,
        head,
        accuracy,
    };
    let rows: Vec<PlainRow> =
        runs.flat_map(|(run, accuracies)| accuracies.iter().map(move |of_head| row(run, *of_head))).collect();
    let path = results.join(FILE);
    if rows.is_empty() { io::remove(&path) } else { csv_file::write(&path, rows.into_iter()) }
}

/// Reads the rows in the folder `results`, none without the file.
pub(super) fn read(results: &Path) -> Result<Vec<PlainRow>> {
    let path = results.join(FILE);
    if path.is_file() { csv_file::read(&path) } else { Ok(Vec::new()) }
}

/// The accuracies of one run, from the rows of all.
pub(super) fn accuracies(rows: &[PlainRow], run: &RunSummary) -> Vec<(Head, f64)> {
    let own = rows.iter().filter(|row| row.variant == run.variant && row.seed == run.seed);
    own.map(|row| (row.head, row.accuracy)).collect()
}
