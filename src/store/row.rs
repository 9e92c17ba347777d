//! A row of the manifest: one image, and where it is stored.

use super::layout::{is_below, is_image_file};
use super::options::Format;
use super::prepared::Prepared;
use crate::attribute::{self, ImageLabels};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The image of the data set that it was made from.
    pub source: String,
    /// The row of that image in the data set's table.
    pub source_row: usize,
    /// Number of the copy; 0 is the undistorted one.
    pub copy: u32,
    /// The split of its source.
    pub split: Split,
    /// The person, if known.
    pub identity: Option<String>,
    /// Labels in the order of [`attribute::NAMES`].
    pub labels: ImageLabels,
    /// Its stored bytes; `None` in a virtual set.
    pub location: Option<Location>,
    /// BLAKE3 of its source's file; `None` if the source is synthetic.
    pub source_digest: Option<blake3::Hash>,
    /// The distortions, as text.
    pub operations: String,
}

/// The stored bytes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Path below the prepared folder.
    pub file: String,
    /// Offset of the first byte in that file.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// BLAKE3 of these bytes.
    pub digest: blake3::Hash,
}

impl Location {
    /// Reads the stored bytes: a JPEG file, or pixels.
    pub(super) fn read(&self, folder: &Path) -> Result<Vec<u8>> {
        let path = folder.join(&self.file);
        let mut file = io::open_unlinked(&path)?;
        let mut bytes = vec![0; self.bytes as usize];
        let read = file.seek(SeekFrom::Start(self.offset)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(Error::io("read", path))?;
        Ok(bytes)
    }

    /// A sentence on why a set cannot hold an image here; `None` if it can.
    fn fault(&self, prepared: &Prepared) -> Option<String> {
        let Self { file, offset, bytes, .. } = self;
        if !is_image_file(prepared.format, file) {
            return Some(format!("the file {file:?} is not one of a set of format {}", prepared.format));
        }
        let pixels = 3 * u64::from(prepared.size).pow(2);
        // No JPEG image is larger than this, whatever its quality.
        let most = if prepared.format == Format::Npy { pixels } else { 2 * pixels + (64 << 10) };
        if *bytes == 0 || *bytes > most || (prepared.format == Format::Npy && *bytes != pixels) {
            return Some(format!("an image of {bytes} bytes, expected at most {most}"));
        }
        offset.checked_add(*bytes).is_none().then(|| format!("an image at offset {offset}"))
    }
}

/// The rows of a manifest, or a sentence on the first that contradicts the set's description.
pub(super) fn rows(manifest: &DataFrame, prepared: &Prepared) -> std::result::Result<Vec<Row>, String> {
    let columns = Columns::new(manifest).map_err(|e| e.to_string().lines().next().unwrap_or_default().to_owned())?;
    let mut sources_seen = 0;
    let mut row = |row: usize| {
        sources_seen += usize::from(columns.copies[row] == Some(0));
        let found = columns.row(row, sources_seen).ok_or("it is incomplete, or has a value out of range".to_owned())?;
        if !is_below(&found.source) {
            return Err(format!("the source {:?} is not the name of a file below a folder", found.source));
        }
        if found.location.is_none() != (prepared.format == Format::Virtual) {
            return Err("only images of a virtual set have no file".to_owned());
        }
        match found.location.as_ref().and_then(|location| location.fault(prepared)) {
            Some(fault) => Err(fault),
            None => Ok(found),
        }
    };
    let numbered = |index: usize| -> std::result::Result<Row, String> {
        row(index).map_err(|why| format!("row {}: {why}", index + 1))
    };
    (0..manifest.height()).map(numbered).collect()
}

/// The columns of a manifest that rows are made of.
struct Columns<'a> {
    sources: Vec<Option<&'a str>>,
    copies: Vec<Option<i32>>,
    splits: Vec<Option<&'a str>>,
    identities: Vec<Option<&'a str>>,
    /// One column an attribute.
    labels: Vec<Vec<Option<bool>>>,
    files: Vec<Option<&'a str>>,
    offsets: Vec<Option<i64>>,
    lengths: Vec<Option<i64>>,
    digests: Vec<Option<&'a str>>,
    source_digests: Vec<Option<&'a str>>,
    operations: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn new(manifest: &'a DataFrame) -> PolarsResult<Self> {
        let text =
            |name: &str| -> PolarsResult<Vec<Option<&'a str>>> { Ok(manifest.column(name)?.str()?.iter().collect()) };
        let number =
            |name: &str| -> PolarsResult<Vec<Option<i64>>> { Ok(manifest.column(name)?.i64()?.iter().collect()) };
        let labels =
            |name: &&str| -> PolarsResult<Vec<Option<bool>>> { Ok(manifest.column(name)?.bool()?.iter().collect()) };
        Ok(Self {
            sources: text("source")?,
            copies: manifest.column("copy")?.i32()?.iter().collect(),
            splits: text("split")?,
            identities: text("identity")?,
            labels: attribute::NAMES.iter().map(labels).collect::<PolarsResult<_>>()?,
            files: text("file")?,
            offsets: number("offset")?,
            lengths: number("bytes")?,
            digests: text("digest")?,
            source_digests: text("source_digest")?,
            operations: text("operations")?,
        })
    }

    /// The row of the `sources_seen`-th source; `None` if a value is missing or out of range.
    fn row(&self, row: usize, sources_seen: usize) -> Option<Row> {
        Some(Row {
            source: self.sources[row]?.to_owned(),
            source_row: sources_seen.checked_sub(1)?,
            copy: self.copies[row]?.try_into().ok()?,
            split: Split::parse(self.splits[row]?)?,
            identity: self.identities[row].map(str::to_owned),
            labels: std::array::from_fn(|attribute| self.labels[attribute][row]),
            location: match self.files[row] {
                Some(file) => Some(self.location(row, file)?),
                None => None,
            },
            source_digest: match self.source_digests[row] {
                Some(digest) => Some(parse_digest(digest)?),
                None => None,
            },
            operations: self.operations[row]?.to_owned(),
        })
    }

    fn location(&self, row: usize, file: &str) -> Option<Location> {
        Some(Location {
            file: file.to_owned(),
            offset: self.offsets[row]?.try_into().ok()?,
            bytes: self.lengths[row]?.try_into().ok()?,
            digest: parse_digest(self.digests[row]?)?,
        })
    }
}

fn parse_digest(hex: &str) -> Option<blake3::Hash> {
    blake3::Hash::from_hex(hex).ok()
}
