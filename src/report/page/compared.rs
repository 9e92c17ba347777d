//! The compared nets beside the paper's, under one protocol.

use super::super::runs::{Report, VariantRuns};
use super::notes::diverged_note;
use crate::evaluate::{Statistics, Verdict};
use crate::render::format::{bootstrap_p_cell, or_dash, percent_mean_std, points, points_interval, thousands};
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J, Kind};

/// The section's text; `None` without a compared net.
pub(super) fn compared(report: &Report, statistics: &Statistics) -> Option<String> {
    let variants = report.with_controls();
    if !variants.iter().any(is_compared) {
        return None;
    }
    Some(format!(
        "Nets of other publications, and other forms of the paper's layer, on the same images, FLN, optimizer and number of \
         steps. None sends a gradient to the features, so that a difference from Baseline comes from the net and, where \
         Baseline has another weight decay, from that. Better and worse count attributes. {}{}\n\n{}",
        answer(report, statistics).unwrap_or_default(),
        diverged_note(report, |name| report.registry.find(name).is_some_and(|variant| variant.kind == Kind::Compared)),
        table(&variants, statistics)
    ))
}

fn is_compared(variant: &VariantRuns) -> bool {
    variant.facts.is_some_and(|facts| facts.kind == Kind::Compared)
}

/// How many compared nets are shown to be better and worse than Baseline; `None` without a test.
pub(super) fn answer(report: &Report, statistics: &Statistics) -> Option<String> {
    let variants = report.with_controls();
    let tested: Vec<(&str, Verdict)> = variants
        .iter()
        .filter(|variant| is_compared(variant))
        .filter_map(|variant| {
            let (mean, _) = statistics.difference(variant.name, BASELINE.name)?;
            Some((variant.title, mean.verdict()?))
        })
        .collect();
    let named = |wanted: Verdict| {
        let names: Vec<&str> = tested.iter().filter(|(_, found)| *found == wanted).map(|(title, _)| *title).collect();
        if names.is_empty() { "none".to_owned() } else { format!("{} ({})", names.len(), names.join(", ")) }
    };
    (!tested.is_empty()).then(|| {
        format!(
            "Of {} compared nets, {} {} shown to be more accurate than Baseline, and {} less.",
            tested.len(),
            named(Verdict::Better),
            if tested.iter().filter(|(_, found)| *found == Verdict::Better).count() == 1 { "is" } else { "are" },
            named(Verdict::Worse)
        )
    })
}

fn table(variants: &[VariantRuns], statistics: &Statistics) -> Table {
    let header = [
        "Variant",
        "Seeds",
        "Mean accuracy",
        "From Baseline, points",
        "95 % interval",
        "p",
        "Better",
        "Worse",
        "From GAL-j, points",
        "95 % interval",
        "p",
        "Weight on itself",
        "Parameters",
    ];
    let mut table = Table::new(1, header);
    let shown = |variant: &&VariantRuns| is_compared(variant) || [BASELINE.name, GAL_J.name].contains(&variant.name);
    for variant in variants.iter().filter(shown) {
        let mut cells =
            vec![variant.title.to_owned(), variant.runs.len().to_string(), percent_mean_std(variant.accuracy())];
        for reference in [BASELINE.name, GAL_J.name] {
            let found = statistics.difference(variant.name, reference);
            cells.extend(match &found {
                Some((mean, _)) => [
                    points(mean.difference),
                    or_dash(mean.interval, points_interval),
                    or_dash(mean.p, bootstrap_p_cell),
                ],
                None => ["-", "-", "-"].map(str::to_owned),
            });
            if reference == BASELINE.name {
                let count =
                    |verdict| found.as_ref().map_or_else(|| "-".to_owned(), |(_, c)| c.count(verdict).to_string());
                cells.extend([Verdict::Better, Verdict::Worse].map(count));
            }
        }
        cells.push(variant.self_weights().map_or_else(|| "-".to_owned(), |weights| format!("{:.3}", weights.mean)));
        cells.push(thousands(variant.runs[0].summary().parameters));
        table.row(cells);
    }
    table
}
