//! README.md of a report: answers and findings first, then the paper's tables and figures, then method and provenance.

#![allow(
    clippy::format_push_string,
    reason = "a page is assembled once, so an allocation costs nothing, and `write!` would add a result to ignore"
)]

mod ablation;
mod affinity;
pub(super) mod claims;
mod compared;
pub(super) mod comparison_report;
mod dependence;
mod deviations;
mod differences;
pub(super) mod findings;
mod intervals;
mod mirrored;
mod notes;
mod protocol;
mod provenance;
mod published_columns;
mod retests;
mod scores;
mod start;
mod table1;
mod table2;
mod table3;
mod table4;
mod unknown_labels;
mod warning;

use super::figures::figure::Figure;
use super::headings;
use super::runs::Report;
use crate::evaluate::dependence::Correlations;

/// The text of the page.
pub(super) fn page(
    report: &Report,
    correlations: Option<&Correlations>,
    profile: Option<&str>,
    figures: &[Figure],
) -> String {
    let caption = format!("*{}*", report.caption());
    let mut text = format!("# gal-bench report: {}, profile {}\n\n", report.data(), report.shared().profile);
    text += &start::start(report);
    let answers = claims::answers(report);
    if !answers.is_empty() {
        text += &format!("- {}\n\n", answers.join("\n- "));
    }
    text += &warning::warning(report);
    text += &findings::section(report, correlations);
    text += &protocol::section(report);
    for (heading, body) in tables(report) {
        text += &format!("## {heading}\n\n{caption}\n\n{}\n\n", body.trim_end());
    }
    for (heading, body) in report.retests.iter().map(|test| retests::section(report, test)) {
        text += &format!("## {heading}\n\n{}\n\n", body.trim_end());
    }
    let figure_only = |heading| (heading, String::new());
    let has_figure = |heading: &str| figures.iter().any(|figure| figure.section == heading);
    let mut sections = vec![figure_only(headings::FIGURE_5)];
    sections.extend([headings::COURSE].into_iter().filter(|heading| has_figure(heading)).map(figure_only));
    sections.extend(correlations.map_or_else(Vec::new, |all| dependence_sections(report, all)));
    if has_figure(headings::ERRORS) {
        sections.push(figure_only(headings::ERRORS));
    }
    sections.extend([headings::CURVES, headings::GAIN].map(figure_only));
    for (heading, body) in sections {
        text += &section_with_figures(&caption, heading, &body, figures);
    }
    text += &unknown_labels::section(report);
    text += &deviations::section(report);
    text + &provenance::section(report, profile)
}

/// Heading and body of each section of tables.
fn tables(report: &Report) -> Vec<(&'static str, String)> {
    let mut sections = vec![
        ("Table 1. Attribute groups", table1::groups(report)),
        ("Table 2. Mean accuracy", table2::mean_accuracy(report)),
    ];
    sections.extend(mirrored::mirrored(report).map(|body| ("Mirrored images", body)));
    sections.extend([
        ("Table 3. Comparison on LFWA", table3::lfwa(report)),
        ("Table 4. Accuracy by attribute", table4::by_attribute(report)),
    ]);
    if let Some(statistics) = &report.statistics {
        sections.push(("Intervals of the means", intervals::intervals(report, statistics)));
        sections
            .extend(differences::differences(report, statistics).map(|body| ("Differences between variants", body)));
        sections.extend(ablation::ablation(report, statistics).map(|body| ("Ablation", body)));
        sections.extend(compared::compared(report, statistics).map(|body| ("Compared nets", body)));
    }
    sections.extend(scores::beyond_accuracy(report).map(|body| ("Beyond accuracy", body)));
    sections
}

/// Heading and body of each section on the dependence of attributes.
fn dependence_sections(report: &Report, all: &Correlations) -> Vec<(&'static str, String)> {
    let mut sections = Vec::new();
    sections.extend(affinity::affinity(report, all).map(|body| (headings::AFFINITY, body)));
    sections.push((headings::PREDICTIONS, dependence::predictions(report, all)));
    sections.push((headings::CONTRADICTIONS, dependence::contradictions(report, all)));
    if all.runs.iter().any(|run| run.masks.is_some()) {
        sections.push((headings::MASKS, String::new()));
    }
    sections.push((headings::CALIBRATION, dependence::calibration(report, all)));
    sections
}

/// A heading, its text, and its figures.
fn section_with_figures(caption: &str, heading: &str, body: &str, figures: &[Figure]) -> String {
    let mut text = format!("## {heading}\n\n{caption}\n\n");
    let mut own = figures.iter().filter(|figure| figure.section == heading).peekable();
    if !body.is_empty() {
        text += &format!("{}\n\n", body.trim_end());
    } else if own.peek().is_none() {
        text += "No run of this report has one.\n\n";
    }
    for figure in own {
        text += &format!("![{}]({})\n\n{}\n\n", figure.alt, figure.file, figure.text);
    }
    text
}
