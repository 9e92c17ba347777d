//! Photometric operations, applied after all geometry, equal to Pillow's to the last bit. Operations on single values are
//! merged into one lookup table per channel; an operation on whole pixels applies the tables first.

use super::sampled_op::SampledOp;
use crate::random;
use image::RgbImage;
use imageproc::stats::histogram;
use rand::Rng;

/// Lookup tables for red, green and blue.
type Tables = [[u8; 256]; 3];

/// Applies the photometric operations among `ops`, and erasing.
pub(super) fn apply(image: &mut RgbImage, ops: &[SampledOp]) {
    let unchanged: Tables = [std::array::from_fn(|value| value as u8); 3];
    let mut tables = unchanged;
    for op in ops {
        match op {
            SampledOp::Brightness(thousandths) => blend_tables(&mut tables, 0, *thousandths),
            SampledOp::Contrast(thousandths) => {
                let grey = mean_grey(image, &tables);
                blend_tables(&mut tables, grey, *thousandths);
            }
            SampledOp::Invert => tables.as_flattened_mut().iter_mut().for_each(|value| *value = 255 - *value),
            SampledOp::Equalise => equalise(image, &mut tables),
            SampledOp::Colour(thousandths) => {
                let factor = factor(*thousandths);
                each_pixel(image, &mut tables, |pixel| pixel.map(|value| blend(grey(pixel), value, factor)));
            }
            SampledOp::Greyscale => each_pixel(image, &mut tables, |pixel| [grey(pixel); 3]),
            SampledOp::BlackAndWhite(threshold) => {
                each_pixel(image, &mut tables, |pixel| [if grey(pixel) < *threshold { 0 } else { 255 }; 3]);
            }
            SampledOp::HsvShift { hue, saturation, value, clamp_hue } => {
                let [hue, saturation, value] = [
                    shifted(1000, *hue, !clamp_hue),
                    shifted(saturation.0, saturation.1, false),
                    shifted(value.0, value.1, false),
                ];
                each_pixel(image, &mut tables, |pixel| {
                    let [h, s, v] = to_hsv(pixel).map(usize::from);
                    from_hsv([hue[h], saturation[s], value[v]])
                });
            }
            SampledOp::Erase { corner, size, seed } => {
                if tables != unchanged {
                    each_pixel(image, &mut tables, |pixel| pixel);
                }
                erase(image, *corner, *size, *seed);
            }
            SampledOp::Gamma(logarithm) => {
                let table = gamma_table(*logarithm);
                tables.as_flattened_mut().iter_mut().for_each(|value| *value = table[usize::from(*value)]);
            }
            SampledOp::Blur(deviation) => {
                if tables != unchanged {
                    each_pixel(image, &mut tables, |pixel| pixel);
                }
                blur(image, f64::from(*deviation) / 1000.0 * f64::from(image.width()) / 250.0);
            }
            SampledOp::Rotate(_)
            | SampledOp::RotateAsAugmentor(_)
            | SampledOp::RotateWithoutCrop(_)
            | SampledOp::RotateExpand(_)
            | SampledOp::QuarterTurns(_)
            | SampledOp::Zoom(_)
            | SampledOp::ZoomRandom(_)
            | SampledOp::Crop(_)
            | SampledOp::CropBySize { .. }
            | SampledOp::Resize(..)
            | SampledOp::Scale(_)
            | SampledOp::FlipLeftRight
            | SampledOp::FlipTopBottom
            | SampledOp::Skew(_)
            | SampledOp::Shear { .. }
            | SampledOp::Affine { .. }
            | SampledOp::Distort { .. }
            | SampledOp::DistortFinely { .. } => {}
        }
    }
    if tables != unchanged {
        each_pixel(image, &mut tables, |pixel| pixel);
    }
}

/// Looks each pixel up in `tables`, applies `change`, and resets the tables to the identity.
fn each_pixel(image: &mut RgbImage, tables: &mut Tables, change: impl Fn([u8; 3]) -> [u8; 3]) {
    for pixel in image.as_chunks_mut::<3>().0 {
        *pixel = change(look_up(tables, *pixel));
    }
    *tables = [std::array::from_fn(|value| value as u8); 3];
}

