//! A row of the manifest: one image, and where it is stored.

use crate::attribute::{self, ImageLabels};
use crate::dataset::Split;
use crate::error::{Error, Result};
use polars::prelude::*;
use std::fs::File;
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
    pub(super) fn read(&self, folder: &Path) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(folder.join(&self.file))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = vec![0; self.bytes as usize];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// The rows of a manifest.
pub(super) fn rows(manifest: &DataFrame) -> Result<Vec<Row>> {
    let columns = Columns::new(manifest)?;
    let mut sources_seen = 0;
    let row = |row: usize| {
        sources_seen += usize::from(columns.copies[row] == Some(0));
        columns
            .row(row, sources_seen)
            .ok_or_else(|| Error::Internal(format!("row {row} of the manifest is incomplete")))
    };
    (0..manifest.height()).map(row).collect()
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
    fn new(manifest: &'a DataFrame) -> Result<Self> {
        let text = |name: &str| -> Result<Vec<Option<&'a str>>> { Ok(manifest.column(name)?.str()?.iter().collect()) };
        let number = |name: &str| -> Result<Vec<Option<i64>>> { Ok(manifest.column(name)?.i64()?.iter().collect()) };
        let labels = |name: &&str| -> Result<Vec<Option<bool>>> { Ok(manifest.column(name)?.bool()?.iter().collect()) };
        Ok(Self {
            sources: text("source")?,
            copies: manifest.column("copy")?.i32()?.iter().collect(),
            splits: text("split")?,
            identities: text("identity")?,
            labels: attribute::NAMES.iter().map(labels).collect::<Result<_>>()?,
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
            copy: self.copies[row]? as u32,
            split: Split::parse(self.splits[row]?)?,
            identity: self.identities[row].map(str::to_owned),
            labels: std::array::from_fn(|attribute| self.labels[attribute][row]),
            location: match self.files[row] {
                Some(file) => Some(self.location(row, file)?),
                None => None,
            },
            source_digest: self.source_digests[row].and_then(parse_digest),
            operations: self.operations[row]?.to_owned(),
        })
    }

    fn location(&self, row: usize, file: &str) -> Option<Location> {
        Some(Location {
            file: file.to_owned(),
            offset: self.offsets[row]? as u64,
            bytes: self.lengths[row]? as u64,
            digest: parse_digest(self.digests[row]?)?,
        })
    }
}

fn parse_digest(hex: &str) -> Option<blake3::Hash> {
    blake3::Hash::from_hex(hex).ok()
}
