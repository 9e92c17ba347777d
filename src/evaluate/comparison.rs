//! Is one network better than another? Answered for mean accuracy by a paired bootstrap, and for every attribute by
//! McNemar's exact test with Holm's correction over the forty.
//!
//! **Several seeds.** Every claim about one seed is about the two networks that this seed made. For several seeds
//! together
//! - the difference in mean accuracy is averaged over the seeds, and each draw of the bootstrap draws the test images
//!   once for all of them: the seeds share their test images, so that they are no independent samples of them. The
//!   interval says how the *average of these networks* would move on other test images. It does not say how it would
//!   move with other seeds: three seeds are too few to resample (ten different draws). That is left to the sample
//!   standard deviation over the seeds and to the rule that a difference counts as shown only where its sign is the
//!   same with every seed;
//! - an attribute counts as different only where it is with every seed, in the same direction: its p-value is the
//!   largest of the seeds' (an intersection-union test, Berger 1982), which is valid however the seeds depend on each
//!   other. Adding up the seeds' counts would count every image several times.
//!
//! McNemar's test takes images as independent. Where a person has several, which are answered alike, it is somewhat
//! too sure; the bootstrap over people is not.

use super::Head;
use super::answers::{Answers, Mask};
use super::bootstrap::{Bootstrap, Drawn};
use crate::attribute::{COUNT, NAMES};
use crate::error::{Error, Result};
use crate::metrics::significance::{LEVEL, holm, mcnemar};
use crate::metrics::statistics::{Interval, sample_deviation};
use serde::{Deserialize, Serialize};

/// A trained network, or another tool, with its answers.
#[derive(Debug, Clone, Copy)]
pub struct Contestant<'a> {
    /// Its name; several seeds of one variant share it.
    pub name: &'a str,
    /// The seed, where it has one.
    pub seed: Option<u64>,
    /// Its answers to the test images.
    pub answers: &'a Answers,
}

/// What the answers of several contestants to the same test images show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// How intervals of means came about.
    pub drawn: Drawn,
    /// Mean accuracies: of each contestant, seed and head, and of all seeds together.
    pub means: Vec<MeanAccuracy>,
    /// Each pair: by seed, then all seeds together where there are several.
    pub comparisons: Vec<Comparison>,
}

/// A mean accuracy over the 40 attributes, and over seeds where there are several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanAccuracy {
    /// Whose.
    pub name: String,
    /// With which seeds; none where it has none.
    pub seeds: Vec<u64>,
    /// By which head.
    pub head: Head,
    /// The mean.
    pub accuracy: f64,
    /// Its 95 % interval over other test images.
    pub interval: Interval,
}

/// One contestant against another, each by the head it is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Who is compared.
    pub name: String,
    /// With whom.
    pub reference: String,
    /// With which seeds; none where they have none.
    pub seeds: Vec<u64>,
    /// Both answer alike by their FLN heads, so that the difference is that of the correlation net alone.
    pub same_features: bool,
    /// Mean accuracy less that of the reference.
    pub mean: MeanDifference,
    /// The 40 attributes in the order of [`NAMES`].
    pub attributes: Vec<AttributeTest>,
}

/// A difference in mean accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanDifference {
    /// Of the means over the attributes, averaged over seeds.
    pub difference: f64,
    /// Its 95 % interval over other test images.
    pub interval: Interval,
    /// Two-sided p-value of the bootstrap.
    pub p: f64,
    /// Sample standard deviation over seeds, where there are several.
    pub deviation: Option<f64>,
    /// Whether the sign is the same with every seed.
    pub every_seed: bool,
}

/// McNemar's test of one attribute; counts are sums over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeTest {
    /// The attribute's name.
    pub attribute: String,
    /// Images that the contestant alone answers rightly.
    pub gained: usize,
    /// Images that the reference alone answers rightly.
    pub lost: usize,
    /// Accuracy less that of the reference.
    pub difference: f64,
    /// Two-sided p-value, of several seeds the largest; 1 where seeds fall on different sides.
    pub p: f64,
    /// The p-value corrected for the 40 attributes.
    pub p_holm: f64,
}

/// What a test shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The contestant is better.
    Better,
    /// The contestant is worse.
    Worse,
    /// Neither is shown.
    Open,
}

fn verdict(difference: f64, p: f64) -> Verdict {
    match p <= LEVEL {
        true if difference > 0.0 => Verdict::Better,
        true if difference < 0.0 => Verdict::Worse,
        _ => Verdict::Open,
    }
}

