//! Entry points of the fuzz targets (`fuzz/`): the annotation readers on bytes in memory. Commands read folders, with
//! [`super::celeba`], [`super::lfwa`] and [`super::user_table`].

use super::annotation::{read_attributes, read_partition};
use super::fields::LabelEncoding;
use super::lfwa;
use super::user_table::UserTable;
use crate::error::Result;
use std::path::Path;

/// The path in error messages.
const PATH: &str = "bytes";

/// Number of rows in a text or CSV file of labels.
///
/// # Errors
/// The content breaks the format.
pub fn labels(bytes: &[u8]) -> Result<usize> {
    Ok(read_attributes(Path::new(PATH), bytes, LabelEncoding::EITHER)?.images.len())
}

/// Number of rows in a text or CSV file of splits.
///
/// # Errors
/// The content breaks the format.
pub fn partition(bytes: &[u8]) -> Result<usize> {
    Ok(read_partition(Path::new(PATH), bytes)?.images.len())
}

/// Number of rows in a text or CSV file of a user's table. Parquet is a library's.
///
/// # Errors
/// The content breaks the format.
pub fn user_table(bytes: &[u8]) -> Result<usize> {
    if bytes.starts_with(b"PAR1") {
        return Ok(0);
    }
    Ok(UserTable::parse(Path::new(PATH), bytes)?.images.len())
}

/// Number of images in an LFWA label file in MATLAB's format.
///
/// # Errors
/// The content breaks the format.
pub fn matlab_labels(bytes: Vec<u8>) -> Result<usize> {
    Ok(lfwa::from_mat(Path::new(PATH), bytes)?.images.len())
}

/// Number of images, of those in `labels`, that an LFWA partition in MATLAB's format assigns.
///
/// # Errors
/// One of the two breaks its format.
pub fn matlab_partition(labels: Vec<u8>, bytes: Vec<u8>) -> Result<usize> {
    let labels = lfwa::from_mat(Path::new("labels"), labels)?;
    Ok(lfwa::splits_by_index(&labels, Path::new(PATH), bytes)?.len())
}
