//! Sampling error of a mean accuracy: a bootstrap over test images (Efron and Tibshirani 1993, percentile method). It
//! resamples people with all their images, because predictions for one person are alike. Without identities it
//! resamples images.
//! All classifiers are scored on the same resamples, so that their differences are paired.
//!
//! A resample is a function of its number alone, and its sums are whole numbers: the result is the same for any number
//! of threads.
//!
//! No crate: statrs has no cluster bootstrap, and none draws from this crate's random streams.

use super::interval::{Interval, percentile_interval_95};
use super::significance::bootstrap_p;
use crate::attribute::COUNT;
use crate::random;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of resamples.
pub const RESAMPLES: usize = 2000;

/// The least p-value that so many resamples give, see [`bootstrap_p`].
pub const LEAST_P: f64 = 2.0 / (RESAMPLES + 1) as f64;

/// Seed of the resamples.
pub const SEED: u64 = 0;

/// The unit of resampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A person with all their images; an image without identity is a unit of its own.
    Identity,
    /// An image.
    Image,
}

/// How the resamples were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapInfo {
    /// The unit of resampling.
    pub unit: Unit,
    /// Number of units, and of units in a resample.
    pub units: usize,
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

/// The unit of each test image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    unit: Unit,
    /// Index of the unit, by image.
    of_image: Vec<usize>,
}

impl Units {
    /// Groups `images` by identity, if there are identities. Units are numbered by name, so that the order of the images
    /// does not matter.
    pub fn new(images: &[String], identities: Option<&[Option<String>]>) -> Self {
        let names = || images.iter().map(String::as_str);
        let (unit, keys): (Unit, Vec<(bool, &str)>) = match identities {
            None => (Unit::Image, names().map(|image| (false, image)).collect()),
            Some(identities) => {
                let keys = names().zip(identities).map(|(image, person)| match person {
                    Some(person) => (true, person.as_str()),
                    None => (false, image),
                });
                (Unit::Identity, keys.collect())
            }
        };
        let mut numbers: BTreeMap<(bool, &str), usize> = keys.iter().map(|key| (*key, 0)).collect();
        numbers.values_mut().enumerate().for_each(|(number, value)| *value = number);
        Self { unit, of_image: keys.iter().map(|key| numbers[key]).collect() }
    }
}

/// Resamples of the test images, with the score of each classifier on each.
pub struct Bootstrap {
    /// How they were made.
    pub info: BootstrapInfo,
    resamples: Vec<Resample>,
}

struct Resample {
    images: u64,
    /// Correct predictions of each classifier.
    correct: Vec<u64>,
}

impl Bootstrap {
    /// Resamples for classifiers, given the number of correct predictions of each for every image, 0 to 40.
    pub fn new(units: Units, classifiers: &[Vec<u32>]) -> Self {
        let count = units.of_image.iter().max().map_or(0, |last| last + 1);
        // A row a unit: its images, then each classifier's correct predictions for them.
        let width = classifiers.len() + 1;
        let mut rows = vec![0_u32; count * width];
        for (image, unit) in units.of_image.into_iter().enumerate() {
            let row = &mut rows[unit * width..(unit + 1) * width];
            row[0] += 1;
            row[1..].iter_mut().zip(classifiers).for_each(|(sum, correct)| *sum += correct[image]);
        }
        let resample = |number: usize| {
            let mut random = random::generator(SEED, &[random::name("bootstrap"), number as u64]);
            let mut sums = vec![0_u64; width];
            for _ in 0..count {
                let unit = random.random_range(0..count as u64) as usize;
                let row = &rows[unit * width..(unit + 1) * width];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u64::from(*value));
            }
            Resample { images: sums[0], correct: sums.split_off(1) }
        };
        let resamples = (0..RESAMPLES).into_par_iter().map(resample).collect();
        Self { info: BootstrapInfo { unit: units.unit, units: count, resamples: RESAMPLES, seed: SEED }, resamples }
    }

    /// 95 % interval of the mean accuracy over attributes and `classifiers`, given by index.
    pub fn interval(&self, classifiers: &[usize]) -> Interval {
        percentile_interval_95(&mut self.differences(classifiers, &[]))
    }

    /// 95 % interval and p-value of the mean accuracy of classifiers `a` minus that of as many classifiers `b`.
    pub fn difference(&self, a: &[usize], b: &[usize]) -> (Interval, f64) {
        let mut differences = self.differences(a, b);
        (percentile_interval_95(&mut differences), bootstrap_p(&differences))
    }

    fn differences(&self, a: &[usize], b: &[usize]) -> Vec<f64> {
        let of_resample = |resample: &Resample| {
            let sum = |indices: &[usize]| indices.iter().map(|&index| resample.correct[index] as i64).sum::<i64>();
            (sum(a) - sum(b)) as f64 / (resample.images * (COUNT * a.len()) as u64) as f64
        };
        self.resamples.iter().map(of_resample).collect()
    }
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/statistics.py` (scipy's bootstrap, 100,000 resamples of its own generator).

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

    fn golden() -> Case {
        serde_json::from_str::<Golden>(include_str!("../../tests/golden/statistics.json")).unwrap().bootstrap
    }

    fn names(images: usize) -> Vec<String> {
        (0..images).map(|i| format!("{i:04}")).collect()
    }

    fn by_person(people: &[usize]) -> Units {
        let people: Vec<Option<String>> = people.iter().map(|person| Some(person.to_string())).collect();
        Units::new(&names(people.len()), Some(&people))
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
        let classifiers = [case.a.clone(), case.b.clone()];
        let people = Bootstrap::new(by_person(&case.people), &classifiers);
        near(people.interval(&[0]), case.mean_by_person);
        near(people.difference(&[0], &[1]).0, case.difference_by_person);
        let images = Bootstrap::new(Units::new(&names(case.a.len()), None), &classifiers);
        near(images.interval(&[0]), case.mean_by_image);
        assert_eq!((people.info.unit, images.info.unit), (Unit::Identity, Unit::Image));
        // Predictions for one invented person are alike, so that the two intervals tell the units apart.
        let width = |i: Interval| i.high - i.low;
        assert!(width(case.mean_by_person) > 1.5 * width(case.mean_by_image));
    }

    #[test]
    fn resamples_are_the_same_for_any_number_of_threads_and_order_of_images() {
        let case = golden();
        let differences = |threads: usize, reversed: bool| {
            let (mut a, mut people) = (case.a.clone(), case.people.clone());
            if reversed {
                a.reverse();
                people.reverse();
            }
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Bootstrap::new(by_person(&people), &[a]).differences(&[0], &[]))
        };
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        assert_eq!(bits(differences(1, false)), bits(differences(3, false)));
        assert_eq!(bits(differences(1, false)), bits(differences(2, true)));
    }

    #[test]
    fn an_image_without_identity_is_a_unit_of_its_own() {
        let people = [Some("7".to_owned()), Some("7".to_owned()), None];
        let expected = Units { unit: Unit::Identity, of_image: vec![1, 1, 0] };
        assert_eq!(Units::new(&names(3), Some(&people)), expected);
    }
}
