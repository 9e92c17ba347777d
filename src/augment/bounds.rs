//! The bounds of each operation's parameters.

use super::operation::Operation;

impl Operation {
    /// Checks the parameters; the error is a phrase such as "probability is 2, expected 0 to 1". `compat` is the
    /// pipeline's.
    pub(super) fn check(&self, compat: bool) -> Result<(), String> {
        within("probability", self.probability(), 0.0, 1.0)?;
        match *self {
            // Augmentor's crop is empty beyond 25 degrees.
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
            Self::RandomAffine { rotation, scale, shift, .. } => {
                within("rotation", rotation, 0.0, 180.0)?;
                within("scale", scale, 0.0, 1.0)?;
                within("shift", shift, 0.0, 1.0)
            }
            Self::GaussianBlur { deviation, .. } => within("deviation", deviation, 0.0, 25.0),
            Self::RandomGamma { deviation, .. } => within("deviation", deviation, 0.0, 4.0),
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

fn within(name: &str, value: f64, min: f64, max: f64) -> Result<(), String> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, expected {min} to {max}"))
}

fn check_degrees(names: [&str; 2], [left, right]: [u32; 2], max: u32) -> Result<(), String> {
    if left <= max && right <= max {
        return Ok(());
    }
    Err(format!("{} is {left} and {} {right}, expected at most {max} degrees", names[0], names[1]))
}

fn check_factors(min: f64, max: f64, bound: f64) -> Result<(), String> {
    if (bound..=10.0).contains(&min) && (bound..=10.0).contains(&max) && min <= max {
        return Ok(());
    }
    Err(format!("min_factor is {min} and max_factor {max}, expected {bound} <= min_factor <= max_factor <= 10"))
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
