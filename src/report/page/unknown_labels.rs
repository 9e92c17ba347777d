//! Labels that are not known, and the attributes without any.

use super::super::runs::Report;
use crate::attribute::{COUNT, NAMES};
use crate::config::KnownLabels;
use crate::render::format::{percent, thousands};
use crate::render::markdown::Table;

/// Anchor of the section.
const ANCHOR: &str = "unknown-labels";

/// A sentence for the warning above all figures; `None` if all labels are known. `page` is as in [`super::summary::validity`].
pub(super) fn warning(report: &Report, page: &str) -> Option<String> {
    let known = report.shared().known_labels.as_ref()?;
    let [train, test] = shares(report, known).map(percent);
    let without: Vec<String> = unscored(report).map(|i| format!("`{}`", NAMES[i])).collect();
    let without = match without.as_slice() {
        [] => String::new(),
        [one] => format!(" {one} has no training or no test label, so it is not scored."),
        some => format!(" {} have no training or no test label, so they are not scored.", some.join(", ")),
    };
    Some(format!(
        "**Not all labels are known.** {train} % of the training labels and {test} % of the test labels are \
         [missing]({page}#{ANCHOR}) and left out of the loss, of every figure and of every test.{without}"
    ))
}

/// The section; empty if all labels are known.
pub(super) fn section(report: &Report) -> String {
    let shared = report.shared();
    let Some(known) = &shared.known_labels else { return String::new() };
    let mut table = Table::new(1, ["Attribute", "Training images with a label", "Test images with a label", "Scored"]);
    for (i, name) in NAMES.iter().enumerate() {
        let reason = match (known.train[i], known.test[i]) {
            (0, _) => "no: without a training label, it was not trained",
            (_, 0) => "no: without a test label",
            _ => "yes",
        };
        table.row([format!("`{name}`"), thousands(known.train[i]), thousands(known.test[i]), reason.to_owned()]);
    }
    format!(
        "### Unknown labels\n\nNumbers of images whose label is known, of {} training images without copies and {} test images. \
         A label that is not known has no loss: the loss divides by the whole batch, so that each known label weighs the \
         same. It is no test case of any figure, interval or test. A mean accuracy is that over the scored attributes. \
         Phi of two attributes is over the images with both labels.\n\n{table}\n",
        thousands(shared.train_sources),
        thousands(shared.test_images)
    )
}

/// Shares of training and test labels that are not known.
fn shares(report: &Report, known: &KnownLabels) -> [f64; 2] {
    let shared = report.shared();
    [(&known.train, shared.train_sources), (&known.test, shared.test_images)]
        .map(|(known, images)| 1.0 - known.iter().sum::<usize>() as f64 / (COUNT * images.max(1)) as f64)
}

/// The attributes without a score.
fn unscored(report: &Report) -> impl Iterator<Item = usize> {
    report.floors().into_iter().enumerate().filter(|(_, floor)| floor.is_none()).map(|(i, _)| i)
}
