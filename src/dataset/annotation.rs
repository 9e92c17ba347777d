//! Rows on their way from a file to the table: each knows where it stood, so that any later complaint can name the
//! file and the line. Also what every file form shares: the header of 40 names and the coding of labels.

use super::{Split, delimited, text};
use crate::attribute::{self, COUNT, NAMES};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Titles that mark a table's first line as a header and its first column as image names.
const IMAGE_TITLES: [&str; 8] = ["image_id", "image", "img", "name", "image_name", "filename", "file", "path"];

/// Where the rows of a file stand in it.
#[derive(Debug)]
pub(super) struct Origin {
    /// The file.
    pub(super) path: PathBuf,
    /// The line of each row, counted from 1; nothing for a file without lines, whose rows are counted instead.
    pub(super) lines: Option<Vec<usize>>,
}

impl Origin {
    /// An empty file of lines.
    pub(super) fn of_lines(path: &Path) -> Self {
        Self { path: path.to_owned(), lines: Some(Vec::new()) }
    }

    /// What is wrong with a row.
    pub(super) fn fault(&self, row: usize, message: impl Into<String>) -> Error {
        match &self.lines {
            Some(lines) => Error::line(&self.path, lines[row], message),
            None => Error::file(&self.path, format!("row {}: {}", row + 1, message.into())),
        }
    }

    /// A row's place, for a sentence about something else.
    pub(super) fn place(&self, row: usize) -> String {
        match &self.lines {
            Some(lines) => format!("{}, line {}", self.file_name(), lines[row]),
            None => format!("{}, row {}", self.file_name(), row + 1),
        }
    }

    /// The file's name without its folder.
    pub(super) fn file_name(&self) -> String {
        file_name(&self.path)
    }

    /// Counts one more row, on `line`.
    pub(super) fn push(&mut self, line: usize) {
        self.lines.get_or_insert_default().push(line);
    }
}

/// The name of a file without its folder, for reports, which must not hold this machine's paths.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The labels of one file.
#[derive(Debug)]
pub(super) struct Annotation {
    /// Where the rows stood.
    pub(super) origin: Origin,
    /// The images' names as the file has them.
    pub(super) images: Vec<String>,
    /// Their labels in the order of [`NAMES`], whatever the file's order.
    pub(super) labels: Vec<[bool; COUNT]>,
}

/// One value an image, such as its split.
#[derive(Debug)]
pub(super) struct Pairs<T> {
    /// Where the rows stood.
    pub(super) origin: Origin,
    /// The images' names as the file has them.
    pub(super) images: Vec<String>,
    /// Their values.
    pub(super) values: Vec<T>,
}

/// The labels in `bytes`, the content of `path`, in whichever text form it is.
pub(super) fn read_attributes(path: &Path, bytes: &[u8], coding: Coding) -> Result<Annotation> {
    let bytes = without_mark(bytes);
    match separator(bytes) {
        Some(separator) => delimited::attributes(path, bytes, separator, coding),
        None => text::attributes(path, bytes, coding),
    }
}

/// The image-value pairs in `bytes`, the content of `path`; `parse` says what it expected of a value.
pub(super) fn read_pairs<T>(
    path: &Path,
    bytes: &[u8],
    parse: impl Fn(&str) -> std::result::Result<T, &'static str>,
) -> Result<Pairs<T>> {
    let bytes = without_mark(bytes);
    let mut pairs = Pairs { origin: Origin::of_lines(path), images: Vec::new(), values: Vec::new() };
    let mut take = |line: usize, image: &[u8], value: &[u8]| {
        if pairs.images.is_empty() && is_image_title(image) {
            return Ok(());
        }
        let value = parse(utf8(path, line, value)?).map_err(|expected| {
            Error::line(path, line, format!("found {} for image {}, expected {expected}", shown(value), shown(image)))
        })?;
        pairs.images.push(image_name(path, line, image)?);
        pairs.values.push(value);
        pairs.origin.push(line);
        Ok(())
    };
    match separator(bytes) {
        Some(separator) => delimited::pairs(path, bytes, separator, &mut take)?,
        None => text::pairs(path, bytes, &mut take)?,
    }
    Ok(pairs)
}

/// The splits in `bytes`, the content of `path`.
pub(super) fn read_partition(path: &Path, bytes: &[u8]) -> Result<Pairs<Split>> {
    read_pairs(path, bytes, |value| Split::parse(value).ok_or("0 or train, 1 or val, 2 or test"))
}

/// The character between the columns of a table; none where they stand apart by blanks.
fn separator(bytes: &[u8]) -> Option<u8> {
    let mut first_lines = text::lines(bytes).take(2);
    first_lines.find_map(|(_, line)| [b',', b'\t', b';'].into_iter().find(|separator| line.contains(separator)))
}

/// The content without the byte order mark that some editors put before UTF-8.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// A header's title for the column of image names.
fn is_image_title(field: &[u8]) -> bool {
    IMAGE_TITLES.iter().any(|title| field.eq_ignore_ascii_case(title.as_bytes()))
}

