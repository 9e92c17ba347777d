//! The operations a pipeline may name, with the bounds of their parameters. A new operation is one variant here, how it
//! is drawn (draw.rs), and its geometry (geometry.rs) or what it does to values (photometric.rs). Names and parameters
//! are those of Augmentor 0.2.12; `datasets/pipelines/README.md` explains each.

use serde::{Deserialize, Serialize};

/// An operation as a pipeline file states it. Every one is applied with its `probability` and left out otherwise.
///
/// Lengths in pixels are those of the picture as it is then: operations see the canvas that those before them left, and
/// the last canvas is shown whole, whatever its aspect, in the prepared size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "every operation has `probability`; bounds are explained where they are used")]
pub enum Operation {
    /// Turns about the centre by whole degrees, a coin deciding between up to `max_left` counterclockwise and up to
    /// `max_right` clockwise, then shows the largest rectangle of the image's aspect that holds no border, enlarged to
    /// the image's size. (Augmentor 0.2.12 misses that rectangle by a misplaced parenthesis, and turns the other way
    /// than its manual says.)
    Rotate {
        probability: f64,
        #[serde(alias = "max_left_rotation")]
        max_left: u32,
        #[serde(alias = "max_right_rotation")]
        max_right: u32,
    },
    /// As `Rotate`, but the size of the face stays and corners show what lies beyond the border. With `expand` the
    /// canvas grows until it holds the whole turned picture.
    RotateWithoutCrop {
        probability: f64,
        #[serde(alias = "max_left_rotation")]
        max_left: u32,
        #[serde(alias = "max_right_rotation")]
        max_right: u32,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expand: bool,
    },
    /// A quarter turn counterclockwise; width and height change places.
    #[serde(rename = "rotate_90", alias = "rotate90")]
    Rotate90 { probability: f64 },
    /// Half a turn.
    #[serde(rename = "rotate_180", alias = "rotate180")]
    Rotate180 { probability: f64 },
    /// A quarter turn clockwise.
    #[serde(rename = "rotate_270", alias = "rotate270")]
    Rotate270 { probability: f64 },
    /// One of the three above.
    #[serde(rename = "rotate_random_90")]
    RotateRandom90 { probability: f64 },
    /// Enlarges about the centre by a factor; below 1 it makes smaller.
    Zoom { probability: f64, min_factor: f64, max_factor: f64 },
    /// Shows a part of the picture, anywhere, at the picture's size; see `CropRandom`.
    ZoomRandom {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// Cuts out `width` x `height` pixels, from the centre or anywhere; leaves smaller pictures as they are.
    CropBySize {
        probability: f64,
        width: u32,
        height: u32,
        #[serde(default = "yes")]
        centre: bool,
    },
    /// Cuts the middle out; `percentage_area` is its share of each side (not of the area, in spite of the name). With
    /// `randomise_percentage_area` that is the most, and 0.1 the least.
    CropCentre {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// As `CropCentre`, from anywhere.
    CropRandom {
        probability: f64,
        percentage_area: f64,
        #[serde(default)]
        randomise_percentage_area: bool,
    },
    /// Stretches the canvas to `width` x `height`: seen only in what later operations measure in pixels or degrees.
    Resize { probability: f64, width: u32, height: u32 },
    /// Enlarges the canvas, keeping its aspect: seen only in what `CropBySize` then cuts out.
    Scale { probability: f64, scale_factor: f64 },
    /// Mirrors.
    FlipLeftRight { probability: f64 },
    /// Turns upside down by mirroring.
    FlipTopBottom { probability: f64 },
    /// One of the two above.
    FlipRandom { probability: f64 },
    /// One of the four below, by equal chances.
    Skew {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Leans the picture back to the left, right, top or bottom: two corners move apart, by up to `magnitude` of the
    /// longer side, and what stays in the frame is shown.
    SkewTilt {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// As `SkewTilt`, to the left or right.
    SkewLeftRight {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// As `SkewTilt`, to the top or bottom.
    SkewTopBottom {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// As `SkewTilt`, but a single corner moves, across or up and down.
    SkewCorner {
        probability: f64,
        #[serde(default = "one")]
        magnitude: f64,
    },
    /// Shears along a random axis by whole degrees, and shows the largest upright rectangle without border, enlarged.
    Shear { probability: f64, max_shear_left: u32, max_shear_right: u32 },
    /// Moves every inner node of a grid of `grid_width` x `grid_height` equal cells by whole numbers of
    /// [-`magnitude`, `magnitude`] in both directions, and what lies between bilinearly with them; the border stays.
    /// The unit is 1/250 of the image's width (height), which is the pixel of an LFW image.
    RandomDistortion { probability: f64, grid_width: u32, grid_height: u32, magnitude: u32 },
    /// As `RandomDistortion`, with normally distributed moves: their standard deviation is `magnitude` times the height
    /// (0.01 to 1) of a bell over the picture with its centre at (`mex`, `mey`) and squared widths `sdx`, `sdy`, turned
    /// over by the method `out`. A corner other than `bell` lays only a quarter of the bell over the picture, with the
    /// centre at that corner.
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
    /// Puts a rectangle of noise somewhere; its sides are 0.1 to `rectangle_area` of the picture's.
    RandomErasing { probability: f64, rectangle_area: f64 },
    /// Spreads each channel's values evenly, as Pillow's `ImageOps.equalize`.
    HistogramEqualisation {
        #[serde(default = "one")]
        probability: f64,
    },
    /// Grey in all three channels (ITU-R 601-2, as Pillow).
    Greyscale { probability: f64 },
    /// The negative.
    Invert { probability: f64 },
    /// White where the grey is at least `threshold`, black elsewhere.
    BlackAndWhite {
        probability: f64,
        #[serde(default = "middle")]
        threshold: u8,
    },
    /// Multiplies every value by a factor, as Pillow's `ImageEnhance.Brightness`.
    RandomBrightness { probability: f64, min_factor: f64, max_factor: f64 },
    /// Moves every pixel away from its grey by a factor, as Pillow's `ImageEnhance.Color`.
    RandomColor { probability: f64, min_factor: f64, max_factor: f64 },
    /// Moves every value away from the mean grey by a factor, as Pillow's `ImageEnhance.Contrast`.
    RandomContrast { probability: f64, min_factor: f64, max_factor: f64 },
    /// Turns the hue by up to `hue_shift` of the circle, multiplies saturation and value by 1 / (1 + scale) to
    /// 1 + scale, and adds up to the shifts, all of [0, 1].
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
}

/// Where a Gaussian distortion has its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    /// In the middle.
    Bell,
    /// Upper left.
    Ul,
    /// Upper right.
    Ur,
    /// Lower left.
    Dl,
    /// Lower right.
    Dr,
}

/// Whether a Gaussian distortion is strongest at its centre or far from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// At the centre.
    In,
    /// Far from it.
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
    /// The chance of being applied.
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
            | Self::HsvShift { probability, .. } => probability,
        }
    }

    /// What is wrong with its parameters, as a sentence without subject. `compat` is the pipeline's.
    pub(super) fn check(&self, compat: bool) -> Result<(), String> {
        within("probability", self.probability(), 0.0, 1.0)?;
        match *self {
            // Augmentor's crop is empty at larger angles.
            Self::Rotate { max_left, max_right, .. } => {
                check_degrees(["max_left", "max_right"], [max_left, max_right], if compat { 25 } else { 90 })
            }
            Self::RotateWithoutCrop { max_left, max_right, .. } => {
                check_degrees(["max_left", "max_right"], [max_left, max_right], 180)
            }
            Self::Shear { max_shear_left, max_shear_right, .. } => {
                check_degrees(["max_shear_left", "max_shear_right"], [max_shear_left, max_shear_right], 25)
            }
            Self::Zoom { min_factor, max_factor, .. } => check_factors(min_factor, max_factor, 0.1),
            Self::RandomBrightness { min_factor, max_factor, .. }
            | Self::RandomColor { min_factor, max_factor, .. }
            | Self::RandomContrast { min_factor, max_factor, .. } => check_factors(min_factor, max_factor, 0.0),
            Self::ZoomRandom { percentage_area, .. }
            | Self::CropCentre { percentage_area, .. }
            | Self::CropRandom { percentage_area, .. } => within("percentage_area", percentage_area, 0.1, 1.0),
            Self::CropBySize { width, height, .. } | Self::Resize { width, height, .. } => {
                within("width", f64::from(width), 2.0, 65_535.0)?;
                within("height", f64::from(height), 2.0, 65_535.0)
            }
            Self::Scale { scale_factor, .. } => within("scale_factor", scale_factor, 0.1, 10.0),
            Self::Skew { magnitude, .. }
            | Self::SkewTilt { magnitude, .. }
            | Self::SkewLeftRight { magnitude, .. }
            | Self::SkewTopBottom { magnitude, .. }
            | Self::SkewCorner { magnitude, .. } => within("magnitude", magnitude, 0.001, 1.0),
            Self::RandomDistortion { grid_width, grid_height, magnitude, .. } => {
                check_grid(grid_width, grid_height, magnitude)
            }
            Self::GaussianDistortion { grid_width, grid_height, magnitude, mex, mey, sdx, sdy, .. } => {
                check_grid(grid_width, grid_height, magnitude)?;
                within("mex", mex, 0.0, 1.0)?;
                within("mey", mey, 0.0, 1.0)?;
                within("sdx", sdx, 0.001, 10.0)?;
                within("sdy", sdy, 0.001, 10.0)
            }
            Self::RandomErasing { rectangle_area, .. } => within("rectangle_area", rectangle_area, 0.01, 1.0),
            Self::HsvShift { hue_shift, saturation_shift, value_shift, saturation_scale, value_scale, .. } => {
                within("hue_shift", hue_shift, 0.0, 1.0)?;
                within("saturation_shift", saturation_shift, 0.0, 1.0)?;
                within("value_shift", value_shift, 0.0, 1.0)?;
                within("saturation_scale", saturation_scale, 0.0, 9.0)?;
                within("value_scale", value_scale, 0.0, 9.0)
            }
            Self::Rotate90 { .. }
            | Self::Rotate180 { .. }
            | Self::Rotate270 { .. }
            | Self::RotateRandom90 { .. }
            | Self::FlipLeftRight { .. }
            | Self::FlipTopBottom { .. }
            | Self::FlipRandom { .. }
            | Self::HistogramEqualisation { .. }
            | Self::Greyscale { .. }
            | Self::Invert { .. }
            | Self::BlackAndWhite { .. } => Ok(()),
        }
    }
}

fn within(name: &str, value: f64, least: f64, most: f64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, expected {least} to {most}"))
}

fn check_degrees(names: [&str; 2], [left, right]: [u32; 2], most: u32) -> Result<(), String> {
    if left <= most && right <= most {
        return Ok(());
    }
    Err(format!("{} is {left} and {} {right}, expected at most {most} degrees", names[0], names[1]))
}

fn check_factors(least: f64, most: f64, bound: f64) -> Result<(), String> {
    if (bound..=10.0).contains(&least) && (bound..=10.0).contains(&most) && least <= most {
        return Ok(());
    }
    Err(format!("min_factor is {least} and max_factor {most}, expected {bound} <= min_factor <= max_factor <= 10"))
}

fn check_grid(width: u32, height: u32, magnitude: u32) -> Result<(), String> {
    if !(1..=32).contains(&width) || !(1..=32).contains(&height) {
        return Err(format!("a grid of {width} x {height} cells, expected 1 to 32 each way"));
    }
    if magnitude > 250 {
        return Err(format!("magnitude is {magnitude}, expected at most 250, the whole image"));
    }
    Ok(())
}
