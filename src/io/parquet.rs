//! Reads Parquet files that others may have made. A few kilobytes can stand for gigabytes: rows by run length, a row group
//! named again and again, compressed pages. The counts in the footer and in the page headers are held to what is expected
//! before anything is decoded.

use super::guard::guarded;
use super::open::{TABLE_BYTES, read_up_to};
use super::parquet_types::Widened;
use crate::error::{Error, Result};
use polars::prelude::{ArrowDataType, DataFrame, DataType, ParquetReader, PolarsError, SerReader};
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use std::io::Cursor;
use std::path::Path;

/// Most rows a byte of the file: forty rows of one image have its name once.
const ROWS_PER_BYTE: u64 = 40;
/// Most bytes of decompressed pages a byte of the file, besides [`BYTES_PER_ROW`].
const BYTES_PER_BYTE: u64 = 100;
/// Bytes of decompressed pages that a row may have in any file.
const BYTES_PER_ROW: u64 = 512;
/// Bytes of decompressed pages that any file may have.
const FREE_BYTES: u64 = 1 << 20;
/// Longest text in a cell in bytes.
const CELL_BYTES: usize = 1 << 16;

/// The content of a file.
pub struct ParquetTable {
    /// The columns of texts, bytes, numbers and truth values.
    pub frame: DataFrame,
    /// Title and type, as a plural noun, of each other column. They are not decoded.
    pub others: Vec<(String, &'static str)>,
}

/// Reads a table of at most `max_rows` rows; `None` takes any number. `advice` completes the message about a damaged file.
pub fn read_parquet(path: &Path, max_rows: Option<usize>, advice: &str) -> Result<DataFrame> {
    Ok(parse(path, &read_up_to(path, TABLE_BYTES)?, max_rows, advice)?.frame)
}

/// Like [`read_parquet`], for the content of the file.
pub fn parse(path: &Path, bytes: &[u8], max_rows: Option<usize>, advice: &str) -> Result<ParquetTable> {
    let wrong = |message: String| Error::file(path, format!("{message}; {advice}"));
    let unreadable = |reason: &str| wrong(format!("is not a Parquet file that can be read: {reason}"));
    let read = || -> Result<ParquetTable> {
        let Some(file) = Widened::new(bytes) else { return Err(unreadable("its footer is damaged")) };
        let bytes = file.bytes.as_slice();
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let schema = reader.schema().map_err(|e| unreadable(&first_line(&e)))?;
        let (others, read): (Vec<_>, Vec<_>) = schema
            .iter()
            .map(|(title, field)| (title.to_string(), other_type(&field.dtype)))
            .partition(|(_, other)| other.is_some());
        let others: Vec<(String, &str)> =
            others.into_iter().filter_map(|(title, other)| Some((title, other?))).collect();
        check(&mut reader, bytes, max_rows, &others).map_err(|fault| match fault {
            Fault::Damaged(reason) => unreadable(&reason),
            Fault::TooLarge(message) => wrong(message),
        })?;
        let titles = (!others.is_empty()).then(|| read.into_iter().map(|(title, _)| title).collect());
        let mut table = reader.with_columns(titles).finish().map_err(|e| unreadable(&first_line(&e)))?;
        if table.columns().iter().any(|column| column.len() != table.height()) {
            return Err(unreadable("its columns have different numbers of rows"));
        }
        file.convert(&mut table)?;
        for column in table.columns().iter().filter(|column| column.dtype() == &DataType::String) {
            let is_long = |text: Option<&str>| text.is_some_and(|text| text.len() > CELL_BYTES);
            if column.str()?.iter().any(is_long) {
                return Err(wrong(format!("holds a text of more than {CELL_BYTES} bytes in `{}`", column.name())));
            }
        }
        Ok(ParquetTable { frame: table, others })
    };
    guarded(read).unwrap_or_else(|| Err(unreadable("its parts contradict one another")))
}

/// Why a file is not decoded.
enum Fault {
    Damaged(String),
    TooLarge(String),
}

impl From<PolarsError> for Fault {
    fn from(error: PolarsError) -> Self {
        Self::Damaged(first_line(&error))
    }
}

fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A plural noun for a type that polars is not built for; `None` for those that it reads.
fn other_type(dtype: &ArrowDataType) -> Option<&'static str> {
    use ArrowDataType as A;
    Some(match dtype {
        A::Dictionary(_, values, _) => return other_type(values),
        A::Date32 | A::Date64 => "dates",
        A::Timestamp(..) | A::Time32(_) | A::Time64(_) => "times",
        A::Duration(_) | A::Interval(_) => "durations",
        A::Decimal(..) | A::Decimal32(..) | A::Decimal64(..) | A::Decimal256(..) => "decimal numbers",
        A::List(_) | A::FixedSizeList(..) | A::LargeList(_) => "lists",
        A::Struct(_) | A::Map(..) => "structs",
        A::Int128 | A::UInt128 | A::Extension(_) | A::Union(_) | A::Unknown => "values of another type",
        _ => return None,
    })
}

