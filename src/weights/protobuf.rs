//! Reads Protocol Buffers' wire format: <https://protobuf.dev/programming-guides/encoding>.
//!
//! Why not prost: three messages of `caffe.proto` do not justify generated code and a build dependency.

/// One field of a message.
pub(super) enum Value<'a> {
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
pub(super) fn fields(mut message: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), String>> {
    std::iter::from_fn(move || (!message.is_empty()).then(|| field(&mut message)))
}

/// Reads one field and advances `message` past it.
fn field<'a>(message: &mut &'a [u8]) -> Result<(u64, Value<'a>), String> {
    let key = number(message)?;
    let value = match key & 7 {
        0 => Value::Number(number(message)?),
        1 => Value::Eight(*chunk(message)?),
        2 => {
            let length = usize::try_from(number(message)?).map_err(|_| CUT.to_owned())?;
            let (bytes, rest) = message.split_at_checked(length).ok_or(CUT)?;
            *message = rest;
            Value::Bytes(bytes)
        }
        5 => Value::Four(*chunk(message)?),
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
pub(super) fn number(message: &mut &[u8]) -> Result<u64, String> {
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
