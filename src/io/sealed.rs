//! JSON objects that hold a digest of themselves, so that a flipped bit anywhere in the file is noticed. The digest is the
//! last entry; it is that of all text before it.

use super::files;
use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::Path;

const DIGEST: &str = "digest";
/// The text before the digest.
const BEFORE: &str = ",\n  \"digest\": \"";
/// The text after the digest.
const AFTER: &str = "\"\n}\n";

/// Writes a value, which must be an object, with its digest.
pub fn write_sealed(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|e| Error::Internal(format!("a value cannot be written as JSON: {e}")))?;
    let before =
        text.strip_suffix("\n}").ok_or_else(|| Error::Internal("a sealed value must be an object".to_owned()))?;
    let digest = blake3::hash(before.as_bytes()).to_hex();
    files::write(path, format!("{before}{BEFORE}{digest}{AFTER}").as_bytes())
}

/// The object in the content `bytes` of the file `path`, without its digest; `None` if it has none, as in files of earlier
/// versions. `advice` completes the message about a file that has changed.
pub fn open_sealed(path: &Path, bytes: &[u8], advice: &str) -> Result<Option<Map<String, Value>>> {
    let mut object: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
    if object.remove(DIGEST).is_none() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(bytes);
    let is_intact = text.rsplit_once(BEFORE).is_some_and(|(before, after)| {
        after.strip_suffix(AFTER) == Some(blake3::hash(before.as_bytes()).to_hex().as_str())
    });
    if is_intact {
        Ok(Some(object))
    } else {
        Err(Error::file(path, format!("has changed since it was written: {advice}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.json");
        let value = json!({"a": [1, 2.5], "b": {"digest": "inner"}, "c": "é"});
        write_sealed(&path, &value).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(open_sealed(&path, &whole, "").unwrap().map(Value::Object), Some(value.clone()));
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match open_sealed(&path, &flipped, "restore it") {
                Err(error) => assert!(error.to_string().contains("has changed since it was written: restore it")),
                // Readers refuse what is no JSON, and an entry that they do not know.
                Ok(found) => {
                    let parsed: Option<Map<String, Value>> = serde_json::from_slice(&flipped).ok();
                    assert!(
                        found.is_none()
                            && parsed.is_none_or(|object| object.keys().any(|key| !"abc".contains(key.as_str())))
                    );
                }
            }
        }
        assert!(open_sealed(&path, b"{\"a\": 1}", "").unwrap().is_none());
    }
}
