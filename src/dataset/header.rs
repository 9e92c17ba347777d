//! Finds the columns of a table of attributes: the line of names, what separates fields, and the column of image names.
//! Columns are found by the names of the attributes, never by their position.

use super::fields::shown;
use crate::attribute::{self, COUNT, NAMES};
use crate::error::{Error, Result};
use std::path::Path;

/// Lines that are searched for the attribute names: a count and titles may precede them.
const HEAD_LINES: usize = 6;
/// Least number of known names in a line for it to count as a damaged header.
const DAMAGED: usize = 20;
/// Titles of a column of image names.
const IMAGE_TITLES: [&str; 16] = [
    "image_id",
    "image",
    "images",
    "img",
    "name",
    "image_name",
    "imagename",
    "filename",
    "file_name",
    "file",
    "path",
    "image_path",
    "img_path",
    "filepath",
    "id",
    "img_id",
];
/// Extensions of image files.
const IMAGE_EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff"];

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Last line of the header, from 1; rows follow it.
    pub(super) line: usize,
    /// The character between fields; `None` if blanks and tabs separate them.
    pub(super) separator: Option<u8>,
    /// Number of fields in a row.
    pub(super) fields: usize,
    /// Field of the image's name.
    pub(super) image: usize,
    /// Field and index in [`NAMES`] of each attribute, in the order of the fields.
    pub(super) attributes: Vec<(usize, usize)>,
    /// Field and title of all other columns.
    pub(super) others: Vec<(usize, String)>,
    /// The number of images that a line above the names states, and that line.
    pub(super) count: Option<(usize, usize)>,
}

impl Header {
    /// Returns whether rows hold an image's name and the attributes, and nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.image == 0
            && self.fields == COUNT + 1
            && self.attributes.iter().map(|(field, _)| *field).eq(1..=self.attributes.len())
    }

    /// The error of a row on `line` with another number of fields.
    pub(super) fn wrong_length(&self, path: &Path, line: usize, found: usize) -> Error {
        let extra = self.fields - self.attributes.len();
        let message = match (self.separator, self.fields == COUNT + 1) {
            (None, _) => format!("found {} labels, expected {}", found.saturating_sub(extra), self.attributes.len()),
            (Some(_), true) => {
                format!("found {found} columns, expected {}: the image's name and {COUNT} labels", COUNT + 1)
            }
            (Some(_), false) => format!("found {found} columns, expected {} as in the header", self.fields),
        };
        Error::line(path, line, message)
    }
}

