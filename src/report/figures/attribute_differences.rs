//! The difference of GAL-j from Baseline by attribute, sorted.

use super::super::headings;
use super::super::runs::Report;
use super::figure::Figure;
use super::interval_plot::{IntervalPlot, Row};
use crate::evaluate::Verdict;
use crate::render::format::{or_dash, p_cell, points};
use crate::variant::{BASELINE, GAL_J};

/// The figure; `None` without a test of GAL-j against Baseline.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    let (_, comparison) = report.statistics.as_ref()?.difference(GAL_J.name, BASELINE.name)?;
    let mut rows: Vec<Row> = Vec::new();
    for test in &comparison.attributes {
        let Some(difference) = test.difference else { continue };
        let p = or_dash(test.p_holm, p_cell);
        rows.push(Row {
            label: &test.attribute,
            words: format!("{}: {} points, p {p} after Holm's correction", test.attribute, points(difference)),
            value: 100.0 * difference,
            interval: None,
            dots: Vec::new(),
            published: None,
            colour: GAL_J.style.colour,
            filled: matches!(test.verdict(), Some(Verdict::Better | Verdict::Worse)),
            begins_group: false,
        });
    }
    rows.sort_by(|a, b| b.value.total_cmp(&a.value));
    let shown = rows.iter().filter(|row| row.filled).count();
    let plot = IntervalPlot {
        title: "GAL-j less Baseline, by attribute",
        caption: report.caption(),
        rows,
        legend: "Filled: a difference is shown (exact McNemar test, Holm's correction, 5 %)".to_owned(),
    };
    Some(Figure {
        section: headings::ATTRIBUTE_DIFFERENCES,
        file: "gal-j-less-baseline.svg".to_owned(),
        alt: "Accuracy of GAL-j less that of Baseline for each attribute, in percentage points".to_owned(),
        text: format!("A difference is shown on {shown} attributes. Both columns are in Table 4."),
        svg: plot.draw(),
    })
}
