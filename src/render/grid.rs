//! Maps of 40 x 40 attributes: names at the left and above, one cell per pair, and a colour scale at the right. Attributes
//! are in the order of Table 1's groups with lines between groups, or in another order.

use super::svg::{Anchor, INK, Svg};
use crate::attribute::{COUNT, GROUPS, NAMES, by_group};
use std::collections::BTreeMap;

/// Side of a cell in pixels.
pub(crate) const CELL: f64 = 14.0;
/// Left edge of the cells in pixels.
pub(crate) const LEFT: f64 = 232.0;
/// Top edge of the cells in pixels.
pub(crate) const TOP: f64 = 182.0;
/// Side of all cells together.
pub(crate) const SIDE: f64 = CELL * COUNT as f64;

/// Draws the map in the order of Table 1. `colour` gives the colour of (row, column), or `None` for no cell; `between` is
/// colour and width of the lines between groups.
pub(crate) fn draw(svg: &mut Svg, colour: impl Fn(usize, usize) -> Option<String>, between: (&str, f64)) {
    let order: Vec<usize> = by_group().into_iter().map(|(i, _)| i).collect();
    draw_in(svg, &order, colour);
    let mut start = 0.0;
    for group in GROUPS {
        let end = start + group.members.len() as f64 * CELL;
        svg.text((12.0, TOP + f64::midpoint(start, end) + 4.0), Anchor::Start, 11.0, group.name);
        svg.line((LEFT - 4.0, TOP + start + 1.0), (LEFT - 4.0, TOP + end - 1.0), INK, 1.0);
        svg.line((LEFT + start + 1.0, TOP - 4.0), (LEFT + end - 1.0, TOP - 4.0), INK, 1.0);
        if start > 0.0 {
            svg.line((LEFT, TOP + start), (LEFT + SIDE, TOP + start), between.0, between.1);
            svg.line((LEFT + start, TOP), (LEFT + start, TOP + SIDE), between.0, between.1);
        }
        start = end;
    }
}

/// Draws the map with the attributes in `order`, without lines between groups.
pub(crate) fn draw_in(svg: &mut Svg, order: &[usize], colour: impl Fn(usize, usize) -> Option<String>) {
    let mut cells: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (row, &i) in order.iter().enumerate() {
        let y = TOP + row as f64 * CELL;
        svg.text((LEFT - 6.0, y + CELL - 3.5), Anchor::End, 10.5, NAMES[i]);
        svg.text_upwards((LEFT + row as f64 * CELL + CELL - 3.5, TOP - 6.0), Anchor::Start, 10.5, NAMES[i]);
        for (column, &j) in order.iter().enumerate() {
            if let Some(colour) = colour(i, j) {
                cells.entry(colour).or_default().push((LEFT + column as f64 * CELL, y));
            }
        }
    }
    svg.cells(&cells, CELL);
}

/// Draws the colour scale at the right of a map. `colour` maps 0 to 1 to a colour; `words` label the quarters, lowest
/// first.
pub(crate) fn legend(svg: &mut Svg, colour: impl Fn(f64) -> String, words: &[String; 5], title: &str) {
    const STEPS: usize = 64;
    let (x, width) = (LEFT + SIDE + 18.0, 16.0);
    let step = SIDE / STEPS as f64;
    for i in 0..STEPS {
        let y = TOP + SIDE - (i + 1) as f64 * step;
        // Slightly taller than its step, so that no seam shows.
        svg.rect(x, y, width, step + 0.5, &colour((i as f64 + 0.5) / STEPS as f64));
    }
    for (part, words) in words.iter().enumerate() {
        let y = TOP + SIDE * (1.0 - part as f64 / 4.0);
        svg.line((x + width, y), (x + width + 4.0, y), INK, 1.0);
        svg.text((x + width + 7.0, y + 4.0), Anchor::Start, 10.5, words);
    }
    svg.text((x, TOP - 10.0), Anchor::Start, 10.5, title);
}
