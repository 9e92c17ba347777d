//! Runs whose training failed without NaN or infinity. Their accuracies say nothing about the method.

use super::super::results::runs::Run;
use super::super::runs::{Report, VariantRuns};
use crate::evaluate::{Head, Point};

/// A loss has grown if its last value is this many times its first one. The loss of a net on a trained FLN varies by less.
const GROWN: f64 = 2.0;
/// A network with at most this mean balanced accuracy predicts little but the most frequent labels, which have 0.5.
const CONSTANT: f64 = 0.51;

/// A paragraph on all runs that failed; `None` without one.
pub(super) fn answer(report: &Report) -> Option<String> {
    failures(report, |_| true).map(|failed| format!("**Training failed**: {failed}."))
}

/// A sentence on the wanted variants' runs that failed, after a blank.
pub(super) fn note(report: &Report, wanted: impl Fn(&VariantRuns) -> bool) -> String {
    failures(report, wanted).map_or_else(String::new, |failed| format!(" Training failed: {failed}."))
}

/// True if a run of the variant `name` failed.
pub(super) fn has_failed(report: &Report, name: &str) -> bool {
    failures(report, |variant| variant.name == name).is_some()
}

/// The wanted variants' runs that failed, with the seeds of a variant of which only some did.
fn failures(report: &Report, wanted: impl Fn(&VariantRuns) -> bool) -> Option<String> {
    let (mut grown, mut constant) = (Vec::new(), Vec::new());
    for variant in report.with_controls().iter().filter(|variant| wanted(variant)) {
        let failed = |is: fn(&Run) -> bool| variant.runs.iter().copied().filter(|run| is(run)).collect::<Vec<&Run>>();
        grown.extend(clause(variant, &failed(|run| growth(run).is_some())));
        constant.extend(clause(variant, &failed(is_constant)));
    }
    let listed = |words: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")));
    let both = [listed("the loss grew in", grown), listed("constant predictions of", constant)];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// The variant with its `failed` runs; `None` without one.
fn clause(variant: &VariantRuns, failed: &[&Run]) -> Option<String> {
    let seeds: Vec<String> = failed.iter().map(|run| run.summary().seed.to_string()).collect();
    let some = (failed.len() < variant.runs.len()).then(|| format!("seed {}", seeds.join(", ")));
    let losses = growth(failed.first()?).map(|(first, last)| format!("from {first:.0} to {last:.0e}"));
    let details: Vec<String> = some.into_iter().chain(losses).collect();
    let title = variant.title;
    Some(if details.is_empty() { title.to_owned() } else { format!("{title} ({})", details.join("; ")) })
}

/// The first and the last loss of the run's primary head if it has grown.
fn growth(run: &Run) -> Option<(f64, f64)> {
    let head = run.evaluation.primary_head().head;
    let loss = |point: &Point| if head == Head::Cln { point.loss_cln } else { point.loss_fln };
    let mut losses = run.curve.iter().filter_map(loss);
    losses.next().zip(losses.next_back()).filter(|(first, last)| *last > GROWN * first)
}

fn is_constant(run: &Run) -> bool {
    run.evaluation.primary_head().mean_balanced_accuracy().is_some_and(|balanced| balanced <= CONSTANT)
}
