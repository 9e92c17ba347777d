//! Table 2: mean accuracy of the variants, and the paper's own in a table beside it.

use super::super::published::{self, Protocol};
use super::super::runs::Report;
use super::notes::{beside_the_paper, seeds_note};
use crate::evaluate::{Head, HeadResult};
use crate::render::format::{cell, percent, percent_mean_std, points};
use crate::render::markdown::{Table, bold};

/// The section's text.
pub(super) fn mean_accuracy(report: &Report) -> String {
    format!(
        "Mean accuracy over the 40 attributes in %. The head that a variant is scored by is in bold. Differences are \
         computed before rounding.{}\n\n{}\n{}\n\n{}\nFloor on CelebA: {}.\n",
        seeds_note(report),
        own(report),
        beside_the_paper(report, Protocol::Celeba),
        papers(report),
        published::floor(Protocol::Celeba).source
    )
}

fn own(report: &Report) -> Table {
    let mut table = Table::new(
        2,
        ["Variant", "Scored by", "Seeds", "FLN head", "CLN head", "Floor", "Gain over floor", "Balanced accuracy"],
    );
    for variant in report.variants() {
        let accuracy = |head: Head| {
            let text = variant.of_head(head, HeadResult::mean_accuracy).map_or("-".to_owned(), percent_mean_std);
            if head == variant.primary_head() { bold(text) } else { text }
        };
        let floor = variant.of_primary(HeadResult::mean_floor).mean;
        table.row([
            variant.title.to_owned(),
            format!("{} head", variant.primary_head().label()),
            variant.runs.len().to_string(),
            accuracy(Head::Fln),
            accuracy(Head::Cln),
            percent(floor),
            points(variant.accuracy().mean - floor),
            percent_mean_std(variant.of_primary(HeadResult::mean_balanced_accuracy)),
        ]);
    }
    table
}

fn papers(report: &Report) -> Table {
    let floor = published::floor(Protocol::Celeba).mean();
    let mut table = Table::new(1, ["Variant", "Paper, CelebA", "Floor, CelebA", "Gain over floor"]);
    for variant in report.registry.0 {
        let mean = published::paper_mean(Protocol::Celeba, report.registry, variant.name);
        if let Some(accuracy) = mean {
            let gain = points((accuracy - floor) / 100.0);
            table.row([variant.title.to_owned(), cell(Some(accuracy), 2), cell(Some(floor), 2), gain]);
        }
    }
    table
}
