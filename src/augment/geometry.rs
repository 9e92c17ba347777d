//! Geometry as an inverse map: for a place in the distorted image, the place in the source that it shows. Places are in
//! source pixels, pixel centres at .5, y down; composing steps composes their inverses, last step first.

use super::operation::Step;

/// The inverse of one step.
#[derive(Debug, Clone)]
pub(super) enum Inverse {
    Affine(Affine),
    Mesh(Mesh),
}

/// `x' = m[0] x + m[1] y + m[2]`, `y' = m[3] x + m[4] y + m[5]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine(pub(super) [f64; 6]);

/// A grid of equal cells over the image; a place is moved by the bilinear mix of its cell's four nodes.
#[derive(Debug, Clone)]
pub(super) struct Mesh {
    /// Cells (across, down).
    pub(super) grid: (usize, usize),
    /// Size of a cell in source pixels.
    pub(super) cell: (f64, f64),
    /// (across + 1) * (down + 1) displacements in source pixels by row; zero on the border.
    nodes: Vec<(f64, f64)>,
}

impl Affine {
    /// Turns, scales or mirrors about the centre of an image of `size`.
    fn about_centre(size: (f64, f64), [a, b, c, d]: [f64; 4]) -> Self {
        let (x, y) = (size.0 / 2.0, size.1 / 2.0);
        Self([a, b, x - a * x - b * y, c, d, y - c * x - d * y])
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let m = &self.0;
        (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])
    }

    /// This one first, then `next`.
    pub(super) fn then(&self, next: &Self) -> Self {
        let (a, b) = (&self.0, &next.0);
        let row = |r: usize| {
            [b[r] * a[0] + b[r + 1] * a[3], b[r] * a[1] + b[r + 1] * a[4], b[r] * a[2] + b[r + 1] * a[5] + b[r + 2]]
        };
        let ([m0, m1, m2], [m3, m4, m5]) = (row(0), row(3));
        Self([m0, m1, m2, m3, m4, m5])
    }

    /// Whether rows stay rows, so that a row of the output lies in one row of a mesh's cells.
    pub(super) fn keeps_rows(&self) -> bool {
        self.0[1] == 0.0 && self.0[3] == 0.0
    }
}

impl Mesh {
    fn new(size: (f64, f64), grid: (u32, u32), inner: &[(i32, i32)]) -> Self {
        let grid = (grid.0 as usize, grid.1 as usize);
        let mut nodes = vec![(0.0, 0.0); (grid.0 + 1) * (grid.1 + 1)];
        for (place, &(x, y)) in inner.iter().enumerate() {
            let (row, column) = (place / (grid.0 - 1) + 1, place % (grid.0 - 1) + 1);
            nodes[row * (grid.0 + 1) + column] = (f64::from(x) * size.0 / 250.0, f64::from(y) * size.1 / 250.0);
        }
        Self { grid, cell: (size.0 / grid.0 as f64, size.1 / grid.1 as f64), nodes }
    }

    fn node(&self, column: usize, row: usize) -> (f64, f64) {
        self.nodes[row * (self.grid.0 + 1) + column]
    }

    /// The displacement at the left and right edges of cell `column` for height `y`; places beyond the border go with
    /// the border's cells, held at their edge.
    pub(super) fn edges(&self, column: usize, y: f64) -> ((f64, f64), (f64, f64)) {
        let y = (y / self.cell.1).clamp(0.0, self.grid.1 as f64);
        let row = (y as usize).min(self.grid.1 - 1);
        let side = |column| mix(self.node(column, row), self.node(column, row + 1), y - row as f64);
        (side(column), side(column + 1))
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x / self.cell.0).clamp(0.0, self.grid.0 as f64);
        let column = (across as usize).min(self.grid.0 - 1);
        let (left, right) = self.edges(column, y);
        let (dx, dy) = mix(left, right, across - column as f64);
        (x + dx, y + dy)
    }
}

