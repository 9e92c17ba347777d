//! Writes the scan of the images: a section of the page, and CSV files.

use super::images::{DuplicateKind, ImageScan, IssueKind, MAX_HASH_BITS, MAX_LEVELS, THUMBNAIL};
use super::inspection::Inspection;
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::io;
use crate::render::format::thousands;
use crate::render::markdown::Table;
use crate::untrusted::{cell, markdown};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Number of duplicates listed on the page; the CSV files list all.
const LISTED: usize = 10;
/// Tables of all issues, duplicates and sizes.
const FILES: [&str; 3] = ["issues.csv", "duplicates.csv", "sizes.csv"];

/// Writes the tables into `folder`. Without a scan it removes those of an earlier one: the page would not mention them.
pub(super) fn write(inspection: &Inspection, folder: &Path) -> Result<()> {
    let Some(scan) = &inspection.images else {
        let written = io::written_files(folder)?;
        return FILES
            .iter()
            .filter(|name| written.contains(**name))
            .try_for_each(|name| io::remove(&folder.join(name)));
    };
    let rows = &inspection.rows;
    let issues =
        scan.issues.iter().map(|issue| [issue.source.as_str(), issue.kind.label(), issue.description.as_str()]);
    let duplicates = scan.duplicates.iter().map(|pair| {
        let (first, second) = (&rows[pair.rows.0], &rows[pair.rows.1]);
        [pair.kind.label(), first.source, first.split.label(), second.source, second.split.label()]
    });
    let mut sizes: BTreeMap<(Split, u32, u32), usize> = BTreeMap::new();
    for (row, size) in rows.iter().zip(&scan.sizes) {
        if let Some((width, height)) = size {
            *sizes.entry((row.split, *width, *height)).or_default() += 1;
        }
    }
    let sizes = sizes.iter().map(|((split, width, height), images)| {
        [split.label().to_owned(), width.to_string(), height.to_string(), images.to_string()]
    });
    let tables = [
        table(["source", "kind", "description"], issues)?,
        table(["kind", "first", "first_split", "second", "second_split"], duplicates)?,
        table(["split", "width", "height", "images"], sizes)?,
    ];
    FILES.iter().zip(tables).try_for_each(|(name, bytes)| io::write(&folder.join(name), &bytes))
}

/// A CSV file of `records` below `head`.
fn table<const N: usize, T: AsRef<str>>(head: [&str; N], records: impl Iterator<Item = [T; N]>) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Internal(format!("a table could not be written: {e}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(head).map_err(|e| failed(&e))?;
    for record in records {
        csv.write_record(record.each_ref().map(|text| cell(text.as_ref()).into_owned())).map_err(|e| failed(&e))?;
    }
    csv.into_inner().map_err(|e| failed(&e))
}

/// Appends the section on the images to the page, if they were scanned.
pub(super) fn describe(inspection: &Inspection, text: &mut String) {
    let Some(scan) = &inspection.images else { return };
    text.push_str("\n## Images\n\n");
    for line in lines(scan) {
        let _ = writeln!(text, "- {}", markdown(&line));
    }
    let links = FILES.map(|name| format!("[{name}]({name})"));
    let _ = writeln!(text, "\nAll: {}.\n\n{}", links.join(", "), rule());
    if scan.duplicates.is_empty() {
        return;
    }
    text.push_str("\nThe first duplicates; pairs across splits come first:\n\n");
    let mut table = Table::new(3, ["Kind", "First", "Second"]);
    for pair in scan.duplicates.iter().take(LISTED) {
        let named =
            |row: usize| format!("{} ({})", markdown(inspection.rows[row].source), inspection.rows[row].split.label());
        table.row([pair.kind.label().to_owned(), named(pair.rows.0), named(pair.rows.1)]);
    }
    let _ = write!(text, "{table}");
}

/// Explains near duplicates and the limits of the rule.
fn rule() -> String {
    format!(
        "Two images are near duplicates if two measures agree. Their difference hashes (of 9 x 8 grey pixels: which are \
         darker than their right neighbour) differ in at most {MAX_HASH_BITS} of 64 bits. Their grey thumbnails of \
         {THUMBNAIL} x {THUMBNAIL} pixels differ by at most {MAX_LEVELS} of 255 levels on average. All such pairs are \
         listed. The rule finds images that were saved again, resized, stretched, made grey or slightly changed in \
         brightness. It cannot find mirrored, rotated, cropped or shifted images, those much brighter or darker, or \
         another photograph of the same moment. It also pairs different images that look alike at this size, such as \
         plain areas or aligned portraits before a similar background. Check a near pair before you remove an image."
    )
}

/// A few lines for the page and for a terminal.
pub(super) fn lines(scan: &ImageScan) -> Vec<String> {
    let count = |kind: DuplicateKind, same: bool| {
        thousands(scan.duplicates.iter().filter(|pair| pair.kind == kind && pair.same_split == same).count())
    };
    let mut lines = vec![sizes(scan)];
    for (same, scope) in [(false, "across splits"), (true, "within a split")] {
        lines.push(format!(
            "pairs {scope}: {} with the same bytes, {} with the same pixels, {} near duplicates",
            count(DuplicateKind::SameBytes, same),
            count(DuplicateKind::SamePixels, same),
            count(DuplicateKind::Near, same)
        ));
    }
    for kind in IssueKind::ALL {
        let found: Vec<_> = scan.issues.iter().filter(|issue| issue.kind == kind).collect();
        let first =
            found.first().map_or_else(String::new, |issue| format!(", first {}: {}", issue.source, issue.description));
        lines.push(format!("{}: {}{first}", kind.label(), thousands(found.len())));
    }
    lines
}

fn sizes(scan: &ImageScan) -> String {
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for size in scan.sizes.iter().flatten() {
        *sizes.entry(*size).or_default() += 1;
    }
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = sizes
        .iter()
        .take(3)
        .map(|((width, height), count)| format!("{width} x {height} ({})", thousands(*count)))
        .collect();
    format!("sizes: {} different, most frequent {}", sizes.len(), shown.join(", "))
}