/// The columns of the file `path` with the content `bytes`. `needed` attributes must have a column: 40, or 1 for any part
/// of them.
///
/// # Errors
/// No line names the attributes, one is named twice, or no column holds image names.
pub(super) fn find(path: &Path, bytes: &[u8], needed: usize) -> Result<Header> {
    let lines = head(bytes);
    let mut best: Option<(usize, usize, Option<u8>)> = None;
    let mut candidates = Vec::new();
    for (at, (_, line)) in lines.iter().enumerate() {
        let separators = [Some(b','), Some(b'\t'), Some(b';'), None];
        let known = separators.map(|separator| split(line, separator).filter_map(index).count());
        let most = known.into_iter().max().unwrap_or_default();
        for (separator, known) in separators.into_iter().zip(known).filter(|(_, known)| *known == most) {
            if best.is_none_or(|(found, ..)| known > found) {
                best = Some((known, at, separator));
            }
            if known >= needed && candidates.iter().all(|(other, _)| *other == at) {
                candidates.push((at, separator));
            }
        }
    }
    let (known, at, separator) = best.unwrap_or_default();
    let mut first_error = None;
    for (at, separator) in candidates {
        match columns(path, &lines, at, separator) {
            Ok(header) => return Ok(header),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    if known >= DAMAGED.min(needed) {
        let (line, text) = lines[at];
        return Err(damaged(path, line, &split(text, separator).collect::<Vec<_>>()));
    }
    Err(missing(path, &lines, needed))
}

/// The columns of the header `lines[at]`, checked against the first row.
fn columns(path: &Path, lines: &[(usize, &[u8])], at: usize, separator: Option<u8>) -> Result<Header> {
    let (line, text) = lines[at];
    let titles: Vec<&[u8]> = split(text, separator).collect();
    let named = titles.iter().enumerate().filter_map(|(field, title)| Some((field, index(title)?)));
    let named: Vec<(usize, usize)> = named.collect();
    for (position, (_, attribute)) in named.iter().enumerate() {
        if named[..position].iter().any(|(_, before)| before == attribute) {
            return Err(Error::line(path, line, format!("attribute {} appears twice", NAMES[*attribute])));
        }
    }
    let others = titles.iter().enumerate().filter(|(_, title)| index(title).is_none());
    let mut others: Vec<(usize, String)> =
        others.map(|(field, title)| (field, String::from_utf8_lossy(title).into_owned())).collect();
    let count = lines[..at].iter().find_map(|(line, text)| Some((number(text)?, *line)));

    // pandas writes the name of the index in a line of its own, without values.
    let is_title = |text: &[u8]| {
        let fields: Vec<&[u8]> = split(text, separator).collect();
        let is_name = !fields[0].is_empty() && !has_image_extension(fields[0]);
        fields.len() > 1 && is_name && fields[1..].iter().all(|field| field.is_empty())
    };
    let mut rows = lines[at + 1..].iter().skip_while(|(_, text)| is_title(text));
    let first = rows.next();
    let last = first.map_or(line, |(number, _)| number - 1);
    let mut header =
        Header { line: last, separator, fields: titles.len(), image: 0, attributes: named, others: Vec::new(), count };
    let Some((row, text)) = first else {
        // No row follows: the first column is as good as any.
        header.line = lines.last().map_or(line, |(number, _)| *number);
        return Ok(header);
    };
    let values: Vec<&[u8]> = split(text, separator).collect();
    if values.len() == titles.len() + 1 {
        // CelebA, R and pandas leave out the title of the first column.
        header.fields += 1;
        header.attributes.iter_mut().for_each(|(field, _)| *field += 1);
        for (field, _) in &mut others {
            *field += 1;
        }
        others.insert(0, (0, String::new()));
    } else if values.len() != titles.len() {
        header.fields = titles.len().max(header.attributes.len() + 1);
        return Err(header.wrong_length(path, *row, values.len()));
    }
    header.image = match image_column(&others, &values) {
        Some(field) => field,
        None if others.is_empty() => {
            header.fields += 1;
            return Err(header.wrong_length(path, *row, values.len()));
        }
        None => {
            let titles: Vec<String> = others.iter().map(|(_, title)| format!("{title:?}")).collect();
            let titles = titles.join(", ");
            let message = format!(
                "it is not clear which of the columns {titles} names the images: give that column the title image_id, or \
                 remove the others"
            );
            return Err(Error::line(path, line, message));
        }
    };
    header.others = others.into_iter().filter(|(field, _)| *field != header.image).collect();
    Ok(header)
}

/// The field of image names among the columns that are no attributes: by its values in the first row, or by its title.
pub(super) fn image_column(others: &[(usize, String)], values: &[&[u8]]) -> Option<usize> {
    let only = |fields: Vec<usize>| if fields.len() == 1 { fields.first().copied() } else { None };
    let with = |keep: &dyn Fn(usize, &str) -> bool| -> Vec<usize> {
        others.iter().filter(|(field, title)| keep(*field, title)).map(|(field, _)| *field).collect()
    };
    let value = |field: usize| values.get(field).copied().unwrap_or_default();
    only(with(&|_, _| true))
        .or_else(|| only(with(&|field, _| has_image_extension(value(field)))))
        .or_else(|| only(with(&|field, title| is_image_title(title) && has_image_extension(value(field)))))
        .or_else(|| only(with(&|_, title| is_image_title(title) && !title.eq_ignore_ascii_case("id"))))
        .or_else(|| only(with(&|_, title| is_image_title(title))))
        .or_else(|| only(with(&|field, _| value(field).iter().any(u8::is_ascii_alphabetic))))
}

/// The error of a line that names most of the attributes, but not all.
fn damaged(path: &Path, line: usize, titles: &[&[u8]]) -> Error {
    let error = |message: String| Error::line(path, line, message);
    let mut found = Vec::new();
    for (position, title) in titles.iter().enumerate() {
        match index(title) {
            Some(attribute) if found.contains(&attribute) => {
                return error(format!("attribute {} appears twice", NAMES[attribute]));
            }
            Some(attribute) => found.push(attribute),
            // The first column may be the images'.
            None if position > 0 => {
                return error(format!("unknown attribute {}; the {COUNT} of CelebA were expected", shown(title)));
            }
            None => {}
        }
    }
    let example = (0..COUNT).find(|attribute| !found.contains(attribute)).map_or("", |attribute| NAMES[attribute]);
    error(format!("found {} attribute names, expected {COUNT}; {example} is among the missing", found.len()))
}

/// The error of a file without attribute names.
fn missing(path: &Path, lines: &[(usize, &[u8])], needed: usize) -> Error {
    let Some((line, first)) = lines.iter().find(|(_, text)| number(text).is_none()) else {
        return Error::file(path, "ends before the header of 40 attribute names");
    };
    let names = if needed == COUNT { "the 40 attribute names" } else { "any attribute name" };
    let message = format!(
        "found {}, expected a header of {names}: put a line such as `image_id {} {} ...` above the rows, in the order of \
         their columns; that order is never guessed",
        shown(first),
        NAMES[0],
        NAMES[1]
    );
    Error::line(path, *line, message)
}

/// The first lines that are not blank, with their numbers. Old spreadsheets end lines with CR alone.
fn head(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let end = if memchr::memchr(b'\n', bytes).is_some() { b'\n' } else { b'\r' };
    let lines = bytes.split(|byte| *byte == end).enumerate();
    let lines = lines.map(|(at, line)| (at + 1, trim(line))).filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.take(HEAD_LINES).collect()
}

/// A line without its end. Tabs stay: they may enclose an empty first field.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = line.iter().position(|byte| *byte != b' ').unwrap_or(line.len());
    let end = line.iter().rposition(|byte| *byte != b' ').map_or(start, |end| end + 1);
    &line[start..end]
}

/// The fields of a line, without blanks and quotes around them.
pub(super) fn split(line: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    let is_end = move |byte: &u8| separator.map_or(*byte == b' ' || *byte == b'\t', |separator| *byte == separator);
    line.split(is_end).map(unquoted).filter(move |field| separator.is_some() || !field.is_empty())
}

/// A field without blanks and double quotes around it.
pub(super) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).map_or(field, <[u8]>::trim_ascii)
}

