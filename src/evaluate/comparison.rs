//! Tests of differences between networks: a paired bootstrap for mean accuracy, and McNemar's exact test for every
//! attribute, with Holm's correction over the forty.
//!
//! **One seed.** A test compares the two networks of that seed.
//!
//! **Several seeds, mean accuracy.** The difference is averaged over the seeds. All seeds share their test images, so each
//! resample of the images is used for all of them. From three seeds on, seeds are resampled too, so that interval
//! and p-value cover other test images and other seeds. Over two seeds they cover other test images for the *average of
//! these networks*. A difference is shown only if its sign is the same with every seed.
//!
//! **Several seeds, attributes.** An attribute differs only if it does so with every seed, in the same direction. Its
//! p-value is the largest of the seeds' (an intersection-union test, Berger 1982), which is valid for dependent seeds.
//! Sums of the seeds' counts would count every image several times.
//!
//! McNemar's test assumes independent images. It is too confident if people have several images, which get similar
//! predictions; the bootstrap over people is not.
//!
//! **Too few units.** Fewer people, or images, than [`LEAST_UNITS`] give no interval and no p-value, neither of a mean nor
//! of an attribute; nor do so few with a label of one of the attributes. A mean difference on fewer than [`LEAST_DIFFERING`]
//! of them has none either.
//!
//! **Labels that are not known** are left out. A mean accuracy is that over the attributes with labels, in each resample too.

use super::correctness::Correctness;
use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::metrics::bootstrap::{Bootstrap, BootstrapInfo, ImageBits, LEAST_DIFFERING, LEAST_UNITS, Units};
use crate::metrics::interval::Interval;
use crate::metrics::mean::{mean, sample_deviation};
use crate::metrics::significance::{LEVEL, holm, mcnemar};
use crate::variant::Head;
use serde::{Deserialize, Serialize};

/// A trained network or another tool, with the correctness of its predictions.
#[derive(Debug, Clone, Copy)]
pub struct Classifier<'a> {
    /// Its name; several seeds of one variant share it.
    pub name: &'a str,
    /// The seed, if it has one.
    pub seed: Option<u64>,
    /// Its predictions for the test images.
    pub correctness: &'a Correctness,
}

/// Mean accuracies of several classifiers on the same test images, and tests of their differences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// How the test images were resampled.
    #[serde(alias = "drawn")]
    pub resampling: BootstrapInfo,
    /// Mean accuracies: of each classifier, seed and head, and of all seeds together.
    pub means: Vec<MeanAccuracy>,
    /// Each pair: by seed, then all seeds together if there are several.
    pub comparisons: Vec<Comparison>,
}

/// A mean accuracy over the 40 attributes, and over seeds if there are several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanAccuracy {
    /// The classifier's name.
    pub name: String,
    /// Its seeds; empty if it has none.
    pub seeds: Vec<u64>,
    /// The head.
    pub head: Head,
    /// The mean.
    pub accuracy: f64,
    /// Its 95 % interval over other test images, and other seeds if there are three; `None` if there are too few
    /// images or all are alike.
    pub interval: Option<Interval>,
}

/// One classifier against another, each by its primary head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The classifier's name.
    pub name: String,
    /// The name of the one it is compared with.
    pub reference: String,
    /// Their common seeds; empty if they have none.
    pub seeds: Vec<u64>,
    /// True if their FLN heads predict the same, so that the difference is that of the correlation net alone.
    pub same_features: bool,
    /// Mean accuracy less that of the reference.
    pub mean: MeanDifference,
    /// The 40 attributes in the order of [`NAMES`].
    pub attributes: Vec<AttributeTest>,
}

/// A difference in mean accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanDifference {
    /// Difference of the means over the attributes, averaged over seeds.
    pub difference: f64,
    /// Its 95 % interval over other test images, and other seeds if there are three; `None` if there are too few
    /// images, or all have the same difference.
    pub interval: Option<Interval>,
    /// Two-sided p-value of the bootstrap; `None` if there are too few test images or too few with a difference.
    pub p: Option<f64>,
    /// Number of people or images on which the two are correct in different numbers; `None` in results of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differing: Option<usize>,
    /// Sample standard deviation over seeds, if there are several.
    pub deviation: Option<f64>,
    /// True if the sign is the same with every seed.
    pub every_seed: bool,
}

/// McNemar's test of one attribute; counts are sums over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeTest {
    /// The attribute's name.
    pub attribute: String,
    /// Images that only the classifier predicts correctly.
    pub gained: usize,
    /// Images that only the reference predicts correctly.
    pub lost: usize,
    /// Accuracy less that of the reference; `None` without a known label.
    pub difference: Option<f64>,
    /// Two-sided p-value, the largest of the seeds; 1 if their signs differ. `None` for an attribute without a known label,
    /// or from too few people or images.
    pub p: Option<f64>,
    /// The p-value corrected for all tested attributes.
    pub p_holm: Option<f64>,
}

/// Outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The classifier is better.
    Better,
    /// The classifier is worse.
    Worse,
    /// No difference is shown.
    Inconclusive,
}

fn verdict(difference: f64, p: f64) -> Verdict {
    match p <= LEVEL {
        true if difference > 0.0 => Verdict::Better,
        true if difference < 0.0 => Verdict::Worse,
        _ => Verdict::Inconclusive,
    }
}

impl AttributeTest {
    /// At the 5 % level for all attributes together; `None` without a test.
    pub fn verdict(&self) -> Option<Verdict> {
        Some(verdict(self.difference?, self.p_holm?))
    }
}

impl MeanDifference {
    /// At the 5 % level, and with every seed on the same side; `None` without a test.
    pub fn verdict(&self) -> Option<Verdict> {
        let p = self.p?;
        Some(if self.every_seed { verdict(self.difference, p) } else { Verdict::Inconclusive })
    }

    /// The difference from the side of the reference.
    fn turned(&self) -> Self {
        // Zero has no sign.
        let turned = |interval: Interval| Interval { low: 0.0 - interval.high, high: 0.0 - interval.low };
        Self { difference: 0.0 - self.difference, interval: self.interval.map(turned), ..self.clone() }
    }
}

impl Comparison {
    /// Number of attributes with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.attributes.iter().filter(|test| test.verdict() == Some(verdict)).count()
    }

    /// True if attributes were tested.
    pub fn is_tested(&self) -> bool {
        self.attributes.iter().any(|test| test.p.is_some())
    }
}

impl Statistics {
    /// Scores all classifiers, and compares the pairs (name, name of the reference) of them for every seed that both
    /// have. All are of the same images in the same order (see [`Correctness::same_test`]).
    ///
    /// # Errors
    /// No classifier; predictions for different images.
    pub fn new(classifiers: &[Classifier], pairs: &[(&str, &str)]) -> Result<Self> {
        let Some((Classifier { correctness: test, .. }, others)) = classifiers.split_first() else {
            return Err(Error::Internal("there is no classifier to compare".to_owned()));
        };
        if others.iter().any(|other| !other.correctness.same_test(test)) {
            return Err(Error::Internal("predictions for different test images cannot be compared".to_owned()));
        }
        let heads = classifiers.iter().enumerate().flat_map(|(classifier, c)| {
            c.correctness.correct.iter().map(move |(head, correct)| ScoredHead { classifier, head: *head, correct })
        });
        let heads: Vec<ScoredHead> = heads.collect();
        let correct: Vec<&[ImageBits]> = heads.iter().map(|head| head.correct).collect();
        let units = Units::new(&test.images, &test.known);
        let bootstrap = Bootstrap::new(&units, &test.known, &correct);
        let scored = Scored { classifiers, heads, known: known_labels(&test.known), bootstrap };
        let statistics = Self {
            resampling: scored.bootstrap.info,
            means: scored.means(),
            comparisons: pairs.iter().flat_map(|(name, reference)| scored.comparisons(name, reference)).collect(),
        };
        Ok(statistics.without_claims_of_few())
    }

    /// The comparison of two classifiers over the most seeds.
    pub fn comparison(&self, name: &str, reference: &str) -> Option<&Comparison> {
        self.comparisons.iter().filter(|c| c.name == name && c.reference == reference).max_by_key(|c| c.seeds.len())
    }

    /// The difference in mean accuracy of `name` from `reference` over the most seeds, with the test that gave it, made in
    /// either direction.
    pub fn difference(&self, name: &str, reference: &str) -> Option<(MeanDifference, &Comparison)> {
        let direct = self.comparison(name, reference).map(|comparison| (comparison.mean.clone(), comparison));
        let turned = || self.comparison(reference, name).map(|comparison| (comparison.mean.turned(), comparison));
        direct.or_else(turned)
    }

    /// The reason why the units give neither interval nor p-value; `None` if there are enough.
    pub fn few_units(&self) -> Option<String> {
        let BootstrapInfo { unit, units, effective, rarest, .. } = self.resampling;
        let all = unit.count(units);
        let needed = format!("an interval or a test, which need at least {}", unit.count(LEAST_UNITS));
        if units < LEAST_UNITS {
            let verb = if units == 1 { "is" } else { "are" };
            return Some(format!("{all} {verb} too few for {needed}"));
        }
        if let Some(rarest) = rarest.filter(|rarest| *rarest < LEAST_UNITS) {
            return Some(format!("an attribute has labels for {} only, too few for {needed}", unit.count(rarest)));
        }
        let effective = effective.filter(|_| !self.resampling.is_enough())?;
        Some(format!(
            "{all} are too few for {needed}: a few of them have most of the images, so that they count as {effective:.1}"
        ))
    }

