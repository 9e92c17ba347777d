//! Rows of values with intervals on one axis of percentage points, around zero.

use crate::render::svg::{Anchor, FAINT, INK, Svg, decimals, round_step};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 74.0;
const ROW: f64 = 19.0;
/// Smallest span of the axis in percentage points.
const LEAST_SPAN: f64 = 0.1;

/// A row of the plot, in percentage points.
pub(super) struct Row<'a> {
    pub(super) label: &'a str,
    /// The numbers, for a pointer and for readers who cannot see them.
    pub(super) words: String,
    pub(super) value: f64,
    pub(super) interval: Option<(f64, f64)>,
    /// Values of single seeds.
    pub(super) dots: Vec<f64>,
    /// The published value.
    pub(super) published: Option<f64>,
    pub(super) colour: &'a str,
    pub(super) filled: bool,
    /// True if a line separates the row from the one above.
    pub(super) begins_group: bool,
}

/// A plot that is not yet drawn.
pub(super) struct IntervalPlot<'a> {
    pub(super) title: &'a str,
    pub(super) caption: String,
    pub(super) rows: Vec<Row<'a>>,
    /// Meaning of the marks.
    pub(super) legend: String,
}

impl IntervalPlot<'_> {
    /// The file.
    pub(super) fn draw(&self) -> Vec<u8> {
        let bottom = TOP + ROW * self.rows.len() as f64;
        let mut svg = Svg::new(WIDTH, bottom + 40.0, self.title);
        svg.heading((12.0, 24.0), 16.0, self.title);
        svg.text((12.0, 42.0), Anchor::Start, 11.0, &self.caption);
        svg.text((12.0, 58.0), Anchor::Start, 11.0, &self.legend);
        let x = self.axis(&mut svg, bottom);
        for (place, row) in self.rows.iter().enumerate() {
            let top = TOP + ROW * place as f64;
            if row.begins_group && place > 0 {
                svg.line((12.0, top), (WIDTH - RIGHT, top), FAINT, 1.0);
            }
            svg.text((LEFT - 10.0, top + ROW / 2.0 + 4.0), Anchor::End, 11.5, row.label);
            svg.open_note(&row.words);
            marks(&mut svg, row, top + ROW / 2.0, &x);
            svg.close_note();
        }
        svg.finish()
    }

    /// Draws the axis; returns the place of a value on it.
    fn axis(&self, svg: &mut Svg, bottom: f64) -> impl Fn(f64) -> f64 + use<> {
        let values = || {
            let of_row = |row: &Row| {
                let interval = row.interval.map(|(low, high)| [low, high]);
                interval
                    .into_iter()
                    .flatten()
                    .chain(row.dots.iter().copied())
                    .chain(row.published)
                    .chain([row.value])
                    .collect()
            };
            self.rows.iter().flat_map(move |row| -> Vec<f64> { of_row(row) })
        };
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let step = round_step((high - low).max(LEAST_SPAN), 6.0);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil().max(1.0) as i64);
        let (low, span) = (first as f64 * step, (last - first) as f64 * step);
        let x = move |value: f64| LEFT + (value - low) / span * (WIDTH - LEFT - RIGHT);
        for line in first..=last {
            let value = line as f64 * step;
            let (colour, width) = if line == 0 { (INK, 1.2) } else { (FAINT, 1.0) };
            svg.line((x(value), TOP), (x(value), bottom), colour, width);
            let text = if line == 0 { "0".to_owned() } else { format!("{value:+.*}", decimals(step)) };
            svg.text((x(value), bottom + 16.0), Anchor::Middle, 10.5, &text);
        }
        svg.text((WIDTH - RIGHT, bottom + 32.0), Anchor::End, 10.5, "percentage points");
        x
    }
}

fn marks(svg: &mut Svg, row: &Row, y: f64, x: &impl Fn(f64) -> f64) {
    if let Some((low, high)) = row.interval {
        svg.line((x(low), y), (x(high), y), row.colour, 2.4);
    }
    for dot in &row.dots {
        svg.circle((x(*dot), y + 5.5), 1.8, row.colour);
    }
    if let Some(published) = row.published {
        svg.ring((x(published), y), 4.0, row.colour);
    }
    let mark = if row.filled { Svg::circle } else { Svg::ring };
    mark(svg, (x(row.value), y), 4.0, row.colour);
}
