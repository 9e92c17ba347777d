//! Small number types of Parquet files. polars is built without them, since every type is compiled into each of its
//! operations. Parquet stores integers of 8 and 16 bits as those of 32 bits, so it suffices to declare them as such in the
//! footer. Numbers of half precision are declared as two bytes each, and converted after they are read.

use half::f16;
use polars::prelude::{Column, DataFrame, DataType, Float32Chunked, IntoColumn, NewChunkedArray, PolarsResult};
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use polars_parquet_format::{ConvertedType, FileMetaData, IntType, LogicalType, SchemaElement};

const MAGIC: &[u8] = b"PAR1";
/// The length of the footer and [`MAGIC`].
const END_BYTES: usize = 8;
/// The key of a second schema, in Arrow's types, which readers prefer.
const ARROW_SCHEMA: &str = "ARROW:schema";
/// Most bytes of memory that a byte of the footer may take.
const MEMORY_PER_BYTE: usize = 100;

/// A Parquet file without small number types. Its footer is written anew: polars reserves memory for as many elements as a
/// footer states, and would end the program.
pub(super) struct Widened {
    pub(super) bytes: Vec<u8>,
    /// Names of the columns whose numbers have half precision.
    halves: Vec<String>,
}

impl Widened {
    /// `None` if the footer cannot be read.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let (rest, end) = bytes.split_at_checked(bytes.len().checked_sub(END_BYTES)?)?;
        let (length, magic) = end.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (pages, footer) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        if magic != MAGIC {
            return None;
        }
        let mut protocol = TCompactInputProtocol::new(footer, MEMORY_PER_BYTE * footer.len());
        let mut metadata = FileMetaData::read_from_in_protocol(&mut protocol).ok()?;
        let is_half = |element: &&SchemaElement| matches!(element.logical_type, Some(LogicalType::FLOAT16(_)));
        let halves: Vec<String> = metadata.schema.iter().filter(is_half).map(|element| element.name.clone()).collect();
        let mut changed = false;
        for element in metadata.schema.iter_mut().filter(|element| is_small(element)) {
            (element.logical_type, element.converted_type, changed) = (None, None, true);
        }
        if changed {
            metadata.key_value_metadata.iter_mut().for_each(|pairs| pairs.retain(|pair| pair.key != ARROW_SCHEMA));
        }
        let mut bytes = pages.to_vec();
        metadata.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut bytes)).ok()?;
        let length = u32::try_from(bytes.len() - pages.len()).ok()?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(MAGIC);
        Some(Self { bytes, halves })
    }

    /// Converts the columns of half precision to single precision.
    pub(super) fn convert(&self, table: &mut DataFrame) -> PolarsResult<()> {
        for name in &self.halves {
            // A column inside another one stays as it is, and may have the name of a whole one.
            let Some(column) = table.column(name).ok().filter(|column| *column.dtype() == DataType::Binary) else {
                continue;
            };
            let single = single_precision(column)?;
            table.with_column(single)?;
        }
        Ok(())
    }
}

fn is_small(element: &SchemaElement) -> bool {
    let by_logical_type = match &element.logical_type {
        Some(LogicalType::INTEGER(IntType { bit_width, .. })) => *bit_width <= 16,
        Some(LogicalType::FLOAT16(_)) => true,
        _ => false,
    };
    let small = [ConvertedType::INT_8, ConvertedType::INT_16, ConvertedType::UINT_8, ConvertedType::UINT_16];
    by_logical_type || element.converted_type.is_some_and(|converted| small.contains(&converted))
}

fn single_precision(column: &Column) -> PolarsResult<Column> {
    let number = |bytes: &[u8]| bytes.try_into().map(f16::from_le_bytes).map(f32::from).ok();
    let numbers = column.binary()?.iter().map(|bytes| bytes.and_then(number));
    Ok(Float32Chunked::from_iter_options(column.name().clone(), numbers).into_column())
}

#[cfg(test)]
mod tests {
    use super::super::parquet::parse;
    use polars::prelude::DataType;
    use std::path::Path;

    /// The file has each column twice, in a small type and in 64 bits (`tests/golden/parquet_types.py`).
    #[test]
    fn small_types_that_another_program_wrote_are_read_as_their_numbers() {
        let bytes = include_bytes!("../../tests/golden/types.parquet");
        let table = parse(Path::new("types.parquet"), bytes, None, "").unwrap().frame;
        for name in ["int8", "int16", "uint8", "uint16", "float16"] {
            let [small, wide] = [name.to_owned(), format!("{name}_wide")].map(|name| table.column(&name).unwrap());
            assert_eq!(&small.cast(&DataType::Float64).unwrap().with_name(wide.name().clone()), wide, "{name}");
        }
        assert_eq!(table.column("text").unwrap().str().unwrap().get(1), Some("b"));
    }
}
