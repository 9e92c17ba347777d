//! The manifest: one row an image, as Parquet for programs and as CSV for people. It is written in chunks, so that memory
//! use does not grow with the number of images.

use super::format::{StoredImage, Writer};
use super::hashing::HashingWriter;
use super::items::SourceItem;
use super::layout::{MANIFEST, MANIFEST_CSV};
use crate::attribute;
use crate::dataset::table::label_column;
use crate::error::{Error, Result};
use crate::io;
use crate::untrusted::cell;
use polars::prelude::*;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Rows a chunk, which is a row group of the Parquet file.
const CHUNK_ROWS: usize = 8192;

/// The content of a manifest.
pub(super) struct Content<'a> {
    pub(super) items: &'a [SourceItem<'a>],
    /// The stored images of each item.
    pub(super) stored: &'a [Vec<StoredImage>],
    pub(super) writer: &'a dyn Writer,
    /// Side of the images in pixels.
    pub(super) size: u32,
}

/// Writes both files; returns the digest of the Parquet file. `operations` returns a copy's distortions as text.
pub(super) fn write(
    folder: &Path,
    content: &Content,
    operations: impl Fn(&SourceItem, u32) -> String,
) -> Result<String> {
    let images: Vec<(&SourceItem, u32)> =
        content.items.iter().flat_map(|item| (0..item.copies).map(move |copy| (item, copy))).collect();
    let schema = content.frame(&images[..images.len().min(1)], &operations)?.schema().as_ref().clone();
    let (csv_path, parquet_path) = (folder.join(MANIFEST_CSV), folder.join(MANIFEST));
    let chunks = || images.chunks(CHUNK_ROWS).map(|images| content.frame(images, &operations));
    io::write_with(&csv_path, |file| {
        let mut file = BufWriter::new(file);
        let mut csv = CsvWriter::new(&mut file).batched(&schema)?;
        chunks().try_for_each(|chunk| csv.write_batch(&for_people(chunk?)?).map_err(failed(&csv_path)))?;
        csv.finish().map_err(failed(&csv_path))?;
        drop(csv);
        file.flush().map_err(Error::io("write", &csv_path))
    })?;
    let digest = io::write_with(&parquet_path, |file| {
        let mut hashing = HashingWriter::new(file);
        let writer = ParquetWriter::new(&mut hashing).with_compression(ParquetCompression::Snappy);
        let mut parquet = writer.batched(&schema)?;
        chunks().try_for_each(|chunk| parquet.write_batch(&chunk?).map_err(failed(&parquet_path)))?;
        parquet.finish().map_err(failed(&parquet_path))?;
        drop(parquet);
        Ok(hashing.finish().map_err(Error::io("write", &parquet_path))?.1)
    })?;
    Ok(digest.to_hex().to_string())
}

/// The columns with names that others chose.
const NAMED: [&str; 4] = ["source", "identity", "file", "member"];

/// A part of the manifest as the CSV file shows it: a spreadsheet must not run a name as a formula.
pub(super) fn for_people(mut frame: DataFrame) -> Result<DataFrame> {
    for name in NAMED {
        let column = frame.column(name)?.str()?;
        let cells: StringChunked = column.iter().map(|text| text.map(cell)).collect();
        frame.with_column(cells.with_name(name.into()).into_column())?;
    }
    Ok(frame)
}

/// A failed system call is an I/O error, such as a full disk; any other failure is a bug.
fn failed(path: &Path) -> impl Fn(PolarsError) -> Error {
    move |e| match e {
        PolarsError::IO { error, .. } => Error::io("write", path)(std::io::Error::new(error.kind(), error.to_string())),
        e => e.into(),
    }
}

impl Content<'_> {
    fn frame(
        &self,
        images: &[(&SourceItem, u32)],
        operations: impl Fn(&SourceItem, u32) -> String,
    ) -> Result<DataFrame> {
        let annotations = || images.iter().map(|(item, _)| &item.annotation);
        let stored = || images.iter().map(|(item, copy)| self.stored[item.row].get(*copy as usize));
        let (files, members): (Vec<_>, Vec<_>) =
            images.iter().map(|(item, copy)| self.writer.file_and_member(item, *copy)).unzip();
        let hex = |digest: blake3::Hash| digest.to_hex().to_string();
        let mut columns = vec![
            Column::new("source".into(), annotations().map(|row| row.source).collect::<Vec<_>>()),
            Column::new("copy".into(), images.iter().map(|(_, copy)| *copy as i32).collect::<Vec<_>>()),
            Column::new("split".into(), annotations().map(|row| row.split.label()).collect::<Vec<_>>()),
            Column::new("identity".into(), annotations().map(|row| row.identity).collect::<Vec<_>>()),
        ];
        let labels = |(index, name): (usize, &&str)| label_column(name, annotations().map(|row| row.labels[index]));
        columns.extend(attribute::NAMES.iter().enumerate().map(labels));
        columns.extend([
            Column::new("file".into(), files),
            Column::new("member".into(), members),
            Column::new("offset".into(), stored().map(|stored| Some(stored?.offset as i64)).collect::<Vec<_>>()),
            Column::new("bytes".into(), stored().map(|stored| Some(stored?.bytes as i64)).collect::<Vec<_>>()),
            Column::new("width".into(), vec![self.size as i32; images.len()]),
            Column::new("height".into(), vec![self.size as i32; images.len()]),
            Column::new("digest".into(), stored().map(|stored| Some(hex(stored?.digest))).collect::<Vec<_>>()),
            Column::new(
                "source_digest".into(),
                images.iter().map(|(item, _)| item.digest.map(hex)).collect::<Vec<_>>(),
            ),
            Column::new(
                "operations".into(),
                images.iter().map(|(item, copy)| operations(item, *copy)).collect::<Vec<_>>(),
            ),
        ]);
        Ok(DataFrame::new(images.len(), columns)?)
    }
}
