//! The bytes of a pickle, and the texts and numbers in them.

use super::array::excerpt;
use std::borrow::Cow;

const CUT: &str = "it ends in the middle of a pickle";

/// The unread bytes.
pub(super) struct Input<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned little-endian integer.
    pub(super) fn size(&mut self, width: usize) -> Result<usize, String> {
        let number = self.take(width)?.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).map_err(|_| CUT.to_owned())
    }

    /// Bytes after their length, which has `width` bytes.
    pub(super) fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        let count = self.size(width)?;
        self.take(count)
    }

    /// A signed little-endian integer.
    pub(super) fn int(&mut self, width: usize) -> Result<i128, String> {
        let bytes = self.take(width)?;
        let mut number = match bytes.last() {
            Some(last) if last & 0x80 != 0 => [0xff; 16],
            _ => [0; 16],
        };
        let low = number.get_mut(..width).ok_or("a number has more than 16 bytes")?;
        low.copy_from_slice(bytes);
        Ok(i128::from_le_bytes(number))
    }

    /// A line without its terminator.
    pub(super) fn line(&mut self) -> Result<&'a [u8], String> {
        let length = memchr::memchr(b'\n', self.rest).ok_or(CUT)?;
        Ok(&self.take(length + 1)?[..length])
    }

    pub(super) fn ascii(&mut self) -> Result<&'a str, String> {
        str::from_utf8(self.line()?).map_err(|_| "a line of it is no text".to_owned())
    }
}

/// Parses decimal digits.
pub(super) fn parsed<T: std::str::FromStr>(digits: &str) -> Result<T, String> {
    digits.trim().parse().map_err(|_| format!("`{}` is no number", excerpt(digits)))
}

/// Decodes Latin-1.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Decodes a string literal of Python 2, as `repr` writes it.
pub(super) fn unquoted(line: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || "a string of it is not quoted as Python does".to_owned();
    let [quote @ (b'\'' | b'"'), inner @ .., last] = line else { return Err(wrong()) };
    if quote != last {
        return Err(wrong());
    }
    let mut found = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'\\' {
            match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let digits = [rest.next(), rest.next()].map(|digit| hexadecimal(digit?));
                    let [Some(high), Some(low)] = digits else { return Err(wrong()) };
                    (high << 4 | low) as u8
                }
                Some(plain @ (b'\\' | b'\'' | b'"')) => plain,
                _ => return Err(wrong()),
            }
        } else {
            byte
        };
        found.push(byte);
    }
    Ok(found)
}

/// Decodes Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn raw_unicode(line: &[u8]) -> Result<String, String> {
    let mut found = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        let digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        if digits == 0 {
            found.push(char::from(*first));
            rest = after;
            continue;
        }
        let code = after
            .get(1..=digits)
            .and_then(|code| code.iter().try_fold(0_u32, |code, digit| Some(code << 4 | hexadecimal(*digit)?)));
        found.push(code.and_then(char::from_u32).ok_or("a text of it holds a code that is no character")?);
        rest = &after[1 + digits..];
    }
    Ok(found)
}

fn hexadecimal(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}
