//! Finds annotation files and images in the folder layouts of the common downloads. The error of a failed search lists
//! the folders searched.

use super::header::without_extension;
use crate::error::{Error, Result};
use crate::io;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
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
    /// Folders below a base that may contain the images. The first of those with most annotated images is taken.
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

    /// Finds the known image folder with most of the images that `names` are the annotation's names of. A stray image
    /// elsewhere does not hide the set.
    pub(super) fn images(&self, root: &Path, names: &[String]) -> Result<ImageFolder> {
        let mut best: Option<ImageFolder> = None;
        for folder in below(self.bases, self.images) {
            let path = root.join(&folder);
            let found = if path.is_dir() { images_below(&path)? } else { HashSet::new() };
            if found.is_empty() {
                continue;
            }
            let candidate = ImageFolder::new(path, &found, names);
            let present = candidate.present();
            if best.as_ref().is_none_or(|best| present > best.present()) {
                best = Some(candidate);
            }
            if present == names.len() {
                break;
            }
        }
        best.ok_or_else(|| {
            let message = format!(
                "contains no JPEG or PNG images of {}: searched in {}; {}datasets/README.md explains how to obtain them",
                self.title,
                below(self.bases, self.images).join(", "),
                packed(root, &below(self.bases, self.folders))
            );
            Error::file(root, message)
        })
    }

    /// The folders searched for annotation files, for messages.
    fn searched(&self) -> Vec<String> {
        below(self.bases, self.folders)
    }
}

/// A clause that names an archive that lies in one of `folders` and was not unpacked; empty if there is none.
fn packed(root: &Path, folders: &[String]) -> String {
    let is_archive =
        |name: &str| [".zip", ".7z", ".7z.001", ".tgz", ".tar", ".tar.gz"].iter().any(|end| name.ends_with(end));
    let listed = |folder: &str| entries(&root.join(folder)).unwrap_or_default().into_iter().map(|(name, ..)| name);
    let mut names = folders.iter().map(String::as_str).chain(["Img"]).flat_map(listed).filter(|name| is_archive(name));
    names.next().map_or_else(String::new, |name| format!("unpack {name} first, if it holds the images; "))
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

/// A folder of images, and the file of each annotated one.
#[derive(Debug)]
pub(super) struct ImageFolder {
    /// The folder.
    pub(super) path: PathBuf,
    /// Number of images in it and its subfolders.
    pub(super) found: usize,
    /// The file of each annotated image, relative to the folder, with forward slashes; `None` if it is missing.
    pub(super) files: Vec<Option<String>>,
}

impl ImageFolder {
    /// The files of the images called `names` among `found`, which are paths below `path`.
    ///
    /// An annotation may leave out the extension or folders, or have more of them: see [`matching`].
    pub(super) fn new(path: PathBuf, found: &HashSet<String>, names: &[String]) -> Self {
        let mut files: Vec<Option<String>> = names.par_iter().map(|name| found.get(name).cloned()).collect();
        if files.contains(&None) {
            let mut sorted: Vec<&str> = found.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            let mut by_stem: HashMap<&str, Vec<&str>> = HashMap::new();
            for file in sorted {
                by_stem.entry(stem(file)).or_default().push(file);
            }
            let mut taken: HashMap<String, usize> = HashMap::new();
            let others: Vec<(usize, String)> = names
                .iter()
                .enumerate()
                .filter(|(row, _)| files[*row].is_none())
                .filter_map(|(row, name)| Some((row, matching(name, by_stem.get(stem(name))?)?.to_owned())))
                .collect();
            let exact = files.iter().flatten().cloned();
            exact
                .chain(others.iter().map(|(_, file)| file.clone()))
                .for_each(|file| *taken.entry(file).or_default() += 1);
            // A file that two names could mean is neither's.
            for (row, file) in others.into_iter().filter(|(_, file)| taken[file] == 1) {
                files[row] = Some(file);
            }
        }
        Self { path, found: found.len(), files }
    }

    /// The files of the images called `names` anywhere below `root`.
    pub(super) fn below(root: &Path, names: &[String]) -> Result<Self> {
        let is_wanted = |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_image);
        let files = io::files_below(root, is_wanted)?;
        let name = |path: &PathBuf| Some(path.strip_prefix(root).ok()?.to_str()?.replace('\\', "/"));
        let found = files.iter().filter_map(name).collect();
        Ok(Self::new(root.to_path_buf(), &found, names))
    }

    /// Number of annotated images with a file.
    pub(super) fn present(&self) -> usize {
        self.files.iter().flatten().count()
    }
}

