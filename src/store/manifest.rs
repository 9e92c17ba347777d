//! The manifest: one row a stored image, as Parquet for programs and as CSV for people.

use super::folder::{MANIFEST, MANIFEST_TEXT, digest};
use crate::attribute;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files;
use polars::prelude::*;
use std::path::Path;

/// One source and its place in the folder.
#[derive(Debug)]
pub(super) struct Item {
    /// In the data set's table.
    pub(super) row: usize,
    pub(super) source: String,
    pub(super) split: Split,
    /// The folder of its images, below the prepared folder.
    pub(super) shard: String,
    pub(super) stem: String,
    /// How many images are stored of it.
    pub(super) copies: u32,
}

impl Item {
    /// The path of a copy below the prepared folder.
    pub(super) fn file(&self, copy: u32) -> String {
        format!("{}/{}-{copy}.jpg", self.shard, self.stem)
    }
}

/// Writes both forms; the digest of the Parquet file. `operations` gives the text of a copy's plan.
pub(super) fn write(
    dataset: &Dataset,
    folder: &Path,
    items: &[Item],
    digests: &[Vec<blake3::Hash>],
    operations: impl Fn(&Item, u32) -> String,
) -> Result<String> {
    let mut frame = frame(dataset, items, digests, operations)?;
    let mut text = Vec::new();
    CsvWriter::new(&mut text).finish(&mut frame)?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Snappy).finish(&mut frame)?;
    files::write(&folder.join(MANIFEST_TEXT), &text)?;
    files::write(&folder.join(MANIFEST), &bytes)?;
    Ok(digest(&bytes))
}

fn frame(
    dataset: &Dataset,
    items: &[Item],
    digests: &[Vec<blake3::Hash>],
    operations: impl Fn(&Item, u32) -> String,
) -> Result<DataFrame> {
    let copies = || items.iter().flat_map(|item| (0..item.copies).map(move |copy| (item, copy)));
    let height = copies().count();
    let text = |name: &str, values: Vec<String>| Column::new(name.into(), values);
    let identity: Vec<Option<&str>> = dataset.table.column("identity")?.str()?.iter().collect();
    let identity: Vec<Option<&str>> = copies().map(|(item, _)| identity[item.row]).collect();
    let mut columns = vec![
        text("source", copies().map(|(item, _)| item.source.clone()).collect()),
        Column::new("copy".into(), copies().map(|(_, copy)| copy as i32).collect::<Vec<_>>()),
        text("split", copies().map(|(item, _)| item.split.label().to_owned()).collect()),
        Column::new("identity".into(), identity),
    ];
    for name in attribute::NAMES {
        let labels: Vec<Option<bool>> = dataset.table.column(name)?.bool()?.iter().collect();
        let labels = copies().map(|(item, _)| labels[item.row].ok_or_else(|| no_label(&item.source, name)));
        columns.push(Column::new(name.into(), labels.collect::<Result<Vec<bool>>>()?));
    }
    columns.push(text("file", copies().map(|(item, copy)| item.file(copy)).collect()));
    columns.push(text("digest", digests.iter().flatten().map(|hash| hash.to_hex().to_string()).collect()));
    columns.push(text("operations", copies().map(|(item, copy)| operations(item, copy)).collect()));
    Ok(DataFrame::new(height, columns)?)
}

fn no_label(source: &str, attribute: &str) -> Error {
    Error::Internal(format!("{source} has no label for {attribute}"))
}
