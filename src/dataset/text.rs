//! Reads CelebA's text files: fields separated by blanks, lines ended by LF or CRLF, or by CR after [`content`].
//!
//! Blocks are parsed in parallel, in one pass with `memchr`. The `csv` crate cannot be used: runs of blanks would be empty
//! fields, and one thread would read all 202,599 rows.

use super::fields::{Annotation, LabelEncoding, SourceLocation, image_name, wrong_label};
use super::header::{Header, split, unquoted};
use crate::attribute::{COUNT, ImageLabels};
use crate::error::Result;
use crate::io;
use rayon::prelude::*;
use std::borrow::Cow;
use std::path::Path;

/// Bytes of rows per parallel block.
const BLOCK: usize = 1 << 20;

/// Reads the labels in `bytes`, the content of `path`, with the columns of `header`.
pub(super) fn attributes(
    path: &Path,
    bytes: &[u8],
    header: &Header,
    mut encoding: LabelEncoding,
) -> Result<Annotation> {
    let mut annotation = Annotation::new(SourceLocation::of_lines(path));
    let rest = after_lines(bytes, header.line);
    // The first negative label decides for all blocks.
    for (number, line) in lines(rest) {
        any_values(path, header.line + number, line, header, &mut encoding)?;
        if encoding.negative().is_some() {
            break;
        }
    }
    let blocks = numbered_blocks(rest, header.line);
    let read: Vec<Result<Annotation>> = blocks
        .into_par_iter()
        .map(|(before, block)| read_rows(path, block, before, header, &mut { encoding }))
        .collect();
    // In the file's order, so that the error is that of the first invalid row.
    let read = read.into_iter().collect::<Result<Vec<Annotation>>>()?;
    let count = read.iter().map(|block| block.images.len()).sum();
    annotation.images.reserve_exact(count);
    annotation.labels.reserve_exact(count);
    annotation.negative = encoding.negative();
    for mut block in read {
        annotation.images.append(&mut block.images);
        annotation.labels.append(&mut block.labels);
        block.location.lines.into_iter().flatten().for_each(|line| annotation.location.push(line));
    }
    Ok(annotation)
}

/// Reads the rows in `bytes`, which follow line `before` of the file.
fn read_rows(
    path: &Path,
    bytes: &[u8],
    before: usize,
    header: &Header,
    encoding: &mut LabelEncoding,
) -> Result<Annotation> {
    let expected = bytes.len() / (3 * COUNT);
    let location = SourceLocation { path: path.to_owned(), lines: Some(Vec::with_capacity(expected)) };
    let mut rows = Annotation::new(location);
    rows.images.reserve_exact(expected);
    rows.labels.reserve_exact(expected);
    let order = (header.is_plain() && encoding.negative() == Some(-1)).then(|| order(header)).flatten();
    for (number, line) in lines(bytes) {
        let number = before + number;
        let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
        let official = order.as_ref().and_then(|order| official_values(&line[end..], order));
        let (image, row) = match official {
            Some(row) => (unquoted(&line[..end]), row),
            None => any_values(path, number, line, header, encoding)?,
        };
        rows.images.push(image_name(path, number, image)?);
        rows.labels.push(row);
        rows.location.push(number);
    }
    Ok(rows)
}

/// Index in the list of attributes of each column.
fn order(header: &Header) -> Option<[usize; COUNT]> {
    let order: Vec<usize> = header.attributes.iter().map(|(_, attribute)| *attribute).collect();
    order.try_into().ok()
}

/// The bytes after the first `count` lines.
fn after_lines(bytes: &[u8], count: usize) -> &[u8] {
    let end = memchr::memchr_iter(b'\n', bytes).nth(count - 1);
    end.map_or(&[], |end| &bytes[end + 1..])
}

