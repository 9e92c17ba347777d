//! The limits of a report's validity, above all figures.

use super::super::runs::Report;
use super::deviations;

/// The warning, empty for runs with the paper's protocol.
pub(super) fn warning(report: &Report) -> String {
    let mut lines = Vec::new();
    if report.shared().dataset == "synthetic" {
        lines.push(
            "**The faces are synthetic.** gal-bench rendered them together with their labels. The figures show that the \
             program works. They say nothing about accuracy on real faces and cannot be compared with published ones."
                .to_owned(),
        );
    } else if !report.shared().split_official {
        lines.push(format!(
            "**The partition is not the official one.** No figure here is a result on the official test split of {}. {}",
            report.data(),
            deviations::sentence(&report.shared().split)
        ));
    }
    let count = deviations::distinct(report).len();
    if count > 0 {
        let ways = if count == 1 { "one way".to_owned() } else { format!("{count} ways") };
        lines.push(format!(
            "**This is not the paper's protocol.** It differs in {ways}, [listed below](#{}).",
            deviations::ANCHOR
        ));
    }
    if lines.is_empty() { String::new() } else { format!("> {}\n\n", lines.join("\n>\n> ")) }
}
