//! Table 3: the comparison on LFWA.

use super::super::published::{self, Protocol};
use super::super::runs::Report;
use super::notes::beside_the_paper;
use super::published_columns::{averages, methods, sources};
use crate::render::format::{cell, or_dash, percent, percent_mean_std, points};
use crate::render::markdown::{Table, bold};

/// Methods of the paper's Table 3.
const METHODS: [&str; 4] = ["LNets+ANet", "MCNN-AUX", "GAL Baseline", "GAL-j"];

/// The section's text.
pub(super) fn lfwa(report: &Report) -> String {
    let on_lfwa = report.protocol() == Some(Protocol::Lfwa);
    let mut table =
        Table::new(2, ["Method", "Data", "Mean accuracy", "Average as printed", "Floor", "Gain over floor"]);
    let floor = report.mean_floor();
    for variant in report.variants() {
        let accuracy = variant.accuracy();
        table.row([
            format!("{}, this report", variant.title),
            report.test_data(),
            bold(percent_mean_std(accuracy)),
            "-".to_owned(),
            percent(floor),
            points(accuracy.mean - floor),
        ]);
    }
    let published_floor = published::floor(Protocol::Lfwa);
    let methods = methods(Protocol::Lfwa, &METHODS);
    for method in &methods {
        let accuracy = method.recomputed().or(method.printed);
        table.row([
            format!("{} ({})", method.name, method.year),
            if on_lfwa { "LFWA, published" } else { "LFWA, published, other data" }.to_owned(),
            cell(accuracy, 2),
            // As printed: LNets+ANet's 84 has no decimals.
            or_dash(method.printed, |v| v.to_string()),
            cell(Some(published_floor.mean()), 2),
            or_dash(accuracy, |a| points((a - published_floor.mean()) / 100.0)),
        ]);
    }
    let note = if on_lfwa {
        beside_the_paper(report, Protocol::Lfwa)
    } else {
        format!(
            "The paper's Table 3 is about LFWA, and no run of this report used LFWA. The rows of this report are about {} \
             and cannot be compared with the published rows.",
            report.data()
        )
    };
    format!(
        "{note}\n\n{table}\nMean accuracy is recomputed if the source gives all 40 attributes. Floor of the published \
         rows: {}.\n\n{}{}",
        published_floor.source,
        sources(&methods),
        averages(&methods)
    )
}
