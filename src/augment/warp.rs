//! The fused warp: all geometry of a plan as one inverse map, sampled once, bilinearly, in fixed point. Inside a mesh
//! cell the map is affine along a row, so the source place moves by a constant from pixel to pixel: that is what makes
//! it cheap. Places beyond the border take the border's pixel.

use super::geometry::{Affine, Inverse, Mesh, inverse_map};
use super::pipeline::Plan;
use super::{photometric, resize};
use image::RgbImage;

/// Fraction bits of a place in the source.
const FRACTION: u32 = 32;

/// A decoded image made ready for several copies of side `side`.
#[derive(Debug)]
pub struct Source {
    image: RgbImage,
    /// One `0x00BBGGRR` a pixel with the last row and column repeated, so that a pixel's right and lower neighbours
    /// exist; empty until a copy needs it.
    packed: Vec<u32>,
    /// What `packed` holds: width and height without the repeated ones.
    packed_size: (u32, u32),
    side: u32,
}

/// Pixels `from..to` of an output row show source places that start at `start` and move by `step` (x, y; fixed point).
#[derive(Debug, Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    start: (i64, i64),
    step: (i64, i64),
}

/// `plan` carried out on `image`: `size` x `size` pixels, whatever the aspect. Geometry comes first, then brightness
/// and contrast in their order. The empty plan is a plain bicubic resize with antialiasing.
///
/// # Panics
/// If the image or `size` has no pixels.
pub fn render(image: &RgbImage, plan: &Plan, size: u32) -> RgbImage {
    Source::new(image.clone(), size).render(plan)
}

impl Source {
    /// `image` for copies of `side` x `side` pixels. Bilinear sampling sees a pixel's neighbours only, so an image of
    /// more than twice that side is shrunk to it, antialiased, before it is distorted.
    pub fn new(image: RgbImage, side: u32) -> Self {
        assert!(image.width() > 0 && image.height() > 0 && side > 0, "an image has pixels");
        let packed_size = (image.width().min(2 * side), image.height().min(2 * side));
        Self { image, packed: Vec::new(), packed_size, side }
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
        for (y, row) in copy.chunks_exact_mut(3 * side as usize).enumerate() {
            spans.clear();
            row_spans(&map, y, side as usize, &mut spans);
            for span in &spans {
                self.sample(span, &mut row[3 * span.from..3 * span.to]);
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
            self.packed.extend(row.chunks_exact(3).map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0])));
            self.packed.push(self.packed[self.packed.len() - 1]);
        }
    }

    /// Fills one span of a row.
    fn sample(&self, span: &Span, row: &mut [u8]) {
        let (width, height) = self.packed_size;
        let stride = width as usize + 1;
        let most = (i64::from(width - 1) << FRACTION, i64::from(height - 1) << FRACTION);
        let (mut x, mut y) = span.start;
        for pixel in row.chunks_exact_mut(3) {
            let (inside_x, inside_y) = (x.clamp(0, most.0), y.clamp(0, most.1));
            let place = (inside_y >> FRACTION) as usize * stride + (inside_x >> FRACTION) as usize;
            let weight = |inside: i64| (inside >> (FRACTION - 8)) as u64 & 255;
            let near = &self.packed[place..place + stride + 2];
            let value =
                bilinear([near[0], near[1], near[stride], near[stride + 1]], weight(inside_x), weight(inside_y));
            pixel.copy_from_slice(&value);
            x += span.step.0;
            y += span.step.1;
        }
    }
}

