//! A Caffe network's binary file: the message `NetParameter` of `caffe.proto`, layers of either form. Blob `i` of a
//! layer is called `LAYER[i]`.

use super::Array;
use super::protobuf::{Value, fields, number};
use crate::error::{Error, Result};
use crate::files;
use std::collections::BTreeMap;
use std::path::Path;

/// Field numbers of `NetParameter`: layers of the old form and of the present one.
const OLD_LAYERS: u64 = 2;
const LAYERS: u64 = 100;

pub(super) fn arrays(path: &Path) -> Result<BTreeMap<String, Array>> {
    let bytes = files::read(path)?;
    let found = network(&bytes).map_err(|e| Error::file(path, format!("is not a whole Caffe network: {e}")))?;
    if found.is_empty() {
        return Err(Error::file(path, "is not a Caffe network: it holds no layer with weights"));
    }
    Ok(found)
}

fn network(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Array>, String> {
    let mut found = BTreeMap::new();
    for (field, value) in fields(bytes)? {
        let (Value::Bytes(layer), LAYERS | OLD_LAYERS) = (value, field) else { continue };
        let (name_field, blob_field) = if field == LAYERS { (1, 7) } else { (4, 6) };
        let mut name = String::new();
        let mut blobs = Vec::new();
        for (field, value) in fields(layer)? {
            match value {
                Value::Bytes(text) if field == name_field => name = String::from_utf8_lossy(text).into_owned(),
                Value::Bytes(message) if field == blob_field => blobs.push(blob(message)?),
                _ => {}
            }
        }
        for (index, blob) in blobs.into_iter().enumerate() {
            found.insert(format!("{name}[{index}]"), blob);
        }
    }
    Ok(found)
}

/// `BlobProto`: `num`, `channels`, `height` and `width` in old files, `shape` in present ones.
fn blob(message: &[u8]) -> std::result::Result<Array, String> {
    let mut old: [Option<usize>; 4] = [None; 4];
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    let size = |number: u64| usize::try_from(number).map_err(|_| "a blob's size is negative".to_owned());
    for (field, value) in fields(message)? {
        match (field, value) {
            (1..=4, Value::Number(number)) => old[field as usize - 1] = Some(size(number)?),
            (5, Value::Bytes(packed)) => values.extend(packed.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            (5, Value::Four(bytes)) => values.push(f32::from_le_bytes(bytes)),
            (8, Value::Bytes(packed)) => {
                values.extend(packed.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32));
            }
            (7, Value::Bytes(message)) => {
                for (field, value) in fields(message)? {
                    match (field, value) {
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
    let count = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
    if count == Some(values.len()) {
        Ok(Array { shape, values })
    } else {
        Err(format!("a blob of shape {shape:?} holds {} numbers", values.len()))
    }
}
