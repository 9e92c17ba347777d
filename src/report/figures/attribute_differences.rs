//! The difference of GAL-j from Baseline by attribute, sorted.

use super::super::headings;
use super::super::runs::Report;
use super::figure::Figure;
use super::interval_plot::{IntervalPlot, Label, Panel, Row};
use crate::evaluate::Verdict;
use crate::render::format::{or_dash, p_cell, points};
use crate::variant::{BASELINE, GAL_J};

/// The figure; `None` without a test of GAL-j against Baseline.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    let (_, comparison) = report.statistics.as_ref()?.difference(GAL_J.name, BASELINE.name)?;
    let mut rows: Vec<(&str, Row)> = Vec::new();
    for test in &comparison.attributes {
        let Some(difference) = test.difference else { continue };
        let p = or_dash(test.p_holm, p_cell);
        let row = Row {
            words: format!("{}: {} points, p {p} after Holm's correction", test.attribute, points(difference)),
            value: 100.0 * difference,
            interval: None,
            dots: Vec::new(),
            published: None,
            colour: GAL_J.style.colour,
            filled: matches!(test.verdict(), Some(Verdict::Better | Verdict::Worse)),
        };
        rows.push((&test.attribute, row));
    }
    rows.sort_by(|(_, a), (_, b)| b.value.total_cmp(&a.value));
    let shown = rows.iter().filter(|(_, row)| row.filled).count();
    let legend = "Filled: a difference is shown (exact McNemar test, Holm's correction, 5 %)".to_owned();
    let plot = IntervalPlot {
        title: "GAL-j less Baseline, by attribute",
        captions: vec![report.caption(), legend],
        labels: rows.iter().map(|&(text, _)| Label { text, begins_group: false }).collect(),
        panels: vec![Panel { title: String::new(), rows: rows.into_iter().map(|(_, row)| Some(row)).collect() }],
    };
    Some(Figure {
        section: headings::ATTRIBUTE_DIFFERENCES,
        file: "gal-j-less-baseline.svg".to_owned(),
        alt: "Accuracy of GAL-j less that of Baseline for each attribute, in percentage points".to_owned(),
        text: format!("A difference is shown on {shown} attributes. Both columns are in Table 4."),
        svg: plot.draw(),
    })
}
