//! Ownership of the prepared folder: one process at a time, no foreign files, no mixture of two preparations.

use super::hashing::hex_digest;
use super::inputs::Inputs;
use super::layout::{
    ARRAY, IMAGES, INPUTS, LOCK, MANIFEST, MANIFEST_CSV, PARTIAL_ARRAY, PREPARED, PROGRESS, is_block, is_image,
    is_shard,
};
use super::options::Options;
use super::prepared::{Prepared, no_description, read_description};
use super::reader::Reader;
use super::verify::sources_with_missing_images;
use crate::error::{Error, Result};
use crate::io::{self, Lock};
use crate::progress::Progress;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// The set that an earlier run left in the folder.
pub(super) enum State {
    /// The whole set.
    Finished(Box<Prepared>),
    /// Part of the set or nothing.
    Open {
        /// Rows of the table whose files have changed since, or whose stored images are missing.
        stale: Vec<usize>,
        /// Digest of the manifest of the set if it was complete once.
        manifest_digest: Option<String>,
    },
}

/// Locks `folder` for this process and finds out what is left to do for `inputs`.
pub(super) fn claim(folder: &Path, inputs: &Inputs, options: &Options, progress: &Progress) -> Result<(Lock, State)> {
    io::create_folder(folder)?;
    refuse_foreign(folder)?;
    let lock = lock(folder, options, progress)?;
    io::sweep_partial_files(folder, Duration::ZERO)?;
    if options.force {
        clear(folder)?;
    }
    Ok((lock, state(folder, inputs)?))
}

fn state(folder: &Path, inputs: &Inputs) -> Result<State> {
    let refuse = || {
        Err(Error::Request(format!(
            "{} holds a set, or part of one, that was prepared with other options or from other data: give another \
             folder, or prepare this one again with --force",
            folder.display()
        )))
    };
    let parse = |found| serde_json::from_value(found).map_err(|e| no_description(folder, &e));
    let prepared: Option<Prepared> = read_description(folder)?.map(parse).transpose()?;
    let same = prepared.as_ref().map(|prepared| prepared.input_digest == inputs.whole_digest());
    let mut manifest_digest = None;
    if let Some(prepared) = prepared {
        if has_manifest(folder, &prepared)? {
            if same == Some(false) {
                return refuse();
            }
            let stale = sources_with_missing_images(folder, &Reader::open(folder)?);
            if stale.is_empty() && folder.join(MANIFEST_CSV).is_file() {
                return Ok(State::Finished(Box::new(prepared)));
            }
            return Ok(State::Open { stale, manifest_digest: Some(prepared.manifest_digest) });
        }
        manifest_digest = Some(prepared.manifest_digest);
    }
    match Inputs::read(folder)? {
        Some(earlier) if earlier.digest != inputs.digest => refuse(),
        Some(earlier) => {
            let stale = inputs.changed_since(&earlier);
            // Other sources make another set.
            let manifest_digest = manifest_digest.filter(|_| stale.is_empty());
            Ok(State::Open { stale, manifest_digest })
        }
        None if same == Some(false) => refuse(),
        None => Ok(State::Open { stale: Vec::new(), manifest_digest }),
    }
}

/// Removes the files that mark the set as finished. If no image in the folder is of other inputs (`same`), writes the
/// inputs first: an interruption then leaves a folder that is still recognized. The description of a set that is written
/// again (`again`) stays: its digest tells whether the images are the same.
pub(super) fn reopen(folder: &Path, inputs: &Inputs, same: bool, again: bool) -> Result<()> {
    if same {
        begin(folder, inputs)?;
    }
    let names = [MANIFEST, MANIFEST_CSV, PREPARED];
    names.iter().take(if again { 2 } else { 3 }).try_for_each(|name| io::remove(&folder.join(name)))
}

/// Writes the inputs of the set. Images of other inputs must be removed before.
pub(super) fn begin(folder: &Path, inputs: &Inputs) -> Result<()> {
    io::write_json(&folder.join(INPUTS), inputs)
}

/// True if the folder holds the manifest that `prepared` names.
fn has_manifest(folder: &Path, prepared: &Prepared) -> Result<bool> {
    let manifest = folder.join(MANIFEST);
    Ok(manifest.is_file() && hex_digest(&io::read_up_to(&manifest, io::TABLE_BYTES)?) == prepared.manifest_digest)
}

/// Refuses a folder with files that are not of a prepared set. Another process may be filling the folder meanwhile. It
/// writes the inputs first, so they are searched for after the names are listed. Others may have files of these names.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let refused = io::refuse_foreign(folder, "a prepared set", |_| false);
    let is_described =
        || read_description(folder).is_ok_and(|found| found.is_some_and(|of| of.get("manifest_digest").is_some()));
    if matches!(Inputs::read(folder), Ok(Some(_))) || is_described() { Ok(()) } else { refused }
}

/// Takes the folder's lock. If another process holds it, waits or fails, as `options` ask.
fn lock(folder: &Path, options: &Options, progress: &Progress) -> Result<Lock> {
    let path = folder.join(LOCK);
    let holder = match Lock::take(&path)? {
        Ok(lock) => return Ok(lock),
        Err(holder) => holder,
    };
    if options.wait {
        progress.log(format!("waiting for process {holder}, which prepares {}", folder.display()));
        return Lock::wait(&path);
    }
    Err(Error::Request(format!(
        "{} is being prepared by another run (process {holder}): wait for it, or give another folder",
        folder.display()
    )))
}

/// Removes the files of a preparation and no others. The inputs go last: they mark the folder as a prepared one.
fn clear(folder: &Path) -> Result<()> {
    for name in [PREPARED, MANIFEST, MANIFEST_CSV, ARRAY, PARTIAL_ARRAY] {
        io::remove(&folder.join(name))?;
    }
    io::remove_own(&folder.join(IMAGES), &is_image)?;
    io::remove_own(&folder.join(PROGRESS), &is_block)?;
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
