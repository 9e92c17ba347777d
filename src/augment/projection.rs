//! Affine and projective maps of the plane, as inverse maps of rotations, crops, shears and skews.

/// `x' = m[0] x + m[1] y + m[2]`, `y' = m[3] x + m[4] y + m[5]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine(pub(super) [f64; 6]);

/// An affine map divided by `m[6] x + m[7] y + m[8]`, which is positive on the visible side of the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Projective(pub(super) [f64; 9]);

impl Affine {
    /// A linear map about the centre of an image of `size`.
    pub(super) fn about_centre(size: (f64, f64), [a, b, c, d]: [f64; 4]) -> Self {
        let (x, y) = (size.0 / 2.0, size.1 / 2.0);
        Self([a, b, x - a * x - b * y, c, d, y - c * x - d * y])
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let m = &self.0;
        (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])
    }

    /// This map, then `next`.
    pub(super) fn then(&self, next: &Self) -> Self {
        let (a, b) = (&self.0, &next.0);
        let row = |r: usize| {
            [b[r] * a[0] + b[r + 1] * a[3], b[r] * a[1] + b[r + 1] * a[4], b[r] * a[2] + b[r + 1] * a[5] + b[r + 2]]
        };
        let ([m0, m1, m2], [m3, m4, m5]) = (row(0), row(3));
        Self([m0, m1, m2, m3, m4, m5])
    }

    /// True if rows map to rows, so that a row of the output lies in one row of a mesh's cells.
    pub(super) fn keeps_rows(&self) -> bool {
        self.0[1] == 0.0 && self.0[3] == 0.0
    }
}

impl Projective {
    /// The map from a convex quadrangle to the rectangle from (0, 0) to `size`. Corners are in the order upper left, upper
    /// right, lower right, lower left.
    pub(super) fn from_quadrangle([p0, p1, p2, p3]: [(f64, f64); 4], size: (f64, f64)) -> Self {
        // Heckbert 1989, section 2.2.3: the adjugate of the map from the unit square to the quadrangle.
        let (d1, d2) = ((p1.0 - p2.0, p1.1 - p2.1), (p3.0 - p2.0, p3.1 - p2.1));
        let sum = (p0.0 - p1.0 + p2.0 - p3.0, p0.1 - p1.1 + p2.1 - p3.1);
        let determinant = d1.0 * d2.1 - d2.0 * d1.1;
        let g = (sum.0 * d2.1 - d2.0 * sum.1) / determinant;
        let h = (d1.0 * sum.1 - sum.0 * d1.1) / determinant;
        let (a, b, c) = (p1.0 - p0.0 + g * p1.0, p3.0 - p0.0 + h * p3.0, p0.0);
        let (d, e, f) = (p1.1 - p0.1 + g * p1.1, p3.1 - p0.1 + h * p3.1, p0.1);
        let unit = Self([
            e - f * h,
            c * h - b,
            b * f - c * e,
            f * g - d,
            a - c * g,
            c * d - a * f,
            d * h - e * g,
            b * g - a * h,
            a * e - b * d,
        ]);
        unit.then(&Affine([size.0, 0.0, 0.0, 0.0, size.1, 0.0]).into())
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let m = &self.0;
        // Points behind the horizon map to distant points, which are then clamped to the border.
        let depth = (m[6] * x + m[7] * y + m[8]).max(f64::MIN_POSITIVE);
        ((m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth)
    }

    /// This map, then `next`.
    pub(super) fn then(&self, next: &Self) -> Self {
        let (a, b) = (&self.0, &next.0);
        Self(std::array::from_fn(|index| {
            let (row, column) = (index / 3 * 3, index % 3);
            b[row] * a[column] + b[row + 1] * a[column + 3] + b[row + 2] * a[column + 6]
        }))
    }
}

impl From<Affine> for Projective {
    fn from(Affine([a, b, c, d, e, f]): Affine) -> Self {
        Self([a, b, c, d, e, f, 0.0, 0.0, 1.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORNERS: [(f64, f64); 4] = [(-10.0, 3.0), (90.0, -20.0), (130.0, 70.0), (-5.0, 65.0)];

    #[test]
    fn composed_affine_maps_equal_their_sequence() {
        let size = (31.0, 57.0);
        let (first, second) =
            (Affine::about_centre(size, [0.5, 2.0, -1.0, 3.0]), Affine([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(first.then(&second).at((7.0, 9.0)), second.at(first.at((7.0, 9.0))));
    }

    #[test]
    fn composed_projective_maps_equal_their_sequence() {
        let first = Projective::from_quadrangle(CORNERS, (80.0, 60.0));
        let second = Projective::from_quadrangle([(0.0, -9.0), (80.0, 0.0), (80.0, 60.0), (0.0, 69.0)], (80.0, 60.0));
        let (composed, sequence) = (first.then(&second).at((40.0, 30.0)), second.at(first.at((40.0, 30.0))));
        assert!((composed.0 - sequence.0).abs() < 1e-9 && (composed.1 - sequence.1).abs() < 1e-9);
    }

    #[test]
    fn quadrangle_maps_to_the_rectangle_as_in_imageproc() {
        let size = (80.0, 60.0);
        let ours = Projective::from_quadrangle(CORNERS, size);
        let rectangle = [(0.0, 0.0), (80.0, 0.0), (80.0, 60.0), (0.0, 60.0)];
        for (corner, goal) in CORNERS.into_iter().zip(rectangle) {
            let (x, y) = ours.at(corner);
            assert!((x - goal.0).abs() < 1e-9 && (y - goal.1).abs() < 1e-9, "{x}, {y}");
        }
        let single = |points: [(f64, f64); 4]| points.map(|(x, y)| (x as f32, y as f32));
        let theirs =
            imageproc::geometric_transformations::Projection::from_control_points(single(CORNERS), single(rectangle))
                .unwrap();
        for point in [(0.0, 0.0), (40.0, 30.0), (11.0, 59.0)] {
            let (ours, theirs) = (ours.at(point), theirs * (point.0 as f32, point.1 as f32));
            assert!((ours.0 - f64::from(theirs.0)).abs() < 1e-3 && (ours.1 - f64::from(theirs.1)).abs() < 1e-3);
        }
    }

    #[test]
    fn points_behind_the_horizon_are_numbers() {
        let leaning =
            Projective::from_quadrangle([(0.0, 0.0), (80.0, -80.0), (80.0, 140.0), (0.0, 60.0)], (80.0, 60.0));
        for x in -400..400 {
            let (x, y) = leaning.at((f64::from(x), 30.0));
            assert!(!x.is_nan() && !y.is_nan());
        }
    }
}
