//! The fused warp: all geometry of a plan as one inverse map, sampled once, in fixed point. Inside a mesh
//! cell the map is affine along a row, so the source place moves by a constant from pixel to pixel: that is what makes
//! it cheap. Places beyond the border take the border's pixel.

use super::geometry::{Inverse, inverse_map};
use super::mesh::Mesh;
use super::pipeline::Plan;
use super::projection::Affine;
use super::sample::{self, PLACE, Pixel, Sampling};
use super::{photometric, resize};
use image::RgbImage;
use multiversion::multiversion;

/// Fraction bits of a place in the source.
const FRACTION: u32 = 32;

/// A decoded image made ready for several copies of side `side`.
#[derive(Debug)]
pub struct Source {
    image: RgbImage,
    /// The source with its last row and column repeated, so that a pixel's right and lower neighbours exist; empty until
    /// a copy needs it.
    packed: Vec<Pixel>,
    /// What `packed` holds: width and height without the repeated ones.
    packed_size: (u32, u32),
    side: u32,
    sampling: Sampling,
}

/// `plan` carried out on `image`: `size` x `size` pixels, whatever the aspect. Geometry comes first, then what changes
/// values, and erasing, in their order. The empty plan is a plain bicubic resize with antialiasing.
///
/// # Panics
/// If the image or `size` has no pixels.
pub fn render(image: &RgbImage, plan: &Plan, size: u32) -> RgbImage {
    Source::new(image.clone(), size).render(plan)
}

impl Source {
    /// `image` for copies of `side` x `side` pixels. Sampling sees the pixels around a place only, so an image of
    /// more than twice that side is shrunk to it, antialiased, before it is distorted.
    pub fn new(image: RgbImage, side: u32) -> Self {
        assert!(image.width() > 0 && image.height() > 0 && side > 0, "an image has pixels");
        let packed_size = (image.width().min(2 * side), image.height().min(2 * side));
        Self { image, packed: Vec::new(), packed_size, side, sampling: Sampling::Bilinear }
    }

    /// The same, sampled by `sampling`.
    pub fn sampled_by(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// One copy; see [`render`].
    pub fn render(&mut self, plan: &Plan) -> RgbImage {
        let side = self.side;
        if plan.steps.is_empty() {
            return resize::resize(&self.image, side, side, resize::Filter::Bicubic);
        }
        if self.packed.is_empty() {
            self.pack();
        }
        let map = inverse_map(&plan.steps, self.image.dimensions(), self.packed_size, side);
        let mut copy = RgbImage::new(side, side);
        let mut places = vec![(0, 0); side as usize];
        let (width, height) = self.packed_size;
        let most = (i64::from(width - 1) << FRACTION, i64::from(height - 1) << FRACTION);
        for (y, row) in copy.chunks_exact_mut(3 * side as usize).enumerate() {
            row_places(&map, y, most, &mut places);
            match self.sampling {
                Sampling::Bilinear => sample::bilinear(&self.packed, width as usize + 1, &places, row),
                Sampling::Bicubic => sample::bicubic(&self.packed, (width as usize, height as usize), &places, row),
            }
        }
        photometric::apply(&mut copy, &plan.steps);
        copy
    }

    fn pack(&mut self) {
        let (width, height) = self.packed_size;
        let shrunk = (self.packed_size != self.image.dimensions())
            .then(|| resize::resize(&self.image, width, height, resize::Filter::Triangle));
        let pixels = shrunk.as_ref().unwrap_or(&self.image).as_raw();
        let (width, height) = (width as usize, height as usize);
        self.packed.reserve_exact((width + 1) * (height + 1));
        for y in 0..=height {
            let row = &pixels[3 * width * y.min(height - 1)..][..3 * width];
            self.packed.extend(row.chunks_exact(3).map(|p| [p[0].into(), p[1].into(), p[2].into(), 0]));
            self.packed.push(self.packed[self.packed.len() - 1]);
        }
    }
}

/// The source places that the pixels of output row `y` show, held inside the source, which ends at `most` (fixed point);
/// with [`PLACE`] bits of fraction.
fn row_places(map: &[Inverse], y: usize, most: (i64, i64), places: &mut [(i32, i32)]) {
    let identity = Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    match map {
        [Inverse::Affine(all)] => walk_affine(all, (0, y), most, places),
        [Inverse::Affine(first), Inverse::Mesh(mesh)] if first.keeps_rows() => {
            walk_mesh(first, mesh, &identity, y, most, places);
        }
        [Inverse::Affine(first), Inverse::Mesh(mesh), Inverse::Affine(last)] if first.keeps_rows() => {
            walk_mesh(first, mesh, last, y, most, places);
        }
        // Perspective, a mesh that rows cross aslant, two meshes: the step is not constant.
        _ => {
            for (x, place) in places.iter_mut().enumerate() {
                let shown = map.iter().fold(centre(x, y), |place, inverse| inverse.at(place));
                *place = held(fixed(shown, 0.5), most);
            }
        }
    }
}

/// Places that begin at `start` and go on by `step`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn walk(start: (i64, i64), step: (i64, i64), most: (i64, i64), places: &mut [(i32, i32)]) {
    let (mut x, mut y) = start;
    for place in places {
        *place = held((x, y), most);
        x += step.0;
        y += step.1;
    }
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "compiled for the processor only inside of `walk`")]
fn held((x, y): (i64, i64), most: (i64, i64)) -> (i32, i32) {
    ((x.clamp(0, most.0) >> (FRACTION - PLACE)) as i32, (y.clamp(0, most.1) >> (FRACTION - PLACE)) as i32)
}

