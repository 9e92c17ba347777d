//! How the predictions of different attributes depend on each other, and how well they are calibrated.

use super::super::runs::{Report, VariantRuns};
use crate::attribute::pairs;
use crate::evaluate::dependence::{Correlations, DependenceMeasures, RunDependence};
use crate::metrics::mean::MeanStd;
use crate::metrics::reliability::{BINS, calibration_error};
use crate::render::format::{mean_std, or_dash, thousands};
use crate::render::markdown::Table;
use crate::untrusted::markdown;

/// A measure over the seeds, `0.123` or `0.123 ± 0.004`; a dash if a run lacks it.
pub(super) fn over_seeds(
    runs: &[&RunDependence],
    digits: usize,
    measure: impl Fn(&DependenceMeasures) -> Option<f64>,
) -> String {
    let values = runs.iter().map(|run| measure(&run.measures)).collect::<Option<Vec<f64>>>();
    or_dash(values, |values| mean_std(MeanStd::of(&values), digits))
}

/// Variants of the report, each with the dependence of its runs.
pub(super) fn by_variant<'a>(
    report: &'a Report,
    all: &'a Correlations,
) -> impl Iterator<Item = (VariantRuns<'a>, Vec<&'a RunDependence>)> {
    report.variants().into_iter().map(|variant| {
        let runs = all.of(variant.name);
        (variant, runs)
    })
}

/// Phi of predictions beside phi of labels.
pub(super) fn predictions(report: &Report, all: &Correlations) -> String {
    let header =
        ["Variant", "Mean |phi|, labels", "Mean |phi|, predictions", "Mean difference", "Correlation", "Pairs"];
    let mut table = Table::new(1, header);
    for (variant, runs) in by_variant(report, all) {
        let pairs = runs.iter().map(|run| run.measures.pairs).min().unwrap_or(0);
        table.row([
            variant.title.to_owned(),
            over_seeds(&runs, 4, |r| r.phi_labels),
            over_seeds(&runs, 4, |r| r.phi_predictions),
            over_seeds(&runs, 4, |r| r.phi_difference),
            over_seeds(&runs, 4, |r| r.phi_correlation),
            pairs.to_string(),
        ]);
    }
    format!(
        "Phi of every pair of attributes, in the test labels and in the predictions of the primary head (threshold 0.5): the \
         mean |phi| of each, their mean absolute difference, and their Pearson correlation over the pairs (of {}) with \
         both defined. If |phi| is larger for predictions than for labels, the model exaggerates co-occurrence. \
         [results/phi.csv](results/phi.csv) holds every pair.\n\n{table}\n",
        pairs().count()
    )
}

/// Shares of contradictory labels and predictions.
pub(super) fn contradictions(report: &Report, all: &Correlations) -> String {
    let variants: Vec<_> = by_variant(report, all).collect();
    let header = ["Images with", "Labels"].map(str::to_owned).into_iter();
    let mut table = Table::new(1, header.chain(variants.iter().map(|(variant, _)| variant.title.to_owned())));
    let share = |count: usize| 100.0 * count as f64 / all.images.max(1) as f64;
    for (i, (words, count)) in all.contradictions.iter().enumerate() {
        let mut cells = vec![markdown(words), format!("{:.2}", share(*count))];
        cells.extend(variants.iter().map(|(_, runs)| {
            let shares: Vec<f64> = runs.iter().map(|run| share(run.contradictions[i])).collect();
            mean_std(MeanStd::of(&shares), 2)
        }));
        table.row(cells);
    }
    format!(
        "Share of the {} test images with contradictory labels, and with contradictory predictions of each variant, in %.\
         \n\n{table}\n",
        thousands(all.images)
    )
}

/// Calibration errors over all predictions.
pub(super) fn calibration(report: &Report, all: &Correlations) -> String {
    let mut table = Table::new(1, ["Variant", "Expected calibration error, %"]);
    for (variant, runs) in by_variant(report, all) {
        let errors: Option<Vec<f64>> =
            runs.iter().map(|run| calibration_error(&run.reliability).map(|error| 100.0 * error)).collect();
        let errors = or_dash(errors, |errors| mean_std(MeanStd::of(&errors), 2));
        table.row([variant.title.to_owned(), errors]);
    }
    format!(
        "Calibration of the predicted probabilities of the primary head, all attributes together. Each of {BINS} bins \
         compares the mean probability of the positive label with the share of positive labels. The error is the mean \
         distance between the two.\n\n{table}\n"
    )
}
