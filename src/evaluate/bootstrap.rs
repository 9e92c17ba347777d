//! How far a mean accuracy would move on other test images: a bootstrap (Efron and Tibshirani 1993) that draws people,
//! where they are known, with all their images, because images of one person are answered alike; images elsewhere.
//! All classifiers are scored on the same draws, so that their differences are paired.
//!
//! A draw is a function of its number alone, and what it adds up are whole numbers: the result is the same for any
//! number of threads.

use super::answers::{Answers, Mask};
use crate::attribute::COUNT;
use crate::metrics::significance::{middle_95, resampled_p};
use crate::metrics::statistics::Interval;
use crate::random;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often the test images are drawn.
pub const RESAMPLES: usize = 2000;

/// Decides every draw.
pub const SEED: u64 = 0;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A person with all images of theirs; an image of nobody known stands for itself.
    Identity,
    /// An image.
    Image,
}

/// How the draws were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// What was drawn.
    pub unit: Unit,
    /// How many there are to draw from, and how many a draw takes.
    pub units: usize,
    /// How many draws.
    pub resamples: usize,
    /// Decided the draws.
    pub seed: u64,
}

/// The draws: of each, how many images it has and how many answers of each classifier were right in it.
pub struct Bootstrap {
    /// How they were made.
    pub drawn: Drawn,
    draws: Vec<Draw>,
}

struct Draw {
    images: u64,
    right: Vec<u64>,
}

impl Bootstrap {
    /// Draws for `classifiers`, the right answers of each to the images of `test`.
    pub fn new(test: &Answers, classifiers: &[&[Mask]]) -> Self {
        let (unit, of_image) = units(test);
        let count = of_image.iter().max().map_or(0, |last| last + 1);
        // A row for each unit: its images, then each classifier's right answers to them.
        let width = classifiers.len() + 1;
        let mut rows = vec![0_u32; count * width];
        for (image, unit) in of_image.into_iter().enumerate() {
            let row = &mut rows[unit * width..(unit + 1) * width];
            row[0] += 1;
            row[1..].iter_mut().zip(classifiers).for_each(|(sum, right)| *sum += right[image].count_ones());
        }
        let draw = |number: usize| {
            let mut random = random::generator(SEED, &[random::name("bootstrap"), number as u64]);
            let mut sums = vec![0_u64; width];
            for _ in 0..count {
                let unit = random.random_range(0..count as u64) as usize;
                let row = &rows[unit * width..(unit + 1) * width];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u64::from(*value));
            }
            Draw { images: sums[0], right: sums.split_off(1) }
        };
        let draws = (0..RESAMPLES).into_par_iter().map(draw).collect();
        Self { drawn: Drawn { unit, units: count, resamples: RESAMPLES, seed: SEED }, draws }
    }

    /// 95 % interval of the mean accuracy over attributes and `classifiers`, given by their places.
    pub fn interval(&self, classifiers: &[usize]) -> Interval {
        middle_95(&mut self.differences(classifiers, &[]))
    }

    /// 95 % interval and p-value of the difference between the mean accuracy of as many classifiers `a` as `b`.
    pub fn difference(&self, a: &[usize], b: &[usize]) -> (Interval, f64) {
        let mut differences = self.differences(a, b);
        (middle_95(&mut differences), resampled_p(&differences))
    }

    fn differences(&self, a: &[usize], b: &[usize]) -> Vec<f64> {
        let of_draw = |draw: &Draw| {
            let sum = |places: &[usize]| places.iter().map(|&place| draw.right[place] as i64).sum::<i64>();
            (sum(a) - sum(b)) as f64 / (draw.images * (COUNT * a.len()) as u64) as f64
        };
        self.draws.iter().map(of_draw).collect()
    }
}

