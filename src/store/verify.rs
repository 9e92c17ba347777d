//! Verifies a prepared set, byte by byte, against its digests.

use super::format::npy_header;
use super::inputs::Inputs;
use super::layout::{INPUTS, MANIFEST_CSV};
use super::manifest::for_people;
use super::options::Format;
use super::prepared::Shard;
use super::reader::Reader;
use super::row::{Location, Row};
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

const PREPARE_AGAIN: &str = "prepare the set again with --force";

/// The damage of a file, or of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Missing,
    Unreadable,
    Truncated,
    Changed,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Missing, Self::Unreadable, Self::Truncated, Self::Changed];

    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Changed => "changed",
        }
    }
}

/// A file or image and its fault.
type Finding = (String, Fault);

/// Verifies every image of the set in `folder` and the bytes around the images in archives; of a virtual set, the
/// source files. Returns the number of images or sources.
///
/// # Errors
/// As [`Reader::open`], or images are missing, truncated or changed: the number of each, and the first one.
pub fn verify(folder: &Path) -> Result<usize> {
    let (reader, manifest) = Reader::open_with_manifest(folder)?;
    verify_csv(folder, &reader, manifest)?;
    verify_inputs(folder, &reader)?;
    if let Some(root) = reader.source_folder() {
        return verify_source_files(&reader, root);
    }
    let finding = |row: &Row| {
        let location = row.location.as_ref()?;
        Some((image_name(row, location), image_fault(folder, &reader, location)?))
    };
    let findings: Vec<Finding> = reader.rows.par_iter().filter_map(finding).collect();
    refuse(folder, &findings, reader.rows.len(), "images", PREPARE_AGAIN)?;
    // Every image is intact. The bytes between the images are left to verify.
    let findings = damaged_files(folder, &reader)?;
    refuse(folder, &findings, findings.len(), "files", PREPARE_AGAIN)?;
    Ok(reader.rows.len())
}

/// The sources, by their rows in the data set, of which a stored image is missing or its file has another length. A look at
/// every file's length takes a thousandth of the time of [`verify`].
pub(super) fn sources_with_missing_images(folder: &Path, reader: &Reader) -> Vec<usize> {
    let mut lengths: HashMap<&str, Option<u64>> = HashMap::new();
    let is_jpeg = reader.prepared.format == Format::Jpeg;
    let mut rows = Vec::new();
    for row in &reader.rows {
        let Some(Location { file, offset, bytes, .. }) = &row.location else { continue };
        let length = || std::fs::metadata(folder.join(file)).ok().map(|found| found.len());
        let length = *lengths.entry(file).or_insert_with(length);
        if length.is_none_or(|length| if is_jpeg { length != *bytes } else { length < offset + bytes }) {
            rows.push(row.source_row);
        }
    }
    rows.dedup();
    rows
}

/// Verifies the source files below `root` against those that the set in `folder` was prepared from. Returns the number
/// of sources.
///
/// # Errors
/// As [`Reader::open`], or the sources are synthetic, or files are missing or changed.
pub fn verify_sources(folder: &Path, root: &Path) -> Result<usize> {
    verify_source_files(&Reader::open(folder)?, root)
}

fn verify_source_files(reader: &Reader, root: &Path) -> Result<usize> {
    let sources: Vec<&Row> = reader.rows.iter().filter(|row| row.copy == 0).collect();
    if let Some(row) = sources.iter().find(|row| row.source_digest.is_none()) {
        return Err(Error::Request(format!("{} is synthetic: there are no source files to verify", row.source)));
    }
    let finding = |row: &&&Row| -> Option<Finding> {
        let same = io::read(&root.join(&row.source)).map(|bytes| Some(blake3::hash(&bytes)) == row.source_digest);
        let fault = match same {
            Ok(true) => return None,
            Ok(false) => Fault::Changed,
            Err(error) => unread(&error),
        };
        Some((row.source.clone(), fault))
    };
    let findings: Vec<Finding> = sources.par_iter().filter_map(|row| finding(&row)).collect();
    refuse(root, &findings, sources.len(), "source images", &format!("restore them, or {PREPARE_AGAIN}"))?;
    Ok(sources.len())
}

/// An image's name in an error.
fn image_name(row: &Row, location: &Location) -> String {
    let file = &location.file;
    if location.offset == 0 { file.clone() } else { format!("copy {} of {} in {file}", row.copy, row.source) }
}

