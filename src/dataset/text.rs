//! Reads CelebA's text files: fields separated by blanks, lines ended by LF or CRLF. An attribute file starts with a
//! line that holds the count and a line with the 40 names.
//!
//! Blocks are parsed in parallel, in one pass with `memchr`. The `csv` crate cannot be used: runs of blanks would be empty
//! fields, and one thread would read all 202,599 rows.

use super::fields::{
    Annotation, LabelEncoding, SourceLocation, column_order, image_name, two_fields, utf8, wrong_label,
};
use crate::attribute::{COUNT, ImageLabels, index};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::path::Path;

/// Bytes of rows per parallel block.
const BLOCK: usize = 1 << 20;

/// Reads the labels in `bytes`, the content of `path`. In conversions the count may be missing, and the header may start
/// with a title of the image column.
pub(super) fn attributes(path: &Path, bytes: &[u8], mut encoding: LabelEncoding) -> Result<Annotation> {
    let mut rows = lines(bytes).peekable();
    let count = match rows.peek() {
        Some((_, line)) => whole_number(line),
        None => return Err(Error::file(path, "is empty; expected a header of 40 attribute names, then rows")),
    };
    let count_line = count.map(|count| (count, rows.next().map_or(1, |(number, _)| number)));
    let (header_line, order) = match rows.next() {
        Some((number, line)) => (number, header(path, number, line)?),
        None => return Err(Error::file(path, "ends before the header of 40 attribute names")),
    };
    let mut annotation =
        Annotation { location: SourceLocation::of_lines(path), images: Vec::new(), labels: Vec::new() };
    let rest = after_lines(bytes, header_line);
    if encoding.is_minus_one() {
        let blocks = numbered_blocks(rest, header_line);
        let read: Vec<Result<Annotation>> = blocks
            .into_par_iter()
            .map(|(before, block)| read_rows(path, block, before, &order, &mut { encoding }))
            .collect();
        // In the file's order, so that the error is that of the first invalid row.
        let read = read.into_iter().collect::<Result<Vec<Annotation>>>()?;
        let count = read.iter().map(|block| block.images.len()).sum();
        annotation.images.reserve_exact(count);
        annotation.labels.reserve_exact(count);
        for mut block in read {
            annotation.images.append(&mut block.images);
            annotation.labels.append(&mut block.labels);
            block.location.lines.into_iter().flatten().for_each(|line| annotation.location.push(line));
        }
    } else {
        // The first negative label decides for all rows after it.
        annotation = read_rows(path, rest, header_line, &order, &mut encoding)?;
    }
    let images = annotation.images.len();
    match count_line {
        Some((count, line)) if count != images => {
            let message = format!("the count is {count}, but {images} images follow; is the file complete?");
            Err(Error::line(path, line, message))
        }
        _ => Ok(annotation),
    }
}

/// Reads the rows in `bytes`, which follow line `before` of the file.
fn read_rows(
    path: &Path,
    bytes: &[u8],
    before: usize,
    order: &[usize; COUNT],
    encoding: &mut LabelEncoding,
) -> Result<Annotation> {
    let expected = bytes.len() / (3 * COUNT);
    let location = SourceLocation { path: path.to_owned(), lines: Some(Vec::with_capacity(expected)) };
    let (images, labels) = (Vec::with_capacity(expected), Vec::with_capacity(expected));
    let mut rows = Annotation { location, images, labels };
    for (number, line) in lines(bytes) {
        let number = before + number;
        let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
        let values = &line[end..];
        let row = match official_values(values, order) {
            Some(row) if encoding.is_minus_one() => row,
            _ => any_values(path, number, values, order, encoding)?,
        };
        rows.images.push(image_name(path, number, &line[..end])?);
        rows.labels.push(row);
        rows.location.push(number);
    }
    Ok(rows)
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

/// Calls `push` with line number, image and value of every line.
pub(super) fn pairs(path: &Path, bytes: &[u8], mut push: impl FnMut(usize, &[u8], &[u8]) -> Result<()>) -> Result<()> {
    for (number, line) in lines(bytes) {
        let mut fields = fields(line);
        let (image, value, more) = (fields.next(), fields.next(), fields.count());
        match (image, value, more) {
            (Some(image), Some(value), 0) => push(number, image, value)?,
            (_, None, _) => return Err(two_fields(path, number, 1)),
            (_, _, more) => return Err(two_fields(path, number, 2 + more)),
        }
    }
    Ok(())
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

/// The attribute order in the line of column names.
fn header(path: &Path, number: usize, line: &[u8]) -> Result<[usize; COUNT]> {
    let mut names = utf8(path, number, line)?.split_ascii_whitespace().peekable();
    let columns = names.clone().count();
    if columns == COUNT + 1 {
        names.next_if(|title| index(title).is_none());
    }
    column_order(names, |message| Error::line(path, number, message))
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

/// Parses the values of a row, separated by any number of blanks.
fn any_values(
    path: &Path,
    number: usize,
    values: &[u8],
    order: &[usize; COUNT],
    encoding: &mut LabelEncoding,
) -> Result<ImageLabels> {
    let found = fields(values).count();
    if found != COUNT {
        return Err(Error::line(path, number, format!("found {found} labels, expected {COUNT}")));
    }
    let mut row = [None; COUNT];
    for (field, &index) in fields(values).zip(order) {
        row[index] = encoding.label(field).map_err(|expected| wrong_label(path, number, index, field, expected))?;
    }
    Ok(row)
}

/// The fields of a line.
fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| is_blank(*byte)).filter(|field| !field.is_empty())
}

/// Returns whether `byte` is a blank or a tab.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The number in a line that holds nothing else.
fn whole_number(line: &[u8]) -> Option<usize> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::NAMES;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Annotation> {
        attributes(Path::new("list.txt"), text.as_bytes(), LabelEncoding::CELEBA)
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
            let _ = attributes(Path::new("x"), &bytes, LabelEncoding::EITHER);
            let _ = pairs(Path::new("x"), &bytes, |_, _, _| Ok(()));
        }

        #[test]
        fn random_rows_under_a_good_header_never_panic(rows in "[ 0-9a-z.\\-\t\r\n]{0,600}") {
            let _ = parse(&format!("3\n{}\n{rows}", NAMES.join(" ")));
        }
    }
}
