//! Options of a profile against overfitting. Each is off at 0, its default, and not serialized then.

use serde::{Deserialize, Serialize};

/// Regularization beyond weight decay, flips and crops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// Probability that a step sets a pooled feature of an image to 0 before the FLN's classifiers. The others are divided
    /// by one minus this.
    #[serde(skip_serializing_if = "is_off")]
    pub dropout: f64,
    /// Share of each target that is spread evenly over both classes.
    #[serde(skip_serializing_if = "is_off")]
    pub label_smoothing: f64,
    /// Parameter of the Beta distribution from which each step draws the share of an image in its mixture with another.
    #[serde(skip_serializing_if = "is_off")]
    pub mixup: f64,
    /// Largest factor of the old value in the exponential mean of the weights after each step. The mean is validated, tested and
    /// stored.
    #[serde(skip_serializing_if = "is_off")]
    pub ema_decay: f64,
}

fn is_off(value: &f64) -> bool {
    *value == 0.0
}

impl Regularization {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks every value; an error names the key, its value, and what is expected.
    pub(super) fn validate(&self) -> Result<(), String> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        for (name, value, fits, expected) in [
            ("dropout", self.dropout, share(self.dropout), "a number from 0 to below 1"),
            ("label_smoothing", self.label_smoothing, share(self.label_smoothing), "a number from 0 to below 1"),
            ("mixup", self.mixup, (0.0..=100.0).contains(&self.mixup), "a number from 0 to 100"),
            ("ema_decay", self.ema_decay, share(self.ema_decay), "a number from 0 to below 1"),
        ] {
            if !fits {
                return Err(format!("regularization.{name} is {value}, expected {expected}"));
            }
        }
        Ok(())
    }

    /// A sentence for each option that is on, as the paper uses none.
    pub(super) fn deviations(&self) -> impl Iterator<Item = String> {
        let options = [
            ("Dropout before the FLN's classifiers", self.dropout),
            ("Label smoothing", self.label_smoothing),
            ("Parameter of mixup", self.mixup),
            ("Decay of the exponential mean of the weights", self.ema_decay),
        ];
        options
            .into_iter()
            .filter(|(_, value)| *value != 0.0)
            .map(|(name, value)| format!("{name}: {value} (paper: none)."))
    }
}
