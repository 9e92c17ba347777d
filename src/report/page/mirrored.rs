//! Accuracy with and without averaging over mirrored images.

use super::super::runs::Report;
use crate::evaluate::{Head, HeadResult};
use crate::metrics::mean::MeanStd;
use crate::render::format::{percent_mean_std, points};
use crate::render::markdown::Table;

/// The section's text; `None` without a run that averaged.
pub(super) fn mirrored(report: &Report) -> Option<String> {
    let header = ["Variant", "Head", "Seeds", "Single images", "With mirrored images", "Difference, points"];
    let mut table = Table::new(2, header);
    let mut rows = 0;
    for variant in report.with_controls() {
        for head in [Head::Fln, Head::Cln] {
            let single = variant.runs.iter().map(|run| run.plain_accuracy(head)).collect::<Option<Vec<f64>>>();
            let Some((single, averaged)) = single.zip(variant.of_head(head, HeadResult::mean_accuracy)) else {
                continue;
            };
            let single = MeanStd::of(&single);
            table.row([
                variant.title.to_owned(),
                head.label().to_owned(),
                variant.runs.len().to_string(),
                percent_mean_std(single),
                percent_mean_std(averaged),
                points(averaged.mean - single.mean),
            ]);
            rows += 1;
        }
    }
    (rows > 0).then(|| {
        format!(
            "Each test image was predicted as it is and mirrored, and the probabilities were averaged. All other tables \
             use the averages. This one gives the mean accuracy in % of both.\n\n{table}"
        )
    })
}