fn mix(a: (f64, f64), b: (f64, f64), share: f64) -> (f64, f64) {
    (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
}

impl Inverse {
    /// The inverse of a step on an image of `size`; nothing for steps that leave places alone.
    pub(super) fn of(step: &Step, size: (f64, f64)) -> Option<Self> {
        let about_centre = |matrix| Some(Self::Affine(Affine::about_centre(size, matrix)));
        match step {
            Step::Rotate(degrees) => about_centre(turn(*degrees, inner_share(size, *degrees))),
            Step::RotateWithoutCrop(degrees) => about_centre(turn(*degrees, 1.0)),
            Step::Zoom(thousandths) => {
                let shrink = 1000.0 / f64::from(*thousandths);
                about_centre([shrink, 0.0, 0.0, shrink])
            }
            Step::FlipLeftRight => about_centre([-1.0, 0.0, 0.0, 1.0]),
            Step::Distort { grid, nodes } => Some(Self::Mesh(Mesh::new(size, *grid, nodes))),
            Step::Brightness(_) | Step::Contrast(_) => None,
        }
    }

    pub(super) fn at(&self, place: (f64, f64)) -> (f64, f64) {
        match self {
            Self::Affine(affine) => affine.at(place),
            Self::Mesh(mesh) => mesh.at(place),
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
fn inner_share((width, height): (f64, f64), degrees: i32) -> f64 {
    let (sine, cosine) = libm::sincos(f64::from(degrees.abs()).to_radians());
    (width / (width * cosine + height * sine)).min(height / (width * sine + height * cosine))
}

/// From output pixels to the pixels of the source as it is `kept`: the output's scale, the inverses of all steps, last
/// step first, on a source of its true size, and the scale it is kept at; neighbouring affine maps are merged.
pub(super) fn inverse_map(steps: &[Step], source: (u32, u32), kept: (u32, u32), side: u32) -> Vec<Inverse> {
    let size = (f64::from(source.0), f64::from(source.1));
    let scale = |x: f64, y: f64| Inverse::Affine(Affine([x, 0.0, 0.0, 0.0, y, 0.0]));
    let mut map = vec![scale(size.0 / f64::from(side), size.1 / f64::from(side))];
    let last = (kept != source).then(|| scale(f64::from(kept.0) / size.0, f64::from(kept.1) / size.1));
    for inverse in steps.iter().rev().filter_map(|step| Inverse::of(step, size)).chain(last) {
        match (map.last_mut(), inverse) {
            (Some(Inverse::Affine(first)), Inverse::Affine(second)) => *first = first.then(&second),
            (_, inverse) => map.push(inverse),
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: &Step, place: (f64, f64)) -> (f64, f64) {
        let (x, y) = Inverse::of(step, (100.0, 60.0)).unwrap().at(place);
        ((x * 1e9).round() / 1e9, (y * 1e9).round() / 1e9)
    }

    #[test]
    fn quarter_turn_to_the_left_brings_the_right_to_the_top() {
        assert_eq!(at(&Step::RotateWithoutCrop(90), (50.0, 20.0)), (60.0, 30.0));
    }

    #[test]
    fn cropped_turn_touches_the_border_with_a_corner_and_never_crosses_it() {
        for degrees in -90..=90 {
            let corners = [(0.0, 0.0), (100.0, 0.0), (0.0, 60.0), (100.0, 60.0)].map(|c| at(&Step::Rotate(degrees), c));
            let beyond = |(x, y): (f64, f64)| (-x).max(x - 100.0).max(-y).max(y - 60.0);
            let furthest = corners.into_iter().map(beyond).fold(f64::NEG_INFINITY, f64::max);
            assert!(furthest.abs() < 1e-6, "{degrees} degrees: {furthest}");
        }
    }

    #[test]
    fn zoom_by_two_shows_the_inner_half() {
        assert_eq!(at(&Step::Zoom(2000), (100.0, 0.0)), (75.0, 15.0));
    }

    #[test]
    fn mirror_keeps_the_height() {
        assert_eq!(at(&Step::FlipLeftRight, (10.0, 7.0)), (90.0, 7.0));
    }

    #[test]
    fn mesh_moves_nodes_fully_cell_centres_by_a_quarter_and_the_border_not() {
        // One inner node in the middle of 2 x 2 cells; (25, 50) of 250 is (10, 12) of 100 x 60.
        let step = Step::Distort { grid: (2, 2), nodes: vec![(25, 50)] };
        assert_eq!(at(&step, (50.0, 30.0)), (60.0, 42.0));
        assert_eq!(at(&step, (25.0, 15.0)), (27.5, 18.0));
        assert_eq!(at(&step, (0.0, 30.0)), (0.0, 30.0));
        assert_eq!(at(&step, (50.0, 60.0)), (50.0, 60.0));
        assert_eq!(at(&step, (-9.0, 75.0)), (-9.0, 75.0));
    }

    #[test]
    fn merged_affine_maps_equal_one_after_the_other() {
        let size = (31.0, 57.0);
        let (first, second) =
            (Affine::about_centre(size, [0.5, 2.0, -1.0, 3.0]), Affine([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(first.then(&second).at((7.0, 9.0)), second.at(first.at((7.0, 9.0))));
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