    /// The reason why a difference in mean accuracy has no test; `None` if it has one.
    pub fn untested(&self, difference: &MeanDifference) -> Option<String> {
        if difference.p.is_some() {
            return None;
        }
        let unit = self.resampling.unit;
        Some(self.few_units().unwrap_or_else(|| match difference.differing {
            Some(0) => "the two are correct equally often on every test image".to_owned(),
            Some(differing @ LEAST_DIFFERING..) => {
                let count = unit.count(differing);
                format!("the two differ on {count}, a few of which have most of the weight, too few for a test")
            }
            differing => {
                let count = unit.count(differing.unwrap_or_default());
                format!("the two differ on {count} only, too few for a test, which needs at least {LEAST_DIFFERING}")
            }
        }))
    }

    /// Without intervals and p-values that too few units gave, as in results of older versions.
    pub fn without_claims_of_few(mut self) -> Self {
        if self.resampling.is_enough() {
            return self;
        }
        self.means.iter_mut().for_each(|mean| mean.interval = None);
        for comparison in &mut self.comparisons {
            (comparison.mean.interval, comparison.mean.p) = (None, None);
            comparison.attributes.iter_mut().for_each(|test| (test.p, test.p_holm) = (None, None));
        }
        self
    }

    /// The mean accuracy of one head over the most seeds.
    pub fn mean(&self, name: &str, head: Head) -> Option<&MeanAccuracy> {
        self.means.iter().filter(|m| m.name == name && m.head == head).max_by_key(|m| m.seeds.len())
    }
}

/// One head of one classifier.
struct ScoredHead<'a> {
    /// Index of the classifier.
    classifier: usize,
    head: Head,
    correct: &'a [ImageBits],
}

struct Scored<'a> {
    classifiers: &'a [Classifier<'a>],
    heads: Vec<ScoredHead<'a>>,
    /// Number of known labels of each attribute.
    known: [usize; COUNT],
    bootstrap: Bootstrap,
}

/// Number of images with each attribute's bit.
fn known_labels(images: &[ImageBits]) -> [usize; COUNT] {
    let mut counts = [0; COUNT];
    for image in images {
        counts.iter_mut().enumerate().for_each(|(i, count)| *count += (image >> i & 1) as usize);
    }
    counts
}

