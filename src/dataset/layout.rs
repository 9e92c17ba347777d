//! Finds annotation files and images in the folder layouts of the common downloads. The error of a failed search lists
//! the folders searched.

use crate::error::{Error, Result};
use crate::io;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The known folder layouts of a data set, relative to the user's folder.
#[derive(Debug)]
pub(super) struct Layout {
    /// Name of the data set in messages.
    pub(super) title: &'static str,
    /// Folders that may contain the data set; `""` is the user's folder itself.
    pub(super) bases: &'static [&'static str],
    /// Folders below a base that may contain annotation files.
    pub(super) folders: &'static [&'static str],
    /// Folders below a base that may contain the images; nested folders come before their parents.
    pub(super) images: &'static [&'static str],
}

impl Layout {
    /// Finds the first of `names` that exists, in the first folder that has it.
    pub(super) fn find(&self, root: &Path, names: &[&str]) -> Option<PathBuf> {
        let folders = self.bases.iter().flat_map(|base| self.folders.iter().map(move |folder| (base, folder)));
        let folders: Vec<PathBuf> = folders.map(|(base, folder)| root.join(base).join(folder)).collect();
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
    }

    /// As [`Layout::find`], but a missing file is an error; `what` names its content.
    pub(super) fn require(&self, root: &Path, what: &str, names: &[&str]) -> Result<PathBuf> {
        if !root.is_dir() {
            let message = format!(
                "is not a folder; pass the one that contains the files of {} (datasets/README.md explains how to obtain them)",
                self.title
            );
            return Err(Error::file(root, message));
        }
        self.find(root, names).ok_or_else(|| {
            let message = format!(
                "contains no {what} of {}: searched for {} in {}; datasets/README.md explains how to obtain the files",
                self.title,
                names.join(", "),
                self.searched().join(", ")
            );
            Error::file(root, message)
        })
    }

    /// Finds the first known image folder that contains images.
    pub(super) fn images(&self, root: &Path) -> Result<ImageFolder> {
        for base in self.bases {
            for folder in self.images {
                let path = root.join(base).join(folder);
                let found = if path.is_dir() { images_below(&path)? } else { HashSet::new() };
                if !found.is_empty() {
                    return Ok(ImageFolder { path, found });
                }
            }
        }
        let message = format!(
            "contains no JPEG images of {}: searched in {}; datasets/README.md explains how to obtain them",
            self.title,
            below(self.bases, self.images).join(", ")
        );
        Err(Error::file(root, message))
    }

    /// The folders searched for annotation files, for messages.
    fn searched(&self) -> Vec<String> {
        below(self.bases, self.folders)
    }
}

/// Every folder below every base, without duplicates.
fn below(bases: &[&str], folders: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    for base in bases {
        for folder in folders {
            let parts: Vec<&str> = [*base, *folder].into_iter().filter(|part| !part.is_empty()).collect();
            let path = if parts.is_empty() { ".".to_owned() } else { parts.join("/") };
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// A folder of images.
#[derive(Debug)]
pub(super) struct ImageFolder {
    /// The folder.
    pub(super) path: PathBuf,
    /// Paths of the images in it and its subfolders, relative to it, with forward slashes.
    pub(super) found: HashSet<String>,
}

/// The JPEG files in a folder and its direct subfolders.
fn images_below(folder: &Path) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for (name, path, is_folder) in entries(folder)? {
        if is_jpeg(&name) {
            found.insert(name);
        } else if is_folder {
            let inner = entries(&path)?.into_iter().filter(|(inner, ..)| is_jpeg(inner));
            found.extend(inner.map(|(inner, ..)| format!("{name}/{inner}")));
        }
    }
    Ok(found)
}

/// Name and path of every entry of a folder, and whether it is a folder. Names that are not UTF-8 are skipped: they
/// cannot be annotated.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>> {
    let listing = std::fs::read_dir(folder).map_err(Error::io("list the folder", folder))?;
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(Error::io("list the folder", folder))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if io::is_litter(&name) {
            continue;
        }
        let path = entry.path();
        // Only a link needs a system call of its own, to find out whether it points at a folder.
        let kind = entry.file_type().map_err(Error::io("list the folder", folder))?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
        found.push((name, path, is_folder));
    }
    Ok(found)
}

/// Returns whether `name` has the extension of a JPEG file.
fn is_jpeg(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_two_layouts_share_is_listed_once() {
        assert_eq!(
            below(&["", "celeba"], &["", "Anno", "celeba"]),
            [".", "Anno", "celeba", "celeba/Anno", "celeba/celeba"]
        );
    }

    #[test]
    fn images_are_found_one_folder_deep_with_forward_slashes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("Ann/deeper")).unwrap();
        for name in
            ["._a.jpg", "Ann/._Ann_0001.jpg", "a.jpg", "b.JPEG", "notes.txt", "Ann/Ann_0001.jpg", "Ann/deeper/c.jpg"]
        {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = images_below(folder.path()).unwrap();
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, ["Ann/Ann_0001.jpg", "a.jpg", "b.JPEG"]);
    }
}
