//! The size of the training protocol beside the paper's, in the quantities that the method depends on.

use super::super::runs::Report;
use crate::config::{Profile, RunSummary};
use crate::render::format::{or_dash, thousands};
use crate::render::markdown::Table;
use crate::untrusted::markdown;

/// Name of the embedded profile with the paper's protocol.
const PAPER: &str = "paper";

/// A quantity in words, here and in the paper.
type Row = (&'static str, String, String);

/// The section; empty for results of a version without the profile.
pub(super) fn section(report: &Report) -> String {
    let Some(profile) = &report.profile else { return String::new() };
    let Ok(paper) = Profile::load(PAPER) else { return String::new() };
    let mut table = Table::new(1, ["Quantity", "Here", "Paper"]);
    for (quantity, here, theirs) in network(profile, &paper).into_iter().chain(training(report, &paper)) {
        table.row([quantity.to_owned(), here, theirs]);
    }
    let lists = [("Keeps of the paper", &profile.protocol.keeps), ("Reduces", &profile.protocol.reduces)];
    let mut text =
        format!("### Protocol\n\nProfile {}. {}\n\n", profile.name, markdown(&profile.description.to_string()));
    for (heading, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
        text += &format!("- **{heading}**: {}.\n", markdown(&list.join("; ")));
    }
    text + &format!("\n{table}\n")
}

/// Sizes of the map that position attention weighs and of the nodes between which the affinity is computed.
fn network(profile: &Profile, paper: &Profile) -> Vec<Row> {
    let side = |profile: &Profile| profile.network.map_size().ok();
    let row = |quantity, text: &dyn Fn(&Profile, usize) -> String| {
        let cell = |profile: &Profile| or_dash(side(profile), |side| text(profile, side));
        (quantity, cell(profile), cell(paper))
    };
    vec![
        row("Positions of the last map", &|_, side| format!("{side} x {side}")),
        row("Values of a node", &|profile, side| thousands(profile.network.node_channels * side * side)),
    ]
}

/// Amounts of training. The paper has none for synthetic faces.
fn training(report: &Report, paper: &Profile) -> Vec<Row> {
    let theirs = report.protocol().and_then(|protocol| {
        let training = paper.training.get(&report.shared().dataset)?;
        Some((training.steps * training.batch, protocol.train_images()))
    });
    let seen = |s: &RunSummary| s.steps * s.batch;
    let times = |seen: usize, images: usize| (seen + images / 2) / images.max(1);
    let counted = |value: Option<usize>| or_dash(value, thousands);
    vec![
        (
            "Training images without copies",
            report.range(|s| s.train_sources),
            counted(theirs.map(|(_, images)| images)),
        ),
        ("Images seen in training", report.range(seen), counted(theirs.map(|(seen, _)| seen))),
        (
            "Times that each is seen",
            report.range(|s| times(seen(s), s.train_sources)),
            counted(theirs.map(|(seen, images)| times(seen, images))),
        ),
    ]
}
