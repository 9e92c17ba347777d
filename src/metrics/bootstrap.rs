//! Sampling error of a mean accuracy: a bootstrap over test images (Efron and Tibshirani 1993, percentile method). It
//! resamples people with all their images, because predictions for one person are alike. Without identities it
//! resamples images.
//! All classifiers are scored on the same resamples, so that their differences are paired.
//!
//! **Seeds** are resampled too, if there are at least [`LEAST_SEEDS`] of them: each resample of people is scored with as many
//! networks, drawn with replacement from those of all seeds (a crossed bootstrap; Owen 2007). A resample of `n` seeds varies
//! too little by the factor `(n - 1) / n`, so its deviation from the mean of all seeds is multiplied by `sqrt(n / (n - 1))`.
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
use std::collections::{BTreeMap, HashMap};

/// Number of resamples.
pub const RESAMPLES: usize = 2000;

/// The least p-value that so many resamples give, see [`bootstrap_p`].
pub const LEAST_P: f64 = 2.0 / (RESAMPLES + 1) as f64;

/// Seed of the resamples.
pub const SEED: u64 = 0;

/// The fewest units from which a bootstrap gives an interval or a p-value. With 20 the interval is 9 % too narrow: the
/// deviation lacks a factor of sqrt(20 / 19), and the normal quantile 1.96 stands for Student's 2.09.
pub const LEAST_UNITS: usize = 20;

/// The fewest units with a difference from which a bootstrap shows one. An exact test of five units of one sign has p =
/// 2/32, and resamples of so few are far more confident.
pub const LEAST_DIFFERING: usize = 6;

/// The fewest seeds that are resampled.
pub const LEAST_SEEDS: usize = 3;

/// The unit of resampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A person with all their images; an image without identity is a unit of its own.
    Identity,
    /// An image with its duplicates.
    Image,
}

impl Unit {
    /// A number of units in words: `1 person`, `20 people`.
    pub fn count(self, count: usize) -> String {
        let noun = match (self, count) {
            (Self::Identity, 1) => "person",
            (Self::Identity, _) => "people",
            (Self::Image, 1) => "test image",
            (Self::Image, _) => "test images",
        };
        format!("{count} {noun}")
    }
}

/// How the resamples were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapInfo {
    /// The unit of resampling.
    pub unit: Unit,
    /// Number of units, and of units in a resample.
    pub units: usize,
    /// Number of units of equal size that are as informative, `(sum of sizes)^2 / sum of squared sizes` (Kish 1965), if
    /// their sizes differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<f64>,
    /// Number of units with a label of the attribute for which the fewest have one, if that is not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rarest: Option<usize>,
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
    /// The fewest seeds that were resampled; `None` in results of older versions, which did not resample seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_seeds: Option<usize>,
}

impl BootstrapInfo {
    /// True if the units are enough for intervals and tests: [`LEAST_UNITS`] with a label of each attribute, of which a few do
    /// not hold most images. A mean over attributes gives a label that few units have as much weight as those of all others
    /// of an attribute.
    pub fn is_enough(&self) -> bool {
        self.rarest.unwrap_or(self.units) >= LEAST_UNITS
            && self.effective.is_none_or(|effective| effective >= LEAST_UNITS as f64)
    }

    /// True if an interval over so many seeds covers other seeds.
    pub fn covers_seeds(&self, seeds: usize) -> bool {
        self.least_seeds.is_some_and(|least| seeds >= least)
    }
}

/// The test images without their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestImages {
    /// The images' names, each once.
    pub names: Vec<String>,
    /// The identity of each image, if any has one.
    pub identities: Option<Vec<Option<String>>>,
    /// The name of the first image with the same file, for each other image with it, if any is.
    pub duplicate_of: Option<Vec<Option<String>>>,
}

/// The unit of each test image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    unit: Unit,
    /// Index of the unit, by image; `None` for an image without any known label.
    of_image: Vec<Option<usize>>,
    /// See [`BootstrapInfo`].
    rarest: Option<usize>,
}

