//! The words and tables of a report about how attributes depend on each other: learned affinity, correlation and
//! contradictions of answers, masks, reliability. The headings are here because figures name theirs, too.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::variants::{Report, VariantRuns};
use crate::attribute::{COUNT, NAMES};
use crate::evaluate::Affinity;
use crate::evaluate::dependence::{Correlations, DependenceMeasures, RunDependence};
use crate::metrics::mantel::{LEAST_P, PERMUTATIONS};
use crate::metrics::mean::MeanStd;
use crate::metrics::phi::AttributeMatrix;
use crate::metrics::reliability::{BINS, calibration_error};
use crate::render::format::{mean_std, resampled_p_cell, thousands};
use crate::render::markdown::Table;
use crate::synthetic::latent_correlation;

pub(super) const AFFINITY: &str = "The affinity beside the labels' correlation";
pub(super) const ANSWERS: &str = "Correlation of the answers";
pub(super) const CONTRADICTIONS: &str = "Contradictions";
pub(super) const MASKS: &str = "Where the branches look";
pub(super) const RELIABILITY: &str = "Reliability";
pub(super) const ERRORS: &str = "Most confident errors";

/// A p-value up to which an agreement is called more than chance.
const SIGNIFICANT: f64 = 0.05;

/// Strongest pairs shown of each variant.
const STRONGEST: usize = 10;

/// A figure over the seeds: `0.123` or `0.123 ± 0.004`, a dash where a run has none.
fn over_seeds(found: &[&RunDependence], digits: usize, figure: impl Fn(&DependenceMeasures) -> Option<f64>) -> String {
    let Some(values) = found.iter().map(|run| figure(&run.measures)).collect::<Option<Vec<f64>>>() else {
        return "-".to_owned();
    };
    mean_std(MeanStd::of(&values), digits)
}

/// The largest p of the seeds.
fn largest(found: &[&RunDependence], p: impl Fn(&DependenceMeasures) -> Option<f64>) -> Option<f64> {
    found.iter().map(|run| p(&run.measures)).collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
}

fn p_text(p: Option<f64>) -> String {
    p.map_or_else(|| "-".to_owned(), |p| resampled_p_cell(p, LEAST_P, 4))
}

/// Variants of the report with what was found of each.
fn with_found<'a>(report: &'a Report, all: &'a Correlations) -> Vec<(VariantRuns<'a>, Vec<&'a RunDependence>)> {
    report
        .variants()
        .into_iter()
        .map(|variant| {
            let found = all.of(variant.name);
            (variant, found)
        })
        .collect()
}

