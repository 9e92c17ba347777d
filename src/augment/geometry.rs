//! Geometry as inverse maps, from points in the distorted image to points in the source. Coordinates are in source pixels,
//! with pixel centres at .5 and y down. Operations work on a canvas, at first the source. Crops, quarter turns and resizing
//! change its size; the last canvas fills the output.

use super::mesh::Mesh;
use super::projection::{Affine, Projective};
use super::sampled_op::{CropWindow, SampledOp};

/// The inverse map of one operation.
#[derive(Debug, Clone)]
pub(super) enum Inverse {
    Affine(Affine),
    Projective(Projective),
    Mesh(Mesh),
}

/// Width and height in source pixels.
pub(super) type Size = (f64, f64);

impl Inverse {
    /// The inverse map of an operation on a canvas of `size`, and the size afterwards; `None` if no point moves.
    pub(super) fn of(op: &SampledOp, size: Size) -> Option<(Self, Size)> {
        let about_centre = |matrix| Some((Self::Affine(Affine::about_centre(size, matrix)), size));
        let mesh = |grid, nodes, unit| Some((Self::Mesh(Mesh::new(size, grid, nodes, unit)), size));
        match op {
            SampledOp::Rotate(degrees) => about_centre(rotation(f64::from(*degrees), inner_share(size, *degrees))),
            SampledOp::RotateAsAugmentor(degrees) => {
                let (x, y) = augmentor_share(size, *degrees);
                let [a, b, c, d] = rotation(f64::from(*degrees), 1.0);
                about_centre([a * x, b * y, c * x, d * y])
            }
            SampledOp::RotateWithoutCrop(degrees) => about_centre(rotation(f64::from(*degrees), 1.0)),
            SampledOp::RotateExpand(degrees) => {
                Some(recentred(size, outer_size(size, *degrees), rotation(f64::from(*degrees), 1.0)))
            }
            SampledOp::QuarterTurns(2) => about_centre([-1.0, 0.0, 0.0, -1.0]),
            SampledOp::QuarterTurns(turns) => {
                let sine = if *turns == 1 { 1.0 } else { -1.0 };
                Some(recentred(size, (size.1, size.0), [0.0, -sine, sine, 0.0]))
            }
            SampledOp::Zoom(thousandths) => {
                let shrink = 1000.0 / f64::from(*thousandths);
                about_centre([shrink, 0.0, 0.0, shrink])
            }
            SampledOp::ZoomRandom(window) => {
                let share = f64::from(window.share) / 1000.0;
                let (left, upper) = corner(size, (size.0 * share, size.1 * share), window.position);
                Some((Self::Affine(Affine([share, 0.0, left, 0.0, share, upper])), size))
            }
            SampledOp::Crop(CropWindow { share, position }) => {
                let share = f64::from(*share) / 1000.0;
                Some(cut_out(size, (size.0 * share, size.1 * share), *position))
            }
            SampledOp::CropBySize { width, height, position } => {
                let wanted = (f64::from(*width), f64::from(*height));
                (wanted.0 <= size.0 && wanted.1 <= size.1).then(|| cut_out(size, wanted, *position))
            }
            SampledOp::Resize(width, height) => Some(stretched(size, (f64::from(*width), f64::from(*height)))),
            SampledOp::Scale(thousandths) => {
                let factor = f64::from(*thousandths) / 1000.0;
                Some(stretched(size, (size.0 * factor, size.1 * factor)))
            }
            SampledOp::FlipLeftRight => about_centre([-1.0, 0.0, 0.0, 1.0]),
            SampledOp::FlipTopBottom => about_centre([1.0, 0.0, 0.0, -1.0]),
            SampledOp::Skew(corners) => {
                let unit = size.0.max(size.1) / 1000.0;
                let mut quadrangle = [(0.0, 0.0), (size.0, 0.0), size, (0.0, size.1)];
                for (corner, moved) in quadrangle.iter_mut().zip(corners) {
                    *corner = (corner.0 + f64::from(moved.0) * unit, corner.1 + f64::from(moved.1) * unit);
                }
                Some((Self::Projective(Projective::from_quadrangle(quadrangle, size)), size))
            }
            SampledOp::Shear { rows, degrees } => Some((Self::Affine(shear(size, *rows, *degrees)), size)),
            SampledOp::Affine { hundredths, scale, shift } => {
                let matrix = rotation(f64::from(*hundredths) / 100.0, 1000.0 / f64::from(*scale));
                let Affine([a, b, x, c, d, y]) = Affine::about_centre(size, matrix);
                let right = f64::from(shift.0) / 1000.0 * size.0;
                let down = f64::from(shift.1) / 1000.0 * size.1;
                let map = [a, b, x - a * right - b * down, c, d, y - c * right - d * down];
                Some((Self::Affine(Affine(map)), size))
            }
            SampledOp::Distort { grid, nodes } => mesh(*grid, nodes, 250.0),
            SampledOp::DistortFinely { grid, nodes } => mesh(*grid, nodes, 25_000.0),
            SampledOp::Erase { .. }
            | SampledOp::Equalise
            | SampledOp::Greyscale
            | SampledOp::Invert
            | SampledOp::BlackAndWhite(_)
            | SampledOp::Brightness(_)
            | SampledOp::Colour(_)
            | SampledOp::Contrast(_)
            | SampledOp::HsvShift { .. }
            | SampledOp::Blur(_)
            | SampledOp::Gamma(_) => None,
        }
    }

