//! JSON files: indented, with a final newline.

use super::file_kind::check_text;
use super::files;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use std::path::Path;

/// Reads a JSON file; an error says that it "is not {expected}".
pub fn read_json<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T> {
    let bytes = files::read(path)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        check_text(path, &bytes).err().unwrap_or_else(|| Error::file(path, format!("is not {expected}: {e}")))
    })
}

/// Like [`read_json`]; `None` if the file does not exist.
pub fn read_json_if_exists<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<Option<T>> {
    if path.exists() { read_json(path, expected).map(Some) } else { Ok(None) }
}

/// Writes a JSON file.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| internal(&e))?;
    text.push(b'\n');
    files::write(path, &text)
}

/// A value as JSON on one line.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| internal(&e))
}

/// A path as text. Bytes that are not UTF-8 are replaced: JSON cannot hold them.
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// [`path_text`] for a field of a result.
pub fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn internal(error: &serde_json::Error) -> Error {
    Error::Internal(format!("a value cannot be written as JSON: {error}"))
}