impl Scored<'_> {
    /// Indices of the classifiers of one name.
    fn named(&self, name: &str) -> Vec<usize> {
        (0..self.classifiers.len()).filter(|&c| self.classifiers[c].name == name).collect()
    }

    fn means(&self) -> Vec<MeanAccuracy> {
        let mut names: Vec<&str> = Vec::new();
        for classifier in self.classifiers {
            if !names.contains(&classifier.name) {
                names.push(classifier.name);
            }
        }
        let mut means = Vec::new();
        for name in names {
            for head in [Head::Fln, Head::Cln] {
                let wanted = |&i: &usize| self.heads[i].head == head && self.classifier(i).name == name;
                let heads: Vec<usize> = (0..self.heads.len()).filter(wanted).collect();
                means.extend(heads.iter().map(|&head| self.mean(&[head])));
                if heads.len() > 1 {
                    means.push(self.mean(&heads));
                }
            }
        }
        means
    }

    fn classifier(&self, head: usize) -> &Classifier<'_> {
        &self.classifiers[self.heads[head].classifier]
    }

    /// Mean accuracy over the attributes with known labels.
    fn accuracy(&self, correct: &[ImageBits]) -> f64 {
        let mut scored = self.known.iter().filter(|known| **known > 0).peekable();
        let first = scored.peek().map_or(0, |known| **known);
        // Equal counts are summed as whole numbers, which rounds once.
        if scored.clone().all(|known| *known == first) {
            let all = correct.iter().map(|image| image.count_ones() as usize).sum::<usize>();
            return all as f64 / (first * scored.count()) as f64;
        }
        let shares = known_labels(correct).into_iter().zip(self.known).filter(|(_, known)| *known > 0);
        mean(&shares.map(|(correct, known)| correct as f64 / known as f64).collect::<Vec<f64>>())
    }

    /// The mean accuracy of heads of one name and kind, given by index.
    fn mean(&self, heads: &[usize]) -> MeanAccuracy {
        let sum: f64 = heads.iter().map(|&head| self.accuracy(self.heads[head].correct)).sum();
        MeanAccuracy {
            name: self.classifier(heads[0]).name.to_owned(),
            seeds: heads.iter().filter_map(|&head| self.classifier(head).seed).collect(),
            head: self.heads[heads[0]].head,
            accuracy: sum / heads.len() as f64,
            interval: self.bootstrap.interval(heads),
        }
    }

    /// One name against another: by seed, then together.
    fn comparisons(&self, name: &str, reference: &str) -> Vec<Comparison> {
        let others = self.named(reference);
        let same_seed = |a: usize| {
            let other = others.iter().find(|&&b| self.classifiers[b].seed == self.classifiers[a].seed);
            other.map(|&b| (a, b))
        };
        let pairs: Vec<(usize, usize)> = self.named(name).into_iter().filter_map(same_seed).collect();
        let mut comparisons: Vec<Comparison> = pairs.iter().map(|&pair| self.compare(&[pair])).collect();
        if pairs.len() > 1 {
            comparisons.push(self.compare(&pairs));
        }
        comparisons
    }

    /// Index of a classifier's primary head, which is its last.
    fn primary_head(&self, classifier: usize) -> usize {
        self.heads.iter().rposition(|head| head.classifier == classifier).unwrap_or_default()
    }

    /// Compares pairs of classifiers, a pair a seed.
    fn compare(&self, pairs: &[(usize, usize)]) -> Comparison {
        let (a, b): (Vec<usize>, Vec<usize>) =
            pairs.iter().map(|&(a, b)| (self.primary_head(a), self.primary_head(b))).unzip();
        let correct: Vec<_> = a.iter().zip(&b).map(|(&a, &b)| (self.heads[a].correct, self.heads[b].correct)).collect();
        let differences: Vec<f64> = correct.iter().map(|(a, b)| self.accuracy(a) - self.accuracy(b)).collect();
        let (interval, p) = self.bootstrap.difference(&a, &b);
        let sign = |sign: f64| differences.iter().all(|d| d * sign > 0.0);
        let of_head = |classifier: usize, head: Head| self.classifiers[classifier].correctness.of_head(head);
        let same_features = |a: usize, b: usize| {
            let have_cln = [a, b].into_iter().any(|classifier| of_head(classifier, Head::Cln).is_some());
            have_cln && of_head(a, Head::Fln).is_some() && of_head(a, Head::Fln) == of_head(b, Head::Fln)
        };
        let (first, reference) = (&self.classifiers[pairs[0].0], &self.classifiers[pairs[0].1]);
        Comparison {
            name: first.name.to_owned(),
            reference: reference.name.to_owned(),
            seeds: pairs.iter().filter_map(|pair| self.classifiers[pair.0].seed).collect(),
            same_features: pairs.iter().all(|&(a, b)| same_features(a, b)),
            mean: MeanDifference {
                difference: differences.iter().sum::<f64>() / differences.len() as f64,
                interval,
                p,
                differing: Some(self.bootstrap.differing(&a, &b)),
                deviation: sample_deviation(&differences),
                every_seed: sign(1.0) || sign(-1.0),
            },
            attributes: attribute_tests(&correct, &self.known),
        }
    }
}

/// McNemar's tests of the attributes with known labels for pairs of correct predictions, a pair a seed.
fn attribute_tests(pairs: &[(&[ImageBits], &[ImageBits])], known: &[usize; COUNT]) -> Vec<AttributeTest> {
    let counts: Vec<Vec<(usize, usize)>> = pairs.iter().map(|(a, b)| disagreements(a, b)).collect();
    let tested: Vec<usize> = (0..COUNT).filter(|i| known[*i] > 0).collect();
    let of_attribute = |i: usize| counts.iter().map(move |of_seed| of_seed[i]);
    let p: Vec<f64> = tested
        .iter()
        .map(|&i| {
            let one_side = of_attribute(i).all(|(gained, lost)| gained > lost)
                || of_attribute(i).all(|(gained, lost)| gained < lost);
            let largest = of_attribute(i).map(|(gained, lost)| mcnemar(gained, lost)).fold(0.0, f64::max);
            if one_side { largest } else { 1.0 }
        })
        .collect();
    let corrected = holm(&p);
    (0..COUNT)
        .map(|i| {
            let test = tested.binary_search(&i).ok();
            let (gained, lost) = of_attribute(i).fold((0, 0), |sum, seed| (sum.0 + seed.0, sum.1 + seed.1));
            AttributeTest {
                attribute: NAMES[i].to_owned(),
                gained,
                lost,
                difference: test.map(|_| (gained as f64 - lost as f64) / (known[i] * pairs.len()) as f64),
                p: test.map(|test| p[test]),
                p_holm: test.map(|test| corrected[test]),
            }
        })
        .collect()
}

/// Images that only `a` predicts correctly and those that only `b` does, by attribute.
fn disagreements(a: &[ImageBits], b: &[ImageBits]) -> Vec<(usize, usize)> {
    let mut counts = vec![(0, 0); COUNT];
    for (a, b) in a.iter().zip(b) {
        for (i, (gained, lost)) in counts.iter_mut().enumerate() {
            *gained += (a & !b) as usize >> i & 1;
            *lost += (b & !a) as usize >> i & 1;
        }
    }
    counts
}
