//! The origin of a report's figures: data, partition, configuration, seeds, device, program, durations, commands.

use super::super::results::profile;
use super::super::results::runs::Run;
use super::super::runs::Report;
use super::deviations::sentence;
use crate::config::RunSummary;
use crate::render::format::thousands;
use crate::render::markdown::{Table, folded};
use crate::untrusted::{markdown, markdown_block, markdown_code};
use std::collections::BTreeSet;

/// The section.
pub(super) fn section(report: &Report, profile: Option<&str>) -> String {
    let shared = report.shared();
    let partition = match &shared.extent {
        Some(extent) => markdown(extent),
        None if shared.split_official => "the official one".to_owned(),
        None => "not the official one".to_owned(),
    };
    let mut text = format!(
        "## Reproduce\n\n\
         `gal-bench report --check` verifies that this page and its figures match the files in [results/](results).\n\n\
         - Data: {}, {} test images; digest of the prepared set's manifest {}.\n\
         - Partition: {partition}. {}\n",
        report.test_data(),
        thousands(shared.test_images),
        markdown_code(&shared.data_digest),
        sentence(&shared.split)
    );
    for note in distinct(report, |s| s.data_notes.clone()) {
        text += &format!("- Note on the data: {}\n", sentence(&note));
    }
    let listed = |values: Vec<String>| markdown(&values.join(", "));
    text += &format!("- Profile: {}.\n", shared.profile);
    for init in distinct(report, |s| s.init.iter().map(ToString::to_string).collect()) {
        text += &format!("- Initial weights: {}.\n", markdown(&init));
    }
    text += &format!("- Seeds: {}.\n", listed(seeds(report)));
    text += &format!("- Device: {}.\n", listed(distinct(report, |s| vec![s.device.clone()])));
    text += &format!("- Processor features used: {}.\n", listed(distinct(report, |s| s.cpu_features.clone())));
    let versions = listed(distinct(report, |s| vec![format!("{} ({})", s.version, s.commit)]));
    text += &format!("- Program: gal-bench {versions}, with the libraries in `Cargo.lock` of that commit.\n\n");
    let times = "Wall time covers training and testing. Runs that shared one FLN share its time.";
    text += &format!("{}\n", folded("The runs", &format!("{}\n{times}", run_table(report))));
    let commands = distinct(report, |s| vec![s.command.clone()]).join("\n");
    text += "Commands that repeat the runs, on a prepared set with the digest above (`gal-bench prepare`):\n\n";
    text += &markdown_block("sh", &commands);
    if let Some(profile) = profile {
        let words = format!("For `--profile` ([results/{file}](results/{file})):", file = profile::FILE);
        let profile = format!("{words}\n\n{}", markdown_block("toml", profile));
        text += &format!("\n{}", folded("Profile of all runs", &profile));
    }
    text
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
    for s in report.runs().iter().map(Run::summary) {
        table.row([
            markdown_code(&s.id),
            report.registry.title(&s.variant).to_owned(),
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

/// The distinct values of a field, in the order of the runs.
fn distinct(report: &Report, values: impl Fn(&RunSummary) -> Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in report.runs().iter().flat_map(|run| values(run.summary())) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}
