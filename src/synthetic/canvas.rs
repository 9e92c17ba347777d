//! A small rasterizer: outlines become masks of exact pixel coverage, by the signed-area accumulation of font-rs (Levien
//! 2016). Masks are filled with colours that may vary by pixel. `tiny-skia` is not used: it does not promise the same
//! bytes on every machine. This code does, with +, -, x, / and square roots in a fixed order.

/// Side of every image in pixels.
pub(super) const SIZE: usize = 256;

/// A position, in face units (see [`super::pose`]) or in pixels.
pub(super) type Point = [f32; 2];

/// Red, green and blue, 0 to 255 as in an image file.
pub(super) type Colour = [f32; 3];

/// Linear interpolation from `a` (`share` 0) to `b` (1).
pub(super) fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * share)
}

/// Each channel times `factor`.
pub(super) fn scaled(colour: Colour, factor: f32) -> Colour {
    colour.map(|v| v * factor)
}

/// Channel-wise product.
pub(super) fn tinted(colour: Colour, tint: Colour) -> Colour {
    std::array::from_fn(|c| colour[c] * tint[c])
}

/// Smoothstep: 0 below `from`, 1 above `to`.
pub(super) fn smooth(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Coverage of each pixel by a shape, 0 to 1, stored for the shape's bounding box.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    cover: Vec<f32>,
}

impl Mask {
    /// The union of closed outlines, in pixels.
    pub(super) fn new(outlines: &[Vec<Point>]) -> Self {
        let side = SIZE as f32;
        let (mut low, mut high) = ([side; 2], [0.0f32; 2]);
        for point in outlines.iter().flatten() {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]).max(0.0);
                high[axis] = high[axis].max(point[axis]).min(side);
            }
        }
        if low[0] >= high[0] || low[1] >= high[1] {
            return Self { left: 0, top: 0, width: 0, height: 0, cover: Vec::new() };
        }
        let (left, top) = (low[0] as usize, low[1] as usize);
        let (width, height) = (high[0].ceil() as usize - left, high[1].ceil() as usize - top);
        let mut area = Accumulator { width, height, row: width + 2, sums: vec![0.0; (width + 2) * height] };
        for outline in outlines {
            // All outlines get the same orientation, so that overlapping ones add up and do not cancel.
            let sign = if signed_area(outline) < 0.0 { -1.0 } else { 1.0 };
            let mut before = outline.last().map_or([0.0; 2], |p| [p[0] - left as f32, p[1] - top as f32]);
            for point in outline {
                let here = [point[0] - left as f32, point[1] - top as f32];
                area.line(before, here, sign);
                before = here;
            }
        }
        Self { left, top, width, height, cover: area.coverage() }
    }

    /// The shape with its edge softened over about `radius` pixels on both sides.
    pub(super) fn feathered(&self, radius: f32) -> Self {
        let reach = radius.ceil() as usize + 1;
        let (left, top) = (self.left.saturating_sub(reach), self.top.saturating_sub(reach));
        let right = (self.left + self.width + reach).min(SIZE);
        let bottom = (self.top + self.height + reach).min(SIZE);
        let (width, height) = (right - left, bottom - top);
        let mut cover = vec![0.0; width * height];
        for y in 0..self.height {
            let to = (y + self.top - top) * width + self.left - left;
            cover[to..to + self.width].copy_from_slice(&self.cover[y * self.width..(y + 1) * self.width]);
        }
        if width > 0 {
            for _ in 0..2 {
                blur_rows(&mut cover, width, radius / 2.0);
                blur_columns(&mut cover, width, radius / 2.0);
            }
        }
        Self { left, top, width, height, cover }
    }

    /// The intersection with `other`.
    pub(super) fn within(mut self, other: &Self) -> Self {
        for y in 0..self.height {
            for x in 0..self.width {
                self.cover[y * self.width + x] *= other.at(x + self.left, y + self.top);
            }
        }
        self
    }

    /// The coverage times `factor(x, y)`.
    pub(super) fn modulated(mut self, factor: impl Fn(usize, usize) -> f32) -> Self {
        for y in 0..self.height {
            for x in 0..self.width {
                let cover = &mut self.cover[y * self.width + x];
                if *cover > 0.0 {
                    *cover *= factor(x + self.left, y + self.top);
                }
            }
        }
        self
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x.wrapping_sub(self.left), y.wrapping_sub(self.top));
        if x < self.width && y < self.height { self.cover[y * self.width + x] } else { 0.0 }
    }
}