    pub(super) fn at(&self, point: (f64, f64)) -> (f64, f64) {
        match self {
            Self::Affine(affine) => affine.at(point),
            Self::Projective(projective) => projective.at(point),
            Self::Mesh(mesh) => mesh.at(point),
        }
    }

    /// This map, then `next`, as one map; `None` if there is no such map.
    fn then(&self, next: &Self) -> Option<Self> {
        match (self, next) {
            (Self::Affine(first), Self::Affine(second)) => Some(Self::Affine(first.then(second))),
            (Self::Affine(first), Self::Projective(second)) => {
                Some(Self::Projective(Projective::from(*first).then(second)))
            }
            (Self::Projective(first), Self::Affine(second)) => Some(Self::Projective(first.then(&(*second).into()))),
            (Self::Projective(first), Self::Projective(second)) => Some(Self::Projective(first.then(second))),
            (Self::Mesh(_), _) | (_, Self::Mesh(_)) => None,
        }
    }
}

/// The inverse of a rotation by degrees counterclockwise, on an image at `scale`.
fn rotation(degrees: f64, scale: f64) -> [f64; 4] {
    // Not the system's sine: its last bit differs between machines.
    let (sine, cosine) = libm::sincos(degrees.to_radians());
    [scale * cosine, -scale * sine, scale * sine, scale * cosine]
}

/// The largest upright rectangle of the image's aspect ratio inside the rotated image, as a fraction of the sides. At
/// scale k the bounding box of the rectangle rotated back, `k (w cos + h sin)` by `k (w sin + h cos)`, must fit.
fn inner_share(size: Size, degrees: i32) -> f64 {
    let (width, height) = size;
    let outer = outer_size(size, degrees);
    (width / outer.0).min(height / outer.1)
}

/// The bounding box of a rotated image.
fn outer_size((width, height): Size, degrees: i32) -> Size {
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    // Beyond 90 degrees the cosine is negative.
    (width * cosine.abs() + height * sine.abs(), width * sine.abs() + height * cosine.abs())
}

/// Width and height of the rectangle that Augmentor cuts out of a rotated image, as fractions of the sides. It computes
/// `E / 1 - tan^2` in place of `E / (1 - tan^2)`.
fn augmentor_share(size: Size, degrees: i32) -> (f64, f64) {
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    let tangent = sine / cosine;
    let (x, y) = outer_size(size, degrees);
    let e = tangent * (y - x * tangent) - tangent * tangent;
    let a = tangent * (x - e);
    ((x - 2.0 * e) / size.0, (y - 2.0 * a) / size.1)
}

/// A linear map that maps the centre of a canvas of size `to` to that of the canvas before it.
fn recentred(from: Size, to: Size, [a, b, c, d]: [f64; 4]) -> (Inverse, Size) {
    let (x, y) = (to.0 / 2.0, to.1 / 2.0);
    let map = [a, b, from.0 / 2.0 - a * x - b * y, c, d, from.1 / 2.0 - c * x - d * y];
    (Inverse::Affine(Affine(map)), to)
}

