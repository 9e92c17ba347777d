//! Rows and fields common to all annotation formats: image names, labels, the header of 40 attributes. Every row keeps
//! its line number, so that later errors can name file and line.

use crate::attribute::{self, COUNT, ImageLabels, NAMES};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The positions of a file's rows, for error messages.
#[derive(Debug)]
pub(super) struct SourceLocation {
    /// The file.
    pub(super) path: PathBuf,
    /// Line of each row, counted from 1; `None` for binary files, whose rows are numbered instead.
    pub(super) lines: Option<Vec<usize>>,
}

impl SourceLocation {
    /// A text file without rows yet.
    pub(super) fn of_lines(path: &Path) -> Self {
        Self { path: path.to_owned(), lines: Some(Vec::new()) }
    }

    /// An error in `row`.
    pub(super) fn error(&self, row: usize, message: impl Into<String>) -> Error {
        match &self.lines {
            Some(lines) => Error::line(&self.path, lines[row], message),
            None => Error::file(&self.path, format!("row {}: {}", row + 1, message.into())),
        }
    }

    /// File name and line of `row`, for an error elsewhere.
    pub(super) fn describe(&self, row: usize) -> String {
        match &self.lines {
            Some(lines) => format!("{}, line {}", self.file_name(), lines[row]),
            None => format!("{}, row {}", self.file_name(), row + 1),
        }
    }

    /// The file's name without its folder.
    pub(super) fn file_name(&self) -> String {
        file_name(&self.path)
    }

    /// Appends a row on `line`.
    pub(super) fn push(&mut self, line: usize) {
        self.lines.get_or_insert_default().push(line);
    }
}

/// The name of a file without its folder: reports must not contain paths of this machine.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The labels of one file.
#[derive(Debug)]
pub(super) struct Annotation {
    /// Positions of the rows.
    pub(super) location: SourceLocation,
    /// Image names as in the file.
    pub(super) images: Vec<String>,
    /// Labels in the order of [`NAMES`], which may differ from the file's.
    pub(super) labels: Vec<ImageLabels>,
    /// The code of a negative label; `None` if there is none.
    pub(super) negative: Option<i8>,
    /// The number of images that the file states, and the line with it.
    pub(super) count: Option<(usize, usize)>,
}

impl Annotation {
    /// No rows yet.
    pub(super) fn new(location: SourceLocation) -> Self {
        Self { location, images: Vec::new(), labels: Vec::new(), negative: None, count: None }
    }
}

/// One value per image, such as its split.
#[derive(Debug)]
pub(super) struct Pairs<T> {
    /// Positions of the rows.
    pub(super) location: SourceLocation,
    /// Image names as in the file.
    pub(super) images: Vec<String>,
    /// Values of the images.
    pub(super) values: Vec<T>,
}

/// Index in [`NAMES`] of each column of a header, which holds all 40 attributes in any order.
pub(super) fn column_order<'a>(
    names: impl IntoIterator<Item = &'a str>,
    error: impl Fn(String) -> Error,
) -> Result<[usize; COUNT]> {
    let mut order = Vec::with_capacity(COUNT);
    for name in names {
        let index = attribute::index(name)
            .ok_or_else(|| error(format!("unknown attribute {name:?}; the 40 of CelebA were expected")))?;
        if order.contains(&index) {
            return Err(error(format!("attribute {} appears twice", NAMES[index])));
        }
        order.push(index);
    }
    let missing = (0..COUNT).find(|index| !order.contains(index));
    <[usize; COUNT]>::try_from(order.as_slice()).map_err(|_| {
        let example = missing.map_or("", |index| NAMES[index]);
        error(format!("found {} attribute names, expected {COUNT}; {example} is among the missing", order.len()))
    })
}

/// The code of a negative label: -1 in CelebA, 0 in LFWA. Conversions use either, but not both in one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelEncoding {
    negative: Option<i8>,
}

impl LabelEncoding {
    /// 0 and 1, or -1 and 1: the first negative label decides for the whole file.
    pub(super) const EITHER: Self = Self { negative: None };

    /// The code of a negative label, if one was parsed.
    pub(super) fn negative(self) -> Option<i8> {
        self.negative
    }

    /// Parses a label; the error says what was expected.
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

/// The number in a field; conversions from floating-point tables write `1.0` for 1.
fn whole_number(field: &[u8]) -> Option<i8> {
    let text = std::str::from_utf8(field).ok()?;
    let whole =
        text.split_once('.').map_or(Some(text), |(whole, rest)| rest.bytes().all(|b| b == b'0').then_some(whole));
    whole?.parse().ok()
}

/// An invalid label of attribute `index`.
pub(super) fn wrong_label(path: &Path, line: usize, index: usize, field: &[u8], expected: &str) -> Error {
    Error::line(path, line, format!("attribute {} has the label {}, expected {expected}", NAMES[index], shown(field)))
}

/// A line of a two-column file with another number of columns.
pub(super) fn two_fields(path: &Path, line: usize, found: usize) -> Error {
    let plural = if found == 1 { "" } else { "s" };
    Error::line(path, line, format!("found {found} field{plural}, expected 2: an image's name and its value"))
}

/// The error of a file without rows.
pub(super) fn no_rows(path: &Path) -> Error {
    Error::file(path, "has no rows: a row for each image was expected")
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

/// A field for a message: quoted, escaped, and cut to 40 bytes.
pub(super) fn shown(field: &[u8]) -> String {
    let end = field.len().min(40);
    let more = if end < field.len() { "..." } else { "" };
    format!("\"{}{more}\"", field[..end].escape_ascii())
}

/// The row of each image.
///
/// # Errors
/// An image appears in two rows.
pub(super) fn positions<'a>(images: &'a [String], location: &SourceLocation) -> Result<HashMap<&'a str, usize>> {
    let mut positions = HashMap::with_capacity(images.len());
    for (row, image) in images.iter().enumerate() {
        if let Some(first) = positions.insert(image.as_str(), row) {
            let message = format!("image {image} appears twice, first in {}", location.describe(first));
            return Err(location.error(row, message));
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
    fn the_first_negative_label_decides_the_encoding() {
        let mut encoding = LabelEncoding::EITHER;
        assert_eq!(encoding.label(b"1"), Ok(true));
        assert_eq!(encoding.label(b"0.0"), Ok(false));
        assert_eq!(encoding.label(b"1.5"), Err("0 or 1"));
        assert_eq!(encoding.label(b"-1"), Err("0 or 1"));
    }

    #[test]
    fn a_file_with_minus_one_has_no_zero() {
        let mut encoding = LabelEncoding::EITHER;
        assert_eq!(encoding.label(b"-1"), Ok(false));
        assert_eq!(encoding.label(b"0"), Err("-1 or 1"));
        assert_eq!(encoding.negative(), Some(-1));
    }

    #[test]
    fn a_long_field_is_cut_in_messages() {
        assert_eq!(shown(b"a\xFFb"), r#""a\xffb""#);
        assert!(shown(&[b'x'; 100]).len() < 50);
    }
}
