//! The column of a table that names a run's images, and the image of each row.

use super::table::Table;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The images that a column names.
pub(super) struct Named {
    pub(super) column: usize,
    /// Index of the image of each row.
    pub(super) images: Vec<usize>,
}

impl Named {
    /// The name in a row.
    pub(super) fn text(&self, table: &Table, row: usize) -> String {
        table.text(self.column, row)
    }
}

/// The part of a name that is compared, the strictest first.
const PARTS: [fn(&str) -> Option<String>; 4] = [whole, last, stem, number];

/// Finds the column whose values all name one of `images`. Names are compared as they are, then by the part after the last
/// slash, then without extension, then as numbers, so that `81` is `000081.jpg`. A part that two images share names none.
///
/// # Errors
/// No such column, or two that name different images.
pub(super) fn find(table: &Table, images: &[String]) -> Result<Named> {
    for (strictness, part) in PARTS.into_iter().enumerate() {
        let known = Known::new(images, part);
        // A column without a title is an index, whose numbers are no names.
        let is_name =
            |column: &usize| table.is_other(*column) && (strictness < PARTS.len() - 1 || !table.is_index(*column));
        let of_column = |column: usize| Some(Named { column, images: known.of_rows(table, column)? });
        let mut found = (0..table.header.len()).filter(is_name).filter_map(of_column);
        let Some(first) = found.next() else { continue };
        return match found.find(|other| other.images != first.images) {
            None => Ok(first),
            Some(other) => Err(Error::file(
                table.path,
                format!(
                    "columns `{}` and `{}` name different images of the run: leave one out",
                    table.title(first.column),
                    table.title(other.column)
                ),
            )),
        };
    }
    Err(unmatched(table, images))
}

/// The error of a table without a column of the run's images: the first strange name in the column with the most names.
fn unmatched(table: &Table, images: &[String]) -> Error {
    let example = images.first().map_or("", String::as_str);
    let known: Vec<Known> = PARTS.into_iter().map(|part| Known::new(images, part)).collect();
    let is_known = |column: usize, row: usize| known.iter().any(|known| known.find(&table.text(column, row)).is_some());
    let count = |column: &usize| (0..table.rows()).filter(|row| is_known(*column, *row)).count();
    let columns = (0..table.header.len()).filter(|column| table.is_other(*column));
    // The first of equal counts.
    let Some(column) = columns.rev().max_by_key(count) else {
        return Error::file(table.path, format!("has no column of file names, such as `{example}`"));
    };
    let row = (0..table.rows()).find(|row| !is_known(column, *row)).unwrap_or_default();
    let message = format!(
        "image `{}` is not among the {} test images of the reference run, whose names look like `{example}`",
        table.text(column, row),
        images.len()
    );
    table.wrong(row, message)
}

/// Indices of a run's images by a part of their names; `None` if two images share it.
struct Known {
    part: fn(&str) -> Option<String>,
    images: HashMap<String, Option<usize>>,
}

impl Known {
    fn new(images: &[String], part: fn(&str) -> Option<String>) -> Self {
        let mut known = HashMap::new();
        for (index, image) in images.iter().enumerate() {
            if let Some(part) = part(image) {
                known.entry(part).and_modify(|shared| *shared = None).or_insert(Some(index));
            }
        }
        Self { part, images: known }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.images.get(&(self.part)(name)?).copied().flatten()
    }

    /// The image of each row; `None` if a row has none.
    fn of_rows(&self, table: &Table, column: usize) -> Option<Vec<usize>> {
        let images: Option<Vec<usize>> = (0..table.rows()).map(|row| self.find(&table.text(column, row))).collect();
        images.filter(|images| !images.is_empty())
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the other parts may be missing")]
fn whole(name: &str) -> Option<String> {
    Some(name.replace('\\', "/"))
}

fn last(name: &str) -> Option<String> {
    name.rsplit(['/', '\\']).next().map(str::to_owned)
}

fn stem(name: &str) -> Option<String> {
    let last = last(name)?;
    let stem = Path::new(&last).file_stem()?.to_str()?;
    Some(stem.to_owned())
}

fn number(name: &str) -> Option<String> {
    Some(stem(name)?.parse::<u64>().ok()?.to_string())
}
