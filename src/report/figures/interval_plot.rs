//! Rows of values with intervals around zero, on one axis of percentage points for all panels.

use crate::render::svg::{Anchor, FAINT, INK, Svg, decimals, round_step};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 24.0;
/// Space between panels.
const GAP: f64 = 22.0;
const ROW: f64 = 19.0;
const LINE: f64 = 16.0;
/// Smallest span of the axis in percentage points.
const LEAST_SPAN: f64 = 0.1;

/// The name of a row in all panels.
pub(super) struct Label<'a> {
    pub(super) text: &'a str,
    /// True if a line separates the row from the one above.
    pub(super) begins_group: bool,
}

/// A row of a panel, in percentage points.
pub(super) struct Row<'a> {
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
}

impl Row<'_> {
    /// Every value on the axis.
    fn values(&self) -> impl Iterator<Item = f64> {
        let interval = self.interval.into_iter().flat_map(|(low, high)| [low, high]);
        interval.chain(self.dots.iter().copied()).chain(self.published).chain([self.value])
    }
}

/// One set of rows, beside the others.
pub(super) struct Panel<'a> {
    /// Stands above the panel; empty for a panel alone.
    pub(super) title: String,
    /// A row or none for each label.
    pub(super) rows: Vec<Option<Row<'a>>>,
}

/// A plot that is not yet drawn.
pub(super) struct IntervalPlot<'a> {
    pub(super) title: &'a str,
    /// Lines under the title: data and protocol, and the meaning of the marks.
    pub(super) captions: Vec<String>,
    pub(super) labels: Vec<Label<'a>>,
    pub(super) panels: Vec<Panel<'a>>,
}

/// The axis of all panels: its first and last line in steps.
struct Axis {
    step: f64,
    first: i64,
    last: i64,
}

impl Axis {
    /// An axis of about `parts` steps with all `values` and zero.
    fn new(values: impl Iterator<Item = f64>, parts: f64) -> Self {
        let (low, high) = values.fold((0.0, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        let step = round_step((high - low).max(LEAST_SPAN), parts);
        Self { step, first: (low / step).floor() as i64, last: (high / step).ceil().max(1.0) as i64 }
    }

    /// The place of a value between `left` and `right`.
    fn place(&self, value: f64, left: f64, right: f64) -> f64 {
        let steps = (self.last - self.first) as f64;
        left + (value / self.step - self.first as f64) / steps * (right - left)
    }
}

impl IntervalPlot<'_> {
    /// The file.
    pub(super) fn draw(&self) -> Vec<u8> {
        let titled = self.panels.iter().any(|panel| !panel.title.is_empty());
        let top = 42.0 + LINE * (self.captions.len() + usize::from(titled)) as f64;
        let bottom = top + ROW * self.labels.len() as f64;
        let mut svg = Svg::new(WIDTH, bottom + 40.0, self.title);
        svg.heading((12.0, 24.0), 16.0, self.title);
        for (line, caption) in self.captions.iter().enumerate() {
            svg.text((12.0, 42.0 + LINE * line as f64), Anchor::Start, 11.0, caption);
        }
        for (place, label) in self.labels.iter().enumerate() {
            let above = top + ROW * place as f64;
            if label.begins_group && place > 0 {
                svg.line((12.0, above), (WIDTH - RIGHT, above), FAINT, 1.0);
            }
            svg.text((LEFT - 10.0, above + ROW / 2.0 + 4.0), Anchor::End, 11.5, label.text);
        }
        let values = self.panels.iter().flat_map(|panel| panel.rows.iter().flatten()).flat_map(Row::values);
        let count = self.panels.len() as f64;
        let axis = Axis::new(values, (6.0 / count).max(2.0));
        let width = (WIDTH - RIGHT - LEFT - GAP * (count - 1.0)) / count;
        for (place, panel) in self.panels.iter().enumerate() {
            let left = LEFT + (width + GAP) * place as f64;
            if !panel.title.is_empty() {
                svg.text((left, top - 8.0), Anchor::Start, 11.5, &panel.title);
            }
            draw_panel(&mut svg, panel, &axis, (left, left + width), (top, bottom));
        }
        svg.text((WIDTH - RIGHT, bottom + 32.0), Anchor::End, 10.5, "percentage points");
        svg.finish()
    }
}

fn draw_panel(svg: &mut Svg, panel: &Panel, axis: &Axis, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    let x = |value: f64| axis.place(value, left, right);
    for line in axis.first..=axis.last {
        let value = line as f64 * axis.step;
        let (colour, width) = if line == 0 { (INK, 1.2) } else { (FAINT, 1.0) };
        svg.line((x(value), top), (x(value), bottom), colour, width);
        let text = if line == 0 { "0".to_owned() } else { format!("{value:+.*}", decimals(axis.step)) };
        svg.text((x(value), bottom + 16.0), Anchor::Middle, 10.5, &text);
    }
    for (place, row) in panel.rows.iter().enumerate() {
        if let Some(row) = row {
            svg.open_note(&row.words);
            marks(svg, row, top + ROW * (place as f64 + 0.5), &x);
            svg.close_note();
        }
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
