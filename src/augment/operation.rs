//! The operations a pipeline may name, and what becomes of each once its parameters are drawn. A new operation is one
//! variant here, how it is drawn, and its geometry or its table of values.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An operation as a pipeline file states it. Every one is applied with its `probability` and left out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "every operation has `probability`; bounds are explained where they are used")]
pub enum Operation {
    /// Turns about the centre by whole degrees, a coin deciding between up to `max_left` counterclockwise and up to
    /// `max_right` clockwise, then shows the largest rectangle of the image's aspect that holds no border, enlarged to
    /// the image's size. (Augmentor 0.2.12 misses that rectangle by a misplaced parenthesis, and turns the other way
    /// than its manual says.)
    Rotate { probability: f64, max_left: u32, max_right: u32 },
    /// As `Rotate`, but the size of the face stays and corners show what lies beyond the border.
    RotateWithoutCrop { probability: f64, max_left: u32, max_right: u32 },
    /// Enlarges about the centre by a factor; below 1 it makes smaller.
    Zoom { probability: f64, min_factor: f64, max_factor: f64 },
    /// Mirrors.
    FlipLeftRight { probability: f64 },
    /// Moves every inner node of a grid of `grid_width` x `grid_height` equal cells by whole numbers of
    /// [-`magnitude`, `magnitude`] in both directions, and what lies between bilinearly with them; the border stays.
    /// The unit is 1/250 of the image's width (height), which is the pixel of an LFW image.
    RandomDistortion { probability: f64, grid_width: u32, grid_height: u32, magnitude: u32 },
    /// Multiplies every value by a factor, as Pillow's `ImageEnhance.Brightness`.
    RandomBrightness { probability: f64, min_factor: f64, max_factor: f64 },
    /// Moves every value away from the mean grey by a factor, as Pillow's `ImageEnhance.Contrast`.
    RandomContrast { probability: f64, min_factor: f64, max_factor: f64 },
}

/// An operation with its parameters drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// By so many degrees counterclockwise, at most 90, cropped.
    Rotate(i32),
    /// By so many degrees counterclockwise.
    RotateWithoutCrop(i32),
    /// By so many thousandths.
    Zoom(u32),
    /// Left becomes right.
    FlipLeftRight,
    /// Inner nodes of the grid by row, each moved by (x, y) in 1/250 of the image's width and height.
    Distort {
        /// Cells (across, down).
        grid: (u32, u32),
        /// (across - 1) * (down - 1) displacements.
        nodes: Vec<(i32, i32)>,
    },
    /// By so many thousandths.
    Brightness(u32),
    /// By so many thousandths.
    Contrast(u32),
}

impl Operation {
    /// The chance of being applied.
    pub fn probability(&self) -> f64 {
        match *self {
            Self::Rotate { probability, .. }
            | Self::RotateWithoutCrop { probability, .. }
            | Self::Zoom { probability, .. }
            | Self::FlipLeftRight { probability }
            | Self::RandomDistortion { probability, .. }
            | Self::RandomBrightness { probability, .. }
            | Self::RandomContrast { probability, .. } => probability,
        }
    }

