//! Training curves: losses and validation accuracies of both heads.

use super::super::headings;
use super::super::runs::Report;
use super::figure::Figure;
use super::legend::{Legend, Mark};
use crate::evaluate::Point;
use crate::render::format::thousands;
use crate::render::svg::{Anchor, FAINT, INK, Svg, decimals, round_step};
use crate::variant::Style;

const WIDTH: f64 = 800.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 26.0;
/// Top of the first panel below a legend of one row.
const TOP: f64 = 104.0;
const PANEL: f64 = 150.0;
const GAP: f64 = 56.0;

/// Title and value of one panel.
struct Panel {
    title: &'static str,
    value: fn(&Point) -> Option<f64>,
}

const PANELS: [Panel; 4] = [
    Panel { title: "FLN training loss, sum over 40 attributes", value: |p| p.loss_fln },
    Panel { title: "CLN training loss, sum over 40 attributes", value: |p| p.loss_cln },
    Panel { title: "FLN validation accuracy, %", value: |p| p.validation_accuracy_fln.map(|a| 100.0 * a) },
    Panel { title: "CLN validation accuracy, %", value: |p| p.validation_accuracy_cln.map(|a| 100.0 * a) },
];

/// One line: a run's values over its steps.
struct Series {
    style: Style,
    points: Vec<(f64, f64)>,
}

/// The figure; `None` if no run has a curve.
pub(super) fn figure(report: &Report) -> Option<Figure> {
    let panels: Vec<(&Panel, Vec<Series>)> =
        PANELS.iter().map(|panel| (panel, series(report, panel))).filter(|(_, series)| !series.is_empty()).collect();
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        section: headings::CURVES,
        file: "training-curves.svg".to_owned(),
        alt: "Training losses and validation accuracies over the optimizer's steps, one line per run".to_owned(),
        text:
            "One line per run, in the style of its variant. A loss is the mean since the previous point. FLNs with the \
               same trajectory, such as those of GAL-j and GAL-p with one seed, coincide. \
               [results/curves.csv](results/curves.csv) holds the points, at most 400 a run."
                .to_owned(),
        svg: draw(report, &panels),
    })
}

fn series(report: &Report, panel: &Panel) -> Vec<Series> {
    let lines = report.runs().iter().map(|run| Series {
        style: report.registry.style(&run.summary().variant),
        points: run.curve.iter().filter_map(|p| (panel.value)(p).map(|v| (p.step as f64, v))).collect(),
    });
    lines.filter(|line| !line.points.is_empty()).collect()
}

fn draw(report: &Report, panels: &[(&Panel, Vec<Series>)]) -> Vec<u8> {
    let variants = report.with_controls();
    let drawn = variants.iter().filter(|variant| variant.runs.iter().any(|run| !run.curve.is_empty()));
    let legend = Legend::new(drawn, Mark::Line, WIDTH - LEFT - RIGHT);
    let top = TOP + legend.more();
    let height = top + panels.len() as f64 * (PANEL + GAP);
    let mut svg = Svg::new(WIDTH, height, "Training curves");
    svg.heading((12.0, 24.0), 16.0, "Training curves");
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    legend.draw(&mut svg, LEFT, 60.0);
    let steps = panels.iter().flat_map(|(_, s)| s).flat_map(|s| &s.points).map(|p| p.0).fold(1.0, f64::max);
    for (i, (panel, series)) in panels.iter().enumerate() {
        draw_panel(&mut svg, top + i as f64 * (PANEL + GAP), panel, series, steps);
    }
    svg.finish()
}

fn draw_panel(svg: &mut Svg, top: f64, panel: &Panel, series: &[Series], steps: f64) {
    svg.heading((12.0, top - 6.0), 12.0, panel.title);
    let values = || series.iter().flat_map(|s| &s.points).map(|p| p.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let step = round_step((high - low).max(0.1), 4.0);
    let (low, high) = ((low / step).floor() * step, ((high / step).floor() + 1.0) * step);
    let x = |at: f64| LEFT + at / steps * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| top + 6.0 + (high - value) / (high - low) * (PANEL - 6.0);
    let lines = ((high - low) / step).round() as usize;
    for line in 0..=lines {
        let value = low + line as f64 * step;
        svg.line((LEFT, y(value)), (WIDTH - RIGHT, y(value)), FAINT, 1.0);
        svg.text((LEFT - 6.0, y(value) + 4.0), Anchor::End, 10.5, &format!("{value:.*}", decimals(step)));
    }
    let tick = round_step(steps, 6.0).max(1.0);
    for i in 0..=(steps / tick) as usize {
        let at = i as f64 * tick;
        svg.line((x(at), top + PANEL), (x(at), top + PANEL + 4.0), INK, 1.0);
        svg.text((x(at), top + PANEL + 16.0), Anchor::Middle, 10.5, &thousands(at as usize));
    }
    svg.text((WIDTH - RIGHT, top + PANEL + 29.0), Anchor::End, 10.5, "optimizer steps");
    for line in series {
        let points: Vec<(f64, f64)> = line.points.iter().map(|&(at, value)| (x(at), y(value))).collect();
        svg.polyline(&points, line.style.colour, line.style.dashes);
    }
}
