//! Reads annotations from comma, tab or semicolon separated tables with a header: Kaggle's CelebA and common conversions
//! of LFWA. The `csv` crate parses; line numbers are our own, as it counts only LF and files may end lines with CR.

use super::fields::{
    Annotation, LabelEncoding, SourceLocation, column_order, image_name, two_fields, utf8, wrong_label,
};
use crate::attribute::COUNT;
use crate::error::{Error, Result};
use csv::ByteRecord;
use std::path::Path;

/// Reads the labels in `bytes`, the content of `path`. The first column names the image; the others are the 40
/// attributes in the order of the header.
pub(super) fn attributes(path: &Path, bytes: &[u8], separator: u8, mut encoding: LabelEncoding) -> Result<Annotation> {
    let mut records = Records::new(path, bytes, separator);
    if !records.advance()? {
        return Err(Error::file(path, "is empty; expected a header of an image column and 40 attributes"));
    }
    let order = header(&records)?;
    let mut annotation =
        Annotation { location: SourceLocation::of_lines(path), images: Vec::new(), labels: Vec::new() };
    while records.advance()? {
        let (line, found) = (records.line, records.record.len());
        if found != COUNT + 1 {
            let message = format!("found {found} columns, expected {}: the image's name and {COUNT} labels", COUNT + 1);
            return Err(Error::line(path, line, message));
        }
        let mut row = [None; COUNT];
        for (field, &index) in records.fields().skip(1).zip(&order) {
            row[index] = encoding.label(field).map_err(|expected| wrong_label(path, line, index, field, expected))?;
        }
        let image = records.fields().next().unwrap_or_default();
        annotation.images.push(image_name(path, line, image)?);
        annotation.labels.push(row);
        annotation.location.push(line);
    }
    Ok(annotation)
}

/// Calls `push` with line number, image and value of every row.
pub(super) fn pairs(
    path: &Path,
    bytes: &[u8],
    separator: u8,
    mut push: impl FnMut(usize, &[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut records = Records::new(path, bytes, separator);
    while records.advance()? {
        let mut fields = records.fields();
        match (fields.next(), fields.next(), records.record.len()) {
            (Some(image), Some(value), 2) => push(records.line, image, value)?,
            (_, _, found) => return Err(two_fields(path, records.line, found)),
        }
    }
    Ok(())
}

/// The attribute order in the first record. Any title of the image column is accepted: some tools write an empty one.
fn header(records: &Records<'_>) -> Result<[usize; COUNT]> {
    let names: Result<Vec<&str>> =
        records.fields().skip(1).map(|name| utf8(records.path, records.line, name)).collect();
    column_order(names?, |message| Error::line(records.path, records.line, message))
}

/// A CSV reader that keeps the line of the current record.
struct Records<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    record: ByteRecord,
    line: usize,
    /// Offset in `bytes` up to which lines are counted.
    counted: usize,
}

impl<'a> Records<'a> {
    fn new(path: &'a Path, bytes: &'a [u8], separator: u8) -> Self {
        let reader =
            csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(bytes);
        Self { path, bytes, reader, record: ByteRecord::new(), line: 1, counted: 0 }
    }

    /// Reads the next record; false after the last.
    fn advance(&mut self) -> Result<bool> {
        let more = self.reader.read_byte_record(&mut self.record);
        let more = more.map_err(|error| Error::file(self.path, format!("is not a valid table: {error}")))?;
        if let Some(position) = self.record.position() {
            // The position is the byte after the previous record: line ends and blank lines may follow it.
            let after = position.byte() as usize;
            let rest = self.bytes.get(after..).unwrap_or_default();
            let start = after + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.line += line_ends(self.bytes.get(self.counted..start).unwrap_or_default());
            self.counted = start;
        }
        Ok(more)
    }

    /// The fields of the current record, trimmed.
    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.record.iter().map(<[u8]>::trim_ascii)
    }
}

/// Number of line ends in `bytes`: LF, CRLF or, as old spreadsheets write, CR alone.
fn line_ends(bytes: &[u8]) -> usize {
    memchr::memchr2_iter(b'\r', b'\n', bytes)
        .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::NAMES;
    use proptest::prelude::*;

    #[test]
    fn an_error_names_the_line_an_editor_shows() {
        for end in ["\n", "\r\n", "\r"] {
            let header = format!("image_id,{}{end}", NAMES.join(","));
            let row = format!("a.jpg{}{end}", ",1".repeat(COUNT));
            let text = format!("{header}{row}{end}{row}b.jpg,1,1{end}");
            let error = attributes(Path::new("list.csv"), text.as_bytes(), b',', LabelEncoding::CELEBA).unwrap_err();
            let expected = "list.csv, line 5: found 3 columns, expected 41: the image's name and 40 labels";
            assert_eq!(error.to_string(), expected, "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = attributes(Path::new("x"), &bytes, b',', LabelEncoding::EITHER);
            let _ = pairs(Path::new("x"), &bytes, b';', |_, _, _| Ok(()));
        }

        #[test]
        fn random_rows_under_a_good_header_never_panic(rows in "[,\"0-9a-z.\\-\r\n]{0,600}") {
            let text = format!("name,{}\n{rows}", NAMES.join(","));
            let _ = attributes(Path::new("x"), text.as_bytes(), b',', LabelEncoding::EITHER);
        }
    }
}
