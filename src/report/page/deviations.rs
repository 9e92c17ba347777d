//! The deviations of the runs from the paper's protocol.

use super::super::results::runs::Run;
use super::super::runs::Report;
use crate::config::RunSummary;
use crate::render::format::or_dash;
use crate::render::markdown::Table;
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
    let mut table = Table::new(3, ["Setting", "Here", "Paper"]);
    for (deviation, runs) in found {
        let which = if runs.len() == report.runs().len() {
            String::new()
        } else {
            let names: Vec<String> =
                runs.iter().map(|r| format!("{} seed {}", report.registry.title(&r.variant), r.seed)).collect();
            format!(" (only {})", names.join(", "))
        };
        let (setting, here, paper) = columns(deviation);
        table.row([markdown(setting), markdown(here) + &which, or_dash(paper, markdown)]);
    }
    text + &format!("{table}\n")
}

/// Setting, value and the paper's value of a sentence such as `Batch size: 32 (paper: 256).` A sentence of another form is in
/// one column.
fn columns(deviation: &str) -> (&str, &str, Option<&str>) {
    let text = deviation.trim_end_matches('.');
    let (setting, rest) = text.split_once(": ").unwrap_or(("", text));
    match rest.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (paper: ")) {
        Some((here, paper)) => (setting, here, Some(paper)),
        None => (setting, rest, None),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_has_a_column_for_each_value() {
        let cases = [
            ("Batch size: 32 (paper: 256).", ("Batch size", "32", Some("256"))),
            ("Distortions: anew (by 5) (paper: fixed copies).", ("Distortions", "anew (by 5)", Some("fixed copies"))),
            ("Weights: of x: y (paper: z); unknown.", ("Weights", "of x: y (paper: z); unknown", None)),
            ("66 px input, not 227", ("", "66 px input, not 227", None)),
        ];
        for (sentence, expected) in cases {
            assert_eq!(columns(sentence), expected);
        }
    }
}
