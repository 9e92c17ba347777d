//! Reads a prepared set of any format. What is stored is read by the place that the manifest names; what is not is drawn
//! from its source.

use super::folder::{self, MANIFEST, PREPARED};
use super::format::Format;
use super::jpeg;
use super::prepared::{Origin, Prepared, VERSION};
use super::sources::Studio;
use super::standard::resized;
use crate::attribute;
use crate::augment::Pipeline;
use crate::dataset::{Images, Split};
use crate::error::{Error, Result};
use crate::io;
use crate::synthetic;
use image::RgbImage;
use polars::prelude::*;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A prepared set, open for reading from any number of threads.
#[derive(Debug)]
pub struct Reader {
    /// What was prepared, and how.
    pub prepared: Prepared,
    /// One for each image, in the manifest's order: by source, then by copy.
    pub rows: Vec<Row>,
    folder: PathBuf,
    /// Where a virtual set comes from.
    sources: Option<Sources>,
}

/// What a virtual set is drawn from.
#[derive(Debug)]
struct Sources {
    images: Images,
    pipeline: Pipeline,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The image of the data set that it was made from.
    pub source: String,
    /// The row of that image in the data set's table.
    pub source_row: usize,
    /// 0 is the undistorted one.
    pub copy: u32,
    /// The part of the experiment it belongs to.
    pub split: Split,
    /// Whose face it is, where that is known.
    pub identity: Option<String>,
    /// In the order of [`attribute::NAMES`].
    pub labels: [bool; attribute::COUNT],
    /// Where it is stored; nothing in a virtual set.
    pub place: Option<Place>,
    /// BLAKE3 of the file that it was made from; nothing where that was drawn.
    pub source_digest: Option<blake3::Hash>,
    /// What was done to the source, as text.
    pub operations: String,
}

/// Where an image is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path below the prepared folder.
    pub file: String,
    /// Where its bytes begin in that file.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
    /// BLAKE3 of these bytes.
    pub digest: blake3::Hash,
}

impl Place {
    /// The stored bytes, whatever they are: a JPEG file, or pixels.
    pub(super) fn read(&self, folder: &Path) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(folder.join(&self.file))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = vec![0; self.bytes as usize];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Reader {
    /// Opens the set in `folder`. Images are not looked at; see [`super::check`].
    ///
    /// # Errors
    /// No finished set, one of another version of this program, or a manifest that is not the one written with it.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with_manifest(folder).map(|(reader, _)| reader)
    }

    /// As [`Reader::open`], with the manifest that the rows were read from.
    pub(super) fn open_with_manifest(folder: &Path) -> Result<(Self, DataFrame)> {
        let prepared_path = folder.join(PREPARED);
        let Some(stated) =
            io::read_json_if_exists::<serde_json::Value>(&prepared_path, "the description of a prepared set")?
        else {
            return Err(Error::Request(format!(
                "{} holds no finished prepared set: run `gal-bench prepare --dataset NAME --prepared {}`, which also goes \
                 on where it was stopped",
                folder.display(),
                folder.display()
            )));
        };
        let again = format!(
            "run `gal-bench prepare --dataset {} --force` with its options again",
            stated["dataset"].as_str().unwrap_or("NAME")
        );
        if stated["version"] != VERSION {
            let message = format!("is of version {}, this program's is {VERSION}: {again}", stated["version"]);
            return Err(Error::file(prepared_path, message));
        }
        let prepared: Prepared =
            serde_json::from_value(stated).map_err(|e| Error::file(&prepared_path, format!("{e}; {again}")))?;
        let path = folder.join(MANIFEST);
        let bytes = io::read(&path)?;
        if folder::digest(&bytes) != prepared.manifest_digest {
            let message = format!("is not the manifest that {PREPARED} was written with; {again}");
            return Err(Error::file(path, message));
        }
        let manifest = ParquetReader::new(std::io::Cursor::new(bytes)).finish()?;
        let rows = rows(&manifest)?;
        let sources = match &prepared.origin {
            None => None,
            Some(Origin::Folder(root)) => Some(Images::Folder(root.clone())),
            Some(Origin::Synthetic(seed)) => Some(Images::Synthetic(synthetic::Renderer::new(*seed)?)),
        };
        let pipeline = Pipeline::from_toml(&prepared_path, &prepared.pipeline)?;
        let sources = sources.map(|images| Sources { images, pipeline });
        Ok((Self { prepared, rows, folder: folder.to_path_buf(), sources }, manifest))
    }