/// Splits `bytes`, which follow line `before` of the file, into blocks of whole lines. Each has the number of the line
/// before it.
fn numbered_blocks(bytes: &[u8], mut before: usize) -> Vec<(usize, &[u8])> {
    let mut blocks = Vec::with_capacity(bytes.len() / BLOCK + 1);
    let mut rest = bytes;
    while !rest.is_empty() {
        let least = BLOCK.min(rest.len());
        let end = memchr::memchr(b'\n', &rest[least..]).map_or(rest.len(), |end| least + end + 1);
        let (block, more) = rest.split_at(end);
        blocks.push(block);
        rest = more;
    }
    let ends: Vec<usize> = blocks.par_iter().map(|block| memchr::memchr_iter(b'\n', block).count()).collect();
    let numbered = blocks.into_iter().zip(ends).map(|(block, ends)| {
        let first = before;
        before += ends;
        (first, block)
    });
    numbered.collect()
}

/// Calls `push` with the line number and the fields of every line.
pub(super) fn rows(bytes: &[u8], mut push: impl FnMut(usize, &[&[u8]]) -> Result<()>) -> Result<()> {
    let mut row = Vec::new();
    for (number, line) in lines(bytes) {
        row.clear();
        row.extend(split(line, None));
        push(number, &row)?;
    }
    Ok(())
}

/// The content of the text file `path`, without the byte order mark that some editors put before UTF-8, and with LF in place of
/// CR alone, which ends the lines of old spreadsheets.
///
/// # Errors
/// A file that is no text.
pub(super) fn content<'a>(path: &Path, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    io::check_text(path, bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if memchr::memchr(b'\n', bytes).is_some() || memchr::memchr(b'\r', bytes).is_none() {
        return Ok(Cow::Borrowed(bytes));
    }
    Ok(bytes.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect())
}

/// Every line that is not blank, trimmed, with its number from 1.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = bytes;
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].trim_ascii();
            rest = &rest[(end + 1).min(rest.len())..];
            number += 1;
            if !line.is_empty() {
                return Some((number, line));
            }
        }
    })
}

/// Parses the values of a row in the official file's form: `" 1"` or `" -1"` first, then `"  1"` or `" -1"`, three bytes
/// each. `None` in any other form, which [`any_values`] then parses or rejects.
fn official_values(values: &[u8], order: &[usize; COUNT]) -> Option<ImageLabels> {
    const OTHERS: usize = 3 * (COUNT - 1);
    let (first, others) = values.split_at_checked(values.len().checked_sub(OTHERS)?)?;
    let mut present = [false; COUNT];
    present[0] = match first {
        b" 1" | b"  1" => true,
        b" -1" => false,
        _ => return None,
    };
    // A branch on a label would be mispredicted too often.
    let mut wrong = 0;
    for (label, value) in present[1..].iter_mut().zip(others.chunks_exact(3)) {
        *label = value[1] == b' ';
        let neither = u8::from(value[1] != b' ') & u8::from(value[1] != b'-');
        wrong |= (value[0] ^ b' ') | (value[2] ^ b'1') | neither;
    }
    let mut row = [None; COUNT];
    for (label, &index) in present.into_iter().zip(order) {
        row[index] = Some(label);
    }
    (wrong == 0).then_some(row)
}

/// The image and the labels of a row, whose fields are separated by any number of blanks.
fn any_values<'a>(
    path: &Path,
    number: usize,
    line: &'a [u8],
    header: &Header,
    encoding: &mut LabelEncoding,
) -> Result<(&'a [u8], ImageLabels)> {
    let found: Vec<&[u8]> = split(line, None).collect();
    if found.len() != header.fields {
        return Err(header.wrong_length(path, number, found.len()));
    }
    let mut row = [None; COUNT];
    for &(field, index) in &header.attributes {
        let label = encoding.label(found[field]);
        row[index] = Some(label.map_err(|expected| wrong_label(path, number, index, found[field], expected))?);
    }
    Ok((found[header.image], row))
}