/// The whole canvas stretched to another.
fn stretched(from: Size, to: Size) -> (Inverse, Size) {
    (Inverse::Affine(Affine([from.0 / to.0, 0.0, 0.0, 0.0, from.1 / to.1, 0.0])), to)
}

fn cut_out(from: Size, to: Size, position: (u32, u32)) -> (Inverse, Size) {
    let (left, upper) = corner(from, to, position);
    (Inverse::Affine(Affine([1.0, 0.0, left, 0.0, 1.0, upper])), to)
}

/// The upper left corner of a rectangle of size `inner`; `position` is in thousandths of the margins.
fn corner(outer: Size, inner: Size, position: (u32, u32)) -> (f64, f64) {
    ((outer.0 - inner.0) * f64::from(position.0) / 1000.0, (outer.1 - inner.1) * f64::from(position.1) / 1000.0)
}

/// Shifts each row (column) by the tangent of the angle a pixel, by at most nine tenths of the width (height). The
/// visible part of each row is stretched to the full width.
fn shear((width, height): Size, rows: bool, degrees: i32) -> Affine {
    let (along, across) = if rows { (width, height) } else { (height, width) };
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    let shift = (across * sine / cosine).min(0.9 * along);
    let scale = (along - shift) / along;
    let (start, slope) = if degrees > 0 { (0.0, shift / across) } else { (shift, -shift / across) };
    Affine(if rows { [scale, slope, start, 0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0, slope, scale, start] })
}

