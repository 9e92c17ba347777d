//! The limits of a report's validity, above all figures.

use super::super::runs::Report;
use super::{deviations, unknown_labels};
use crate::config::RunSummary;
use crate::evaluate::Statistics;
use crate::render::format::thousands;
use crate::untrusted::markdown;

/// The kind of data and the deviations from the paper's protocol.
pub(super) fn warning(report: &Report) -> String {
    let mut lines = Vec::new();
    if report.shared().dataset == "synthetic" {
        lines.push(
            "**The faces are synthetic.** gal-bench rendered them together with their labels. The figures show that the \
             program works. They say nothing about accuracy on real faces and cannot be compared with published ones."
                .to_owned(),
        );
    } else {
        lines.push(test_split(report.shared()));
    }
    lines.extend(unknown_labels::warning(report));
    let few = report.statistics.as_ref().and_then(Statistics::few_units);
    lines.extend(few.map(|few| format!("**No difference can be tested.** {few}.")));
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

/// States if the figures are results on the official test split.
fn test_split(shared: &RunSummary) -> String {
    let (title, split) = (markdown(shared.dataset_title()), deviations::sentence(&shared.split));
    if shared.is_official_test() {
        let count = thousands(shared.test_images);
        return format!("**The test images are {}**, all {count} of it. {split}", markdown(&shared.test_data()));
    }
    let reason = match &shared.extent {
        Some(extent) => format!("The data is {}.", markdown(extent)),
        None => "The partition is not the official one.".to_owned(),
    };
    format!("**{reason}** No figure here is a result on the official test split of {title}. {split}")
}
