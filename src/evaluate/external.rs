//! Predictions of another tool, as Parquet or CSV. The first column holds file names, the others probabilities for each
//! of the 40 attributes under their names in CelebA. Rows and attributes are in any order, and are sorted to match the
//! images of a run, which has the labels.

use crate::attribute::{self, COUNT, NAMES};
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Reads the probabilities in `path` for `images`: `[images * 40]`, attributes in the order of [`NAMES`], rounded to f32
/// like a run's own.
///
/// A name that is not among `images` is matched by the part after its last slash.
///
/// # Errors
/// A missing, unknown or duplicate column or image, or a value that is no number from 0 to 1. The error names the row.
pub fn read(path: &Path, images: &[String]) -> Result<Vec<f32>> {
    let csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let table = if csv { Table::of_csv(path)? } else { Table::of_parquet(path)? };
    let columns = table.columns()?;
    let names = Names::new(images);
    let mut row_of: Vec<Option<usize>> = vec![None; images.len()];
    let mut probabilities = vec![0.0; images.len() * COUNT];
    for (row, name) in table.names.iter().enumerate() {
        let Some(image) = names.find(name) else {
            let of = images.len();
            let message = format!("image `{name}` is not among the {of} test images of the reference run");
            return Err(table.wrong(row, message));
        };
        if let Some(before) = row_of[image].replace(row) {
            let before = before + table.first_row;
            let message = format!("image `{name}` is a duplicate of {} {before}", table.row_word);
            return Err(table.wrong(row, message));
        }
        for (attribute, &column) in columns.iter().enumerate() {
            probabilities[image * COUNT + attribute] = match &table.values[column][row] {
                Ok(value) if (0.0..=1.0).contains(value) => *value as f32,
                other => {
                    let found = other.as_ref().map_or_else(String::clone, f64::to_string);
                    let message = format!("`{}` is `{found}`, expected a number from 0 to 1", NAMES[attribute]);
                    return Err(table.wrong(row, message));
                }
            };
        }
    }
    let missing: Vec<&String> = images.iter().zip(&row_of).filter(|(_, row)| row.is_none()).map(|(i, _)| i).collect();
    let Some(first) = missing.first() else { return Ok(probabilities) };
    let message = format!(
        "has no row for {} of the {} test images, the first of them `{first}`: give probabilities for each",
        missing.len(),
        images.len()
    );
    Err(Error::file(path, message))
}

/// Indices of a run's images by name.
struct Names<'a> {
    whole: HashMap<&'a str, usize>,
    /// By the part after the last slash; `None` if two images share it.
    last: HashMap<&'a str, Option<usize>>,
}

impl<'a> Names<'a> {
    fn new(images: &'a [String]) -> Self {
        let mut names = Self { whole: HashMap::new(), last: HashMap::new() };
        for (index, image) in images.iter().enumerate() {
            names.whole.insert(image, index);
            names.last.entry(last(image)).and_modify(|shared| *shared = None).or_insert(Some(index));
        }
        names
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.whole.get(name).copied().or_else(|| self.last.get(last(name)).copied().flatten())
    }
}

fn last(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// A number, or text that is not one.
type Cell = std::result::Result<f64, String>;

/// The content of a file.
struct Table<'a> {
    path: &'a Path,
    /// Word for a row in error messages, and the number of the first row.
    row_word: &'static str,
    first_row: usize,
    /// The first column.
    names: Vec<String>,
    /// The other columns.
    header: Vec<String>,
    values: Vec<Vec<Cell>>,
}

impl<'a> Table<'a> {
    fn of_csv(path: &'a Path) -> Result<Self> {
        let bytes = io::read(path)?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let unreadable = |e: csv::Error| Error::file(path, format!("is not a CSV file that can be read: {e}"));
        let mut header: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
        header.drain(..header.len().min(1));
        let mut values: Vec<Vec<Cell>> = vec![Vec::new(); header.len()];
        let mut names = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            names.push(record.get(0).unwrap_or_default().to_owned());
            for (column, text) in values.iter_mut().zip(record.iter().skip(1)) {
                column.push(text.trim().parse().map_err(|_| text.to_owned()));
            }
        }
        // The header is line 1.
        Ok(Self { path, row_word: "line", first_row: 2, names, header, values })
    }

    fn of_parquet(path: &'a Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
        let frame = ParquetReader::new(file).finish().map_err(|e| {
            Error::file(path, format!("is not a Parquet file that can be read, nor does its name end in .csv: {e}"))
        })?;
        let Some((names, others)) = frame.columns().split_first() else {
            return Err(Error::file(path, "has no column"));
        };
        let names = names.str().map_err(|_| {
            let message = format!("column `{}` holds {}, expected file names as String", names.name(), names.dtype());
            Error::file(path, message)
        })?;
        let mut table = Self {
            path,
            row_word: "row",
            first_row: 1,
            names: names.iter().map(|name| name.unwrap_or_default().to_owned()).collect(),
            header: others.iter().map(|column| column.name().to_string()).collect(),
            values: Vec::new(),
        };
        for column in others {
            if !column.dtype().is_primitive_numeric() {
                let message = format!("column `{}` holds {}, expected numbers", column.name(), column.dtype());
                return Err(Error::file(path, message));
            }
            let column = column.cast(&DataType::Float64)?;
            let cell = |value: Option<f64>| value.ok_or_else(|| "null".to_owned());
            table.values.push(column.f64()?.iter().map(cell).collect());
        }
        Ok(table)
    }

    fn wrong(&self, row: usize, message: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("{} {}: {message}", self.row_word, row + self.first_row))
    }

    /// Column index of each attribute.
    fn columns(&self) -> Result<Vec<usize>> {
        let wrong = |message: String| Err(Error::file(self.path, message));
        let mut columns = vec![None; COUNT];
        for (column, name) in self.header.iter().enumerate() {
            let Some(attribute) = attribute::index(name) else {
                return wrong(format!(
                    "column `{name}` is not one of the {COUNT} attributes: expected a column of file names, then one of \
                     probabilities for each attribute"
                ));
            };
            if columns[attribute].replace(column).is_some() {
                return wrong(format!("has two columns for `{}`", NAMES[attribute]));
            }
        }
        let missing: Vec<&str> = (0..COUNT).filter(|i| columns[*i].is_none()).map(|i| NAMES[i]).collect();
        if !missing.is_empty() {
            return wrong(format!(
                "has no column for {} of the {COUNT} attributes: {}",
                missing.len(),
                missing.join(", ")
            ));
        }
        Ok(columns.into_iter().flatten().collect())
    }
}