impl Units {
    /// Groups images with their `known` labels by identity, if there are identities, and by file: an image without identity
    /// belongs to its duplicates, and to the first person among them. Units are numbered by name, so that the order of the images
    /// does not matter.
    pub fn new(images: &TestImages, known: &[ImageBits]) -> Self {
        let person = |image: usize| images.identities.as_ref()?[image].as_deref();
        let original = |image: usize| match &images.duplicate_of {
            Some(originals) => originals[image].as_deref().unwrap_or(&images.names[image]),
            None => &images.names[image],
        };
        let mut person_of: HashMap<&str, &str> = HashMap::new();
        for image in 0..images.names.len() {
            if let Some(person) = person(image) {
                person_of.entry(original(image)).or_insert(person);
            }
        }
        let key = |image: usize| match person(image).or_else(|| person_of.get(original(image)).copied()) {
            Some(person) => (true, person),
            None => (false, original(image)),
        };
        let keys: Vec<(bool, &str)> = (0..images.names.len()).map(key).collect();
        let unit = if images.identities.is_some() { Unit::Identity } else { Unit::Image };
        // The number of each unit, and its known labels.
        let mut numbers: BTreeMap<(bool, &str), (usize, ImageBits)> = BTreeMap::new();
        for (key, known) in keys.iter().zip(known).filter(|(_, known)| **known != 0) {
            numbers.entry(*key).or_default().1 |= known;
        }
        numbers.values_mut().enumerate().for_each(|(number, (value, _))| *value = number);
        let with_label = |i: usize| numbers.values().filter(|(_, known)| known >> i & 1 == 1).count();
        let rarest = (0..COUNT).map(with_label).filter(|units| *units > 0).min();
        let number = |(key, known): (&(bool, &str), &ImageBits)| (*known != 0).then(|| numbers[key].0);
        Self {
            unit,
            of_image: keys.iter().zip(known).map(number).collect(),
            rarest: rarest.filter(|units| *units < numbers.len()),
        }
    }

    /// How resamples of these units are made.
    pub fn info(&self) -> BootstrapInfo {
        BootstrapInfo {
            unit: self.unit,
            units: self.count(),
            effective: self.effective(),
            rarest: self.rarest,
            resamples: RESAMPLES,
            seed: SEED,
            least_seeds: Some(LEAST_SEEDS),
        }
    }

    fn count(&self) -> usize {
        self.of_image.iter().flatten().max().map_or(0, |last| last + 1)
    }

    /// Number of equally informative units of one size; `None` if all have one size.
    fn effective(&self) -> Option<f64> {
        let mut sizes = vec![0_u64; self.count()];
        self.of_image.iter().flatten().for_each(|unit| sizes[*unit] += 1);
        let differ = sizes.iter().any(|size| *size != sizes[0]);
        differ.then(|| effective(sizes.iter().map(|size| *size as f64)))
    }
}

