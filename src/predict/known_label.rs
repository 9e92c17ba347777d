//! Labels that are known before a prediction.

use crate::attribute::{self, COUNT, NAMES};
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use std::str::FromStr;

/// A label that every image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLabel {
    /// Index in [`NAMES`].
    pub attribute: usize,
    /// Has the attribute.
    pub value: bool,
}

impl FromStr for KnownLabel {
    type Err = String;

    /// From `Male=1` or `Smiling=0`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected an attribute, '=' and 0 or 1, such as Male=1")?;
        let attribute =
            attribute::index(name).ok_or_else(|| format!("'{name}' is none of the 40 attributes, such as Male"))?;
        match value.trim() {
            "1" => Ok(Self { attribute, value: true }),
            "0" | "-1" => Ok(Self { attribute, value: false }),
            _ => Err(format!("{} is '{value}', expected 0 or 1", NAMES[attribute])),
        }
    }
}

/// Checks that no attribute has two labels.
pub(super) fn check(known: &[KnownLabel]) -> Result<()> {
    for (i, label) in known.iter().enumerate() {
        if known[..i].iter().any(|earlier| earlier.attribute == label.attribute) {
            return Err(Error::Request(format!("{} has two known labels: give one", NAMES[label.attribute])));
        }
    }
    Ok(())
}

/// The labels of `images` images as targets `[40, 2, images]`, zeros where none is known. `None` without any.
pub(super) fn targets(known: &[KnownLabel], images: usize, device: &Device) -> Result<Option<Tensor>> {
    if known.is_empty() {
        return Ok(None);
    }
    let mut targets = vec![0.0_f32; 2 * COUNT];
    for label in known {
        targets[2 * label.attribute + usize::from(label.value)] = 1.0;
    }
    let targets = Tensor::from_vec(targets, (COUNT, 2, 1), device)?;
    Ok(Some(targets.broadcast_as((COUNT, 2, images))?.contiguous()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_an_attribute_and_a_value() {
        let male = |value| Ok(KnownLabel { attribute: 20, value });
        assert_eq!(["Male=1", "male=0", "Male=-1"].map(str::parse), [male(true), male(false), male(false)]);
        for (text, words) in [
            ("Tall=1", "'Tall' is none of the 40 attributes"),
            ("Male=2", "Male is '2', expected 0 or 1"),
            ("Male", "expected an attribute, '=' and 0 or 1"),
        ] {
            let error = text.parse::<KnownLabel>().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