    /// The image of a row.
    ///
    /// # Errors
    /// It cannot be read, or, in a virtual set, its source is not what it was when the set was prepared.
    pub fn image(&self, row: usize) -> Result<RgbImage> {
        let Row { place, .. } = &self.rows[row];
        let Some(place) = place else { return self.draw(row) };
        let path = self.folder.join(&place.file);
        let bytes = place.read(&self.folder).map_err(Error::io("read", &path))?;
        if self.prepared.format.is_jpeg() {
            return jpeg::decode(&bytes, &path);
        }
        let side = self.prepared.size;
        RgbImage::from_raw(side, side, bytes)
            .ok_or_else(|| Error::Internal(format!("row {row} of the manifest has the wrong length")))
    }

    /// The image of a row of a virtual set.
    fn draw(&self, row: usize) -> Result<RgbImage> {
        let Row { source, source_row, copy, source_digest, operations, .. } = &self.rows[row];
        let Some(Sources { images, pipeline }) = &self.sources else {
            return Err(Error::Internal(format!("row {row} of the manifest is stored nowhere")));
        };
        let studio = Studio { images, pipeline, seed: self.prepared.seed, size: self.prepared.size };
        let plan = studio.plan(source, *copy);
        if plan.to_string() != *operations {
            let message = "is not what its manifest says: it was prepared by another version of this program; prepare it \
                           again with --force";
            return Err(Error::file(&self.folder, message));
        }
        Ok(studio.open(*source_row, source, *source_digest)?.render(&plan))
    }

    /// The image of a row as `side` x `side` RGB bytes; see [`resized`].
    pub fn resized(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        Ok(resized(self.image(row)?, side))
    }

    /// The folder with the sources of a virtual set, where they are files.
    pub(super) fn source_folder(&self) -> Option<&Path> {
        match (&self.prepared.format, &self.prepared.origin) {
            (Format::Virtual, Some(Origin::Folder(root))) => Some(root),
            _ => None,
        }
    }
}

fn rows(frame: &DataFrame) -> Result<Vec<Row>> {
    let text = |name: &str| -> Result<Vec<Option<&str>>> { Ok(frame.column(name)?.str()?.iter().collect()) };
    let number = |name: &str| -> Result<Vec<Option<i64>>> { Ok(frame.column(name)?.i64()?.iter().collect()) };
    let labels = attribute::NAMES
        .iter()
        .map(|name| Ok(frame.column(name)?.bool()?.iter().map(|label| label == Some(true)).collect()))
        .collect::<Result<Vec<Vec<bool>>>>()?;
    let (sources, splits, identities) = (text("source")?, text("split")?, text("identity")?);
    let (stored, digests, source_digests) = (text("file")?, text("digest")?, text("source_digest")?);
    let (operations, offsets, lengths) = (text("operations")?, number("offset")?, number("bytes")?);
    let copies = frame.column("copy")?.i32()?.iter().collect::<Vec<_>>();
    let missing = |row: usize| Error::Internal(format!("row {row} of the manifest is not complete"));
    let hash = |hex: &str| blake3::Hash::from_hex(hex).ok();
    let mut begun = 0;
    let mut read = |row: usize| -> Option<Row> {
        let copy = copies[row]? as u32;
        begun += usize::from(copy == 0);
        let place = match stored[row] {
            None => None,
            Some(file) => Some(Place {
                file: file.to_owned(),
                offset: offsets[row]? as u64,
                bytes: lengths[row]? as u64,
                digest: hash(digests[row]?)?,
            }),
        };
        Some(Row {
            source: sources[row]?.to_owned(),
            source_row: usize::checked_sub(begun, 1)?,
            copy,
            split: Split::parse(splits[row]?)?,
            identity: identities[row].map(str::to_owned),
            labels: std::array::from_fn(|place| labels[place][row]),
            place,
            source_digest: source_digests[row].and_then(hash),
            operations: operations[row]?.to_owned(),
        })
    };
    (0..frame.height()).map(|row| read(row).ok_or_else(|| missing(row))).collect()
}
