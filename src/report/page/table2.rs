//! Table 2: mean accuracy of the variants, and the paper's own in a table beside it.

use super::super::published::{self, Protocol};
use super::super::runs::{Report, tally};
use super::notes::{beside_the_paper, seeds_note};
use super::published_columns::{FEW_IMAGES, methods};
use crate::attribute::COUNT;
use crate::evaluate::{AttributeResult, Head, HeadResult};
use crate::render::format::{cell, or_dash, percent, percent_mean_std, points};
use crate::render::markdown::{Table, bold};

/// Accuracy of both heads of every variant of the paper.
pub(super) fn own(report: &Report) -> String {
    let header = [
        "Variant",
        "Scored by",
        "Seeds",
        "FLN head",
        "CLN head",
        "Gain over floor",
        "Attributes above floor",
        "Balanced accuracy",
    ];
    let mut table = Table::new(2, header);
    let all: Vec<usize> = (0..COUNT).collect();
    for variant in report.variants() {
        let accuracy = |head: Head| {
            let text = or_dash(variant.of_head(head, HeadResult::mean_accuracy), percent_mean_std);
            if head == variant.primary_head() { bold(text) } else { text }
        };
        let floor = variant.of_primary(HeadResult::mean_floor).mean;
        let gains = (0..COUNT).filter_map(|i| variant.of_attribute(i, AttributeResult::gain));
        table.row([
            variant.title.to_owned(),
            format!("{} head", variant.primary_head().label()),
            variant.runs.len().to_string(),
            accuracy(Head::Fln),
            accuracy(Head::Cln),
            points(variant.accuracy().mean - floor),
            tally(gains.map(|gain| gain.mean)).better.to_string(),
            or_dash(variant.of_attributes(&all, |a| a.balanced_accuracy), percent_mean_std),
        ]);
    }
    format!(
        "Mean accuracy over the {} in %. The head that a variant is scored by is in bold. The floor of {} % always predicts \
         the most frequent training label.{}\n\n{table}",
        report.attributes(),
        percent(report.mean_floor()),
        seeds_note(report)
    )
}

/// The paper's own accuracies.
pub(super) fn papers(report: &Report) -> String {
    format!(
        "{}\n\n{}\n{}Floor on CelebA: {}.\n",
        beside_the_paper(report, Protocol::Celeba),
        papers_table(report),
        few_images(report),
        published::floor(Protocol::Celeba).source
    )
}

fn papers_table(report: &Report) -> Table {
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
