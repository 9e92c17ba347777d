//! CSV files of typed rows.

use crate::error::{Error, Result};
use crate::io;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Writes a file with a row for each value.
pub(in crate::report) fn write(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| Error::Internal(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?;
    io::write(path, &bytes)
}

/// Reads the rows of a file.
pub(in crate::report) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = io::read(path)?;
    csv::Reader::from_reader(bytes.as_slice())
        .deserialize()
        .map(|row| row.map_err(|e| Error::file(path, format!("is not as `gal-bench report` writes it: {e}"))))
        .collect()
}

/// The files in a folder, not in the folders below it, in order of their names.
pub(in crate::report) fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect()
    };
    let mut paths = read().map_err(Error::io("read", folder))?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// Removes the files `results/PREFIX*.csv` that an earlier command wrote below a folder.
pub(super) fn remove_all(folder: &Path, prefix: &str) -> Result<()> {
    let of_prefix = |name: &str| {
        let name = name.strip_prefix("results/").and_then(|name| name.strip_suffix(".csv"));
        name.is_some_and(|name| name.starts_with(prefix))
    };
    let written = io::written_files(folder)?;
    written.iter().filter(|name| of_prefix(name)).try_for_each(|name| io::remove(&folder.join(name)))
}
