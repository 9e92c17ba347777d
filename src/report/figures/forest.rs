//! The difference of every variant from Baseline in mean accuracy, with its interval: a forest plot, with a panel a report.

use super::super::headings;
use super::super::published::paper_mean;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use super::interval_plot::{IntervalPlot, Label, Panel, Row};
use crate::render::format::{or_dash, percent_mean_std, points, points_interval};
use crate::variant::{BASELINE, Kind};

/// The figure of some reports with the titles of their panels; `None` without a test against Baseline.
pub(in crate::report) fn figure(reports: &[(&str, &Report)]) -> Option<Figure> {
    let variants = tested(reports);
    if variants.is_empty() {
        return None;
    }
    let mut captions: Vec<String> = reports.iter().map(|(_, report)| report.caption()).collect();
    captions.push(legend(reports));
    let plot = IntervalPlot {
        title: "Difference from Baseline in mean accuracy",
        captions,
        labels: labels(&variants),
        panels: reports.iter().map(|(title, report)| panel(title, report, &variants)).collect(),
    };
    Some(Figure {
        section: headings::SUMMARY,
        file: "difference-from-baseline.svg".to_owned(),
        alt: "Difference of each variant from Baseline in mean accuracy, with its 95 % interval".to_owned(),
        text: String::new(),
        svg: plot.draw(),
    })
}

/// The variants that a report tests against Baseline, in their order.
fn tested<'a>(reports: &[(&str, &'a Report)]) -> Vec<VariantRuns<'a>> {
    let mut found: Vec<VariantRuns> = Vec::new();
    for (_, report) in reports {
        let Some(statistics) = &report.statistics else { continue };
        for variant in report.with_controls() {
            let is_tested = statistics.difference(variant.name, BASELINE.name).is_some();
            if is_tested && found.iter().all(|other| other.name != variant.name) {
                found.push(variant);
            }
        }
    }
    found.sort_by_key(|variant| reports[0].1.registry.rank(variant.name));
    found
}

/// A line stands between variants of two kinds.
fn labels<'a>(variants: &[VariantRuns<'a>]) -> Vec<Label<'a>> {
    let kind = |place: usize| variants[place].facts.map_or(Kind::Paper, |facts| facts.kind);
    let label = |(place, variant): (usize, &VariantRuns<'a>)| Label {
        text: variant.title,
        begins_group: place > 0 && kind(place) != kind(place - 1),
    };
    variants.iter().enumerate().map(label).collect()
}

fn panel<'a>(title: &str, report: &'a Report, variants: &[VariantRuns]) -> Panel<'a> {
    let own = report.with_controls();
    let of_variant = |variant: &VariantRuns| row(report, own.iter().find(|own| own.name == variant.name)?);
    Panel { title: title.to_owned(), rows: variants.iter().map(of_variant).collect() }
}

fn row<'a>(report: &'a Report, variant: &VariantRuns<'a>) -> Option<Row<'a>> {
    let (name, statistics) = (variant.name, report.statistics.as_ref()?);
    let (mean, _) = statistics.difference(name, BASELINE.name)?;
    let by_seed = statistics.comparisons.iter().filter(|comparison| {
        comparison.name == name && comparison.reference == BASELINE.name && comparison.seeds.len() == 1
    });
    let seeds: Vec<f64> = by_seed.map(|comparison| 100.0 * comparison.mean.difference).collect();
    let paper = report.protocol().and_then(|protocol| {
        let of = |name| paper_mean(protocol, report.registry, name);
        Some(of(name)? - of(BASELINE.name)?)
    });
    let words = format!(
        "{}: {} points, 95 % interval {}, accuracy {} %",
        variant.title,
        points(mean.difference),
        or_dash(mean.interval, points_interval),
        percent_mean_std(variant.accuracy())
    );
    Some(Row {
        words,
        value: 100.0 * mean.difference,
        interval: mean.interval.map(|interval| (100.0 * interval.low, 100.0 * interval.high)),
        // A single seed is the value itself.
        dots: if seeds.len() > 1 { seeds } else { Vec::new() },
        published: paper,
        colour: variant.style.colour,
        filled: true,
    })
}

/// Meaning of the marks.
fn legend(reports: &[(&str, &Report)]) -> String {
    let mut resampled: Vec<String> = Vec::new();
    for words in reports.iter().filter_map(|(_, report)| report.resampled()) {
        if !resampled.contains(&words) {
            resampled.push(words);
        }
    }
    let seeds = if reports.iter().any(|(_, report)| report.seeds().1 > 1) { "; small dots: seeds" } else { "" };
    let published = reports.iter().any(|(_, report)| report.protocol().is_some());
    let paper = if published { "; hollow: the paper's, own protocol" } else { "" };
    format!("Dot: mean; line: 95 % interval over {}{seeds}{paper}", resampled.join(" or "))
}
