//! Reads files of a run besides its predictions: `metrics.jsonl`, one JSON object a line, and `affinity.csv`, the mean
//! affinity over the test split.

use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;

/// One line of `metrics.jsonl`, or the mean of several: losses are sums over the 40 attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Number of optimizer steps.
    pub step: u64,
    /// Training loss of the FLN since the previous line.
    pub loss_fln: Option<f64>,
    /// Training loss of the CLN since the previous line.
    pub loss_cln: Option<f64>,
    /// Mean accuracy of the FLN head on the validation split.
    pub validation_accuracy_fln: Option<f64>,
    /// Mean accuracy of the CLN head on the validation split.
    pub validation_accuracy_cln: Option<f64>,
    /// Mean weight of an attribute on itself in the mean affinity of the batch, for a learned affinity.
    pub affinity_diagonal: Option<f64>,
    /// Mean dot product of a node with itself, over attributes and images of the batch, for a learned affinity.
    pub self_product: Option<f64>,
    /// Mean over attributes and images of the batch of a node's largest dot product with another node, for a learned
    /// affinity.
    pub largest_other_product: Option<f64>,
}

impl Point {
    /// True for the result of a validation.
    pub fn is_validation(&self) -> bool {
        self.validation_accuracy_fln.is_some() || self.validation_accuracy_cln.is_some()
    }
}

/// Reads `metrics.jsonl`.
pub fn read_metrics(path: &Path) -> Result<Vec<Point>> {
    let text = crate::io::read_table(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            serde_json::from_str(line)
                .map_err(|e| Error::line(path, i + 1, format!("is not a line of training metrics: {e}")))
        })
        .collect()
}

/// Mean affinity, `[40][40]`: row i holds the weights of the 40 nodes in attribute i's refined node.
pub type Affinity = Vec<[f64; COUNT]>;

/// Reads an affinity matrix: a header of `attribute` and the 40 names, then 40 rows in the same order.
pub fn read_affinity(path: &Path) -> Result<Affinity> {
    let text = crate::io::read_text(path)?;
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line);
    if header != affinity_header() {
        let message = "is not `attribute` and the 40 attributes' names in CelebA's order, separated by commas";
        return Err(Error::line(path, 1, message));
    }
    let rows: Affinity = lines.map(|(i, line)| affinity_row(path, i, line)).collect::<Result<_>>()?;
    if rows.len() == COUNT {
        Ok(rows)
    } else {
        Err(Error::file(path, format!("holds {} rows, expected {COUNT}", rows.len())))
    }
}

fn affinity_row(path: &Path, line: usize, text: &str) -> Result<[f64; COUNT]> {
    let wrong = |message: String| Error::line(path, line + 1, message);
    let mut cells = text.split(',');
    let name = cells.next().unwrap_or_default();
    let expected = NAMES.get(line - 1).ok_or_else(|| wrong(format!("is one row too many: expected {COUNT}")))?;
    if name != *expected {
        return Err(wrong(format!("is the row of `{name}`, expected `{expected}`")));
    }
    let values = cells
        .map(|cell| match cell.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
            _ => Err(wrong(format!("weight `{cell}`, expected a number of 0 or more"))),
        })
        .collect::<Result<Vec<f64>>>()?;
    <[f64; COUNT]>::try_from(values).map_err(|v| wrong(format!("holds {} weights, expected {COUNT}", v.len())))
}

/// The text of an affinity file, as [`read_affinity`] reads it.
pub fn affinity_text(affinity: &[[f64; COUNT]]) -> String {
    let mut text = affinity_header() + "\n";
    for (name, row) in NAMES.iter().zip(affinity) {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        let _ = writeln!(text, "{name},{}", cells.join(","));
    }
    text
}

fn affinity_header() -> String {
    format!("attribute,{}", NAMES.join(","))
}
