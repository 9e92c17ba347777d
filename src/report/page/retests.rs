//! The runs on other images than those of their test split.

use super::super::results::retests::RetestResults;
use super::super::runs::{Report, VariantRuns};
use super::deviations::sentence;
use super::differences;
use crate::config::RunSummary;
use crate::dataset::DatasetName;
use crate::render::format::{capitalized, or_dash, percent, percent_interval, points, thousands};
use crate::render::markdown::Table;
use crate::variant::BASELINE;

/// Heading and text of a test.
pub(super) fn section(report: &Report, test: &RetestResults) -> (String, String) {
    let description = &test.description;
    let images = thousands(description.images);
    if description.pipeline.is_some() {
        let text = format!(
            "All {images} test images, each distorted once by the pipeline `{}`, the same for all runs. The loss is what \
             the distortions cost.",
            description.name
        );
        return (format!("Distorted test images: {}", description.name), format!("{text}\n\n{}", table(report, test)));
    }
    let title = DatasetName::parse(&description.dataset).map_or(&*description.dataset, |name| name.title());
    let text = format!(
        "These runs were trained on {}, and are tested on the {images} test images of {title} without further training. {} \
         Both data sets have other crops. The floor always predicts the most frequent training label of {title}.",
        RunSummary::dataset_title(report.shared()),
        sentence(&capitalized(&description.data))
    );
    (format!("Test on {title}"), format!("{text}\n\n{}", table(report, test)))
}

fn table(report: &Report, test: &RetestResults) -> Table {
    let header = [
        "Variant",
        "Seeds",
        "Own test split",
        "These images",
        "95 % interval",
        "Loss, points",
        "Floor",
        "From Baseline, points",
        "95 % interval",
        "p",
        "Better",
        "Worse",
    ];
    let mut table = Table::new(1, header);
    for variant in report.with_controls() {
        table.row(cells(&variant, test, report.scored()));
    }
    table
}

/// The row of a variant; its own accuracy is a mean over `scored` attributes.
fn cells(variant: &VariantRuns, test: &RetestResults, scored: usize) -> Vec<String> {
    let statistics = &test.statistics;
    let own = variant.accuracy().mean;
    // Means over other attributes have no difference.
    let is_same = test.description.attributes.is_none_or(|attributes| attributes == scored);
    let mut cells = vec![variant.title.to_owned(), variant.runs.len().to_string(), percent(own)];
    match statistics.mean(variant.name, variant.primary_head()) {
        Some(mean) => cells.extend([
            percent(mean.accuracy),
            or_dash(mean.interval, percent_interval),
            if is_same { points(own - mean.accuracy) } else { "-".to_owned() },
        ]),
        None => cells.extend(["-", "-", "-"].map(str::to_owned)),
    }
    cells.push(percent(test.description.floor));
    cells.extend(differences::cells(statistics, variant.name, BASELINE.name));
    cells.extend(differences::counts(statistics, variant.name, BASELINE.name));
    cells
}
