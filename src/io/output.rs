//! Guards what commands write: no file of the user is replaced or removed without `--force`.
//!
//! A folder that a command wrote holds a list of its files with their digests, [`LIST`]. A later command replaces files of
//! the list that did not change, and refuses every other file that it finds there.

use super::files;
use super::json::{read_json_if_exists, write_json};
use super::open::{self, RECORD_BYTES};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// The list of the files that commands wrote into a folder.
const LIST: &str = ".gal-bench-files.json";
/// The only folder that commands write below such a folder.
const RESULTS: &str = "results";

/// Age from which no process writes a partial file any more: a file of a report takes less than a second.
const UNUSED: Duration = Duration::from_hours(1);

/// Refuses a command's output file if it exists and `force` is not set.
pub fn refuse_overwrite(path: &Path, force: bool) -> Result<()> {
    let refuse = |why: &str| Err(Error::file(path, why));
    // A link without its target is a file, too.
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => refuse("is a folder: give the name of a file"),
        Ok(_) if !force => refuse("already exists: choose another name, or replace it with --force"),
        _ => Ok(()),
    }
}

/// Refuses a folder that holds a file or folder of which `is_own` is false. Hidden files do not count.
pub fn refuse_foreign(folder: &Path, content: &str, is_own: impl Fn(&str) -> bool) -> Result<()> {
    match names_in(folder)?.iter().find(|name| !is_own(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Request(format!(
            "{} holds files that are not of {content} ({name}): give an empty or a new folder",
            folder.display()
        ))),
    }
}

/// The list as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct List {
    /// BLAKE3 of each written file, by its path below the folder.
    files: BTreeMap<String, String>,
    /// BLAKE3 of files that others put there, while a command writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<BTreeMap<String, String>>,
}

/// A folder that a command may write into.
#[must_use]
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    /// Digests of the files that are not of this program.
    others: BTreeMap<String, String>,
}

impl OutputFolder {
    /// Claims and creates `folder`. `former` are the files of this program in a folder without a list.
    ///
    /// # Errors
    /// A file that no command wrote there, or that changed since, unless `force` is set.
    pub fn claim(folder: &Path, former: &BTreeSet<String>, force: bool) -> Result<Self> {
        let list = list(folder)?;
        let mut files = list.as_ref().map(|list| list.files.clone()).unwrap_or_default();
        let mut others = BTreeMap::new();
        for name in all_names(folder)? {
            let digest = || content_digest(&folder.join(&name));
            let is_own = match &list {
                None => former.contains(&name),
                // A command was interrupted: what it wrote is not listed yet.
                Some(List { others: Some(others), .. }) => others.get(&name) != Some(&digest()?),
                Some(List { files, .. }) => match files.get(&name) {
                    Some(known) => *known == digest()?,
                    None => false,
                },
            };
            if is_own {
                if list.is_none() {
                    files.insert(name.clone(), digest()?);
                }
                continue;
            }
            if !force {
                let is_listed = list.as_ref().is_some_and(|list| list.files.contains_key(&name));
                let found =
                    if is_listed { "was changed since gal-bench wrote it" } else { "was not written by gal-bench" };
                let message = format!("{found}: choose another folder, or write into this one with --force");
                return Err(Error::file(folder.join(name), message));
            }
            others.insert(name.clone(), digest()?);
        }
        Self::begin(folder, files, others)
    }

    /// Claims and creates `folder`.
    ///
    /// # Errors
    /// Any file there, unless `force` is set.
    pub fn claim_empty(folder: &Path, force: bool) -> Result<Self> {
        if let (Some(found), false) = (names_in(folder)?.first(), force) {
            let message = "already exists: choose a new or empty folder, or write into this one with --force";
            return Err(Error::file(folder.join(found), message));
        }
        Self::claim(folder, &BTreeSet::new(), force)
    }

    fn begin(folder: &Path, files: BTreeMap<String, String>, others: BTreeMap<String, String>) -> Result<Self> {
        files::create_folder(folder)?;
        // No lock tells whether another process writes here.
        files::sweep_partial_files(folder, UNUSED)?;
        files::sweep_partial_files(&folder.join(RESULTS), UNUSED)?;
        write_json(&folder.join(LIST), &List { files, others: Some(others.clone()) })?;
        Ok(Self { folder: folder.to_path_buf(), others })
    }

    /// Lists the files that are there now, except those of others that are as they were.
    pub fn record(self) -> Result<()> {
        let mut files = BTreeMap::new();
        for name in all_names(&self.folder)? {
            let digest = content_digest(&self.folder.join(&name))?;
            if self.others.get(&name) != Some(&digest) {
                files.insert(name, digest);
            }
        }
        write_json(&self.folder.join(LIST), &List { files, others: None })
    }
}

/// The files below `folder` that commands wrote, as paths below it: the only ones that a command may remove.
pub fn written_files(folder: &Path) -> Result<BTreeSet<String>> {
    Ok(list(folder)?.map(|list| list.files.into_keys().collect()).unwrap_or_default())
}

