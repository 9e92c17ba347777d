//! Table 1: the attribute groups, with mean floor and accuracy of each.

use super::super::runs::{Report, VariantRuns};
use super::notes::{PRIMARY_HEAD, seeds_note};
use crate::attribute::{self, GROUPS};
use crate::metrics::mean::mean;
use crate::render::format::{or_dash, percent, percent_mean_std};
use crate::render::markdown::Table;

/// The section's text.
pub(super) fn groups(report: &Report) -> String {
    let variants = report.variants();
    let mut header = vec!["Group".to_owned(), "Attributes".to_owned(), "Floor".to_owned()];
    header.extend(variants.iter().map(|v| v.title.to_owned()));
    let mut table = Table::new(2, header);
    let floors = report.floors();
    for group in GROUPS {
        let members: Vec<usize> = group.members.iter().filter_map(|name| attribute::index(name)).collect();
        let floors: Vec<f64> = members.iter().filter_map(|&i| floors[i]).collect();
        let floor = (!floors.is_empty()).then(|| mean(&floors));
        let mut cells = vec![group.name.to_owned(), group.members.join(", "), or_dash(floor, percent)];
        let accuracy = |variant| VariantRuns::of_attributes(variant, &members, |a| a.accuracy);
        cells.extend(variants.iter().map(|variant| or_dash(accuracy(variant), percent_mean_std)));
        table.row(cells);
    }
    format!("Mean accuracy over the attributes of each group in %. {PRIMARY_HEAD}{}\n\n{table}", seeds_note(report))
}
