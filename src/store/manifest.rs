//! The manifest: one row an image, as Parquet for programs and as CSV for people. It is written a piece at a time, so
//! that memory does not grow with the number of images.

use super::folder::{MANIFEST, MANIFEST_TEXT};
use super::format::{Stored, Writer};
use super::hashed::Hashed;
use super::items::Item;
use crate::attribute;
use crate::error::{Error, Result};
use crate::io;
use polars::prelude::*;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Rows a piece; a row group of the Parquet file.
const PIECE: usize = 8192;

/// What the manifest is made from.
pub(super) struct Content<'a> {
    pub(super) items: &'a [Item<'a>],
    /// Of each item.
    pub(super) stored: &'a [Vec<Stored>],
    pub(super) writer: &'a dyn Writer,
    /// Side of the images in pixels.
    pub(super) size: u32,
}

/// Writes both forms; the digest of the Parquet file. `operations` gives the text of a copy's plan.
pub(super) fn write(folder: &Path, content: &Content, operations: impl Fn(&Item, u32) -> String) -> Result<String> {
    let images: Vec<(&Item, u32)> =
        content.items.iter().flat_map(|item| (0..item.copies).map(move |copy| (item, copy))).collect();
    let schema = content.frame(&images[..images.len().min(1)], &operations)?.schema().as_ref().clone();
    let (text, binary) = (folder.join(MANIFEST_TEXT), folder.join(MANIFEST));
    let pieces = || images.chunks(PIECE).map(|images| content.frame(images, &operations));
    io::write_with(&text, |file| {
        let mut file = BufWriter::new(file);
        let mut csv = CsvWriter::new(&mut file).batched(&schema)?;
        pieces().try_for_each(|piece| csv.write_batch(&piece?).map_err(failed(&text)))?;
        csv.finish().map_err(failed(&text))?;
        drop(csv);
        file.flush().map_err(Error::io("write", &text))
    })?;
    let digest = io::write_with(&binary, |file| {
        let mut hashed = Hashed::new(file);
        let writer = ParquetWriter::new(&mut hashed).with_compression(ParquetCompression::Snappy);
        let mut parquet = writer.batched(&schema)?;
        pieces().try_for_each(|piece| parquet.write_batch(&piece?).map_err(failed(&binary)))?;
        parquet.finish().map_err(failed(&binary))?;
        drop(parquet);
        Ok(hashed.finish().map_err(Error::io("write", &binary))?.1)
    })?;
    Ok(digest.to_hex().to_string())
}

/// A full disk is the user's to mend, anything else is not.
fn failed(path: &Path) -> impl Fn(PolarsError) -> Error {
    move |e| match e {
        PolarsError::IO { error, .. } => Error::io("write", path)(std::io::Error::new(error.kind(), error.to_string())),
        e => e.into(),
    }
}

impl Content<'_> {
    fn frame(&self, images: &[(&Item, u32)], operations: impl Fn(&Item, u32) -> String) -> Result<DataFrame> {
        let faces = || images.iter().map(|(item, _)| &item.face);
        let stored = || images.iter().map(|(item, copy)| self.stored[item.row].get(*copy as usize));
        let (files, members): (Vec<_>, Vec<_>) =
            images.iter().map(|(item, copy)| self.writer.place(item, *copy)).unzip();
        let hex = |digest: blake3::Hash| digest.to_hex().to_string();
        let mut columns = vec![
            Column::new("source".into(), faces().map(|face| face.source).collect::<Vec<_>>()),
            Column::new("copy".into(), images.iter().map(|(_, copy)| *copy as i32).collect::<Vec<_>>()),
            Column::new("split".into(), faces().map(|face| face.split.label()).collect::<Vec<_>>()),
            Column::new("identity".into(), faces().map(|face| face.identity).collect::<Vec<_>>()),
        ];
        columns.extend(attribute::NAMES.iter().enumerate().map(|(place, name)| {
            Column::new((*name).into(), faces().map(|face| face.labels[place]).collect::<Vec<_>>())
        }));
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
