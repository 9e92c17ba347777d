//! The readers of annotation files on bytes in memory, as the fuzz targets drive them (`fuzz/`); the commands read
//! folders, through [`super::celeba`] and [`super::lfwa`].

use super::annotation::{Coding, read_attributes, read_partition};
use super::{DatasetName, lfwa};
use crate::error::Result;
use std::path::Path;

/// The name that errors give the bytes.
const PATH: &str = "bytes";

/// How many rows of labels the content of a text or CSV file holds, read as `name` codes them.
///
/// # Errors
/// The content breaks the format.
pub fn labels(name: DatasetName, bytes: &[u8]) -> Result<usize> {
    let coding = if name == DatasetName::Celeba { Coding::CELEBA } else { Coding::EITHER };
    Ok(read_attributes(Path::new(PATH), bytes, coding)?.images.len())
}

/// How many rows of splits the content of a text or CSV file holds.
///
/// # Errors
/// The content breaks the format.
pub fn partition(bytes: &[u8]) -> Result<usize> {
    Ok(read_partition(Path::new(PATH), bytes)?.images.len())
}

/// How many images the content of an LFWA label file in MATLAB's format describes.
///
/// # Errors
/// The content breaks the format.
pub fn matlab_labels(bytes: Vec<u8>) -> Result<usize> {
    Ok(lfwa::from_mat(Path::new(PATH), bytes)?.images.len())
}

/// How many images, of those in `labels`, the content of an LFWA partition in MATLAB's format assigns.
///
/// # Errors
/// One of the two breaks its format.
pub fn matlab_partition(labels: Vec<u8>, bytes: Vec<u8>) -> Result<usize> {
    let labels = lfwa::from_mat(Path::new("labels"), labels)?;
    Ok(lfwa::splits_by_index(&labels, Path::new(PATH), bytes)?.len())
}
