//! An operation with sampled parameters. Parameters are whole numbers of small units, so that the text in the manifest
//! holds them exactly.

use std::fmt;

/// An operation with sampled parameters. Factors and fractions are in thousandths.
#[derive(Debug, Clone, PartialEq)]
pub enum SampledOp {
    /// Rotates by degrees counterclockwise, at most 90, and crops.
    Rotate(i32),
    /// Like `Rotate` with Augmentor's crop, which is too small and changes the aspect ratio; at most 25 degrees.
    RotateAsAugmentor(i32),
    /// Rotates by degrees counterclockwise.
    RotateWithoutCrop(i32),
    /// Like `RotateWithoutCrop`, on a canvas that grows to hold the whole image.
    RotateExpand(i32),
    /// Rotates by 1 to 3 quarter turns counterclockwise.
    QuarterTurns(u32),
    /// Enlarges about the centre by a factor.
    Zoom(u32),
    /// Enlarges a window to the canvas's size.
    ZoomRandom(CropWindow),
    /// Cuts a window out.
    Crop(CropWindow),
    /// Cuts a window of a size in pixels out, if the canvas is large enough.
    CropBySize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The margins to the left and above, as fractions of both margins.
        position: (u32, u32),
    },
    /// Stretches the canvas to (width, height) in pixels.
    Resize(u32, u32),
    /// Scales the canvas by a factor.
    Scale(u32),
    /// Mirrors left and right.
    FlipLeftRight,
    /// Mirrors top and bottom.
    FlipTopBottom,
    /// Moves the corners (upper left, upper right, lower right, lower left), in thousandths of the longer side.
    Skew([(i32, i32); 4]),
    /// Shears by degrees; above 0 the upper rows move right, or the left columns down, relative to the others.
    Shear {
        /// True if rows move, false if columns do.
        rows: bool,
        /// -25 to 26.
        degrees: i32,
    },
    /// Moves the inner nodes of a grid by (x, y), in 1/250 of the image's width and height.
    Distort {
        /// Columns and rows of cells.
        grid: (u32, u32),
        /// Displacements by row, (columns - 1) * (rows - 1).
        nodes: Vec<(i32, i32)>,
    },
    /// Like `Distort`, in 1/25,000 of the image's width and height.
    DistortFinely {
        /// Columns and rows of cells.
        grid: (u32, u32),
        /// Displacements by row, (columns - 1) * (rows - 1).
        nodes: Vec<(i32, i32)>,
    },
    /// Fills a rectangle with noise, clipped at the border.
    Erase {
        /// Upper left corner in thousandths of the copy's side.
        corner: (u32, u32),
        /// Width and height in thousandths of the copy's side.
        size: (u32, u32),
        /// Seed of the noise.
        seed: u32,
    },
    /// Equalises each channel's histogram.
    Equalise,
    /// Converts to grey.
    Greyscale,
    /// Inverts all values.
    Invert,
    /// White from this grey level on, black below.
    BlackAndWhite(u8),
    /// Multiplies brightness by a factor.
    Brightness(u32),
    /// Multiplies colour saturation by a factor.
    Colour(u32),
    /// Multiplies contrast by a factor.
    Contrast(u32),
    /// Changes hue, saturation and value, which are in [0, 1].
    HsvShift {
        /// Shift in thousandths of the circle.
        hue: i32,
        /// Factor and then shift, in thousandths.
        saturation: (u32, i32),
        /// Factor and then shift, in thousandths.
        value: (u32, i32),
        /// True if the hue is clamped to [0, 1], as in Augmentor; otherwise it wraps around.
        clamp_hue: bool,
    },
    /// Rotates counterclockwise about the centre, scales, then shifts.
    Affine {
        /// Hundredths of a degree.
        hundredths: i32,
        /// Factor.
        scale: u32,
        /// Shift to the right and down, in thousandths of the sides.
        shift: (i32, i32),
    },
    /// Blurs with a Gaussian of this standard deviation, in thousandths of 1/250 of the width.
    Blur(u32),
    /// Raises values in [0, 1] to a power, whose binary logarithm is in thousandths.
    Gamma(i32),
}

/// A window of the canvas, of the same aspect ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropWindow {
    /// Fraction of each side in thousandths.
    pub share: u32,
    /// The margins to the left and above, in thousandths of both margins.
    pub position: (u32, u32),
}

