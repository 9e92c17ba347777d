//! The frame that maps of 40 x 40 attributes share: names at the left and above, one cell a pair, in the order of Table
//! 1's groups, which are set apart by lines.

use super::super::svg::{Anchor, INK, Svg};
use super::by_group;
use crate::attribute::{COUNT, GROUPS, NAMES};

/// Side of a cell in pixels.
pub(crate) const CELL: f64 = 14.0;
/// Where the cells begin.
pub(crate) const LEFT: f64 = 232.0;
/// Where the cells begin.
pub(crate) const TOP: f64 = 182.0;
/// Side of all cells together.
pub(crate) const SIDE: f64 = CELL * COUNT as f64;

/// Draws the map: `colour` of an attribute's row and another's column, no cell where there is none; `between`, the colour
/// and width of the lines between groups.
pub(crate) fn draw(svg: &mut Svg, colour: impl Fn(usize, usize) -> Option<String>, between: (&str, f64)) {
    let order = by_group();
    for (row, &(i, _)) in order.iter().enumerate() {
        let y = TOP + row as f64 * CELL;
        svg.text((LEFT - 6.0, y + CELL - 3.5), Anchor::End, 10.5, NAMES[i]);
        svg.text_upwards((LEFT + row as f64 * CELL + CELL - 3.5, TOP - 6.0), Anchor::Start, 10.5, NAMES[i]);
        for (column, &(j, _)) in order.iter().enumerate() {
            if let Some(colour) = colour(i, j) {
                svg.rect(LEFT + column as f64 * CELL, y, CELL, CELL, &colour);
            }
        }
    }
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