/// Returns whether `byte` is a blank or a tab.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::*;
    use crate::attribute::NAMES;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Annotation> {
        let (path, bytes) = (Path::new("list.txt"), text.as_bytes());
        attributes(path, bytes, &header::find(path, bytes, COUNT)?, LabelEncoding::EITHER)
    }

    /// A file of one image, in which every third attribute is present.
    fn one(separators: [&str; 2], end: &str) -> String {
        let label =
            |k: usize| if k.is_multiple_of(3) { format!("{}1", separators[0]) } else { format!("{}-1", separators[1]) };
        let values: String = (0..COUNT).map(label).collect();
        format!("1{end}{} {end}a.jpg{values}{end}", NAMES.join(" "))
    }

    #[test]
    fn one_or_two_blanks_and_either_line_end_mean_the_same() {
        for (separators, end) in [(["  ", " "], "\r\n"), ([" ", " "], "\n"), (["  ", "  "], "\n")] {
            let annotation = parse(&one(separators, end)).unwrap();
            assert_eq!(annotation.labels[0], std::array::from_fn(|k| Some(k.is_multiple_of(3))));
            assert_eq!(annotation.images, ["a.jpg"]);
        }
    }

    #[test]
    fn blank_lines_do_not_shift_line_numbers() {
        let error = parse(&format!("2\n\n{}\n\n\na.jpg 1\n", NAMES.join(" "))).unwrap_err();
        assert_eq!(error.to_string(), "list.txt, line 6: found 1 labels, expected 40");
    }

    /// A file of many blocks, valid except for its last row, and its number of lines.
    fn long(end: &str, last: &str) -> (String, usize) {
        let rows = 200_000;
        let row = format!("b.jpg{}{end}", " -1".repeat(COUNT));
        let text = format!("{rows}{end}{end}{}{end}{}{last}", NAMES.join(" "), row.repeat(rows - 1));
        assert!(text.len() > 20 * BLOCK);
        (text, rows + 3)
    }

    #[test]
    fn a_wrong_label_in_the_last_of_200_000_rows_is_named_with_its_line() {
        for (end, last_end) in [("\n", "\n"), ("\n", ""), ("\r\n", "\r\n"), ("\r\n", "")] {
            let last = format!("z.jpg{} 7{last_end}", " -1".repeat(COUNT - 1));
            let (text, line) = long(end, &last);
            let expected = format!("list.txt, line {line}: attribute Young has the label \"7\", expected -1 or 1");
            assert_eq!(parse(&text).unwrap_err().to_string(), expected, "{end:?}, {last_end:?}");
        }
    }

    #[test]
    fn the_first_of_two_invalid_rows_is_named() {
        let (text, line) = long("\n", "z.jpg 1\n");
        let wrong = text.replace("b.jpg -1", "b.jpg 2");
        for (text, line) in [(&text, line), (&wrong, 4)] {
            assert!(parse(text).unwrap_err().to_string().starts_with(&format!("list.txt, line {line}: ")));
        }
    }

    #[test]
    fn every_row_of_a_file_in_blocks_keeps_its_line() {
        let (text, line) = long("\r\n", &format!("z.jpg{}", "  1".repeat(COUNT)));
        let annotation = parse(&text).unwrap();
        let lines = annotation.location.lines.unwrap();
        assert!(lines.into_iter().eq(4..=line));
        assert_eq!(annotation.labels.len(), 200_000);
        assert_eq!(annotation.images.last().unwrap(), "z.jpg");
        assert!(annotation.labels.last().unwrap().iter().all(|label| *label == Some(true)));
    }

    #[test]
    fn the_last_line_needs_no_line_end() {
        assert_eq!(parse(one(["  ", " "], "\n").trim_end()).unwrap().images.len(), 1);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = rows(&bytes, |_, _| Ok(()));
        }

        #[test]
        fn random_rows_under_a_good_header_never_panic(rows in "[ 0-9a-z.\\-\t\r\n]{0,600}") {
            let _ = parse(&format!("3\n{}\n{rows}", NAMES.join(" ")));
        }
    }
}
