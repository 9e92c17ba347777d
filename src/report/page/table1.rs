//! Table 1: the attribute groups, with mean floor and accuracy of each.

use super::super::runs::Report;
use super::notes::{PRIMARY_HEAD, gain_header, seeds_note};
use crate::attribute::{self, GROUPS};
use crate::metrics::mean::{MeanStd, mean};
use crate::render::format::{or_dash, percent, percent_mean_std, points};
use crate::render::markdown::Table;

/// The section's text.
pub(super) fn groups(report: &Report) -> String {
    let variants = report.variants();
    let mut header = vec!["Group".to_owned(), "Attributes".to_owned(), "Floor".to_owned()];
    header.extend(variants.iter().map(|v| v.title.to_owned()));
    header.extend(variants.iter().map(gain_header));
    let mut table = Table::new(2, header);
    let floors = report.floors();
    for group in GROUPS {
        let members: Vec<usize> = group.members.iter().filter_map(|name| attribute::index(name)).collect();
        let floors: Vec<f64> = members.iter().filter_map(|&i| floors[i]).collect();
        let floor = (!floors.is_empty()).then(|| mean(&floors));
        let mut cells = vec![group.name.to_owned(), group.members.join(", "), or_dash(floor, percent)];
        let accuracies: Vec<Option<MeanStd>> =
            variants.iter().map(|variant| variant.of_attributes(&members, |a| a.accuracy)).collect();
        cells.extend(accuracies.iter().map(|accuracy| or_dash(*accuracy, percent_mean_std)));
        cells.extend(
            accuracies.iter().map(|accuracy| or_dash(accuracy.zip(floor), |(a, floor)| points(a.mean - floor))),
        );
        table.row(cells);
    }
    format!(
        "Mean accuracy over the attributes of each group in %, and its gain over the floor in percentage points. \
         {PRIMARY_HEAD}{}\n\n{table}",
        seeds_note(report)
    )
}
