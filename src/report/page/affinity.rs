//! The mean affinity: its concentration, and whether it follows the correlation of the labels.

use super::super::runs::{Report, VariantRuns};
use super::dependence::{by_variant, over_seeds};
use crate::attribute::{COUNT, NAMES, pairs};
use crate::evaluate::Affinity;
use crate::evaluate::dependence::{Correlations, DependenceMeasures, RunDependence};
use crate::metrics::mantel::{LEAST_P, PERMUTATIONS};
use crate::metrics::phi::AttributeMatrix;
use crate::render::format::{or_dash, resampled_p_cell, thousands};
use crate::render::markdown::Table;
use crate::synthetic::latent_correlation;

/// Largest p-value of a significant correlation.
const SIGNIFICANT: f64 = 0.05;

/// Number of strongest pairs of each variant.
const STRONGEST: usize = 10;

type Measure = fn(&DependenceMeasures) -> Option<f64>;

/// A correlation that an affinity is tested against.
struct Target {
    words: &'static str,
    symbol: &'static str,
    rho: Measure,
    p: Measure,
}

const LABELS: [Target; 2] = [
    Target {
        words: "the strength of the labels' correlation",
        symbol: "|phi|",
        rho: |r| r.rho_strength,
        p: |r| r.p_strength,
    },
    Target { words: "their signed correlation", symbol: "phi", rho: |r| r.rho_phi, p: |r| r.p_phi },
];

/// Known for synthetic faces only.
const TRUTH: [Target; 2] = [
    Target {
        words: "the strength of the true correlation",
        symbol: "|truth|",
        rho: |r| r.rho_truth_strength,
        p: |r| r.p_truth_strength,
    },
    Target { words: "the signed true correlation", symbol: "the truth", rho: |r| r.rho_truth, p: |r| r.p_truth },
];

/// The largest p of the seeds; `None` if a run lacks it.
fn largest(runs: &[&RunDependence], p: Measure) -> Option<f64> {
    runs.iter().map(|run| p(&run.measures)).collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
}

fn p_cell(p: Option<f64>) -> String {
    or_dash(p, |p| resampled_p_cell(p, LEAST_P, 4))
}

/// The section's text; `None` if no variant has an affinity.
pub(super) fn affinity(report: &Report, all: &Correlations) -> Option<String> {
    let variants: Vec<_> = by_variant(report, all).filter(|(variant, _)| variant.affinity().is_some()).collect();
    if variants.is_empty() {
        return None;
    }
    let synthetic = variants.iter().any(|(_, runs)| runs.iter().any(|run| run.measures.rho_truth.is_some()));
    let mut text = format!("{}\n\n{}\n", explanation(report, synthetic), table(&variants, synthetic));
    let learned = || variants.iter().filter(|(variant, _)| variant.learns_affinity());
    for (variant, runs) in learned() {
        text += &format!("- {}\n", verdict(variant, runs));
    }
    let truth = if synthetic { latent_correlation().ok() } else { None };
    for (variant, _) in learned() {
        if let Some(affinity) = variant.affinity() {
            text += &format!(
                "\nStrongest pairs of {}, by the mean weight of both directions:\n\n{}",
                variant.title,
                strongest(&affinity, &all.labels, truth.as_ref())
            );
        }
    }
    Some(text)
}

fn explanation(report: &Report, synthetic: bool) -> String {
    let mut text = format!(
        "The first columns measure how concentrated the mean affinity is: the weight of an attribute on itself, the entropy \
         of a row (0 if all weight is on one attribute, {:.3} if all 40 weigh the same), and the number of equal weights with \
         that entropy. The other columns test whether it ranks pairs of different attributes as the labels' correlation does. \
         ρ is Spearman's rank correlation with |phi|, the strength, and with phi, in which opposites rank lowest. p is from \
         Mantel's test: the share of {} random relabellings of the attributes with a ρ at least as high{}. An affinity follows \
         a correlation if p is at most {SIGNIFICANT}. A dash means that all weights between different attributes are equal.",
        (COUNT as f64).ln(),
        thousands(PERMUTATIONS),
        if report.variants().iter().any(|v| v.runs.len() > 1) { ", the largest of the seeds" } else { "" }
    );
    if report.statistics.as_ref().is_some_and(|statistics| statistics.few_units().is_some()) {
        text += " Too few test images were resampled for a test against their labels, which leaves dashes, too.";
    }
    if synthetic {
        text += " The truth is the correlation of the normal latents behind the labels of the synthetic faces.";
    }
    text
}

