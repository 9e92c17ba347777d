//! Panels of lines over the optimizer's steps, one below another.

use super::super::runs::{Curve, Report};
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

/// The most labelled powers of ten of a logarithmic axis.
const POWERS: i32 = 8;

/// The vertical axis of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Powers of ten; values that are not positive have no point.
    Logarithmic,
}

/// Title and value of one panel.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    pub(super) value: fn(&Point) -> Option<f64>,
}

/// One line: a run's values over its steps.
struct Series {
    style: Style,
    points: Vec<(f64, f64)>,
}

/// Draws the panels that have a line, a line for each of `curves` with their values; `None` if no panel has one.
pub(super) fn draw(report: &Report, title: &str, panels: &[Panel], curves: &[Curve]) -> Option<Vec<u8>> {
    let drawn: Vec<(&Panel, Vec<Series>)> =
        panels.iter().map(|panel| (panel, series(report, panel, curves))).filter(|(_, s)| !s.is_empty()).collect();
    if drawn.is_empty() {
        return None;
    }
    let has_line =
        |curve: &Curve| drawn.iter().any(|(panel, _)| curve.points.iter().any(|point| value(panel, point).is_some()));
    let mut names: Vec<&str> = curves.iter().filter(|curve| has_line(curve)).map(|curve| curve.variant).collect();
    names.sort_by_key(|name| (report.registry.rank(name), *name));
    names.dedup();
    let shown = names.into_iter().map(|name| (report.registry.title(name), report.registry.style(name)));
    let legend = Legend::new(shown, Mark::Line, WIDTH - LEFT - RIGHT);
    let top = TOP + legend.more();
    let height = top + drawn.len() as f64 * (PANEL + GAP);
    let mut svg = Svg::new(WIDTH, height, title);
    svg.heading((12.0, 24.0), 16.0, title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, &report.caption());
    legend.draw(&mut svg, LEFT, 60.0);
    let steps = drawn.iter().flat_map(|(_, lines)| lines).flat_map(|s| &s.points).map(|p| p.0).fold(1.0, f64::max);
    for (i, (panel, lines)) in drawn.iter().enumerate() {
        draw_panel(&mut svg, top + i as f64 * (PANEL + GAP), panel, lines, steps);
    }
    Some(svg.finish())
}

/// The height of a point above the axis, in units of the scale.
fn value(panel: &Panel, point: &Point) -> Option<f64> {
    // A number that no axis holds: results may come from others.
    let value = (panel.value)(point).filter(|value| value.is_finite())?;
    match panel.scale {
        Scale::Linear => Some(value),
        Scale::Logarithmic => (value > 0.0).then(|| value.log10()),
    }
}

fn series(report: &Report, panel: &Panel, curves: &[Curve]) -> Vec<Series> {
    let lines = curves.iter().map(|curve| Series {
        style: report.registry.style(curve.variant),
        points: curve.points.iter().filter_map(|p| Some((p.step as f64, value(panel, p)?))).collect(),
    });
    lines.filter(|line| !line.points.is_empty()).collect()
}

fn draw_panel(svg: &mut Svg, top: f64, panel: &Panel, series: &[Series], steps: f64) {
    svg.heading((12.0, top - 6.0), 12.0, panel.title);
    let values = || series.iter().flat_map(|s| &s.points).map(|p| p.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let step = match panel.scale {
        Scale::Linear => round_step((high - low).max(0.1), 4.0),
        Scale::Logarithmic => f64::from(((high - low) as i32).div_euclid(POWERS) + 1),
    };
    let (low, high) = ((low / step).floor() * step, ((high / step).floor() + 1.0) * step);
    let x = |at: f64| LEFT + at / steps * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| top + 6.0 + (high - value) / (high - low) * (PANEL - 6.0);
    let lines = ((high - low) / step).round() as usize;
    for line in 0..=lines {
        let value = low + line as f64 * step;
        svg.line((LEFT, y(value)), (WIDTH - RIGHT, y(value)), FAINT, 1.0);
        let label = match panel.scale {
            Scale::Linear => format!("{value:.*}", decimals(step)),
            Scale::Logarithmic if (-3.0..=4.0).contains(&value) => {
                format!("{:.*}", (-value).max(0.0) as usize, 10f64.powf(value))
            }
            Scale::Logarithmic => format!("1e{value}"),
        };
        svg.text((LEFT - 6.0, y(value) + 4.0), Anchor::End, 10.5, &label);
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
