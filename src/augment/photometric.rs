//! What changes values and leaves places alone, after all geometry, as Pillow defines it to the last bit. Steps that
//! map a channel's values alone collect in a table a channel; a step that needs whole pixels looks them up on its way.

use super::step::Step;
use crate::random;
use image::RgbImage;
use imageproc::stats::histogram;
use rand::Rng;

/// A value for every value, red, green and blue.
type Tables = [[u8; 256]; 3];

/// Carries out the photometric steps among `steps`, and erasing.
pub(super) fn apply(image: &mut RgbImage, steps: &[Step]) {
    let unchanged: Tables = [std::array::from_fn(|value| value as u8); 3];
    let mut tables = unchanged;
    for step in steps {
        match step {
            Step::Brightness(thousandths) => blend_tables(&mut tables, 0, *thousandths),
            Step::Contrast(thousandths) => {
                let grey = mean_grey(image, &tables);
                blend_tables(&mut tables, grey, *thousandths);
            }
            Step::Invert => tables.as_flattened_mut().iter_mut().for_each(|value| *value = 255 - *value),
            Step::Equalise => equalise(image, &mut tables),
            Step::Colour(thousandths) => {
                let factor = factor(*thousandths);
                each_pixel(image, &mut tables, |pixel| pixel.map(|value| blend(grey(pixel), value, factor)));
            }
            Step::Greyscale => each_pixel(image, &mut tables, |pixel| [grey(pixel); 3]),
            Step::BlackAndWhite(threshold) => {
                each_pixel(image, &mut tables, |pixel| [if grey(pixel) < *threshold { 0 } else { 255 }; 3]);
            }
            Step::HsvShift { hue, saturation, value, cut } => {
                let [hue, saturation, value] = [
                    shifted(1000, *hue, !cut),
                    shifted(saturation.0, saturation.1, false),
                    shifted(value.0, value.1, false),
                ];
                each_pixel(image, &mut tables, |pixel| {
                    let [h, s, v] = to_hsv(pixel).map(usize::from);
                    from_hsv([hue[h], saturation[s], value[v]])
                });
            }
            Step::Erase { corner, size, seed } => {
                if tables != unchanged {
                    each_pixel(image, &mut tables, |pixel| pixel);
                }
                erase(image, *corner, *size, *seed);
            }
            Step::Rotate(_)
            | Step::RotateAsAugmentor(_)
            | Step::RotateWithoutCrop(_)
            | Step::RotateExpand(_)
            | Step::QuarterTurns(_)
            | Step::Zoom(_)
            | Step::ZoomRandom(_)
            | Step::Crop(_)
            | Step::CropBySize { .. }
            | Step::Resize(..)
            | Step::Scale(_)
            | Step::FlipLeftRight
            | Step::FlipTopBottom
            | Step::Skew(_)
            | Step::Shear { .. }
            | Step::Distort { .. }
            | Step::DistortFinely { .. } => {}
        }
    }
    if tables != unchanged {
        each_pixel(image, &mut tables, |pixel| pixel);
    }
}

/// `change` of every pixel seen through `tables`, which then hold what they hold at first.
fn each_pixel(image: &mut RgbImage, tables: &mut Tables, change: impl Fn([u8; 3]) -> [u8; 3]) {
    for pixel in image.as_chunks_mut::<3>().0 {
        *pixel = change(through(tables, *pixel));
    }
    *tables = [std::array::from_fn(|value| value as u8); 3];
}

fn through(tables: &Tables, [r, g, b]: [u8; 3]) -> [u8; 3] {
    [tables[0][usize::from(r)], tables[1][usize::from(g)], tables[2][usize::from(b)]]
}

fn factor(thousandths: u32) -> f32 {
    thousandths as f32 / 1000.0
}

/// Pillow's `Image.blend(plain, image, factor)`: `plain + factor * (value - plain)`, cut to 0..255, fraction dropped.
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

/// The mean grey of the image seen through `tables`, rounded.
fn mean_grey(image: &RgbImage, tables: &Tables) -> u8 {
    let sum: u64 = image.as_chunks::<3>().0.iter().map(|pixel| u64::from(grey(through(tables, *pixel)))).sum();
    let count = u64::from(image.width()) * u64::from(image.height());
    ((sum + count / 2) / count) as u8
}

/// Pillow's `ImageOps.equalize` of what `tables` show: steps of equal numbers of pixels, the most frequent values last.
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

/// For every value of a channel of HSV, 255 being 1: times a factor plus a shift, in thousandths, cut to [0, 1], or
/// going round.
fn shifted(factor: u32, shift: i32, round: bool) -> [u8; 256] {
    let (factor, shift) = (f64::from(factor) / 1000.0, f64::from(shift) / 1000.0);
    std::array::from_fn(|value| {
        let moved = value as f64 / 255.0 * factor + shift;
        let moved = if round { moved.rem_euclid(1.0) } else { moved.clamp(0.0, 1.0) };
        (moved * 255.0).round_ties_even() as u8
    })
}

