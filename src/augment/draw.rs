//! How the parameters of each operation are drawn. A plan is drawn before its picture is seen, so lengths are drawn as
//! shares of the picture. `compat` draws as Augmentor 0.2.12 does where that is a mistake.

use super::operation::{Corner, Method, Operation};
use super::step::{Part, Step};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::f64::consts::TAU;
use std::ops::Range;

/// How the corners (upper left, upper right, lower right, lower left) move, in units of the drawn amount: four
/// tilts (to the left, right, top, bottom), then eight single corners.
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

impl Operation {
    /// The operation with parameters from `generator`; nothing where chance leaves it out.
    pub(super) fn draw(&self, generator: &mut Pcg64Mcg, compat: bool) -> Option<Step> {
        let probability = if compat { as_augmentor(self.probability()) } else { self.probability() };
        generator.random_bool(probability).then(|| self.step(generator, compat))
    }

    /// The operation with parameters from `generator`, whatever its probability.
    pub(super) fn step(&self, generator: &mut Pcg64Mcg, compat: bool) -> Step {
        match *self {
            Self::Rotate { max_left, max_right, .. } if compat => {
                Step::RotateAsAugmentor(draw_degrees(generator, max_right, max_left))
            }
            Self::Rotate { max_left, max_right, .. } => Step::Rotate(draw_degrees(generator, max_left, max_right)),
            Self::RotateWithoutCrop { max_left, max_right, expand, .. } => {
                let (left, right) = if compat { (max_right, max_left) } else { (max_left, max_right) };
                let degrees = draw_degrees(generator, left, right);
                if expand { Step::RotateExpand(degrees) } else { Step::RotateWithoutCrop(degrees) }
            }
            Self::Rotate90 { .. } => Step::QuarterTurns(1),
            Self::Rotate180 { .. } => Step::QuarterTurns(2),
            Self::Rotate270 { .. } => Step::QuarterTurns(3),
            Self::RotateRandom90 { .. } => Step::QuarterTurns(generator.random_range(1..=3)),
            Self::Zoom { min_factor, max_factor, .. } => Step::Zoom(draw_factor(generator, min_factor, max_factor)),
            Self::ZoomRandom { percentage_area, randomise_percentage_area, .. } => {
                let share = draw_share(generator, percentage_area, randomise_percentage_area);
                Step::ZoomRandom(Part { share, place: draw_place(generator) })
            }
            Self::CropBySize { width, height, centre, .. } => {
                let place = if centre { (500, 500) } else { draw_place(generator) };
                Step::CropBySize { width, height, place }
            }
            Self::CropCentre { percentage_area, randomise_percentage_area, .. } => {
                let share = draw_share(generator, percentage_area, randomise_percentage_area);
                Step::Crop(Part { share, place: (500, 500) })
            }
            Self::CropRandom { percentage_area, randomise_percentage_area, .. } => {
                let share = draw_share(generator, percentage_area, randomise_percentage_area);
                Step::Crop(Part { share, place: draw_place(generator) })
            }
            Self::Resize { width, height, .. } => Step::Resize(width, height),
            Self::Scale { scale_factor, .. } => Step::Scale(thousandths(scale_factor)),
            Self::FlipLeftRight { .. } => Step::FlipLeftRight,
            Self::FlipRandom { .. } if generator.random_bool(0.5) => Step::FlipLeftRight,
            Self::FlipTopBottom { .. } | Self::FlipRandom { .. } => Step::FlipTopBottom,
            Self::Skew { magnitude, .. } => {
                let kinds = [TILTS, LEFT_RIGHT, TOP_BOTTOM, CORNERS];
                let kind = kinds[generator.random_range(0..kinds.len())].clone();
                draw_skew(generator, magnitude, kind)
            }
            Self::SkewTilt { magnitude, .. } => draw_skew(generator, magnitude, TILTS),
            Self::SkewLeftRight { magnitude, .. } => draw_skew(generator, magnitude, LEFT_RIGHT),
            Self::SkewTopBottom { magnitude, .. } => draw_skew(generator, magnitude, TOP_BOTTOM),
            Self::SkewCorner { magnitude, .. } => draw_skew(generator, magnitude, CORNERS),
            Self::Shear { max_shear_left, max_shear_right, .. } => {
                let (left, right) = (max_shear_left as i32, max_shear_right as i32);
                let degrees = if compat {
                    // Cut towards 0, then moved: never 0, one too far to one side, one too few to the other.
                    let cut = generator.random_range(f64::from(-left - 1)..f64::from(right + 1)) as i32;
                    if cut == -1 { -1 } else { cut + 1 }
                } else {
                    generator.random_range(-left..=right)
                };
                Step::Shear { rows: generator.random_bool(0.5), degrees }
            }
            Self::RandomDistortion { grid_width, grid_height, magnitude, .. } => {
                let reach = magnitude as i32;
                let mut node = || (generator.random_range(-reach..=reach), generator.random_range(-reach..=reach));
                let nodes = (0..(grid_width - 1) * (grid_height - 1)).map(|_| node()).collect();
                Step::Distort { grid: (grid_width, grid_height), nodes }
            }
            Self::GaussianDistortion { grid_width, grid_height, .. } => {
                let nodes = self.deviations().into_iter().map(|deviation| {
                    let (x, y) = draw_normal(generator);
                    let hundredths = |normal: f64| (100.0 * deviation * normal).round() as i32;
                    (hundredths(x), hundredths(y))
                });
                Step::DistortFinely { grid: (grid_width, grid_height), nodes: nodes.collect() }
            }
            Self::RandomErasing { rectangle_area, .. } => {
                let most = thousandths(rectangle_area);
                let mut side = || generator.random_range(most.min(100)..=most);
                let mut size = (side(), side());
                let corner = (generator.random_range(0..=1000 - size.0), generator.random_range(0..=1000 - size.1));
                if compat {
                    // Drawn for one shape, pasted with the other.
                    size = (size.1, size.0);
                }
                Step::Erase { corner, size, seed: generator.random() }
            }
            Self::HistogramEqualisation { .. } => Step::Equalise,
            Self::Greyscale { .. } => Step::Greyscale,
            Self::Invert { .. } => Step::Invert,
            Self::BlackAndWhite { threshold, .. } => Step::BlackAndWhite(threshold),
            Self::RandomBrightness { min_factor, max_factor, .. } => {
                Step::Brightness(draw_factor(generator, min_factor, max_factor))
            }
            Self::RandomColor { min_factor, max_factor, .. } => {
                Step::Colour(draw_factor(generator, min_factor, max_factor))
            }
            Self::RandomContrast { min_factor, max_factor, .. } => {
                Step::Contrast(draw_factor(generator, min_factor, max_factor))
            }
            Self::HsvShift { hue_shift, saturation_shift, value_shift, saturation_scale, value_scale, .. } => {
                let mut shift = |most: f64| {
                    let most = thousandths(most) as i32;
                    generator.random_range(-most..=most)
                };
                let (hue, saturation, value) = (shift(hue_shift), shift(saturation_shift), shift(value_shift));
                let mut factor = |scale: f64| draw_factor(generator, 1.0 / (1.0 + scale), 1.0 + scale);
                let (saturation, value) = ((factor(saturation_scale), saturation), (factor(value_scale), value));
                Step::HsvShift { hue, saturation, value, cut: compat }
            }
        }
    }