fn look_up(tables: &Tables, [r, g, b]: [u8; 3]) -> [u8; 3] {
    [tables[0][usize::from(r)], tables[1][usize::from(g)], tables[2][usize::from(b)]]
}

fn factor(thousandths: u32) -> f32 {
    thousandths as f32 / 1000.0
}

/// Pillow's `Image.blend(plain, image, factor)`: `plain + factor * (value - plain)`, clamped to 0..255 and truncated.
fn blend(plain: u8, value: u8, factor: f32) -> u8 {
    (f32::from(plain) + factor * (f32::from(value) - f32::from(plain))) as u8
}

fn blend_tables(tables: &mut Tables, plain: u8, thousandths: u32) {
    let factor = factor(thousandths);
    tables.as_flattened_mut().iter_mut().for_each(|value| *value = blend(plain, *value, factor));
}

/// Pillow's grey (ITU-R 601-2 in 16 bits).
fn grey(pixel: [u8; 3]) -> u8 {
    let [r, g, b] = pixel.map(u32::from);
    ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16) as u8
}

/// The mean grey of the image after `tables`, rounded.
fn mean_grey(image: &RgbImage, tables: &Tables) -> u8 {
    let sum: u64 = image.as_chunks::<3>().0.iter().map(|pixel| u64::from(grey(look_up(tables, *pixel)))).sum();
    let count = u64::from(image.width()) * u64::from(image.height());
    ((sum + count / 2) / count) as u8
}

/// Pillow's `ImageOps.equalize`, added to `tables`: each step of the output holds an equal number of pixels.
fn equalise(image: &RgbImage, tables: &mut Tables) {
    let counts = histogram(image);
    for (table, counts) in tables.iter_mut().zip(&counts.channels) {
        let mut seen = [0_u32; 256];
        for (value, count) in table.iter().zip(counts) {
            seen[usize::from(*value)] += count;
        }
        let last = seen.iter().rev().find(|count| **count > 0).copied().unwrap_or(0);
        let step = (seen.iter().sum::<u32>() - last) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let even = seen.map(|count| {
            let value = (below / step).min(255) as u8;
            below += count;
            value
        });
        *table = table.map(|value| even[usize::from(value)]);
    }
}

/// The table of an HSV channel, in which 255 is 1: times a factor, plus a shift, both in thousandths. The result is
/// clamped to [0, 1], or wraps around.
fn shifted(factor: u32, shift: i32, wrap: bool) -> [u8; 256] {
    let (factor, shift) = (f64::from(factor) / 1000.0, f64::from(shift) / 1000.0);
    std::array::from_fn(|value| {
        let shifted = value as f64 / 255.0 * factor + shift;
        let shifted = if wrap { shifted.rem_euclid(1.0) } else { shifted.clamp(0.0, 1.0) };
        (shifted * 255.0).round_ties_even() as u8
    })
}

/// Pillow's `convert("HSV")`, with its mixed precisions.
fn to_hsv(pixel: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = pixel;
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let range = f32::from(max - min);
    let [rc, gc, bc] = pixel.map(|value| f32::from(max - value) / range);
    let sixth = if r == max {
        bc - gc
    } else if g == max {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let hue = ((f64::from(sixth) / 6.0 + 1.0) % 1.0) as f32;
    let saturation = range / f32::from(max);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, max]
}

/// Pillow's `convert("RGB")` of HSV, with its mixed precisions.
fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = f64::from(f32::from(hue)) * 6.0 / 255.0;
    let fraction = (sixths - sixths.floor()) as f32;
    let saturation = (f64::from(f32::from(saturation)) / 255.0) as f32;
    let level = |weight: f64| (f64::from(value) * weight).round() as u8;
    let (saturation, fraction) = (f64::from(saturation), f64::from(fraction));
    let lowest = level(1.0 - saturation);
    let falling = level(1.0 - f64::from((saturation * fraction) as f32));
    let rising = level(1.0 - saturation * (1.0 - fraction));
    match sixths as u32 % 6 {
        0 => [value, rising, lowest],
        1 => [falling, value, lowest],
        2 => [lowest, value, rising],
        3 => [lowest, falling, value],
        4 => [rising, lowest, value],
        _ => [value, lowest, falling],
    }
}

