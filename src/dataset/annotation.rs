//! Reads labels, partitions and identities from text or separated tables; the content decides which of the two.

use super::fields::{Annotation, LabelEncoding, Pairs, SourceLocation, image_name, shown, two_fields, utf8};
use super::header::{self, has_image_extension, is_image_title};
use super::split::Split;
use super::{delimited, text};
use crate::attribute::COUNT;
use crate::error::{Error, Result};
use std::path::Path;

/// Titles of a column of values in a file of image-value pairs.
const VALUE_TITLES: [&str; 14] = [
    "identity",
    "identity_id",
    "person",
    "person_id",
    "people",
    "subject",
    "subject_id",
    "id",
    "label",
    "partition",
    "split",
    "set",
    "eval_status",
    "value",
];

/// Reads the labels in `bytes`, the content of `path`.
pub(super) fn read_attributes(path: &Path, bytes: &[u8], encoding: LabelEncoding) -> Result<Annotation> {
    let bytes = &*text::content(path, bytes)?;
    let header = header::find(path, bytes, COUNT)?;
    let mut annotation = match header.separator {
        Some(_) => delimited::attributes(path, bytes, &header, encoding),
        None => text::attributes(path, bytes, &header, encoding),
    }?;
    annotation.count = header.count;
    Ok(annotation)
}

/// Reads image-value pairs from `bytes`, the content of `path`; the error of `parse` says what was expected.
pub(super) fn read_pairs<T>(
    path: &Path,
    bytes: &[u8],
    parse: impl Fn(&str) -> std::result::Result<T, &'static str>,
) -> Result<Pairs<T>> {
    let bytes = &*text::content(path, bytes)?;
    let mut pairs = Pairs { location: SourceLocation::of_lines(path), images: Vec::new(), values: Vec::new() };
    let mut seen = 0;
    let mut push = |line: usize, fields: &[&[u8]]| {
        seen += 1;
        let is_first = pairs.images.is_empty() && seen <= 2;
        let (image, value) = match fields {
            // A count of the rows, as CelebA's labels have it.
            [count] if seen == 1 && header::number(count).is_some() => return Ok(()),
            [image, value] => (*image, *value),
            // The index column of R and pandas.
            [index, image, value] if is_index(index, is_first) => (*image, *value),
            fields => return Err(two_fields(path, line, fields.len())),
        };
        let value = utf8(path, line, value)?;
        let parsed = parse(value);
        if is_first && is_header(image, value, parsed.is_err()) {
            return Ok(());
        }
        let parsed = parsed.map_err(|expected| {
            let (found, image) = (shown(value.as_bytes()), shown(image));
            Error::line(path, line, format!("found {found} for image {image}, expected {expected}"))
        })?;
        pairs.images.push(image_name(path, line, image)?);
        pairs.values.push(parsed);
        pairs.location.push(line);
        Ok(())
    };
    match separator(bytes) {
        Some(separator) => delimited::rows(path, bytes, separator, &mut push)?,
        None => text::rows(bytes, &mut push)?,
    }
    Ok(pairs)
}

/// Returns whether `field` is one of an index column: a number, or its title.
fn is_index(field: &[u8], is_first: bool) -> bool {
    let is_title = || matches!(&*field.to_ascii_lowercase(), b"" | b"x" | b"index") || field.starts_with(b"Unnamed");
    header::number(field).is_some() || (is_first && is_title())
}

/// Returns whether the first row of a file of pairs is a header. A header holds a known title, or an invalid value
/// without a digit. An image's name beside it makes it a row.
fn is_header(image: &[u8], value: &str, is_invalid: bool) -> bool {
    let has_digit = |field: &[u8]| field.iter().any(u8::is_ascii_digit);
    if has_image_extension(image) {
        return false;
    }
    let is_titled = std::str::from_utf8(image).is_ok_and(is_image_title)
        || (!has_digit(image) && VALUE_TITLES.iter().any(|title| value.eq_ignore_ascii_case(title)));
    is_titled || (is_invalid && !has_digit(value.as_bytes()))
}

/// Reads the splits in `bytes`, the content of `path`.
pub(super) fn read_partition(path: &Path, bytes: &[u8]) -> Result<Pairs<Split>> {
    read_pairs(path, bytes, |value| Split::parse(value).ok_or("0 or train, 1 or val, 2 or test"))
}

/// The character between the columns of a table of pairs; `None` if only blanks separate them. The first lines must all
/// hold it, as a header and its rows may differ.
fn separator(bytes: &[u8]) -> Option<u8> {
    let lines = || text::lines(bytes).map(|(_, line)| line).filter(|line| header::number(line).is_none()).take(3);
    [b',', b'\t', b';']
        .into_iter()
        .find(|separator| lines().next().is_some() && lines().all(|line| line.contains(separator)))
}
