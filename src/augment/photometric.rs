//! Brightness and contrast as Pillow's `ImageEnhance` defines them. Each maps values alone, so all of them together are
//! one table of 256 values and one pass over the image.

use super::operation::Step;
use image::RgbImage;

/// Carries out the photometric steps among `steps`.
pub(super) fn apply(image: &mut RgbImage, steps: &[Step]) {
    let mut table: [u8; 256] = std::array::from_fn(|value| value as u8);
    let unchanged = table;
    for step in steps {
        match step {
            Step::Brightness(thousandths) => blend(&mut table, 0, *thousandths),
            Step::Contrast(thousandths) => {
                let grey = mean_grey(image, &table);
                blend(&mut table, grey, *thousandths);
            }
            Step::Rotate(_)
            | Step::RotateWithoutCrop(_)
            | Step::Zoom(_)
            | Step::FlipLeftRight
            | Step::Distort { .. } => {}
        }
    }
    if table != unchanged {
        image.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
    }
}

/// Pillow's `Image.blend(plain, image, factor)`: `plain + factor * (value - plain)`, cut to 0..255, fraction dropped.
fn blend(table: &mut [u8; 256], plain: u8, thousandths: u32) {
    let factor = thousandths as f32 / 1000.0;
    for value in table {
        *value = (f32::from(plain) + factor * (f32::from(*value) - f32::from(plain))) as u8;
    }
}

/// The mean of the image seen through `table`, in Pillow's grey (ITU-R 601-2 in 16 bits), rounded.
fn mean_grey(image: &RgbImage, table: &[u8; 256]) -> u8 {
    let grey = |pixel: &image::Rgb<u8>| {
        let [r, g, b] = pixel.0.map(|value| u32::from(table[usize::from(value)]));
        u64::from((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16)
    };
    let sum: u64 = image.pixels().map(grey).sum();
    let count = u64::from(image.width()) * u64::from(image.height());
    ((sum + count / 2) / count) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(pixels: &[u8], steps: &[Step]) -> Vec<u8> {
        let mut image = RgbImage::from_raw(pixels.len() as u32 / 3, 1, pixels.to_vec()).unwrap();
        apply(&mut image, steps);
        image.into_raw()
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
        assert_eq!(applied(&values, &[Step::Contrast(1000), Step::Brightness(1000)]), values);
    }
}
