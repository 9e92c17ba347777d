//! Antialiased resizing in two passes, rows then columns, with filters as wide as the reduction factor, as Pillow's `resize`.
//! Integer weights give the same bytes on every machine. Not `fast_image_resize`, which does not promise the same bytes on
//! every CPU.

use image::RgbImage;
use multiversion::multiversion;

/// Fraction bits of a weight. With 8 bits of value and the sign, 32 bits hold weights up to 2.
const WEIGHT_BITS: u32 = 14;

/// The weights of the input pixels around an output pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Linear interpolation; reduction averages over two output pixels with linearly decreasing weights.
    Triangle,
    /// Cubic convolution (Keys 1981, a = -0.5), which is sharper.
    Bicubic,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Triangle => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Self::Bicubic => 0.0,
        }
    }
}

/// The input pixels of one output pixel.
struct Taps {
    first: usize,
    /// Sum to `1 << WEIGHT_BITS`.
    weights: Vec<i32>,
}

/// Resizes `image` to `width` x `height`, without keeping the aspect ratio; a copy if that is its size.
pub fn resize(image: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let columns = taps(image.width(), width, filter);
    let rows = taps(image.height(), height, filter);
    let stride = 3 * image.width() as usize;
    let mut sums = vec![0_i32; stride];
    let mut line = vec![0_u8; stride];
    let mut output = RgbImage::new(width, height);
    for (row, target) in rows.iter().zip(output.chunks_exact_mut(3 * width as usize)) {
        sums.fill(1 << (WEIGHT_BITS - 1));
        for (source, weight) in image.as_raw()[row.first * stride..].chunks_exact(stride).zip(&row.weights) {
            add_weighted(&mut sums, source, *weight);
        }
        round(&sums, &mut line);
        combine_columns(&columns, &line, target);
    }
    output
}

fn combine_columns(columns: &[Taps], line: &[u8], target: &mut [u8]) {
    for (column, pixel) in columns.iter().zip(target.chunks_exact_mut(3)) {
        let mut sum = [1_i32 << (WEIGHT_BITS - 1); 3];
        for (source, weight) in line[3 * column.first..].chunks_exact(3).zip(&column.weights) {
            for channel in 0..3 {
                sum[channel] += i32::from(source[channel]) * weight;
            }
        }
        round(&sum, pixel);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add_weighted(sums: &mut [i32], source: &[u8], weight: i32) {
    for (sum, value) in sums.iter_mut().zip(source) {
        *sum += i32::from(*value) * weight;
    }
}

fn round(sums: &[i32], target: &mut [u8]) {
    for (value, sum) in target.iter_mut().zip(sums) {
        *value = (sum >> WEIGHT_BITS).clamp(0, 255) as u8;
    }
}

/// The taps of each of `to` output pixels among `from` input pixels, with pixel centres at .5.
fn taps(from: u32, to: u32, filter: Filter) -> Vec<Taps> {
    let scale = f64::from(from) / f64::from(to);
    let stretch = scale.max(1.0);
    let reach = filter.support() * stretch;
    let taps_of = |output: u32| {
        let centre = (f64::from(output) + 0.5) * scale;
        let first = (centre - reach + 0.5).floor().max(0.0) as usize;
        let end = ((centre + reach + 0.5).floor() as usize).min(from as usize);
        let exact: Vec<f64> =
            (first..end).map(|input| filter.weight((input as f64 + 0.5 - centre) / stretch)).collect();
        let total: f64 = exact.iter().sum();
        let unit = f64::from(1 << WEIGHT_BITS);
        let mut weights: Vec<i32> = exact.iter().map(|weight| (weight / total * unit).round() as i32).collect();
        // The rounding error goes to the largest weight, so that areas of one colour do not change.
        let rest = (1 << WEIGHT_BITS) - weights.iter().sum::<i32>();
        if let Some(largest) = weights.iter_mut().max() {
            *largest += rest;
        }
        Taps { first, weights }
    };
    (0..to).map(taps_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[u8]) -> RgbImage {
        RgbImage::from_fn(values.len() as u32, 1, |x, _| image::Rgb([values[x as usize]; 3]))
    }

    fn first_channel(image: &RgbImage) -> Vec<u8> {
        image.pixels().map(|pixel| pixel.0[0]).collect()
    }

    #[test]
    fn same_size_is_the_same_image() {
        let image = row(&[1, 200, 3]);
        assert_eq!(resize(&image, 3, 1, Filter::Bicubic), image);
    }

    #[test]
    fn areas_of_one_colour_do_not_change() {
        let image = RgbImage::from_pixel(250, 97, image::Rgb([255, 128, 7]));
        for filter in [Filter::Triangle, Filter::Bicubic] {
            for (width, height) in [(256, 256), (72, 72), (1, 1), (3, 500)] {
                let output = resize(&image, width, height, filter);
                assert!(output.pixels().all(|pixel| pixel.0 == [255, 128, 7]), "{filter:?} {width} x {height}");
            }
        }
    }

    #[test]
    fn halving_with_the_triangle_has_weights_one_three_three_one() {
        // The inner pixel of (0, 0, 0, 80, 160, 0): (1 * 0 + 3 * 0 + 3 * 80 + 1 * 160) / 8.
        assert_eq!(first_channel(&resize(&row(&[0, 0, 0, 80, 160, 0]), 3, 1, Filter::Triangle))[1], 50);
    }

    #[test]
    fn doubling_with_the_triangle_has_steps_of_quarters() {
        assert_eq!(first_channel(&resize(&row(&[0, 100]), 4, 1, Filter::Triangle)), [0, 25, 75, 100]);
    }

    #[test]
    fn fine_stripes_shrink_to_grey() {
        let stripes: Vec<u8> = (0..256).map(|x| if x % 2 == 0 { 0 } else { 200 }).collect();
        let shrunk = first_channel(&resize(&row(&stripes), 72, 1, Filter::Triangle));
        assert!(shrunk.iter().all(|value| (85..=115).contains(value)), "{shrunk:?}");
    }
}
