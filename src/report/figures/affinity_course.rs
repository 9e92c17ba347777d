//! The course of a learned affinity: its diagonal, and the dot products behind it.

use super::super::headings;
use super::super::runs::{Curve, Report};
use super::figure::Figure;
use super::line_chart::{Panel, Scale, draw};

const PANELS: [Panel; 3] = [
    Panel {
        title: "Mean weight of an attribute on itself",
        scale: Scale::Linear,
        value: |point| point.affinity_diagonal,
    },
    Panel {
        title: "Dot product of a node with itself, log scale",
        scale: Scale::Logarithmic,
        value: |point| point.self_product,
    },
    Panel {
        title: "Largest dot product of a node with another, log scale",
        scale: Scale::Logarithmic,
        value: |point| point.largest_other_product,
    },
];

/// The figure; `None` if no run logged its affinity.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    let curves: Vec<Curve> = report.curves().chain(report.diverged_curves()).collect();
    let ends = if report.diverged_curves().any(|curve| !curve.points.is_empty()) {
        " The line of a run that diverged ends there."
    } else {
        ""
    };
    Some(Figure {
        section: headings::COURSE,
        file: "affinity-course.svg".to_owned(),
        alt:
            "Diagonal of the learned affinity and size of the dot products over the optimizer's steps, one line per run"
                .to_owned(),
        text: format!(
            "One line per run with a learned affinity, in the style of its variant. All values are means over the batch, \
             and over the 40 attributes.{ends} The softmax over a row turns a difference of products into weights: a \
             difference of 5 gives the larger one 148 times the weight of the smaller one. \
             [results/curves.csv](results/curves.csv) holds the points."
        ),
        svg: draw(report, "Course of the learned affinity", &PANELS, &curves)?,
    })
}
