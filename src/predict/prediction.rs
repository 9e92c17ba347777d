//! The predictions of a network.

use crate::variant::Head;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Predictions of a network for some images.
#[derive(Debug, Clone, Serialize)]
pub struct Predictions {
    /// The run's folder name.
    pub run: String,
    /// The variant's name.
    pub variant: String,
    /// The variant's primary head.
    pub primary_head: Head,
    /// One for each image.
    pub images: Vec<Prediction>,
    /// Mean affinity over the images, `[40][40]`; `None` unless requested, and without a CLN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Vec<Vec<f32>>>,
}

/// Predictions of a network for an image: probabilities by attribute. Attributes without a training label have none.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    /// The image file.
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

impl Prediction {
    /// The probabilities of the primary head.
    pub fn primary(&self) -> &BTreeMap<&'static str, f32> {
        self.cln.as_ref().or(self.fln.as_ref()).expect("a prediction has a head")
    }
}