/// Thousandths, displayed as a fraction of 1.
struct Thousandths(i64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}

impl fmt::Display for CropWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [share, left, above] = [self.share, self.position.0, self.position.1].map(|t| Thousandths(t.into()));
        write!(f, "{share} at {left}:{above}")
    }
}

impl fmt::Display for SampledOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |thousandths: u32| Thousandths(thousandths.into());
        match self {
            Self::Rotate(degrees) => write!(f, "rotate {degrees}"),
            Self::RotateAsAugmentor(degrees) => write!(f, "rotate {degrees} as augmentor"),
            Self::RotateWithoutCrop(degrees) => write!(f, "rotate_without_crop {degrees}"),
            Self::RotateExpand(degrees) => write!(f, "rotate_without_crop {degrees} expand"),
            Self::QuarterTurns(turns) => write!(f, "rotate_{}", 90 * turns),
            Self::Zoom(factor) => write!(f, "zoom {}", share(*factor)),
            Self::ZoomRandom(part) => write!(f, "zoom_random {part}"),
            Self::Crop(part) => write!(f, "crop {part}"),
            Self::CropBySize { width, height, position } => {
                write!(f, "crop_by_size {width}x{height} at {}:{}", share(position.0), share(position.1))
            }
            Self::Resize(width, height) => write!(f, "resize {width}x{height}"),
            Self::Scale(factor) => write!(f, "scale {}", share(*factor)),
            Self::FlipLeftRight => write!(f, "flip_left_right"),
            Self::FlipTopBottom => write!(f, "flip_top_bottom"),
            Self::Skew(corners) => {
                write!(f, "skew")?;
                let fraction = |thousandths: i32| Thousandths(thousandths.into());
                corners.iter().try_for_each(|&(x, y)| write!(f, " {}:{}", fraction(x), fraction(y)))
            }
            Self::Shear { rows, degrees } => write!(f, "shear {} {degrees}", if *rows { "x" } else { "y" }),
            Self::Distort { grid: (columns, rows), nodes } => {
                write!(f, "random_distortion {columns}x{rows}")?;
                nodes.iter().try_for_each(|(x, y)| write!(f, " {x}:{y}"))
            }
            Self::DistortFinely { grid: (columns, rows), nodes } => {
                write!(f, "gaussian_distortion {columns}x{rows}")?;
                let hundredths = |displacement: i32| f64::from(displacement) / 100.0;
                nodes.iter().try_for_each(|&(x, y)| write!(f, " {}:{}", hundredths(x), hundredths(y)))
            }
            Self::Erase { corner, size, seed } => {
                let [x, y, width, height] = [corner.0, corner.1, size.0, size.1].map(share);
                write!(f, "random_erasing {width}x{height} at {x}:{y} noise {seed}")
            }
            Self::Equalise => write!(f, "histogram_equalisation"),
            Self::Greyscale => write!(f, "greyscale"),
            Self::Invert => write!(f, "invert"),
            Self::BlackAndWhite(threshold) => write!(f, "black_and_white {threshold}"),
            Self::Brightness(factor) => write!(f, "random_brightness {}", share(*factor)),
            Self::Colour(factor) => write!(f, "random_color {}", share(*factor)),
            Self::Contrast(factor) => write!(f, "random_contrast {}", share(*factor)),
            Self::HsvShift { hue, saturation, value, clamp_hue } => {
                let [hue, s, v] = [*hue, saturation.1, value.1].map(|shift| Thousandths(shift.into()));
                write!(f, "hsv_shift {hue} {}:{s} {}:{v}", share(saturation.0), share(value.0))?;
                if *clamp_hue { write!(f, " cut") } else { Ok(()) }
            }
            Self::Affine { hundredths, scale, shift: (x, y) } => {
                let [x, y] = [*x, *y].map(|shift| Thousandths(shift.into()));
                write!(f, "random_affine {} {} {x}:{y}", f64::from(*hundredths) / 100.0, share(*scale))
            }
            Self::Blur(deviation) => write!(f, "gaussian_blur {}", share(*deviation)),
            Self::Gamma(logarithm) => write!(f, "random_gamma {}", Thousandths((*logarithm).into())),
        }
    }
}