/// The mix of four pixels (upper left, upper right, lower left, lower right); weights of the right and the lower in
/// 1/256. Three channels at once in the 16-bit lanes of one word.
fn bilinear([a, b, c, d]: [u32; 4], right: u64, lower: u64) -> [u8; 3] {
    const HALF: u64 = 0x0080_0080_0080;
    const BYTES: u64 = 0x00ff_00ff_00ff;
    let lanes = |p: u32| u64::from(p & 0xff) | u64::from(p & 0xff00) << 8 | u64::from(p & 0x00ff_0000) << 16;
    let across = |l: u32, r: u32| (lanes(l) * (256 - right) + lanes(r) * right + HALF) >> 8 & BYTES;
    let mixed = (across(a, b) * (256 - lower) + across(c, d) * lower + HALF) >> 8;
    [mixed as u8, (mixed >> 16) as u8, (mixed >> 32) as u8]
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
        // A mesh that rows cross aslant, or two meshes: the step is not constant, so every pixel is a span.
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
    let one = (1_u64 << FRACTION) as f64;
    (((x - origin) * one) as i64, ((y - origin) * one) as i64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Pipeline, Step};

    /// Smooth, so that a small error of place is a small error of value.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let wave = |a: f64, b: f64| (127.5 + 127.5 * (f64::from(x) * a + f64::from(y) * b).sin()) as u8;
            image::Rgb([wave(0.05, 0.02), wave(-0.03, 0.06), wave(0.01, -0.04)])
        })
    }

    /// The same, pixel by pixel in f64, each step's inverse on its own.
    fn slow(image: &RgbImage, plan: &Plan, side: u32) -> RgbImage {
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let scale = (width / f64::from(side), height / f64::from(side));
        RgbImage::from_fn(side, side, |u, v| {
            let output = ((f64::from(u) + 0.5) * scale.0, (f64::from(v) + 0.5) * scale.1);
            let undone = plan.steps.iter().rev().filter_map(|step| Inverse::of(step, (width, height)));
            let (x, y) = undone.fold(output, |place, inverse| inverse.at(place));
            let (x, y) = ((x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0));
            let (left, upper) = (x.floor(), y.floor());
            let value = |dx: f64, dy: f64, channel: usize| {
                let (x, y) = ((left + dx).min(width - 1.0), (upper + dy).min(height - 1.0));
                f64::from(image.get_pixel(x as u32, y as u32).0[channel])
            };
            image::Rgb(std::array::from_fn(|c| {
                let (p, q) = (x - left, y - upper);
                let above = value(0.0, 0.0, c) * (1.0 - p) + value(1.0, 0.0, c) * p;
                let below = value(0.0, 1.0, c) * (1.0 - p) + value(1.0, 1.0, c) * p;
                (above * (1.0 - q) + below * q).round() as u8
            }))
        })
    }

    fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
        assert_eq!(a.dimensions(), b.dimensions());
        a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    fn distort() -> Step {
        let nodes = [(6, -6), (-6, 6), (0, 5), (-5, -5), (6, 6), (1, -2), (3, 3), (-6, 0), (4, -4)];
        Step::Distort { grid: (4, 4), nodes: nodes.to_vec() }
    }

    #[test]
    fn fused_warp_equals_the_slow_one() {
        let orders = [
            vec![Step::RotateWithoutCrop(11), Step::Zoom(900), distort(), Step::FlipLeftRight],
            vec![Step::Rotate(-7), Step::Zoom(1100), distort()],
            vec![distort(), Step::Zoom(900), Step::FlipLeftRight],
            vec![distort(), Step::Rotate(11), Step::Zoom(900)],
            vec![distort(), Step::FlipLeftRight, distort()],
            vec![Step::RotateWithoutCrop(90), Step::Zoom(1050)],
            vec![Step::Rotate(-13), distort()],
            vec![distort()],
        ];
        for image in [picture(250, 250), picture(178, 218), picture(300, 100)] {
            for steps in &orders {
                let plan = Plan { steps: steps.clone() };
                // Sides at which none of the images is shrunk before it is sampled.
                for side in [256, 160] {
                    let difference = largest_difference(&render(&image, &plan, side), &slow(&image, &plan, side));
                    assert!(difference <= 2, "{plan} at {side}: {difference}");
                }
            }
        }
    }

    #[test]
    fn default_pipeline_is_drawn_as_the_slow_warp_has_it() {
        let pipeline = Pipeline::default();
        let image = picture(178, 218);
        for copy in 1..40 {
            let mut plan = pipeline.plan(5, "a", copy);
            plan.steps.retain(|step| !matches!(step, Step::Brightness(_) | Step::Contrast(_)));
            if !plan.steps.is_empty() {
                assert!(largest_difference(&render(&image, &plan, 128), &slow(&image, &plan, 128)) <= 2, "{plan}");
            }
        }
    }

    #[test]
    fn mirror_alone_mirrors_exactly() {
        let image = picture(64, 64);
        let mirrored = render(&image, &Plan { steps: vec![Step::FlipLeftRight] }, 64);
        assert_eq!(mirrored, image::imageops::flip_horizontal(&image));
    }

    #[test]
    fn copies_of_one_source_do_not_depend_on_each_other() {
        let image = picture(700, 300);
        let plans = [Plan { steps: vec![Step::Rotate(5)] }, Plan::default(), Plan { steps: vec![distort()] }];
        let mut source = Source::new(image.clone(), 64);
        for plan in plans {
            assert_eq!(source.render(&plan), render(&image, &plan, 64));
        }
    }

    #[test]
    fn large_images_are_shrunk_before_they_are_sampled() {
        let stripes = RgbImage::from_fn(2000, 500, |x, _| image::Rgb([if x % 2 == 0 { 0 } else { 200 }; 3]));
        let copy = render(&stripes, &Plan { steps: vec![Step::Zoom(1001)] }, 64);
        assert!(copy.iter().all(|value| value.abs_diff(100) < 10));
    }
}
