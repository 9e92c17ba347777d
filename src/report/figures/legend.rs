//! A figure's legend: variants side by side, in as many rows as they need.

use crate::render::svg::{Anchor, Svg};
use crate::variant::Style;

/// Height of a row in pixels.
const ROW: f64 = 18.0;

/// The mark before a variant's title.
pub(super) enum Mark {
    Bar,
    Line,
}

/// A legend laid out, not yet drawn.
pub(super) struct Legend<'a> {
    mark: Mark,
    /// Each variant's title and style with its upper left corner, relative to the first one's.
    places: Vec<(&'a str, Style, (f64, f64))>,
}

impl<'a> Legend<'a> {
    /// Lays out the titles and styles of `variants` within `width` pixels.
    pub(super) fn new(variants: impl IntoIterator<Item = (&'a str, Style)>, mark: Mark, width: f64) -> Self {
        let (mut x, mut y) = (0.0, 0.0);
        let places = variants.into_iter().map(|(title, style)| {
            let own = 44.0 + 7.0 * title.chars().count() as f64;
            if x > 0.0 && x + own > width {
                (x, y) = (0.0, y + ROW);
            }
            let place = (x, y);
            x += own;
            (title, style, place)
        });
        Self { mark, places: places.collect() }
    }

    /// Height of the rows after the first.
    pub(super) fn more(&self) -> f64 {
        self.places.last().map_or(0.0, |(.., (_, y))| *y)
    }

    /// Draws the legend with its upper left corner at `left` and `top`.
    pub(super) fn draw(&self, svg: &mut Svg, left: f64, top: f64) {
        for (title, style, (x, y)) in &self.places {
            let (x, y) = (left + x, top + y);
            match self.mark {
                Mark::Bar => svg.rect(x, y, 14.0, 10.0, style.colour),
                Mark::Line => {
                    svg.polyline(&[(x - 14.0, y + 5.0), (x + 14.0, y + 5.0)], style.colour, style.dashes);
                }
            }
            svg.text((x + 19.0, y + 9.0), Anchor::Start, 11.0, title);
        }
    }
}