/// Checks the footer's counts and the header of every page, except in columns that are not decoded.
fn check(
    reader: &mut ParquetReader<Cursor<&[u8]>>,
    bytes: &[u8],
    max_rows: Option<usize>,
    others: &[(String, &str)],
) -> std::result::Result<(), Fault> {
    let contradiction = || Fault::Damaged("its counts contradict one another".to_owned());
    let length = bytes.len() as u64;
    let metadata = reader.get_metadata()?.clone();
    let rows = metadata.num_rows as u64;
    if let Some(most) = max_rows.filter(|most| metadata.num_rows > *most) {
        return Err(Fault::TooLarge(format!("holds {rows} rows, expected at most {most}")));
    }
    if rows > ROWS_PER_BYTE * length {
        return Err(Fault::TooLarge(format!("states {rows} rows in {length} bytes, which is impossible")));
    }
    let mut left = rows;
    let mut free = FREE_BYTES + BYTES_PER_BYTE * length + BYTES_PER_ROW * rows;
    for group in &metadata.row_groups {
        let in_group = group.num_rows() as u64;
        left = left.checked_sub(in_group).ok_or_else(contradiction)?;
        let is_decoded = |title: &str| others.iter().all(|(other, _)| other != title);
        for column in group.parquet_columns() {
            if !is_decoded(&column.descriptor().path_in_schema[0]) {
                continue;
            }
            if u64::try_from(column.num_values()).ok() != Some(in_group) {
                return Err(contradiction());
            }
            let range = column.byte_range();
            let chunk = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let chunk = chunk.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(contradiction)?;
            let (values, size) = pages(chunk).ok_or_else(contradiction)?;
            if values != in_group {
                return Err(contradiction());
            }
            free = free.checked_sub(size).ok_or_else(|| {
                Fault::TooLarge(format!("expands to far more than its {length} bytes, for {rows} rows"))
            })?;
        }
    }
    if left == 0 { Ok(()) } else { Err(contradiction()) }
}

/// Number of values and decompressed bytes of a column's pages; `None` if their headers make no sense.
fn pages(chunk: &[u8]) -> Option<(u64, u64)> {
    let mut cursor = Cursor::new(chunk);
    let (mut values, mut size) = (0, 0);
    while cursor.position() < chunk.len() as u64 {
        let mut protocol = TCompactInputProtocol::new(&mut cursor, chunk.len());
        let page = PageHeader::read_from_in_protocol(&mut protocol).ok()?;
        let stored = u64::try_from(page.compressed_page_size).ok()?;
        size += u64::try_from(page.uncompressed_page_size).ok()?;
        let in_data = page.data_page_header.map(|header| header.num_values);
        let in_data = in_data.or(page.data_page_header_v2.map(|header| header.num_values));
        values += u64::try_from(in_data.unwrap_or(0)).ok()?;
        if let Some(dictionary) = page.dictionary_page_header
            && u64::try_from(dictionary.num_values).ok()? > u64::try_from(page.uncompressed_page_size).ok()?
        {
            return None;
        }
        cursor.set_position(cursor.position().checked_add(stored)?);
    }
    (cursor.position() == chunk.len() as u64).then_some((values, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn written(table: &mut DataFrame) -> Vec<u8> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None)).finish(table).unwrap();
        bytes
    }

    fn error(bytes: &[u8], max_rows: Option<usize>) -> String {
        parse(Path::new("x.parquet"), bytes, max_rows, "make it again").err().unwrap().to_string()
    }

    #[test]
    fn a_table_reads_back_the_same() {
        let mut table = df!(
            "image" => (0..5000).map(|i| format!("{:06}.jpg", i / 40)).collect::<Vec<_>>(),
            "label" => (0..5000).map(|i| i % 3 == 0).collect::<Vec<_>>(),
            "probability" => (0..5000).map(|i| (i % 7 > 0).then_some(i as f32 / 5000.0)).collect::<Vec<_>>(),
            "nothing" => vec![None::<&str>; 5000],
        )
        .unwrap();
        let bytes = written(&mut table);
        let read = |most| parse(Path::new("x"), &bytes, most, "").unwrap().frame;
        assert!(read(None).equals_missing(&table) && read(Some(5000)).equals_missing(&table));
        assert!(error(&bytes, Some(4999)).contains("holds 5000 rows, expected at most 4999; make it again"));
    }

    #[test]
    fn a_file_that_expands_far_beyond_its_length_is_refused() {
        let rows = 3_000_000;
        let mut many = df!("a" => vec![true; rows]).unwrap();
        assert!(error(&written(&mut many), None).contains("rows in"));
        let mut large = df!("a" => ["x".repeat(50_000_000)]).unwrap();
        assert!(error(&written(&mut large), None).contains("expands to far more"));
        let mut long = df!("a" => ["x".repeat(100_000)]).unwrap();
        assert!(error(&written(&mut long), None).contains("a text of more than 65536 bytes"));
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let damaged = include_bytes!("../../fuzz/seeds/predictions/uneven.parquet");
        let error = parse(Path::new("x.parquet"), damaged, None, "make it again").err().unwrap().to_string();
        assert!(error.contains("is not a Parquet file that can be read"), "{error}");
    }

    /// A footer that states more elements than memory has.
    #[test]
    fn lists_that_are_longer_than_the_file_are_refused() {
        let hostile = include_bytes!("../../fuzz/seeds/predictions/lists.parquet");
        let error = parse(Path::new("x.parquet"), hostile, None, "make it again").err().unwrap().to_string();
        assert!(error.contains("is not a Parquet file that can be read: its footer is damaged"), "{error}");
    }

    #[test]
    fn any_flipped_bit_in_the_footer_gives_a_table_or_a_sentence() {
        let mut table = df!("a" => [1.0_f32, 2.0], "b" => ["x", "y"]).unwrap();
        let bytes = written(&mut table);
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Err(error) = parse(Path::new("x"), &flipped, None, "") {
                assert_eq!(error.exit_code(), 2, "{error}");
            }
        }
    }
}
