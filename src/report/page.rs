//! README.md of a report: what was found in plain sentences first, then the paper's tables and figures, then what a
//! reader needs to judge and repeat the runs.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::comparisons;
use super::figures::Figure;
use super::provenance;
use super::sections;
use super::tables;
use super::variants::{Report, VariantRuns, tally};
use crate::evaluate::dependence::Correlations;
use crate::evaluate::{Head, HeadResult};
use crate::render::format::{difference_words, percent_mean_std, points};
use crate::variant::BASELINE;

/// The whole page.
pub(super) fn page(
    report: &Report,
    correlations: Option<&Correlations>,
    profile: Option<&str>,
    figures: &[Figure],
) -> String {
    let caption = format!("*{}*", report.caption());
    let mut text = format!("# gal-bench report: {}, profile {}\n\n", report.data(), report.shared().profile);
    text += &warning(report);
    text += &findings(report, correlations);
    let tables = [
        ("Table 1. Attribute groups", tables::groups(report)),
        ("Table 2. Mean accuracy", tables::mean_accuracy(report)),
        ("Table 3. Comparison on LFWA", tables::lfwa(report)),
        ("Table 4. Accuracy by attribute", tables::by_attribute(report)),
    ];
    for (heading, table) in tables {
        text += &format!("## {heading}\n\n{caption}\n\n{}\n\n", table.trim_end());
    }
    text += &comparisons::sections(report);
    let mut of_runs = correlations.map_or_else(Vec::new, |all| correlation(report, all));
    if figures.iter().any(|figure| figure.section == sections::ERRORS) {
        of_runs.push((sections::ERRORS, String::new()));
    }
    let own = |heading| (heading, String::new());
    let first = [own("Figure 5. Learned affinity")].into_iter();
    let last = [own("Training curves"), own("Gain over the floor by attribute")];
    for (heading, words) in first.chain(of_runs).chain(last) {
        text += &section(&caption, heading, &words, figures);
    }
    text += &provenance::deviations(report);
    text + &provenance::provenance(report, profile)
}

/// The sections about how attributes depend on each other, those that have anything to say.
fn correlation(report: &Report, all: &Correlations) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(sections::affinity(report, all).map(|words| (sections::AFFINITY, words)));
    found.push((sections::ANSWERS, sections::answers(report, all)));
    found.push((sections::CONTRADICTIONS, sections::contradictions(report, all)));
    if all.runs.iter().any(|run| run.masks.is_some()) {
        found.push((sections::MASKS, String::new()));
    }
    found.push((sections::RELIABILITY, sections::reliability(report, all)));
    found
}

/// A heading, what is said under it, and its figures.
fn section(caption: &str, heading: &str, words: &str, figures: &[Figure]) -> String {
    let mut text = format!("## {heading}\n\n{caption}\n\n");
    let mut own = figures.iter().filter(|figure| figure.section == heading).peekable();
    if !words.is_empty() {
        text += &format!("{}\n\n", words.trim_end());
    } else if own.peek().is_none() {
        text += "No run of this report has one.\n\n";
    }
    for figure in own {
        text += &format!("![{}]({})\n\n{}\n\n", figure.alt, figure.file, figure.text);
    }
    text
}

/// What must be read before any figure.
fn warning(report: &Report) -> String {
    let mut lines = Vec::new();
    if report.shared().dataset == "synthetic" {
        lines.push(
            "**The faces are synthetic.** They were drawn by gal-bench together with their labels. The figures show \
             what the program does, not how well faces of people are recognised, and none of them can be compared with \
             a published one."
                .to_owned(),
        );
    } else if !report.shared().split_official {
        lines.push(format!(
            "**The partition is not the official one**, so that no figure here is a result on the official test split of \
             {}. {}",
            report.data(),
            provenance::sentence(&report.shared().split)
        ));
    }
    let ways = provenance::distinct_deviations(report).len();
    if ways > 0 {
        let ways = if ways == 1 { "one way".to_owned() } else { format!("{ways} ways") };
        lines.push(format!(
            "**This is not the paper's protocol.** It differs in {ways}, [listed \
             below](#ways-in-which-this-run-is-not-the-papers-protocol)."
        ));
    }
    if lines.is_empty() { String::new() } else { format!("> {}\n\n", lines.join("\n>\n> ")) }
}

