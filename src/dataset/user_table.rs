//! Any faces with some of the 40 attributes: one table of the user, with a row for each image.
//!
//! The table is CSV, text separated by blanks or tabs, or Parquet. Columns are found by title: the image's path below the
//! root, any part of the attributes, and optionally `split` and `identity`. A blank label is not known. In a table with a
//! label of -1, 0 is not known either, as in MAAD-Face; in any other table 0 is the negative label.

use super::fields::{SourceLocation, file_name, image_name, no_rows, positions, shown, utf8, wrong_label};
use super::header::{self, Header};
use super::join::{JoinedAnnotation, LeftOut, check_stated_count};
use super::layout::ImageFolder;
use super::name::DatasetName;
use super::set::{Annotations, Dataset, Options, Partition};
use super::split::Split;
use super::table::Columns;
use super::val_split::draw;
use super::{delimited, text};
use crate::attribute::{self, COUNT, ImageLabels};
use crate::error::{Error, Result};
use crate::io;
use crate::render::format::thousands;
use polars::prelude::*;
use std::path::{Path, PathBuf};

/// Titles of the column of splits.
const SPLIT_TITLES: [&str; 5] = ["split", "partition", "set", "subset", "eval_status"];
/// Titles of the column of people.
const IDENTITY_TITLES: [&str; 8] =
    ["identity", "identity_id", "person", "person_id", "subject", "subject_id", "people", "individual"];
/// Extensions of files that may be the table.
const EXTENSIONS: [&str; 4] = ["csv", "tsv", "txt", "parquet"];
/// Shares of train, val and test if the table has no splits.
const DEFAULT_SHARES: [f64; 3] = [0.8, 0.1, 0.1];
/// Label codes besides 0 and 1.
const NEGATIVE: i8 = -1;
const BLANK: i8 = i8::MIN;

/// How the table is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableOptions<'a> {
    /// The table; if `None`, the only one in the root.
    pub table: Option<&'a Path>,
    /// Shares of train, val and test, for a table without splits.
    pub shares: Option<[f64; 3]>,
    /// Seed of the draw of splits.
    pub seed: u64,
    /// As for other data sets.
    pub common: Options,
}

/// Reads the table of the images below `root`.
///
/// # Errors
/// The table cannot be found or breaks its format, or an image is missing and `options` does not allow that.
pub fn read(root: &Path, options: &TableOptions) -> Result<Dataset> {
    let annotation = read_annotation(root, options)?;
    let folder = ImageFolder::below(root, &annotation.columns.sources)?;
    if folder.found == 0 {
        let message = "contains no JPEG or PNG images: --root names the folder below which the table's images are";
        return Err(Error::file(root, message));
    }
    annotation.with_images(DatasetName::Table, folder, options.common)
}

/// Reads the table without its images, for label statistics.
///
/// # Errors
/// As [`read`], except for images.
pub fn annotations(root: &Path, options: &TableOptions) -> Result<Annotations> {
    read_annotation(root, options)?.without_images()
}

/// The content of a table.
#[derive(Debug)]
pub(super) struct UserTable {
    location: SourceLocation,
    pub(super) images: Vec<String>,
    /// Codes of the labels, in the order of the list of attributes: -1, 0, 1 or [`BLANK`].
    codes: Vec<[i8; COUNT]>,
    /// The attributes that have a column.
    attributes: Vec<usize>,
    /// The splits; blank values are `None`.
    splits: Option<Vec<Option<Split>>>,
    /// The people; blank values are `None`.
    identities: Option<Vec<Option<String>>>,
    /// The number of images that a line above the names states, and that line.
    count: Option<(usize, usize)>,
}

