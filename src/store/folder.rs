//! Whose folder it is: one run at a time, never a folder with something else in it, never two preparations mixed.

use super::format::{ARRAY, IMAGES, PROGRESS, UNFINISHED, is_shard};
use super::items::Item;
use super::prepared::{Options, Prepared};
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::path::Path;

pub(super) const PREPARED: &str = "prepared.json";
pub(super) const MANIFEST: &str = "manifest.parquet";
pub(super) const MANIFEST_TEXT: &str = "manifest.csv";
const INPUTS: &str = "inputs.json";
const LOCK: &str = ".lock";

/// What the folder is being filled with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// Of the options and the table.
    pub(super) digest: String,
    /// Of the image files, in the table's order, in hexadecimal; empty where they are drawn.
    pub(super) sources: Vec<String>,
}

impl Inputs {
    pub(super) fn new(digest: String, items: &[Item]) -> Self {
        let sources = items.iter().filter_map(|item| item.digest).map(|digest| digest.to_hex().to_string());
        Self { digest, sources: sources.collect() }
    }

    /// Of everything.
    pub(super) fn whole_digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.digest.as_bytes());
        self.sources.iter().for_each(|digest| {
            hasher.update(digest.as_bytes());
        });
        hasher.finalize().to_hex().to_string()
    }
}

/// What a run finds in its folder.
pub(super) enum State {
    /// Everything asked for.
    Finished(Box<Prepared>),
    /// Nothing, or part of what was asked for, but that the files of these rows of the table changed since.
    Open(Vec<usize>),
}

/// Makes `folder` ours, and finds out what is left to do for `inputs`.
pub(super) fn claim(folder: &Path, inputs: &Inputs, options: &Options, progress: &Progress) -> Result<(Lock, State)> {
    io::create_folder(folder)?;
    refuse_foreign(folder)?;
    let lock = lock(folder, options, progress)?;
    if options.force {
        clear(folder)?;
    }
    let refuse = || {
        Err(Error::Request(format!(
            "{} holds a set prepared, or half prepared, with other options or from other data: give another folder, or \
             --force to prepare this one anew",
            folder.display()
        )))
    };
    let prepared = io::read_json_if_exists::<Prepared>(&folder.join(PREPARED), "the description of a prepared set")?;
    let same = prepared.as_ref().map(|prepared| prepared.input_digest == inputs.whole_digest());
    if let Some(prepared) = prepared
        && has_manifest(folder, &prepared)?
    {
        return if same == Some(true) { Ok((lock, State::Finished(Box::new(prepared)))) } else { refuse() };
    }
    let changed = match io::read_json_if_exists::<Inputs>(&folder.join(INPUTS), "the inputs of a prepared set")? {
        Some(found) if found.digest != inputs.digest => return refuse(),
        Some(found) => {
            let digests = found.sources.iter().zip(&inputs.sources).enumerate();
            digests.filter(|(_, (before, now))| before != now).map(|(row, _)| row).collect()
        }
        None if same == Some(false) => return refuse(),
        None => Vec::new(),
    };
    Ok((lock, State::Open(changed)))
}

/// Clears away what says that the set is finished, and what a killed run was writing. Where nothing in the folder is of
/// other inputs, these are noted first, so that the folder is known for ours at any moment.
pub(super) fn reopen(folder: &Path, inputs: &Inputs, same: bool) -> Result<()> {
    if same {
        begin(folder, inputs)?;
    }
    for name in [PREPARED, MANIFEST, MANIFEST_TEXT] {
        io::remove(&folder.join(name))?;
    }
    for name in names(folder)? {
        if is_left_over(&name) {
            io::remove(&folder.join(name))?;
        }
    }
    Ok(())
}

/// Notes what the folder is filled with from now on. Images that are not of these inputs have to be gone before.
pub(super) fn begin(folder: &Path, inputs: &Inputs) -> Result<()> {
    io::write_json(&folder.join(INPUTS), inputs)
}

/// Whether the manifest that `prepared` names is there.
fn has_manifest(folder: &Path, prepared: &Prepared) -> Result<bool> {
    let manifest = folder.join(MANIFEST);
    Ok(manifest.is_file() && digest(&io::read(&manifest)?) == prepared.manifest_digest)
}

/// BLAKE3 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Another process may be filling the folder at this moment: what it makes, it makes after the inputs' file, so that is
/// looked for after the names.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let names = names(folder)?;
    if [INPUTS, PREPARED].iter().any(|ours| names.iter().any(|name| name == ours) || folder.join(ours).exists()) {
        return Ok(());
    }
    for name in names {
        if name != LOCK && !is_left_over(&name) {
            return Err(Error::Request(format!(
                "{} holds files that are not of a prepared set ({}): give an empty or a new folder",
                folder.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

/// A file that a killed run was writing.
fn is_left_over(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".partial-")
}

/// The folder for this process alone; where another one prepares it, when that one has ended, or an error.
fn lock(folder: &Path, options: &Options, progress: &Progress) -> Result<Lock> {
    let path = folder.join(LOCK);
    let holder = match Lock::take(&path)? {
        Ok(lock) => return Ok(lock),
        Err(holder) => holder,
    };
    if options.wait {
        progress.say(format!("waiting for process {holder}, which prepares {}", folder.display()));
        return Lock::wait(&path);
    }
    Err(Error::Request(format!(
        "{} is being prepared by another run (process {holder}): wait for it, or give another folder",
        folder.display()
    )))
}

/// Removes what a preparation makes, and nothing else; what says that the folder is ours goes last.
fn clear(folder: &Path) -> Result<()> {
    for name in [PREPARED, MANIFEST, MANIFEST_TEXT, ARRAY, UNFINISHED] {
        io::remove(&folder.join(name))?;
    }
    for name in [IMAGES, PROGRESS] {
        io::remove_folder(&folder.join(name))?;
    }
    for name in names(folder)? {
        if name.to_str().is_some_and(is_shard) {
            io::remove(&folder.join(name))?;
        }
    }
    io::remove(&folder.join(INPUTS))
}

fn names(folder: &Path) -> Result<Vec<OsString>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(Error::io("read", folder))).collect()
}
