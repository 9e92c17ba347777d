//! README.md of a report. The first screen answers the question; the chapters behind it hold the evidence, the method and
//! the origin of every figure.

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
mod failed;
pub(super) mod findings;
mod intervals;
mod method;
mod mirrored;
mod notes;
mod protocol;
mod provenance;
mod published_columns;
mod retests;
mod scores;
mod start;
mod summary;
mod table1;
mod table2;
mod table3;
mod table4;
pub(super) mod together;
mod unknown_labels;

use super::figures::figure::Figure;
use super::headings;
use super::runs::Report;
use crate::evaluate::dependence::Correlations;
use crate::render::markdown::folded;

/// Heading and text; the figures with that heading follow.
type Section = (String, String);

/// The text of the page.
pub(super) fn page(
    report: &Report,
    correlations: Option<&Correlations>,
    profile: Option<&str>,
    figures: &[Figure],
) -> String {
    let mut text = summary::summary(report, figures);
    let chapters = [
        ("Accuracy", accuracy(report)),
        ("Does the graph matter?", graph(report, correlations)),
        ("By attribute", by_attribute(report)),
        ("Calibration and errors", errors(report, correlations)),
        ("Beside the paper", beside_the_paper(report)),
    ];
    for (heading, sections) in chapters {
        text += &format!("## {heading}\n\n*{}*\n\n", report.caption());
        for (heading, body) in sections {
            text += &section(&heading, &body, figures);
        }
    }
    text += &format!("## {}\n\n{}", method::HEADING, method::limits(report));
    text += &protocol::section(report);
    text += &unknown_labels::section(report);
    text += &deviations::section(report);
    text + &provenance::section(report, profile)
}

/// A heading, its text, and its figures; empty without text and figures.
fn section(heading: &str, body: &str, figures: &[Figure]) -> String {
    let mut content = if body.is_empty() { String::new() } else { format!("{}\n\n", body.trim_end()) };
    for figure in figures.iter().filter(|figure| figure.section == heading) {
        content += &format!("![{}]({})\n\n{}\n\n", figure.alt, figure.file, figure.text);
    }
    if content.is_empty() { content } else { format!("### {heading}\n\n{content}") }
}

/// A section that consists of figures.
fn figures_of(heading: &str) -> Section {
    (heading.to_owned(), String::new())
}

fn accuracy(report: &Report) -> Vec<Section> {
    let mut sections = vec![("Table 2. Mean accuracy".to_owned(), table2::own(report))];
    if let Some(statistics) = &report.statistics {
        let differences = differences::differences(report, statistics);
        sections.extend(differences.map(|body| ("Differences between variants".to_owned(), body)));
        let intervals = folded("Mean accuracy of every head and seed", &intervals::intervals(report, statistics));
        sections.push(("Intervals of the means".to_owned(), intervals));
    }
    sections.extend(mirrored::mirrored(report).map(|body| ("Mirrored images".to_owned(), body)));
    sections.extend(report.retests.iter().map(|test| retests::section(report, test)));
    sections
}

fn graph(report: &Report, correlations: Option<&Correlations>) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(statistics) = &report.statistics {
        sections.extend(ablation::ablation(report, statistics).map(|body| ("Ablation".to_owned(), body)));
        sections.extend(compared::compared(report, statistics).map(|body| ("Compared nets".to_owned(), body)));
        let own_trunk = compared::own_trunk(report, statistics);
        sections.extend(own_trunk.map(|body| ("Networks without branches".to_owned(), body)));
    }
    sections.extend([figures_of(headings::FIGURE_5), figures_of(headings::COURSE)]);
    let affinity = correlations.and_then(|all| affinity::affinity(report, all));
    sections.push((headings::AFFINITY.to_owned(), affinity.unwrap_or_default()));
    sections
}

fn by_attribute(report: &Report) -> Vec<Section> {
    vec![
        figures_of(headings::ATTRIBUTE_DIFFERENCES),
        ("Table 4. Accuracy by attribute".to_owned(), table4::by_attribute(report)),
        figures_of(headings::GAIN),
    ]
}

fn errors(report: &Report, correlations: Option<&Correlations>) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(scores::beyond_accuracy(report).map(|body| ("Beyond accuracy".to_owned(), body)));
    if let Some(all) = correlations {
        sections.push((headings::CALIBRATION.to_owned(), dependence::calibration(report, all)));
        sections.push((headings::PREDICTIONS.to_owned(), dependence::predictions(report, all)));
        sections.push((headings::CONTRADICTIONS.to_owned(), dependence::contradictions(report, all)));
    }
    sections.extend([headings::MASKS, headings::ERRORS, headings::CURVES].map(figures_of));
    sections
}

fn beside_the_paper(report: &Report) -> Vec<Section> {
    vec![
        ("Table 1. Attribute groups".to_owned(), table1::groups(report)),
        ("Table 2. Published mean accuracy".to_owned(), table2::papers(report)),
        ("Table 3. Comparison on LFWA".to_owned(), table3::lfwa(report)),
        ("Table 4. Published accuracy by attribute".to_owned(), table4::published(report)),
    ]
}