/// The unit that each image belongs to, numbered by name, so that the order of the images does not matter.
fn units(test: &Answers) -> (Unit, Vec<usize>) {
    let images = || test.images.iter().map(String::as_str);
    let (unit, keys): (Unit, Vec<(bool, &str)>) = match &test.identities {
        None => (Unit::Image, images().map(|image| (false, image)).collect()),
        Some(identities) => {
            let keys = images().zip(identities).map(|(image, who)| match who {
                Some(who) => (true, who.as_str()),
                None => (false, image),
            });
            (Unit::Identity, keys.collect())
        }
    };
    let mut places: BTreeMap<(bool, &str), usize> = keys.iter().map(|key| (*key, 0)).collect();
    places.values_mut().enumerate().for_each(|(place, value)| *value = place);
    (unit, keys.iter().map(|key| places[key]).collect())
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (scipy's bootstrap, 100,000 resamples of its own generator).

    use super::super::Head;
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        bootstrap: Case,
    }

    #[derive(Deserialize)]
    struct Case {
        people: Vec<usize>,
        a: Vec<u32>,
        b: Vec<u32>,
        mean_by_person: Interval,
        mean_by_image: Interval,
        difference_by_person: Interval,
    }

    /// A mask with this many right answers.
    fn masks(right: &[u32]) -> Vec<Mask> {
        right.iter().map(|&count| (1 << count) - 1).collect()
    }

    fn answers(people: Option<&[usize]>, right: Vec<Mask>) -> Answers {
        Answers {
            images: (0..right.len()).map(|i| format!("{i:04}")).collect(),
            identities: people.map(|people| people.iter().map(|p| Some(p.to_string())).collect()),
            labels: vec![0; right.len()],
            right: vec![(Head::Fln, right)],
        }
    }

    fn golden() -> Case {
        serde_json::from_str::<Golden>(include_str!("../../tests/golden/statistics.json")).unwrap().bootstrap
    }

    /// Both ends within 6 % of the interval's width, a few standard errors of a percentile of 2,000 resamples.
    #[track_caller]
    fn near(found: Interval, expected: Interval) {
        let within = 0.06 * (expected.high - expected.low);
        let near = |a: f64, b: f64| (a - b).abs() < within;
        assert!(near(found.low, expected.low) && near(found.high, expected.high), "{found:?} is not {expected:?}");
    }

    #[test]
    fn intervals_over_people_and_over_images_are_those_of_scipys_bootstrap() {
        let case = golden();
        let (a, b) = (masks(&case.a), masks(&case.b));
        let by_person = Bootstrap::new(&answers(Some(&case.people), a.clone()), &[&a, &b]);
        near(by_person.interval(&[0]), case.mean_by_person);
        near(by_person.difference(&[0], &[1]).0, case.difference_by_person);
        let by_image = Bootstrap::new(&answers(None, a.clone()), &[&a, &b]);
        near(by_image.interval(&[0]), case.mean_by_image);
        assert_eq!((by_person.drawn.unit, by_image.drawn.unit), (Unit::Identity, Unit::Image));
        // The invented people are answered alike, so that the two intervals tell the units apart.
        let width = |i: Interval| i.high - i.low;
        assert!(width(case.mean_by_person) > 1.5 * width(case.mean_by_image));
    }

    #[test]
    fn draws_are_the_same_for_any_number_of_threads_and_order_of_images() {
        let case = golden();
        let draw = |threads: usize, backwards: bool| {
            let (mut a, mut people) = (masks(&case.a), case.people.clone());
            let mut test = answers(Some(&people), a.clone());
            if backwards {
                a.reverse();
                people.reverse();
                test = answers(Some(&people), a.clone());
                test.images.reverse();
            }
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Bootstrap::new(&test, &[&a]).differences(&[0], &[]))
        };
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        assert_eq!(bits(draw(1, false)), bits(draw(3, false)));
        assert_eq!(bits(draw(1, false)), bits(draw(2, true)));
    }

    #[test]
    fn an_image_of_nobody_known_stands_for_itself() {
        let mut test = answers(Some(&[7, 7, 8]), vec![0; 3]);
        test.identities.as_mut().unwrap()[2] = None;
        assert_eq!(units(&test), (Unit::Identity, vec![1, 1, 0]));
    }
}