/// Reads the table and draws splits if it has none.
fn read_annotation(root: &Path, options: &TableOptions) -> Result<JoinedAnnotation> {
    if !root.is_dir() {
        return Err(Error::file(root, "is not a folder; --root names the one below which the table's images are"));
    }
    let path = find(root, options.table)?;
    let bytes = io::read_up_to(&path, io::TABLE_BYTES)?;
    let mut table = UserTable::parse(&path, &bytes)?;
    if table.images.is_empty() {
        return Err(no_rows(&path));
    }
    check_stated_count(&table.location, table.images.len(), table.count, options.common)?;
    let canonical = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    table.images.iter_mut().for_each(|image| make_relative(image, &[root, &canonical]));
    positions(&table.images, &table.location)?;
    let mut notes = table.notes(&bytes);
    let labels = table.labels();
    let identities = table.identities.take().unwrap_or_else(|| vec![None; table.images.len()]);
    let name = file_name(&path);
    let (splits, left_out, origin) = match (table.splits.take(), options.shares) {
        (Some(_), Some(_)) => {
            return Err(Error::file(&path, "has a column of splits: leave out --split, or the column"));
        }
        (Some(splits), None) => {
            let unsplit = splits.iter().filter(|split| split.is_none()).count();
            if let (Some(row), false) = (splits.iter().position(Option::is_none), options.common.allow_missing) {
                let message = format!(
                    "image {} has no split: complete the column, or pass --allow-missing to leave out such images",
                    table.images[row]
                );
                return Err(table.location.error(row, message));
            }
            (splits, LeftOut { unsplit, ..LeftOut::default() }, format!("as given in {name}"))
        }
        (None, shares) => {
            let shares = shares.unwrap_or(DEFAULT_SHARES);
            let (splits, units) = draw(&table.images, &identities, shares, options.seed)?;
            let [train, val, test] = shares;
            let origin = format!(
                "drawn from {name} by {units} with seed {}, in shares of {train}, {val} and {test}",
                options.seed
            );
            (splits.into_iter().map(Some).collect(), LeftOut::default(), origin)
        }
    };
    let [train, val, test] = Split::ALL.map(|wanted| splits.iter().filter(|split| **split == Some(wanted)).count());
    for (count, split) in [(train, Split::Train), (test, Split::Test)] {
        if count == 0 {
            let message = format!("the {} split is empty; 0 is train, 1 is val, 2 is test", split.label());
            return Err(Error::file(&path, message));
        }
    }
    let [train, val, test] = [train, val, test].map(thousands);
    let description = format!("partition: {origin}; {train} train, {val} val, {test} test images");
    notes.push(format!("data: {} images of {name}, a table of the user", thousands(table.images.len())));
    let columns = Columns { sources: table.images, splits: Vec::new(), identities, labels };
    let partition = Partition { description, ..Partition::default() };
    let mut annotation = JoinedAnnotation::of_columns(columns, table.location, (splits, left_out), partition, notes);
    annotation.note_people();
    Ok(annotation)
}

/// The table `given`, or the only one in `root`.
fn find(root: &Path, given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        let places = [given.to_path_buf(), root.join(given)];
        let found = places.into_iter().find(|path| path.is_file());
        return found.ok_or_else(|| {
            Error::file(given, format!("does not exist, nor is it in {}: give the path of the table", root.display()))
        });
    }
    let entries = std::fs::read_dir(root).map_err(Error::io("list the folder", root))?;
    let is_table = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        path.is_file()
            && !is_hidden
            && EXTENSIONS.iter().any(|known| extension.is_some_and(|e| e.eq_ignore_ascii_case(known)))
    };
    let mut tables: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_table).collect();
    tables.sort();
    match &tables[..] {
        [only] => Ok(only.clone()),
        [] => Err(Error::file(
            root,
            "contains no table: put one file .csv, .txt or .parquet there, or give its path with --table",
        )),
        several => {
            let names: Vec<String> = several.iter().map(|path| file_name(path)).collect();
            let message =
                format!("contains several files that may be the table: name one of {} with --table", names.join(", "));
            Err(Error::file(root, message))
        }
    }
}

