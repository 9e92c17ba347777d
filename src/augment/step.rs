//! An operation with its parameters drawn. Parameters are whole numbers of small units, so that a step's text, which
//! the manifest records, holds the whole draw.

use std::fmt;

/// An operation with its parameters drawn; "thousandths" of 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// By so many degrees counterclockwise, at most 90, cropped.
    Rotate(i32),
    /// The same with Augmentor's crop, which is too small and changes the aspect; at most 25.
    RotateAsAugmentor(i32),
    /// By so many degrees counterclockwise.
    RotateWithoutCrop(i32),
    /// The same on a canvas that grows to hold the whole picture.
    RotateExpand(i32),
    /// So many quarter turns counterclockwise, 1 to 3.
    QuarterTurns(u32),
    /// By so many thousandths.
    Zoom(u32),
    /// A part of the picture, at the picture's size.
    ZoomRandom(Part),
    /// A part of the picture.
    Crop(Part),
    /// So many pixels; a larger picture only.
    CropBySize {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Thousandths of the room to the left and above.
        place: (u32, u32),
    },
    /// To so many pixels (width, height).
    Resize(u32, u32),
    /// By so many thousandths.
    Scale(u32),
    /// Left becomes right.
    FlipLeftRight,
    /// Above becomes below.
    FlipTopBottom,
    /// Where the corners (upper left, upper right, lower right, lower left) move, in thousandths of the longer side.
    Skew([(i32, i32); 4]),
    /// By so many degrees; above 0 the upper rows move right, or the left columns down, against the rest.
    Shear {
        /// Rows move; otherwise columns.
        rows: bool,
        /// -25 to 26.
        degrees: i32,
    },
    /// Inner nodes of the grid by row, each moved by (x, y) in 1/250 of the image's width and height.
    Distort {
        /// Cells (across, down).
        grid: (u32, u32),
        /// (across - 1) * (down - 1) displacements.
        nodes: Vec<(i32, i32)>,
    },
    /// The same in 1/25,000 of the image's width and height.
    DistortFinely {
        /// Cells (across, down).
        grid: (u32, u32),
        /// (across - 1) * (down - 1) displacements.
        nodes: Vec<(i32, i32)>,
    },
    /// A rectangle of noise, cut at the border.
    Erase {
        /// Its upper left corner in thousandths of the copy's side.
        corner: (u32, u32),
        /// Width and height in thousandths of the copy's side.
        size: (u32, u32),
        /// What the noise is drawn from.
        seed: u32,
    },
    /// Each channel's values spread evenly.
    Equalise,
    /// Grey.
    Greyscale,
    /// The negative.
    Invert,
    /// White from this grey on, black below.
    BlackAndWhite(u8),
    /// By so many thousandths.
    Brightness(u32),
    /// By so many thousandths.
    Colour(u32),
    /// By so many thousandths.
    Contrast(u32),
    /// Hue, saturation and value, all of [0, 1].
    HsvShift {
        /// Thousandths of the circle.
        hue: i32,
        /// Factor and what is then added, in thousandths.
        saturation: (u32, i32),
        /// Factor and what is then added, in thousandths.
        value: (u32, i32),
        /// Whether the hue is cut to [0, 1], as in Augmentor, where it should go round.
        cut: bool,
    },
}

/// A part of a picture, of its aspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Thousandths of each side.
    pub share: u32,
    /// Thousandths of the room to the left and above.
    pub place: (u32, u32),
}

/// Written as a fraction of 1.
struct Thousandths(i64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [share, left, above] = [self.share, self.place.0, self.place.1].map(|t| Thousandths(t.into()));
        write!(f, "{share} at {left}:{above}")
    }
}

impl fmt::Display for Step {
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
            Self::CropBySize { width, height, place } => {
                write!(f, "crop_by_size {width}x{height} at {}:{}", share(place.0), share(place.1))
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
            Self::Distort { grid: (across, down), nodes } => {
                write!(f, "random_distortion {across}x{down}")?;
                nodes.iter().try_for_each(|(x, y)| write!(f, " {x}:{y}"))
            }
            Self::DistortFinely { grid: (across, down), nodes } => {
                write!(f, "gaussian_distortion {across}x{down}")?;
                let hundredths = |moved: i32| f64::from(moved) / 100.0;
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
            Self::HsvShift { hue, saturation, value, cut } => {
                let [hue, s, v] = [*hue, saturation.1, value.1].map(|shift| Thousandths(shift.into()));
                write!(f, "hsv_shift {hue} {}:{s} {}:{v}", share(saturation.0), share(value.0))?;
                if *cut { write!(f, " cut") } else { Ok(()) }
            }
        }
    }
}
