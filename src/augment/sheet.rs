//! The contact sheet of a pipeline: a row a source, a column an operation.

use super::{Pipeline, Plan, Source};
use image::{Rgb, RgbImage, imageops};
use imageproc::drawing::draw_filled_rect_mut;
use imageproc::rect::Rect;
use rayon::prelude::*;

/// Pixels between pictures.
const GAP: u32 = 4;
/// A digit of seven bars, in pixels: width, height, thickness of a bar.
const DIGIT: (u32, u32, u32) = (10, 18, 2);
const HEADER: u32 = DIGIT.1 + 3 * GAP;
const INK: Rgb<u8> = Rgb([40, 40, 40]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// One row for each of `sources` (name and picture): the undistorted picture, then each operation of `pipeline` alone,
/// applied whatever its probability, and last a copy of the whole pipeline, each `side` pixels wide. Columns are
/// numbered from 0.
///
/// # Panics
/// If `side` is 0 or a picture has no pixels.
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
        .map(|(name, picture)| {
            let alone = (0..pipeline.operations.len()).map(|place| pipeline.alone(seed, name, 1, place));
            let plans = std::iter::once(Plan::default()).chain(alone).chain([pipeline.plan(seed, name, 1)]);
            let mut source = Source::new(picture.clone(), side).sampled_by(pipeline.sampling);
            plans.map(|plan| source.render(&plan)).collect()
        })
        .collect();
    for (row, pictures) in (0..).zip(&rows) {
        for (column, picture) in (0..).zip(pictures) {
            let (x, y) = (GAP + column * pitch, HEADER + row * (side + GAP));
            imageops::replace(&mut sheet, picture, x.into(), y.into());
        }
    }
    sheet
}

/// `number` with its upper left corner at `x` in the header.
fn draw_number(sheet: &mut RgbImage, number: u32, x: u32) {
    for (place, digit) in (0..).zip(number.to_string().bytes()) {
        draw_digit(sheet, digit - b'0', (x + place * (DIGIT.0 + GAP)) as i32);
    }
}

fn draw_digit(sheet: &mut RgbImage, digit: u8, x: i32) {
    /// For each digit its bars: top, upper left, upper right, middle, lower left, lower right, bottom.
    const BARS: [u8; 10] = [
        0b111_0111, 0b001_0010, 0b101_1101, 0b101_1011, 0b011_1010, 0b110_1011, 0b110_1111, 0b101_0010, 0b111_1111,
        0b111_1011,
    ];
    let (width, height, bar) = DIGIT;
    let (right, middle, y) = ((width - bar) as i32, ((height - bar) / 2) as i32, GAP as i32);
    let (flat, upright) = ((width, bar), (bar, height / 2 + bar / 2));
    let bars = [
        (0, 0, flat),
        (0, 0, upright),
        (right, 0, upright),
        (0, middle, flat),
        (0, middle, upright),
        (right, middle, upright),
        (0, (height - bar) as i32, flat),
    ];
    for (place, (left, upper, (width, height))) in bars.into_iter().enumerate() {
        if BARS[usize::from(digit)] >> (6 - place) & 1 == 1 {
            draw_filled_rect_mut(sheet, Rect::at(x + left, y + upper).of_size(width, height), INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_shows_the_picture_each_operation_alone_and_the_whole() {
        let text = "[[operation]]\nname = \"flip_left_right\"\nprobability = 0\n\
                    [[operation]]\nname = \"invert\"\nprobability = 1\n";
        let pipeline = Pipeline::from_toml("p.toml", text).unwrap();
        let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([x as u8 * 8, y as u8 * 8, 7]));
        let sources = [("a".to_owned(), picture.clone()), ("b".to_owned(), imageops::flip_vertical(&picture))];
        let sheet = contact_sheet(&pipeline, &sources, 32, 0);
        let cell = |column: u32, row: u32| {
            imageops::crop_imm(&sheet, GAP + column * (32 + GAP), HEADER + row * (32 + GAP), 32, 32).to_image()
        };
        let mut inverted = picture.clone();
        imageops::invert(&mut inverted);
        assert_eq!(cell(0, 0), picture);
        assert_eq!(cell(1, 0), imageops::flip_horizontal(&picture));
        assert_eq!(cell(2, 0), inverted);
        assert_eq!(cell(3, 0), inverted);
        assert_eq!(cell(1, 1), imageops::rotate180(&picture));
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
