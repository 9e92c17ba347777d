//! The figures of a report, one file a kind, each drawn from results alone.

mod affinity;
mod affinity_course;
mod attribute_differences;
mod curves;
mod example_faces;
pub(super) mod figure;
pub(super) mod forest;
mod gain;
mod interval_plot;
mod legend;
mod line_chart;
mod masks;
mod phi;
mod reliability;

use super::results::examples::FaceSheet;
use super::runs::Report;
use crate::evaluate::dependence::Correlations;
use figure::Figure;

/// Every figure that the results allow, in the order of the page.
pub(super) fn all(report: &Report, correlations: Option<&Correlations>, faces: Option<&FaceSheet>) -> Vec<Figure> {
    let mut figures: Vec<Figure> = forest::figure(&[("", report)]).into_iter().collect();
    figures.extend(affinity::figures(report));
    if let Some(correlations) = correlations {
        let order = correlations.order();
        figures.push(phi::labels(report, correlations, &order));
        figures.extend(affinity::clustered_figures(report, &order));
        figures.extend(phi::residuals(report, correlations, &order));
        figures.extend(masks::figures(report, correlations));
        figures.extend(reliability::figure(report, correlations));
    }
    figures.extend(faces.map_or_else(Vec::new, |faces| example_faces::figures(report, faces)));
    figures.extend(affinity_course::figure(report));
    figures.extend(curves::figure(report));
    figures.extend(attribute_differences::figure(report));
    figures.push(gain::figure(report));
    figures
}
