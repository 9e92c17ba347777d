//! A mesh of displaced nodes as an inverse map, for Augmentor's elastic distortions.

/// A grid of equal cells over the image. Each point moves by the bilinear interpolation of its cell's four nodes.
#[derive(Debug, Clone)]
pub(super) struct Mesh {
    /// Columns and rows of cells.
    pub(super) grid: (usize, usize),
    /// Size of a cell in source pixels.
    pub(super) cell: (f64, f64),
    /// Displacements in source pixels by row, (columns + 1) * (rows + 1); zero on the border.
    nodes: Vec<(f64, f64)>,
}

impl Mesh {
    /// A mesh on a canvas of `size`; the displacements of its `inner` nodes by row are in 1 / `unit` of the sides.
    pub(super) fn new(size: (f64, f64), grid: (u32, u32), inner: &[(i32, i32)], unit: f64) -> Self {
        let grid = (grid.0 as usize, grid.1 as usize);
        let mut nodes = vec![(0.0, 0.0); (grid.0 + 1) * (grid.1 + 1)];
        for (index, &(x, y)) in inner.iter().enumerate() {
            let (row, column) = (index / (grid.0 - 1) + 1, index % (grid.0 - 1) + 1);
            nodes[row * (grid.0 + 1) + column] = (f64::from(x) * size.0 / unit, f64::from(y) * size.1 / unit);
        }
        Self { grid, cell: (size.0 / grid.0 as f64, size.1 / grid.1 as f64), nodes }
    }

    fn node(&self, column: usize, row: usize) -> (f64, f64) {
        self.nodes[row * (self.grid.0 + 1) + column]
    }

    /// The displacements at the left and right edges of cell `column` at height `y`. Beyond the border they are those on
    /// the border.
    pub(super) fn edges(&self, column: usize, y: f64) -> ((f64, f64), (f64, f64)) {
        let y = (y / self.cell.1).clamp(0.0, self.grid.1 as f64);
        let row = (y as usize).min(self.grid.1 - 1);
        let edge = |column| interpolate(self.node(column, row), self.node(column, row + 1), y - row as f64);
        (edge(column), edge(column + 1))
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let cells = (x / self.cell.0).clamp(0.0, self.grid.0 as f64);
        let column = (cells as usize).min(self.grid.0 - 1);
        let (left, right) = self.edges(column, y);
        let (dx, dy) = interpolate(left, right, cells - column as f64);
        (x + dx, y + dy)
    }
}

fn interpolate(a: (f64, f64), b: (f64, f64), fraction: f64) -> (f64, f64) {
    (a.0 + (b.0 - a.0) * fraction, a.1 + (b.1 - a.1) * fraction)
}
