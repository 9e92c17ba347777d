//! Writes an inspection: README.md, its tables as CSV, and the phi matrices as heat maps.

use super::image_page;
use super::inspection::Inspection;
use crate::attribute::{COUNT, NAMES};
use crate::error::Result;
use crate::io;
use crate::metrics::labels::{CONTRADICTIONS, Labels};
use crate::render::format::thousands;
use crate::render::grid::{self, CELL, LEFT, SIDE, TOP};
use crate::render::markdown::Table;
use crate::render::svg::{Anchor, INK, Svg};
use crate::untrusted::markdown;
use std::fmt::Write as _;
use std::path::Path;

/// Number of pairs listed on the page at either end of phi.
const STRONGEST: usize = 8;

/// A few lines for a terminal.
pub fn summary(inspection: &Inspection) -> String {
    let mut text = String::new();
    for (part, labels) in &inspection.parts {
        let unknown = unknown(labels).map_or_else(String::new, |unknown| format!(", {unknown}"));
        let _ = writeln!(text, "{part:>6}: {} images{unknown}", thousands(labels.images));
    }
    for (rule, count) in CONTRADICTIONS.iter().zip(inspection.all().contradictions) {
        let _ = writeln!(text, "{:>8} times {}", thousands(count), rule.words);
    }
    let pairs = inspection.all().pairs();
    for &(i, j, phi) in pairs.iter().rev().take(3).chain(pairs.iter().take(3)) {
        let _ = writeln!(text, "  phi {phi:+.3} {} and {}", NAMES[i], NAMES[j]);
    }
    if let Some(people) = inspection.shared_people {
        let _ = writeln!(text, "{people} people have images in more than one split");
    }
    for line in inspection.images.iter().flat_map(image_page::lines) {
        let _ = writeln!(text, "{line}");
    }
    text.trim_end().to_owned()
}

/// The number of labels that are not known, in words; `None` if all are.
fn unknown(labels: &Labels) -> Option<String> {
    let (all, known) = (COUNT * labels.images, (0..COUNT).map(|i| labels.known(i)).sum::<usize>());
    (known < all).then(|| format!("{} of {} labels not known", thousands(all - known), thousands(all)))
}

/// Writes the page and its files into `folder`.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(inspection: &Inspection, folder: &Path) -> Result<()> {
    io::create_folder(folder)?;
    // An earlier page may be of a data set with other splits.
    for name in io::written_files(folder)?.iter().filter(|name| name.starts_with("phi-")) {
        io::remove(&folder.join(name))?;
    }
    io::write(&folder.join("rates.csv"), rates(inspection).as_bytes())?;
    for (part, labels) in &inspection.parts {
        io::write(&folder.join(format!("phi-{part}.csv")), phi_table(labels).as_bytes())?;
        let title = format!("Correlation (phi) of the labels of {}, {part}", inspection.name.label());
        io::write(&folder.join(format!("phi-{part}.svg")), &heat_map(labels, &title))?;
    }
    image_page::write(inspection, folder)?;
    io::write(&folder.join("README.md"), page(inspection).as_bytes())
}

/// A table cell; empty if the value is undefined.
fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

fn rates(inspection: &Inspection) -> String {
    let parts: Vec<&str> = inspection.parts.iter().map(|(part, _)| *part).collect();
    let mut text = format!("attribute,{}\n", parts.join(","));
    for (i, name) in NAMES.iter().enumerate() {
        let rates: Vec<String> = inspection.parts.iter().map(|(_, labels)| cell(labels.rate(i), 6)).collect();
        let _ = writeln!(text, "{name},{}", rates.join(","));
    }
    text
}

fn phi_table(labels: &Labels) -> String {
    let mut text = format!("attribute,{}\n", NAMES.join(","));
    for (i, name) in NAMES.iter().enumerate() {
        let row: Vec<String> = (0..COUNT).map(|j| cell(labels.phi(i, j), 6)).collect();
        let _ = writeln!(text, "{name},{}", row.join(","));
    }
    text
}

