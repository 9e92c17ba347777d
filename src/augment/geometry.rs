//! Geometry as an inverse map: for a place in the distorted image, the place in the source that it shows. Places are in
//! source pixels, pixel centres at .5, y down; composing steps composes their inverses, last step first. Steps work on
//! a canvas, at first the source, whose size a crop, a quarter turn or a resize changes; the last one fills the output.

use super::mesh::Mesh;
use super::projection::{Affine, Projective};
use super::step::{Part, Step};

/// The inverse of one step.
#[derive(Debug, Clone)]
pub(super) enum Inverse {
    Affine(Affine),
    Projective(Projective),
    Mesh(Mesh),
}

/// Width and height, in what becomes source pixels.
pub(super) type Size = (f64, f64);

impl Inverse {
    /// The inverse of a step on a canvas of `size`, and the canvas it leaves; nothing where places stay.
    pub(super) fn of(step: &Step, size: Size) -> Option<(Self, Size)> {
        let about_centre = |matrix| Some((Self::Affine(Affine::about_centre(size, matrix)), size));
        let mesh = |grid, nodes, unit| Some((Self::Mesh(Mesh::new(size, grid, nodes, unit)), size));
        match step {
            Step::Rotate(degrees) => about_centre(turn(*degrees, inner_share(size, *degrees))),
            Step::RotateAsAugmentor(degrees) => {
                let (x, y) = augmentors_share(size, *degrees);
                let [a, b, c, d] = turn(*degrees, 1.0);
                about_centre([a * x, b * y, c * x, d * y])
            }
            Step::RotateWithoutCrop(degrees) => about_centre(turn(*degrees, 1.0)),
            Step::RotateExpand(degrees) => Some(recentred(size, outer_size(size, *degrees), turn(*degrees, 1.0))),
            Step::QuarterTurns(2) => about_centre([-1.0, 0.0, 0.0, -1.0]),
            Step::QuarterTurns(turns) => {
                let sine = if *turns == 1 { 1.0 } else { -1.0 };
                Some(recentred(size, (size.1, size.0), [0.0, -sine, sine, 0.0]))
            }
            Step::Zoom(thousandths) => {
                let shrink = 1000.0 / f64::from(*thousandths);
                about_centre([shrink, 0.0, 0.0, shrink])
            }
            Step::ZoomRandom(part) => {
                let share = f64::from(part.share) / 1000.0;
                let (left, upper) = corner(size, (size.0 * share, size.1 * share), part.place);
                Some((Self::Affine(Affine([share, 0.0, left, 0.0, share, upper])), size))
            }
            Step::Crop(Part { share, place }) => {
                let share = f64::from(*share) / 1000.0;
                Some(cut_out(size, (size.0 * share, size.1 * share), *place))
            }
            Step::CropBySize { width, height, place } => {
                let wanted = (f64::from(*width), f64::from(*height));
                (wanted.0 <= size.0 && wanted.1 <= size.1).then(|| cut_out(size, wanted, *place))
            }
            Step::Resize(width, height) => Some(stretched(size, (f64::from(*width), f64::from(*height)))),
            Step::Scale(thousandths) => {
                let factor = f64::from(*thousandths) / 1000.0;
                Some(stretched(size, (size.0 * factor, size.1 * factor)))
            }
            Step::FlipLeftRight => about_centre([-1.0, 0.0, 0.0, 1.0]),
            Step::FlipTopBottom => about_centre([1.0, 0.0, 0.0, -1.0]),
            Step::Skew(corners) => {
                let unit = size.0.max(size.1) / 1000.0;
                let mut quadrangle = [(0.0, 0.0), (size.0, 0.0), size, (0.0, size.1)];
                for (corner, moved) in quadrangle.iter_mut().zip(corners) {
                    *corner = (corner.0 + f64::from(moved.0) * unit, corner.1 + f64::from(moved.1) * unit);
                }
                Some((Self::Projective(Projective::from_quadrangle(quadrangle, size)), size))
            }
            Step::Shear { rows, degrees } => Some((Self::Affine(shear(size, *rows, *degrees)), size)),
            Step::Distort { grid, nodes } => mesh(*grid, nodes, 250.0),
            Step::DistortFinely { grid, nodes } => mesh(*grid, nodes, 25_000.0),
            Step::Erase { .. }
            | Step::Equalise
            | Step::Greyscale
            | Step::Invert
            | Step::BlackAndWhite(_)
            | Step::Brightness(_)
            | Step::Colour(_)
            | Step::Contrast(_)
            | Step::HsvShift { .. } => None,
        }
    }

