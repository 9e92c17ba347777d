//! Training curves: losses and validation accuracies of both heads.

use super::super::headings;
use super::super::runs::Report;
use super::figure::Figure;
use super::line_chart::{Panel, Scale, draw};

const PANELS: [Panel; 4] = [
    Panel { title: "FLN training loss, sum over 40 attributes", scale: Scale::Linear, value: |point| point.loss_fln },
    Panel { title: "CLN training loss, sum over 40 attributes", scale: Scale::Linear, value: |point| point.loss_cln },
    Panel {
        title: "FLN validation accuracy, %",
        scale: Scale::Linear,
        value: |point| point.validation_accuracy_fln.map(|accuracy| 100.0 * accuracy),
    },
    Panel {
        title: "CLN validation accuracy, %",
        scale: Scale::Linear,
        value: |point| point.validation_accuracy_cln.map(|accuracy| 100.0 * accuracy),
    },
];

/// The figure; `None` if no run has a curve.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    Some(Figure {
        section: headings::CURVES,
        file: "training-curves.svg".to_owned(),
        alt: "Training losses and validation accuracies over the optimizer's steps, one line per run".to_owned(),
        text:
            "One line per run, in the style of its variant. A loss is the mean since the previous point. FLNs with the \
               same trajectory, such as those of GAL-j and GAL-p with one seed, coincide. \
               [results/curves.csv](results/curves.csv) holds the points, at most 400 a run."
                .to_owned(),
        svg: draw(report, "Training curves", &PANELS, &report.curves().collect::<Vec<_>>())?,
    })
}