    /// Of a Gaussian distortion, the standard deviation at every inner node by row, in 1/250 of the image's sides.
    fn deviations(&self) -> Vec<f64> {
        let Self::GaussianDistortion { grid_width, grid_height, magnitude, corner, method, mex, mey, sdx, sdy, .. } =
            *self
        else {
            return Vec::new();
        };
        // The bell is a product of one function of x and one of y, and so are its bounds.
        let across = |x: f64| libm::exp(-(x - mex) * (x - mex) / sdx);
        let down = |y: f64| libm::exp(-(y - mey) * (y - mey) / sdy);
        let bounds = |side: &dyn Fn(f64) -> f64| {
            // Augmentor looks for them at 50 places.
            let values = (0..50).map(|place| side(f64::from(place) / 49.0));
            values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)))
        };
        let (x, y) = (bounds(&across), bounds(&down));
        let (least, most) = (x.0 * y.0, x.1 * y.1);
        let deviation = |(x, y): (f64, f64)| {
            let (x, y) = match corner {
                Corner::Bell => (x, y),
                Corner::Ul => (x.midpoint(1.0), y.midpoint(1.0)),
                Corner::Ur => (x / 2.0, y.midpoint(1.0)),
                Corner::Dl => (x.midpoint(1.0), y / 2.0),
                Corner::Dr => (x / 2.0, y / 2.0),
            };
            let bell = across(x) * down(y);
            let height = match method {
                Method::In => bell - least,
                Method::Out => most - bell,
            };
            (height / (most - least)).max(0.01) * f64::from(magnitude)
        };
        let node = |place: u32, cells: u32| f64::from(place) / f64::from(cells);
        let row = |y: u32| (1..grid_width).map(move |x| (node(x, grid_width), node(y, grid_height)));
        (1..grid_height).flat_map(row).map(deviation).collect()
    }
}

