//! The figures of a report, one file a kind; each is drawn from results alone.

pub(super) mod affinity;
mod curves;
pub(super) mod faces;
mod gain;
mod legend;
mod masks;
mod phi;
mod reliability;

use super::album::Faces;
use super::variants::Report;
use crate::evaluate::dependence::Correlations;

/// A drawn figure and the words that go with it.
#[derive(Debug)]
pub(super) struct Figure {
    /// The heading of the page under which it stands.
    pub(super) section: &'static str,
    /// The file's name, beside README.md.
    pub(super) file: String,
    /// What it shows, for those who cannot see it.
    pub(super) alt: String,
    /// How to read it and what it says.
    pub(super) text: String,
    /// The file's content.
    pub(super) svg: Vec<u8>,
}

/// Every figure that the report's results allow, in the order of the page.
pub(super) fn all(report: &Report, correlations: Option<&Correlations>, faces: Option<&Faces>) -> Vec<Figure> {
    let mut figures = affinity::figures(report);
    if let Some(correlations) = correlations {
        let order = correlations.order();
        figures.push(phi::labels(report, correlations, &order));
        figures.extend(affinity::clustered_figures(report, &order));
        figures.extend(phi::residuals(report, correlations, &order));
        figures.extend(masks::figures(report, correlations));
        figures.extend(reliability::figure(report, correlations));
    }
    figures.extend(faces.map_or_else(Vec::new, |album| faces::figures(report, album)));
    figures.extend(curves::figure(report));
    figures.push(gain::figure(report));
    figures
}
