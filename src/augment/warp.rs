//! The fused warp: all geometry of a plan as one inverse map, interpolated once, in fixed point. Inside a mesh cell the map
//! is affine along a row, so source coordinates advance by a constant, which is fast. Coordinates are clamped to the border.
//! Not `imageproc::warp`, which has no meshes and would interpolate once per operation.

use super::geometry::{Inverse, inverse_map};
use super::interpolation::{self, COORDINATE_BITS, Interpolation, Pixel};
use super::mesh::Mesh;
use super::pipeline::Plan;
use super::projection::Affine;
use super::{photometric, resize};
use image::RgbImage;
use multiversion::multiversion;

/// Fraction bits of a coordinate while it is computed.
const FRACTION_BITS: u32 = 32;

/// A decoded image, for any number of copies of one size.
#[derive(Debug)]
pub struct Source {
    image: RgbImage,
    /// The source with its last row and column repeated, so that every pixel has a right and a lower neighbour. Empty
    /// until a copy needs it.
    packed: Vec<Pixel>,
    /// Width and height of `packed` without the repeated column and row.
    packed_size: (u32, u32),
    /// The size of the undistorted image to which lengths in pixels refer.
    canvas: (u32, u32),
    side: u32,
    interpolation: Interpolation,
}

/// Renders `plan` on `image` to `size` x `size` pixels, without keeping the aspect ratio. Geometry is applied first, then
/// photometric operations and erasing in their order. The empty plan is an antialiased bicubic resize.
///
/// # Panics
/// If the image or `size` has no pixels.
pub fn render(image: &RgbImage, plan: &Plan, size: u32) -> RgbImage {
    Source::new(image.clone(), size).render(plan)
}

impl Source {
    /// `image` for copies of `side` x `side` pixels. Interpolation does not antialias, so a larger image is first reduced
    /// to at most twice that side.
    pub fn new(image: RgbImage, side: u32) -> Self {
        assert!(image.width() > 0 && image.height() > 0 && side > 0, "an image has pixels");
        let (canvas, interpolation) = (image.dimensions(), Interpolation::Bilinear);
        let packed_size = (canvas.0.min(2 * side), canvas.1.min(2 * side));
        Self { image, packed: Vec::new(), packed_size, canvas, side, interpolation }
    }

    /// The same source, where lengths in pixels refer to an image of size `canvas`, of which this one is a reduction.
    pub fn with_canvas(self, canvas: (u32, u32)) -> Self {
        Self { canvas, ..self }
    }

    /// The same source with another interpolation.
    pub fn with_interpolation(self, interpolation: Interpolation) -> Self {
        Self { interpolation, ..self }
    }

    /// Renders one copy; see [`render`].
    pub fn render(&mut self, plan: &Plan) -> RgbImage {
        if plan.ops.is_empty() {
            return resize::resize(&self.image, self.side, self.side, resize::Filter::Bicubic);
        }
        self.warp(plan)
    }

    /// Like [`Source::render`], with the warp also for the empty plan, so that all copies are equally sharp.
    pub fn warp(&mut self, plan: &Plan) -> RgbImage {
        let side = self.side;
        if self.packed.is_empty() {
            self.pack();
        }
        let map = inverse_map(&plan.ops, self.canvas, self.packed_size, side);
        let mut copy = RgbImage::new(side, side);
        let mut coordinates = vec![(0, 0); side as usize];
        let (width, height) = self.packed_size;
        let max = (i64::from(width - 1) << FRACTION_BITS, i64::from(height - 1) << FRACTION_BITS);
        for (y, row) in copy.chunks_exact_mut(3 * side as usize).enumerate() {
            row_coordinates(&map, y, max, &mut coordinates);
            match self.interpolation {
                Interpolation::Bilinear => interpolation::bilinear(&self.packed, width as usize + 1, &coordinates, row),
                Interpolation::Bicubic => {
                    interpolation::bicubic(&self.packed, (width as usize, height as usize), &coordinates, row);
                }
            }
        }
        photometric::apply(&mut copy, &plan.ops);
        copy
    }

    fn pack(&mut self) {
        let (width, height) = self.packed_size;
        let reduced = (self.packed_size != self.image.dimensions())
            .then(|| resize::resize(&self.image, width, height, resize::Filter::Triangle));
        let pixels = reduced.as_ref().unwrap_or(&self.image).as_raw();
        let (width, height) = (width as usize, height as usize);
        self.packed.reserve_exact((width + 1) * (height + 1));
        for y in 0..=height {
            let row = &pixels[3 * width * y.min(height - 1)..][..3 * width];
            self.packed.extend(row.chunks_exact(3).map(|p| [p[0].into(), p[1].into(), p[2].into(), 0]));
            self.packed.push(self.packed[self.packed.len() - 1]);
        }
    }
}

