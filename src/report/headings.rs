//! Headings of the page that figures name, too.

/// The figures above the first heading.
pub(super) const SUMMARY: &str = "";
pub(super) const ATTRIBUTE_DIFFERENCES: &str = "Differences by attribute";
pub(super) const FIGURE_5: &str = "Figure 5. Learned affinity";
pub(super) const COURSE: &str = "Course of the learned affinity";
pub(super) const AFFINITY: &str = "Affinity and label correlation";
pub(super) const PREDICTIONS: &str = "Correlation of the predictions";
pub(super) const CONTRADICTIONS: &str = "Contradictions";
pub(super) const MASKS: &str = "Masks of the branches";
pub(super) const CALIBRATION: &str = "Calibration";
pub(super) const ERRORS: &str = "Most confident errors";
pub(super) const CURVES: &str = "Training curves";
pub(super) const GAIN: &str = "Gain over the floor by attribute";