/// Makes an image's path relative to the root, without `.` and doubled slashes: they would hide that it appears twice.
fn make_relative(image: &mut String, roots: &[&Path]) {
    let path = Path::new(image.as_str());
    let below = roots.iter().find_map(|root| path.strip_prefix(root).ok()).and_then(Path::to_str);
    let below = below.unwrap_or(image);
    let start = if below.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    *image = format!("{start}{}", parts.join("/"));
}

impl UserTable {
    /// Reads the content of `path`.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"PAR1") { Self::of_parquet(path, bytes) } else { Self::of_text(path, bytes) }
    }

    fn of_text(path: &Path, bytes: &[u8]) -> Result<Self> {
        let bytes = &*text::content(path, bytes)?;
        let header = header::find(path, bytes, 1)?;
        let split = only_column(path, &header.others, &SPLIT_TITLES, "split")?;
        let identity = only_column(path, &header.others, &IDENTITY_TITLES, "identity")?;
        let mut table = Self {
            location: SourceLocation::of_lines(path),
            images: Vec::new(),
            codes: Vec::new(),
            attributes: header.attributes.iter().map(|(_, attribute)| *attribute).collect(),
            splits: split.map(|_| Vec::new()),
            identities: identity.map(|_| Vec::new()),
            count: header.count,
        };
        rows(path, bytes, &header, |line, fields| {
            let mut codes = [BLANK; COUNT];
            for &(field, attribute) in &header.attributes {
                codes[attribute] = code(fields[field]).ok_or_else(|| {
                    wrong_label(path, line, attribute, fields[field], "-1, 0 or 1, or nothing if it is not known")
                })?;
            }
            let image = image_name(path, line, fields[header.image])?;
            if let (Some(splits), Some(field)) = (&mut table.splits, split) {
                splits.push(split_of(utf8(path, line, fields[field])?).map_err(|found| {
                    let (found, image) = (shown(found.as_bytes()), shown(image.as_bytes()));
                    Error::line(path, line, format!("found {found} for image {image}, expected train, val or test"))
                })?);
            }
            if let (Some(identities), Some(field)) = (&mut table.identities, identity) {
                let person = utf8(path, line, fields[field])?;
                identities.push((!is_blank(person.as_bytes())).then(|| person.to_owned()));
            }
            table.images.push(image);
            table.codes.push(codes);
            table.location.push(line);
            Ok(())
        })?;
        Ok(table)
    }

    fn of_parquet(path: &Path, bytes: &[u8]) -> Result<Self> {
        let advice = "write it anew, with a row for each image";
        let io::ParquetTable { frame, others: unread } = io::parse_parquet(path, bytes, None, advice)?;
        let mut unusable: Vec<(String, String)> =
            unread.into_iter().map(|(title, kind)| (title, kind.to_owned())).collect();
        let (mut labels, mut others) = (Vec::new(), Vec::new());
        for column in frame.columns() {
            let title = column.name().to_string();
            let attribute = attribute::index(&title);
            let is_truth = attribute.is_some() && matches!(column.dtype(), DataType::Boolean);
            let text = if is_truth { as_text(&column.cast(&DataType::Int32)?) } else { as_text(column) };
            match (text, attribute) {
                (Some(text), Some(attribute)) => labels.push((title, attribute, text)),
                (Some(text), None) => others.push((title, text)),
                (None, _) => unusable.push((title, column.dtype().to_string())),
            }
        }
        for (title, kind) in unusable {
            let is_label = attribute::index(&title).is_some();
            if is_label || is_one_of(&title, &SPLIT_TITLES) || is_one_of(&title, &IDENTITY_TITLES) {
                let expected = if is_label { "expected labels" } else { "save it as text" };
                return Err(Error::file(path, format!("column `{title}` holds {kind}: {expected}")));
            }
        }
        let rows = frame.height();
        if rows == 0 {
            return Err(no_rows(path));
        }
        let mut codes = vec![[BLANK; COUNT]; rows];
        let mut attributes = Vec::new();
        for (title, attribute, text) in labels {
            if attributes.contains(&attribute) {
                return Err(Error::file(path, format!("attribute {title} appears twice")));
            }
            attributes.push(attribute);
            for (row, value) in text.str()?.iter().enumerate() {
                codes[row][attribute] = code(value.unwrap_or_default().as_bytes()).ok_or_else(|| {
                    let found = shown(value.unwrap_or_default().as_bytes());
                    let message = format!("attribute {title} has the label {found}, expected -1, 0 or 1, or null");
                    Error::file(path, format!("row {}: {message}", row + 1))
                })?;
            }
        }
        if attributes.is_empty() {
            return Err(Error::file(path, "has no column of any of the 40 attributes, such as Smiling or Male"));
        }
        let titles: Vec<(usize, String)> = others.iter().map(|(title, _)| title.clone()).enumerate().collect();
        let first: Vec<String> = others
            .iter()
            .map(|(_, column)| Ok(column.str()?.get(0).unwrap_or_default().to_owned()))
            .collect::<Result<_>>()?;
        let first: Vec<&[u8]> = first.iter().map(String::as_bytes).collect();
        let image = header::image_column(&titles, &first).ok_or_else(|| {
            Error::file(path, "has several columns that could be the images' paths, or none: call the right one `path`")
        })?;
        let others_than_image: Vec<(usize, String)> = titles.into_iter().filter(|(index, _)| *index != image).collect();
        let column = |titles: &[&str], what: &str| -> Result<Option<&Column>> {
            Ok(only_column(path, &others_than_image, titles, what)?.map(|index| &others[index].1))
        };
        let texts = |column: &Column| -> Result<Vec<String>> {
            Ok(column.str()?.iter().map(|value| value.unwrap_or_default().to_owned()).collect())
        };
        let location = SourceLocation { path: path.to_owned(), lines: None };
        let images: Vec<String> = texts(&others[image].1)?.into_iter().map(|name| name.replace('\\', "/")).collect();
        if let Some(row) = images.iter().position(String::is_empty) {
            return Err(location.error(row, "the image's name is empty"));
        }
        let splits = column(&SPLIT_TITLES, "split")?.map(|column| -> Result<Vec<Option<Split>>> {
            let parsed = texts(column)?.into_iter().enumerate().map(|(row, value)| {
                split_of(&value).map_err(|found| {
                    let found = shown(found.as_bytes());
                    location.error(row, format!("found {found} for image {}, expected train, val or test", images[row]))
                })
            });
            parsed.collect()
        });
        let identities = column(&IDENTITY_TITLES, "identity")?.map(|column| -> Result<Vec<Option<String>>> {
            Ok(texts(column)?.into_iter().map(|person| (!is_blank(person.as_bytes())).then_some(person)).collect())
        });
        let (splits, identities) = (splits.transpose()?, identities.transpose()?);
        Ok(Self { location, images, codes, attributes, splits, identities, count: None })
    }

    /// Returns whether 0 is a label that is not known.
    fn is_zero_unknown(&self) -> bool {
        self.codes.iter().flatten().any(|code| *code == NEGATIVE)
    }

    /// The labels that the codes mean.
    fn labels(&self) -> Vec<ImageLabels> {
        let is_zero_unknown = self.is_zero_unknown();
        let label = |code: i8| match code {
            1 => Some(true),
            NEGATIVE => Some(false),
            0 if !is_zero_unknown => Some(false),
            _ => None,
        };
        self.codes.iter().map(|codes| codes.map(label)).collect()
    }

    /// Remarks on the labels for the report; `bytes` is the content of the file.
    fn notes(&self, bytes: &[u8]) -> Vec<String> {
        let name = self.location.file_name();
        let is_zero_unknown = self.is_zero_unknown();
        let values = || self.codes.iter().flat_map(|codes| self.attributes.iter().map(|attribute| codes[*attribute]));
        let unknown = values().filter(|code| *code == BLANK || (*code == 0 && is_zero_unknown)).count();
        let total = self.codes.len() * self.attributes.len();
        let digest = &blake3::hash(bytes).to_hex()[..16];
        let mut notes = vec![format!(
            "labels: {name} (blake3 {digest}) has {} of the {COUNT} attributes; {} of their {} labels are not known",
            self.attributes.len(),
            thousands(unknown),
            thousands(total)
        )];
        if is_zero_unknown && values().any(|code| code == 0) {
            notes.push(format!("labels: 0 is not known in {name}, as -1 occurs in it"));
        }
        notes
    }
}