fn centre(x: usize, y: usize) -> (f64, f64) {
    (x as f64 + 0.5, y as f64 + 0.5)
}

/// In fixed point, measured from `origin`: places of pixels from the centre of the first, steps from 0.
fn fixed((x, y): (f64, f64), origin: f64) -> (i64, i64) {
    // Far beyond any image and any step within one, so that no sum of them wraps round.
    let most = (1_u64 << 48) as f64 * if origin == 0.0 { 1.0 } else { 4096.0 };
    let one = (1_u64 << FRACTION) as f64;
    (((x - origin) * one).clamp(-most, most) as i64, ((y - origin) * one).clamp(-most, most) as i64)
}

/// The places of an affine map from the output pixel `from` on.
fn walk_affine(map: &Affine, from: (usize, usize), most: (i64, i64), places: &mut [(i32, i32)]) {
    walk(fixed(map.at(centre(from.0, from.1)), 0.5), fixed((map.0[0], map.0[3]), 0.0), most, places);
}

/// Mesh cell by mesh cell: inside one, the mesh at this height is the affine map through its two edges.
fn walk_mesh(first: &Affine, mesh: &Mesh, last: &Affine, y: usize, most: (i64, i64), places: &mut [(i32, i32)]) {
    let (scale, offset) = (first.0[0], first.0[2]);
    let height = first.at(centre(0, y)).1;
    let side = places.len() as f64;
    // The output column whose centre is the first at or beyond the mesh's place `x`, in the direction of the row.
    let column = |x: f64| ((x - offset) / scale - 0.5).ceil().clamp(0.0, side) as usize;
    let edge = |cell: usize| cell as f64 * mesh.cell.0;
    // The first piece and the last lie beyond the border, where nothing moves, as on it.
    for piece in 0..=mesh.grid.0 + 1 {
        let cell = piece.checked_sub(1).filter(|cell| *cell < mesh.grid.0);
        let begin = if piece == 0 { f64::NEG_INFINITY } else { edge(piece - 1) };
        let end = if piece > mesh.grid.0 { f64::INFINITY } else { edge(piece) };
        let (from, to) = if scale > 0.0 { (column(begin), column(end)) } else { (column(end), column(begin)) };
        if from >= to {
            continue;
        }
        let moved = cell.map_or(Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), |cell| {
            let (l, r) = mesh.edges(cell, height);
            let slope = ((r.0 - l.0) / mesh.cell.0, (r.1 - l.1) / mesh.cell.0);
            Affine([1.0 + slope.0, 0.0, l.0 - slope.0 * edge(cell), slope.1, 1.0, l.1 - slope.1 * edge(cell)])
        });
        walk_affine(&first.then(&moved.then(last)), (from, y), most, &mut places[from..to]);
    }
}
