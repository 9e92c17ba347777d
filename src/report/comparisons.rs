//! The sections of a report that say how sure its figures are: intervals of means, tests of differences, the controls
//! beside the variants that they judge, and what accuracy does not say.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::sentences::{self, broadest};
use super::variants::{Report, VariantRuns};
use crate::attribute::NAMES;
use crate::evaluate::{Comparison, Head, HeadResult, Statistics, Verdict};
use crate::metrics::mean::{MeanStd, mean};
use crate::metrics::reliability::BINS;
use crate::metrics::scores::Scores;
use crate::render::format::{bootstrap_p_cell, percent, percent_interval, percent_mean_std, points, points_interval};
use crate::render::markdown::Table;
use crate::variant::{BASELINE, GAL_J, Registry};

/// All sections, as far as the results have what they are made from.
pub(super) fn sections(report: &Report) -> String {
    let caption = format!("*{}*", report.caption());
    let tests = report.statistics.as_ref();
    let parts = [
        ("Intervals of the means", tests.map(|statistics| intervals(report, statistics))),
        ("Differences between variants", tests.and_then(|statistics| differences(report, statistics))),
        ("Ablation: what the affinity is worth", tests.and_then(|statistics| ablation(report, statistics))),
        ("Beyond accuracy", beyond_accuracy(report)),
    ];
    let section = |(heading, text): (&str, Option<String>)| {
        Some(format!("## {heading}\n\n{caption}\n\n{}\n\n", text?.trim_end()))
    };
    parts.into_iter().filter_map(section).collect()
}

/// The sentence on a variant against Baseline, where that was tested.
pub(super) fn against_baseline(report: &Report, variant: &str) -> Option<String> {
    report
        .statistics
        .as_ref()?
        .comparison(variant, BASELINE.name)
        .map(|comparison| sentences::sentence(report.registry, comparison))
}

fn variants_only(report: &Report) -> Vec<&str> {
    report.variants().iter().map(|variant| variant.name).collect()
}

