//! README.md of a report: what was found in plain sentences first, then the paper's tables and figures, then what a
//! reader needs to judge and repeat the runs.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::figures::Figure;
use super::markdown::Table;
use super::variants::{Report, Variant, label, points, tally, thousands};
use super::{comparisons, tables};
use crate::config::RunSummary;
use crate::evaluate::{Head, HeadResult};
use std::collections::BTreeSet;

/// The whole page.
pub(super) fn page(report: &Report, figures: &[Figure]) -> String {
    let caption = format!("*{}*", report.caption());
    let mut text = format!("# gal-bench report: {}, profile {}\n\n", report.data(), report.shared().profile);
    text += &warning(report);
    text += &findings(report);
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
    for section in ["Figure 5. Learned affinity", "Training curves", "Gain over the floor by attribute"] {
        text += &format!("## {section}\n\n{caption}\n\n");
        let mut own = figures.iter().filter(|figure| figure.section == section).peekable();
        if own.peek().is_none() {
            text += "No run of this report has one.\n\n";
        }
        for figure in own {
            text += &format!("![{}]({})\n\n{}\n\n", figure.alt, figure.file, figure.text);
        }
    }
    text += &deviations(report);
    text += &provenance(report);
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
            sentence(&report.shared().split)
        ));
    }
    let ways = distinct_deviations(report).len();
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
fn findings(report: &Report) -> String {
    let mut text = "## Findings\n\n".to_owned();
    let variants = report.variants();
    for variant in &variants {
        text += &format!("- {}\n", against_floor(variant));
    }
    if let Some(baseline) = variants.iter().find(|v| v.name == "baseline") {
        for variant in variants.iter().filter(|v| v.name != "baseline") {
            text += &format!("- {}\n", against_baseline(report, variant, baseline));
        }
    }
    for variant in &variants {
        if let Some(sentence) = heads(variant) {
            text += &format!("- {sentence}\n");
        }
    }
    text += &format!("- {}\n\n", noise(&variants));
    text
}

fn against_floor(variant: &Variant) -> String {
    let accuracy = variant.accuracy();
    let floor = variant.judged_spread(HeadResult::mean_floor).mean;
    let count =
        tally((0..crate::attribute::COUNT).map(|i| variant.judged_spread(|head| head.attributes[i].gain()).mean));
    format!(
        "**{}** ({} head) reaches {} % mean accuracy{}: {} the majority-class floor of {:.2} %. It is above the floor \
         for {} attributes, equal to it for {}, below it for {}.",
        variant.label(),
        variant.judged().label(),
        accuracy.percent(),
        match variant.runs.len() {
            1 => String::new(),
            seeds => format!(" (mean and sample standard deviation of {seeds} seeds)"),
        },
        apart(accuracy.mean - floor, "above", "below", "as much as"),
        100.0 * floor,
        count.better,
        count.equal,
        count.worse
    )
}

/// A difference of shares in words: "1.20 points above".
pub(super) fn apart(difference: f64, more: &str, less: &str, same: &str) -> String {
    match points(difference) {
        zero if zero == "0.00" => same.to_owned(),
        text if text.starts_with('-') => format!("{} points {less}", &text[1..]),
        text => format!("{} points {more}", &text[1..]),
    }
}

fn against_baseline(report: &Report, variant: &Variant, baseline: &Variant) -> String {
    let (own, base) = (variant.accuracies(), baseline.accuracies());
    let count = tally(own.iter().zip(&base).map(|(a, b)| a.mean - b.mean));
    let difference = variant.accuracy().mean - baseline.accuracy().mean;
    let paper = tables::paper_on_celeba(variant.name).zip(tables::paper_on_celeba("baseline"));
    let paper = paper.map_or_else(String::new, |(a, b)| {
        format!(" The paper's difference, on CelebA by its own protocol, is {}.", points((a - b) / 100.0))
    });
    if let Some(tested) = comparisons::against_baseline(report, variant.name) {
        return format!("**{} against Baseline**. {tested}{paper}", variant.label());
    }
    format!(
        "**{} against Baseline**: {} Baseline in mean accuracy; better for {} attributes, worse for {}, equal for \
         {}.{paper}",
        variant.label(),
        apart(difference, "above", "below", "level with"),
        count.better,
        count.worse,
        count.equal
    )
}

/// The two heads of one network side by side.
fn heads(variant: &Variant) -> Option<String> {
    let fln = variant.spread(Head::Fln, HeadResult::mean_accuracy)?;
    let cln = variant.spread(Head::Cln, HeadResult::mean_accuracy)?;
    Some(format!(
        "Within {}, the CLN head ({} %) is {} the FLN head ({} %).",
        variant.label(),
        cln.percent(),
        apart(cln.mean - fln.mean, "above", "below", "level with"),
        fln.percent()
    ))
}

