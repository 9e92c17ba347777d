//! The compared nets and the networks without branches beside the paper's, under one protocol.

use super::super::runs::{Report, VariantRuns};
use super::notes::diverged_note;
use super::{differences, failed};
use crate::evaluate::{Statistics, Verdict};
use crate::render::format::{percent_mean_std, thousands};
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J, Kind, Net};

/// The meaning of AUX's affinity.
const AUX: &str = "AUX's weights are the sizes of its 40 x 40 weights between scores, relative to the sum of a row. ";

/// The text of the compared nets' section; `None` without one.
pub(super) fn compared(report: &Report, statistics: &Statistics) -> Option<String> {
    let words = "Nets of other publications, and other forms of the paper's layer, on the same images, FLN, optimizer and \
                 number of steps. They send no gradient to the features. A difference from Baseline comes from the net, or \
                 from the weight decay if Baseline's is another.";
    section(report, statistics, Kind::Compared, words)
}

/// The text of the section on networks without branches; `None` without one.
pub(super) fn own_trunk(report: &Report, statistics: &Statistics) -> Option<String> {
    let words = "Networks of other publications in place of the forty branches, each trained alone on the same images, with \
                 the same optimizer and number of steps. The layers are those of the publications, the backbone and the \
                 protocol are not: these accuracies are not the published ones.";
    section(report, statistics, Kind::OwnTrunk, words)
}

fn section(report: &Report, statistics: &Statistics, kind: Kind, words: &str) -> Option<String> {
    let variants = report.with_controls();
    if !variants.iter().any(|variant| is_of(kind, variant)) {
        return None;
    }
    let is_aux = |variant: &VariantRuns| variant.facts.is_some_and(|facts| facts.net == Some(Net::Aux));
    let aux = if kind == Kind::Compared && variants.iter().any(is_aux) { AUX } else { "" };
    Some(format!(
        "{words} Better and worse count attributes. {aux}{}{}{}\n\n{}",
        answer(report, statistics, kind).unwrap_or_default(),
        failed::note(report, |variant| is_of(kind, variant)),
        diverged_note(report, |name| report.registry.find(name).is_some_and(|variant| variant.kind == kind)),
        table(&variants, statistics, kind)
    ))
}

fn is_of(kind: Kind, variant: &VariantRuns) -> bool {
    variant.facts.is_some_and(|facts| facts.kind == kind)
}

/// How many networks of a kind are shown to be better and worse than Baseline; `None` without a test.
pub(super) fn answer(report: &Report, statistics: &Statistics, kind: Kind) -> Option<String> {
    let variants = report.with_controls();
    let tested: Vec<(&str, Verdict)> = variants
        .iter()
        .filter(|variant| is_of(kind, variant))
        .filter_map(|variant| {
            let (mean, _) = statistics.difference(variant.name, BASELINE.name)?;
            Some((variant.title, mean.verdict()?))
        })
        .collect();
    let names = |wanted: Verdict| -> Vec<&str> {
        tested.iter().filter(|(_, found)| *found == wanted).map(|(title, _)| *title).collect()
    };
    let (better, worse) = (names(Verdict::Better), names(Verdict::Worse));
    let listed = |names: &[&str]| match names.len() {
        0 => "none".to_owned(),
        count => format!("{count} ({})", names.join(", ")),
    };
    (!tested.is_empty()).then(|| {
        format!(
            "Of {} {}, {} {} shown to be more accurate than Baseline, and {} less.",
            tested.len(),
            if kind == Kind::Compared { "compared nets" } else { "networks without branches" },
            listed(&better),
            if better.len() == 1 { "is" } else { "are" },
            listed(&worse)
        )
    })
}

fn table(variants: &[VariantRuns], statistics: &Statistics, kind: Kind) -> Table {
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
    let shown = |variant: &&VariantRuns| is_of(kind, variant) || [BASELINE.name, GAL_J.name].contains(&variant.name);
    for variant in variants.iter().filter(shown) {
        let mut cells =
            vec![variant.title.to_owned(), variant.runs.len().to_string(), percent_mean_std(variant.accuracy())];
        for reference in [BASELINE.name, GAL_J.name] {
            cells.extend(differences::cells(statistics, variant.name, reference));
            if reference == BASELINE.name {
                cells.extend(differences::counts(statistics, variant.name, reference));
            }
        }
        cells.push(variant.self_weights().map_or_else(|| "-".to_owned(), |weights| format!("{:.3}", weights.mean)));
        cells.push(thousands(variant.runs[0].summary().parameters));
        table.row(cells);
    }
    table
}
