//! Protocol Buffers' wire format: <https://protobuf.dev/programming-guides/encoding>.
//!
//! Why not prost: a few messages of Caffe, TensorBoard and ONNX do not justify generated code and a build dependency.

/// Wire types of a field.
const VARINT: u64 = 0;
const EIGHT: u64 = 1;
const BYTES: u64 = 2;
const FOUR: u64 = 5;

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2: text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Four([u8; 4]),
    /// Wire type 1.
    Eight([u8; 8]),
}

/// The fields of a message in their order, each with its number.
pub fn fields(mut message: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), String>> {
    std::iter::from_fn(move || (!message.is_empty()).then(|| field(&mut message)))
}

/// Reads one field and advances `message` past it.
fn field<'a>(message: &mut &'a [u8]) -> Result<(u64, Value<'a>), String> {
    let key = number(message)?;
    let value = match key & 7 {
        VARINT => Value::Number(number(message)?),
        EIGHT => Value::Eight(*chunk(message)?),
        BYTES => {
            let length = usize::try_from(number(message)?).map_err(|_| CUT.to_owned())?;
            let (bytes, rest) = message.split_at_checked(length).ok_or(CUT)?;
            *message = rest;
            Value::Bytes(bytes)
        }
        FOUR => Value::Four(*chunk(message)?),
        other => return Err(format!("a field has the wire type {other}, which this format does not use")),
    };
    Ok((key >> 3, value))
}

const CUT: &str = "it ends in the middle of a field";

fn chunk<'a, const N: usize>(message: &mut &'a [u8]) -> Result<&'a [u8; N], String> {
    let (first, rest) = message.split_first_chunk::<N>().ok_or(CUT)?;
    *message = rest;
    Ok(first)
}

/// Reads a varint of at most ten bytes.
pub fn number(message: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let [byte] = *chunk::<1>(message)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number has more than ten bytes".to_owned())
}

/// A message that is being written, field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds an integer or an enumerator. Negative integers are given in two's complement.
    pub fn number(&mut self, field: u64, number: u64) -> &mut Self {
        self.key(field, VARINT);
        self.varint(number);
        self
    }

    /// Adds bytes.
    pub fn bytes(&mut self, field: u64, content: &[u8]) -> &mut Self {
        self.key(field, BYTES);
        self.varint(content.len() as u64);
        self.0.extend(content);
        self
    }

    /// Adds text.
    pub fn text(&mut self, field: u64, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    /// Adds a message.
    pub fn message(&mut self, field: u64, message: &Message) -> &mut Self {
        self.bytes(field, &message.0)
    }

    /// Adds a `float`.
    pub fn float(&mut self, field: u64, number: f32) -> &mut Self {
        self.key(field, FOUR);
        self.0.extend(number.to_le_bytes());
        self
    }

    /// Adds a `double`.
    pub fn double(&mut self, field: u64, number: f64) -> &mut Self {
        self.key(field, EIGHT);
        self.0.extend(number.to_le_bytes());
        self
    }

    /// The encoded message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    /// Encodes seven bits a byte, the lowest first, with a continuation bit in all but the last.
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_written() {
        let mut inner = Message::default();
        inner.text(1, "conv1");
        let mut message = Message::default();
        message.number(1, 300).number(2, u64::MAX).message(3, &inner).float(16, 0.5).double(2047, -0.25);
        let bytes = message.into_bytes();
        let inner = inner.into_bytes();
        let expected = [
            (1, Value::Number(300)),
            (2, Value::Number(u64::MAX)),
            (3, Value::Bytes(&inner)),
            (16, Value::Four(0.5_f32.to_le_bytes())),
            (2047, Value::Eight((-0.25_f64).to_le_bytes())),
        ];
        assert_eq!(fields(&bytes).collect::<Result<Vec<_>, _>>().unwrap(), expected);
        // The example of the specification: field 1 with the number 150.
        let mut example = Message::default();
        example.number(1, 150);
        assert_eq!(example.into_bytes(), [0x08, 0x96, 0x01]);
    }
}