/// The position in [`NAMES`] of each of a header's columns, all 40 of them in any order.
pub(super) fn column_order<'a>(
    names: impl IntoIterator<Item = &'a str>,
    fault: impl Fn(String) -> Error,
) -> Result<[usize; COUNT]> {
    let mut order = Vec::with_capacity(COUNT);
    for name in names {
        let index = attribute::index(name)
            .ok_or_else(|| fault(format!("unknown attribute {name:?}; the 40 of CelebA were expected")))?;
        if order.contains(&index) {
            return Err(fault(format!("attribute {} appears twice", NAMES[index])));
        }
        order.push(index);
    }
    let missing = (0..COUNT).find(|index| !order.contains(index));
    <[usize; COUNT]>::try_from(order.as_slice()).map_err(|_| {
        let example = missing.map_or("", |index| NAMES[index]);
        fault(format!("found {} attribute names, expected {COUNT}; {example} is among the missing", order.len()))
    })
}

/// How a file writes "no": CelebA as -1, LFWA as 0, conversions of LFWA as either, but not as both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coding {
    negative: Option<i8>,
}

impl Coding {
    /// -1 and 1.
    pub(super) const CELEBA: Self = Self { negative: Some(-1) };
    /// 0 and 1, or -1 and 1: the first negative label decides for the whole file.
    pub(super) const EITHER: Self = Self { negative: None };

    /// "No" is -1 in this file.
    pub(super) fn is_minus_one(self) -> bool {
        self.negative == Some(-1)
    }

    /// The label that `field` means, or what was expected instead.
    pub(super) fn label(&mut self, field: &[u8]) -> std::result::Result<bool, &'static str> {
        match (whole_number(field), self.negative) {
            (Some(1), _) => Ok(true),
            (Some(found @ (-1 | 0)), None) => {
                self.negative = Some(found);
                Ok(false)
            }
            (Some(found), Some(negative)) if found == negative => Ok(false),
            (_, None) => Err("0 or 1, or else -1 or 1 throughout"),
            (_, Some(-1)) => Err("-1 or 1"),
            _ => Err("0 or 1"),
        }
    }
}

/// The number in a field; conversions from tables of floating-point numbers write `1.0` for 1.
fn whole_number(field: &[u8]) -> Option<i8> {
    let text = std::str::from_utf8(field).ok()?;
    let whole =
        text.split_once('.').map_or(Some(text), |(whole, rest)| rest.bytes().all(|b| b == b'0').then_some(whole));
    whole?.parse().ok()
}

/// A wrong label of the attribute with position `index`.
pub(super) fn wrong_label(path: &Path, line: usize, index: usize, field: &[u8], expected: &str) -> Error {
    Error::line(path, line, format!("attribute {} has the label {}, expected {expected}", NAMES[index], shown(field)))
}

/// An image's name, with forward slashes.
pub(super) fn image_name(path: &Path, line: usize, field: &[u8]) -> Result<String> {
    let name = utf8(path, line, field)?;
    if name.is_empty() {
        return Err(Error::line(path, line, "the image's name is empty"));
    }
    Ok(if name.contains('\\') { name.replace('\\', "/") } else { name.to_owned() })
}

/// A field as text.
pub(super) fn utf8<'a>(path: &Path, line: usize, field: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(field).map_err(|_| Error::line(path, line, format!("{} is not UTF-8 text", shown(field))))
}

/// A field as it is shown in a message: quoted, escaped, and not too long.
pub(super) fn shown(field: &[u8]) -> String {
    let end = field.len().min(40);
    let more = if end < field.len() { "..." } else { "" };
    format!("\"{}{more}\"", field[..end].escape_ascii())
}

/// The row in which each image first stands.
///
/// # Errors
/// An image stands in two rows.
pub(super) fn positions<'a>(images: &'a [String], origin: &Origin) -> Result<HashMap<&'a str, usize>> {
    let mut positions = HashMap::with_capacity(images.len());
    for (row, image) in images.iter().enumerate() {
        if let Some(first) = positions.insert(image.as_str(), row) {
            return Err(origin.fault(row, format!("image {image} appears twice, first in {}", origin.place(first))));
        }
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_in_another_order_is_mapped_by_name() {
        let order = column_order(NAMES.into_iter().rev(), Error::Internal).unwrap();
        assert_eq!(order[0], 39);
        assert_eq!(order[39], 0);
    }

    #[test]
    fn a_coding_is_decided_by_the_first_negative_label() {
        let mut coding = Coding::EITHER;
        assert_eq!(coding.label(b"1"), Ok(true));
        assert_eq!(coding.label(b"0.0"), Ok(false));
        assert_eq!(coding.label(b"1.5"), Err("0 or 1"));
        assert_eq!(coding.label(b"-1"), Err("0 or 1"));
    }

    #[test]
    fn celeba_labels_are_never_zero() {
        assert_eq!({ Coding::CELEBA }.label(b"0"), Err("-1 or 1"));
        assert_eq!({ Coding::CELEBA }.label(b"-1"), Ok(false));
    }

    #[test]
    fn a_long_field_is_cut_in_messages() {
        assert_eq!(shown(b"a\xFFb"), r#""a\xffb""#);
        assert!(shown(&[b'x'; 100]).len() < 50);
    }
}