/// Returns whether `title` is one of `titles`.
fn is_one_of(title: &str, titles: &[&str]) -> bool {
    titles.iter().any(|known| title.trim().eq_ignore_ascii_case(known))
}

/// The index of the column with one of `titles`; `what` names its values in the error of a second one.
fn only_column(path: &Path, columns: &[(usize, String)], titles: &[&str], what: &str) -> Result<Option<usize>> {
    let mut found = columns.iter().filter(|(_, title)| is_one_of(title, titles));
    match (found.next(), found.next()) {
        (Some((_, first)), Some((_, second))) => {
            Err(Error::file(path, format!("columns `{first}` and `{second}` both give the {what}: leave one out")))
        }
        (only, _) => Ok(only.map(|(index, _)| *index)),
    }
}

/// A column of a Parquet file as text; `None` if it holds neither text nor numbers.
fn as_text(column: &Column) -> Option<Column> {
    let dtype = column.dtype();
    // Some tools do not declare text as such. A cast would make other bytes missing values.
    if matches!(dtype, DataType::Binary) {
        let texts = column.binary().ok()?.iter().map(|bytes| bytes.map(std::str::from_utf8).transpose().ok());
        let texts: Vec<Option<&str>> = texts.collect::<Option<_>>()?;
        return Some(StringChunked::from_iter_options(column.name().clone(), texts.into_iter()).into_column());
    }
    let is_named = dtype.is_string() || dtype.is_categorical() || dtype.is_enum();
    let is_plain = is_named || dtype.is_null() || dtype.is_primitive_numeric();
    if is_plain { column.cast(&DataType::String).ok() } else { None }
}

