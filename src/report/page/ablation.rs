//! The controls beside the variants that they judge.

use super::super::runs::{Report, VariantRuns};
use super::differences;
use super::findings::{broadest, sentence};
use super::notes::diverged_note;
use crate::evaluate::{Comparison, Statistics};
use crate::render::format::{percent, percent_mean_std, points};
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J, Kind};
use std::fmt::Write as _;

/// The section's text; `None` without a control.
pub(super) fn ablation(report: &Report, statistics: &Statistics) -> Option<String> {
    if !report.with_controls().iter().any(is_control) {
        return None;
    }
    Some(format!(
        "The controls are not in the paper. Each changes one thing, which the second column names, all else equal. If GAL-j \
         is no more accurate than a control, its accuracy is not shown to come from that thing. Intervals and p are as \
         above; differences are averaged over seeds.{}\n\n{}\n{}",
        diverged_note(report, |_| true),
        table(report, statistics),
        findings(report, statistics)
    ))
}

fn table(report: &Report, statistics: &Statistics) -> Table {
    let header = [
        "Variant",
        "What it is",
        "Seeds",
        "Mean accuracy",
        "Floor",
        "Gain over floor",
        "From GAL-j, points",
        "95 % interval",
        "p",
        "From Baseline, points",
        "95 % interval",
        "p",
    ];
    let mut table = Table::new(2, header);
    let floor = report.mean_floor();
    for variant in report.with_controls() {
        let Some(affinity) = variant.facts.and_then(|facts| facts.ablation) else { continue };
        let accuracy = variant.accuracy();
        let mut cells = vec![
            variant.title.to_owned(),
            affinity.to_owned(),
            variant.runs.len().to_string(),
            percent_mean_std(accuracy),
            percent(floor),
            points(accuracy.mean - floor),
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

/// A line for each variant of the table that is compared with GAL-j.
fn findings(report: &Report, statistics: &Statistics) -> String {
    let mut variants = report.with_controls();
    variants.retain(|variant| variant.facts.is_some_and(|facts| facts.ablation.is_some()));
    let wanted = |c: &&Comparison| c.reference == GAL_J.name && variants.iter().any(|v| v.name == c.name);
    let mut list = String::new();
    for comparison in broadest(statistics).filter(wanted) {
        let _ = writeln!(list, "- {}", sentence(report.registry, statistics, comparison));
    }
    list
}
