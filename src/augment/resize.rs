//! Resampling in two passes, rows then columns, with filters stretched by the shrinking factor so that shrinking does
//! not alias: what Pillow calls `reducing` resize. Integer weights, so the bytes do not depend on the machine.

use image::RgbImage;
use multiversion::multiversion;

/// Fraction bits of a weight; 8 bits of value and the sign leave room for weights up to 2.
const BITS: u32 = 14;

/// How a pixel is mixed from those around its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Linear interpolation; shrinking averages over two output pixels with weights falling linearly.
    Triangle,
    /// Keys 1981 with a = -0.5, sharper.
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

/// The input pixels that one output pixel is mixed from.
struct Taps {
    first: usize,
    /// Sums to `1 << BITS`.
    weights: Vec<i32>,
}

/// `image` brought to `width` x `height`, whatever the aspect; as it is where that is its size.
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
        sums.fill(1 << (BITS - 1));
        for (source, weight) in image.as_raw()[row.first * stride..].chunks_exact(stride).zip(&row.weights) {
            add_weighted(&mut sums, source, *weight);
        }
        round(&sums, &mut line);
        mix_columns(&columns, &line, target);
    }
    output
}

fn mix_columns(columns: &[Taps], line: &[u8], target: &mut [u8]) {
    for (column, pixel) in columns.iter().zip(target.chunks_exact_mut(3)) {
        let mut sum = [1_i32 << (BITS - 1); 3];
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
        *value = (sum >> BITS).clamp(0, 255) as u8;
    }
}

/// For every one of `to` output pixels its share of the `from` input pixels, pixel centres at .5.
fn taps(from: u32, to: u32, filter: Filter) -> Vec<Taps> {
    let scale = f64::from(from) / f64::from(to);
    let stretch = scale.max(1.0);
    let reach = filter.support() * stretch;
    let one = |place: u32| {
        let centre = (f64::from(place) + 0.5) * scale;
        let first = (centre - reach + 0.5).floor().max(0.0) as usize;
        let end = ((centre + reach + 0.5).floor() as usize).min(from as usize);
        let exact: Vec<f64> =
            (first..end).map(|input| filter.weight((input as f64 + 0.5 - centre) / stretch)).collect();
        let total: f64 = exact.iter().sum();
        let unit = f64::from(1 << BITS);
        let mut weights: Vec<i32> = exact.iter().map(|weight| (weight / total * unit).round() as i32).collect();
        // What rounding left over goes to the largest, so that plain areas stay as they are.
        let rest = (1 << BITS) - weights.iter().sum::<i32>();
        if let Some(largest) = weights.iter_mut().max() {
            *largest += rest;
        }
        Taps { first, weights }
    };
    (0..to).map(one).collect()
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
    fn plain_areas_stay_plain() {
        let image = RgbImage::from_pixel(250, 97, image::Rgb([255, 128, 7]));
        for filter in [Filter::Triangle, Filter::Bicubic] {
            for (width, height) in [(256, 256), (72, 72), (1, 1), (3, 500)] {
                let output = resize(&image, width, height, filter);
                assert!(output.pixels().all(|pixel| pixel.0 == [255, 128, 7]), "{filter:?} {width} x {height}");
            }
        }
    }

    #[test]
    fn halving_with_the_triangle_weighs_one_three_three_one() {
        // The inner pixel of (0, 0, 0, 80, 160, 0): (1 * 0 + 3 * 0 + 3 * 80 + 1 * 160) / 8.
        assert_eq!(first_channel(&resize(&row(&[0, 0, 0, 80, 160, 0]), 3, 1, Filter::Triangle))[1], 50);
    }

    #[test]
    fn doubling_with_the_triangle_goes_by_quarters() {
        assert_eq!(first_channel(&resize(&row(&[0, 100]), 4, 1, Filter::Triangle)), [0, 25, 75, 100]);
    }

    #[test]
    fn fine_stripes_shrink_to_grey() {
        let stripes: Vec<u8> = (0..256).map(|x| if x % 2 == 0 { 0 } else { 200 }).collect();
        let shrunk = first_channel(&resize(&row(&stripes), 72, 1, Filter::Triangle));
        assert!(shrunk.iter().all(|value| (85..=115).contains(value)), "{shrunk:?}");
    }
}
