//! TensorBoard's `Event` in the wire format of Protocol Buffers: the few fields that a training run needs of
//! `tensorboard/compat/proto/event.proto` and `summary.proto`. The prost crate would add code generation for these hundred lines.

use super::value::Value;

/// The format of all records, which the first record of a file states.
const VERSION: &str = "brain.Event:2";

/// Wire types of a field.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Color channels of an image.
const RGB: u64 = 3;

/// The first event of a file; `wall_time` in seconds since 1970.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = head(wall_time, 0);
    bytes(&mut event, 3, VERSION.as_bytes());
    event
}

/// The event with the values of `step`; `wall_time` in seconds since 1970.
pub(super) fn summary(wall_time: f64, step: usize, values: &[(&str, Value)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut message = Vec::new();
        bytes(&mut message, 1, tag.as_bytes());
        match value {
            Value::Scalar(scalar) => {
                key(&mut message, 2, FIXED32);
                message.extend((*scalar as f32).to_le_bytes());
            }
            Value::Image { width, height, png } => {
                let mut image = Vec::new();
                for (field, number) in [(1, u64::from(*height)), (2, u64::from(*width)), (3, RGB)] {
                    key(&mut image, field, VARINT);
                    varint(&mut image, number);
                }
                bytes(&mut image, 4, png);
                bytes(&mut message, 4, &image);
            }
        }
        bytes(&mut summary, 1, &message);
    }
    let mut event = head(wall_time, step);
    bytes(&mut event, 5, &summary);
    event
}

/// The step of an event that this module encoded.
pub(super) fn step(event: &[u8]) -> Option<usize> {
    let rest = event.get(9..)?;
    // Zero is the default and is not encoded.
    if rest.first() != Some(&(2 << 3)) {
        return Some(0);
    }
    let mut step = 0;
    for (index, byte) in rest[1..].iter().take(9).enumerate() {
        step |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

fn head(wall_time: f64, step: usize) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, FIXED64);
    event.extend(wall_time.to_le_bytes());
    if step > 0 {
        key(&mut event, 2, VARINT);
        varint(&mut event, step as u64);
    }
    event
}

fn key(message: &mut Vec<u8>, field: u64, wire: u64) {
    varint(message, field << 3 | wire);
}

fn bytes(message: &mut Vec<u8>, field: u64, content: &[u8]) {
    key(message, field, BYTES);
    varint(message, content.len() as u64);
    message.extend(content);
}

/// Encodes seven bits a byte, the lowest first, with a continuation bit in all but the last.
fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_decoded_as_encoded() {
        for number in [0, 1, 127, 128, 300, 25_600, usize::MAX >> 1] {
            assert_eq!(step(&summary(1.5, number, &[("a", Value::Scalar(2.0))])), Some(number));
        }
        assert_eq!(step(&version(1.5)), Some(0));
    }
}