impl AttributeTest {
    /// At the 5 % level for all 40 attributes together.
    pub fn verdict(&self) -> Verdict {
        verdict(self.difference, self.p_holm)
    }
}

impl MeanDifference {
    /// At the 5 % level, and with every seed on the same side.
    pub fn verdict(&self) -> Verdict {
        if self.every_seed { verdict(self.difference, self.p) } else { Verdict::Open }
    }
}

impl Comparison {
    /// On how many attributes the tests fall out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.attributes.iter().filter(|test| test.verdict() == verdict).count()
    }
}

impl Statistics {
    /// Scores all contestants, and compares the pairs (name, name of the reference) of them with every seed that both
    /// have. The answers are to the same images in the same order (see [`Answers::same_test`]).
    ///
    /// # Errors
    /// Nobody to score; answers to different images.
    pub fn new(contestants: &[Contestant], pairs: &[(&str, &str)]) -> Result<Self> {
        let Some((first, others)) = contestants.split_first() else {
            return Err(Error::Internal("there is nobody to compare".to_owned()));
        };
        if others.iter().any(|other| !other.answers.same_test(first.answers)) {
            return Err(Error::Internal("answers to different test images cannot be compared".to_owned()));
        }
        let heads = contestants.iter().enumerate().flat_map(|(c, contestant)| {
            contestant.answers.right.iter().map(move |(head, right)| Classifier { contestant: c, head: *head, right })
        });
        let classifiers: Vec<Classifier> = heads.collect();
        let right: Vec<&[Mask]> = classifiers.iter().map(|classifier| classifier.right).collect();
        let scored = Scored { contestants, bootstrap: Bootstrap::new(first.answers, &right), classifiers };
        Ok(Self {
            drawn: scored.bootstrap.drawn,
            means: scored.means(),
            comparisons: pairs.iter().flat_map(|(name, reference)| scored.comparisons(name, reference)).collect(),
        })
    }

    /// The comparison of two with one another that says most: of all seeds together where there are several.
    pub fn comparison(&self, name: &str, reference: &str) -> Option<&Comparison> {
        self.comparisons.iter().filter(|c| c.name == name && c.reference == reference).max_by_key(|c| c.seeds.len())
    }

    /// The mean accuracy by one head that says most.
    pub fn mean(&self, name: &str, head: Head) -> Option<&MeanAccuracy> {
        self.means.iter().filter(|m| m.name == name && m.head == head).max_by_key(|m| m.seeds.len())
    }
}

/// One head of one contestant.
struct Classifier<'a> {
    /// Its place among the contestants.
    contestant: usize,
    head: Head,
    right: &'a [Mask],
}

struct Scored<'a> {
    contestants: &'a [Contestant<'a>],
    classifiers: Vec<Classifier<'a>>,
    bootstrap: Bootstrap,
}

/// Mean accuracy over images and attributes.
fn accuracy(right: &[Mask]) -> f64 {
    right.iter().map(|image| image.count_ones() as usize).sum::<usize>() as f64 / (right.len() * COUNT) as f64
}