/// The map from output pixels to pixels of the source, which is stored at size `packed`. It consists of the output's
/// scale, the inverse maps in reverse order, and the scale of the stored source. Neighbours are merged if possible.
pub(super) fn inverse_map(ops: &[SampledOp], source: (u32, u32), packed: (u32, u32), side: u32) -> Vec<Inverse> {
    let size = (f64::from(source.0), f64::from(source.1));
    let mut canvas = size;
    let mut inverses = Vec::new();
    for op in ops {
        if let Some((inverse, canvas_after)) = Inverse::of(op, canvas) {
            inverses.push(inverse);
            canvas = canvas_after;
        }
    }
    let scale = |x: f64, y: f64| Inverse::Affine(Affine([x, 0.0, 0.0, 0.0, y, 0.0]));
    let mut map = vec![scale(canvas.0 / f64::from(side), canvas.1 / f64::from(side))];
    let last = (packed != source).then(|| scale(f64::from(packed.0) / size.0, f64::from(packed.1) / size.1));
    for inverse in inverses.into_iter().rev().chain(last) {
        match map.last().and_then(|first| first.then(&inverse)) {
            Some(merged) => *map.last_mut().expect("the map is not empty") = merged,
            None => map.push(inverse),
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Pipeline;

    const SIZE: Size = (100.0, 60.0);

    fn at(op: &SampledOp, point: (f64, f64)) -> (f64, f64) {
        let (x, y) = Inverse::of(op, SIZE).unwrap().0.at(point);
        ((x * 1e9).round() / 1e9, (y * 1e9).round() / 1e9)
    }

    /// The source points of the corners of the canvas after an operation.
    fn corners(op: &SampledOp) -> [(f64, f64); 4] {
        let (width, height) = Inverse::of(op, SIZE).unwrap().1;
        [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|corner| at(op, corner))
    }

    /// Distance of the furthest corner from the border; negative inside it.
    fn beyond(corners: [(f64, f64); 4]) -> f64 {
        let beyond = |(x, y): (f64, f64)| (-x).max(x - SIZE.0).max(-y).max(y - SIZE.1);
        corners.into_iter().map(beyond).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The only map of `ops` on a square image with sides of 1000.
    fn affine(ops: &[SampledOp]) -> Affine {
        let map = inverse_map(ops, (1000, 1000), (1000, 1000), 1000);
        let [Inverse::Affine(all)] = map.as_slice() else { panic!("{map:?}") };
        *all
    }

    #[test]
    fn affacts_pipeline_is_one_affine_map_with_the_deviations_of_affact() {
        let text = include_str!("../../datasets/pipelines/affact.toml");
        let pipeline = Pipeline::from_toml("affact.toml", text).unwrap();
        let (mut angles, mut scales, mut shifts) = (Vec::new(), Vec::new(), Vec::new());
        for copy in 1..=4000 {
            let ops = pipeline.plan(1, "a", copy).ops;
            affine(&ops);
            let map = affine(&ops[..1]);
            // The inverse map of the centre and of a point to its right.
            let [centre, right] = [(500.0, 500.0), (1000.0, 500.0)].map(|point| map.at(point));
            let step = ((right.0 - centre.0) / 500.0, (right.1 - centre.1) / 500.0);
            let (angle, scale) = (libm::atan2(step.1, step.0), -0.5 * libm::log2(step.0.powi(2) + step.1.powi(2)));
            angles.push(angle.to_degrees());
            scales.push(scale);
            // The shift of the forward map is turned by the angle, and enlarged.
            let (x, y) = ((500.0 - centre.0) / 1000.0, (500.0 - centre.1) / 1000.0);
            let (sine, cosine) = libm::sincos(-angle);
            shifts.extend([cosine * x - sine * y, sine * x + cosine * y].map(|shift| shift * libm::exp2(scale)));
        }
        for (values, expected) in [(angles, 20.0), (scales, 0.1), (shifts, 0.05)] {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let deviation = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
            // Within five standard errors.
            assert!(mean.abs() < 5.0 * expected / count.sqrt(), "{mean} for {expected}");
            assert!((deviation / expected - 1.0).abs() < 5.0 / (2.0 * count).sqrt(), "{deviation} for {expected}");
        }
    }

    #[test]
    fn quarter_turn_counterclockwise_moves_the_right_side_to_the_top() {
        assert_eq!(at(&SampledOp::RotateWithoutCrop(90), (50.0, 20.0)), (60.0, 30.0));
        let [upper_left, upper_right, ..] = corners(&SampledOp::QuarterTurns(1));
        assert_eq!((upper_left, upper_right), ((100.0, 0.0), (100.0, 60.0)));
        assert_eq!(corners(&SampledOp::QuarterTurns(3))[0], (0.0, 60.0));
        assert_eq!(corners(&SampledOp::QuarterTurns(2))[0], (100.0, 60.0));
    }

    #[test]
    fn cropped_rotation_touches_the_border_with_a_corner_and_never_crosses_it() {
        for degrees in -90..=90 {
            let furthest = beyond(corners(&SampledOp::Rotate(degrees)));
            assert!(furthest.abs() < 1e-6, "{degrees} degrees: {furthest}");
        }
    }

    #[test]
    fn augmentors_cropped_rotation_is_too_small_and_stretches() {
        let share = augmentor_share((250.0, 250.0), 25);
        // 168 x 100 in Augmentor, which rounds the rotated image to whole pixels.
        assert_eq!(((share.0 * 250.0).round(), (share.1 * 250.0).round()), (167.0, 99.0));
        assert!(inner_share((250.0, 250.0), 25) > 0.75);
    }

    #[test]
    fn expanded_rotation_holds_the_whole_image() {
        for degrees in -180..=180 {
            let (inverse, canvas) = Inverse::of(&SampledOp::RotateExpand(degrees), SIZE).unwrap();
            // The image touches its bounding box, so no corner of the box lies inside the image.
            let corners = [(0.0, 0.0), (canvas.0, 0.0), canvas, (0.0, canvas.1)].map(|corner| inverse.at(corner));
            let inside = |(x, y): (f64, f64)| (1e-6..SIZE.0 - 1e-6).contains(&x) && (1e-6..SIZE.1 - 1e-6).contains(&y);
            assert!(!corners.into_iter().any(inside), "{degrees} degrees: {corners:?}");
            let centre = inverse.at((canvas.0 / 2.0, canvas.1 / 2.0));
            assert!((centre.0 - 50.0).abs() < 1e-9 && (centre.1 - 30.0).abs() < 1e-9);
        }
    }

    #[test]
    fn zoom_by_two_shows_the_inner_half() {
        assert_eq!(at(&SampledOp::Zoom(2000), (100.0, 0.0)), (75.0, 15.0));
    }

    #[test]
    fn windows_lie_at_their_position() {
        let window = CropWindow { share: 500, position: (1000, 0) };
        let right_upper = [(50.0, 0.0), (100.0, 0.0), (100.0, 30.0), (50.0, 30.0)];
        assert_eq!(corners(&SampledOp::ZoomRandom(window)), right_upper);
        assert_eq!(corners(&SampledOp::Crop(window)), right_upper);
        assert_eq!(Inverse::of(&SampledOp::Crop(window), SIZE).unwrap().1, (50.0, 30.0));
        let middle = SampledOp::CropBySize { width: 20, height: 40, position: (500, 500) };
        assert_eq!(corners(&middle)[0], (40.0, 10.0));
        assert!(Inverse::of(&SampledOp::CropBySize { width: 20, height: 61, position: (0, 0) }, SIZE).is_none());
    }

    #[test]
    fn crop_by_size_counts_pixels_of_the_canvas_after_resize_and_scale() {
        let cut = SampledOp::CropBySize { width: 50, height: 50, position: (0, 0) };
        for ops in [[SampledOp::Resize(200, 100), cut.clone()], [SampledOp::Scale(2000), cut]] {
            let map = inverse_map(&ops, (100, 50), (100, 50), 10);
            let [Inverse::Affine(all)] = map.as_slice() else { panic!("{map:?}") };
            assert_eq!(all.at((10.0, 10.0)), (25.0, 25.0));
        }
    }

    #[test]
    fn flips_keep_the_other_axis() {
        assert_eq!(at(&SampledOp::FlipLeftRight, (10.0, 7.0)), (90.0, 7.0));
        assert_eq!(at(&SampledOp::FlipTopBottom, (10.0, 7.0)), (10.0, 53.0));
    }

    #[test]
    fn shear_and_skew_show_only_the_image() {
        for degrees in -25..=26 {
            for rows in [true, false] {
                assert!(beyond(corners(&SampledOp::Shear { rows, degrees })).abs() < 1e-6, "{degrees} degrees");
            }
        }
        for amount in [1, 200, 1000] {
            let tilt = SampledOp::Skew([(0, -amount), (0, 0), (0, 0), (0, amount)]);
            let corner = SampledOp::Skew([(0, 0), (0, 0), (amount, 0), (0, 0)]);
            assert!(beyond(corners(&tilt)).abs() < 1e-6 && beyond(corners(&corner)).abs() < 1e-6);
        }
    }

    #[test]
    fn mesh_moves_nodes_fully_cell_centres_by_a_quarter_and_the_border_not_at_all() {
        // One inner node in the middle of 2 x 2 cells: (25, 50) of 250 is (10, 12) of 100 x 60.
        let coarse = SampledOp::Distort { grid: (2, 2), nodes: vec![(25, 50)] };
        let fine = SampledOp::DistortFinely { grid: (2, 2), nodes: vec![(2500, 5000)] };
        for op in [coarse, fine] {
            assert_eq!(at(&op, (50.0, 30.0)), (60.0, 42.0));
            assert_eq!(at(&op, (25.0, 15.0)), (27.5, 18.0));
            assert_eq!(at(&op, (0.0, 30.0)), (0.0, 30.0));
            assert_eq!(at(&op, (50.0, 60.0)), (50.0, 60.0));
            assert_eq!(at(&op, (-9.0, 75.0)), (-9.0, 75.0));
        }
    }

    #[test]
    fn last_operation_is_undone_first() {
        let ops = [SampledOp::Zoom(2000), SampledOp::FlipLeftRight, SampledOp::RotateWithoutCrop(90)];
        let map = inverse_map(&ops, (100, 100), (100, 100), 200);
        let point = map.iter().fold((20.0, 60.0), |point, inverse| inverse.at(point));
        // By hand: (10, 30) in source pixels, rotated back (70, 10), mirrored (30, 10), inner half (40, 30).
        assert!((point.0 - 40.0).abs() < 1e-9 && (point.1 - 30.0).abs() < 1e-9, "{point:?}");
    }
}