fn list(folder: &Path) -> Result<Option<List>> {
    let list: Option<List> =
        read_json_if_exists(&folder.join(LIST), "a list of the files that gal-bench wrote (remove it)")?;
    Ok(list.map(|mut list| {
        // The folder may come from others: nothing outside of it is ever replaced or removed.
        list.files.retain(|name, _| is_below(name));
        list
    }))
}

/// True for the name of a file, and for a path below the results.
fn is_below(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let is_name = |part: &&str| {
        let mut components = Path::new(*part).components();
        matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == *part)
    };
    parts.iter().all(is_name) && (parts.len() == 1 || parts[0] == RESULTS)
}

/// The names in a folder, sorted, without hidden ones; none if there is no folder.
pub fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read the folder", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("read the folder", folder))?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !files::is_litter(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The names in a folder, and the paths of the files below its results.
fn all_names(folder: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for name in names_in(folder)? {
        if name == RESULTS { add_files(folder, name, &mut all)? } else { all.push(name) }
    }
    Ok(all)
}

/// Adds the path `name` below `folder`, or those of the files below it if it is a folder.
fn add_files(folder: &Path, name: String, all: &mut Vec<String>) -> Result<()> {
    let path = folder.join(&name);
    if path.is_symlink() || !path.is_dir() {
        all.push(name);
        return Ok(());
    }
    names_in(&path)?.into_iter().try_for_each(|inner| add_files(folder, format!("{name}/{inner}"), all))
}

/// BLAKE3 of a file; a word for anything else.
fn content_digest(path: &Path) -> Result<String> {
    let found = path.symlink_metadata().map_err(Error::io("read", path))?;
    if !found.is_file() {
        return Ok(if found.is_dir() { "folder" } else { "link" }.to_owned());
    }
    open::digest(path, RECORD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(folder: &Path, force: bool) -> Result<OutputFolder> {
        OutputFolder::claim(folder, &BTreeSet::new(), force)
    }

    /// A command that writes two files.
    fn write(folder: &Path, force: bool) -> Result<()> {
        let output = claim(folder, force)?;
        files::create_folder(&folder.join(RESULTS))?;
        files::write(&folder.join("README.md"), b"ours")?;
        files::write(&folder.join("results/a.csv"), b"1,2")?;
        output.record()
    }

    #[test]
    fn own_files_are_replaced_and_changed_or_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(folder.path(), false).unwrap();
        write(folder.path(), false).unwrap();
        std::fs::write(at("README.md"), "ours, with a note").unwrap();
        let message = write(folder.path(), false).unwrap_err().to_string();
        assert!(message.contains("README.md: was changed since gal-bench wrote it"), "{message}");
        write(folder.path(), true).unwrap();
        write(folder.path(), false).unwrap();
        std::fs::create_dir(at("results/tests")).unwrap();
        for name in ["notes.txt", "results/notes.csv", "results/tests/notes.csv"] {
            std::fs::write(at(name), "mine").unwrap();
            let message = write(folder.path(), false).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("was not written by gal-bench"), "{message}");
            write(folder.path(), true).unwrap();
            assert_eq!(std::fs::read_to_string(at(name)).unwrap(), "mine");
            assert!(!written_files(folder.path()).unwrap().contains(name));
            std::fs::remove_file(at(name)).unwrap();
        }
        std::fs::create_dir(at("images")).unwrap();
        assert!(write(folder.path(), false).is_err());
    }

    #[test]
    fn a_command_that_was_interrupted_goes_on_and_spares_what_it_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let output = claim(folder.path(), true).unwrap();
        std::fs::write(folder.path().join("README.md"), "ours").unwrap();
        drop(output);
        assert!(write(folder.path(), false).is_err());
        std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
        write(folder.path(), false).unwrap();
    }

    #[test]
    fn a_list_names_no_file_outside_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "a.svg",
            "results/a.csv",
            "../a.svg",
            "/a.svg",
            "results/../../a.svg",
            "results",
            "b/a.svg",
            ".",
            "results//a",
            "results/b/c.csv",
        ];
        let files = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        write_json(&folder.path().join(LIST), &List { files, others: None }).unwrap();
        let kept: Vec<String> = written_files(folder.path()).unwrap().into_iter().collect();
        assert_eq!(kept, ["a.svg", "results", "results/a.csv", "results/b/c.csv"]);
    }

    #[test]
    fn a_file_a_folder_and_a_link_are_refused_as_output_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        refuse_overwrite(&path, false).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", &path).unwrap();
            assert!(refuse_overwrite(&path, false).is_err());
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, "").unwrap();
        assert!(refuse_overwrite(&path, false).is_err());
        refuse_overwrite(&path, true).unwrap();
        assert!(refuse_overwrite(folder.path(), true).is_err());
    }
}
