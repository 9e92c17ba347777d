//! Sampling of each operation's parameters. A plan is sampled before its image is decoded, so lengths are fractions of
//! the image. `compat` reproduces Augmentor 0.2.12 where it has errors.

use super::operation::Operation;
use super::sampled_op::{CropWindow, SampledOp};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::f64::consts::TAU;
use std::ops::Range;

/// Moves of the corners (upper left, upper right, lower right, lower left) in units of the sampled amount. Four tilts
/// (left, right, top, bottom) precede eight single corners.
const SKEWS: [[(i32, i32); 4]; 12] = [
    [(0, -1), (0, 0), (0, 0), (0, 1)],
    [(0, 0), (0, -1), (0, 1), (0, 0)],
    [(-1, 0), (1, 0), (0, 0), (0, 0)],
    [(0, 0), (0, 0), (1, 0), (-1, 0)],
    [(-1, 0), (0, 0), (0, 0), (0, 0)],
    [(0, -1), (0, 0), (0, 0), (0, 0)],
    [(0, 0), (1, 0), (0, 0), (0, 0)],
    [(0, 0), (0, -1), (0, 0), (0, 0)],
    [(0, 0), (0, 0), (1, 0), (0, 0)],
    [(0, 0), (0, 0), (0, 1), (0, 0)],
    [(0, 0), (0, 0), (0, 0), (-1, 0)],
    [(0, 0), (0, 0), (0, 0), (0, 1)],
];
const TILTS: Range<usize> = 0..4;
const LEFT_RIGHT: Range<usize> = 0..2;
const TOP_BOTTOM: Range<usize> = 2..4;
const CORNERS: Range<usize> = 4..12;

/// The position of a centred crop, in thousandths of the margins.
const CENTRE: (u32, u32) = (500, 500);

impl Operation {
    /// The operation with sampled parameters, with its probability; otherwise `None`.
    pub(super) fn sample_by_chance(&self, rng: &mut Pcg64Mcg, compat: bool) -> Option<SampledOp> {
        let probability = if compat { augmentor_probability(self.probability()) } else { self.probability() };
        rng.random_bool(probability).then(|| self.sample(rng, compat))
    }

    /// The operation with sampled parameters, whatever its probability.
    pub(super) fn sample(&self, rng: &mut Pcg64Mcg, compat: bool) -> SampledOp {
        let sampled = self.sample_geometric(rng, compat).or_else(|| self.sample_photometric(rng, compat));
        sampled.expect("an operation is geometric or photometric")
    }

