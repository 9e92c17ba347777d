//! The contact sheet of a pipeline: a row for each source, a column for each operation.

use super::pipeline::{Pipeline, Plan};
use super::warp::Source;
use image::{Rgb, RgbImage, imageops};
use imageproc::drawing::draw_filled_rect_mut;
use imageproc::rect::Rect;
use rayon::prelude::*;

/// Pixels between images.
const GAP: u32 = 4;
/// Width, height and bar thickness of a seven-segment digit, in pixels.
const DIGIT: (u32, u32, u32) = (10, 18, 2);
/// Height of the row of column numbers.
const HEADER: u32 = DIGIT.1 + 3 * GAP;
const INK: Rgb<u8> = Rgb([40, 40, 40]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// Renders one row for each of `sources` (name and image). Its columns are the undistorted image, each operation of
/// `pipeline` alone, whatever its probability, and a copy by the whole pipeline. Images are `side` pixels wide; columns
/// are numbered from 0.
///
/// # Panics
/// If `side` is 0 or an image has no pixels.
pub fn contact_sheet(pipeline: &Pipeline, sources: &[(String, RgbImage)], side: u32, seed: u64) -> RgbImage {
    let columns = pipeline.operations.len() as u32 + 2;
    let pitch = side.max(2 * DIGIT.0 + GAP) + GAP;
    let (width, height) = (columns * pitch + GAP, HEADER + sources.len() as u32 * (side + GAP));
    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    for column in 0..columns {
        draw_number(&mut sheet, column, GAP + column * pitch);
    }
    let rows: Vec<Vec<RgbImage>> = sources
        .par_iter()
        .map(|(name, image)| {
            let alone = (0..pipeline.operations.len()).map(|index| pipeline.plan_alone(seed, name, 1, index));
            let plans = std::iter::once(Plan::default()).chain(alone).chain([pipeline.plan(seed, name, 1)]);
            let mut source = Source::new(image.clone(), side).with_interpolation(pipeline.interpolation);
            plans.map(|plan| source.render(&plan)).collect()
        })
        .collect();
    for (row, images) in (0..).zip(&rows) {
        for (column, image) in (0..).zip(images) {
            let (x, y) = (GAP + column * pitch, HEADER + row * (side + GAP));
            imageops::replace(&mut sheet, image, x.into(), y.into());
        }
    }
    sheet
}

/// Draws `number` into the header with its left edge at `x`.
fn draw_number(sheet: &mut RgbImage, number: u32, x: u32) {
    for (index, digit) in (0..).zip(number.to_string().bytes()) {
        draw_digit(sheet, digit - b'0', (x + index * (DIGIT.0 + GAP)) as i32);
    }
}

fn draw_digit(sheet: &mut RgbImage, digit: u8, x: i32) {
    /// The bars of each digit: top, upper left, upper right, middle, lower left, lower right, bottom.
    const BARS: [u8; 10] = [
        0b111_0111, 0b001_0010, 0b101_1101, 0b101_1011, 0b011_1010, 0b110_1011, 0b110_1111, 0b101_0010, 0b111_1111,
        0b111_1011,
    ];
    let (width, height, bar) = DIGIT;
    let (right, middle, y) = ((width - bar) as i32, ((height - bar) / 2) as i32, GAP as i32);
    let (horizontal, vertical) = ((width, bar), (bar, height / 2 + bar / 2));
    let bars = [
        (0, 0, horizontal),
        (0, 0, vertical),
        (right, 0, vertical),
        (0, middle, horizontal),
        (0, middle, vertical),
        (right, middle, vertical),
        (0, (height - bar) as i32, horizontal),
    ];
    for (index, (left, upper, (width, height))) in bars.into_iter().enumerate() {
        if BARS[usize::from(digit)] >> (6 - index) & 1 == 1 {
            draw_filled_rect_mut(sheet, Rect::at(x + left, y + upper).of_size(width, height), INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_shows_the_image_each_operation_alone_and_the_whole_pipeline() {
        let text = "[[operation]]\nname = \"flip_left_right\"\nprobability = 0\n\
                    [[operation]]\nname = \"invert\"\nprobability = 1\n";
        let pipeline = Pipeline::from_toml("p.toml", text).unwrap();
        let image = RgbImage::from_fn(32, 32, |x, y| Rgb([x as u8 * 8, y as u8 * 8, 7]));
        let sources = [("a".to_owned(), image.clone()), ("b".to_owned(), imageops::flip_vertical(&image))];
        let sheet = contact_sheet(&pipeline, &sources, 32, 0);
        let cell = |column: u32, row: u32| {
            imageops::crop_imm(&sheet, GAP + column * (32 + GAP), HEADER + row * (32 + GAP), 32, 32).to_image()
        };
        let mut inverted = image.clone();
        imageops::invert(&mut inverted);
        assert_eq!(cell(0, 0), image);
        assert_eq!(cell(1, 0), imageops::flip_horizontal(&image));
        assert_eq!(cell(2, 0), inverted);
        assert_eq!(cell(3, 0), inverted);
        assert_eq!(cell(1, 1), imageops::rotate180(&image));
        assert_eq!(sheet.dimensions(), (4 * 36 + GAP, HEADER + 2 * 36));
    }

    #[test]
    fn digits_differ() {
        let drawn = |number| {
            let mut sheet = RgbImage::from_pixel(40, HEADER, PAPER);
            draw_number(&mut sheet, number, 0);
            sheet.into_raw()
        };
        let all: std::collections::BTreeSet<_> = (0..100).map(drawn).collect();
        assert_eq!(all.len(), 100);
    }
}
