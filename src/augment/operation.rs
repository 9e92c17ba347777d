//! The operations of a pipeline. Names and parameters are those of Augmentor 0.2.12, apart from three that AFFACT needs;
//! `datasets/pipelines/README.md` explains each. A new operation is one variant here, its bounds (bounds.rs) and its sampling (parameters.rs). It also needs its
//! geometry (geometry.rs) or its change of values (photometric.rs).

use serde::{Deserialize, Serialize};

/// An operation in a pipeline file, applied with its `probability`.
///
/// Lengths in pixels refer to the canvas, which earlier operations may have resized. The last canvas is scaled to the
/// prepared size, without keeping the aspect ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "every operation has `probability`; the other parameters are described with it")]
pub enum Operation {
    /// Rotates about the centre by whole degrees: with equal probability up to `max_left` counterclockwise or up to
    /// `max_right` clockwise. The largest rectangle of the image's aspect ratio without border is then enlarged to the
    /// image's size.
    ///
    /// In Augmentor 0.2.12 that rectangle is too small, because of a misplaced parenthesis, and the direction is opposite
    /// to its manual.
    Rotate {
        probability: f64,
        #[serde(alias = "max_left_rotation")]
        max_left: u32,
        #[serde(alias = "max_right_rotation")]
        max_right: u32,
    },
    /// Like `Rotate` without cropping: the face keeps its size, and the border's pixels fill the corners. With `expand`
    /// the canvas grows to hold the whole rotated image.
    RotateWithoutCrop {
        probability: f64,
        #[serde(alias = "max_left_rotation")]
        max_left: u32,
        #[serde(alias = "max_right_rotation")]
        max_right: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expand: bool,
    },
    /// A quarter turn counterclockwise; swaps width and height.
    #[serde(rename = "rotate_90", alias = "rotate90")]
    Rotate90 { probability: f64 },
    /// Half a turn.
    #[serde(rename = "rotate_180", alias = "rotate180")]
    Rotate180 { probability: f64 },
    /// A quarter turn clockwise.
    #[serde(rename = "rotate_270", alias = "rotate270")]
    Rotate270 { probability: f64 },
    /// One of the three above, with equal probability.
    #[serde(rename = "rotate_random_90")]
    RotateRandom90 { probability: f64 },
    /// Scales about the centre by a factor.
    Zoom { probability: f64, min_factor: f64, max_factor: f64 },
    /// Enlarges a window at a random position to the canvas's size; see `CropRandom`.
    ZoomRandom {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// Cuts out `width` x `height` pixels at the centre or at a random position; a smaller canvas is not changed.
    CropBySize {
        probability: f64,
        width: u32,
        height: u32,
        #[serde(default = "yes")]
        centre: bool,
    },
    /// Cuts out a centred window; `percentage_area` is its fraction of each side (not of the area, in spite of the name).
    /// With `randomise_percentage_area` that is the maximum, and 0.1 the minimum.
    CropCentre {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// Like `CropCentre`, at a random position.
    CropRandom {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// Stretches the canvas to `width` x `height`, which affects only later operations in pixels or degrees.
    Resize { probability: f64, width: u32, height: u32 },
    /// Scales the canvas, keeping its aspect ratio, which affects only later `CropBySize` operations.
    Scale { probability: f64, scale_factor: f64 },
    /// Mirrors left and right.
    FlipLeftRight { probability: f64 },
    /// Mirrors top and bottom.
    FlipTopBottom { probability: f64 },
    /// One of the two above, with equal probability.
    FlipRandom { probability: f64 },
    /// One of the four below, with equal probability.
    Skew {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Tilts the image to the left, right, top or bottom: two corners move apart, by up to `magnitude` of the longer side.
    /// The result is clipped to the canvas.
    SkewTilt {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Like `SkewTilt`, to the left or right.
    SkewLeftRight {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Like `SkewTilt`, to the top or bottom.
    SkewTopBottom {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Like `SkewTilt`, but a single corner moves, horizontally or vertically.
    SkewCorner {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Shears along a random axis by whole degrees, and enlarges the largest upright rectangle without border.
    Shear { probability: f64, max_shear_left: u32, max_shear_right: u32 },
    /// Moves each inner node of a grid of `grid_width` x `grid_height` equal cells by whole numbers in
    /// [-`magnitude`, `magnitude`] in both directions. Points between nodes move by bilinear interpolation; the border does
    /// not move. The unit is 1/250 of the image's width (height): a pixel of an LFW image.
    RandomDistortion { probability: f64, grid_width: u32, grid_height: u32, magnitude: u32 },
    /// Like `RandomDistortion`, with normally distributed displacements. Their standard deviation is `magnitude` times the
    /// height (0.01 to 1) of a bell over the image. The bell is centred at (`mex`, `mey`) and has the squared widths `sdx`
    /// and `sdy`; the method `out` inverts it. With a corner other than `bell`, a quarter of the bell covers the image,
    /// centred at that corner.
    GaussianDistortion {
        probability: f64,
        grid_width: u32,
        grid_height: u32,
        magnitude: u32,
        corner: Corner,
        method: Method,
        #[serde(default = "half")]
        mex: f64,
        #[serde(default = "half")]
        mey: f64,
        #[serde(default = "twentieth")]
        sdx: f64,
        #[serde(default = "twentieth")]
        sdy: f64,
    },
    /// Fills a rectangle at a random position with noise; its sides are 0.1 to `rectangle_area` of the image's.
    RandomErasing { probability: f64, rectangle_area: f64 },
    /// Equalises each channel's histogram, as Pillow's `ImageOps.equalize`.
    HistogramEqualisation {
        #[serde(default = "one")]
        probability: f64,
    },
    /// Grey in all three channels (ITU-R 601-2, as Pillow).
    Greyscale { probability: f64 },
    /// Inverts all values.
    Invert { probability: f64 },
    /// White if the grey level is at least `threshold`, otherwise black.
    BlackAndWhite {
        probability: f64,
        #[serde(default = "middle")]
        threshold: u8,
    },
    /// Multiplies every value by a factor, as Pillow's `ImageEnhance.Brightness`.
    RandomBrightness { probability: f64, min_factor: f64, max_factor: f64 },
    /// Multiplies each pixel's distance from its grey level by a factor, as Pillow's `ImageEnhance.Color`.
    RandomColor { probability: f64, min_factor: f64, max_factor: f64 },
    /// Multiplies each value's distance from the mean grey level by a factor, as Pillow's `ImageEnhance.Contrast`.
    RandomContrast { probability: f64, min_factor: f64, max_factor: f64 },
    /// Shifts the hue by up to `hue_shift` of the circle. Saturation and value are multiplied by 1 / (1 + scale) to
    /// 1 + scale and then shifted by up to their shifts, in [0, 1].
    HsvShift {
        probability: f64,
        hue_shift: f64,
        saturation_shift: f64,
        value_shift: f64,
        #[serde(default)]
        saturation_scale: f64,
        #[serde(default)]
        value_scale: f64,
    },
    /// Rotates about the centre, scales and shifts by normal numbers (AFFACT). Their standard deviations are `rotation` in
    /// degrees, `scale` in the binary logarithm of the factor, and `shift` in shares of the side.
    RandomAffine { probability: f64, rotation: f64, scale: f64, shift: f64 },
    /// Blurs with a Gaussian whose own standard deviation is the size of a normal number (AFFACT). `deviation` is the
    /// deviation of that number, in 1/250 of the image's width. The kernel ends at three deviations.
    GaussianBlur { probability: f64, deviation: f64 },
    /// Raises values in [0, 1] to the power of 2 to a normal number of the standard deviation `deviation` (AFFACT).
    RandomGamma { probability: f64, deviation: f64 },
}

/// The centre of a Gaussian distortion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    /// The middle of the image.
    Bell,
    /// The upper left corner.
    Ul,
    /// The upper right corner.
    Ur,
    /// The lower left corner.
    Dl,
    /// The lower right corner.
    Dr,
}

/// The region in which a Gaussian distortion is strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The centre.
    In,
    /// Far from the centre.
    Out,
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn twentieth() -> f64 {
    0.05
}

fn middle() -> u8 {
    128
}

impl Operation {
    /// The probability that it is applied.
    pub fn probability(&self) -> f64 {
        match *self {
            Self::Rotate { probability, .. }
            | Self::RotateWithoutCrop { probability, .. }
            | Self::Rotate90 { probability }
            | Self::Rotate180 { probability }
            | Self::Rotate270 { probability }
            | Self::RotateRandom90 { probability }
            | Self::Zoom { probability, .. }
            | Self::ZoomRandom { probability, .. }
            | Self::CropBySize { probability, .. }
            | Self::CropCentre { probability, .. }
            | Self::CropRandom { probability, .. }
            | Self::Resize { probability, .. }
            | Self::Scale { probability, .. }
            | Self::FlipLeftRight { probability }
            | Self::FlipTopBottom { probability }
            | Self::FlipRandom { probability }
            | Self::Skew { probability, .. }
            | Self::SkewTilt { probability, .. }
            | Self::SkewLeftRight { probability, .. }
            | Self::SkewTopBottom { probability, .. }
            | Self::SkewCorner { probability, .. }
            | Self::Shear { probability, .. }
            | Self::RandomDistortion { probability, .. }
            | Self::GaussianDistortion { probability, .. }
            | Self::RandomErasing { probability, .. }
            | Self::HistogramEqualisation { probability }
            | Self::Greyscale { probability }
            | Self::Invert { probability }
            | Self::BlackAndWhite { probability, .. }
            | Self::RandomBrightness { probability, .. }
            | Self::RandomColor { probability, .. }
            | Self::RandomContrast { probability, .. }
            | Self::HsvShift { probability, .. }
            | Self::RandomAffine { probability, .. }
            | Self::GaussianBlur { probability, .. }
            | Self::RandomGamma { probability, .. } => probability,
        }
    }
}
