//! The controls beside the variants that they judge.

use super::super::runs::Report;
use super::findings::{broadest, sentence};
use super::notes::diverged_note;
use crate::evaluate::{Comparison, Statistics};
use crate::metrics::mean::mean;
use crate::render::format::{bootstrap_p_cell, percent, percent_mean_std, points, points_interval};
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J};
use std::fmt::Write as _;

/// The section's text; `None` without a control.
pub(super) fn ablation(report: &Report, statistics: &Statistics) -> Option<String> {
    if report.with_controls().len() == report.variants().len() {
        return None;
    }
    Some(format!(
        "The controls are not in the paper. Each is GAL-j or Baseline with one thing changed, all else equal. If a control is \
         as accurate as GAL-j, the accuracy of GAL-j does not come from the thing that the control changes. Intervals and p \
         are as above; differences are averaged over seeds.{}\n\n{}\n{}",
        diverged_note(report, |_| true),
        table(report, statistics),
        findings(report, statistics)
    ))
}

fn table(report: &Report, statistics: &Statistics) -> Table {
    let header = [
        "Variant",
        "Affinity",
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
    let floor = mean(&report.floors());
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
            cells.extend(match statistics.comparison(variant.name, reference) {
                Some(c) => [points(c.mean.difference), points_interval(c.mean.interval), bootstrap_p_cell(c.mean.p)],
                None => ["-", "-", "-"].map(str::to_owned),
            });
        }
        table.row(cells);
    }
    table
}

/// A line for each variant that is compared with GAL-j.
fn findings(report: &Report, statistics: &Statistics) -> String {
    let variants = report.with_controls();
    let wanted = |c: &&Comparison| c.reference == GAL_J.name && variants.iter().any(|v| v.name == c.name);
    let mut list = String::new();
    for comparison in broadest(statistics).filter(wanted) {
        let _ = writeln!(list, "- {}", sentence(report.registry, statistics, comparison));
    }
    list
}
