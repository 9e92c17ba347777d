//! Reliability diagrams: a panel for each variant, the share of positive labels over the mean probability of each bin.

use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use crate::evaluate::dependence::{Correlations, RunDependence};
use crate::metrics::reliability::{BINS, Bin};
use crate::render::format::thousands;
use crate::render::svg::{Anchor, FAINT, INK, Svg};

const PANEL: f64 = 190.0;
const GAP: f64 = 62.0;
const COLUMNS: usize = 3;
const TOP: f64 = 84.0;
/// Height of the histogram below a panel.
const BARS: f64 = 34.0;
const WIDTH: f64 = 56.0 + COLUMNS as f64 * (PANEL + GAP);

/// The figure; `None` if no run has predictions.
pub(super) fn figure(report: &Report, all: &Correlations) -> Option<Figure> {
    let variants = report.variants();
    let panels: Vec<(&VariantRuns, Vec<Bin>)> =
        variants.iter().map(|v| (v, pooled(&all.of(v.name)))).filter(|panel| !panel.1.is_empty()).collect();
    (!panels.is_empty()).then(|| Figure {
        section: headings::CALIBRATION,
        file: "reliability.svg".to_owned(),
        alt: "Share of positive labels over mean probability in 15 bins, one panel per variant".to_owned(),
        text: "Points on the diagonal are calibrated. Above it the network predicts \"no\" too confidently, below it \
               \"yes\". The bars below a panel count the predictions in each bin on a logarithmic scale. \
               [results/reliability.csv](results/reliability.csv) holds the counts."
            .to_owned(),
        svg: draw(report, &panels),
    })
}

/// The bins of all seeds together.
fn pooled(found: &[&RunDependence]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); if found.is_empty() { 0 } else { BINS }];
    for run in found {
        for (bin, more) in bins.iter_mut().zip(&run.reliability) {
            bin.count += more.count;
            bin.positives += more.positives;
            bin.probability += more.probability;
        }
    }
    bins
}

fn draw(report: &Report, panels: &[(&VariantRuns, Vec<Bin>)]) -> Vec<u8> {
    let rows = panels.len().div_ceil(COLUMNS);
    let mut svg = Svg::new(WIDTH, TOP + rows as f64 * (PANEL + BARS + GAP + 16.0), "Reliability of probabilities");
    svg.heading((12.0, 24.0), 16.0, "Reliability of probabilities");
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    for (i, (variant, bins)) in panels.iter().enumerate() {
        let left = 56.0 + (i % COLUMNS) as f64 * (PANEL + GAP);
        let top = TOP + (i / COLUMNS) as f64 * (PANEL + BARS + GAP + 16.0);
        panel(&mut svg, (left, top), variant.title, variant.style.colour, bins);
    }
    svg.finish()
}

fn panel(svg: &mut Svg, (left, top): (f64, f64), label: &str, colour: &str, bins: &[Bin]) {
    svg.heading((left, top - 8.0), 12.0, label);
    let (x, y) = (|share: f64| left + share * PANEL, |share: f64| top + (1.0 - share) * PANEL);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        svg.line((x(0.0), y(share)), (x(1.0), y(share)), FAINT, 1.0);
        svg.text((left - 6.0, y(share) + 4.0), Anchor::End, 10.5, &format!("{share}"));
        svg.text((x(share), top + PANEL + BARS + 18.0), Anchor::Middle, 10.5, &format!("{share}"));
    }
    svg.line((x(0.0), y(0.0)), (x(1.0), y(1.0)), INK, 0.8);
    let points: Vec<(f64, f64)> =
        bins.iter().filter_map(|bin| bin.point()).map(|(p, share)| (x(p), y(share))).collect();
    svg.polyline(&points, colour, "");
    for point in points {
        svg.circle(point, 2.8, colour);
    }

    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(2) as f64;
    let floor = top + PANEL + BARS + 4.0;
    for (i, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        let height = BARS * (1.0 + (bin.count as f64).ln()) / (1.0 + most.ln());
        let width = PANEL / BINS as f64;
        svg.rect(left + i as f64 * width + 0.5, floor - height, width - 1.0, height, colour);
    }
    let predictions = thousands(bins.iter().map(|bin| bin.count).sum());
    svg.text(
        (x(0.5), top + PANEL + BARS + 33.0),
        Anchor::Middle,
        10.5,
        &format!("mean probability ({predictions} predictions)"),
    );
    svg.text_upwards((left - 34.0, y(0.5)), Anchor::Middle, 10.5, "share of positives");
}