    /// `None` if the operation is photometric.
    fn sample_geometric(&self, rng: &mut Pcg64Mcg, compat: bool) -> Option<SampledOp> {
        Some(match *self {
            Self::Rotate { max_left, max_right, .. } if compat => {
                SampledOp::RotateAsAugmentor(sample_degrees(rng, max_right, max_left))
            }
            Self::Rotate { max_left, max_right, .. } => SampledOp::Rotate(sample_degrees(rng, max_left, max_right)),
            Self::RotateWithoutCrop { max_left, max_right, expand, .. } => {
                let (left, right) = if compat { (max_right, max_left) } else { (max_left, max_right) };
                let degrees = sample_degrees(rng, left, right);
                if expand { SampledOp::RotateExpand(degrees) } else { SampledOp::RotateWithoutCrop(degrees) }
            }
            Self::Rotate90 { .. } => SampledOp::QuarterTurns(1),
            Self::Rotate180 { .. } => SampledOp::QuarterTurns(2),
            Self::Rotate270 { .. } => SampledOp::QuarterTurns(3),
            Self::RotateRandom90 { .. } => SampledOp::QuarterTurns(rng.random_range(1..=3)),
            Self::Zoom { min_factor, max_factor, .. } => SampledOp::Zoom(sample_factor(rng, min_factor, max_factor)),
            Self::ZoomRandom { percentage_area, randomise_percentage_area, .. } => {
                let share = sample_share(rng, percentage_area, randomise_percentage_area);
                SampledOp::ZoomRandom(CropWindow { share, position: sample_position(rng) })
            }
            Self::CropBySize { width, height, centre, .. } => {
                let position = if centre { CENTRE } else { sample_position(rng) };
                SampledOp::CropBySize { width, height, position }
            }
            Self::CropCentre { percentage_area, randomise_percentage_area, .. } => {
                let share = sample_share(rng, percentage_area, randomise_percentage_area);
                SampledOp::Crop(CropWindow { share, position: CENTRE })
            }
            Self::CropRandom { percentage_area, randomise_percentage_area, .. } => {
                let share = sample_share(rng, percentage_area, randomise_percentage_area);
                SampledOp::Crop(CropWindow { share, position: sample_position(rng) })
            }
            Self::Resize { width, height, .. } => SampledOp::Resize(width, height),
            Self::Scale { scale_factor, .. } => SampledOp::Scale(thousandths(scale_factor)),
            Self::FlipLeftRight { .. } => SampledOp::FlipLeftRight,
            Self::FlipRandom { .. } if rng.random_bool(0.5) => SampledOp::FlipLeftRight,
            Self::FlipTopBottom { .. } | Self::FlipRandom { .. } => SampledOp::FlipTopBottom,
            Self::Skew { magnitude, .. } => {
                let kinds = [TILTS, LEFT_RIGHT, TOP_BOTTOM, CORNERS];
                let kind = kinds[rng.random_range(0..kinds.len())].clone();
                sample_skew(rng, magnitude, kind)
            }
            Self::SkewTilt { magnitude, .. } => sample_skew(rng, magnitude, TILTS),
            Self::SkewLeftRight { magnitude, .. } => sample_skew(rng, magnitude, LEFT_RIGHT),
            Self::SkewTopBottom { magnitude, .. } => sample_skew(rng, magnitude, TOP_BOTTOM),
            Self::SkewCorner { magnitude, .. } => sample_skew(rng, magnitude, CORNERS),
            Self::Shear { max_shear_left, max_shear_right, .. } => {
                let degrees = sample_shear(rng, max_shear_left as i32, max_shear_right as i32, compat);
                SampledOp::Shear { rows: rng.random_bool(0.5), degrees }
            }
            Self::RandomDistortion { grid_width, grid_height, magnitude, .. } => {
                let max = magnitude as i32;
                let mut node = || (rng.random_range(-max..=max), rng.random_range(-max..=max));
                let nodes = (0..(grid_width - 1) * (grid_height - 1)).map(|_| node()).collect();
                SampledOp::Distort { grid: (grid_width, grid_height), nodes }
            }
            Self::GaussianDistortion { grid_width, grid_height, .. } => {
                let nodes = self.deviations().into_iter().map(|deviation| {
                    let (x, y) = sample_normal(rng);
                    let hundredths = |normal: f64| (100.0 * deviation * normal).round() as i32;
                    (hundredths(x), hundredths(y))
                });
                SampledOp::DistortFinely { grid: (grid_width, grid_height), nodes: nodes.collect() }
            }
            Self::RandomAffine { rotation, scale, shift, .. } => {
                let ((turn, growth), (x, y)) = (sample_normal(rng), sample_normal(rng));
                SampledOp::Affine {
                    hundredths: (100.0 * rotation * turn).round() as i32,
                    // Between an eighth and eight times the size.
                    scale: thousandths(libm::exp2((scale * growth).clamp(-3.0, 3.0))),
                    shift: [x, y].map(|normal| (1000.0 * shift * normal).round() as i32).into(),
                }
            }
            Self::RandomErasing { .. }
            | Self::HistogramEqualisation { .. }
            | Self::Greyscale { .. }
            | Self::Invert { .. }
            | Self::BlackAndWhite { .. }
            | Self::RandomBrightness { .. }
            | Self::RandomColor { .. }
            | Self::RandomContrast { .. }
            | Self::HsvShift { .. }
            | Self::GaussianBlur { .. }
            | Self::RandomGamma { .. } => return None,
        })
    }

    /// `None` if the operation is geometric.
    fn sample_photometric(&self, rng: &mut Pcg64Mcg, compat: bool) -> Option<SampledOp> {
        Some(match *self {
            Self::RandomErasing { rectangle_area, .. } => sample_rectangle(rng, thousandths(rectangle_area), compat),
            Self::GaussianBlur { deviation, .. } => {
                SampledOp::Blur((1000.0 * deviation * sample_normal(rng).0.abs()).round() as u32)
            }
            Self::RandomGamma { deviation, .. } => {
                // A power between 1/256 and 256.
                SampledOp::Gamma((1000.0 * (deviation * sample_normal(rng).0).clamp(-8.0, 8.0)).round() as i32)
            }
            Self::HistogramEqualisation { .. } => SampledOp::Equalise,
            Self::Greyscale { .. } => SampledOp::Greyscale,
            Self::Invert { .. } => SampledOp::Invert,
            Self::BlackAndWhite { threshold, .. } => SampledOp::BlackAndWhite(threshold),
            Self::RandomBrightness { min_factor, max_factor, .. } => {
                SampledOp::Brightness(sample_factor(rng, min_factor, max_factor))
            }
            Self::RandomColor { min_factor, max_factor, .. } => {
                SampledOp::Colour(sample_factor(rng, min_factor, max_factor))
            }
            Self::RandomContrast { min_factor, max_factor, .. } => {
                SampledOp::Contrast(sample_factor(rng, min_factor, max_factor))
            }
            Self::HsvShift { hue_shift, saturation_shift, value_shift, saturation_scale, value_scale, .. } => {
                let mut shift = |max: f64| {
                    let max = thousandths(max) as i32;
                    rng.random_range(-max..=max)
                };
                let (hue, saturation, value) = (shift(hue_shift), shift(saturation_shift), shift(value_shift));
                let mut factor = |scale: f64| sample_factor(rng, 1.0 / (1.0 + scale), 1.0 + scale);
                let (saturation, value) = ((factor(saturation_scale), saturation), (factor(value_scale), value));
                SampledOp::HsvShift { hue, saturation, value, clamp_hue: compat }
            }
            _ => return None,
        })
    }
}