/// Measures of every affinity, tests against labels and truth, strongest pairs.
pub(super) fn affinity(report: &Report, all: &Correlations) -> Option<String> {
    let with: Vec<_> =
        with_found(report, all).into_iter().filter(|(variant, _)| variant.affinity().is_some()).collect();
    if with.is_empty() {
        return None;
    }
    let synthetic = with.iter().any(|(_, found)| found.iter().any(|run| run.measures.rho_truth.is_some()));
    let mut header = vec!["Variant", "Weight on itself, %", "Entropy, nats", "Effective neighbours"];
    header.extend(["ρ with \\|phi\\|", "p", "ρ with phi", "p"]);
    if synthetic {
        header.extend(["ρ with the truth's strength", "p", "ρ with the truth", "p"]);
    }
    let mut table = Table::new(1, header.into_iter().map(|name| name.replace("\\|", "|")));
    for (variant, found) in &with {
        let mut cells = vec![
            variant.title.to_owned(),
            over_seeds(found, 1, |r| r.diagonal.map(|share| 100.0 * share)),
            over_seeds(found, 3, |r| r.entropy),
            over_seeds(found, 2, |r| r.neighbours),
            over_seeds(found, 3, |r| r.rho_strength),
            p_text(largest(found, |r| r.p_strength)),
            over_seeds(found, 3, |r| r.rho_phi),
            p_text(largest(found, |r| r.p_phi)),
        ];
        if synthetic {
            cells.extend([
                over_seeds(found, 3, |r| r.rho_truth_strength),
                p_text(largest(found, |r| r.p_truth_strength)),
                over_seeds(found, 3, |r| r.rho_truth),
                p_text(largest(found, |r| r.p_truth)),
            ]);
        }
        table.row(cells);
    }
    let mut text = format!(
        "The mean affinity as such: how much of a row's weight is on its own attribute, the entropy of a row (0 where all \
         is on one attribute, {:.3} where all 40 weigh the same) and as how many equal weights have that entropy. Beside \
         it, whether it ranks pairs of different attributes as their labels' correlation does: ρ is Spearman's rank \
         correlation with |phi|, the strength, and with phi, in which opposites rank lowest. p is Mantel's: the share of \
         {} random relabellings of the attributes with a ρ at least as high{}. A dash stands where all weights between \
         different attributes are the same.",
        (COUNT as f64).ln(),
        thousands(PERMUTATIONS),
        if report.variants().iter().any(|v| v.runs.len() > 1) { ", the largest of the seeds" } else { "" }
    );
    if synthetic {
        text +=
            " The truth is the correlation of the normal latents from which the labels of the synthetic faces are cut.";
    }
    text += &format!("\n\n{table}\n");
    for (variant, found) in with.iter().filter(|(variant, _)| variant.learns_affinity()) {
        text += &format!("- {}\n", verdict(variant, found));
    }
    let truth = if synthetic { latent_correlation().ok() } else { None };
    for (variant, _) in with.iter().filter(|(variant, _)| variant.learns_affinity()) {
        if let Some(affinity) = variant.affinity() {
            text += &format!(
                "\nStrongest pairs of {}, by the mean of the weights in either direction:\n\n{}",
                variant.title,
                strongest(&affinity, &all.labels, truth.as_ref())
            );
        }
    }
    Some(text)
}

/// Whether a learned affinity follows the labels and the truth, in a sentence.
pub(super) fn verdict(variant: &VariantRuns, found: &[&RunDependence]) -> String {
    type Figure = fn(&DependenceMeasures) -> Option<f64>;
    let judge = |rho: Figure, p: Figure| -> Option<String> {
        let beyond = found.iter().filter(|run| p(&run.measures).is_some_and(|p| p <= SIGNIFICANT)).count();
        let how = match beyond {
            0 => "no more than by chance",
            all if all == found.len() => "more than by chance",
            _ => "more than by chance with some seeds only",
        };
        Some(format!("{how} (ρ {}, p {})", over_seeds(found, 3, rho), p_text(Some(largest(found, p)?))))
    };
    let both = |strength: (Figure, Figure), signed: (Figure, Figure)| -> Option<String> {
        Some(format!("in strength {}, with its sign {}", judge(strength.0, strength.1)?, judge(signed.0, signed.1)?))
    };
    let labels = both((|r| r.rho_strength, |r| r.p_strength), (|r| r.rho_phi, |r| r.p_phi));
    let truth = both((|r| r.rho_truth_strength, |r| r.p_truth_strength), (|r| r.rho_truth, |r| r.p_truth));
    let labels = labels.map_or_else(
        || "all weights between different attributes are the same".to_owned(),
        |agreement| format!("it ranks pairs of attributes as the correlation of their labels does: {agreement}"),
    );
    let truth = truth.map_or_else(String::new, |agreement| {
        format!("; as the correlation that the labels were drawn with does: {agreement}")
    });
    format!("**The affinity that {} learned**: {labels}{truth}.", variant.title)
}

