//! Reads a run's `predictions.parquet`: the test split, one row an image and attribute, images in manifest order and
//! attributes in the order of [`attribute::NAMES`]. Nothing is counted before every row is known to be in its place.

use crate::attribute::{self, COUNT};
use crate::error::{Error, Result};
use polars::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// The columns that are read; others are left alone.
const COLUMNS: [&str; 5] = ["image", "attribute", "label", "probability_fln", "probability_cln"];

/// Labels and predicted probabilities, `[image][attribute]` row-major with 40 attributes an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// The images' names, each once.
    pub images: Vec<String>,
    /// What is true.
    pub labels: Vec<bool>,
    /// Probability of the positive label by the FLN head, where the run has one.
    pub fln: Option<Vec<f32>>,
    /// Probability of the positive label by the CLN head, where the run has one.
    pub cln: Option<Vec<f32>>,
}

impl Predictions {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// A missing or mistyped column, rows out of order, a null, a probability that is no probability.
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
        let table = ParquetReader::new(file)
            .finish()
            .map_err(|e| Error::file(path, format!("is not a Parquet file that can be read: {e}; {AGAIN}")))?;
        let source = Source { path, table };
        let images = source.images()?;
        let label = source.column("label")?;
        let label = label.bool().map_err(|_| source.mistyped("label", "Boolean"))?;
        Ok(Self {
            images,
            labels: source.filled("label", label.iter())?,
            fln: source.probabilities("probability_fln")?,
            cln: source.probabilities("probability_cln")?,
        })
    }
}

/// What mends a bad predictions file.
const AGAIN: &str = "train the run again to write it anew";

/// The table with the name its complaints carry.
struct Source<'a> {
    path: &'a Path,
    table: DataFrame,
}

impl Source<'_> {
    fn column(&self, name: &str) -> Result<&Column> {
        self.table.column(name).map_err(|_| {
            let found: Vec<&str> = self.table.get_column_names().iter().map(|n| n.as_str()).collect();
            Error::file(
                self.path,
                format!("has no column `{name}`: found {}, expected {}; {AGAIN}", found.join(", "), COLUMNS.join(", ")),
            )
        })
    }

    fn mistyped(&self, name: &str, expected: &str) -> Error {
        let found = self.table.column(name).map_or_else(|_| "nothing".to_owned(), |c| c.dtype().to_string());
        Error::file(self.path, format!("column `{name}` holds {found}, expected {expected}; {AGAIN}"))
    }

    fn row(&self, row: usize, message: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("row {}: {message}; {AGAIN}", row + 1))
    }

    /// A column's values, none of which may be null.
    fn filled<T>(&self, name: &str, values: impl Iterator<Item = Option<T>>) -> Result<Vec<T>> {
        values
            .enumerate()
            .map(|(row, value)| value.ok_or_else(|| self.row(row, format_args!("`{name}` is null"))))
            .collect()
    }

    /// The images' names, once all rows are found to be whole blocks of the 40 attributes in order.
    fn images(&self) -> Result<Vec<String>> {
        let image = self.column("image")?.str().map_err(|_| self.mistyped("image", "String"))?;
        let attribute = self.column("attribute")?.str().map_err(|_| self.mistyped("attribute", "String"))?;
        let rows = self.table.height();
        if rows == 0 || !rows.is_multiple_of(COUNT) {
            let message = format!("holds {rows} rows, expected {COUNT} an image and at least one image; {AGAIN}");
            return Err(Error::file(self.path, message));
        }
        let image = self.filled("image", image.iter())?;
        let attribute = self.filled("attribute", attribute.iter())?;
        for row in 0..rows {
            let expected = attribute::NAMES[row % COUNT];
            if attribute[row] != expected {
                return Err(self.row(row, format_args!("attribute `{}`, expected `{expected}`", attribute[row])));
            }
            let first = image[row - row % COUNT];
            if image[row] != first {
                return Err(self.row(row, format_args!("image `{}` among the rows of `{first}`", image[row])));
            }
        }
        let images: Vec<String> = image.into_iter().step_by(COUNT).map(str::to_owned).collect();
        let mut seen = HashSet::with_capacity(images.len());
        if let Some(twice) = images.iter().position(|name| !seen.insert(name)) {
            return Err(self.row(twice * COUNT, format_args!("image `{}` comes a second time", images[twice])));
        }
        Ok(images)
    }

    /// A head's probabilities; a column of nothing but nulls is a head that the run does not have.
    fn probabilities(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let column = self.column(name)?;
        if column.null_count() == column.len() {
            return Ok(None);
        }
        let values = self.filled(name, column.f32().map_err(|_| self.mistyped(name, "Float32"))?.iter())?;
        match values.iter().position(|p| !(0.0..=1.0).contains(p)) {
            Some(row) => Err(self.row(row, format_args!("`{name}` is {}, expected a number from 0 to 1", values[row]))),
            None => Ok(Some(values)),
        }
    }
}
