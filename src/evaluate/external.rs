//! Predictions of another tool, as Parquet, CSV or tab separated text: a column of file names, and a column of
//! probabilities for each attribute under its name in CelebA. Rows and columns are in any order, and are sorted to match
//! the images of a run, which has the labels. A file of `predict --csv`, with a row for each image and attribute, is read too.

mod names;
mod table;

use crate::attribute::{self, COUNT, NAMES};
use crate::error::{Error, Result};
use std::path::Path;
use table::Table;

/// Predictions for the images of a run.
pub(super) struct External {
    /// `[images * 40]`, attributes in the order of [`NAMES`], rounded to f32 like a run's own.
    pub(super) probabilities: Vec<f32>,
    /// Titles of the columns that are no attribute and were left out.
    pub(super) left_out: Vec<String>,
}

/// Reads the probabilities in `path` for `images`, with a column for each attribute that is `scored` at least.
///
/// # Errors
/// A missing or duplicate column or image, no column that names images of the run, or a value that is no number from 0 to
/// 1. The error names the row.
pub(super) fn read(path: &Path, images: &[String], scored: &[bool; COUNT]) -> Result<External> {
    let table = Table::read(path, images.len())?.wide()?;
    let columns = attribute_columns(&table, scored)?;
    if table.rows() == 0 {
        return Err(Error::file(path, "has no rows: give one for each test image of the run"));
    }
    let names = names::find(&table, images)?;
    let mut row_of: Vec<Option<usize>> = vec![None; images.len()];
    let mut probabilities = vec![0.0; images.len() * COUNT];
    for (row, image) in names.images.iter().enumerate() {
        if let Some(before) = row_of[*image].replace(row) {
            let name = names.text(&table, row);
            return Err(table.wrong(row, format!("image `{name}` is a duplicate of {}", table.position(before))));
        }
    }
    let present = columns.iter().enumerate().filter_map(|(attribute, column)| Some((attribute, (*column)?)));
    for (attribute, column) in present {
        for (row, image) in names.images.iter().enumerate() {
            probabilities[image * COUNT + attribute] = match table.number(column, row) {
                Ok(value) if (0.0..=1.0).contains(&value) => value as f32,
                // An attribute that is not compared may have no prediction.
                Err(text) if text.is_empty() && !scored[attribute] => 0.0,
                other => {
                    let found = other.map_or_else(|text| text, |value| value.to_string());
                    let message = format!("`{}` is `{found}`, expected a number from 0 to 1", NAMES[attribute]);
                    return Err(table.wrong(row, message));
                }
            };
        }
    }
    let missing: Vec<&String> = images.iter().zip(&row_of).filter(|(_, row)| row.is_none()).map(|(i, _)| i).collect();
    if let Some(first) = missing.first() {
        let message = format!(
            "has no row for {} of the {} test images, the first of them `{first}`: give probabilities for each",
            missing.len(),
            images.len()
        );
        return Err(Error::file(path, message));
    }
    let is_used = |column: usize| column == names.column || columns.contains(&Some(column));
    let left_out = (0..table.header.len()).filter(|column| !is_used(*column));
    Ok(External { probabilities, left_out: left_out.map(|column| table.title(column)).collect() })
}

/// Column index of each attribute; `None` if there is none, which an attribute that is not `scored` may lack.
fn attribute_columns(table: &Table, scored: &[bool; COUNT]) -> Result<[Option<usize>; COUNT]> {
    let wrong = |message: String| Err(Error::file(table.path, message));
    let mut columns = [None; COUNT];
    let mut others = Vec::new();
    for (column, title) in table.header.iter().enumerate() {
        let Some(attribute) = attribute::index(title) else {
            others.push(format!("`{}`", table.title(column)));
            continue;
        };
        if columns[attribute].replace(column).is_some() {
            return wrong(format!("has two columns for `{}`", NAMES[attribute]));
        }
    }
    let missing: Vec<&str> = (0..COUNT).filter(|i| scored[*i] && columns[*i].is_none()).map(|i| NAMES[i]).collect();
    if missing.is_empty() {
        return Ok(columns);
    }
    let found = match others.as_slice() {
        [] => String::new(),
        others => format!("; columns that are no attribute: {}", others.join(", ")),
    };
    wrong(format!("has no column for {} of the {COUNT} attributes: {}{found}", missing.len(), missing.join(", ")))
}