/// The effective probability in Augmentor, which compares `probability` with a uniform number rounded to a tenth. The
/// numbers 0 and 1 are half as likely as any tenth between them.
fn augmentor_probability(probability: f64) -> f64 {
    let tenths = (1..=10).take_while(|tenth| f64::from(*tenth) / 10.0 <= probability).count();
    // Augmentor refuses 0; here it never applies.
    if probability == 0.0 { 0.0 } else { (0.05 + tenths as f64 / 10.0).min(1.0) }
}

/// Degrees counterclockwise. The coin makes 0 twice as likely as any other angle, as in Augmentor.
fn sample_degrees(rng: &mut Pcg64Mcg, left: u32, right: u32) -> i32 {
    if rng.random_bool(0.5) { rng.random_range(0..=left as i32) } else { -rng.random_range(0..=right as i32) }
}

fn thousandths(factor: f64) -> u32 {
    (factor * 1000.0).round() as u32
}

fn sample_factor(rng: &mut Pcg64Mcg, min: f64, max: f64) -> u32 {
    rng.random_range(thousandths(min)..=thousandths(max))
}

fn sample_share(rng: &mut Pcg64Mcg, max: f64, randomise: bool) -> u32 {
    if randomise { sample_factor(rng, 0.1, max) } else { thousandths(max) }
}

fn sample_position(rng: &mut Pcg64Mcg) -> (u32, u32) {
    (rng.random_range(0..=1000), rng.random_range(0..=1000))
}

fn sample_skew(rng: &mut Pcg64Mcg, magnitude: f64, kind: Range<usize>) -> SampledOp {
    let amount = rng.random_range(1..=(1000.0 * magnitude).ceil() as i32);
    SampledOp::Skew(SKEWS[rng.random_range(kind)].map(|(x, y)| (x * amount, y * amount)))
}

/// Whole degrees of a shear.
fn sample_shear(rng: &mut Pcg64Mcg, left: i32, right: i32, compat: bool) -> i32 {
    if !compat {
        return rng.random_range(-left..=right);
    }
    // Truncated towards 0, then shifted: never 0, one too many on one side, one too few on the other.
    let truncated = rng.random_range(f64::from(-left - 1)..f64::from(right + 1)) as i32;
    if truncated == -1 { -1 } else { truncated + 1 }
}

/// A rectangle to erase, with sides up to `max` thousandths.
fn sample_rectangle(rng: &mut Pcg64Mcg, max: u32, compat: bool) -> SampledOp {
    let mut side = || rng.random_range(max.min(100)..=max);
    let mut size = (side(), side());
    let corner = (rng.random_range(0..=1000 - size.0), rng.random_range(0..=1000 - size.1));
    if compat {
        // Augmentor swaps the sides after it has chosen the corner.
        size = (size.1, size.0);
    }
    SampledOp::Erase { corner, size, seed: rng.random() }
}

