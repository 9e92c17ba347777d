//! The first paragraph of a page on runs that started from the weights of other runs.

use super::super::runs::Report;
use crate::config::{Init, InitParts};
use crate::dataset::DatasetName;
use crate::untrusted::{markdown, markdown_code};

/// The paragraph; empty for runs from random or imported weights.
pub(super) fn start(report: &Report) -> String {
    let mut starts: Vec<String> = Vec::new();
    for text in report.runs().iter().filter_map(|run| run.summary().init.as_ref()).map(words) {
        if !starts.contains(&text) {
            starts.push(text);
        }
    }
    if starts.is_empty() {
        return String::new();
    }
    format!(
        "**These runs started from trained weights**: {}. Their accuracy is not that of training from random weights.\n\n",
        starts.join("; ")
    )
}

fn words(init: &Init) -> String {
    let parts = match init.parts {
        InitParts::Backbone => "the backbone",
        InitParts::All => "backbone, branches and classifiers",
    };
    let dataset = match DatasetName::parse(&init.dataset) {
        Some(name) => name.title(),
        None => &init.dataset,
    };
    format!(
        "{parts} of run {}, trained on {} with profile {}",
        markdown_code(&init.run),
        markdown(dataset),
        markdown(&init.profile)
    )
}
