//! TFRecord framing, as TensorFlow defines it (`tensorflow/core/lib/io/record_writer.h`): length, masked CRC-32C of
//! the length, payload, masked CRC-32C of the payload, all little-endian. The crc32c crate would save 25 lines.

/// Bytes of a record before its payload.
const HEAD: usize = 12;
/// Bytes of a record after its payload.
const TAIL: usize = 4;

/// A record around `payload`.
pub(super) fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(HEAD + payload.len() + TAIL);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(payload);
    record.extend(masked(payload).to_le_bytes());
    record
}

/// The payload of the first record in `bytes`, and the record's length; `None` if it is incomplete or damaged.
pub(super) fn first(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (length, sum) = head.split_first_chunk::<8>()?;
    if sum != masked(length).to_le_bytes() {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let sum = rest.first_chunk::<TAIL>()?;
    (*sum == masked(payload).to_le_bytes()).then_some((payload, HEAD + payload.len() + TAIL))
}

/// A checksum that is also safe for data that contain checksums.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), RFC 3720, appendix B.4.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)])
}

/// The CRC of each byte, from the reflected polynomial.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_equal_those_of_rfc_3720() {
        let counting: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&counting), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_read_as_written_without_what_follows_it() {
        let mut bytes = frame(b"payload");
        let length = bytes.len();
        bytes.extend(b"more");
        assert_eq!(first(&bytes), Some((&b"payload"[..], length)));
    }

    #[test]
    fn a_record_cut_or_changed_anywhere_is_not_read() {
        let whole = frame(b"payload");
        for index in 0..whole.len() {
            assert_eq!(first(&whole[..index]), None);
            let mut changed = whole.clone();
            changed[index] ^= 1;
            assert_eq!(first(&changed), None);
        }
    }
}