/// Two independent standard normal numbers (Box and Muller 1958).
fn sample_normal(rng: &mut Pcg64Mcg) -> (f64, f64) {
    // In (0, 1]: the logarithm of 0 is not finite.
    let uniform = 1.0 - rng.random::<f64>();
    let radius = (-2.0 * libm::log(uniform)).sqrt();
    let (sine, cosine) = libm::sincos(TAU * rng.random::<f64>());
    (radius * cosine, radius * sine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn sampled(text: &str, compat: bool) -> Vec<SampledOp> {
        let operation: Operation = toml::from_str(text).unwrap();
        operation.check(compat).unwrap();
        (0..4000).filter_map(|copy| operation.sample_by_chance(&mut random::generator(1, &[copy]), compat)).collect()
    }

    fn degrees(ops: &[SampledOp]) -> (i32, i32, usize) {
        let degrees = ops.iter().map(|op| match op {
            SampledOp::Shear { degrees, .. } | SampledOp::RotateAsAugmentor(degrees) | SampledOp::Rotate(degrees) => {
                *degrees
            }
            other => panic!("{other}"),
        });
        (degrees.clone().min().unwrap(), degrees.clone().max().unwrap(), degrees.filter(|d| *d == 0).count())
    }

    #[test]
    fn augmentors_probabilities_are_rounded_to_tenths_and_a_half_more() {
        for (asked, chance) in [(0.01, 0.05), (0.3, 0.35), (0.5, 0.55), (0.59, 0.55), (1.0, 1.0), (0.0, 0.0)] {
            assert!((augmentor_probability(asked) - chance).abs() < 1e-12, "{asked}");
        }
        // Within five standard deviations (31) of 0.55 and 0.5 of 4000.
        let flip = "name = 'flip_left_right'\nprobability = 0.5";
        assert!((2043..=2357).contains(&sampled(flip, true).len()));
        assert!((1842..=2158).contains(&sampled(flip, false).len()));
    }

    #[test]
    fn shear_stays_within_its_bounds_and_in_augmentor_is_one_off_and_never_0() {
        let shear = "name = 'shear'\nprobability = 1\nmax_shear_left = 5\nmax_shear_right = 7";
        let (least, most, zeros) = degrees(&sampled(shear, false));
        assert_eq!((least, most), (-5, 7));
        // 1 of 13, within five standard deviations (17).
        assert!((223..=392).contains(&zeros), "{zeros}");
        assert_eq!(degrees(&sampled(shear, true)), (-4, 8, 0));
    }

    #[test]
    fn augmentor_rotates_right_if_left_is_asked_for() {
        let rotate = "name = 'rotate'\nprobability = 1\nmax_left = 9\nmax_right = 3";
        let ours = degrees(&sampled(rotate, false));
        let theirs = degrees(&sampled(rotate, true));
        assert_eq!(((ours.0, ours.1), (theirs.0, theirs.1)), ((-3, 9), (-9, 3)));
    }

    #[test]
    fn erased_rectangles_stay_inside_except_in_augmentor() {
        let erase = "name = 'random_erasing'\nprobability = 1\nrectangle_area = 0.6";
        let outside = |ops: Vec<SampledOp>| {
            let beyond = |op: &&SampledOp| match op {
                SampledOp::Erase { corner, size, .. } => corner.0 + size.0 > 1000 || corner.1 + size.1 > 1000,
                other => panic!("{other}"),
            };
            ops.iter().filter(beyond).count()
        };
        assert_eq!(outside(sampled(erase, false)), 0);
        assert!(outside(sampled(erase, true)) > 400);
        assert!(sampled(&erase.replace("0.6", "0.01"), false).iter().all(|s| s.to_string().contains("0.01x0.01")));
    }

    #[test]
    fn gaussian_displacements_have_the_deviation_of_their_node() {
        let bell = "name = 'gaussian_distortion'\nprobability = 1\ngrid_width = 2\ngrid_height = 2\nmagnitude = 8\n\
                    corner = 'bell'\nmethod = 'in'";
        let operation: Operation = toml::from_str(bell).unwrap();
        let expected = operation.deviations()[0];
        let nodes = sampled(bell, false).into_iter().map(|op| match op {
            SampledOp::DistortFinely { nodes, .. } => nodes[0],
            other => panic!("{other}"),
        });
        let moves: Vec<f64> = nodes.flat_map(|(x, y)| [f64::from(x) / 100.0, f64::from(y) / 100.0]).collect();
        let mean = moves.iter().sum::<f64>() / moves.len() as f64;
        let deviation = (moves.iter().map(|m| m * m).sum::<f64>() / moves.len() as f64).sqrt();
        // Five standard errors of 8000 numbers.
        assert!(mean.abs() < 5.0 * expected / 89.0 && (deviation / expected - 1.0).abs() < 5.0 / 126.0, "{deviation}");
    }

    #[test]
    fn skew_moves_one_corner_or_two_outwards_by_up_to_the_magnitude() {
        let skew = "name = 'skew'\nprobability = 1\nmagnitude = 0.2";
        let mut seen = std::collections::BTreeSet::new();
        for op in sampled(skew, false) {
            let SampledOp::Skew(corners) = op else { panic!("{op}") };
            let most = corners.iter().flat_map(|c| [c.0.abs(), c.1.abs()]).max().unwrap();
            assert!((1..=200).contains(&most));
            seen.insert(corners.map(|(x, y)| (x / most, y / most)));
        }
        assert_eq!(seen.len(), 12);
    }

    #[test]
    fn random_quarter_turns_and_flips_take_all_their_forms() {
        let texts = |name: &str| -> std::collections::BTreeSet<String> {
            let text = format!("name = '{name}'\nprobability = 1");
            sampled(&text, false).iter().map(SampledOp::to_string).collect()
        };
        assert_eq!(
            texts("rotate_random_90").into_iter().collect::<Vec<_>>(),
            ["rotate_180", "rotate_270", "rotate_90"]
        );
        assert_eq!(texts("flip_random").into_iter().collect::<Vec<_>>(), ["flip_left_right", "flip_top_bottom"]);
    }
}
