//! Where a report's figures come from: data, partition, configuration with every deviation from the paper, seeds, device,
//! program, durations, commands. `results/profile.toml` holds the configuration that the runs share.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::variants::Report;
use crate::config::{Profile, RunConfig, RunSummary, run_dir};
use crate::error::{Error, Result};
use crate::io;
use crate::render::format::thousands;
use crate::render::markdown::Table;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PROFILE_FILE: &str = "profile.toml";

/// Writes the `profile` that runs share into the results below `folder`.
pub(super) fn write_profile(profile: Option<&str>, folder: &Path) -> Result<()> {
    let path = folder.join("results").join(PROFILE_FILE);
    match profile {
        Some(text) => io::write(&path, text.as_bytes()),
        None => io::remove(&path),
    }
}

/// The profile of the runs in `folders`, as TOML; nothing of runs from before there were `config.toml`.
///
/// # Errors
/// Two runs whose profiles differ, so that no one page can speak for both.
pub(super) fn shared_profile(folders: &[PathBuf]) -> Result<Option<String>> {
    let mut shared: Option<(&PathBuf, Profile)> = None;
    for run in folders {
        let path = run.join(run_dir::CONFIG);
        if !path.is_file() {
            continue;
        }
        let profile = RunConfig::read(&path)?.profile;
        match &shared {
            None => shared = Some((run, profile)),
            Some((_, known)) if *known == profile => {}
            Some((first, _)) => {
                return Err(Error::Request(format!(
                    "runs {} and {} cannot share a report: their profiles are both called {}, but differ; make a report \
                     of each",
                    first.display(),
                    run.display(),
                    profile.name
                )));
            }
        }
    }
    let text = shared.map(|(_, profile)| toml::to_string(&profile)).transpose();
    text.map_err(|e| Error::Internal(format!("a profile cannot be written as TOML: {e}")))
}

/// Reads the profile among the results below `folder`, where there is one.
pub(super) fn read_profile(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("results").join(PROFILE_FILE);
    if path.is_file() { io::read_text(&path).map(Some) } else { Ok(None) }
}

/// Each deviation once, in the order of the runs, with the runs that have it.
pub(super) fn distinct_deviations(report: &Report) -> Vec<(&str, Vec<&RunSummary>)> {
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

/// The list of deviations.
pub(super) fn deviations(report: &Report) -> String {
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
            let names: Vec<String> =
                runs.iter().map(|r| format!("{} seed {}", report.registry.title(&r.variant), r.seed)).collect();
            format!(" (only {})", names.join(", "))
        };
        text += &format!("- {}{which}\n", sentence(deviation));
    }
    text + "\n"
}

/// A remark with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// Where the figures come from, and how to make them again.
pub(super) fn provenance(report: &Report, profile: Option<&str>) -> String {
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
    let versions = listed(distinct(report, |s| vec![format!("{} ({})", s.version, s.commit)]));
    text += &format!("- gal-bench {versions}; its libraries are those of `Cargo.lock` at that commit.\n\n");
    text += &run_table(report);
    text += "\nWall time is of training and testing; runs that shared one pass of the trunk share its time.\n\n";
    text += "The commands that make the runs again:\n\n```sh\n";
    for command in distinct(report, |s| vec![s.command.clone()]) {
        text += &format!("{command}\n");
    }
    text += "```\n";
    if let Some(profile) = profile {
        text += &format!(
            "\nThe configuration of all runs, apart from variant and seed; \
             [results/{PROFILE_FILE}](results/{PROFILE_FILE}), to be given as `--profile`:\n\n```toml\n{profile}```\n"
        );
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
    for s in report.runs().iter().map(super::Run::summary) {
        table.row([
            format!("`{}`", s.id),
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
