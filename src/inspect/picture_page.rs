//! What was seen of the pictures, as a part of the page and as CSV files beside it.

use super::page::Inspection;
use super::pictures::{BITS, Fault, LEVELS, Likeness, Pictures, THUMBNAIL};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::io;
use crate::render::format::thousands;
use crate::render::markdown::Table;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Pictures named on the page; all are in the CSV files.
const NAMED: usize = 10;
/// Files of every flaw, of every pair, of every size.
const FILES: [&str; 3] = ["flaws.csv", "duplicates.csv", "sizes.csv"];

/// Writes the tables into `folder`, or removes those of an earlier look where the pictures were not looked at: the page
/// would not speak of them.
pub(super) fn write(inspection: &Inspection, folder: &Path) -> Result<()> {
    let Some(pictures) = &inspection.pictures else {
        return FILES.iter().try_for_each(|name| io::remove(&folder.join(name)));
    };
    let rows = &inspection.rows;
    let flaws = pictures.flaws.iter().map(|flaw| [flaw.source.as_str(), flaw.kind.label(), flaw.words.as_str()]);
    let twins = pictures.twins.iter().map(|twin| {
        let (first, second) = (&rows[twin.rows.0], &rows[twin.rows.1]);
        [likeness(twin.kind), first.source, first.split.label(), second.source, second.split.label()]
    });
    let mut sizes: BTreeMap<(Split, u32, u32), usize> = BTreeMap::new();
    for (row, size) in rows.iter().zip(&pictures.sizes) {
        if let Some((width, height)) = size {
            *sizes.entry((row.split, *width, *height)).or_default() += 1;
        }
    }
    let sizes = sizes.iter().map(|((split, width, height), images)| {
        [split.label().to_owned(), width.to_string(), height.to_string(), images.to_string()]
    });
    let tables = [
        table(["source", "kind", "words"], flaws)?,
        table(["kind", "first", "first_split", "second", "second_split"], twins)?,
        table(["split", "width", "height", "images"], sizes)?,
    ];
    FILES.iter().zip(tables).try_for_each(|(name, bytes)| io::write(&folder.join(name), &bytes))
}

/// A CSV file of `records` below `head`.
fn table<const N: usize, T: AsRef<[u8]>>(head: [&str; N], records: impl Iterator<Item = [T; N]>) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Internal(format!("a table could not be written: {e}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(head).map_err(|e| failed(&e))?;
    for record in records {
        csv.write_record(record).map_err(|e| failed(&e))?;
    }
    csv.into_inner().map_err(|e| failed(&e))
}

fn likeness(kind: Likeness) -> &'static str {
    match kind {
        Likeness::SameBytes => "same bytes",
        Likeness::SamePixels => "same pixels",
        Likeness::Near => "near",
    }
}

/// Adds the pictures' part to the page, where they were looked at.
pub(super) fn describe(inspection: &Inspection, text: &mut String) {
    let Some(pictures) = &inspection.pictures else { return };
    text.push_str("\n## Pictures\n\n");
    for line in lines(pictures) {
        let _ = writeln!(text, "- {line}");
    }
    let links = FILES.map(|name| format!("[{name}]({name})"));
    let _ = writeln!(text, "\nAll: {}.\n\n{}", links.join(", "), rule());
    if pictures.twins.is_empty() {
        return;
    }
    text.push_str("\nThe first duplicates, those across splits before others:\n\n");
    let mut table = Table::new(3, ["Likeness", "First", "Second"]);
    for twin in pictures.twins.iter().take(NAMED) {
        let named = |row: usize| format!("{} ({})", inspection.rows[row].source, inspection.rows[row].split.label());
        table.row([likeness(twin.kind).to_owned(), named(twin.rows.0), named(twin.rows.1)]);
    }
    let _ = write!(text, "{table}");
}

/// What near duplicates are, and what that can find.
fn rule() -> String {
    format!(
        "Near duplicates are two pictures that agree twice: their difference hashes (shrunk to 9 x 8 grey pixels, which \
         of them are darker than their right neighbour) differ in at most {BITS} of 64 bits, and their grey thumbnails of \
         {THUMBNAIL} x {THUMBNAIL} pixels by at most {LEVELS} of 255 levels on average. Every pair that does is listed. \
         The rule finds pictures saved again, in another quality or size, stretched, without colour or a little brighter \
         or darker. It cannot find mirrored or turned ones, those cropped or moved by more than a little, those much \
         brighter or darker, or other photographs of the same moment; and it takes different pictures for one where \
         they look alike at that size, such as plain areas, or portraits aligned before a like background. Look at a \
         near pair before you remove one of the two."
    )
}

/// A few lines for the page and for a terminal.
pub(super) fn lines(pictures: &Pictures) -> Vec<String> {
    let count = |kind: Likeness, same: bool| {
        thousands(pictures.twins.iter().filter(|twin| twin.kind == kind && twin.same_split == same).count())
    };
    let mut lines = vec![sizes(pictures)];
    for (same, place) in [(false, "across splits"), (true, "inside a split")] {
        lines.push(format!(
            "pairs {place}: {} of the same bytes, {} of the same pixels, {} near duplicates",
            count(Likeness::SameBytes, same),
            count(Likeness::SamePixels, same),
            count(Likeness::Near, same)
        ));
    }
    for kind in Fault::ALL {
        let found: Vec<_> = pictures.flaws.iter().filter(|flaw| flaw.kind == kind).collect();
        let first = found.first().map_or_else(String::new, |flaw| format!(", first {}: {}", flaw.source, flaw.words));
        lines.push(format!("{}: {}{first}", kind.label(), thousands(found.len())));
    }
    lines
}

fn sizes(pictures: &Pictures) -> String {
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for size in pictures.sizes.iter().flatten() {
        *sizes.entry(*size).or_default() += 1;
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = sizes
        .iter()
        .take(3)
        .map(|((width, height), count)| format!("{width} x {height} ({})", thousands(*count)))
        .collect();
    format!("sizes: {} different, the most frequent {}", sizes.len(), shown.join(", "))
}
