//! Scores that accuracy at one threshold hides.

use super::super::runs::{Report, VariantRuns};
use crate::attribute::NAMES;
use crate::evaluate::AttributeResult;
use crate::metrics::mean::MeanStd;
use crate::metrics::reliability::BINS;
use crate::metrics::scores::Scores;
use crate::render::format::{or_dash, percent_mean_std};
use crate::render::markdown::{Table, folded};
use crate::variant::{BASELINE, GAL_J};

/// A score's name and value.
type Score = (&'static str, fn(&Scores) -> Option<f64>);

const SCORES: [Score; 4] = [
    ("F1", |s| s.f1),
    ("Average precision", |s| s.average_precision),
    ("AUROC", |s| s.auroc),
    ("Calibration error", |s| s.calibration_error),
];

/// The section's text: means of all variants, then Baseline and GAL-j by attribute. `None` for results of a version
/// without these scores.
pub(super) fn beyond_accuracy(report: &Report) -> Option<String> {
    let variants = report.with_controls();
    variants.iter().find_map(|v| v.runs[0].evaluation.primary_head().mean_of(|a| a.scores.calibration_error))?;
    let header = ["Variant", "Balanced accuracy"].into_iter().chain(SCORES.map(|(name, _)| name));
    let mut table = Table::new(1, header);
    for variant in &variants {
        let mean = |value: &dyn Fn(&AttributeResult) -> Option<f64>| {
            let of_runs = variant.runs.iter().map(|run| run.evaluation.primary_head().mean_of(value));
            or_dash(of_runs.collect::<Option<Vec<f64>>>(), |values| percent_mean_std(MeanStd::of(&values)))
        };
        let mut cells = vec![variant.title.to_owned(), mean(&|a| a.balanced_accuracy)];
        cells.extend(SCORES.map(|(_, score)| mean(&|a| score(&a.scores))));
        table.row(cells);
    }
    let pair: Vec<&VariantRuns> = variants.iter().filter(|v| [BASELINE.name, GAL_J.name].contains(&v.name)).collect();
    let mut by_attribute = String::new();
    if !pair.is_empty() {
        by_attribute = format!("\n{}", folded("Scores by attribute", &self::by_attribute(&pair).to_string()));
    }
    Some(format!(
        "Means in % over the attributes that have the score, of the primary heads. F1 and average precision are of the positive label. AUROC is \
         the probability that a positive image ranks above a negative one. Calibration error is the mean distance between \
         the predicted probability and the share of positives, in {BINS} bins of equal width. \
         [results/accuracy.csv](results/accuracy.csv) holds the scores of every head by attribute.\
         \n\n{table}{by_attribute}"
    ))
}

/// Scores of the primary heads.
fn by_attribute(variants: &[&VariantRuns]) -> Table {
    let columns = || SCORES.iter().flat_map(|score| variants.iter().map(move |variant| (score, variant)));
    let header = columns().map(|((name, _), variant)| format!("{name}, {}", variant.title));
    let mut table = Table::new(1, std::iter::once("Attribute".to_owned()).chain(header));
    for (i, name) in NAMES.iter().enumerate() {
        let cell = |score: fn(&Scores) -> Option<f64>, variant: &VariantRuns| {
            or_dash(variant.of_attribute(i, |a| score(&a.scores)), percent_mean_std)
        };
        let cells = columns().map(|((_, score), variant)| cell(*score, variant));
        table.row(std::iter::once(format!("`{name}`")).chain(cells));
    }
    table
}
