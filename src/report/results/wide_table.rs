//! CSV files whose columns depend on the runs, or on the size of a mask.

use crate::attribute::{COUNT, NAMES, pairs};
use crate::error::{Error, Result};
use crate::evaluate::masks::Maps;
use crate::io;
use crate::metrics::phi::AttributeMatrix;
use crate::variant::REGISTRY;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A header and its rows, all as text.
pub(super) struct WideTable {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl WideTable {
    /// A table that will be the file `path`.
    pub(super) fn new(path: PathBuf, header: Vec<String>) -> Self {
        Self { path, header, rows: Vec::new() }
    }

    /// A table of masks: a name of each entry, the attribute, and the cells row by row.
    pub(super) fn of_masks<'a>(path: PathBuf, entries: impl IntoIterator<Item = (String, &'a Maps)>) -> Self {
        let mut table = Self::new(path, ["of", "attribute"].map(str::to_owned).to_vec());
        for (entry, maps) in entries {
            let cells = table.header.len() - 2..maps[0].len();
            table.header.extend(cells.map(|cell| format!("cell{cell}")));
            for (name, map) in NAMES.iter().zip(maps) {
                let cells = map.iter().map(|value| format!("{value:.5}"));
                table.row([entry.clone(), (*name).to_owned()].into_iter().chain(cells));
            }
        }
        table
    }

    /// Appends a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the file.
    pub(super) fn write(&self) -> Result<()> {
        let lines = std::iter::once(&self.header).chain(&self.rows);
        let text: String = lines.map(|row| row.join(",") + "\n").collect();
        io::write(&self.path, text.as_bytes())
    }

    /// Reads a file; a run's column may have its variant's former name.
    ///
    /// # Errors
    /// A file that is no CSV with rows of equal length.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = io::read(path)?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let unreadable = |e: csv::Error| Error::file(path, format!("is not as `gal-bench report` writes it: {e}"));
        let header: Vec<String> = cells(reader.headers().map_err(unreadable)?);
        let rows =
            reader.records().map(|record| record.map(|r| cells(&r)).map_err(unreadable)).collect::<Result<_>>()?;
        let header = header.iter().map(|column| current_column(column)).collect();
        Ok(Self { path: path.to_path_buf(), header, rows })
    }

    fn error(&self, why: impl std::fmt::Display) -> Error {
        Error::file(&self.path, format!("{why}: run `gal-bench evaluate` again"))
    }

    /// The cells of one column.
    pub(super) fn column(&self, name: &str) -> Result<impl Iterator<Item = &str>> {
        let place = self.header.iter().position(|column| column == name);
        let place = place.ok_or_else(|| self.error(format!("has no column `{name}`")))?;
        Ok(self.rows.iter().map(move |row| row[place].as_str()))
    }

    /// The numbers of one column.
    pub(super) fn numbers<T: FromStr>(&self, name: &str) -> Result<Vec<T>> {
        let parse = |cell: &str| cell.parse().map_err(|_| self.error(format!("`{name}` holds `{cell}`, no number")));
        self.column(name)?.map(parse).collect()
    }

    /// A column with a number, or an empty cell, for each pair of attributes.
    pub(super) fn matrix(&self, name: &str) -> Result<AttributeMatrix> {
        let (found, expected) = (self.rows.len(), pairs().count());
        if found != expected {
            return Err(self.error(format!("holds {found} pairs, expected {expected}")));
        }
        let mut matrix: AttributeMatrix = vec![[None; COUNT]; COUNT];
        for ((i, j), cell) in pairs().zip(self.column(name)?).filter(|(_, cell)| !cell.is_empty()) {
            let value = cell.parse().map_err(|_| self.error(format!("`{name}` holds `{cell}`, no number")))?;
            (matrix[i][j], matrix[j][i]) = (Some(value), Some(value));
        }
        Ok(matrix)
    }

    /// The masks of each entry of a table as [`WideTable::of_masks`] makes it.
    pub(super) fn masks(&self) -> Result<Vec<Maps>> {
        let cells = self.header.len().saturating_sub(2);
        let names: Vec<&str> = self.column("attribute")?.collect();
        let in_order = names.chunks(COUNT).all(|names| *names == NAMES);
        if !in_order || cells == 0 || cells.isqrt().pow(2) != cells {
            return Err(self.error(format!("is not {COUNT} attributes with the cells of a square each")));
        }
        let columns: Vec<Vec<f32>> =
            (0..cells).map(|cell| self.numbers(&format!("cell{cell}"))).collect::<Result<_>>()?;
        let map = |row: usize| columns.iter().map(|column| column[row]).collect();
        Ok((0..names.len() / COUNT).map(|entry| (0..COUNT).map(|i| map(entry * COUNT + i)).collect()).collect())
    }
}

/// The present name of a column.
fn current_column(column: &str) -> String {
    let renamed = |(variant, seed): (&str, &str)| format!("{}-seed{seed}", REGISTRY.current_name(variant));
    column.rsplit_once("-seed").map_or_else(|| column.to_owned(), renamed)
}
