//! A mesh of displaced nodes as an inverse map: Augmentor's elastic distortions.

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

impl Mesh {
    /// On a canvas of `size`; inner nodes by row, moved by so many shares of 1 / `unit` of its sides.
    pub(super) fn new(size: (f64, f64), grid: (u32, u32), inner: &[(i32, i32)], unit: f64) -> Self {
        let grid = (grid.0 as usize, grid.1 as usize);
        let mut nodes = vec![(0.0, 0.0); (grid.0 + 1) * (grid.1 + 1)];
        for (place, &(x, y)) in inner.iter().enumerate() {
            let (row, column) = (place / (grid.0 - 1) + 1, place % (grid.0 - 1) + 1);
            nodes[row * (grid.0 + 1) + column] = (f64::from(x) * size.0 / unit, f64::from(y) * size.1 / unit);
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

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
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