/// The number of equal weights that are as informative as these, `(sum)^2 / sum of squares` (Kish 1965).
fn effective(weights: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = weights.fold((0.0, 0.0), |(sum, squares), weight| (sum + weight, squares + weight * weight));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// Labels and correct predictions that are known of each image: one bit an attribute.
pub type ImageBits = u64;

/// Resamples of the test images, with the score of each classifier on each.
pub struct Bootstrap {
    /// How they were made.
    pub info: BootstrapInfo,
    /// A row a unit, see [`Columns`].
    rows: Vec<u32>,
    columns: Columns,
    /// Sums of rows, see [`Columns`].
    resamples: Vec<Vec<u64>>,
}

/// The counts of a unit or a resample: a group for the known labels, then one for the correct predictions of each
/// classifier.
#[derive(Debug, Clone, Copy)]
struct Columns {
    /// Number of groups.
    groups: usize,
    /// Counts in a group: one if all images have labels of the same attributes, else one an attribute.
    width: usize,
}

impl Columns {
    fn new(known: &[ImageBits], classifiers: usize) -> Self {
        let is_even = known.windows(2).all(|pair| pair[0] == pair[1]);
        Self { groups: classifiers + 1, width: if is_even { 1 } else { COUNT } }
    }

    fn len(self) -> usize {
        self.groups * self.width
    }

    /// Adds an image's bits to a group of a row.
    fn add(self, row: &mut [u32], group: usize, bits: ImageBits) {
        let counts = &mut row[group * self.width..(group + 1) * self.width];
        match counts {
            [sum] => *sum += bits.count_ones(),
            counts => counts.iter_mut().enumerate().for_each(|(i, sum)| *sum += (bits >> i & 1) as u32),
        }
    }

    /// Mean accuracy over the attributes of classifiers `a`, less that of as many classifiers `b`. An attribute without a
    /// label in the resample is left out.
    fn difference(self, sums: &[u64], a: &[usize], b: &[usize]) -> f64 {
        let group = |index: usize| &sums[index * self.width..(index + 1) * self.width];
        let sum = |indices: &[usize], i: usize| indices.iter().map(|&c| group(c + 1)[i] as i64).sum::<i64>();
        let known = group(0).iter().enumerate().filter(|(_, known)| **known > 0);
        let shares = known.map(|(i, known)| (sum(a, i) - sum(b, i)) as f64 / (known * a.len() as u64) as f64);
        let (mut total, mut count) = (0.0, 0_usize);
        for share in shares {
            (total, count) = (total + share, count + 1);
        }
        if count > 0 { total / count as f64 } else { 0.0 }
    }
}

impl Bootstrap {
    /// Resamples for classifiers, given the `known` labels of every image and the correct predictions of each for them.
    pub fn new(units: &Units, known: &[ImageBits], classifiers: &[&[ImageBits]]) -> Self {
        let (count, columns) = (units.count(), Columns::new(known, classifiers.len()));
        let width = columns.len();
        let mut rows = vec![0_u32; count * width];
        let numbered = units.of_image.iter().enumerate().filter_map(|(image, unit)| Some((image, (*unit)?)));
        for (image, unit) in numbered {
            let row = &mut rows[unit * width..(unit + 1) * width];
            let bits = std::iter::once(known[image]).chain(classifiers.iter().map(|correct| correct[image]));
            bits.enumerate().for_each(|(group, bits)| columns.add(row, group, bits));
        }
        let resample = |number: usize| {
            let mut random = random::generator(SEED, &[random::name("bootstrap"), number as u64]);
            let mut sums = vec![0_u64; width];
            for _ in 0..count {
                let unit = random.random_range(0..count as u64) as usize;
                let row = &rows[unit * width..(unit + 1) * width];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u64::from(*value));
            }
            sums
        };
        let resamples = (0..RESAMPLES).into_par_iter().map(resample).collect();
        Self { info: units.info(), rows, columns, resamples }
    }

    /// 95 % interval of the mean accuracy over attributes and `classifiers`, one a seed, given by index; `None` from too few
    /// units, or if all resamples are alike.
    pub fn interval(&self, classifiers: &[usize]) -> Option<Interval> {
        self.info.is_enough().then(|| interval(&mut self.differences(classifiers, &[]))).flatten()
    }

    /// 95 % interval and p-value of the mean accuracy of classifiers `a` minus that of as many classifiers `b`, both in the
    /// order of their seeds; `None` from too few units, or too few with a difference, or if a few of these have most of the
    /// weight. Without variation there is a p-value alone.
    pub fn difference(&self, a: &[usize], b: &[usize]) -> (Option<Interval>, Option<f64>) {
        let enough = LEAST_DIFFERING as f64 - 1e-9;
        if !self.info.is_enough() || effective(self.shares(a, b).map(f64::abs)) < enough {
            return (None, None);
        }
        let mut differences = self.differences(a, b);
        (interval(&mut differences), Some(bootstrap_p(&differences)))
    }

    /// Number of units on which the mean accuracies of classifiers `a` and of `b` differ.
    pub fn differing(&self, a: &[usize], b: &[usize]) -> usize {
        self.shares(a, b).filter(|share| *share != 0.0).count()
    }

    /// The part of each unit in the difference of the means, up to a common factor.
    fn shares(&self, a: &[usize], b: &[usize]) -> impl Iterator<Item = f64> {
        let Columns { width, .. } = self.columns;
        let rows = || self.rows.chunks(self.columns.len());
        let known: Vec<f64> = (0..width).map(|i| rows().map(|row| f64::from(row[i])).sum()).collect();
        rows().map(move |row| {
            let sum =
                |indices: &[usize], i: usize| indices.iter().map(|c| i64::from(row[(c + 1) * width + i])).sum::<i64>();
            let differences = known.iter().enumerate().map(|(i, known)| (sum(a, i) - sum(b, i), known));
            differences
                .filter(|(difference, _)| *difference != 0)
                .map(|(difference, known)| difference as f64 / known)
                .sum::<f64>()
        })
    }

    fn differences(&self, a: &[usize], b: &[usize]) -> Vec<f64> {
        let seeds = a.len();
        let of_resample = |(number, sums): (usize, &Vec<u64>)| {
            let all = self.columns.difference(sums, a, b);
            if !self.info.covers_seeds(seeds) {
                return all;
            }
            let mut random = random::generator(SEED, &[random::name("bootstrap seeds"), number as u64]);
            let drawn: Vec<usize> = (0..seeds).map(|_| random.random_range(0..seeds as u64) as usize).collect();
            let chosen = |of: &[usize]| drawn.iter().filter_map(|&seed| of.get(seed).copied()).collect::<Vec<usize>>();
            let widening = (seeds as f64 / (seeds - 1) as f64).sqrt();
            all + widening * (self.columns.difference(sums, &chosen(a), &chosen(b)) - all)
        };
        self.resamples.iter().enumerate().map(of_resample).collect()
    }
}