/// The table of a power of values in which 255 is 1; the power's binary logarithm is in thousandths.
fn gamma_table(logarithm: i32) -> [u8; 256] {
    let power = libm::exp2(f64::from(logarithm) / 1000.0);
    std::array::from_fn(|value| (libm::pow(value as f64 / 255.0, power) * 255.0).round() as u8)
}

/// Blurs with a Gaussian of `deviation` pixels, which ends at three deviations. Positions beyond the border repeat the
/// nearest pixel.
fn blur(image: &mut RgbImage, deviation: f64) {
    let radius = (3.0 * deviation) as usize;
    if radius == 0 {
        return;
    }
    let weights: Vec<f64> =
        (0..=2 * radius).map(|i| libm::exp(-0.5 * ((i as f64 - radius as f64) / deviation).powi(2))).collect();
    let total: f64 = weights.iter().sum();
    let weights: Vec<f32> = weights.into_iter().map(|weight| (weight / total) as f32).collect();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values: Vec<f32> = image.as_raw().iter().copied().map(f32::from).collect();
    let rows = convolve(&values, &weights, (height, width), (3 * width, 3));
    let both = convolve(&rows, &weights, (width, height), (3, 3 * width));
    image.iter_mut().zip(both).for_each(|(pixel, value)| *pixel = value.round() as u8);
}

/// Convolves `lines` of `length` pixels of three channels with `weights`. The strides separate lines, and pixels of a line.
fn convolve(
    values: &[f32],
    weights: &[f32],
    (lines, length): (usize, usize),
    (line, pixel): (usize, usize),
) -> Vec<f32> {
    let (radius, mut out) = (weights.len() / 2, vec![0.0; values.len()]);
    for start in (0..lines).map(|index| index * line) {
        for at in 0..length {
            let to = start + at * pixel;
            for (offset, weight) in weights.iter().enumerate() {
                let from = start + (at + offset).saturating_sub(radius).min(length - 1) * pixel;
                for channel in 0..3 {
                    out[to + channel] += weight * values[from + channel];
                }
            }
        }
    }
    out
}