/// `ceil` of `value` as an index, 0 for negative values; faster than a call to `ceil`.
fn above(value: f32) -> usize {
    let whole = value as usize;
    whole + usize::from(value > whole as f32)
}

fn signed_area(outline: &[Point]) -> f32 {
    let after = outline.iter().cycle().skip(1);
    outline.iter().zip(after).map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum()
}

/// Box blur along each row of `width` values, in place. `radius` is the box's half width, which may include a fraction of
/// a pixel; values beyond the border are 0.
fn blur_rows(values: &mut [f32], width: usize, radius: f32) {
    let whole = radius as usize;
    let (part, scale) = (radius - whole as f32, 1.0 / (2.0 * radius + 1.0));
    // Zero padding on both sides keeps the box inside the buffer.
    let before = whole + 1;
    let mut padded = vec![0.0; width + 2 * before];
    for row in values.chunks_exact_mut(width) {
        padded[before..before + width].copy_from_slice(row);
        let mut sum: f32 = padded[1..=2 * whole].iter().sum();
        for (x, value) in row.iter_mut().enumerate() {
            sum += padded[x + 2 * whole + 1];
            *value = (sum + part * (padded[x] + padded[x + 2 * whole + 2])) * scale;
            sum -= padded[x + 1];
        }
    }
}

/// As [`blur_rows`], along the columns; adds and subtracts whole rows.
fn blur_columns(values: &mut [f32], width: usize, radius: f32) {
    let height = values.len() / width;
    let whole = radius as usize;
    let (part, scale) = (radius - whole as f32, 1.0 / (2.0 * radius + 1.0));
    let before = whole + 1;
    let mut padded = vec![0.0; (height + 2 * before) * width];
    padded[before * width..(before + height) * width].copy_from_slice(values);
    let row = |y: usize| &padded[y * width..(y + 1) * width];
    let mut sums = vec![0.0f32; width];
    for y in 1..=2 * whole {
        sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
    }
    for (y, out) in values.chunks_exact_mut(width).enumerate() {
        let (leaving, outer) = (row(y + 1), row(y).iter().zip(row(y + 2 * whole + 2)));
        let entering = row(y + 2 * whole + 1);
        for (((out, sum), (above, below)), (new, old)) in
            out.iter_mut().zip(&mut sums).zip(outer).zip(entering.iter().zip(leaving))
        {
            *sum += new;
            *out = (*sum + part * (above + below)) * scale;
            *sum -= old;
        }
    }
}

/// Signed areas by pixel of the trapezoids between outline segments and the right border.
struct Accumulator {
    width: usize,
    height: usize,
    row: usize,
    sums: Vec<f32>,
}

impl Accumulator {
    fn line(&mut self, from: Point, to: Point, turn: f32) {
        let level = from[1].total_cmp(&to[1]).is_eq();
        if level || !(from[0] + from[1] + to[0] + to[1]).is_finite() {
            return;
        }
        let (sign, from, to) = if from[1] < to[1] { (turn, from, to) } else { (-turn, to, from) };
        let slope = (to[0] - from[0]) / (to[1] - from[1]);
        let first = from[1].max(0.0);
        let mut x = from[0] + (first - from[1]) * slope;
        for y in first as usize..above(to[1]).min(self.height) {
            let deep = to[1].min(y as f32 + 1.0) - first.max(y as f32);
            let next = x + slope * deep;
            let side = self.width as f32;
            self.span(y * self.row, x.clamp(0.0, side), next.clamp(0.0, side), sign * deep);
            x = next;
        }
    }

    /// Adds the part of a segment in one row, from `x` to `next`, of signed height `deep`.
    fn span(&mut self, row: usize, x: f32, next: f32, deep: f32) {
        let (low, high) = if x < next { (x, next) } else { (next, x) };
        let (first, last) = (low as usize, above(high));
        let sums = &mut self.sums[row..row + self.row];
        // The area right of the segment and left of `edge`.
        let area = |edge: f32| {
            if edge >= high {
                deep * (edge - 0.5 * (low + high))
            } else {
                let reach = (edge - low).max(0.0);
                0.5 * deep * reach * reach / (high - low)
            }
        };
        let (mut before, mut left_of) = (0.0, 0.0);
        for (i, sum) in sums.iter_mut().enumerate().take(last).skip(first) {
            let all = area(i as f32 + 1.0);
            *sum += all - left_of - before;
            before = all - left_of;
            left_of = all;
        }
        sums[last] += deep - before;
    }