fn page(inspection: &Inspection) -> String {
    let Inspection { name, annotations, .. } = inspection;
    let mut text = format!("# The labels of {}\n\n", name.label());
    let partition = &annotations.partition;
    let official =
        if partition.official { "The partition is the official one" } else { "The partition is NOT the official one" };
    let extent = partition.extent.as_ref().map(|extent| format!("The data is {}", markdown(extent)));
    let _ = writeln!(text, "{}: {}.\n", extent.as_deref().unwrap_or(official), markdown(&partition.description));
    annotations.notes.iter().for_each(|note| _ = writeln!(text, "- {}", markdown(note)));
    if let Some(people) = inspection.shared_people {
        let _ = writeln!(text, "- People with images in more than one split: {people}");
    }
    describe_rates(inspection, &mut text);
    describe_correlation(inspection, &mut text);
    describe_contradictions(inspection, &mut text);
    image_page::describe(inspection, &mut text);
    text
}

fn describe_rates(inspection: &Inspection, text: &mut String) {
    let parts = &inspection.parts;
    text.push_str("\n## Positive rates\n\nIn % of the images of each split; [rates.csv](rates.csv).\n\n");
    if let Some(unknown) = unknown(inspection.all()) {
        let _ = writeln!(text, "{unknown}: rates and correlations are those of the known ones.\n");
    }
    let heads = parts.iter().map(|(part, labels)| format!("{part} ({})", thousands(labels.images)));
    let mut table = Table::new(1, std::iter::once("Attribute".to_owned()).chain(heads));
    for (i, attribute) in NAMES.iter().enumerate() {
        let rates = parts.iter().map(|(_, labels)| cell(labels.rate(i).map(|rate| 100.0 * rate), 2));
        table.row(std::iter::once(format!("`{attribute}`")).chain(rates));
    }
    let _ = writeln!(text, "{table}");
}

fn describe_correlation(inspection: &Inspection, text: &mut String) {
    text.push_str(
        "## Correlation\n\nPhi is Pearson's correlation of two binary labels; it is undefined if one is constant.\n\n",
    );
    for (part, _) in &inspection.parts {
        let _ = writeln!(text, "![Heat map of phi, {part}](phi-{part}.svg)\n\n[phi-{part}.csv](phi-{part}.csv)\n");
    }
    let pairs = inspection.all().pairs();
    let mut table = Table::new(2, ["Attribute", "Attribute", "phi, all images"]);
    for &(i, j, phi) in pairs.iter().rev().take(STRONGEST).chain(pairs.iter().take(STRONGEST)) {
        table.row([format!("`{}`", NAMES[i]), format!("`{}`", NAMES[j]), format!("{phi:+.3}")]);
    }
    let _ = writeln!(text, "{table}");
}

fn describe_contradictions(inspection: &Inspection, text: &mut String) {
    text.push_str("## Contradictions\n\nNumber of images with contradictory labels.\n\n");
    let heads = inspection.parts.iter().map(|(part, _)| (*part).to_owned());
    let mut table = Table::new(1, std::iter::once("Labels".to_owned()).chain(heads));
    for (index, rule) in CONTRADICTIONS.iter().enumerate() {
        let counts = inspection.parts.iter().map(|(_, labels)| thousands(labels.contradictions[index]));
        table.row(std::iter::once(rule.words.to_owned()).chain(counts));
    }
    let _ = write!(text, "{table}");
}

/// Blue for -1, white for 0, red for 1: a colour-blind safe scale from ColorBrewer.
fn colour(phi: f64) -> String {
    let end: [f64; 3] = if phi < 0.0 { [33.0, 102.0, 172.0] } else { [178.0, 24.0, 43.0] };
    let share = phi.abs().min(1.0);
    let mix = |channel: usize| (247.0 + share * (end[channel] - 247.0)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// The phi matrix in the order of Table 1's groups; undefined cells stay empty.
fn heat_map(labels: &Labels, title: &str) -> Vec<u8> {
    let mut svg = Svg::new(LEFT + SIDE + 90.0, TOP + SIDE + 16.0, title);
    svg.heading((12.0, 24.0), 16.0, title);
    grid::draw(&mut svg, |i, j| labels.phi(i, j).map(colour), (INK, 0.6));
    for step in 0..=20 {
        let phi = 1.0 - f64::from(step) / 10.0;
        let (x, y) = (LEFT + SIDE + 18.0, TOP + f64::from(step) * CELL);
        svg.rect(x, y, CELL, CELL, &colour(phi));
        if step % 5 == 0 {
            svg.text((x + CELL + 5.0, y + CELL - 3.5), Anchor::Start, 10.5, &format!("{phi:+.1}"));
        }
    }
    svg.finish()
}
