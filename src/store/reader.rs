//! Reads a prepared set of any format. Stored images are read at the location in the manifest; those of a virtual set
//! are rendered from their sources.

use super::hashing::hex_digest;
use super::layout::{MANIFEST, PREPARED};
use super::options::Format;
use super::prepared::{Prepared, SourceImages, VERSION, read_description};
use super::preprocessing::resized;
use super::row::{Row, rows};
use super::sources::CopyRenderer;
use crate::augment::Pipeline;
use crate::dataset::{DatasetName, Images, Split};
use crate::error::{Error, Result};
use crate::io;
use crate::synthetic;
use image::RgbImage;
use polars::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A prepared set, open for reading from any number of threads.
#[derive(Debug)]
pub struct Reader {
    /// The set's description.
    pub prepared: Prepared,
    /// One row an image in the manifest's order: by source, then by copy.
    pub rows: Vec<Row>,
    folder: PathBuf,
    /// The sources of a virtual set.
    sources: Option<Sources>,
}

/// The inputs from which a virtual set is rendered.
#[derive(Debug)]
struct Sources {
    images: Images,
    pipeline: Pipeline,
}

impl Reader {
    /// Opens the set in `folder`. Images are not verified; see [`super::verify()`].
    ///
    /// # Errors
    /// No finished set, a set of another version of this program, or a manifest that was not written with it.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with_manifest(folder).map(|(reader, _)| reader)
    }

    /// Like [`Reader::open`], for the data set `name`.
    ///
    /// # Errors
    /// As there, or a set of another data set.
    pub fn open_for(name: DatasetName, folder: &Path) -> Result<Self> {
        let shown = folder.display();
        if !folder.join(PREPARED).exists() {
            return Err(no_set(folder, name.label()));
        }
        let reader = Self::open(folder)?;
        if reader.prepared.dataset == name.label() {
            return Ok(reader);
        }
        Err(Error::Request(format!(
            "{shown} holds a prepared set of {}, not of {}: give --dataset {}, or another folder with --prepared",
            reader.prepared.dataset,
            name.label(),
            reader.prepared.dataset
        )))
    }

    /// Like [`Reader::open`], with the manifest that the rows were read from.
    pub(super) fn open_with_manifest(folder: &Path) -> Result<(Self, DataFrame)> {
        let path = folder.join(PREPARED);
        let Some(description) = read_description(folder)? else {
            return Err(no_set(folder, "NAME"));
        };
        let again = format!(
            "run `gal-bench prepare --dataset {} --force` with its options again",
            description["dataset"].as_str().unwrap_or("NAME")
        );
        if description["version"] != VERSION {
            let message = format!("is of version {}, expected version {VERSION}: {again}", description["version"]);
            return Err(Error::file(path, message));
        }
        let prepared: Prepared =
            serde_json::from_value(description).map_err(|e| Error::file(&path, format!("{e}; {again}")))?;
        let manifest = read_manifest(folder, &prepared, &again)?;
        let wrong = |fault: String| Error::file(&path, format!("{fault}; {again}"));
        prepared.fault(manifest.height()).map_or(Ok(()), |fault| Err(wrong(fault)))?;
        let rows = rows(&manifest, &prepared)
            .map_err(|fault| Error::file(folder.join(MANIFEST), format!("{fault}; {again}")))?;
        refuse_links(folder, &rows).map_err(wrong)?;
        let pipeline = Pipeline::from_toml(&path, &prepared.pipeline)?;
        let images = match &prepared.origin {
            None => None,
            Some(SourceImages::Folder(root)) => Some(Images::Folder(root.clone())),
            Some(SourceImages::Synthetic(seed)) => Some(Images::Synthetic(synthetic::Renderer::new(*seed)?)),
        };
        let sources = images.map(|images| Sources { images, pipeline });
        Ok((Self { prepared, rows, folder: folder.to_path_buf(), sources }, manifest))
    }

    /// The image of a row.
    ///
    /// # Errors
    /// It cannot be read, is not the image that was stored, or the source of a virtual set's image has changed since the set was prepared.
    pub fn image(&self, row: usize) -> Result<RgbImage> {
        let Some(location) = &self.rows[row].location else { return self.render(row) };
        let path = self.folder.join(&location.file);
        let bytes = location.read(&self.folder)?;
        if blake3::hash(&bytes) != location.digest {
            let message = format!(
                "holds another image of {} than was stored: run `gal-bench prepare --dataset {} --force` with its options \
                 again",
                self.rows[row].source, self.prepared.dataset
            );
            return Err(Error::file(path, message));
        }
        if self.prepared.format.is_jpeg() {
            return io::decode_trusted_jpeg(&bytes, &path);
        }
        let side = self.prepared.size;
        RgbImage::from_raw(side, side, bytes)
            .ok_or_else(|| Error::Internal(format!("row {row} of the manifest has the wrong length")))
    }

    /// The image of a row of a virtual set.
    fn render(&self, row: usize) -> Result<RgbImage> {
        let Row { source, source_row, copy, source_digest, operations, .. } = &self.rows[row];
        let Some(Sources { images, pipeline }) = &self.sources else {
            return Err(Error::Internal(format!("row {row} of the manifest has no location")));
        };
        let renderer = CopyRenderer { images, pipeline, seed: self.prepared.seed, size: self.prepared.size };
        let plan = renderer.plan(source, *copy);
        if plan.to_string() != *operations {
            let message = "was prepared by another version of this program, which distorts images in another way; \
                           prepare it again with --force";
            return Err(Error::file(&self.folder, message));
        }
        Ok(renderer.open(*source_row, source, *source_digest)?.render(&plan))
    }

    /// The image of a row as `side` x `side` RGB bytes; see [`resized`].
    pub fn resized(&self, row: usize, side: usize) -> Result<Vec<u8>> {
        Ok(resized(self.image(row)?, side))
    }

    /// The folder with the source files of a virtual set, if it has any.
    pub(super) fn source_folder(&self) -> Option<&Path> {
        match (&self.prepared.format, &self.prepared.origin) {
            (Format::Virtual, Some(SourceImages::Folder(root))) => Some(root),
            _ => None,
        }
    }
}