fn table(variants: &[(VariantRuns, Vec<&RunDependence>)], synthetic: bool) -> Table {
    let targets = || LABELS.iter().chain(TRUTH.iter().filter(|_| synthetic));
    let mut header =
        ["Variant", "Weight on itself, %", "Entropy, nats", "Effective neighbours"].map(str::to_owned).to_vec();
    header.extend(targets().flat_map(|target| [format!("ρ with {}", target.symbol), "p".to_owned()]));
    let mut table = Table::new(1, header);
    for (variant, runs) in variants {
        let mut cells = vec![
            variant.title.to_owned(),
            over_seeds(runs, 1, |r| r.diagonal.map(|share| 100.0 * share)),
            over_seeds(runs, 3, |r| r.entropy),
            over_seeds(runs, 2, |r| r.neighbours),
        ];
        cells.extend(targets().flat_map(|t| [over_seeds(runs, 3, t.rho), p_cell(largest(runs, t.p))]));
        table.row(cells);
    }
    table
}

/// A sentence or two: whether a learned affinity follows the labels' correlation, and the truth if it is known.
pub(super) fn verdict(variant: &VariantRuns, runs: &[&RunDependence]) -> String {
    let follows = |target: &Target| -> Option<String> {
        let significant = runs.iter().filter(|run| (target.p)(&run.measures).is_some_and(|p| p <= SIGNIFICANT)).count();
        let verb = match significant {
            0 => "does not follow".to_owned(),
            all if all == runs.len() => "follows".to_owned(),
            some => format!("follows, in {some} of {} seeds only,", runs.len()),
        };
        let p = match p_cell(Some(largest(runs, target.p)?)) {
            bound if bound.starts_with('<') => format!("p {bound}"),
            p => format!("p = {p}"),
        };
        let rho = over_seeds(runs, 3, target.rho);
        Some(format!("{verb} {} (ρ with {} = {rho}, {p})", target.words, target.symbol))
    };
    let both = |[strength, signed]: &[Target; 2]| Some(format!("{}; it {}.", follows(strength)?, follows(signed)?));
    let Some(labels) = both(&LABELS) else {
        let reason = if variant.affinity().is_some_and(|affinity| is_even(&affinity)) {
            "gives equal weight to all other attributes"
        } else {
            "is not compared with the labels' correlation, as too few attributes have labels that vary on the test images"
        };
        return format!("**The affinity of {}** {reason}.", variant.title);
    };
    let truth = both(&TRUTH).map_or_else(String::new, |truth| format!(" It {truth}"));
    format!("**The affinity of {}** {labels}{truth}", variant.title)
}

/// True if all weights between different attributes are equal.
fn is_even(affinity: &Affinity) -> bool {
    let cells = || (0..COUNT).flat_map(|i| (0..COUNT).filter(move |j| *j != i).map(move |j| affinity[i][j]));
    cells().fold(f64::NEG_INFINITY, f64::max) - cells().fold(f64::INFINITY, f64::min) < 1e-9
}

/// The strongest pairs with the correlation of their labels.
fn strongest(affinity: &Affinity, labels: &AttributeMatrix, truth: Option<&AttributeMatrix>) -> Table {
    let mut weighted: Vec<(usize, usize, f64)> =
        pairs().map(|(i, j)| (i, j, f64::midpoint(affinity[i][j], affinity[j][i]))).collect();
    // The sort is stable, so ties stay in the order of the attributes.
    weighted.sort_by(|a, b| b.2.total_cmp(&a.2));
    let mut header = vec!["Attribute", "Other", "Mean weight", "phi of labels"];
    header.extend(truth.map(|_| "Truth"));
    let mut table = Table::new(2, header);
    let cell = |value: Option<f64>| or_dash(value, |value| format!("{value:+.3}"));
    for &(i, j, weight) in &weighted[..STRONGEST] {
        let mut cells = vec![format!("`{}`", NAMES[i]), format!("`{}`", NAMES[j]), format!("{weight:.4}")];
        cells.push(cell(labels[i][j]));
        cells.extend(truth.map(|truth| cell(truth[i][j])));
        table.row(cells);
    }
    table
}
