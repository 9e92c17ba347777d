//! The deviations of the runs from the paper's protocol.

use super::super::results::runs::Run;
use super::super::runs::Report;
use crate::config::RunSummary;
use crate::untrusted::markdown;

/// Anchor of the section.
pub(super) const ANCHOR: &str = "deviations-from-the-papers-protocol";

/// The section.
pub(super) fn section(report: &Report) -> String {
    let mut text = "### Deviations from the paper's protocol\n\n".to_owned();
    let found = distinct(report);
    if found.is_empty() {
        text += "The runs recorded none.\n\n";
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

/// Each deviation once, in the order of the runs, with the runs that have it.
pub(super) fn distinct(report: &Report) -> Vec<(&str, Vec<&RunSummary>)> {
    let mut found: Vec<(&str, Vec<&RunSummary>)> = Vec::new();
    for summary in report.runs().iter().map(Run::summary) {
        for deviation in &summary.deviations {
            match found.iter_mut().find(|(text, _)| text == deviation) {
                Some((_, runs)) => runs.push(summary),
                None => found.push((deviation, vec![summary])),
            }
        }
    }
    found
}

/// A remark of a run in Markdown, with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = markdown(text);
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}
