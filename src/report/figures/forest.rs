//! The difference of every variant from Baseline in mean accuracy, with its interval: a forest plot.

use super::super::headings;
use super::super::published::paper_mean;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use super::interval_plot::{IntervalPlot, Row};
use crate::render::format::{or_dash, percent_mean_std, points, points_interval};
use crate::variant::{BASELINE, Kind};

/// The figure; `None` without a test against Baseline.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    let variants = report.with_controls();
    let mut rows: Vec<Row> = Vec::new();
    let mut kind = Some(Kind::Paper);
    for variant in &variants {
        if let Some(row) = row(report, variant) {
            let own = variant.facts.map(|facts| facts.kind);
            rows.push(Row { begins_group: own != kind, ..row });
            kind = own;
        }
    }
    if rows.is_empty() {
        return None;
    }
    let plot = IntervalPlot {
        title: "Difference from Baseline in mean accuracy",
        caption: report.caption(),
        rows,
        legend: legend(report)?,
    };
    Some(Figure {
        section: headings::SUMMARY,
        file: "difference-from-baseline.svg".to_owned(),
        alt: "Difference of each variant from Baseline in mean accuracy, with its 95 % interval".to_owned(),
        text: String::new(),
        svg: plot.draw(),
    })
}

fn row<'a>(report: &'a Report, variant: &VariantRuns<'a>) -> Option<Row<'a>> {
    let statistics = report.statistics.as_ref()?;
    let (mean, _) = statistics.difference(variant.name, BASELINE.name)?;
    let by_seed = statistics.comparisons.iter().filter(|comparison| {
        comparison.name == variant.name && comparison.reference == BASELINE.name && comparison.seeds.len() == 1
    });
    let seeds: Vec<f64> = by_seed.map(|comparison| 100.0 * comparison.mean.difference).collect();
    let paper = report.protocol().and_then(|protocol| {
        let of = |name| paper_mean(protocol, report.registry, name);
        Some(of(variant.name)? - of(BASELINE.name)?)
    });
    let words = format!(
        "{}: {} points, 95 % interval {}, accuracy {} %",
        variant.title,
        points(mean.difference),
        or_dash(mean.interval, points_interval),
        percent_mean_std(variant.accuracy())
    );
    Some(Row {
        label: variant.title,
        words,
        value: 100.0 * mean.difference,
        interval: mean.interval.map(|interval| (100.0 * interval.low, 100.0 * interval.high)),
        // A single seed is the value itself.
        dots: if seeds.len() > 1 { seeds } else { Vec::new() },
        published: paper,
        colour: variant.style.colour,
        filled: true,
        begins_group: false,
    })
}

/// Meaning of the marks.
fn legend(report: &Report) -> Option<String> {
    let resampled = report.resampled()?;
    let seeds = if report.seeds().1 > 1 { "; small dots: seeds" } else { "" };
    let paper = if report.protocol().is_some() { "; hollow: the paper's, own protocol" } else { "" };
    Some(format!("Dot: mean; line: 95 % interval over {resampled}{seeds}{paper}"))
}