/// Calls `push` with line and fields of every row.
fn rows(path: &Path, bytes: &[u8], header: &Header, mut push: impl FnMut(usize, &[&[u8]]) -> Result<()>) -> Result<()> {
    if header.separator.is_some() {
        return delimited::table_rows(path, bytes, header, push);
    }
    text::rows(bytes, |line, fields| {
        if line <= header.line {
            return Ok(());
        }
        if fields.len() != header.fields {
            return Err(header.wrong_length(path, line, fields.len()));
        }
        push(line, fields)
    })
}

/// The code of a label; `None` if it is none.
fn code(field: &[u8]) -> Option<i8> {
    if is_blank(field) {
        return Some(BLANK);
    }
    let text = std::str::from_utf8(field).ok()?.trim();
    match &*text.to_ascii_lowercase() {
        "true" => return Some(1),
        "false" => return Some(0),
        _ => {}
    }
    let number: f64 = text.parse().ok()?;
    [NEGATIVE, 0, 1].into_iter().find(|code| f64::from(*code).total_cmp(&(number + 0.0)).is_eq())
}

/// Returns whether a field holds nothing, in the spelling of the usual tools.
fn is_blank(field: &[u8]) -> bool {
    let field = field.trim_ascii().to_ascii_lowercase();
    matches!(&*field, b"" | b"na" | b"n/a" | b"nan" | b"null" | b"none" | b"?" | b"<na>")
}

/// The split of a value, `None` if it is blank; the error is the value.
fn split_of(value: &str) -> std::result::Result<Option<Split>, String> {
    if is_blank(value.as_bytes()) { Ok(None) } else { Split::parse(value).map(Some).ok_or_else(|| value.to_owned()) }
}