/// The source coordinates of the pixels of output row `y`, with [`COORDINATE_BITS`] bits of fraction. They are clamped to
/// the source, whose last pixel is `max` (fixed point).
fn row_coordinates(map: &[Inverse], y: usize, max: (i64, i64), coordinates: &mut [(i32, i32)]) {
    let identity = Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    match map {
        [Inverse::Affine(all)] => affine_scanline(all, (0, y), max, coordinates),
        [Inverse::Affine(first), Inverse::Mesh(mesh)] if first.keeps_rows() => {
            mesh_scanline(first, mesh, &identity, y, max, coordinates);
        }
        [Inverse::Affine(first), Inverse::Mesh(mesh), Inverse::Affine(last)] if first.keeps_rows() => {
            mesh_scanline(first, mesh, last, y, max, coordinates);
        }
        // Perspective, a mesh after a rotation, two meshes: the increment is not constant.
        _ => {
            for (x, coordinate) in coordinates.iter_mut().enumerate() {
                let point = map.iter().fold(centre(x, y), |point, inverse| inverse.at(point));
                *coordinate = clamp(to_fixed_point(point, 0.5), max);
            }
        }
    }
}

/// Coordinates that begin at `start` and advance by `step`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn scanline(start: (i64, i64), step: (i64, i64), max: (i64, i64), coordinates: &mut [(i32, i32)]) {
    let (mut x, mut y) = start;
    for coordinate in coordinates {
        *coordinate = clamp((x, y), max);
        x += step.0;
        y += step.1;
    }
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "compiled for the processor only inside `scanline`")]
fn clamp((x, y): (i64, i64), max: (i64, i64)) -> (i32, i32) {
    (
        (x.clamp(0, max.0) >> (FRACTION_BITS - COORDINATE_BITS)) as i32,
        (y.clamp(0, max.1) >> (FRACTION_BITS - COORDINATE_BITS)) as i32,
    )
}

fn centre(x: usize, y: usize) -> (f64, f64) {
    (x as f64 + 0.5, y as f64 + 0.5)
}

/// Fixed point relative to `origin`: 0.5, the centre of the first pixel, for coordinates; 0 for increments.
fn to_fixed_point((x, y): (f64, f64), origin: f64) -> (i64, i64) {
    // Far beyond any image and any increment within one, so that no sum overflows.
    let max = (1_u64 << 48) as f64 * if origin == 0.0 { 1.0 } else { 4096.0 };
    let one = (1_u64 << FRACTION_BITS) as f64;
    (((x - origin) * one).clamp(-max, max) as i64, ((y - origin) * one).clamp(-max, max) as i64)
}

/// The coordinates of an affine map from the output pixel `from` on.
fn affine_scanline(map: &Affine, from: (usize, usize), max: (i64, i64), coordinates: &mut [(i32, i32)]) {
    let start = to_fixed_point(map.at(centre(from.0, from.1)), 0.5);
    scanline(start, to_fixed_point((map.0[0], map.0[3]), 0.0), max, coordinates);
}

/// The coordinates of a row through a mesh, cell by cell. Inside a cell the map is affine, given by the displacements at
/// its two edges.
fn mesh_scanline(
    first: &Affine,
    mesh: &Mesh,
    last: &Affine,
    y: usize,
    max: (i64, i64),
    coordinates: &mut [(i32, i32)],
) {
    let (scale, offset) = (first.0[0], first.0[2]);
    let height = first.at(centre(0, y)).1;
    let side = coordinates.len() as f64;
    // The first output column whose centre is at or beyond `x` in the mesh.
    let column = |x: f64| ((x - offset) / scale - 0.5).ceil().clamp(0.0, side) as usize;
    let edge = |cell: usize| cell as f64 * mesh.cell.0;
    // The first and the last piece lie beyond the border, where no point moves.
    for piece in 0..=mesh.grid.0 + 1 {
        let cell = piece.checked_sub(1).filter(|cell| *cell < mesh.grid.0);
        let begin = if piece == 0 { f64::NEG_INFINITY } else { edge(piece - 1) };
        let end = if piece > mesh.grid.0 { f64::INFINITY } else { edge(piece) };
        let (from, to) = if scale > 0.0 { (column(begin), column(end)) } else { (column(end), column(begin)) };
        if from >= to {
            continue;
        }
        let displaced = cell.map_or(Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), |cell| {
            let (l, r) = mesh.edges(cell, height);
            let slope = ((r.0 - l.0) / mesh.cell.0, (r.1 - l.1) / mesh.cell.0);
            Affine([1.0 + slope.0, 0.0, l.0 - slope.0 * edge(cell), slope.1, 1.0, l.1 - slope.1 * edge(cell)])
        });
        affine_scanline(&first.then(&displaced.then(last)), (from, y), max, &mut coordinates[from..to]);
    }
}
