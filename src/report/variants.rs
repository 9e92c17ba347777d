//! The runs of a report by variant: means over seeds, differences between variants, and whether the whole may be set
//! beside the paper.

use super::published::On;
use super::results::Run;
use crate::attribute::COUNT;
use crate::config::RunSummary;
use crate::evaluate::{Affinity, Head, HeadResult, Statistics};
use crate::metrics::mean::{MeanStd, mean};
use crate::render::format::thousands;
use crate::variant::{Kind, Registry, Style, Variant};

/// The place of a run in a report: in the order of variants, those that this program does not have by name; seeds in order.
pub(super) fn place(registry: Registry, summary: &RunSummary) -> (usize, String, u64) {
    (registry.rank(&summary.variant), summary.variant.clone(), summary.seed)
}

/// The runs of one variant, a seed each.
pub(super) struct VariantRuns<'a> {
    pub(super) name: &'a str,
    /// Name in print.
    pub(super) title: &'a str,
    pub(super) style: Style,
    /// `None` for a variant that this program does not have.
    pub(super) facts: Option<&'static Variant>,
    pub(super) runs: Vec<&'a Run>,
}

impl<'a> VariantRuns<'a> {
    fn new(registry: Registry, runs: &'a [Run]) -> Self {
        let name = runs[0].summary().variant.as_str();
        let (title, style, facts) = (registry.title(name), registry.style(name), registry.find(name));
        Self { name, title, style, facts, runs: runs.iter().collect() }
    }

    /// Whether its affinity is learned.
    pub(super) fn learns_affinity(&self) -> bool {
        self.facts.is_some_and(Variant::learns_affinity)
    }

    /// The head by which the variant is judged.
    pub(super) fn primary_head(&self) -> Head {
        self.runs[0].evaluation.primary_head().head
    }

    /// A figure of one head over the seeds, where all runs have that head.
    pub(super) fn spread(&self, head: Head, figure: impl Fn(&HeadResult) -> f64) -> Option<MeanStd> {
        let values = self.runs.iter().map(|run| run.evaluation.head(head).map(&figure));
        values.collect::<Option<Vec<f64>>>().map(|values| MeanStd::of(&values))
    }

    /// A figure of the judged head over the seeds.
    pub(super) fn judged_spread(&self, figure: impl Fn(&HeadResult) -> f64) -> MeanStd {
        MeanStd::of(&self.runs.iter().map(|run| figure(run.evaluation.primary_head())).collect::<Vec<f64>>())
    }

    /// Mean accuracy over attributes by the judged head.
    pub(super) fn accuracy(&self) -> MeanStd {
        self.judged_spread(HeadResult::mean_accuracy)
    }

    /// Each attribute's accuracy by the judged head.
    pub(super) fn accuracies(&self) -> Vec<MeanStd> {
        (0..COUNT).map(|i| self.judged_spread(|head| head.attributes[i].accuracy)).collect()
    }

    /// The mean affinity over the seeds, where all runs have one.
    pub(super) fn affinity(&self) -> Option<Affinity> {
        let matrices: Vec<&Affinity> = self.runs.iter().map(|run| run.affinity.as_ref()).collect::<Option<_>>()?;
        let cell = |i: usize, j: usize| mean(&matrices.iter().map(|m| m[i][j]).collect::<Vec<f64>>());
        Some((0..COUNT).map(|i| std::array::from_fn(|j| cell(i, j))).collect())
    }
}

/// How many attributes one variant answers better, worse, and equally well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) better: usize,
    pub(super) worse: usize,
    pub(super) equal: usize,
}

/// Counts the signs of differences; less than a rounding error of a mean is none.
pub(super) fn tally(differences: impl Iterator<Item = f64>) -> Tally {
    let mut tally = Tally { better: 0, worse: 0, equal: 0 };
    for difference in differences {
        match difference {
            d if d > 1e-12 => tally.better += 1,
            d if d < -1e-12 => tally.worse += 1,
            _ => tally.equal += 1,
        }
    }
    tally
}

/// Everything a report is made from.
pub(super) struct Report {
    pub(super) registry: Registry,
    runs: Vec<Run>,
    /// Intervals and tests; results of a time before they were kept have none.
    pub(super) statistics: Option<Statistics>,
}

impl Report {
    /// `runs` are one at least.
    pub(super) fn new(registry: Registry, mut runs: Vec<Run>, statistics: Option<Statistics>) -> Self {
        runs.sort_by_key(|run| place(registry, run.summary()));
        Self { registry, runs, statistics }
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The summary that speaks for what all runs share: data, partition, profile.
    pub(super) fn shared(&self) -> &RunSummary {
        self.runs[0].summary()
    }

    /// The majority-class floor per attribute, the same for all runs as they share their test images.
    pub(super) fn floors(&self) -> Vec<f64> {
        self.runs[0].evaluation.primary_head().attributes.iter().map(|a| a.floor).collect()
    }

    /// The paper's variants, and any that this program does not have.
    pub(super) fn variants(&self) -> Vec<VariantRuns<'_>> {
        let mut all = self.with_controls();
        all.retain(|variant| variant.facts.is_none_or(|facts| facts.kind != Kind::Control));
        all
    }

    /// Every variant, the controls last.
    pub(super) fn with_controls(&self) -> Vec<VariantRuns<'_>> {
        let chunks = self.runs.chunk_by(|a, b| a.summary().variant == b.summary().variant);
        chunks.map(|runs| VariantRuns::new(self.registry, runs)).collect()
    }

    /// The published data set these figures are about, none for drawn faces.
    pub(super) fn on(&self) -> Option<On> {
        match self.shared().dataset.as_str() {
            "celeba" => Some(On::Celeba),
            "lfwa" => Some(On::Lfwa),
            _ => None,
        }
    }

    /// The data set in a sentence.
    pub(super) fn data(&self) -> &str {
        match self.shared().dataset.as_str() {
            "celeba" => "CelebA",
            "lfwa" => "LFWA",
            "synthetic" => "synthetic faces",
            other => other,
        }
    }

    /// Data set, partition and protocol are the paper's, so that figures may be compared with published ones.
    pub(super) fn like_for_like(&self) -> bool {
        let faithful = self.runs.iter().all(|run| run.summary().split_official && run.summary().deviations.is_empty());
        self.on().is_some() && faithful
    }

    /// The line under every table and figure.
    pub(super) fn caption(&self) -> String {
        let mut letters = self.data().chars();
        let data: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let verdict = if self.like_for_like() { "the paper's protocol" } else { "not the paper's protocol" };
        let inputs = self.range(|s| s.input);
        let steps = self.range(|s| s.steps);
        format!("{data}, profile {} ({inputs} px input, {steps} steps): {verdict}.", self.shared().profile)
    }

    /// A count of the runs: one number, or the least and the most.
    pub(super) fn range(&self, count: impl Fn(&RunSummary) -> usize) -> String {
        let counts: Vec<usize> = self.runs.iter().map(|run| count(run.summary())).collect();
        let (low, high) = counts.iter().fold((usize::MAX, 0), |(low, high), &c| (low.min(c), high.max(c)));
        if low == high { thousands(low) } else { format!("{} to {}", thousands(low), thousands(high)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_counted_by_sign() {
        assert_eq!(tally([0.1, -0.1, 0.0, 0.2, 1e-15].into_iter()), Tally { better: 2, worse: 1, equal: 2 });
    }
}