/// Seeds in a cell: `0, 1, 2`.
fn seeds(seeds: &[u64]) -> String {
    if seeds.is_empty() { "-".to_owned() } else { seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ") }
}

/// Mean accuracy of every variant, head and seed with its interval.
fn intervals(report: &Report, statistics: &Statistics) -> String {
    let mut table =
        Table::new(2, ["Variant", "Head", "Seeds", "Mean accuracy", "95 % interval", "Floor", "Gain over floor"]);
    let floor = mean(&report.floors());
    let names = variants_only(report);
    for mean in statistics.means.iter().filter(|mean| names.contains(&mean.name.as_str())) {
        table.row([
            report.registry.title(&mean.name).to_owned(),
            mean.head.label().to_owned(),
            seeds(&mean.seeds),
            percent(mean.accuracy),
            percent_interval(mean.interval),
            percent(floor),
            points(mean.accuracy - floor),
        ]);
    }
    format!(
        "How far each mean would move on other test images: the middle 95 % of {}. The networks stay the same: what \
         another seed would change is no part of these intervals.\n\n{table}",
        sentences::drawn(&statistics.resampling)
    )
}

/// Tests of the differences of the paper's variants from Baseline.
fn differences(report: &Report, statistics: &Statistics) -> Option<String> {
    let names = variants_only(report);
    let wanted = |c: &&Comparison| c.reference == BASELINE.name && names.contains(&c.name.as_str());
    let rows: Vec<&Comparison> = statistics.comparisons.iter().filter(wanted).collect();
    if rows.is_empty() {
        return None;
    }
    let several = rows.iter().any(|comparison| comparison.seeds.len() > 1);
    let mut text = format!("{}\n\n{}\n", how_tested(several), table(report.registry, &rows));
    for comparison in broadest(statistics).filter(wanted) {
        text += &differing(report.registry, comparison);
    }
    Some(text)
}

/// How differences were tested, in words.
pub(super) fn how_tested(several_seeds: bool) -> String {
    let mut text = "Whoever has a CLN head is judged by it, others by the FLN head. The difference in \
         mean accuracy has the middle 95 % of the differences in the draws described above, the same draws for both, and \
         the two-sided p-value of these draws. Better, worse and no difference shown count attributes: exact McNemar test \
         of the images that only one of the two answers rightly, Holm's correction over the 40 attributes, level 5 %. \
         That test takes images as independent, and is somewhat too sure where a person has several."
        .to_owned();
    if several_seeds {
        text += "\n\nA row with one seed is about the two networks of that seed. In a row with several, the mean is \
             averaged over them and its interval draws the test images once for all; it says how the average of these \
             networks would move on other test images, not how other seeds would move it, for which so few seeds are no \
             sample: that is left to the standard deviation over them, and to counting a difference as shown only where its \
             sign is the same with every seed. An attribute counts as different there only where every seed shows it, in \
             the same direction (its p-value is the largest of the seeds').";
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
        let count = |verdict| comparison.count(verdict).to_string();
        table.row([
            format!("{} - {}", registry.title(&comparison.name), registry.title(&comparison.reference)),
            seeds(&comparison.seeds),
            difference,
            points_interval(mean.interval),
            bootstrap_p_cell(mean.p),
            count(Verdict::Better),
            count(Verdict::Worse),
            count(Verdict::Inconclusive),
        ]);
    }
    table
}

/// The attributes on which two are shown to differ, the largest difference first.
pub(super) fn differing(registry: Registry, comparison: &Comparison) -> String {
    let mut text = String::new();
    for (verdict, word) in [(Verdict::Better, "better"), (Verdict::Worse, "worse")] {
        let mut tests: Vec<_> = comparison.attributes.iter().filter(|test| test.verdict() == verdict).collect();
        tests.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
        let named: Vec<String> =
            tests.iter().map(|test| format!("`{}` ({})", test.attribute, points(test.difference))).collect();
        if !named.is_empty() {
            let (name, reference) = (registry.title(&comparison.name), registry.title(&comparison.reference));
            text += &format!("- {name} {word} than {reference}: {}.\n", named.join(", "));
        }
    }
    text
}

/// GAL-j with another affinity or node layout, beside GAL-j and Baseline; nothing where no control was trained.
fn ablation(report: &Report, statistics: &Statistics) -> Option<String> {
    let all = report.with_controls();
    if all.len() == report.variants().len() {
        return None;
    }
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
    for variant in &all {
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
    let of_controls = |c: &&Comparison| all.iter().any(|v| v.name == c.name) && c.reference == GAL_J.name;
    let mut found = String::new();
    for comparison in broadest(statistics).filter(of_controls) {
        found += &format!("- {}\n", sentences::sentence(report.registry, comparison));
    }
    Some(format!(
        "Controls, which the paper does not have: GAL-j with edges that are fixed, or with another layout of what the edges \
         weigh, all else alike. If a control does as well as GAL-j, its learned edges are not what its accuracy comes from. \
         Intervals and p-values as above; with several seeds the difference is averaged over them.\n\n{table}\n{found}"
    ))
}

/// A score's name, its place among the scores, and its unit in a cell.
type Score = (&'static str, fn(&Scores) -> Option<f64>);

const SCORES: [Score; 4] = [
    ("F1", |s| s.f1),
    ("Average precision", |s| s.average_precision),
    ("AUROC", |s| s.auroc),
    ("Calibration error", |s| s.calibration_error),
];

/// Scores that accuracy at one threshold hides: means of all variants, and by attribute of Baseline and GAL-j.
fn beyond_accuracy(report: &Report) -> Option<String> {
    let variants = report.with_controls();
    variants.iter().find_map(|v| v.runs[0].evaluation.primary_head().mean_score(|s| s.calibration_error))?;
    let header = ["Variant", "Head", "Balanced accuracy"].into_iter().chain(SCORES.map(|(name, _)| name));
    let mut table = Table::new(2, header);
    for (variant, head) in variants.iter().flat_map(|variant| [Head::Fln, Head::Cln].map(|head| (variant, head))) {
        let Some(balanced) = variant.spread(head, HeadResult::mean_balanced_accuracy) else { continue };
        let mut cells = vec![variant.title.to_owned(), head.label().to_owned(), percent_mean_std(balanced)];
        let score = |score: fn(&Scores) -> Option<f64>| {
            let spread = variant.spread(head, |result| result.mean_score(score).unwrap_or(f64::NAN));
            spread.map_or_else(|| "-".to_owned(), percent_mean_std)
        };
        cells.extend(SCORES.map(|(_, of)| score(of)));
        table.row(cells);
    }
    let shown: Vec<&VariantRuns> = variants.iter().filter(|v| [BASELINE.name, GAL_J.name].contains(&v.name)).collect();
    let by_attribute = if shown.is_empty() { String::new() } else { format!("\n{}", scores_by_attribute(&shown)) };
    Some(format!(
        "In %, means over the attributes that have the score. F1 and average precision are of the positive label; AUROC is \
         the chance that a positive image is ranked above a negative one; the calibration error is the mean distance \
         between the probability of the positive label and the share of positives, in {BINS} bins of equal width. Every \
         head's scores by attribute are in [results/accuracy.csv](results/accuracy.csv).\n\n{table}{by_attribute}"
    ))
}

/// By the head each variant is judged by.
fn scores_by_attribute(variants: &[&VariantRuns]) -> Table {
    let columns = || SCORES.iter().flat_map(|score| variants.iter().map(move |variant| (score, variant)));
    let header = columns().map(|((name, _), variant)| format!("{name}, {}", variant.title));
    let mut table = Table::new(1, std::iter::once("Attribute".to_owned()).chain(header));
    for (i, name) in NAMES.iter().enumerate() {
        let cell = |score: fn(&Scores) -> Option<f64>, variant: &VariantRuns| {
            let values = variant.runs.iter().map(|run| score(&run.evaluation.primary_head().attributes[i].scores));
            let values: Option<Vec<f64>> = values.collect();
            values.map_or_else(|| "-".to_owned(), |values| percent_mean_std(MeanStd::of(&values)))
        };
        let cells = columns().map(|((_, score), variant)| cell(*score, variant));
        table.row(std::iter::once(format!("`{name}`")).chain(cells));
    }
    table
}
