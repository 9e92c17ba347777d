//! Reads annotations from comma, tab or semicolon separated tables with a header: Kaggle's CelebA and common conversions
//! of LFWA. The `csv` crate parses; line numbers are our own, as it counts only LF and files may end lines with CR.

use super::fields::{Annotation, LabelEncoding, SourceLocation, image_name, wrong_label};
use super::header::Header;
use crate::attribute::COUNT;
use crate::error::{Error, Result};
use csv::ByteRecord;
use std::path::Path;

/// Reads the labels in `bytes`, the content of `path`, with the columns of `header`.
pub(super) fn attributes(
    path: &Path,
    bytes: &[u8],
    header: &Header,
    mut encoding: LabelEncoding,
) -> Result<Annotation> {
    let mut annotation = Annotation::new(SourceLocation::of_lines(path));
    table_rows(path, bytes, header, |line, fields| {
        let mut row = [None; COUNT];
        for &(field, index) in &header.attributes {
            let label = encoding.label(fields[field]);
            row[index] = Some(label.map_err(|expected| wrong_label(path, line, index, fields[field], expected))?);
        }
        annotation.images.push(image_name(path, line, fields[header.image])?);
        annotation.labels.push(row);
        annotation.location.push(line);
        Ok(())
    })?;
    annotation.negative = encoding.negative();
    Ok(annotation)
}

/// Calls `push` with the line and the fields of every row below `header`, which has a separator.
///
/// # Errors
/// As `push`, or a row has another number of fields than the header.
pub(super) fn table_rows(
    path: &Path,
    bytes: &[u8],
    header: &Header,
    mut push: impl FnMut(usize, &[&[u8]]) -> Result<()>,
) -> Result<()> {
    rows(path, bytes, header.separator.unwrap_or(b','), |line, fields| {
        if line <= header.line {
            return Ok(());
        }
        if fields.len() != header.fields {
            return Err(header.wrong_length(path, line, fields.len()));
        }
        push(line, fields)
    })
}

/// Calls `push` with the line and the fields of every record.
pub(super) fn rows(
    path: &Path,
    bytes: &[u8],
    separator: u8,
    mut push: impl FnMut(usize, &[&[u8]]) -> Result<()>,
) -> Result<()> {
    let mut records = Records::new(path, bytes, separator);
    while records.advance()? {
        let fields: Vec<&[u8]> = records.fields().collect();
        push(records.line, &fields)?;
    }
    Ok(())
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
    use super::super::header;
    use super::*;
    use crate::attribute::NAMES;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Annotation> {
        let (path, bytes) = (Path::new("list.csv"), text.as_bytes());
        attributes(path, bytes, &header::find(path, bytes, COUNT)?, LabelEncoding::EITHER)
    }

    #[test]
    fn an_error_names_the_line_an_editor_shows() {
        for end in ["\n", "\r\n", "\r"] {
            let header = format!("image_id,{}{end}", NAMES.join(","));
            let row = format!("a.jpg{}{end}", ",1".repeat(COUNT));
            let text = format!("{header}{row}{end}{row}b.jpg,1,1{end}");
            let error = parse(&text).unwrap_err();
            let expected = "list.csv, line 5: found 3 columns, expected 41: the image's name and 40 labels";
            assert_eq!(error.to_string(), expected, "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = rows(Path::new("x"), &bytes, b';', |_, _| Ok(()));
        }

        #[test]
        fn random_rows_under_a_good_header_never_panic(rows in "[,\"0-9a-z.\\-\r\n]{0,600}") {
            let text = format!("name,{}\n{rows}", NAMES.join(","));
            let _ = parse(&text);
        }
    }
}