/// What the runs show, whichever way it falls.
fn findings(report: &Report, correlations: Option<&Correlations>) -> String {
    let mut text = "## Findings\n\n".to_owned();
    let variants = report.variants();
    for variant in &variants {
        text += &format!("- {}\n", against_floor(variant));
    }
    if let Some(baseline) = variants.iter().find(|v| v.name == BASELINE.name) {
        for variant in variants.iter().filter(|v| v.name != BASELINE.name) {
            text += &format!("- {}\n", against_baseline(report, variant, baseline));
        }
    }
    for variant in &variants {
        if let Some(sentence) = heads(variant) {
            text += &format!("- {sentence}\n");
        }
    }
    let learned = variants.iter().filter(|v| v.learns_affinity() && v.affinity().is_some());
    for (variant, all) in learned.filter_map(|variant| Some((variant, correlations?))) {
        text += &format!("- {}\n", sections::verdict(variant, &all.of(variant.name)));
    }
    text += &format!("- {}\n\n", noise(&variants));
    text
}

fn against_floor(variant: &VariantRuns) -> String {
    let accuracy = variant.accuracy();
    let floor = variant.judged_spread(HeadResult::mean_floor).mean;
    let count =
        tally((0..crate::attribute::COUNT).map(|i| variant.judged_spread(|head| head.attributes[i].gain()).mean));
    format!(
        "**{}** ({} head) reaches {} % mean accuracy{}: {} the majority-class floor of {:.2} %. It is above the floor \
         for {} attributes, equal to it for {}, below it for {}.",
        variant.title,
        variant.primary_head().label(),
        percent_mean_std(accuracy),
        match variant.runs.len() {
            1 => String::new(),
            seeds => format!(" (mean and sample standard deviation of {seeds} seeds)"),
        },
        difference_words(accuracy.mean - floor, "above", "below", "as much as"),
        100.0 * floor,
        count.better,
        count.equal,
        count.worse
    )
}

fn against_baseline(report: &Report, variant: &VariantRuns, baseline: &VariantRuns) -> String {
    let (own, base) = (variant.accuracies(), baseline.accuracies());
    let count = tally(own.iter().zip(&base).map(|(a, b)| a.mean - b.mean));
    let difference = variant.accuracy().mean - baseline.accuracy().mean;
    let paper = tables::paper_on_celeba(report.registry, variant.name)
        .zip(tables::paper_on_celeba(report.registry, BASELINE.name));
    let paper = paper.map_or_else(String::new, |(a, b)| {
        format!(" The paper's difference, on CelebA by its own protocol, is {}.", points((a - b) / 100.0))
    });
    if let Some(tested) = comparisons::against_baseline(report, variant.name) {
        return format!("**{} against Baseline**. {tested}{paper}", variant.title);
    }
    format!(
        "**{} against Baseline**: {} Baseline in mean accuracy; better for {} attributes, worse for {}, equal for \
         {}.{paper}",
        variant.title,
        difference_words(difference, "above", "below", "level with"),
        count.better,
        count.worse,
        count.equal
    )
}

/// The two heads of one network side by side.
fn heads(variant: &VariantRuns) -> Option<String> {
    let fln = variant.spread(Head::Fln, HeadResult::mean_accuracy)?;
    let cln = variant.spread(Head::Cln, HeadResult::mean_accuracy)?;
    Some(format!(
        "Within {}, the CLN head ({} %) is {} the FLN head ({} %).",
        variant.title,
        percent_mean_std(cln),
        difference_words(cln.mean - fln.mean, "above", "below", "level with"),
        percent_mean_std(fln)
    ))
}

/// How much of a difference may be chance.
fn noise(variants: &[VariantRuns]) -> String {
    if variants.iter().all(|v| v.runs.len() == 1) {
        return "Every variant was trained once. How far another seed would move these figures was not measured, so a \
                small difference between variants is not yet a finding."
            .to_owned();
    }
    let seeds: Vec<String> = variants.iter().map(|v| format!("{} {}", v.title, v.runs.len())).collect();
    format!(
        "Seeds: {}. A difference between variants that is not several times the standard deviation over seeds may be \
         chance.",
        seeds.join(", ")
    )
}