/// The strongest pairs with the correlation of their labels.
fn strongest(affinity: &Affinity, labels: &AttributeMatrix, truth: Option<&AttributeMatrix>) -> Table {
    let mut pairs: Vec<(usize, usize, f64)> = (0..COUNT)
        .flat_map(|i| (i + 1..COUNT).map(move |j| (i, j)))
        .map(|(i, j)| (i, j, f64::midpoint(affinity[i][j], affinity[j][i])))
        .collect();
    // Ties stay in the order of the attributes.
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut header = vec!["Attribute", "Other", "Mean weight", "phi of labels"];
    header.extend(truth.map(|_| "Truth"));
    let mut table = Table::new(2, header);
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.3}"));
    for &(i, j, weight) in &pairs[..STRONGEST] {
        let mut cells = vec![format!("`{}`", NAMES[i]), format!("`{}`", NAMES[j]), format!("{weight:.4}")];
        cells.push(cell(labels[i][j]));
        cells.extend(truth.map(|truth| cell(truth[i][j])));
        table.row(cells);
    }
    table
}

/// Phi of answers beside phi of labels.
pub(super) fn answers(report: &Report, all: &Correlations) -> String {
    let header =
        ["Variant", "Mean strength, labels", "Mean strength, answers", "Mean difference", "Correlation", "Pairs"];
    let mut table = Table::new(1, header);
    for (variant, found) in with_found(report, all) {
        let pairs = found.iter().map(|run| run.measures.pairs).min().unwrap_or(0);
        table.row([
            variant.title.to_owned(),
            over_seeds(&found, 4, |r| r.phi_labels),
            over_seeds(&found, 4, |r| r.phi_predictions),
            over_seeds(&found, 4, |r| r.phi_difference),
            over_seeds(&found, 4, |r| r.phi_correlation),
            pairs.to_string(),
        ]);
    }
    format!(
        "Whether answers depend on each other as labels do: phi of every pair of attributes, of the test labels and of the \
         answers by the head a variant is judged by (threshold one half). Mean |phi| of both; mean absolute difference; \
         Pearson's correlation of the two, over the pairs (of {}) for which both are defined. Predictions of more strength \
         than the labels exaggerate what goes together. Every pair is in [results/phi.csv](results/phi.csv).\n\n{table}\n",
        COUNT * (COUNT - 1) / 2
    )
}

/// How often labels and answers contradict themselves.
pub(super) fn contradictions(report: &Report, all: &Correlations) -> String {
    let with = with_found(report, all);
    let header = ["Images with", "Labels"].map(str::to_owned).into_iter();
    let mut table = Table::new(1, header.chain(with.iter().map(|(variant, _)| variant.title.to_owned())));
    let share = |count: usize| 100.0 * count as f64 / all.images.max(1) as f64;
    for (place, (words, count)) in all.contradictions.iter().enumerate() {
        let mut cells = vec![words.clone(), format!("{:.2}", share(*count))];
        cells.extend(with.iter().map(|(_, found)| {
            let shares: Vec<f64> = found.iter().map(|run| share(run.contradictions[place])).collect();
            mean_std(MeanStd::of(&shares), 2)
        }));
        table.row(cells);
    }
    format!(
        "Labels that cannot all be right, in % of the {} test images, and how often the answers of each variant are such.\
         \n\n{table}\n",
        thousands(all.images)
    )
}

/// The calibration error over all answers.
pub(super) fn reliability(report: &Report, all: &Correlations) -> String {
    let mut table = Table::new(1, ["Variant", "Expected calibration error, %"]);
    for (variant, found) in with_found(report, all) {
        let errors: Option<Vec<f64>> =
            found.iter().map(|run| calibration_error(&run.reliability).map(|error| 100.0 * error)).collect();
        table.row([variant.title.to_owned(), errors.map_or_else(|| "-".to_owned(), |e| mean_std(MeanStd::of(&e), 2))]);
    }
    format!(
        "How far the probabilities of the judged head can be taken at their word, all answers to all attributes together: \
         {BINS} bins of the probability of the positive label, in each the mean probability and the share of positive \
         labels. The error is the mean distance of the two.\n\n{table}\n"
    )
}