/// The file among `files` that `name` means; all have the stem of `name`. It agrees in all folders that both have. If
/// several do, it is the only one with the same extension in any case. `None` if the file is not clear.
fn matching<'a>(name: &str, files: &[&'a str]) -> Option<&'a str> {
    let folders = |path: &str| -> Vec<String> { path.rsplit('/').skip(1).map(str::to_owned).collect() };
    let wanted = folders(name);
    let agrees = |file: &&&str| folders(file).iter().zip(&wanted).all(|(found, wanted)| found == wanted);
    let agreeing: Vec<&str> = files.iter().filter(agrees).copied().collect();
    let extension = |path: &str| path[without_extension(path).len()..].to_lowercase();
    let same: Vec<&str> = agreeing.iter().copied().filter(|file| extension(file) == extension(name)).collect();
    match (&agreeing[..], &same[..]) {
        ([only], _) | (_, [only]) => Some(only),
        _ => None,
    }
}

/// The file's name without folders and the extension of an image.
fn stem(path: &str) -> &str {
    without_extension(path.rsplit('/').next().unwrap_or(path))
}

/// The JPEG and PNG files in a folder and its direct subfolders.
pub(super) fn images_below(folder: &Path) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for (name, path, is_folder) in entries(folder)? {
        if is_image(&name) && !is_folder {
            found.insert(name);
        } else if is_folder {
            let inner = entries(&path)?.into_iter().filter(|(inner, ..)| is_image(inner));
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

/// Returns whether `name` has the extension of an image that can be read.
fn is_image(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
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
        for name in [
            "._a.jpg",
            "a.jpg",
            "b.JPEG",
            "c.png",
            "notes.txt",
            "Ann/Ann_0001.jpg",
            "Ann/._Ann_0001.jpg",
            "Ann/deeper/c.jpg",
        ] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = images_below(folder.path()).unwrap();
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, ["Ann/Ann_0001.jpg", "a.jpg", "b.JPEG", "c.png"]);
    }

    #[test]
    fn a_name_means_the_one_file_that_it_fits() {
        let files = |found: &[&str], names: &[&str]| -> Vec<Option<String>> {
            let found = found.iter().map(|file| (*file).to_owned()).collect();
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            ImageFolder::new(PathBuf::new(), &found, &names).files
        };
        let one = |found: &[&str], name: &str| files(found, &[name]).remove(0);
        assert_eq!(one(&["000001.jpg"], "000001.JPG").as_deref(), Some("000001.jpg"));
        assert_eq!(one(&["000001.png"], "000001.jpg").as_deref(), Some("000001.png"));
        assert_eq!(one(&["Ann/Ann_0001.jpg"], "Ann/Ann_0001").as_deref(), Some("Ann/Ann_0001.jpg"));
        assert_eq!(one(&["Ann_0001.jpg"], "Ann/Ann_0001.jpg").as_deref(), Some("Ann_0001.jpg"));
        assert_eq!(one(&["Ann/Ann_0001.jpg"], "lfw/Ann/Ann_0001.jpg").as_deref(), Some("Ann/Ann_0001.jpg"));
        assert_eq!(one(&["Ann/1.jpg", "Bo/1.jpg"], "Bo/1").as_deref(), Some("Bo/1.jpg"));
        assert_eq!(one(&["a.JPG", "a.png"], "a.jpg").as_deref(), Some("a.JPG"));
        // Neither another folder's file, nor one of two, nor one that another name means.
        assert_eq!(one(&["Bo/1.jpg"], "Ann/1.jpg"), None);
        assert_eq!(one(&["Ann/1.jpg", "Bo/1.jpg"], "1.jpg"), None);
        assert_eq!(one(&["a.jpg", "a.png"], "a"), None);
        assert_eq!(files(&["a.jpg"], &["a.jpg", "a.png"]), [Some("a.jpg".to_owned()), None]);
        assert_eq!(files(&["a.jpg"], &["a.JPG", "a.png"]), [None, None]);
    }
}