    fn coverage(self) -> Vec<f32> {
        let mut cover = Vec::with_capacity(self.width * self.height);
        for row in self.sums.chunks_exact(self.row) {
            let mut sum = 0.0;
            cover.extend(row[..self.width].iter().map(|step| {
                sum += step;
                f32::abs(sum).min(1.0)
            }));
        }
        cover
    }
}

/// An image being painted, [`SIZE`] x [`SIZE`].
pub(super) struct Canvas {
    pixels: Vec<Colour>,
}

impl Canvas {
    /// A canvas filled by `row`, which maps the y of a row's centre to its pixels.
    pub(super) fn new(row: impl Fn(f32) -> [Colour; SIZE]) -> Self {
        Self { pixels: (0..SIZE).flat_map(|y| row(y as f32 + 0.5)).collect() }
    }

    /// The pixels, row by row.
    pub(super) fn into_pixels(self) -> Vec<Colour> {
        self.pixels
    }

    /// Fills the mask with one colour; `opacity` 1 replaces what was there.
    pub(super) fn fill(&mut self, mask: &Mask, colour: Colour, opacity: f32) {
        self.fill_with(mask, opacity, |_, _| colour);
    }

    /// Fills the mask with a colour that depends on the pixel's centre.
    pub(super) fn fill_with(&mut self, mask: &Mask, opacity: f32, colour: impl Fn(f32, f32) -> Colour) {
        if opacity <= 0.0 {
            return;
        }
        for y in 0..mask.height {
            let row = (y + mask.top) * SIZE + mask.left;
            let cover = &mask.cover[y * mask.width..(y + 1) * mask.width];
            for (x, (pixel, cover)) in self.pixels[row..row + mask.width].iter_mut().zip(cover).enumerate() {
                if *cover > 0.0 {
                    let paint = colour((x + mask.left) as f32 + 0.5, (y + mask.top) as f32 + 0.5);
                    *pixel = mix(*pixel, paint, cover * opacity);
                }
            }
        }
    }

    /// Multiplies the pixels under the mask by `tint`; values below 1 darken.
    pub(super) fn shade(&mut self, mask: &Mask, tint: Colour, opacity: f32) {
        for y in 0..mask.height {
            let row = (y + mask.top) * SIZE + mask.left;
            let cover = &mask.cover[y * mask.width..(y + 1) * mask.width];
            for (pixel, cover) in self.pixels[row..row + mask.width].iter_mut().zip(cover) {
                *pixel = mix(*pixel, tinted(*pixel, tint), cover * opacity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(mask: &Mask) -> f32 {
        mask.cover.iter().sum()
    }

    #[test]
    fn a_mask_covers_exactly_the_area_of_its_outline() {
        let triangle = Mask::new(&[vec![[10.3, 20.7], [90.1, 33.2], [41.9, 120.4]]]);
        let (a, b) = ([90.1 - 10.3, 33.2 - 20.7], [41.9 - 10.3, 120.4 - 20.7]);
        let expected = 0.5 * f32::abs(a[0] * b[1] - a[1] * b[0]);
        assert!((area(&triangle) - expected).abs() < 0.05, "{} for {expected}", area(&triangle));
    }

    #[test]
    fn shapes_are_clipped_to_the_image() {
        let wide = Mask::new(&[vec![[-50.0, -70.0], [400.0, -70.0], [400.0, 300.0], [-50.0, 300.0]]]);
        assert!((area(&wide) - (SIZE * SIZE) as f32).abs() < 1.0);
        assert!(area(&Mask::new(&[vec![[-9.0, 3.0], [-2.0, 3.0], [-5.0, 90.0]]])) < 1e-6);
        assert!(area(&Mask::new(&[vec![[f32::NAN, 3.0], [20.0, f32::NAN], [5.0, 90.0]]])) < 1e-6);
    }

    #[test]
    fn feathering_keeps_the_total_coverage() {
        let square = Mask::new(&[vec![[100.0, 100.0], [140.0, 100.0], [140.0, 140.0], [100.0, 140.0]]]);
        let soft = square.feathered(7.5);
        assert!((area(&soft) - area(&square)).abs() < 1.0);
        assert!(soft.at(99, 120) > 0.1 && soft.at(100, 120) < 0.9);
    }
}