    pub(super) fn at(&self, place: (f64, f64)) -> (f64, f64) {
        match self {
            Self::Affine(affine) => affine.at(place),
            Self::Projective(projective) => projective.at(place),
            Self::Mesh(mesh) => mesh.at(place),
        }
    }

    /// This one first, then `next`, where that is one map.
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

/// A turn by degrees counterclockwise, undone, on an image shown at `scale`.
fn turn(degrees: i32, scale: f64) -> [f64; 4] {
    // Not the system's sine, whose last bit differs between machines.
    let (sine, cosine) = libm::sincos(f64::from(degrees).to_radians());
    [scale * cosine, -scale * sine, scale * sine, scale * cosine]
}

/// The side of the largest upright rectangle of the image's aspect inside the turned image, as a share of the image's:
/// scaled by k, its own bounding box after the turn back, `k (w cos + h sin)` by `k (w sin + h cos)`, has to fit.
fn inner_share(size: Size, degrees: i32) -> f64 {
    let (width, height) = size;
    let outer = outer_size(size, degrees);
    (width / outer.0).min(height / outer.1)
}

/// The bounding box of a turned image.
fn outer_size((width, height): Size, degrees: i32) -> Size {
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    // Beyond a quarter turn the cosine is below 0.
    (width * cosine.abs() + height * sine.abs(), width * sine.abs() + height * cosine.abs())
}

/// Width and height of the rectangle that Augmentor cuts out of a turned image, as shares of the image's:
/// `E / 1 - tan^2` where `E / (1 - tan^2)` was meant.
fn augmentors_share(size: Size, degrees: i32) -> (f64, f64) {
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    let tangent = sine / cosine;
    let (x, y) = outer_size(size, degrees);
    let e = tangent * (y - x * tangent) - tangent * tangent;
    let a = tangent * (x - e);
    ((x - 2.0 * e) / size.0, (y - 2.0 * a) / size.1)
}

/// A linear map between the centres of a canvas of size `to` and the one before.
fn recentred(from: Size, to: Size, [a, b, c, d]: [f64; 4]) -> (Inverse, Size) {
    let (x, y) = (to.0 / 2.0, to.1 / 2.0);
    let map = [a, b, from.0 / 2.0 - a * x - b * y, c, d, from.1 / 2.0 - c * x - d * y];
    (Inverse::Affine(Affine(map)), to)
}

/// The whole canvas stretched to another.
fn stretched(from: Size, to: Size) -> (Inverse, Size) {
    (Inverse::Affine(Affine([from.0 / to.0, 0.0, 0.0, 0.0, from.1 / to.1, 0.0])), to)
}

fn cut_out(from: Size, to: Size, place: (u32, u32)) -> (Inverse, Size) {
    let (left, upper) = corner(from, to, place);
    (Inverse::Affine(Affine([1.0, 0.0, left, 0.0, 1.0, upper])), to)
}

/// The upper left corner of a rectangle of size `inner`, with `place` thousandths of the room to the left and above.
fn corner(outer: Size, inner: Size, place: (u32, u32)) -> (f64, f64) {
    ((outer.0 - inner.0) * f64::from(place.0) / 1000.0, (outer.1 - inner.1) * f64::from(place.1) / 1000.0)
}

/// Rows (columns) are shifted by the tangent of the angle a pixel, by nine tenths of the width (height) at most, and
/// what remains of every row is stretched to the whole.
fn shear((width, height): Size, rows: bool, degrees: i32) -> Affine {
    let (along, across) = if rows { (width, height) } else { (height, width) };
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    let shift = (across * sine / cosine).min(0.9 * along);
    let scale = (along - shift) / along;
    let (start, slope) = if degrees > 0 { (0.0, shift / across) } else { (shift, -shift / across) };
    Affine(if rows { [scale, slope, start, 0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0, slope, scale, start] })
}

/// From output pixels to the pixels of the source as it is `kept`: the output's scale, the inverses of all steps, last
/// step first, on a source of its true size, and the scale it is kept at; neighbours are merged where they can be.
pub(super) fn inverse_map(steps: &[Step], source: (u32, u32), kept: (u32, u32), side: u32) -> Vec<Inverse> {
    let size = (f64::from(source.0), f64::from(source.1));
    let mut canvas = size;
    let mut inverses = Vec::new();
    for step in steps {
        if let Some((inverse, left)) = Inverse::of(step, canvas) {
            inverses.push(inverse);
            canvas = left;
        }
    }
    let scale = |x: f64, y: f64| Inverse::Affine(Affine([x, 0.0, 0.0, 0.0, y, 0.0]));
    let mut map = vec![scale(canvas.0 / f64::from(side), canvas.1 / f64::from(side))];
    let last = (kept != source).then(|| scale(f64::from(kept.0) / size.0, f64::from(kept.1) / size.1));
    for inverse in inverses.into_iter().rev().chain(last) {
        match map.last().and_then(|first| first.then(&inverse)) {
            Some(merged) => *map.last_mut().expect("it was there") = merged,
            None => map.push(inverse),
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = (100.0, 60.0);

    fn at(step: &Step, place: (f64, f64)) -> (f64, f64) {
        let (x, y) = Inverse::of(step, SIZE).unwrap().0.at(place);
        ((x * 1e9).round() / 1e9, (y * 1e9).round() / 1e9)
    }

    /// The source places of the corners of the canvas that a step leaves.
    fn corners(step: &Step) -> [(f64, f64); 4] {
        let (width, height) = Inverse::of(step, SIZE).unwrap().1;
        [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|corner| at(step, corner))
    }

    /// How far the furthest corner is beyond the border; below 0 inside it.
    fn beyond(corners: [(f64, f64); 4]) -> f64 {
        let beyond = |(x, y): (f64, f64)| (-x).max(x - SIZE.0).max(-y).max(y - SIZE.1);
        corners.into_iter().map(beyond).fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn quarter_turn_to_the_left_brings_the_right_to_the_top() {
        assert_eq!(at(&Step::RotateWithoutCrop(90), (50.0, 20.0)), (60.0, 30.0));
        let [upper_left, upper_right, ..] = corners(&Step::QuarterTurns(1));
        assert_eq!((upper_left, upper_right), ((100.0, 0.0), (100.0, 60.0)));
        assert_eq!(corners(&Step::QuarterTurns(3))[0], (0.0, 60.0));
        assert_eq!(corners(&Step::QuarterTurns(2))[0], (100.0, 60.0));
    }

    #[test]
    fn cropped_turn_touches_the_border_with_a_corner_and_never_crosses_it() {
        for degrees in -90..=90 {
            let furthest = beyond(corners(&Step::Rotate(degrees)));
            assert!(furthest.abs() < 1e-6, "{degrees} degrees: {furthest}");
        }
    }

    #[test]
    fn augmentors_cropped_turn_is_too_small_and_stretches() {
        let share = augmentors_share((250.0, 250.0), 25);
        // 168 x 100 there, where the turned image has whole pixels.
        assert_eq!(((share.0 * 250.0).round(), (share.1 * 250.0).round()), (167.0, 99.0));
        assert!(inner_share((250.0, 250.0), 25) > 0.75);
    }

    #[test]
    fn expanded_turn_holds_the_whole_picture() {
        for degrees in -180..=180 {
            let (inverse, canvas) = Inverse::of(&Step::RotateExpand(degrees), SIZE).unwrap();
            // The bounding box is touched, so the middles of some sides are beyond, and no corner is inside.
            let corners = [(0.0, 0.0), (canvas.0, 0.0), canvas, (0.0, canvas.1)].map(|corner| inverse.at(corner));
            let inside = |(x, y): (f64, f64)| (1e-6..SIZE.0 - 1e-6).contains(&x) && (1e-6..SIZE.1 - 1e-6).contains(&y);
            assert!(!corners.into_iter().any(inside), "{degrees} degrees: {corners:?}");
            let centre = inverse.at((canvas.0 / 2.0, canvas.1 / 2.0));
            assert!((centre.0 - 50.0).abs() < 1e-9 && (centre.1 - 30.0).abs() < 1e-9);
        }
    }

    #[test]
    fn zoom_by_two_shows_the_inner_half() {
        assert_eq!(at(&Step::Zoom(2000), (100.0, 0.0)), (75.0, 15.0));
    }

    #[test]
    fn parts_lie_where_their_place_says() {
        let part = Part { share: 500, place: (1000, 0) };
        let right_upper = [(50.0, 0.0), (100.0, 0.0), (100.0, 30.0), (50.0, 30.0)];
        assert_eq!(corners(&Step::ZoomRandom(part)), right_upper);
        assert_eq!(corners(&Step::Crop(part)), right_upper);
        assert_eq!(Inverse::of(&Step::Crop(part), SIZE).unwrap().1, (50.0, 30.0));
        let middle = Step::CropBySize { width: 20, height: 40, place: (500, 500) };
        assert_eq!(corners(&middle)[0], (40.0, 10.0));
        assert!(Inverse::of(&Step::CropBySize { width: 20, height: 61, place: (0, 0) }, SIZE).is_none());
    }

    #[test]
    fn crop_by_size_counts_the_pixels_of_the_canvas_that_resize_and_scale_leave() {
        let cut = Step::CropBySize { width: 50, height: 50, place: (0, 0) };
        for steps in [[Step::Resize(200, 100), cut.clone()], [Step::Scale(2000), cut]] {
            let map = inverse_map(&steps, (100, 50), (100, 50), 10);
            let [Inverse::Affine(all)] = map.as_slice() else { panic!("{map:?}") };
            assert_eq!(all.at((10.0, 10.0)), (25.0, 25.0));
        }
    }

    #[test]
    fn mirrors_keep_the_other_axis() {
        assert_eq!(at(&Step::FlipLeftRight, (10.0, 7.0)), (90.0, 7.0));
        assert_eq!(at(&Step::FlipTopBottom, (10.0, 7.0)), (10.0, 53.0));
    }

    #[test]
    fn shear_and_skew_show_the_picture_only() {
        for degrees in -25..=26 {
            for rows in [true, false] {
                assert!(beyond(corners(&Step::Shear { rows, degrees })).abs() < 1e-6, "{degrees} degrees");
            }
        }
        for amount in [1, 200, 1000] {
            let tilt = Step::Skew([(0, -amount), (0, 0), (0, 0), (0, amount)]);
            let corner = Step::Skew([(0, 0), (0, 0), (amount, 0), (0, 0)]);
            assert!(beyond(corners(&tilt)).abs() < 1e-6 && beyond(corners(&corner)).abs() < 1e-6);
        }
    }

    #[test]
    fn mesh_moves_nodes_fully_cell_centres_by_a_quarter_and_the_border_not() {
        // One inner node in the middle of 2 x 2 cells; (25, 50) of 250 is (10, 12) of 100 x 60.
        let coarse = Step::Distort { grid: (2, 2), nodes: vec![(25, 50)] };
        let fine = Step::DistortFinely { grid: (2, 2), nodes: vec![(2500, 5000)] };
        for step in [coarse, fine] {
            assert_eq!(at(&step, (50.0, 30.0)), (60.0, 42.0));
            assert_eq!(at(&step, (25.0, 15.0)), (27.5, 18.0));
            assert_eq!(at(&step, (0.0, 30.0)), (0.0, 30.0));
            assert_eq!(at(&step, (50.0, 60.0)), (50.0, 60.0));
            assert_eq!(at(&step, (-9.0, 75.0)), (-9.0, 75.0));
        }
    }

    #[test]
    fn last_step_is_undone_first() {
        let steps = [Step::Zoom(2000), Step::FlipLeftRight, Step::RotateWithoutCrop(90)];
        let map = inverse_map(&steps, (100, 100), (100, 100), 200);
        let place = map.iter().fold((20.0, 60.0), |place, inverse| inverse.at(place));
        // By hand: (10, 30) of the source's size, turned back (70, 10), mirrored (30, 10), inner half (40, 30).
        assert!((place.0 - 40.0).abs() < 1e-9 && (place.1 - 30.0).abs() < 1e-9, "{place:?}");
    }
}
