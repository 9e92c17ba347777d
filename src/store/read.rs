//! Reads a prepared set and verifies it.

use super::folder::{self, MANIFEST, PREPARED};
use super::jpeg;
use super::prepared::{Prepared, VERSION};
use crate::attribute;
use crate::augment::{Filter, resize};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::files;
use image::RgbImage;
use polars::prelude::*;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// A prepared set, open for reading from any number of threads.
#[derive(Debug)]
pub struct Reader {
    /// What was prepared, and how.
    pub prepared: Prepared,
    /// One for each stored image, in the manifest's order: by source, then by copy.
    pub rows: Vec<Row>,
    folder: PathBuf,
}

/// One stored image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The image of the data set that it was made from.
    pub source: String,
    /// 0 is the undistorted one.
    pub copy: i32,
    /// The part of the experiment it belongs to.
    pub split: Split,
    /// Whose face it is, where that is known.
    pub identity: Option<String>,
    /// In the order of [`attribute::NAMES`].
    pub labels: [bool; attribute::COUNT],
    /// Path below the prepared folder.
    pub file: String,
    /// BLAKE3 of the file, in hexadecimal.
    pub digest: String,
}

impl Reader {
    /// Opens the set in `folder`. Images are not looked at; see [`check`].
    ///
    /// # Errors
    /// No finished set, one of another version of this program, or a manifest that is not the one written with it.
    pub fn open(folder: &Path) -> Result<Self> {
        let Some(prepared) = folder::read_json::<Prepared>(&folder.join(PREPARED))? else {
            return Err(Error::Request(format!(
                "{} holds no finished prepared set: run `gal-bench prepare --dataset NAME --prepared {}`, which also goes \
                 on where it was stopped",
                folder.display(),
                folder.display()
            )));
        };
        let again = || format!("run `gal-bench prepare --dataset {} --force` with its options again", prepared.dataset);
        if prepared.version != VERSION {
            let message = format!("is of version {}, this program's is {VERSION}: {}", prepared.version, again());
            return Err(Error::file(folder.join(PREPARED), message));
        }
        let path = folder.join(MANIFEST);
        let bytes = files::read(&path)?;
        if folder::digest(&bytes) != prepared.manifest_digest {
            let message = format!("is not the manifest that {PREPARED} was written with; {}", again());
            return Err(Error::file(path, message));
        }
        let rows = rows(&bytes)?;
        Ok(Self { prepared, rows, folder: folder.to_path_buf() })
    }

    /// The stored image of a row.
    pub fn image(&self, row: usize) -> Result<RgbImage> {
        let path = self.folder.join(&self.rows[row].file);
        jpeg::decode(&files::read(&path)?, &path)
    }

    /// The image of a row as `side` x `side` RGB bytes, row by row; antialiased where that is smaller than what is
    /// stored, and as it is stored where it is the same.
    pub fn resized(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        let image = self.image(row)?;
        let side = side as u32;
        if image.dimensions() == (side, side) {
            return Ok(image.into_raw());
        }
        Ok(resize(&image, side, side, Filter::Triangle).into_raw())
    }
}

/// Verifies every stored image against the manifest; how many there are.
///
/// # Errors
/// As [`Reader::open`], and images that are missing or have other bytes: the first of them, in the manifest's order,
/// and their number.
pub fn check(folder: &Path) -> Result<usize> {
    let reader = Reader::open(folder)?;
    let differs = |row: &&Row| !std::fs::read(folder.join(&row.file)).is_ok_and(|b| folder::digest(&b) == row.digest);
    let damaged: Vec<&Row> = reader.rows.par_iter().filter(differs).collect();
    let Some(first) = damaged.first() else { return Ok(reader.rows.len()) };
    let message = format!(
        "is missing or not the image that was stored ({} of {} images are damaged): prepare the set again with --force",
        damaged.len(),
        reader.rows.len()
    );
    Err(Error::file(folder.join(&first.file), message))
}

fn rows(bytes: &[u8]) -> Result<Vec<Row>> {
    let frame = ParquetReader::new(std::io::Cursor::new(bytes)).finish()?;
    let text = |name: &str| -> Result<Vec<Option<&str>>> { Ok(frame.column(name)?.str()?.iter().collect()) };
    let labels = attribute::NAMES
        .iter()
        .map(|name| Ok(frame.column(name)?.bool()?.iter().map(|label| label == Some(true)).collect()))
        .collect::<Result<Vec<Vec<bool>>>>()?;
    let (sources, splits, identities) = (text("source")?, text("split")?, text("identity")?);
    let (stored, digests) = (text("file")?, text("digest")?);
    let copies = frame.column("copy")?.i32()?.iter().collect::<Vec<_>>();
    let missing = |row: usize| Error::Internal(format!("row {row} of the manifest is not complete"));
    let read = |row: usize| -> Option<Row> {
        Some(Row {
            source: sources[row]?.to_owned(),
            copy: copies[row]?,
            split: Split::parse(splits[row]?)?,
            identity: identities[row].map(str::to_owned),
            labels: std::array::from_fn(|place| labels[place][row]),
            file: stored[row]?.to_owned(),
            digest: digests[row]?.to_owned(),
        })
    };
    (0..frame.height()).map(|row| read(row).ok_or_else(|| missing(row))).collect()
}