/// Pillow's `convert("HSV")`, with its mixture of precisions.
fn to_hsv(pixel: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = pixel;
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let [rc, gc, bc] = pixel.map(|value| f32::from(most - value) / range);
    let sixth = if r == most {
        bc - gc
    } else if g == most {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let hue = ((f64::from(sixth) / 6.0 + 1.0) % 1.0) as f32;
    let saturation = range / f32::from(most);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// Pillow's `convert("RGB")` of HSV, with its mixture of precisions.
fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixths = f64::from(f32::from(hue)) * 6.0 / 255.0;
    let part = (sixths - sixths.floor()) as f32;
    let saturation = (f64::from(f32::from(saturation)) / 255.0) as f32;
    let level = |weight: f64| (f64::from(value) * weight).round() as u8;
    let (saturation, part) = (f64::from(saturation), f64::from(part));
    let least = level(1.0 - saturation);
    let falling = level(1.0 - f64::from((saturation * part) as f32));
    let rising = level(1.0 - saturation * (1.0 - part));
    match sixths as u32 % 6 {
        0 => [value, rising, least],
        1 => [falling, value, least],
        2 => [least, value, rising],
        3 => [least, falling, value],
        4 => [rising, least, value],
        _ => [value, least, falling],
    }
}

/// Noise in a rectangle, all in thousandths of the image's sides.
fn erase(image: &mut RgbImage, corner: (u32, u32), size: (u32, u32), seed: u32) {
    let (width, height) = image.dimensions();
    let pixel = |place: u32, side: u32| (u64::from(place.min(1000)) * u64::from(side) / 1000) as usize;
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

    fn applied(pixels: &[u8], steps: &[Step]) -> Vec<u8> {
        let mut image = RgbImage::from_raw(pixels.len() as u32 / 3, 1, pixels.to_vec()).unwrap();
        apply(&mut image, steps);
        image.into_raw()
    }

    fn noisy() -> RgbImage {
        let mut image = RgbImage::new(40, 30);
        random::generator(5, &[]).fill_bytes(&mut image);
        image
    }

    #[test]
    fn brightness_multiplies_drops_the_fraction_and_cuts() {
        assert_eq!(applied(&[1, 100, 200], &[Step::Brightness(1500)]), [1, 150, 255]);
        assert_eq!(applied(&[1, 3, 255], &[Step::Brightness(500)]), [0, 1, 127]);
    }

    #[test]
    fn contrast_moves_values_from_the_mean_grey() {
        // Two grey pixels with mean 100: 50 -> 100 - 1.5 * 50 and 150 -> 100 + 1.5 * 50.
        assert_eq!(applied(&[50, 50, 50, 150, 150, 150], &[Step::Contrast(1500)]), [25, 25, 25, 175, 175, 175]);
        // Red alone weighs 0.299: 200 -> grey 60; 60 + 0.5 * (200 - 60) = 130 and 60 - 0.5 * 60 = 30.
        assert_eq!(applied(&[200, 0, 0], &[Step::Contrast(500)]), [130, 30, 30]);
    }

    #[test]
    fn contrast_sees_what_brightness_left() {
        let both = [Step::Brightness(2000), Step::Contrast(500)];
        assert_eq!(applied(&[20, 20, 20, 60, 60, 60], &both), [60, 60, 60, 100, 100, 100]);
    }

    #[test]
    fn factor_one_changes_nothing() {
        let values: Vec<u8> = (0..=254).collect();
        let steps = [Step::Contrast(1000), Step::Brightness(1000), Step::Colour(1000)];
        assert_eq!(applied(&values, &steps), values);
    }

    #[test]
    fn merged_steps_equal_one_after_the_other() {
        let unmoved = Step::HsvShift { hue: 100, saturation: (1200, -50), value: (900, 20), cut: false };
        let erase = Step::Erase { corner: (100, 200), size: (300, 400), seed: 9 };
        let orders = [
            vec![Step::Invert, Step::Equalise, Step::Brightness(700), Step::Greyscale, Step::Contrast(1400)],
            vec![Step::Brightness(1300), Step::Colour(300), Step::Equalise, erase.clone(), Step::Equalise],
            vec![Step::Contrast(800), unmoved, Step::Invert, Step::BlackAndWhite(90), Step::Invert],
            vec![Step::Invert, erase, Step::Colour(2000), Step::Equalise, Step::Equalise],
        ];
        for steps in orders {
            let (mut merged, mut apart) = (noisy(), noisy());
            apply(&mut merged, &steps);
            for step in &steps {
                apply(&mut apart, std::slice::from_ref(step));
            }
            assert_eq!(merged, apart, "{steps:?}");
        }
    }

    #[test]
    fn plain_images_are_not_equalised() {
        assert_eq!(applied(&[7; 300], &[Step::Equalise]), [7; 300]);
    }

    #[test]
    fn hue_goes_round_and_by_augmentor_stops() {
        let shift = |cut| Step::HsvShift { hue: 400, saturation: (1000, 0), value: (1000, 0), cut };
        // Blue is two thirds round; 0.4 further is red with a little yellow, or stops at red.
        let [r, g, b] = applied(&[0, 0, 255], &[shift(false)])[..] else { panic!() };
        assert!(r == 255 && (90..120).contains(&g) && b == 0, "{r} {g} {b}");
        assert_eq!(applied(&[0, 0, 255], &[shift(true)]), [255, 0, 0]);
    }

    #[test]
    fn erasing_changes_its_rectangle_alone() {
        let before = noisy();
        let mut after = before.clone();
        apply(&mut after, &[Step::Erase { corner: (500, 0), size: (250, 1000), seed: 1 }]);
        let changed = |x: std::ops::Range<u32>| {
            let columns = x.flat_map(|x| (0..30).map(move |y| (x, y)));
            columns.filter(|(x, y)| before.get_pixel(*x, *y) != after.get_pixel(*x, *y)).count()
        };
        assert_eq!((changed(0..20), changed(20..30), changed(30..40)), (0, 300, 0));
        let mut other = before.clone();
        apply(&mut other, &[Step::Erase { corner: (500, 0), size: (250, 1000), seed: 2 }]);
        assert_ne!(after, other);
    }

    #[test]
    fn erasing_is_cut_at_the_border() {
        let mut image = noisy();
        apply(&mut image, &[Step::Erase { corner: (900, 900), size: (1000, 1000), seed: 1 }]);
        assert_eq!(image.dimensions(), (40, 30));
    }
}
