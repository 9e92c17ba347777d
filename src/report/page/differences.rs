//! Tests of the differences between variants.

use super::super::runs::Report;
use super::findings::{broadest, few_units};
use super::intervals::seeds;
use super::notes::PRIMARY_HEAD;
use crate::evaluate::comparison::AttributeTest;
use crate::evaluate::{Comparison, Statistics, Verdict};
use crate::metrics::bootstrap::BootstrapInfo;
use crate::render::format::{bootstrap_p_cell, or_dash, percent, points, points_interval};
use crate::render::markdown::{Table, folded};
use crate::variant::{BASELINE, Registry};

/// The section's text on the paper's variants against Baseline; `None` without such a test.
pub(super) fn differences(report: &Report, statistics: &Statistics) -> Option<String> {
    let names: Vec<&str> = report.variants().iter().map(|variant| variant.name).collect();
    let wanted = |c: &&Comparison| c.reference == BASELINE.name && names.contains(&c.name.as_str());
    let rows: Vec<&Comparison> = statistics.comparisons.iter().filter(wanted).collect();
    if rows.is_empty() {
        return None;
    }
    let several = rows.iter().any(|comparison| comparison.seeds.len() > 1);
    let method = method(&statistics.resampling, several, &report.attributes());
    let broadest: Vec<&Comparison> = broadest(statistics).filter(wanted).collect();
    let mut text = format!("{}{}\n", few_units(statistics), table(report.registry, &broadest));
    for comparison in broadest {
        text += &differing(report.registry, comparison);
    }
    text += &format!("\n{method}\n\n");
    if several {
        text += &folded("By seed", &table(report.registry, &rows).to_string());
    }
    Some(text)
}

/// The statistical method in words; `attributes` are those with labels.
pub(super) fn method(info: &BootstrapInfo, several_seeds: bool, attributes: &str) -> String {
    let mut text = format!(
        "{PRIMARY_HEAD} The interval of a difference in mean accuracy is the middle 95 % over the bootstrap resamples, \
         the same for both, and p is two-sided. Better, worse and no difference shown count attributes: exact McNemar test \
         on the images that only one of the two predicts correctly, Holm's correction over the {attributes}, level 5 %. \
         The test assumes independent images, so it is somewhat too confident if a person has several."
    );
    if several_seeds {
        text += "\n\nOne-seed rows compare two networks. Multi-seed rows average the difference over seeds. Their interval \
             covers ";
        text += &match info.least_seeds {
            Some(least) => format!(
                "other test images and, from {least} seeds on, other seeds: each resample is scored with as many networks, \
                 drawn with replacement."
            ),
            None => "other test images, not other seeds.".to_owned(),
        };
        text += " The ± is the standard deviation over seeds. A difference in mean accuracy counts as shown only if its sign \
             is the same with every seed. A difference on an attribute counts as shown only if every seed shows it; its p is \
             the largest of the seeds.";
    }
    text
}

/// A row a comparison.
pub(super) fn table(registry: Registry, comparisons: &[&Comparison]) -> Table {
    let header = [
        "Comparison",
        "Seeds",
        "Difference in mean, points",
        "95 % interval",
        "p",
        "Better",
        "Worse",
        "No difference shown",
    ];
    let mut table = Table::new(1, header);
    for comparison in comparisons {
        let mean = &comparison.mean;
        let difference = match mean.deviation {
            Some(deviation) => format!("{} ± {}", points(mean.difference), percent(deviation)),
            None => points(mean.difference),
        };
        let count = |verdict| or_dash(comparison.is_tested().then(|| comparison.count(verdict)), |n| n.to_string());
        table.row([
            format!("{} - {}", registry.title(&comparison.name), registry.title(&comparison.reference)),
            seeds(&comparison.seeds),
            difference,
            or_dash(mean.interval, points_interval),
            or_dash(mean.p, bootstrap_p_cell),
            count(Verdict::Better),
            count(Verdict::Worse),
            count(Verdict::Inconclusive),
        ]);
    }
    table
}

/// Cells of a difference in mean accuracy: points, interval and p-value; dashes without a test.
pub(super) fn cells(statistics: &Statistics, name: &str, reference: &str) -> [String; 3] {
    match statistics.difference(name, reference) {
        Some((mean, _)) => {
            [points(mean.difference), or_dash(mean.interval, points_interval), or_dash(mean.p, bootstrap_p_cell)]
        }
        None => ["-", "-", "-"].map(str::to_owned),
    }
}

/// Cells of the difference from Baseline: points and interval; empty for Baseline itself and without tests.
pub(super) fn from_baseline(report: &Report, name: &str) -> [String; 2] {
    match report.statistics.as_ref().filter(|_| name != BASELINE.name) {
        Some(statistics) => {
            let [difference, interval, _] = cells(statistics, name, BASELINE.name);
            [difference, interval]
        }
        None => [String::new(), String::new()],
    }
}

/// Numbers of attributes on which `name` is better and worse than `reference`; dashes without a test.
pub(super) fn counts(statistics: &Statistics, name: &str, reference: &str) -> [String; 2] {
    let found = statistics.difference(name, reference);
    [Verdict::Better, Verdict::Worse]
        .map(|verdict| found.as_ref().map_or_else(|| "-".to_owned(), |(_, tests)| tests.count(verdict).to_string()))
}

/// The attributes with a difference, the largest first.
pub(super) fn differing(registry: Registry, comparison: &Comparison) -> String {
    let mut text = String::new();
    for (verdict, word) in [(Verdict::Better, "better"), (Verdict::Worse, "worse")] {
        let mut tests: Vec<_> = comparison.attributes.iter().filter(|test| test.verdict() == Some(verdict)).collect();
        let difference = |test: &AttributeTest| test.difference.unwrap_or_default();
        tests.sort_by(|a, b| difference(b).abs().total_cmp(&difference(a).abs()));
        let named: Vec<String> =
            tests.iter().map(|test| format!("`{}` ({})", test.attribute, points(difference(test)))).collect();
        if !named.is_empty() {
            let (name, reference) = (registry.title(&comparison.name), registry.title(&comparison.reference));
            text += &format!("- {name} {word} than {reference}: {}.\n", named.join(", "));
        }
    }
    text
}
