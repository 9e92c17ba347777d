//! TensorBoard's `Event`: the few fields that a training run needs of `tensorboard/compat/proto/event.proto` and
//! `summary.proto`.

use super::value::Value;
use crate::io::protobuf::{self, Message, fields};

/// The format of all records, which the first record of a file states.
const VERSION: &str = "brain.Event:2";

/// Color channels of an image.
const RGB: u64 = 3;

/// The first event of a file; `wall_time` in seconds since 1970.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = head(wall_time, 0);
    event.text(3, VERSION);
    event.into_bytes()
}

/// The event with the values of `step`; `wall_time` in seconds since 1970.
pub(super) fn summary(wall_time: f64, step: usize, values: &[(&str, Value)]) -> Vec<u8> {
    let mut summary = Message::default();
    for (tag, value) in values {
        let mut message = Message::default();
        message.text(1, tag);
        match value {
            Value::Scalar(scalar) => message.float(2, *scalar as f32),
            Value::Image { width, height, png } => {
                let mut image = Message::default();
                image.number(1, u64::from(*height)).number(2, u64::from(*width)).number(3, RGB).bytes(4, png);
                message.message(4, &image)
            }
        };
        summary.message(1, &message);
    }
    let mut event = head(wall_time, step);
    event.message(5, &summary);
    event.into_bytes()
}

/// The step of an event that this module encoded.
pub(super) fn step(event: &[u8]) -> Option<usize> {
    for field in fields(event) {
        if let (2, protobuf::Value::Number(step)) = field.ok()? {
            return usize::try_from(step).ok();
        }
    }
    // Zero is the default and is not encoded.
    Some(0)
}

fn head(wall_time: f64, step: usize) -> Message {
    let mut event = Message::default();
    event.double(1, wall_time);
    if step > 0 {
        event.number(2, step as u64);
    }
    event
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