fn image_fault(folder: &Path, reader: &Reader, location: &Location) -> Option<Fault> {
    if reader.prepared.format == Format::Jpeg
        && std::fs::metadata(folder.join(&location.file)).is_ok_and(|file| file.len() > location.bytes)
    {
        return Some(Fault::Changed);
    }
    match location.read(folder) {
        Ok(bytes) => (blake3::hash(&bytes) != location.digest).then_some(Fault::Changed),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::UnexpectedEof => Some(Fault::Truncated),
        Err(error) => Some(unread(&error)),
    }
}

/// The fault of a file that could not be read.
fn unread(error: &Error) -> Fault {
    match error {
        Error::Io { source, .. } if source.kind() != ErrorKind::NotFound => Fault::Unreadable,
        Error::File { .. } => Fault::Unreadable,
        _ => Fault::Missing,
    }
}

/// Archives and arrays whose images are intact, but not the bytes between them.
fn damaged_files(folder: &Path, reader: &Reader) -> Result<Vec<Finding>> {
    let shard = |shard: &Shard| {
        file_finding(folder, &shard.file, shard.bytes, |path| {
            let mut hasher = blake3::Hasher::new();
            let read = hasher.update_reader(io::open_unlinked(path)?).map(drop);
            read.map_err(Error::io("read", path))?;
            Ok(hasher.finalize().to_hex().as_str() == shard.digest)
        })
    };
    let mut findings: Vec<Option<Finding>> = reader.prepared.shards.par_iter().map(shard).collect::<Result<_>>()?;
    if reader.prepared.format == Format::Npy
        && let Some(Location { file, offset, bytes, .. }) = reader.rows.last().and_then(|row| row.location.as_ref())
    {
        let header = npy_header(reader.rows.len(), reader.prepared.size);
        findings.push(file_finding(folder, file, offset + bytes, |path| {
            let mut found = vec![0; header.len()];
            let read = std::io::Read::read_exact(&mut io::open_unlinked(path)?, &mut found);
            read.map_err(Error::io("read", path))?;
            Ok(found == header)
        })?);
    }
    Ok(findings.into_iter().flatten().collect())
}

/// The fault of a file that should have `length` bytes and satisfy `is_intact`.
fn file_finding(
    folder: &Path,
    file: &str,
    length: u64,
    is_intact: impl FnOnce(&Path) -> Result<bool>,
) -> Result<Option<Finding>> {
    let path = folder.join(file);
    let found = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
    let fault = match found.cmp(&length) {
        Ordering::Less => Some(Fault::Truncated),
        Ordering::Greater => Some(Fault::Changed),
        Ordering::Equal => (!is_intact(&path)?).then_some(Fault::Changed),
    };
    Ok(fault.map(|fault| (file.to_owned(), fault)))
}

/// Verifies that the CSV file has the content of the Parquet file, `manifest`.
fn verify_csv(folder: &Path, reader: &Reader, manifest: DataFrame) -> Result<()> {
    let mut text = Vec::new();
    CsvWriter::new(&mut text).finish(&mut for_people(manifest)?)?;
    let path = folder.join(MANIFEST_CSV);
    let same_length = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len() == text.len() as u64;
    if same_length && io::read_up_to(&path, text.len() as u64)? == text {
        return Ok(());
    }
    let message = format!(
        "differs from manifest.parquet: run `gal-bench prepare --dataset {} --force` with its options again",
        reader.prepared.dataset
    );
    Err(Error::file(path, message))
}

/// Verifies the digests of the inputs against the description. A set without them is recognized by its description.
fn verify_inputs(folder: &Path, reader: &Reader) -> Result<()> {
    match Inputs::read(folder)? {
        Some(inputs) if inputs.whole_digest() != reader.prepared.input_digest => {
            let message = format!("has changed since the set was prepared: {PREPARE_AGAIN}");
            Err(Error::file(folder.join(INPUTS), message))
        }
        _ => Ok(()),
    }
}

/// An error that counts the `findings` by fault and names the first of each, unless there are none.
fn refuse(folder: &Path, findings: &[Finding], all: usize, unit: &str, remedy: &str) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let faults = Fault::ALL.into_iter().filter_map(|fault| {
        let names: Vec<&String> = findings.iter().filter(|(_, found)| *found == fault).map(|(name, _)| name).collect();
        let first = names.first()?;
        let more = match names.len() - 1 {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        Some(format!("{} {} ({first}{more})", names.len(), fault.label()))
    });
    let faults: Vec<String> = faults.collect();
    let damaged = findings.len();
    Err(Error::file(folder, format!("{damaged} of {all} {unit} are damaged: {}; {remedy}", faults.join(", "))))
}