/// The chance with which Augmentor applies what is asked for with `probability`: it compares with a uniform number
/// rounded to a tenth, which is 0 or 1 half as often as any tenth between.
fn as_augmentor(probability: f64) -> f64 {
    let tenths = (1..=10).take_while(|tenth| f64::from(*tenth) / 10.0 <= probability).count();
    // Augmentor refuses 0, and so do we to apply it.
    if probability == 0.0 { 0.0 } else { (0.05 + tenths as f64 / 10.0).min(1.0) }
}

/// Counterclockwise. The coin makes 0 twice as likely as any other angle, as it is in Augmentor.
fn draw_degrees(generator: &mut Pcg64Mcg, left: u32, right: u32) -> i32 {
    if generator.random_bool(0.5) {
        generator.random_range(0..=left as i32)
    } else {
        -generator.random_range(0..=right as i32)
    }
}

fn thousandths(factor: f64) -> u32 {
    (factor * 1000.0).round() as u32
}

fn draw_factor(generator: &mut Pcg64Mcg, least: f64, most: f64) -> u32 {
    generator.random_range(thousandths(least)..=thousandths(most))
}

fn draw_share(generator: &mut Pcg64Mcg, most: f64, randomise: bool) -> u32 {
    if randomise { draw_factor(generator, 0.1, most) } else { thousandths(most) }
}

fn draw_place(generator: &mut Pcg64Mcg) -> (u32, u32) {
    (generator.random_range(0..=1000), generator.random_range(0..=1000))
}

fn draw_skew(generator: &mut Pcg64Mcg, magnitude: f64, kind: Range<usize>) -> Step {
    let amount = generator.random_range(1..=(1000.0 * magnitude).ceil() as i32);
    Step::Skew(SKEWS[generator.random_range(kind)].map(|(x, y)| (x * amount, y * amount)))
}

