//! Figures with faces: masks over them, and a contact sheet of the most confident errors.

use super::super::album::{COLUMNS, ERRORS, Faces, TILE};
use super::super::sections;
use super::super::variants::Report;
use super::Figure;
use super::masks::range;
use crate::attribute::NAMES;
use crate::attribute::by_group;
use crate::render::svg::{Anchor, Svg};
use std::collections::BTreeMap;

const SIDE: f64 = TILE as f64;
/// Width of an attribute's name.
const NAME: f64 = 136.0;
const TOP: f64 = 66.0;
/// Attributes stand in this many blocks side by side.
const BLOCKS: usize = 2;
const MASKS_FILE: &str = "masks-over-faces.svg";
const ERRORS_FILE: &str = "most-confident-errors.svg";

/// The figures of a report on drawn faces.
pub(super) fn figures(report: &Report, album: &Faces) -> Vec<Figure> {
    let title = report.registry.title(&album.run.0);
    let run = format!("{title} seed {}", album.run.1);
    let words = |file: &str| match file {
        MASKS_FILE => (
            sections::MASKS,
            format!("The masks of {run} over the mean test face and over test faces, a row an attribute"),
            format!(
                "{run}: each attribute's masks, on the left the mean mask over the mean of the test faces, beside it the \
                 first test images with masks of their own. The lower a mask, the darker the place, on a scale of its own for each \
                 attribute, whose ends stand below its name."
            ),
        ),
        _ => (
            sections::ERRORS,
            format!("The most confident errors of {run}, up to {ERRORS} faces an attribute"),
            format!(
                "{run}: for each attribute the wrong answers furthest from one half, by the head the variant is judged \
                 by. Below a face its label and the probability of \"yes\" that it was given. Image names are in \
                 [results/mistakes.csv](results/mistakes.csv)."
            ),
        ),
    };
    let drawn = drawn(album, title, &report.caption()).into_iter();
    drawn
        .map(|(file, svg)| {
            let (section, alt, text) = words(file);
            Figure { section, file: file.to_owned(), alt, text, svg }
        })
        .collect()
}

/// File names and figures of an album; `title` is its variant's.
pub(in crate::report) fn drawn(album: &Faces, title: &str, caption: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut drawn = Vec::new();
    if !album.masks.is_empty() {
        drawn.push((MASKS_FILE, masks(album, title, caption)));
    }
    drawn.push((ERRORS_FILE, errors(album, title, caption)));
    drawn
}

/// Where the faces of an attribute begin, `across` of them in a row of `height`.
fn corner(place: usize, across: usize, height: f64) -> (f64, f64) {
    let rows = NAMES.len().div_ceil(BLOCKS);
    let block = NAME + across as f64 * (SIDE + 6.0) + 18.0;
    (12.0 + (place / rows) as f64 * block + NAME, TOP + (place % rows) as f64 * height)
}

/// A sheet with its title and every attribute's name.
fn frame(title: &str, caption: &str, across: usize, height: f64) -> Svg {
    let (right, bottom) = corner(NAMES.len() - 1, across, height);
    let mut svg = Svg::new(right + across as f64 * (SIDE + 6.0) + 6.0, bottom + height, title);
    svg.heading((12.0, 24.0), 16.0, title);
    svg.text((12.0, 42.0), Anchor::Start, 11.0, caption);
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (x, y) = corner(place, across, height);
        svg.text((x - 8.0, y + SIDE / 2.0 + 4.0), Anchor::End, 10.5, NAMES[i]);
    }
    svg
}

/// Puts a face of the album at a place.
fn face(svg: &mut Svg, id: &str, tile: usize, at: (f64, f64)) {
    let (column, row) = (tile as u32 % COLUMNS, tile as u32 / COLUMNS);
    svg.tile(id, (column * TILE, row * TILE), TILE, at);
}

fn errors(album: &Faces, title: &str, caption: &str) -> Vec<u8> {
    const ID: &str = "faces-of-errors";
    const HEIGHT: f64 = SIDE + 22.0;
    let title = format!("Most confident errors of {title}, seed {}", album.run.1);
    let mut svg = frame(&title, caption, ERRORS, HEIGHT);
    svg.embed_image(ID, album.size, "image/jpeg", &album.sheet);
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (left, y) = corner(place, ERRORS, HEIGHT);
        for (number, mistake) in album.mistakes[i].iter().take(ERRORS).enumerate() {
            let x = left + number as f64 * (SIDE + 6.0);
            face(&mut svg, ID, mistake.tile, (x, y));
            let answer = if mistake.label { "yes" } else { "no" };
            let words = format!("{answer}, {:.3}", mistake.probability);
            svg.text((x + SIDE / 2.0, y + SIDE + 12.0), Anchor::Middle, 10.0, &words);
        }
    }
    svg.finish()
}

fn masks(album: &Faces, title: &str, caption: &str) -> Vec<u8> {
    const ID: &str = "faces-of-masks";
    const HEIGHT: f64 = SIDE + 6.0;
    let across = album.masks.len();
    let title = format!("Masks of {title}, seed {}, over the mean face and test faces", album.run.1);
    let mut svg = frame(&title, caption, across, HEIGHT);
    svg.embed_image(ID, album.size, "image/jpeg", &album.sheet);
    for block in [0, NAMES.len() / BLOCKS] {
        let (x, y) = corner(block, across, HEIGHT);
        svg.text((x, y - 7.0), Anchor::Start, 10.0, "mean face");
        svg.text((x + SIDE + 6.0, y - 7.0), Anchor::Start, 10.0, "test faces");
    }
    let side = album.masks[0][0].len().isqrt();
    let cell = SIDE / side as f64;
    let mut shades: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (left, y) = corner(place, across, HEIGHT);
        let (low, high) = range(album.masks.iter().flat_map(|maps| &maps[i]));
        svg.text((left - 8.0, y + SIDE / 2.0 + 17.0), Anchor::End, 9.5, &format!("{low:.3} to {high:.3}"));
        for (tile, maps) in album.masks.iter().enumerate() {
            let x = left + tile as f64 * (SIDE + 6.0);
            face(&mut svg, ID, tile, (x, y));
            for (position, value) in maps[i].iter().enumerate() {
                let share = if high > low { (f64::from(*value) - low) / (high - low) } else { 1.0 };
                let at = (x + (position % side) as f64 * cell, y + (position / side) as f64 * cell);
                shades.entry((16.0 * (1.0 - share)).round() as u32).or_default().push(at);
            }
        }
    }
    for (darkness, places) in shades {
        svg.shade(&places, cell, 0.045 * f64::from(darkness));
    }
    svg.finish()
}
