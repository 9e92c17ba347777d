//! Guards what commands write: no file of the user is replaced or removed without `--force`.
//!
//! A folder that a command wrote holds a list of its files with their digests, [`LIST`]. A later command replaces files of
//! the list that did not change, and refuses every other file that it finds there. While a command writes, [`ANNOUNCED`]
//! lists the files that it is about to write.

use super::announced::{self, ANNOUNCED};
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

/// Refuses a command's output file if it exists and `force` is not set. Pipes and devices are refused in any case: writing
/// would put a regular file in their place.
pub fn refuse_overwrite(path: &Path, force: bool) -> Result<()> {
    let refuse = |why: &str| Err(Error::file(path, why));
    // `/dev/stdout` may lead to a regular file, but a file would take the place of the link.
    let is_stream = path.read_link().is_ok_and(|target| target.starts_with("/proc"));
    let is_regular = !is_stream && path.is_file();
    // A link without its target is something, too.
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => refuse("is a folder: give the name of a file"),
        Ok(_) if !is_regular => refuse("is not a regular file: give the name of another file"),
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
}

/// A folder that a command may write into.
#[must_use]
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    /// BLAKE3 of the files that commands wrote before, by path below the folder.
    files: BTreeMap<String, String>,
}

impl OutputFolder {
    /// Claims and creates `folder`. `former` are the files of this program in a folder without a list.
    ///
    /// # Errors
    /// A file that no command wrote there, or that changed since, unless `force` is set.
    pub fn claim(folder: &Path, former: &BTreeSet<String>, force: bool) -> Result<Self> {
        let list = list(folder)?;
        let mut known = announced::left_in(folder)?;
        for (name, digest) in list.iter().flat_map(|list| &list.files) {
            known.entry(name.clone()).or_default().insert(digest.clone());
        }
        let mut files = BTreeMap::new();
        for name in all_names(folder)? {
            let is_former = list.is_none() && former.contains(&name);
            let digests = known.get(&name);
            // A file of others is never read: it may have any size.
            let found = if is_former || digests.is_some() { content_digest(&folder.join(&name)) } else { None };
            let is_own = |found: &String| is_former || digests.is_some_and(|digests| digests.contains(found));
            if let Some(digest) = found.filter(is_own) {
                files.insert(name, digest);
            } else if !force {
                let what = if digests.is_some() {
                    "was changed since gal-bench wrote it"
                } else {
                    "was not written by gal-bench"
                };
                let message = format!("{what}: choose another folder, or write into this one with --force");
                return Err(Error::file(folder.join(name), message));
            }
        }
        Self::begin(folder, files)
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

    fn begin(folder: &Path, files: BTreeMap<String, String>) -> Result<Self> {
        files::create_folder(folder)?;
        // No lock tells whether another process writes here.
        files::sweep_partial_files(folder, UNUSED)?;
        files::sweep_partial_files(&folder.join(RESULTS), UNUSED)?;
        let list = List { files };
        write_json(&folder.join(LIST), &list)?;
        // The files of an interrupted command are listed now.
        files::remove(&folder.join(ANNOUNCED))?;
        announced::begin(folder);
        Ok(Self { folder: folder.to_path_buf(), files: list.files })
    }

    /// Lists the files that this command wrote, and those of earlier ones that are still there.
    pub fn record(self) -> Result<()> {
        let Self { folder, mut files } = self;
        files.extend(announced::end(&folder));
        files.retain(|name, _| folder.join(name).is_file());
        write_json(&folder.join(LIST), &List { files })?;
        files::remove(&folder.join(ANNOUNCED))
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

/// BLAKE3 of a file; `None` for anything else, and for a file that is too large for one of a command or cannot be read.
fn content_digest(path: &Path) -> Option<String> {
    let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
    if is_file { open::digest(path, RECORD_BYTES).ok() } else { None }
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
        files::write(&folder.path().join("README.md"), b"ours").unwrap();
        drop(output);
        assert!(write(folder.path(), false).is_err());
        std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
        write(folder.path(), false).unwrap();
        assert!(!folder.path().join(ANNOUNCED).exists());
    }

    #[test]
    fn files_that_appear_or_change_after_an_interruption_are_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let refused = || write(folder.path(), false).unwrap_err().to_string();
        write(folder.path(), false).unwrap();
        // One file is announced and written, one is announced only, and one is neither.
        drop(claim(folder.path(), false).unwrap());
        files::write(&at("a.svg"), b"a figure").unwrap();
        announced::announce(&at("results/a.csv"), b"3,4").unwrap();
        std::fs::write(at("mine.svg"), "mine").unwrap();
        for _ in 0..2 {
            let message = refused();
            assert!(message.contains("mine.svg: was not written by gal-bench"), "{message}");
        }
        std::fs::remove_file(at("mine.svg")).unwrap();
        for (name, content) in [("README.md", "ours"), ("a.svg", "a figure"), ("results/a.csv", "1,2")] {
            std::fs::write(at(name), "mine").unwrap();
            let message = refused();
            assert!(message.contains(&format!("{name}: was changed since gal-bench wrote it")), "{message}");
            std::fs::write(at(name), content).unwrap();
        }
        std::fs::write(at("results/a.csv"), "3,4").unwrap();
        write(folder.path(), false).unwrap();
        assert_eq!(written_files(folder.path()).unwrap().len(), 3);
    }

    #[test]
    fn a_file_of_others_is_never_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(folder.path(), false).unwrap();
        std::fs::File::create(at("large.bin")).unwrap().set_len(RECORD_BYTES + 1).unwrap();
        let message = write(folder.path(), false).unwrap_err().to_string();
        assert!(message.contains("large.bin: was not written by gal-bench"), "{message}");
        write(folder.path(), true).unwrap();
        assert!(at("large.bin").exists());
        std::fs::rename(at("large.bin"), at("README.md")).unwrap();
        let message = write(folder.path(), false).unwrap_err().to_string();
        assert!(message.contains("README.md: was changed since gal-bench wrote it"), "{message}");
        write(folder.path(), true).unwrap();
        write(folder.path(), false).unwrap();
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::ffi::OsStrExt;
            let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"odd-\xff.txt"));
            std::fs::write(&odd, "mine").unwrap();
            let message = write(folder.path(), false).unwrap_err().to_string();
            assert!(message.contains("was not written by gal-bench"), "{message}");
            write(folder.path(), true).unwrap();
            assert!(odd.exists());
        }
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
        write_json(&folder.path().join(LIST), &List { files }).unwrap();
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
            use rustix::fs::{CWD, FileType, Mode, mknodat};
            use std::os::unix::fs::symlink;
            let pipe = folder.path().join("pipe");
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
            assert!(refuse_overwrite(&pipe, true).is_err());
            for target in ["nowhere", "pipe", "/dev/null", "/proc/self/status", "."] {
                symlink(target, &path).unwrap();
                let message = refuse_overwrite(&path, true).unwrap_err().to_string();
                assert!(message.contains("is not a regular file"), "{target}: {message}");
                assert!(refuse_overwrite(&path, false).is_err());
                std::fs::remove_file(&path).unwrap();
            }
            std::fs::write(folder.path().join("file"), "").unwrap();
            symlink("file", &path).unwrap();
            refuse_overwrite(&path, true).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, "").unwrap();
        assert!(refuse_overwrite(&path, false).is_err());
        refuse_overwrite(&path, true).unwrap();
        assert!(refuse_overwrite(folder.path(), true).is_err());
    }
}