fn no_set(folder: &Path, dataset: &str) -> Error {
    let folder = folder.display();
    Error::Request(format!(
        "{folder} holds no finished prepared set: run `gal-bench prepare --dataset {dataset} --prepared {folder}`, which \
         resumes an interrupted preparation"
    ))
}

/// Reads the manifest that was written with `prepared`; `again` is the remedy named in errors.
fn read_manifest(folder: &Path, prepared: &Prepared, again: &str) -> Result<DataFrame> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        let remedy = again.replace(" --force", "").replace(" again", ", which writes it anew");
        return Err(Error::file(path, format!("is missing: {remedy}")));
    }
    let bytes = io::read_up_to(&path, io::TABLE_BYTES)?;
    if hex_digest(&bytes) != prepared.manifest_digest {
        let message = format!("is not the manifest that {PREPARED} was written with; {again}");
        return Err(Error::file(path, message));
    }
    let stored = Split::ALL.iter().map(|split| prepared.counts(*split).stored);
    Ok(io::parse_parquet(&path, &bytes, stored.reduce(usize::saturating_add), again)?.frame)
}

/// Refuses folders of images that are links or lead through one, with a sentence.
fn refuse_links(folder: &Path, rows: &[Row]) -> std::result::Result<(), String> {
    let of_image = |row: &Row| Path::new(&row.location.as_ref()?.file).parent().map(Path::to_path_buf);
    let folders: BTreeSet<PathBuf> = rows.iter().filter_map(of_image).collect();
    let all: BTreeSet<&Path> = folders.iter().flat_map(|of_images| of_images.ancestors()).collect();
    let is_link = |below: &&&Path| {
        !below.as_os_str().is_empty()
            && std::fs::symlink_metadata(folder.join(below)).is_ok_and(|found| !found.is_dir())
    };
    match all.iter().find(is_link) {
        Some(below) => Err(format!("{} is a link or a file, expected a folder", below.display())),
        None => Ok(()),
    }
}
