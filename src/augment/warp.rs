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

/// Pixels `from..to` of an output row show source places that start at `start` and move by `step` (x, y; fixed point).
#[derive(Debug, Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    start: (i64, i64),
    step: (i64, i64),
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
        let mut spans = Vec::new();
        let mut places = vec![(0, 0); side as usize];
        let (width, height) = self.packed_size;
        let most = (i64::from(width - 1) << FRACTION, i64::from(height - 1) << FRACTION);
        for (y, row) in copy.chunks_exact_mut(3 * side as usize).enumerate() {
            spans.clear();
            row_spans(&map, y, side as usize, &mut spans);
            for span in &spans {
                walk(span.start, span.step, most, &mut places[span.from..span.to]);
            }
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

/// The places of a span, held inside the source, with [`PLACE`] bits of fraction.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn walk(start: (i64, i64), step: (i64, i64), most: (i64, i64), places: &mut [(i32, i32)]) {
    let (mut x, mut y) = start;
    for place in places {
        *place = ((x.clamp(0, most.0) >> (FRACTION - PLACE)) as i32, (y.clamp(0, most.1) >> (FRACTION - PLACE)) as i32);
        x += step.0;
        y += step.1;
    }
}

/// The spans of output row `y`, left to right.
fn row_spans(map: &[Inverse], y: usize, side: usize, spans: &mut Vec<Span>) {
    let identity = Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    match map {
        [Inverse::Affine(all)] => spans.push(span(all, &identity, (0, side), y)),
        [Inverse::Affine(first), Inverse::Mesh(mesh)] if first.keeps_rows() => {
            mesh_spans(first, mesh, &identity, y, side, spans);
        }
        [Inverse::Affine(first), Inverse::Mesh(mesh), Inverse::Affine(last)] if first.keeps_rows() => {
            mesh_spans(first, mesh, last, y, side, spans);
        }
        // Perspective, a mesh that rows cross aslant, two meshes: the step is not constant, so every pixel is a span.
        _ => spans.extend((0..side).map(|x| {
            let start = map.iter().fold(centre(x, y), |place, inverse| inverse.at(place));
            Span { from: x, to: x + 1, start: fixed(start, 0.5), step: (0, 0) }
        })),
    }
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

/// The span of an affine map from the output row, `first` then `last`.
fn span(first: &Affine, last: &Affine, (from, to): (usize, usize), y: usize) -> Span {
    let map = first.then(last);
    Span { from, to, start: fixed(map.at(centre(from, y)), 0.5), step: fixed((map.0[0], map.0[3]), 0.0) }
}

/// One span a mesh cell: inside it, the mesh at this height is the affine map through its two edges.
fn mesh_spans(first: &Affine, mesh: &Mesh, last: &Affine, y: usize, side: usize, spans: &mut Vec<Span>) {
    let (scale, offset) = (first.0[0], first.0[2]);
    let height = first.at(centre(0, y)).1;
    let border = mesh.grid.0 as f64 * mesh.cell.0;
    // The output column whose centre is the first at or beyond the mesh's place `x`, in the direction of the row.
    let column = |x: f64| ((x - offset) / scale - 0.5).ceil().clamp(0.0, side as f64) as usize;
    // Beyond the border nothing moves, as on it.
    let mut cut = vec![(f64::NEG_INFINITY, 0.0, None)];
    cut.extend((0..mesh.grid.0).map(|cell| {
        let left = cell as f64 * mesh.cell.0;
        (left, left, Some(cell))
    }));
    cut.push((border, border, None));
    let mut ends: Vec<f64> = cut.iter().skip(1).map(|piece| piece.0).collect();
    ends.push(f64::INFINITY);
    for ((begin, left, cell), end) in cut.into_iter().zip(ends) {
        let (from, to) = if scale > 0.0 { (column(begin), column(end)) } else { (column(end), column(begin)) };
        if from >= to {
            continue;
        }
        let moved = cell.map_or(Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), |cell| {
            let (l, r) = mesh.edges(cell, height);
            let slope = ((r.0 - l.0) / mesh.cell.0, (r.1 - l.1) / mesh.cell.0);
            Affine([1.0 + slope.0, 0.0, l.0 - slope.0 * left, slope.1, 1.0, l.1 - slope.1 * left])
        });
        spans.push(span(first, &moved.then(last), (from, to), y));
    }
    spans.sort_unstable_by_key(|span| span.from);
}
