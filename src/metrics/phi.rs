//! The phi coefficient of every pair of attributes, and how that of predictions differs from that of labels.

use super::clustering::{average_linkage, leaves};
use super::labels::Labels;
use super::mean::{mean, standardized};
use crate::attribute::{COUNT, pairs};

/// Cells of a 40 x 40 matrix, `None` if undefined.
pub type AttributeMatrix = Vec<[Option<f64>; COUNT]>;

/// Pearson's correlation; `None` if one side is constant.
fn pearson(a: Vec<f64>, b: Vec<f64>) -> Option<f64> {
    Some(standardized(a)?.into_iter().zip(standardized(b)?).map(|(a, b)| a * b).sum())
}

/// Difference between the phi of predictions and that of labels, over the pairs of attributes for which both are
/// defined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhiGap {
    /// Number of these pairs, of 780.
    pub pairs: usize,
    /// Mean absolute difference of phi.
    pub difference: f64,
    /// Pearson's correlation of the phi of predictions and of labels.
    pub correlation: Option<f64>,
    /// Mean absolute phi of the labels.
    pub labels: f64,
    /// Mean absolute phi of the predictions.
    pub predictions: f64,
}

impl PhiGap {
    /// Compares the phi of predictions with that of labels; `None` without a pair.
    pub fn of(labels: &AttributeMatrix, predictions: &AttributeMatrix) -> Option<Self> {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs().filter_map(|(i, j)| labels[i][j].zip(predictions[i][j])).unzip();
        let strength = |values: &[f64]| mean(&values.iter().map(|phi| phi.abs()).collect::<Vec<f64>>());
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect();
        (!a.is_empty()).then(|| Self {
            pairs: a.len(),
            difference: mean(&differences),
            labels: strength(&a),
            predictions: strength(&b),
            correlation: pearson(a, b),
        })
    }
}

/// The phi coefficient of every pair of attributes; the diagonal is empty.
pub fn phi(labels: &Labels) -> AttributeMatrix {
    (0..COUNT).map(|i| std::array::from_fn(|j| if i == j { None } else { labels.phi(i, j) })).collect()
}

/// Order of the attributes in which correlated ones are neighbours: average linkage by 1 - |phi|. An undefined phi
/// counts as 0.
pub fn order(phi: &AttributeMatrix) -> Vec<usize> {
    leaves(&average_linkage(COUNT, |i, j| 1.0 - phi[i][j].map_or(0.0, f64::abs)))
}

/// The absolute value of every cell.
pub fn absolute(cells: &AttributeMatrix) -> AttributeMatrix {
    cells.iter().map(|row| row.map(|cell| cell.map(f64::abs))).collect()
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/correlation.py` (scipy, numpy).

    use super::super::golden::{close, correlation};
    use super::*;
    use serde_json::Value;

    fn numbers(value: &Value) -> Vec<f64> {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn predictions_differ_from_labels_by_numpys_figures() {
        let golden = correlation();
        let rows: Vec<Option<bool>> =
            golden["residual"]["labels"].as_str().unwrap().bytes().map(|label| Some(label == b'1')).collect();
        let probabilities: Vec<f32> = numbers(&golden["residual"]["probabilities"]).iter().map(|p| *p as f32).collect();
        let (labels, predicted) = (Labels::of_images(&rows), Labels::predicted(&rows, &probabilities));
        let found = PhiGap::of(&phi(&labels), &phi(&predicted)).unwrap();
        close(found.pairs as f64, &golden["residual"]["pairs"]);
        close(found.difference, &golden["residual"]["difference"]);
        close(found.correlation.unwrap(), &golden["residual"]["correlation"]);
        close(found.labels, &golden["residual"]["strength_labels"]);
        close(found.predictions, &golden["residual"]["strength_predictions"]);
    }
}