/// Fills a rectangle with noise; `corner` and `size` are in thousandths of the image's sides.
fn erase(image: &mut RgbImage, corner: (u32, u32), size: (u32, u32), seed: u32) {
    let (width, height) = image.dimensions();
    let pixel = |thousandths: u32, side: u32| (u64::from(thousandths.min(1000)) * u64::from(side) / 1000) as usize;
    let columns = 3 * pixel(corner.0, width)..3 * pixel(corner.0 + size.0, width);
    let rows = pixel(corner.1, height)..pixel(corner.1 + size.1, height);
    let mut noise = random::generator(seed.into(), &[random::name("erase")]);
    for row in image.chunks_exact_mut(3 * width as usize).take(rows.end).skip(rows.start) {
        noise.fill_bytes(&mut row[columns.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(pixels: &[u8], ops: &[SampledOp]) -> Vec<u8> {
        let mut image = RgbImage::from_raw(pixels.len() as u32 / 3, 1, pixels.to_vec()).unwrap();
        apply(&mut image, ops);
        image.into_raw()
    }

    fn noisy() -> RgbImage {
        let mut image = RgbImage::new(40, 30);
        random::generator(5, &[]).fill_bytes(&mut image);
        image
    }

    #[test]
    fn brightness_multiplies_truncates_and_clamps() {
        assert_eq!(applied(&[1, 100, 200], &[SampledOp::Brightness(1500)]), [1, 150, 255]);
        assert_eq!(applied(&[1, 3, 255], &[SampledOp::Brightness(500)]), [0, 1, 127]);
    }

    #[test]
    fn contrast_moves_values_from_the_mean_grey() {
        // Two grey pixels with mean 100: 50 -> 100 - 1.5 * 50 and 150 -> 100 + 1.5 * 50.
        assert_eq!(applied(&[50, 50, 50, 150, 150, 150], &[SampledOp::Contrast(1500)]), [25, 25, 25, 175, 175, 175]);
        // Red has the weight 0.299: 200 -> grey 60; 60 + 0.5 * (200 - 60) = 130 and 60 - 0.5 * 60 = 30.
        assert_eq!(applied(&[200, 0, 0], &[SampledOp::Contrast(500)]), [130, 30, 30]);
    }

    #[test]
    fn contrast_applies_to_the_result_of_brightness() {
        let both = [SampledOp::Brightness(2000), SampledOp::Contrast(500)];
        assert_eq!(applied(&[20, 20, 20, 60, 60, 60], &both), [60, 60, 60, 100, 100, 100]);
    }

    #[test]
    fn factor_one_changes_nothing() {
        let values: Vec<u8> = (0..=254).collect();
        let ops = [SampledOp::Contrast(1000), SampledOp::Brightness(1000), SampledOp::Colour(1000)];
        assert_eq!(applied(&values, &ops), values);
    }

    #[test]
    fn merged_operations_equal_their_sequence() {
        let shift = SampledOp::HsvShift { hue: 100, saturation: (1200, -50), value: (900, 20), clamp_hue: false };
        let erase = SampledOp::Erase { corner: (100, 200), size: (300, 400), seed: 9 };
        let orders = [
            vec![
                SampledOp::Invert,
                SampledOp::Equalise,
                SampledOp::Brightness(700),
                SampledOp::Greyscale,
                SampledOp::Contrast(1400),
            ],
            vec![
                SampledOp::Brightness(1300),
                SampledOp::Colour(300),
                SampledOp::Equalise,
                erase.clone(),
                SampledOp::Equalise,
            ],
            vec![SampledOp::Contrast(800), shift, SampledOp::Invert, SampledOp::BlackAndWhite(90), SampledOp::Invert],
            vec![SampledOp::Invert, erase, SampledOp::Colour(2000), SampledOp::Equalise, SampledOp::Equalise],
        ];
        for ops in orders {
            let (mut merged, mut sequence) = (noisy(), noisy());
            apply(&mut merged, &ops);
            for op in &ops {
                apply(&mut sequence, std::slice::from_ref(op));
            }
            assert_eq!(merged, sequence, "{ops:?}");
        }
    }

    #[test]
    fn images_of_one_colour_are_not_equalised() {
        assert_eq!(applied(&[7; 300], &[SampledOp::Equalise]), [7; 300]);
    }

    #[test]
    fn hue_wraps_around_and_in_augmentor_is_clamped() {
        let shift = |clamp_hue| SampledOp::HsvShift { hue: 400, saturation: (1000, 0), value: (1000, 0), clamp_hue };
        // Blue has the hue 2/3; 0.4 further is red with a little yellow, or red if clamped.
        let [r, g, b] = applied(&[0, 0, 255], &[shift(false)])[..] else { panic!() };
        assert!(r == 255 && (90..120).contains(&g) && b == 0, "{r} {g} {b}");
        assert_eq!(applied(&[0, 0, 255], &[shift(true)]), [255, 0, 0]);
    }

    #[test]
    fn erasing_changes_only_its_rectangle() {
        let before = noisy();
        let mut after = before.clone();
        apply(&mut after, &[SampledOp::Erase { corner: (500, 0), size: (250, 1000), seed: 1 }]);
        let changed = |x: std::ops::Range<u32>| {
            let columns = x.flat_map(|x| (0..30).map(move |y| (x, y)));
            columns.filter(|(x, y)| before.get_pixel(*x, *y) != after.get_pixel(*x, *y)).count()
        };
        assert_eq!((changed(0..20), changed(20..30), changed(30..40)), (0, 300, 0));
        let mut other = before.clone();
        apply(&mut other, &[SampledOp::Erase { corner: (500, 0), size: (250, 1000), seed: 2 }]);
        assert_ne!(after, other);
    }

    #[test]
    fn erasing_is_clipped_at_the_border() {
        let mut image = noisy();
        apply(&mut image, &[SampledOp::Erase { corner: (900, 900), size: (1000, 1000), seed: 1 }]);
        assert_eq!(image.dimensions(), (40, 30));
    }
}
