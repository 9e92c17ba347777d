//! Caffe's binary networks: the message `NetParameter` of `caffe.proto`, with layers of the old and the current form.
//! Blob `i` of a layer has the name `LAYER[i]`.

use super::array::{Array, Arrays};
use crate::error::{Error, Result};
use crate::io::protobuf::{Value, fields, number};
use std::path::Path;

/// Field numbers of `NetParameter`: layers of the old and the current form.
const OLD_LAYERS: u64 = 2;
const LAYERS: u64 = 100;

/// Caffe's maximum number of axes.
const AXES: usize = 32;

pub(super) fn arrays(path: &Path, bytes: &[u8]) -> Result<Arrays> {
    let found = network(bytes).map_err(|e| Error::file(path, format!("is not a complete Caffe network: {e}")))?;
    if found.by_name.is_empty() {
        return Err(Error::file(path, "is not a Caffe network: it holds no layer with weights"));
    }
    Ok(found)
}

fn network(bytes: &[u8]) -> std::result::Result<Arrays, String> {
    let mut found = Arrays::of_file(bytes);
    for field in fields(bytes) {
        let (field, value) = field?;
        let (Value::Bytes(layer), LAYERS | OLD_LAYERS) = (value, field) else { continue };
        let (name_field, blob_field) = if field == LAYERS { (1, 7) } else { (4, 6) };
        let mut name = String::new();
        let mut blobs = Vec::new();
        for field in fields(layer) {
            let (field, value) = field?;
            match value {
                Value::Bytes(text) if field == name_field => name = String::from_utf8_lossy(text).into_owned(),
                Value::Bytes(message) if field == blob_field => blobs.push(blob(message)?),
                _ => {}
            }
        }
        for (index, blob) in blobs.into_iter().enumerate() {
            found.insert(&format!("{name}[{index}]"), blob)?;
        }
    }
    Ok(found)
}

/// `BlobProto`: `num`, `channels`, `height` and `width` in old files, `shape` in current ones.
fn blob(message: &[u8]) -> std::result::Result<Array, String> {
    let mut old: [Option<usize>; 4] = [None; 4];
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    let size = |number: u64| usize::try_from(number).map_err(|_| "a blob's size is negative".to_owned());
    for field in fields(message) {
        match field? {
            (field @ 1..=4, Value::Number(number)) => old[field as usize - 1] = Some(size(number)?),
            (5, Value::Bytes(packed)) => values.extend(whole(packed)?.iter().map(|b| f32::from_le_bytes(*b))),
            (5, Value::Four(bytes)) => values.push(f32::from_le_bytes(bytes)),
            (8, Value::Bytes(packed)) => values.extend(whole(packed)?.iter().map(|b| f64::from_le_bytes(*b) as f32)),
            (8, Value::Eight(bytes)) => values.push(f64::from_le_bytes(bytes) as f32),
            (7, Value::Bytes(message)) => {
                for field in fields(message) {
                    match field? {
                        (1, Value::Number(number)) => shape.push(size(number)?),
                        (1, Value::Bytes(mut packed)) => {
                            while !packed.is_empty() {
                                shape.push(size(number(&mut packed)?)?);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    if shape.is_empty() {
        shape = old.iter().flatten().copied().collect();
        // Old files write a vector as 1 x 1 x 1 x n.
        while shape.len() > 1 && shape[0] == 1 {
            shape.remove(0);
        }
    }
    if shape.len() > AXES {
        return Err(format!("a blob has {} axes, more than {AXES}", shape.len()));
    }
    let count = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
    if count == Some(values.len()) {
        Ok(Array { shape, values })
    } else {
        Err(format!("a blob of shape {shape:?} holds {} numbers", values.len()))
    }
}

/// Packed numbers of `N` bytes each.
fn whole<const N: usize>(packed: &[u8]) -> std::result::Result<&[[u8; N]], String> {
    let (numbers, rest) = packed.as_chunks();
    if rest.is_empty() { Ok(numbers) } else { Err("the last of a blob's numbers is cut off".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::blob;

    #[test]
    fn packed_and_unpacked_numbers_are_read_and_truncated_ones_refused() {
        // Field 7 is the shape, [2]; field 8 are the values in double precision.
        let shape = [0x3a, 2, 8, 2];
        let [one, two] = [1.0_f64, 2.0].map(f64::to_le_bytes);
        let unpacked = [&shape[..], &[0x41], &one, &[0x41], &two].concat();
        let packed = [&shape[..], &[0x42, 16], &one, &two].concat();
        assert_eq!(blob(&unpacked), blob(&packed));
        assert_eq!(blob(&packed).map(|array| array.values), Ok(vec![1.0, 2.0]));
        let cut = [&shape[..], &[0x42, 19], &one, &two, &[0; 3]].concat();
        assert_eq!(blob(&cut), Err("the last of a blob's numbers is cut off".to_owned()));
    }
}