/// Two independent standard normal numbers (Box and Muller 1958).
fn draw_normal(generator: &mut Pcg64Mcg) -> (f64, f64) {
    // Not 0, whose logarithm is not finite.
    let uniform = 1.0 - generator.random::<f64>();
    let radius = (-2.0 * libm::log(uniform)).sqrt();
    let (sine, cosine) = libm::sincos(TAU * generator.random::<f64>());
    (radius * cosine, radius * sine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn drawn(text: &str, compat: bool) -> Vec<Step> {
        let operation: Operation = toml::from_str(text).unwrap();
        operation.check(compat).unwrap();
        (0..4000).filter_map(|place| operation.draw(&mut random::generator(1, &[place]), compat)).collect()
    }

    fn degrees(steps: &[Step]) -> (i32, i32, usize) {
        let degrees = steps.iter().map(|step| match step {
            Step::Shear { degrees, .. } | Step::RotateAsAugmentor(degrees) | Step::Rotate(degrees) => *degrees,
            other => panic!("{other}"),
        });
        (degrees.clone().min().unwrap(), degrees.clone().max().unwrap(), degrees.filter(|d| *d == 0).count())
    }

    #[test]
    fn augmentors_probabilities_are_rounded_to_tenths_and_a_half_more() {
        for (asked, chance) in [(0.01, 0.05), (0.3, 0.35), (0.5, 0.55), (0.59, 0.55), (1.0, 1.0), (0.0, 0.0)] {
            assert!((as_augmentor(asked) - chance).abs() < 1e-12, "{asked}");
        }
        // Within five standard deviations (31) of 0.55 and 0.5 of 4000.
        let flip = "name = 'flip_left_right'\nprobability = 0.5";
        assert!((2043..=2357).contains(&drawn(flip, true).len()));
        assert!((1842..=2158).contains(&drawn(flip, false).len()));
    }

    #[test]
    fn shear_is_drawn_within_its_bounds_and_by_augmentor_one_off_and_never_0() {
        let shear = "name = 'shear'\nprobability = 1\nmax_shear_left = 5\nmax_shear_right = 7";
        let (least, most, zeros) = degrees(&drawn(shear, false));
        assert_eq!((least, most), (-5, 7));
        // 1 of 13, within five standard deviations (17).
        assert!((223..=392).contains(&zeros), "{zeros}");
        assert_eq!(degrees(&drawn(shear, true)), (-4, 8, 0));
    }

    #[test]
    fn augmentor_turns_right_where_left_is_said() {
        let rotate = "name = 'rotate'\nprobability = 1\nmax_left = 9\nmax_right = 3";
        let ours = degrees(&drawn(rotate, false));
        let theirs = degrees(&drawn(rotate, true));
        assert_eq!(((ours.0, ours.1), (theirs.0, theirs.1)), ((-3, 9), (-9, 3)));
    }

    #[test]
    fn erased_rectangles_stay_inside_unless_augmentor_draws_them() {
        let erase = "name = 'random_erasing'\nprobability = 1\nrectangle_area = 0.6";
        let outside = |steps: Vec<Step>| {
            let beyond = |step: &&Step| match step {
                Step::Erase { corner, size, .. } => corner.0 + size.0 > 1000 || corner.1 + size.1 > 1000,
                other => panic!("{other}"),
            };
            steps.iter().filter(beyond).count()
        };
        assert_eq!(outside(drawn(erase, false)), 0);
        assert!(outside(drawn(erase, true)) > 400);
        assert!(drawn(&erase.replace("0.6", "0.01"), false).iter().all(|s| s.to_string().contains("0.01x0.01")));
    }

    #[test]
    fn gaussian_moves_have_the_deviation_of_their_node() {
        let bell = "name = 'gaussian_distortion'\nprobability = 1\ngrid_width = 2\ngrid_height = 2\nmagnitude = 8\n\
                    corner = 'bell'\nmethod = 'in'";
        let operation: Operation = toml::from_str(bell).unwrap();
        let expected = operation.deviations()[0];
        let nodes = drawn(bell, false).into_iter().map(|step| match step {
            Step::DistortFinely { nodes, .. } => nodes[0],
            other => panic!("{other}"),
        });
        let moves: Vec<f64> = nodes.flat_map(|(x, y)| [f64::from(x) / 100.0, f64::from(y) / 100.0]).collect();
        let mean = moves.iter().sum::<f64>() / moves.len() as f64;
        let deviation = (moves.iter().map(|m| m * m).sum::<f64>() / moves.len() as f64).sqrt();
        // Five standard errors of 8000 numbers.
        assert!(mean.abs() < 5.0 * expected / 89.0 && (deviation / expected - 1.0).abs() < 5.0 / 126.0, "{deviation}");
    }

    /// What Augmentor hands to its normal distribution; `tests/golden/augment.py` listens.
    #[test]
    fn deviations_are_augmentors() {
        #[derive(serde::Deserialize)]
        struct Golden {
            operation: String,
            deviations: Vec<f64>,
        }
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../../tests/golden/augment/deviations.json")).unwrap();
        assert_eq!(golden.len(), 10);
        for Golden { operation, deviations } in golden {
            let ours = toml::from_str::<Operation>(&operation).unwrap().deviations();
            assert_eq!(ours.len(), deviations.len());
            assert!(ours.iter().zip(&deviations).all(|(a, b)| (a - b).abs() < 1e-9), "{operation}: {ours:?}");
        }
    }

    #[test]
    fn skew_moves_one_corner_or_two_outwards_by_up_to_the_magnitude() {
        let skew = "name = 'skew'\nprobability = 1\nmagnitude = 0.2";
        let mut seen = std::collections::BTreeSet::new();
        for step in drawn(skew, false) {
            let Step::Skew(corners) = step else { panic!("{step}") };
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
            drawn(&text, false).iter().map(Step::to_string).collect()
        };
        assert_eq!(
            texts("rotate_random_90").into_iter().collect::<Vec<_>>(),
            ["rotate_180", "rotate_270", "rotate_90"]
        );
        assert_eq!(texts("flip_random").into_iter().collect::<Vec<_>>(), ["flip_left_right", "flip_top_bottom"]);
    }
}
