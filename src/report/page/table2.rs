//! Table 2: mean accuracy of the variants, and the paper's own in a table beside it.

use super::super::published::{self, Protocol};
use super::super::runs::Report;
use super::notes::{beside_the_paper, seeds_note};
use super::published_columns::{FEW_IMAGES, methods};
use crate::attribute::COUNT;
use crate::evaluate::{Head, HeadResult};
use crate::render::format::{cell, or_dash, percent, percent_mean_std, points};
use crate::render::markdown::{Table, bold};

/// The section's text.
pub(super) fn mean_accuracy(report: &Report) -> String {
    format!(
        "Mean accuracy over the {} in %. The head that a variant is scored by is in bold. Differences are \
         computed before rounding.{}\n\n{}\n{}\n\n{}\n{}Floor on CelebA: {}.\n",
        report.attributes(),
        seeds_note(report),
        own(report),
        beside_the_paper(report, Protocol::Celeba),
        papers(report),
        few_images(report),
        published::floor(Protocol::Celeba).source
    )
}

fn own(report: &Report) -> Table {
    let mut table = Table::new(
        2,
        ["Variant", "Scored by", "Seeds", "FLN head", "CLN head", "Floor", "Gain over floor", "Balanced accuracy"],
    );
    let all: Vec<usize> = (0..COUNT).collect();
    for variant in report.variants() {
        let accuracy = |head: Head| {
            let text = or_dash(variant.of_head(head, HeadResult::mean_accuracy), percent_mean_std);
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
            or_dash(variant.of_attributes(&all, |a| a.balanced_accuracy), percent_mean_std),
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

/// Published results with a tenth of CelebA's training images, beside runs on CelebA; empty beside others.
fn few_images(report: &Report) -> String {
    let methods = methods(Protocol::Celeba, &FEW_IMAGES);
    if report.protocol() != Some(Protocol::Celeba) || methods.is_empty() {
        return String::new();
    }
    let floor = published::floor(Protocol::Celeba).mean();
    let mut table = Table::new(1, ["Method", "Published, CelebA", "Floor, CelebA", "Gain over floor"]);
    for method in &methods {
        let mean = method.recomputed();
        let gain = or_dash(mean, |mean| points((mean - floor) / 100.0));
        table.row([method.name.clone(), cell(mean, 2), cell(Some(floor), 2), gain]);
    }
    format!(
        "**Few training images, published, other data.** These methods saw a tenth of CelebA's training images at full size, \
         and all of its test images. The runs above used {}. A difference from them is not one between methods.\n\n{table}\n",
        report.test_data()
    )
}
