//! Heat maps of phi: of the test labels, and of the predictions minus the labels.

use super::super::headings;
use super::super::runs::{Report, VariantRuns};
use super::figure::Figure;
use crate::attribute::COUNT;
use crate::evaluate::dependence::Correlations;
use crate::metrics::mean::mean;
use crate::metrics::phi::AttributeMatrix;
use crate::render::grid::{self, LEFT, SIDE, TOP};
use crate::render::svg::{Anchor, Svg, blue_orange};
use crate::variant::{BASELINE, GAL_J};

/// The variants whose predictions are drawn; they differ in the correlation net.
const SHOWN: [&str; 2] = [BASELINE.name, GAL_J.name];

/// Phi of the labels with attributes in `order`.
pub(super) fn labels(report: &Report, all: &Correlations, order: &[usize]) -> Figure {
    Figure {
        section: headings::AFFINITY,
        file: "phi-labels.svg".to_owned(),
        alt: "Heat map of the correlation (phi) of the test labels, similar attributes as neighbours".to_owned(),
        text:
            "Phi of the test labels. Hierarchical clustering (average linkage of 1 - |phi|) orders the attributes, so \
               attributes that co-occur, or exclude each other, are neighbours."
                .to_owned(),
        svg: draw(report, "Correlation (phi) of the test labels", &all.labels, end(&all.labels), order),
    }
}

/// Phi of predictions minus phi of labels: a map for each variant, all on one scale.
pub(super) fn residuals(report: &Report, all: &Correlations, order: &[usize]) -> Vec<Figure> {
    let variants = report.variants();
    let shown = SHOWN.iter().filter_map(|name| variants.iter().find(|variant| variant.name == *name));
    let maps: Vec<_> = shown.map(|variant| (variant, residual(all, variant.name))).collect();
    let scale = maps.iter().map(|(_, cells)| end(cells)).fold(0.0, f64::max);
    let figure = |(variant, cells): &(&VariantRuns, AttributeMatrix)| Figure {
        section: headings::PREDICTIONS,
        file: format!("phi-residual-{}.svg", variant.name),
        alt: format!("Heat map of the predictions' phi minus the labels' phi, {}", variant.title),
        text: format!(
            "{}: phi of the predictions minus phi of the labels{}. Orange: predictions co-occur more than labels; blue: less; \
             no colour: an attribute whose predictions are all the same.",
            variant.title,
            if variant.runs.len() > 1 { ", mean over the seeds" } else { "" }
        ),
        svg: draw(report, &format!("Phi of predictions minus phi of labels, {}", variant.title), cells, scale, order),
    };
    maps.iter().map(figure).collect()
}

/// The mean over seeds of a variant's phi minus that of the labels.
fn residual(all: &Correlations, variant: &str) -> AttributeMatrix {
    let found = all.of(variant);
    let cell = |i: usize, j: usize| {
        let label = all.labels[i][j]?;
        let differences = found.iter().map(|run| Some(run.phi[i][j]? - label)).collect::<Option<Vec<f64>>>()?;
        Some(mean(&differences))
    };
    (0..COUNT).map(|i| std::array::from_fn(|j| cell(i, j))).collect()
}

/// The end of the colour scale: the largest absolute value.
fn end(cells: &AttributeMatrix) -> f64 {
    let largest = cells.iter().flatten().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}

fn draw(report: &Report, title: &str, cells: &AttributeMatrix, scale: f64, order: &[usize]) -> Vec<u8> {
    let mut svg = Svg::new(LEFT + SIDE + 100.0, TOP + SIDE + 16.0, title);
    svg.heading((12.0, 24.0), 16.0, title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    grid::draw_in(&mut svg, order, |i, j| cells[i][j].map(|value| blue_orange(value / scale)));
    let words = std::array::from_fn(|part| format!("{:+.2}", (part as f64 / 2.0 - 1.0) * scale));
    grid::legend(&mut svg, |share| blue_orange(2.0 * share - 1.0), &words, "phi");
    svg.finish()
}
