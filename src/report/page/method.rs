//! Method and validity: what the figures were measured on, and what they do not show.

use super::super::runs::Report;
use super::deviations;
use crate::config::RunSummary;
use crate::render::format::thousands;
use crate::untrusted::markdown;

pub(super) const HEADING: &str = "Method and validity";
/// Anchor of the section.
pub(super) const ANCHOR: &str = "method-and-validity";

/// The kind of data, and whether its test split is the official one.
pub(super) fn limits(report: &Report) -> String {
    if report.shared().dataset != "synthetic" {
        return format!("{}\n\n", test_split(report.shared()));
    }
    "**The faces are synthetic.** gal-bench rendered them together with their labels. The figures show that the program \
     works. They say nothing about accuracy on real faces and cannot be compared with published ones.\n\n"
        .to_owned()
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