impl Scored<'_> {
    /// The places of a name's contestants.
    fn named(&self, name: &str) -> Vec<usize> {
        (0..self.contestants.len()).filter(|&c| self.contestants[c].name == name).collect()
    }

    fn means(&self) -> Vec<MeanAccuracy> {
        let mut names: Vec<&str> = Vec::new();
        for contestant in self.contestants {
            if !names.contains(&contestant.name) {
                names.push(contestant.name);
            }
        }
        let mut means = Vec::new();
        for name in names {
            for head in [Head::Fln, Head::Cln] {
                let of = |k: &usize| self.classifiers[*k].head == head && self.name(*k) == name;
                let places: Vec<usize> = (0..self.classifiers.len()).filter(of).collect();
                means.extend(places.iter().map(|&place| self.mean(&[place])));
                if places.len() > 1 {
                    means.push(self.mean(&places));
                }
            }
        }
        means
    }

    fn name(&self, classifier: usize) -> &str {
        self.contestants[self.classifiers[classifier].contestant].name
    }

    /// The mean accuracy of some classifiers of one name and head.
    fn mean(&self, places: &[usize]) -> MeanAccuracy {
        let sum: f64 = places.iter().map(|&place| accuracy(self.classifiers[place].right)).sum();
        let contestant = |place: &usize| &self.contestants[self.classifiers[*place].contestant];
        MeanAccuracy {
            name: self.name(places[0]).to_owned(),
            seeds: places.iter().filter_map(|place| contestant(place).seed).collect(),
            head: self.classifiers[places[0]].head,
            accuracy: sum / places.len() as f64,
            interval: self.bootstrap.interval(places),
        }
    }

    /// One name against another: by seed, then together.
    fn comparisons(&self, name: &str, reference: &str) -> Vec<Comparison> {
        let others = self.named(reference);
        let same_seed = |a: usize| {
            let other = others.iter().find(|&&b| self.contestants[b].seed == self.contestants[a].seed);
            other.map(|&b| (a, b))
        };
        let pairs: Vec<(usize, usize)> = self.named(name).into_iter().filter_map(same_seed).collect();
        let mut comparisons: Vec<Comparison> = pairs.iter().map(|&pair| self.compare(&[pair])).collect();
        if pairs.len() > 1 {
            comparisons.push(self.compare(&pairs));
        }
        comparisons
    }

    /// The place of a contestant's judged head among the classifiers.
    fn judged(&self, contestant: usize) -> usize {
        self.classifiers.iter().rposition(|c| c.contestant == contestant).unwrap_or_default()
    }

    /// Compares pairs of contestants, a pair a seed.
    fn compare(&self, pairs: &[(usize, usize)]) -> Comparison {
        let (a, b): (Vec<usize>, Vec<usize>) = pairs.iter().map(|&(a, b)| (self.judged(a), self.judged(b))).unzip();
        let right = |place: usize| self.classifiers[place].right;
        let differences: Vec<f64> = a.iter().zip(&b).map(|(&a, &b)| accuracy(right(a)) - accuracy(right(b))).collect();
        let (interval, p) = self.bootstrap.difference(&a, &b);
        let sign = |sign: f64| differences.iter().all(|d| d * sign > 0.0);
        let features = |contestant: usize| self.contestants[contestant].answers.of_head(Head::Fln);
        let (first, reference) = (&self.contestants[pairs[0].0], &self.contestants[pairs[0].1]);
        Comparison {
            name: first.name.to_owned(),
            reference: reference.name.to_owned(),
            seeds: pairs.iter().filter_map(|pair| self.contestants[pair.0].seed).collect(),
            same_features: pairs.iter().all(|&(a, b)| features(a).is_some() && features(a) == features(b)),
            mean: MeanDifference {
                difference: differences.iter().sum::<f64>() / differences.len() as f64,
                interval,
                p,
                deviation: sample_deviation(&differences),
                every_seed: sign(1.0) || sign(-1.0),
            },
            attributes: attributes(&a.iter().zip(&b).map(|(&a, &b)| (right(a), right(b))).collect::<Vec<_>>()),
        }
    }
}

/// McNemar's tests of the 40 attributes, of pairs of right answers, a pair a seed.
fn attributes(pairs: &[(&[Mask], &[Mask])]) -> Vec<AttributeTest> {
    let counts: Vec<Vec<(usize, usize)>> = pairs.iter().map(|(a, b)| disagreements(a, b)).collect();
    let images: usize = pairs.iter().map(|(a, _)| a.len()).sum();
    let of_attribute = |i: usize| counts.iter().map(move |of_seed| of_seed[i]);
    let p: Vec<f64> = (0..COUNT)
        .map(|i| {
            let one_side = of_attribute(i).all(|(gained, lost)| gained > lost)
                || of_attribute(i).all(|(gained, lost)| gained < lost);
            let largest = of_attribute(i).map(|(gained, lost)| mcnemar(gained, lost)).fold(0.0, f64::max);
            if one_side { largest } else { 1.0 }
        })
        .collect();
    let corrected = holm(&p);
    (0..COUNT)
        .map(|i| {
            let (gained, lost) = of_attribute(i).fold((0, 0), |sum, seed| (sum.0 + seed.0, sum.1 + seed.1));
            AttributeTest {
                attribute: NAMES[i].to_owned(),
                gained,
                lost,
                difference: (gained as f64 - lost as f64) / images as f64,
                p: p[i],
                p_holm: corrected[i],
            }
        })
        .collect()
}

/// Of each attribute: images that only `a` answers rightly, and those that only `b` does.
fn disagreements(a: &[Mask], b: &[Mask]) -> Vec<(usize, usize)> {
    let mut counts = vec![(0, 0); COUNT];
    for (a, b) in a.iter().zip(b) {
        for (i, (gained, lost)) in counts.iter_mut().enumerate() {
            *gained += (a & !b) as usize >> i & 1;
            *lost += (b & !a) as usize >> i & 1;
        }
    }
    counts
}
