//! The predictions of a network.

use crate::error::{Error, Result};
use crate::variant::Head;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Largest number of unreadable images in an error.
const SHOWN: usize = 5;

/// Predictions of a network for some images.
#[derive(Debug, Serialize)]
pub struct Predictions {
    /// The run's folder name.
    pub run: String,
    /// The variant's name.
    pub variant: String,
    /// The variant's primary head.
    pub primary_head: Head,
    /// One for each image.
    pub images: Vec<Prediction>,
    /// The image files that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// Mean affinity over the images, `[40][40]`; `None` unless requested, and without a CLN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Vec<Vec<f32>>>,
}

/// Predictions of a network for an image: probabilities by attribute. Attributes without a training label have none.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    /// The image file.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub image: PathBuf,
    /// Probabilities of the FLN head; `None` if the variant leaves it untrained.
    pub fln: Option<BTreeMap<&'static str, f32>>,
    /// Probabilities of the CLN head; `None` without a CLN.
    pub cln: Option<BTreeMap<&'static str, f32>>,
    /// Logits of the FLN head, `[40][2]`, the positive class second; `None` unless requested, and without a trained
    /// FLN head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits_fln: Option<Vec<Vec<f32>>>,
    /// Logits of the CLN head; `None` unless requested, and without a CLN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits_cln: Option<Vec<Vec<f32>>>,
}

/// An image file that cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// The image file.
    #[serde(serialize_with = "crate::io::serialize_path")]
    pub image: PathBuf,
    /// The error, which names the file.
    #[serde(serialize_with = "as_text")]
    pub error: Error,
}

/// The prediction of an image, or the error of one that cannot be read.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Streamed {
    /// Its prediction.
    Prediction(Prediction),
    /// Its error.
    Unreadable(Unreadable),
}

fn as_text<S: Serializer>(error: &Error, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

impl Predictions {
    /// An error that names the images which were left out.
    pub fn complete(&self) -> Result<()> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let (left_out, all) = (self.unreadable.len(), self.unreadable.len() + self.images.len());
        let images = if all == 1 { "image" } else { "images" };
        let mut shown: Vec<String> = self.unreadable.iter().take(SHOWN).map(|image| image.error.to_string()).collect();
        if left_out > SHOWN {
            shown.push(format!("and {} more", left_out - SHOWN));
        }
        let message = format!("{left_out} of {all} {images} left out: {}", shown.join("; "));
        Err(Error::Request(message))
    }
}

impl Prediction {
    /// The probabilities of the primary head.
    pub fn primary(&self) -> &BTreeMap<&'static str, f32> {
        self.cln.as_ref().or(self.fln.as_ref()).expect("a prediction has a head")
    }
}