/// The interval of resampled values; `None` if it has no width.
fn interval(values: &mut [f64]) -> Option<Interval> {
    Some(percentile_interval_95(values)).filter(|interval| interval.low < interval.high)
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
        /// Numbers of correct predictions of three seeds.
        seeds: Vec<[Vec<u32>; 2]>,
        mean_by_person_and_seed: Interval,
        difference_by_person_and_seed: Interval,
    }

    fn golden() -> Case {
        serde_json::from_str::<Golden>(include_str!("../../tests/golden/statistics.json")).unwrap().bootstrap
    }

    fn images(images: usize) -> TestImages {
        TestImages { names: (0..images).map(|i| format!("{i:04}")).collect(), ..TestImages::default() }
    }

    /// All labels of each image.
    fn all_known(images: usize) -> Vec<ImageBits> {
        vec![(1 << COUNT) - 1; images]
    }

    fn by_image(images: usize) -> Units {
        Units::new(&self::images(images), &all_known(images))
    }

    fn by_person(people: &[usize]) -> Units {
        let identities = Some(people.iter().map(|person| Some(person.to_string())).collect());
        Units::new(&TestImages { identities, ..images(people.len()) }, &all_known(people.len()))
    }

    /// A resampling of images with these numbers of correct predictions of each classifier, all 40 labels known.
    fn bootstrap(units: &Units, classifiers: &[&[u32]]) -> Bootstrap {
        let bits = |counts: &[u32]| counts.iter().map(|count| (1 << count) - 1).collect::<Vec<ImageBits>>();
        let classifiers: Vec<Vec<ImageBits>> = classifiers.iter().map(|counts| bits(counts)).collect();
        Bootstrap::new(
            units,
            &all_known(units.of_image.len()),
            &classifiers.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        )
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
        let classifiers = [case.a.as_slice(), &case.b];
        let people = bootstrap(&by_person(&case.people), &classifiers);
        near(people.interval(&[0]).unwrap(), case.mean_by_person);
        near(people.difference(&[0], &[1]).0.unwrap(), case.difference_by_person);
        let images = bootstrap(&by_image(case.a.len()), &classifiers);
        near(images.interval(&[0]).unwrap(), case.mean_by_image);
        assert_eq!((people.info.unit, images.info.unit), (Unit::Identity, Unit::Image));
        // Predictions for one invented person are alike, so that the two intervals tell the units apart.
        let width = |i: Interval| i.high - i.low;
        assert!(width(case.mean_by_person) > 1.5 * width(case.mean_by_image));
    }

    #[test]
    fn intervals_over_people_and_seeds_are_those_of_numpy() {
        let case = golden();
        let classifiers: Vec<&[u32]> = [0, 1].iter().flat_map(|i| case.seeds.iter().map(|seed| &*seed[*i])).collect();
        let found = bootstrap(&by_person(&case.people), &classifiers);
        let (a, b) = ([0, 1, 2], [3, 4, 5]);
        near(found.interval(&a).unwrap(), case.mean_by_person_and_seed);
        near(found.difference(&a, &b).0.unwrap(), case.difference_by_person_and_seed);
        // The seeds differ, so that the intervals tell whether seeds are resampled.
        let width = |interval: Interval| interval.high - interval.low;
        let of_people = Bootstrap { info: BootstrapInfo { least_seeds: None, ..found.info }, ..found };
        assert!(width(of_people.difference(&a, &b).0.unwrap()) < 0.8 * width(case.difference_by_person_and_seed));
    }

    #[test]
    fn two_seeds_are_not_resampled() {
        let case = golden();
        let classifiers: Vec<&[u32]> = case.seeds.iter().take(2).map(|seed| &*seed[0]).collect();
        let found = bootstrap(&by_person(&case.people), &classifiers);
        let mean = |sums: &Vec<u64>| found.columns.difference(sums, &[0, 1], &[]);
        assert_eq!(found.differences(&[0, 1], &[]), found.resamples.iter().map(mean).collect::<Vec<f64>>());
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
            pool.install(|| bootstrap(&by_person(&people), &[&a]).differences(&[0], &[]))
        };
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        assert_eq!(bits(differences(1, false)), bits(differences(3, false)));
        assert_eq!(bits(differences(1, false)), bits(differences(2, true)));
    }

    #[test]
    fn too_few_units_give_neither_interval_nor_p() {
        for (units, enough) in [(1, false), (2, false), (LEAST_UNITS - 1, false), (LEAST_UNITS, true)] {
            let (a, b): (Vec<u32>, Vec<u32>) = (0..units as u32).map(|i| (30 + i % 3, 29 + i % 2)).unzip();
            let found = bootstrap(&by_image(units), &[&a, &b]);
            let (interval, p) = found.difference(&[0], &[1]);
            assert_eq!([found.interval(&[0]).is_some(), interval.is_some(), p.is_some()], [enough; 3], "{units}");
        }
    }

    #[test]
    fn people_of_whom_one_has_most_images_are_too_few() {
        let mut people: Vec<usize> = (0..30).collect();
        people.extend([0; 300]);
        let counts: Vec<u32> = people.iter().zip(0..).map(|(_, i)| 30 + i % 3).collect();
        let found = bootstrap(&by_person(&people), &[&counts]);
        let effective = found.info.effective.unwrap();
        assert!((effective - 330.0 * 330.0 / (301.0 * 301.0 + 29.0)).abs() < 1e-9, "{effective}");
        assert_eq!((found.info.units, found.interval(&[0])), (30, None));
    }

    #[test]
    fn a_difference_on_five_images_of_a_thousand_is_not_tested() {
        let a = vec![30; 1000];
        for (differing, is_tested) in [(0, false), (LEAST_DIFFERING - 1, false), (LEAST_DIFFERING, true)] {
            let mut b = a.clone();
            b[..differing].fill(29);
            let found = bootstrap(&by_image(1000), &[&a, &b]);
            assert_eq!(found.differing(&[0], &[1]), differing);
            assert_eq!(found.difference(&[0], &[1]).1.is_some(), is_tested, "{differing}");
            // One classifier is correct equally often on every image: its mean has no interval.
            assert_eq!(found.interval(&[0]), None);
        }
    }

    #[test]
    fn a_mean_of_partly_known_labels_is_the_mean_over_attributes() {
        // 100 images with attribute 0, always correct, and every second with attribute 1, correct in 30 of 50.
        let known: Vec<ImageBits> = (0..100).map(|i| if i % 2 == 0 { 0b11 } else { 0b01 }).collect();
        let correct: Vec<ImageBits> = (0..100).map(|i| if i % 2 == 0 && i < 60 { 0b11 } else { 0b01 }).collect();
        let found = Bootstrap::new(&Units::new(&images(100), &known), &known, &[&correct]);
        let interval = found.interval(&[0]).unwrap();
        // Half of Wilson's interval of 30 in 50, above one half.
        let wilson = super::super::interval::wilson(30, 50);
        near(interval, Interval { low: 0.5 + wilson.low / 2.0, high: 0.5 + wilson.high / 2.0 });
    }

    #[test]
    fn an_image_without_identity_is_a_unit_of_its_own() {
        let identities = Some(vec![Some("7".to_owned()), Some("7".to_owned()), None]);
        let expected = Units { unit: Unit::Identity, of_image: vec![Some(1), Some(1), Some(0)], rarest: None };
        assert_eq!(Units::new(&TestImages { identities, ..images(3) }, &all_known(3)), expected);
    }

    #[test]
    fn duplicates_are_one_unit() {
        let first = || Some("0000".to_owned());
        let duplicates = TestImages { duplicate_of: Some(vec![None, first(), None, first()]), ..images(4) };
        let of_image = vec![Some(0), Some(0), Some(1), Some(0)];
        assert_eq!(Units::new(&duplicates, &all_known(4)), Units { unit: Unit::Image, of_image, rarest: None });
        // The fourth image has the person of the second, but not the second that of the third.
        let identities = Some([None, Some("7"), Some("8"), None].map(|person| person.map(str::to_owned)).to_vec());
        let of_image = vec![Some(0), Some(0), Some(1), Some(0)];
        let expected = Units { unit: Unit::Identity, of_image, rarest: None };
        assert_eq!(Units::new(&TestImages { identities, ..duplicates }, &all_known(4)), expected);
    }

    #[test]
    fn an_image_without_a_known_label_is_no_unit() {
        let mut known = vec![0; 40];
        known[..2].fill(1);
        let found = Bootstrap::new(&Units::new(&images(40), &known), &known, &[&known]);
        assert_eq!((found.info.units, found.interval(&[0])), (2, None));
    }

    #[test]
    fn an_attribute_that_few_units_have_allows_no_claim() {
        // Attribute 0 is known for all of 40 images, attribute 1 for some, where only the first classifier is correct.
        for (rare, enough) in [(3, false), (LEAST_UNITS - 1, false), (LEAST_UNITS, true)] {
            let with_rare = |common: &dyn Fn(usize) -> u64, bit: u64| -> Vec<ImageBits> {
                (0..40).map(|i| common(i) | if i < rare { bit } else { 0 }).collect()
            };
            let known = with_rare(&|_| 1, 0b10);
            let (a, b) = (with_rare(&|i| (i % 3 != 0).into(), 0b10), with_rare(&|i| (i % 4 != 0).into(), 0));
            let found = Bootstrap::new(&Units::new(&images(40), &known), &known, &[&a, &b]);
            assert_eq!(found.info.rarest, Some(rare));
            let (interval, p) = found.difference(&[0], &[1]);
            assert_eq!([found.interval(&[0]).is_some(), interval.is_some(), p.is_some()], [enough; 3], "{rare}");
        }
    }

    #[test]
    fn differences_of_few_heavy_units_are_not_tested() {
        // Attribute 0 is known for 1,000 images, attribute 1 for 20: each of these weighs as much as 50 of the others.
        let known: Vec<ImageBits> = (0..1000).map(|i| if i < 20 { 0b11 } else { 0b01 }).collect();
        let mut correct = known.clone();
        correct[..4].fill(0b01);
        correct[100..110].fill(0);
        let found = Bootstrap::new(&Units::new(&images(1000), &known), &known, &[&known, &correct]);
        assert_eq!((found.differing(&[0], &[1]), found.difference(&[0], &[1])), (14, (None, None)));
    }
}
