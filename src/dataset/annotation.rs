//! Reads labels, partitions and identities from text or separated tables; the content decides which of the two.

use super::fields::{Annotation, LabelEncoding, Pairs, SourceLocation, image_name, shown, utf8};
use super::split::Split;
use super::{delimited, text};
use crate::error::{Error, Result};
use std::path::Path;

/// Titles that mark a table's first line as a header and its first column as image names.
const IMAGE_TITLES: [&str; 8] = ["image_id", "image", "img", "name", "image_name", "filename", "file", "path"];

/// Reads the labels in `bytes`, the content of `path`.
pub(super) fn read_attributes(path: &Path, bytes: &[u8], encoding: LabelEncoding) -> Result<Annotation> {
    let bytes = without_bom(bytes);
    match separator(bytes) {
        Some(separator) => delimited::attributes(path, bytes, separator, encoding),
        None => text::attributes(path, bytes, encoding),
    }
}

/// Reads image-value pairs from `bytes`, the content of `path`; the error of `parse` says what was expected.
pub(super) fn read_pairs<T>(
    path: &Path,
    bytes: &[u8],
    parse: impl Fn(&str) -> std::result::Result<T, &'static str>,
) -> Result<Pairs<T>> {
    let bytes = without_bom(bytes);
    let mut pairs = Pairs { location: SourceLocation::of_lines(path), images: Vec::new(), values: Vec::new() };
    let mut push = |line: usize, image: &[u8], value: &[u8]| {
        if pairs.images.is_empty() && is_image_title(image) {
            return Ok(());
        }
        let value = parse(utf8(path, line, value)?).map_err(|expected| {
            Error::line(path, line, format!("found {} for image {}, expected {expected}", shown(value), shown(image)))
        })?;
        pairs.images.push(image_name(path, line, image)?);
        pairs.values.push(value);
        pairs.location.push(line);
        Ok(())
    };
    match separator(bytes) {
        Some(separator) => delimited::pairs(path, bytes, separator, &mut push)?,
        None => text::pairs(path, bytes, &mut push)?,
    }
    Ok(pairs)
}

/// Reads the splits in `bytes`, the content of `path`.
pub(super) fn read_partition(path: &Path, bytes: &[u8]) -> Result<Pairs<Split>> {
    read_pairs(path, bytes, |value| Split::parse(value).ok_or("0 or train, 1 or val, 2 or test"))
}

/// The character between the columns of a table; `None` if only blanks separate them.
fn separator(bytes: &[u8]) -> Option<u8> {
    let mut first_lines = text::lines(bytes).take(2);
    first_lines.find_map(|(_, line)| [b',', b'\t', b';'].into_iter().find(|separator| line.contains(separator)))
}

/// The content without the byte order mark that some editors put before UTF-8.
fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Returns whether `field` is a header's title for the column of image names.
fn is_image_title(field: &[u8]) -> bool {
    IMAGE_TITLES.iter().any(|title| field.eq_ignore_ascii_case(title.as_bytes()))
}
