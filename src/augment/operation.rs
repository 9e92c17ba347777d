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
    /// Turns about the centre by whole degrees, evenly drawn from `max_right` clockwise to `max_left` counterclockwise.
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
    /// By so many degrees counterclockwise.
    Rotate(i32),
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
            Self::RotateWithoutCrop { probability, .. }
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
            Self::RotateWithoutCrop { max_left, max_right, .. } if max_left > 180 || max_right > 180 => {
                Err(format!("max_left {max_left} and max_right {max_right}, expected at most 180 degrees"))
            }
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
            _ => Ok(()),
        }
    }

    /// The operation with parameters from `generator`; nothing where chance leaves it out.
    pub(super) fn draw(&self, generator: &mut Pcg64Mcg) -> Option<Step> {
        if !generator.random_bool(self.probability()) {
            return None;
        }
        Some(match *self {
            Self::RotateWithoutCrop { max_left, max_right, .. } => {
                Step::Rotate(generator.random_range(-(max_right as i32)..=max_left as i32))
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
            Self::Rotate(degrees) => write!(f, "rotate_without_crop {degrees}"),
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