/// How much of a difference may be chance.
fn noise(variants: &[Variant]) -> String {
    if variants.iter().all(|v| v.runs.len() == 1) {
        return "Every variant was trained once. How far another seed would move these figures was not measured, so a \
                small difference between variants is not yet a finding."
            .to_owned();
    }
    let seeds: Vec<String> = variants.iter().map(|v| format!("{} {}", v.label(), v.runs.len())).collect();
    format!(
        "Seeds: {}. A difference between variants that is not several times the standard deviation over seeds may be \
         chance.",
        seeds.join(", ")
    )
}

/// Each deviation once, in the order of the runs, with the runs that have it.
fn distinct_deviations(report: &Report) -> Vec<(&str, Vec<&RunSummary>)> {
    let mut found: Vec<(&str, Vec<&RunSummary>)> = Vec::new();
    for summary in report.runs().iter().map(super::Run::summary) {
        for deviation in &summary.deviations {
            match found.iter_mut().find(|(text, _)| text == deviation) {
                Some((_, runs)) => runs.push(summary),
                None => found.push((deviation, vec![summary])),
            }
        }
    }
    found
}

fn deviations(report: &Report) -> String {
    let mut text = "## Ways in which this run is not the paper's protocol\n\n".to_owned();
    let found = distinct_deviations(report);
    if found.is_empty() {
        text += "None was recorded by the runs.\n\n";
        return text;
    }
    for (deviation, runs) in found {
        let which = if runs.len() == report.runs().len() {
            String::new()
        } else {
            let names: Vec<String> = runs.iter().map(|r| format!("{} seed {}", label(&r.variant), r.seed)).collect();
            format!(" (only {})", names.join(", "))
        };
        text += &format!("- {}{which}\n", sentence(deviation));
    }
    text + "\n"
}

/// A remark with a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn provenance(report: &Report) -> String {
    let shared = report.shared();
    let official = if shared.split_official { "the official one" } else { "not the official one" };
    let mut text = format!(
        "## Provenance\n\n\
         This page and its figures are rendered from the files in [results/](results) alone; `gal-bench report --check` \
         proves it.\n\n\
         - Data: {}, {} test images; digest of the prepared set's manifest `{}`.\n\
         - Partition: {official}. {}\n",
        report.data(),
        thousands(shared.test_images),
        shared.data_digest,
        sentence(&shared.split)
    );
    for note in distinct(report, |s| s.data_notes.clone()) {
        text += &format!("- Note on the data: {}\n", sentence(&note));
    }
    let listed = |values: Vec<String>| values.join(", ");
    text += &format!("- Profile: {}.\n", shared.profile);
    text += &format!("- Seeds: {}.\n", listed(seeds(report)));
    text += &format!("- Device: {}.\n", listed(distinct(report, |s| vec![s.device.clone()])));
    text += &format!("- Processor features used: {}.\n", listed(distinct(report, |s| s.cpu_features.clone())));
    text +=
        &format!("- gal-bench {}.\n\n", listed(distinct(report, |s| vec![format!("{} ({})", s.version, s.commit)])));
    text += &run_table(report);
    text += "\nWall time is of training and testing; runs that shared one pass of the trunk share its time.\n\n";
    text += "The commands that make the runs again:\n\n```sh\n";
    for command in distinct(report, |s| vec![s.command.clone()]) {
        text += &format!("{command}\n");
    }
    text + "```\n"
}

fn run_table(report: &Report) -> String {
    let header = [
        "Run",
        "Variant",
        "Seed",
        "Steps",
        "Batch",
        "Input",
        "Training images",
        "Sources",
        "Parameters",
        "Threads",
        "Wall time, min",
    ];
    let mut table = Table::new(2, header);
    for s in report.runs().iter().map(super::Run::summary) {
        table.row([
            format!("`{}`", s.id),
            label(&s.variant).to_owned(),
            s.seed.to_string(),
            thousands(s.steps),
            thousands(s.batch),
            format!("{} px", s.input),
            thousands(s.train_images),
            thousands(s.train_sources),
            thousands(s.parameters),
            s.threads.to_string(),
            format!("{:.1}", s.wall_seconds / 60.0),
        ]);
    }
    table.to_string()
}

fn seeds(report: &Report) -> Vec<String> {
    let seeds: BTreeSet<u64> = report.runs().iter().map(|run| run.summary().seed).collect();
    seeds.iter().map(u64::to_string).collect()
}

/// The different values of something the runs say, in their order.
fn distinct(report: &Report, values: impl Fn(&RunSummary) -> Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in report.runs().iter().flat_map(|run| values(run.summary())) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}
