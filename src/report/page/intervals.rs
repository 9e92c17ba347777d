//! The intervals of mean accuracies.

use super::super::runs::Report;
use super::findings::{few_units, resampling};
use crate::evaluate::Statistics;
use crate::render::format::{or_dash, percent, percent_interval, points};
use crate::render::markdown::Table;

/// The section's text: mean accuracy of every variant, head and seed with its interval.
pub(super) fn intervals(report: &Report, statistics: &Statistics) -> String {
    let mut table =
        Table::new(2, ["Variant", "Head", "Seeds", "Mean accuracy", "95 % interval", "Floor", "Gain over floor"]);
    let floor = report.mean_floor();
    let names: Vec<&str> = report.variants().iter().map(|variant| variant.name).collect();
    for mean in statistics.means.iter().filter(|mean| names.contains(&mean.name.as_str())) {
        table.row([
            report.registry.title(&mean.name).to_owned(),
            mean.head.label().to_owned(),
            seeds(&mean.seeds),
            percent(mean.accuracy),
            or_dash(mean.interval, percent_interval),
            percent(floor),
            points(mean.accuracy - floor),
        ]);
    }
    if statistics.few_units().is_some() {
        return format!("{}{table}", few_units(statistics));
    }
    let resampled = report.resampled().unwrap_or_default();
    format!(
        "Each interval is the middle 95 % of {}. Intervals resample {resampled}.\n\n{table}",
        resampling(&statistics.resampling)
    )
}

/// Seeds in a cell: `0, 1, 2`.
pub(super) fn seeds(seeds: &[u64]) -> String {
    if seeds.is_empty() { "-".to_owned() } else { seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ") }
}
