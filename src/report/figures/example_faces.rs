//! Figures with faces: masks over them, and a contact sheet of the most confident errors.

use super::super::headings;
use super::super::results::csv_file;
use super::super::results::examples::{COLUMNS, ERRORS, ERRORS_FILE, ExampleFaces, FaceSheet, TILE};
use super::super::runs::Report;
use super::figure::Figure;
use super::masks::range;
use crate::attribute::{NAMES, by_group};
use crate::error::Result;
use crate::io;
use crate::render::svg::{Anchor, Svg};
use crate::variant::REGISTRY;
use image::RgbImage;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SIDE: f64 = TILE as f64;
/// Width of an attribute's name.
const NAME: f64 = 136.0;
const TOP: f64 = 66.0;
/// Attributes stand in this many blocks side by side.
const BLOCKS: usize = 2;
const MASKS_FIGURE: &str = "masks-over-faces.svg";
const ERRORS_FIGURE: &str = "most-confident-errors.svg";

/// The figures of a report on synthetic faces.
pub(super) fn figures(report: &Report, faces: &FaceSheet) -> Vec<Figure> {
    let title = report.registry.title(&faces.variant);
    let run = format!("{title} seed {}", faces.seed);
    let words = |file: &str| match file {
        MASKS_FIGURE => (
            headings::MASKS,
            format!("The masks of {run} on the mean test face and on test faces, one row per attribute"),
            format!(
                "{run}: the masks of each attribute. On the left the mean mask on the mean test face, beside it the first test \
                 images with their own masks. Darker means a lower mask value, on one scale per attribute with its ends below \
                 the name."
            ),
        ),
        _ => (
            headings::ERRORS,
            format!("The most confident errors of {run}, up to {ERRORS} faces per attribute"),
            format!(
                "{run}: the wrong predictions of the primary head furthest from 0.5, by attribute. Below a face: its label and \
                 the predicted probability of \"yes\". [results/{ERRORS_FILE}](results/{ERRORS_FILE}) holds the image names."
            ),
        ),
    };
    let drawn = drawn(faces, title, &report.caption()).into_iter();
    drawn
        .map(|(file, svg)| {
            let (section, alt, text) = words(file);
            Figure { section, file: file.to_owned(), alt, text, svg }
        })
        .collect()
}

impl ExampleFaces {
    /// Names of the files that [`ExampleFaces::write_figures`] writes.
    pub fn figure_files() -> BTreeSet<String> {
        [ERRORS_FILE, ERRORS_FIGURE, MASKS_FIGURE].map(str::to_owned).into()
    }

    /// Draws the figures into `folder`, which should be in the run's folder: faces of people stay out of reports. `mean` is
    /// the mean face, `faces` are those of [`ExampleFaces::images`].
    pub fn write_figures(&self, mean: &RgbImage, faces: &[RgbImage], folder: &Path) -> Result<()> {
        let sheet = self.sheet(mean, faces)?;
        io::create_folder(folder)?;
        csv_file::write(&folder.join(ERRORS_FILE), self.errors.iter())?;
        let caption = format!("{}: people, do not publish", self.summary.id);
        for (file, svg) in drawn(&sheet, REGISTRY.title(&sheet.variant), &caption) {
            io::write(&folder.join(file), &svg)?;
        }
        Ok(())
    }
}

/// File names and figures; `title` is the variant's.
fn drawn(faces: &FaceSheet, title: &str, caption: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut drawn = Vec::new();
    if !faces.masks.is_empty() {
        drawn.push((MASKS_FIGURE, masks(faces, title, caption)));
    }
    drawn.push((ERRORS_FIGURE, errors(faces, title, caption)));
    drawn
}

/// Corner of the first of `across` faces of an attribute, in a row of `height`.
fn corner(place: usize, across: usize, height: f64) -> (f64, f64) {
    let rows = NAMES.len().div_ceil(BLOCKS);
    let block = NAME + across as f64 * (SIDE + 6.0) + 18.0;
    (12.0 + (place / rows) as f64 * block + NAME, TOP + (place % rows) as f64 * height)
}

/// A figure with its title and the names of the attributes.
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

/// Draws a face of the sheet.
fn face(svg: &mut Svg, id: &str, tile: usize, at: (f64, f64)) {
    let (column, row) = (tile as u32 % COLUMNS, tile as u32 / COLUMNS);
    svg.tile(id, (column * TILE, row * TILE), TILE, at);
}

fn errors(faces: &FaceSheet, title: &str, caption: &str) -> Vec<u8> {
    const ID: &str = "faces-of-errors";
    const HEIGHT: f64 = SIDE + 22.0;
    let title = format!("Most confident errors of {title}, seed {}", faces.seed);
    let mut svg = frame(&title, caption, ERRORS, HEIGHT);
    svg.embed_image(ID, faces.size, "image/jpeg", &faces.jpeg);
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (left, y) = corner(place, ERRORS, HEIGHT);
        for (number, error) in faces.errors[i].iter().take(ERRORS).enumerate() {
            let x = left + number as f64 * (SIDE + 6.0);
            face(&mut svg, ID, error.tile, (x, y));
            let label = if error.label { "yes" } else { "no" };
            let words = format!("{label}, {:.3}", error.probability);
            svg.text((x + SIDE / 2.0, y + SIDE + 12.0), Anchor::Middle, 10.0, &words);
        }
    }
    svg.finish()
}

fn masks(faces: &FaceSheet, title: &str, caption: &str) -> Vec<u8> {
    const ID: &str = "faces-of-masks";
    const HEIGHT: f64 = SIDE + 6.0;
    let across = faces.masks.len();
    let title = format!("Masks of {title}, seed {}, over the mean face and test faces", faces.seed);
    let mut svg = frame(&title, caption, across, HEIGHT);
    svg.embed_image(ID, faces.size, "image/jpeg", &faces.jpeg);
    for block in [0, NAMES.len() / BLOCKS] {
        let (x, y) = corner(block, across, HEIGHT);
        svg.text((x, y - 7.0), Anchor::Start, 10.0, "mean face");
        svg.text((x + SIDE + 6.0, y - 7.0), Anchor::Start, 10.0, "test faces");
    }
    let side = faces.masks[0][0].len().isqrt();
    let cell = SIDE / side as f64;
    let mut shades: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
    for (place, (i, _)) in by_group().into_iter().enumerate() {
        let (left, y) = corner(place, across, HEIGHT);
        let (low, high) = range(faces.masks.iter().flat_map(|maps| &maps[i]));
        svg.text((left - 8.0, y + SIDE / 2.0 + 17.0), Anchor::End, 9.5, &format!("{low:.3} to {high:.3}"));
        for (tile, maps) in faces.masks.iter().enumerate() {
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
