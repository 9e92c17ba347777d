//! Walks folders.

use super::files::is_litter;
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The files below `folder` for which `is_wanted` is true, sorted. Each folder is visited once, however many links lead to
/// it, so links in a circle have an end. Files that file managers leave behind are passed over.
pub fn files_below(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let (mut folders, mut links) = (vec![folder.to_path_buf()], Vec::new());
    // Links come last: a folder is visited under its own name if that is below `folder`.
    while let Some(next) = folders.pop().or_else(|| links.pop()) {
        if !seen.insert(std::fs::canonicalize(&next).map_err(Error::io("read the folder", &next))?) {
            continue;
        }
        for entry in std::fs::read_dir(&next).map_err(Error::io("read the folder", &next))? {
            let entry = entry.map_err(Error::io("read the folder", &next))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(Error::io("read", entry.path()))?);
            if is_litter(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                links.push(path);
            } else if is_wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
