//! The controls beside the variants that they judge.

use super::super::runs::{Report, VariantRuns};
use super::differences;
use super::notes::diverged_note;
use crate::evaluate::Statistics;
use crate::render::format::percent_mean_std;
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J, Kind};

/// The section's text; `None` without a control.
pub(super) fn ablation(report: &Report, statistics: &Statistics) -> Option<String> {
    if !report.with_controls().iter().any(is_control) {
        return None;
    }
    Some(format!(
        "The controls are not in the paper. Each changes one thing, which the second column names, all else equal. If GAL-j \
         is no more accurate than a control, its accuracy is not shown to come from that thing. Intervals and p are as \
         above; differences are averaged over seeds.{}\n\n{}",
        diverged_note(report, |_| true),
        table(report, statistics)
    ))
}

fn table(report: &Report, statistics: &Statistics) -> Table {
    let header = [
        "Variant",
        "What it is",
        "Seeds",
        "Mean accuracy",
        "From GAL-j, points",
        "95 % interval",
        "p",
        "From Baseline, points",
        "95 % interval",
        "p",
    ];
    let mut table = Table::new(2, header);
    for variant in report.with_controls() {
        let Some(affinity) = variant.facts.and_then(|facts| facts.ablation) else { continue };
        let mut cells = vec![
            variant.title.to_owned(),
            affinity.to_owned(),
            variant.runs.len().to_string(),
            percent_mean_std(variant.accuracy()),
        ];
        for reference in [GAL_J.name, BASELINE.name] {
            cells.extend(differences::cells(statistics, variant.name, reference));
        }
        table.row(cells);
    }
    table
}

fn is_control(variant: &VariantRuns) -> bool {
    variant.facts.is_some_and(|facts| facts.kind == Kind::Control)
}