    /// What is wrong with its parameters, as a sentence without subject.
    pub(super) fn check(&self) -> Result<(), String> {
        let probability = self.probability();
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("probability is {probability}, expected 0 to 1"));
        }
        match *self {
            Self::Rotate { max_left, max_right, .. } => check_degrees(max_left, max_right, 90),
            Self::RotateWithoutCrop { max_left, max_right, .. } => check_degrees(max_left, max_right, 180),
            Self::Zoom { min_factor, max_factor, .. } => check_factors(min_factor, max_factor, 0.1),
            Self::RandomBrightness { min_factor, max_factor, .. }
            | Self::RandomContrast { min_factor, max_factor, .. } => check_factors(min_factor, max_factor, 0.0),
            Self::RandomDistortion { grid_width, grid_height, magnitude, .. } => {
                if !(1..=32).contains(&grid_width) || !(1..=32).contains(&grid_height) {
                    return Err(format!("a grid of {grid_width} x {grid_height} cells, expected 1 to 32 each way"));
                }
                if magnitude > 250 {
                    return Err(format!("magnitude is {magnitude}, expected at most 250, the whole image"));
                }
                Ok(())
            }
            Self::FlipLeftRight { .. } => Ok(()),
        }
    }

    /// The operation with parameters from `generator`; nothing where chance leaves it out.
    pub(super) fn draw(&self, generator: &mut Pcg64Mcg) -> Option<Step> {
        if !generator.random_bool(self.probability()) {
            return None;
        }
        Some(match *self {
            Self::Rotate { max_left, max_right, .. } => Step::Rotate(draw_degrees(generator, max_left, max_right)),
            Self::RotateWithoutCrop { max_left, max_right, .. } => {
                Step::RotateWithoutCrop(draw_degrees(generator, max_left, max_right))
            }
            Self::Zoom { min_factor, max_factor, .. } => Step::Zoom(draw_factor(generator, min_factor, max_factor)),
            Self::FlipLeftRight { .. } => Step::FlipLeftRight,
            Self::RandomDistortion { grid_width, grid_height, magnitude, .. } => {
                let reach = magnitude as i32;
                let mut node = || (generator.random_range(-reach..=reach), generator.random_range(-reach..=reach));
                let nodes = (0..(grid_width - 1) * (grid_height - 1)).map(|_| node()).collect();
                Step::Distort { grid: (grid_width, grid_height), nodes }
            }
            Self::RandomBrightness { min_factor, max_factor, .. } => {
                Step::Brightness(draw_factor(generator, min_factor, max_factor))
            }
            Self::RandomContrast { min_factor, max_factor, .. } => {
                Step::Contrast(draw_factor(generator, min_factor, max_factor))
            }
        })
    }
}

fn check_degrees(left: u32, right: u32, most: u32) -> Result<(), String> {
    if left <= most && right <= most {
        return Ok(());
    }
    Err(format!("max_left is {left} and max_right {right}, expected at most {most} degrees"))
}

/// Counterclockwise. The coin makes 0 twice as likely as any other angle, as it is in Augmentor.
fn draw_degrees(generator: &mut Pcg64Mcg, left: u32, right: u32) -> i32 {
    if generator.random_bool(0.5) {
        generator.random_range(0..=left as i32)
    } else {
        -generator.random_range(0..=right as i32)
    }
}

fn check_factors(least: f64, most: f64, bound: f64) -> Result<(), String> {
    if (bound..=10.0).contains(&least) && (bound..=10.0).contains(&most) && least <= most {
        return Ok(());
    }
    Err(format!("min_factor is {least} and max_factor {most}, expected {bound} <= min_factor <= max_factor <= 10"))
}

/// Factors are drawn in thousandths, so that a plan's text holds them whole.
fn draw_factor(generator: &mut Pcg64Mcg, least: f64, most: f64) -> u32 {
    let thousandths = |factor: f64| (factor * 1000.0).round() as u32;
    generator.random_range(thousandths(least)..=thousandths(most))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = |thousandths: u32| f64::from(thousandths) / 1000.0;
        match self {
            Self::Rotate(degrees) => write!(f, "rotate {degrees}"),
            Self::RotateWithoutCrop(degrees) => write!(f, "rotate_without_crop {degrees}"),
            Self::Zoom(thousandths) => write!(f, "zoom {}", factor(*thousandths)),
            Self::FlipLeftRight => write!(f, "flip_left_right"),
            Self::Distort { grid: (across, down), nodes } => {
                write!(f, "random_distortion {across}x{down}")?;
                nodes.iter().try_for_each(|(x, y)| write!(f, " {x}:{y}"))
            }
            Self::Brightness(thousandths) => write!(f, "random_brightness {}", factor(*thousandths)),
            Self::Contrast(thousandths) => write!(f, "random_contrast {}", factor(*thousandths)),
        }
    }
}
