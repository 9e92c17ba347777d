//! Outlines as lists of points, in face units or pixels: splines, ellipses, strokes of varying width.

use super::canvas::Point;

/// Segments between two control points of a spline.
const STEPS: usize = 6;

/// A Catmull-Rom spline through `points`.
pub(super) fn spline(points: &[Point], closed: bool) -> Vec<Point> {
    let count = points.len();
    let at = |i: isize| {
        if closed {
            points[i.rem_euclid(count as isize) as usize]
        } else {
            points[i.clamp(0, count as isize - 1) as usize]
        }
    };
    let pieces = if closed { count } else { count.saturating_sub(1) };
    let mut curve = Vec::with_capacity(pieces * STEPS + 1);
    for i in 0..pieces as isize {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            curve.push(std::array::from_fn(|k| {
                let cubic = -a[k] + 3.0 * b[k] - 3.0 * c[k] + d[k];
                let square = 2.0 * a[k] - 5.0 * b[k] + 4.0 * c[k] - d[k];
                0.5 * (2.0 * b[k] + t * (c[k] - a[k] + t * (square + t * cubic)))
            }));
        }
    }
    if !closed {
        curve.extend(points.last());
    }
    curve
}

/// The points of `half`, which run down the right side, and their reflections in x = 0, as one closed outline.
pub(super) fn mirrored(half: &[Point]) -> Vec<Point> {
    half.iter().copied().chain(half.iter().rev().filter(|p| p[0] != 0.0).map(|p| [-p[0], p[1]])).collect()
}

/// An axis-aligned ellipse.
pub(super) fn ellipse(centre: Point, radius: Point) -> Vec<Point> {
    const POINTS: usize = 32;
    (0..POINTS)
        .map(|i| {
            let (sin, cos) = turn(i as f32 / POINTS as f32);
            [centre[0] + radius[0] * cos, centre[1] + radius[1] * sin]
        })
        .collect()
}

/// A rectangle between two corners.
pub(super) fn rectangle(from: Point, to: Point) -> Vec<Point> {
    vec![from, [to[0], from[1]], to, [from[0], to[1]]]
}

/// The outline of a stroke along `line` with the width `width(t)`; t runs from 0 to 1 along the points.
pub(super) fn stroke(line: &[Point], width: impl Fn(f32) -> f32) -> Vec<Point> {
    let last = line.len().saturating_sub(1);
    let side = |i: usize, sign: f32| {
        let (before, after) = (line[i.saturating_sub(1)], line[(i + 1).min(last)]);
        let (dx, dy) = (after[0] - before[0], after[1] - before[1]);
        let length = (dx * dx + dy * dy).sqrt().max(1e-6);
        let half = sign * 0.5 * width(i as f32 / last.max(1) as f32);
        [line[i][0] - dy / length * half, line[i][1] + dx / length * half]
    };
    (0..line.len()).map(|i| side(i, 1.0)).chain((0..line.len()).rev().map(|i| side(i, -1.0))).collect()
}

/// A stroke width that peaks at `width` in the middle.
pub(super) fn tapered(width: f32) -> impl Fn(f32) -> f32 {
    move |t| width * (0.15 + 3.4 * t * (1.0 - t))
}

/// Sine and cosine of an angle in turns, the same on every machine.
pub(super) fn turn(turns: f32) -> (f32, f32) {
    libm::sincosf(turns * std::f32::consts::TAU)
}