/// Index in [`NAMES`] of an attribute's title.
fn index(title: &[u8]) -> Option<usize> {
    attribute::index(std::str::from_utf8(title).ok()?)
}

/// The number in a line that holds nothing else.
pub(super) fn number(line: &[u8]) -> Option<usize> {
    std::str::from_utf8(unquoted(line)).ok().and_then(|text| text.parse().ok())
}

/// Returns whether `title` is a header's title for the column of image names.
pub(super) fn is_image_title(title: &str) -> bool {
    IMAGE_TITLES.iter().any(|known| title.trim().eq_ignore_ascii_case(known))
}

/// Returns whether `name` ends like the name of an image file.
pub(super) fn has_image_extension(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| without_extension(name).len() < name.len())
}

/// A name without the extension of an image file.
pub(super) fn without_extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if IMAGE_EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header> {
        find(Path::new("list"), text.as_bytes(), COUNT)
    }

    fn names(separator: &str) -> String {
        NAMES.join(separator)
    }

    fn labels(separator: &str) -> String {
        vec!["1"; COUNT].join(separator)
    }

    #[test]
    fn the_columns_are_found_in_every_usual_form() {
        // Head, first row, number of fields, field of the image, line of the header.
        let cases = [
            (format!("1\n{}\n", names(" ")), format!("a.jpg {}", labels(" ")), 41, 0, 2),
            (format!("{}\n", names(" ")), format!("a.jpg  {}", labels("  ")), 41, 0, 1),
            (format!("image_id {}\n", names(" ")), format!("a.jpg\t{}", labels(" ")), 41, 0, 1),
            (format!("name\t{}\n", names("\t")), format!("a.jpg {}", labels(" ")), 41, 0, 1),
            (format!(",{}\n", names(",")), format!("a.jpg,{}", labels(",")), 41, 0, 1),
            (format!(",image_id,{}\n", names(",")), format!("0,000001.jpg,{}", labels(",")), 42, 1, 1),
            (format!("Unnamed: 0;img;{}\n", names(";")), format!("7;Ann/Ann_0001;{}", labels(";")), 42, 1, 1),
            (format!("image_id,{}\n", names(",")), format!("0,000001.jpg,{}", labels(",")), 42, 1, 1),
            (format!("\"{}\"\n", names("\" \"")), format!("\"a.jpg\" {}", labels(" ")), 41, 0, 1),
            (format!("\"x\" \"{}\"\n", names("\" \"")), format!("\"1\" \"a.jpg\" {}", labels(" ")), 42, 1, 1),
            (
                format!("attribute,{}\nimage_id{}\n", names(","), ",".repeat(COUNT)),
                format!("a.jpg,{}", labels(",")),
                41,
                0,
                2,
            ),
            (format!("CelebA, aligned\n5\n{}\n", names(" ")), format!("a.jpg {}", labels(" ")), 41, 0, 3),
            (format!("{},image,split,person\n", names(",")), format!("{},a.jpg,train,Ann", labels(",")), 43, 40, 1),
            (format!("X5.o.Clock.Shadow,{}\n", NAMES[1..].join(",")), format!("a.jpg,{}", labels(",")), 41, 0, 1),
        ];
        for (head, row, fields, image, line) in cases {
            let found = header(&format!("{head}{row}\n")).unwrap();
            assert_eq!((found.fields, found.image, found.line), (fields, image, line), "{head}{row}");
            assert_eq!(found.attributes.len(), COUNT);
        }
    }

    #[test]
    fn a_list_without_names_is_refused_with_what_to_add() {
        let error = header(&format!("000001.jpg {}\n", labels(" "))).unwrap_err().to_string();
        assert!(error.starts_with("list, line 1: found \"000001.jpg 1 1"), "{error}");
        assert!(error.contains("expected a header of the 40 attribute names: put a line such as `image_id 5_o_Clock"));
    }

    #[test]
    fn two_columns_that_could_name_the_images_are_refused() {
        let text = format!("a,b,{}\nx,y,{}\n", names(","), labels(","));
        let error = header(&text).unwrap_err().to_string();
        assert!(error.contains("which of the columns \"a\", \"b\" names the images"), "{error}");
    }
}
