//! The header of `.npy` files (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//! Not npyz: the values are streamed and resumed here, or are a pickle; only the header is shared.

use std::borrow::Cow;

/// Length in bytes of what [`header`] returns.
pub const HEADER_LENGTH: usize = 128;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The first [`HEADER_LENGTH`] bytes of a file of format version 1.0 with an array in C order. `dtype` is the type's name
/// in `NumPy`, such as `<f4`.
pub fn header(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({}{comma}), }}", sides.join(", "));
    let length = HEADER_LENGTH - MAGIC.len() - 4;
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend((length as u16).to_le_bytes());
    header.extend(format!("{text:<width$}\n", width = length - 1).bytes());
    header
}

/// A `.npy` file in memory.
#[derive(Debug)]
pub struct Array<'a> {
    /// The header: a Python dictionary as text.
    pub header: Cow<'a, str>,
    /// The bytes behind the header.
    pub data: &'a [u8],
}

impl<'a> Array<'a> {
    /// Splits a file of any format version; `None` if it is not a `.npy` file.
    ///
    /// # Errors
    /// The file ends in its header.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
        let truncated = || "it ends in its header".to_owned();
        let ([major, _minor], rest) = rest.split_first_chunk().ok_or_else(truncated)?;
        let (length, rest) = rest.split_at_checked(if *major == 1 { 2 } else { 4 }).ok_or_else(truncated)?;
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (header, data) = rest.split_at_checked(length).ok_or_else(truncated)?;
        Ok(Some(Self { header: String::from_utf8_lossy(header), data }))
    }

    /// The type's name in `NumPy`, such as `<f4`.
    pub fn dtype(&self) -> Option<&str> {
        self.field("descr")?.strip_prefix('\'')?.strip_suffix('\'')
    }

    /// True if the last axis varies fastest.
    pub fn is_c_order(&self) -> bool {
        self.field("fortran_order") == Some("False")
    }

    /// The length of each axis.
    pub fn shape(&self) -> Option<Vec<usize>> {
        let inner = self.field("shape")?.strip_prefix('(')?.strip_suffix(')')?;
        inner.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.header.split_once(&format!("'{name}':"))?;
        let end = if value.trim_start().starts_with('(') { value.find(')')? + 1 } else { value.find([',', '}'])? };
        Some(value[..end].trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_what_numpy_writes_and_no_longer_for_the_largest_array() {
        // numpy.lib.format.write_array_header_1_0 for the shape (3, 2, 2, 3).
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2, 3), }";
        let expected = format!("\u{1}\0v\0{text}{}\n", " ".repeat(118 - text.len() - 1));
        let written = header("|u1", &[3, 2, 2, 3]);
        assert_eq!(written[..6], *b"\x93NUMPY");
        assert_eq!(written[6..], *expected.as_bytes());
        assert_eq!(header("|u1", &[usize::MAX, 4096, 4096, 3]).len(), HEADER_LENGTH);
    }

    #[test]
    fn header_is_parsed_as_written() {
        for shape in [&[5][..], &[2, 40, 2, 2]] {
            let mut bytes = header("<f4", shape);
            bytes.extend([7, 8]);
            let array = Array::parse(&bytes).unwrap().unwrap();
            assert_eq!((array.dtype(), array.is_c_order(), array.shape().as_deref()), (Some("<f4"), true, Some(shape)));
            assert_eq!(array.data, [7, 8]);
            assert!(Array::parse(&bytes[..100]).is_err());
            assert!(Array::parse(&bytes[1..]).unwrap().is_none());
        }
    }

    #[test]
    fn version_2_has_a_longer_length() {
        let bytes = b"\x93NUMPY\x02\x00\x12\x00\x00\x00{'descr': '|O', } \nrest";
        let array = Array::parse(bytes).unwrap().unwrap();
        assert_eq!((array.dtype(), array.data), (Some("|O"), &b"\nrest"[..]));
    }
}
