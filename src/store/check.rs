//! Verifies a prepared set, byte by byte, against the digests it was written with.

use super::folder::MANIFEST_TEXT;
use super::format::{Format, NPY_HEADER, npy_header};
use super::read::{Place, Reader, Row};
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use rayon::prelude::*;
use std::io::ErrorKind;
use std::path::Path;

/// What is wrong with a file, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Missing,
    Truncated,
    Changed,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Missing, Self::Truncated, Self::Changed];

    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Truncated => "truncated",
            Self::Changed => "changed",
        }
    }
}

/// Verifies every image of the set in `folder`, and what stands around them in archives, against the digests; of a
/// virtual set the sources, which are all it has. How many images, or sources, there are.
///
/// # Errors
/// As [`Reader::open`], and images that are missing, cut or have other bytes: how many of each, and the first.
pub fn check(folder: &Path) -> Result<usize> {
    let (reader, manifest) = Reader::open_with_manifest(folder)?;
    check_text(folder, &reader, manifest)?;
    if let Some(root) = reader.source_folder() {
        return check_files_of(&reader, root);
    }
    let fault =
        |row: &Row| row.place.as_ref().and_then(|place| Some((name(row, place), image(folder, &reader, place)?)));
    let faults: Vec<(String, Fault)> = reader.rows.par_iter().filter_map(fault).collect();
    refuse(folder, &faults, reader.rows.len(), "images", "prepare the set again with --force")?;
    // Every image is whole: what is left are the bytes between them.
    let faults: Vec<(String, Fault)> = around(folder, &reader)?;
    refuse(folder, &faults, faults.len(), "files", "prepare the set again with --force")?;
    Ok(reader.rows.len())
}

/// Verifies the images of the data set below `root` against those that the set in `folder` was prepared from; how many
/// there are.
///
/// # Errors
/// As [`Reader::open`]; images drawn by this program, which are no files; and as [`check`] has it of stored ones.
pub fn check_sources(folder: &Path, root: &Path) -> Result<usize> {
    check_files_of(&Reader::open(folder)?, root)
}

fn check_files_of(reader: &Reader, root: &Path) -> Result<usize> {
    let firsts: Vec<&Row> = reader.rows.iter().filter(|row| row.copy == 0).collect();
    if let Some(drawn) = firsts.iter().find(|row| row.source_digest.is_none()) {
        return Err(Error::Request(format!("{} was drawn by this program: there are no files to check", drawn.source)));
    }
    let fault = |row: &&&Row| -> Option<(String, Fault)> {
        let found = std::fs::read(root.join(&row.source)).map(|bytes| Some(blake3::hash(&bytes)) == row.source_digest);
        let fault = match found {
            Ok(true) => return None,
            Ok(false) => Fault::Changed,
            Err(_) => Fault::Missing,
        };
        Some((row.source.clone(), fault))
    };
    let faults: Vec<(String, Fault)> = firsts.par_iter().filter_map(|row| fault(&row)).collect();
    refuse(root, &faults, firsts.len(), "source images", "put them back, or prepare the set again with --force")?;
    Ok(firsts.len())
}

/// What an image is called in a sentence.
fn name(row: &Row, place: &Place) -> String {
    if place.offset == 0 { place.file.clone() } else { format!("{} of {} in {}", row.copy, row.source, place.file) }
}

fn image(folder: &Path, reader: &Reader, place: &Place) -> Option<Fault> {
    if reader.prepared.format == Format::Jpeg
        && std::fs::metadata(folder.join(&place.file)).is_ok_and(|file| file.len() > place.bytes)
    {
        return Some(Fault::Changed);
    }
    match place.read(folder) {
        Ok(bytes) => (blake3::hash(&bytes) != place.digest).then_some(Fault::Changed),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Some(Fault::Truncated),
        Err(_) => Some(Fault::Missing),
    }
}

/// Files whose images are right, but not all of them.
fn around(folder: &Path, reader: &Reader) -> Result<Vec<(String, Fault)>> {
    let prepared = &reader.prepared;
    let whole = |file: &str, bytes: u64, digest: &dyn Fn(&Path) -> Result<bool>| -> Result<Option<(String, Fault)>> {
        let path = folder.join(file);
        let length = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
        let fault = match length.cmp(&bytes) {
            std::cmp::Ordering::Less => Some(Fault::Truncated),
            std::cmp::Ordering::Greater => Some(Fault::Changed),
            std::cmp::Ordering::Equal => (!digest(&path)?).then_some(Fault::Changed),
        };
        Ok(fault.map(|fault| (file.to_owned(), fault)))
    };
    let shard = |shard: &super::Shard| {
        whole(&shard.file, shard.bytes, &|path| {
            let mut hasher = blake3::Hasher::new();
            let read = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
            read.map_err(Error::io("read", path))?;
            Ok(hasher.finalize().to_hex().as_str() == shard.digest)
        })
    };
    let mut faults: Vec<_> = prepared.shards.par_iter().map(shard).collect::<Result<_>>()?;
    if let (Format::Npy, Some(Place { file, offset, bytes, .. })) =
        (prepared.format, reader.rows.last().and_then(|row| row.place.as_ref()))
    {
        let header = npy_header(reader.rows.len(), prepared.size);
        let place = Place { file: file.clone(), offset: 0, bytes: NPY_HEADER, digest: blake3::hash(&header) };
        faults.push(whole(file, offset + bytes, &|path| {
            Ok(place.read(folder).map_err(Error::io("read", path))? == header)
        })?);
    }
    Ok(faults.into_iter().flatten().collect())
}

/// That the CSV form says what the Parquet form, `manifest`, says.
fn check_text(folder: &Path, reader: &Reader, mut manifest: DataFrame) -> Result<()> {
    let mut text = Vec::new();
    CsvWriter::new(&mut text).finish(&mut manifest)?;
    let path = folder.join(MANIFEST_TEXT);
    if io::read(&path)? == text {
        return Ok(());
    }
    let message = format!(
        "does not say what manifest.parquet says: run `gal-bench prepare --dataset {} --force` with its options again",
        reader.prepared.dataset
    );
    Err(Error::file(path, message))
}

/// The error that `faults` are, if there are any, with the first of each kind by name.
fn refuse(folder: &Path, faults: &[(String, Fault)], all: usize, unit: &str, what_to_do: &str) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let kinds = Fault::ALL.into_iter().filter_map(|kind| {
        let mut of_kind = faults.iter().filter(|(_, fault)| *fault == kind).map(|(name, _)| name);
        let first = of_kind.next()?;
        let more = match of_kind.count() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        Some(format!("{} {} ({first}{more})", faults.iter().filter(|(_, fault)| *fault == kind).count(), kind.label()))
    });
    let kinds: Vec<String> = kinds.collect();
    let damaged = faults.len();
    Err(Error::file(folder, format!("{damaged} of {all} {unit} are damaged: {}; {what_to_do}", kinds.join(", "))))
}
