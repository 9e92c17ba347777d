//! `curves.csv`: the training curve of every run, thinned.

use crate::evaluate::Point;
use crate::metrics::mean::mean;
use crate::variant::deserialize_name;
use serde::{Deserialize, Serialize};

/// Name of the file.
pub(super) const FILE: &str = "curves.csv";

/// Largest number of points of a run.
const POINTS: usize = 400;

/// One row.
#[derive(Serialize, Deserialize)]
pub(super) struct CurveRow {
    #[serde(deserialize_with = "deserialize_name")]
    variant: String,
    seed: u64,
    step: u64,
    loss_fln: Option<f64>,
    loss_cln: Option<f64>,
    validation_accuracy_fln: Option<f64>,
    validation_accuracy_cln: Option<f64>,
    affinity_diagonal: Option<f64>,
    self_product: Option<f64>,
    largest_other_product: Option<f64>,
}

/// The rows of one run.
pub(super) fn rows(variant: &str, seed: u64, curve: &[Point]) -> impl Iterator<Item = CurveRow> {
    curve.iter().map(move |p| CurveRow {
        variant: variant.to_owned(),
        seed,
        step: p.step,
        loss_fln: p.loss_fln,
        loss_cln: p.loss_cln,
        validation_accuracy_fln: p.validation_accuracy_fln,
        validation_accuracy_cln: p.validation_accuracy_cln,
        affinity_diagonal: p.affinity_diagonal,
        self_product: p.self_product,
        largest_other_product: p.largest_other_product,
    })
}

/// The curve of one run, from the rows of all.
pub(super) fn curve(rows: &[CurveRow], variant: &str, seed: u64) -> Vec<Point> {
    let own = rows.iter().filter(|row| row.variant == variant && row.seed == seed);
    let point = |row: &CurveRow| Point {
        step: row.step,
        loss_fln: row.loss_fln,
        loss_cln: row.loss_cln,
        validation_accuracy_fln: row.validation_accuracy_fln,
        validation_accuracy_cln: row.validation_accuracy_cln,
        affinity_diagonal: row.affinity_diagonal,
        self_product: row.self_product,
        largest_other_product: row.largest_other_product,
    };
    own.map(point).collect()
}

/// A curve of at most [`POINTS`] points.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    thinned_to(points, POINTS)
}

/// Averages losses and measures of the affinity over windows of equal count: each is a mean already, and dropping some would hide spikes. Keeps every
/// k-th validation and the last one.
fn thinned_to(points: &[Point], limit: usize) -> Vec<Point> {
    let (validations, losses): (Vec<Point>, Vec<Point>) = points.iter().partition(|p| p.is_validation());
    let every = validations.len().div_ceil(limit / 2).max(1);
    // Counted from the end, so that the last validation stays.
    let mut kept: Vec<Point> = validations.into_iter().rev().step_by(every).collect();
    let window = losses.len().div_ceil(limit - kept.len()).max(1);
    kept.extend(losses.chunks(window).filter_map(|chunk| {
        let average = |value: fn(&Point) -> Option<f64>| {
            let values: Vec<f64> = chunk.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
        let last = chunk.last()?;
        Some(Point {
            step: last.step,
            loss_fln: average(|p| p.loss_fln),
            loss_cln: average(|p| p.loss_cln),
            affinity_diagonal: average(|p| p.affinity_diagonal),
            self_product: average(|p| p.self_product),
            largest_other_product: average(|p| p.largest_other_product),
            ..Point::default()
        })
    }));
    kept.sort_by_key(|p| (p.step, p.is_validation()));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(step: u64, loss: f64) -> Point {
        Point { step, loss_fln: Some(loss), ..Point::default() }
    }

    fn validation(step: u64) -> Point {
        Point { loss_fln: None, validation_accuracy_fln: Some(0.8), ..loss(step, 0.0) }
    }

    #[test]
    fn a_short_curve_is_kept_as_it_is() {
        let points = [loss(50, 27.0), loss(100, 25.0), validation(100)];
        assert_eq!(thinned_to(&points, 400), points);
    }

    #[test]
    fn a_long_curve_keeps_its_mean_its_end_and_at_most_the_limit() {
        let mut points: Vec<Point> = (1..=1000).map(|i| loss(i, i as f64)).collect();
        points.extend((1..=100).map(|i| validation(10 * i)));
        let found = thinned_to(&points, 40);
        assert!(found.len() <= 40, "{}", found.len());
        let losses: Vec<f64> = found.iter().filter_map(|p| p.loss_fln).collect();
        assert!((mean(&losses) - 500.5).abs() < 15.0, "{}", mean(&losses));
        assert!(found.iter().any(|p| p.is_validation() && p.step == 1000));
        assert!(found.iter().any(|p| !p.is_validation() && p.step == 1000));
    }
}
