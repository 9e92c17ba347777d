//! A table of another tool: text with any separator, or Parquet.

use crate::attribute;
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Characters between the columns of text.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Titles of the index that pandas writes.
const INDEX: [&str; 4] = ["", "index", "Unnamed: 0", "__index_level_0__"];

/// Columns of a file with a row for each image and attribute.
const LONG: [&str; 2] = ["image", "attribute"];
/// Its probabilities, the primary head's first.
const HEADS: [&str; 2] = ["probability_cln", "probability_fln"];

/// The content of a file.
pub(super) struct Table<'a> {
    pub(super) path: &'a Path,
    pub(super) header: Vec<String>,
    columns: Vec<Cells>,
    /// Word for a row in messages, and the number of each row.
    word: &'static str,
    numbers: Vec<usize>,
}

/// The values of a column.
pub(super) enum Cells {
    Text(Vec<String>),
    /// A missing value is `None`.
    Numbers(Vec<Option<f64>>),
}

impl<'a> Table<'a> {
    /// Reads a table of predictions for `images` images, with a row for each, or for each and attribute.
    pub(super) fn read(path: &'a Path, images: usize) -> Result<Self> {
        let bytes = io::read_up_to(path, io::TABLE_BYTES)?;
        if bytes.starts_with(PARQUET) {
            return Self::of_parquet(path, &bytes, images.saturating_mul(attribute::COUNT));
        }
        io::check_text(path, &bytes)?;
        match std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes)) {
            Ok(text) => Self::of_text(path, text),
            Err(_) => Err(Error::file(path, "is neither Parquet nor a table as UTF-8 text: save it as one of these")),
        }
    }

    fn of_text(path: &'a Path, text: &str) -> Result<Self> {
        let unreadable = |e: csv::Error| Error::file(path, format!("is not a table that can be read: {e}"));
        let mut reader = csv::ReaderBuilder::new().delimiter(separator(text)).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers().map_err(unreadable)?.iter().map(|title| title.trim().to_owned()).collect();
        let mut columns = vec![Vec::new(); header.len()];
        let mut numbers = Vec::new();
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            numbers.push(record.position().map_or(0, |position| position.line() as usize));
            columns.iter_mut().zip(&record).for_each(|(column, cell)| column.push(cell.trim().to_owned()));
        }
        Ok(Self { path, header, columns: columns.into_iter().map(Cells::Text).collect(), word: "line", numbers })
    }

    fn of_parquet(path: &'a Path, bytes: &[u8], max_rows: usize) -> Result<Self> {
        let advice = "give one row for each test image of the run";
        let io::ParquetTable { frame, others } = io::parse_parquet(path, bytes, Some(max_rows), advice)?;
        let cells = |column: &Column| -> Result<Cells> {
            Ok(match column.dtype() {
                DataType::String => Cells::Text(texts(column.str()?.iter())),
                DataType::Boolean => {
                    Cells::Numbers(column.bool()?.iter().map(|v| v.map(|v| f64::from(u8::from(v)))).collect())
                }
                dtype if dtype.is_primitive_numeric() => {
                    Cells::Numbers(column.cast(&DataType::Float64)?.f64()?.iter().collect())
                }
                dtype => Cells::Text(vec![format!("<{dtype}>"); column.len()]),
            })
        };
        let mut header: Vec<String> = frame.columns().iter().map(|column| column.name().to_string()).collect();
        let mut columns = frame.columns().iter().map(cells).collect::<Result<Vec<_>>>()?;
        for (title, kind) in others {
            header.push(title);
            columns.push(Cells::Text(vec![format!("<{kind}>"); frame.height()]));
        }
        Ok(Self { path, header, columns, word: "row", numbers: (1..=frame.height()).collect() })
    }

    /// A table with a row for each image, from one with a row for each image and attribute; others stay as they are.
    pub(super) fn wide(self) -> Result<Self> {
        let find = |title: &str| self.header.iter().position(|found| found == title);
        let has_value = |column: &usize| (0..self.rows()).any(|row| !self.text(*column, row).is_empty());
        let probability = HEADS.into_iter().filter_map(find).find(has_value);
        let (Some(image), Some(attribute), Some(probability)) = (find(LONG[0]), find(LONG[1]), probability) else {
            return Ok(self);
        };
        let mut rows: HashMap<String, usize> = HashMap::new();
        let (mut images, mut numbers) = (Vec::new(), Vec::new());
        let mut values: Vec<Vec<Option<f64>>> = vec![Vec::new(); attribute::COUNT];
        for row in 0..self.rows() {
            let (name, title) = (self.text(image, row), self.text(attribute, row));
            let Some(index) = attribute::index(&title) else {
                return Err(self.wrong(row, format!("`{title}` is not one of the {} attributes", attribute::COUNT)));
            };
            let place = *rows.entry(name.clone()).or_insert_with(|| {
                images.push(name.clone());
                numbers.push(self.numbers[row]);
                images.len() - 1
            });
            values[index].resize(images.len(), None);
            let value = match self.number(probability, row) {
                Ok(value) => Some(value),
                Err(text) if text.is_empty() => None,
                Err(text) => return Err(self.wrong(row, format!("`{text}` is not a number"))),
            };
            if values[index][place].is_some() {
                return Err(self.wrong(row, format!("image `{name}` has two rows of `{title}`")));
            }
            values[index][place] = value;
        }
        for column in &mut values {
            column.resize(images.len(), None);
        }
        let header = std::iter::once(LONG[0]).chain(attribute::NAMES).map(str::to_owned).collect();
        let columns = std::iter::once(Cells::Text(images)).chain(values.into_iter().map(Cells::Numbers)).collect();
        Ok(Self { header, columns, numbers, ..self })
    }

    pub(super) fn rows(&self) -> usize {
        self.numbers.len()
    }

    /// The title of a column, or its number if it has none.
    pub(super) fn title(&self, column: usize) -> String {
        let title = &self.header[column];
        if title.is_empty() { format!("column {}", column + 1) } else { title.clone() }
    }

    /// True for a column that is no attribute.
    pub(super) fn is_other(&self, column: usize) -> bool {
        attribute::index(&self.header[column]).is_none()
    }

    /// True for a column with the title of an index.
    pub(super) fn is_index(&self, column: usize) -> bool {
        INDEX.contains(&self.header[column].as_str())
    }

    /// A cell as text; empty if it is missing.
    pub(super) fn text(&self, column: usize, row: usize) -> String {
        match &self.columns[column] {
            Cells::Text(texts) => texts[row].clone(),
            Cells::Numbers(numbers) => numbers[row].map_or_else(String::new, |number| number.to_string()),
        }
    }

    /// A cell as a number, or the text that is none. A decimal comma and truth values are read.
    pub(super) fn number(&self, column: usize, row: usize) -> std::result::Result<f64, String> {
        let text = match &self.columns[column] {
            Cells::Numbers(numbers) => return numbers[row].ok_or_else(String::new),
            Cells::Text(texts) => &texts[row],
        };
        let with_point = if text.contains('.') { text.clone() } else { text.replace(',', ".") };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            _ => with_point.parse().map_err(|_| text.clone()),
        }
    }

    /// A row's position in the file.
    pub(super) fn position(&self, row: usize) -> String {
        format!("{} {}", self.word, self.numbers[row])
    }

    pub(super) fn wrong(&self, row: usize, message: impl std::fmt::Display) -> Error {
        Error::file(self.path, format!("{}: {message}", self.position(row)))
    }
}

fn texts<'t>(values: impl Iterator<Item = Option<&'t str>>) -> Vec<String> {
    values.map(|value| value.unwrap_or_default().to_owned()).collect()
}

/// The separator that gives the first line the most columns.
fn separator(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |separator: &u8| header.matches(char::from(*separator)).count();
    // The first of equal counts.
    SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(SEPARATORS[0])
}
