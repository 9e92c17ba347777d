//! The runs of a report by variant: means over seeds, differences between variants, and comparability with the paper.

use super::published::Protocol;
use super::results::retests::RetestResults;
use super::results::runs::{DivergedRun, Run};
use crate::attribute::COUNT;
use crate::config::{Profile, RunSummary};
use crate::evaluate::{Affinity, AttributeResult, Head, HeadResult, Point, Statistics};
use crate::metrics::bootstrap::Unit;
use crate::metrics::mean::{MeanStd, mean};
use crate::render::format::{capitalized, thousands};
use crate::untrusted::markdown;
use crate::variant::{Kind, Registry, Style, Variant};

/// Sort key of a run in a report: variants in their order, unknown ones after them by name, then seeds.
pub(super) fn order(registry: Registry, summary: &RunSummary) -> (usize, String, u64) {
    (registry.rank(&summary.variant), summary.variant.clone(), summary.seed)
}

/// The runs of one variant, a seed each.
pub(super) struct VariantRuns<'a> {
    pub(super) name: &'a str,
    /// Name in print.
    pub(super) title: &'a str,
    pub(super) style: Style,
    /// `None` for a variant of a newer program.
    pub(super) facts: Option<&'static Variant>,
    pub(super) runs: Vec<&'a Run>,
}

impl<'a> VariantRuns<'a> {
    fn new(registry: Registry, runs: &'a [Run]) -> Self {
        let name = runs[0].summary().variant.as_str();
        let (title, style, facts) = (registry.title(name), registry.style(name), registry.find(name));
        Self { name, title, style, facts, runs: runs.iter().collect() }
    }

    /// True if training decides its affinity.
    pub(super) fn learns_affinity(&self) -> bool {
        self.facts.is_some_and(Variant::learns_affinity)
    }

    /// The head that the variant is scored by.
    pub(super) fn primary_head(&self) -> Head {
        self.runs[0].evaluation.primary_head().head
    }

    /// A value of one head over the seeds; `None` if a run lacks that head.
    pub(super) fn of_head(&self, head: Head, value: impl Fn(&HeadResult) -> f64) -> Option<MeanStd> {
        let values = self.runs.iter().map(|run| run.evaluation.head(head).map(&value));
        values.collect::<Option<Vec<f64>>>().map(|values| MeanStd::of(&values))
    }

    /// A value of the primary head over the seeds.
    pub(super) fn of_primary(&self, value: impl Fn(&HeadResult) -> f64) -> MeanStd {
        MeanStd::of(&self.runs.iter().map(|run| value(run.evaluation.primary_head())).collect::<Vec<f64>>())
    }

    /// Mean accuracy over attributes, by the primary head.
    pub(super) fn accuracy(&self) -> MeanStd {
        self.of_primary(HeadResult::mean_accuracy)
    }

    /// A value of an attribute over the seeds, by the primary head; `None` if a run lacks it.
    pub(super) fn of_attribute(&self, i: usize, value: impl Fn(&AttributeResult) -> Option<f64>) -> Option<MeanStd> {
        let values = self.runs.iter().map(|run| value(&run.evaluation.primary_head().attributes[i]));
        values.collect::<Option<Vec<f64>>>().map(|values| MeanStd::of(&values))
    }

    /// A value over some attributes and the seeds, by the primary head; `None` if no attribute has it.
    pub(super) fn of_attributes(
        &self,
        attributes: &[usize],
        value: impl Fn(&AttributeResult) -> Option<f64>,
    ) -> Option<MeanStd> {
        let of_run = |run: &&Run| {
            let all = &run.evaluation.primary_head().attributes;
            let values: Vec<f64> = attributes.iter().filter_map(|i| value(&all[*i])).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
        self.runs.iter().map(of_run).collect::<Option<Vec<f64>>>().map(|values| MeanStd::of(&values))
    }

    /// The mean affinity over the seeds; `None` if a run has none.
    pub(super) fn affinity(&self) -> Option<Affinity> {
        let matrices: Vec<&Affinity> = self.runs.iter().map(|run| run.affinity.as_ref()).collect::<Option<_>>()?;
        let cell = |i: usize, j: usize| mean(&matrices.iter().map(|m| m[i][j]).collect::<Vec<f64>>());
        Some((0..COUNT).map(|i| std::array::from_fn(|j| cell(i, j))).collect())
    }

    /// Weights of attributes on themselves over the seeds; `None` if a run has no affinity.
    pub(super) fn self_weights(&self) -> Option<SelfWeights> {
        let matrices: Vec<&Affinity> = self.runs.iter().map(|run| run.affinity.as_ref()).collect::<Option<_>>()?;
        let weights: Vec<f64> = matrices.iter().flat_map(|m| (0..COUNT).map(|i| m[i][i])).collect();
        Some(SelfWeights { mean: mean(&weights), least: weights.iter().copied().fold(f64::INFINITY, f64::min) })
    }
}

/// Mean weights of attributes on themselves, over the test split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SelfWeights {
    /// Over attributes and seeds.
    pub(super) mean: f64,
    /// The least of any attribute and seed.
    pub(super) least: f64,
}

impl SelfWeights {
    /// The mean weight of an attribute on itself from which an affinity counts as the identity: 39 other attributes then
    /// have a twentieth together.
    const IDENTITY: f64 = 0.95;

    /// True if the affinity is the identity, except for small weights.
    pub(super) fn is_identity(self) -> bool {
        self.mean >= Self::IDENTITY
    }
}

/// Numbers of attributes on which one variant is better than, worse than, and equal to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) better: usize,
    pub(super) worse: usize,
    pub(super) equal: usize,
}

/// Counts the signs of differences; one as small as a rounding error is zero.
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

/// A number of attributes with labels, as a noun phrase: `40 attributes`, `31 attributes with labels`.
pub(super) fn counted_attributes(scored: usize) -> String {
    match scored {
        COUNT => format!("{COUNT} attributes"),
        1 => "1 attribute with labels".to_owned(),
        scored => format!("{scored} attributes with labels"),
    }
}

/// The training curve of one run.
pub(super) struct Curve<'a> {
    /// The variant's name.
    pub(super) variant: &'a str,
    pub(super) points: &'a [Point],
}

/// The runs of a report and the tests of their differences.
pub(super) struct Report {
    pub(super) registry: Registry,
    runs: Vec<Run>,
    /// Runs that diverged, which have no results.
    pub(super) diverged: Vec<DivergedRun>,
    /// Intervals and tests; `None` in results of a version without them.
    pub(super) statistics: Option<Statistics>,
    /// The profile of all runs; `None` in results of a version without it.
    pub(super) profile: Option<Profile>,
    /// Tests on other images, which all runs have.
    pub(super) retests: Vec<RetestResults>,
}

impl Report {
    /// Expects at least one run.
    pub(super) fn new(
        registry: Registry,
        mut runs: Vec<Run>,
        diverged: Vec<DivergedRun>,
        statistics: Option<Statistics>,
        profile: Option<Profile>,
    ) -> Self {
        runs.sort_by_key(|run| order(registry, run.summary()));
        Self { registry, runs, diverged, statistics, profile, retests: Vec::new() }
    }

    /// The same report with tests on other images.
    pub(super) fn with_retests(self, retests: Vec<RetestResults>) -> Self {
        Self { retests, ..self }
    }

    /// The runs in their order.
    pub(super) fn into_runs(self) -> Vec<Run> {
        self.runs
    }

    /// The training curves of the finished runs.
    pub(super) fn curves(&self) -> impl Iterator<Item = Curve<'_>> {
        self.runs.iter().map(|run| Curve { variant: &run.summary().variant, points: &run.curve })
    }

    /// The training curves of the runs that diverged.
    pub(super) fn diverged_curves(&self) -> impl Iterator<Item = Curve<'_>> {
        self.diverged.iter().map(|run| Curve { variant: &run.record.variant, points: &run.curve })
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// A summary, for what all runs share: data, partition, profile.
    pub(super) fn shared(&self) -> &RunSummary {
        self.runs[0].summary()
    }

    /// The majority-class floor of each attribute with labels, the same for all runs since they share their test images.
    pub(super) fn floors(&self) -> Vec<Option<f64>> {
        self.runs[0].evaluation.primary_head().attributes.iter().map(|a| a.floor).collect()
    }

    /// The mean of the floors.
    pub(super) fn mean_floor(&self) -> f64 {
        self.runs[0].evaluation.primary_head().mean_floor()
    }

    /// Number of attributes with labels.
    pub(super) fn scored(&self) -> usize {
        self.runs[0].evaluation.primary_head().scored()
    }

    /// The attributes with labels, as a noun phrase.
    pub(super) fn attributes(&self) -> String {
        counted_attributes(self.scored())
    }

    /// Numbers of seeds of the variants, the least and the most.
    pub(super) fn seeds(&self) -> (usize, usize) {
        let counts = || self.runs.chunk_by(|a, b| a.summary().variant == b.summary().variant).map(<[Run]>::len);
        (counts().min().unwrap_or(0), counts().max().unwrap_or(0))
    }

    /// The units that intervals resample, and whether they resample seeds, in words; `None` without intervals.
    pub(super) fn resampled(&self) -> Option<String> {
        let info = self.statistics.as_ref()?.resampling;
        let units = match info.unit {
            Unit::Identity => "people",
            Unit::Image => "images",
        };
        let (least, most) = self.seeds();
        Some(match info.least_seeds {
            Some(_) if info.covers_seeds(least) => format!("{units} and seeds"),
            Some(enough) if info.covers_seeds(most) => format!("{units}, and seeds of variants with {enough} or more"),
            _ => format!("{units}, not seeds"),
        })
    }

    /// The paper's variants, and any of a newer program.
    pub(super) fn variants(&self) -> Vec<VariantRuns<'_>> {
        let mut all = self.with_controls();
        all.retain(|variant| variant.facts.is_none_or(|facts| facts.kind == Kind::Paper));
        all
    }

    /// Every variant, first those of the paper.
    pub(super) fn with_controls(&self) -> Vec<VariantRuns<'_>> {
        let chunks = self.runs.chunk_by(|a, b| a.summary().variant == b.summary().variant);
        chunks.map(|runs| VariantRuns::new(self.registry, runs)).collect()
    }

    /// The published protocol on the runs' data; `None` for synthetic faces.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        match self.shared().dataset.as_str() {
            "celeba" => Some(Protocol::Celeba),
            "lfwa" => Some(Protocol::Lfwa),
            _ => None,
        }
    }

    /// The data in Markdown: the data set, and the part of it.
    pub(super) fn data(&self) -> String {
        markdown(&self.shared().data())
    }

    /// The test images in Markdown.
    pub(super) fn test_data(&self) -> String {
        markdown(&self.shared().test_data())
    }

    /// True if data set, partition and protocol are the paper's, so that the accuracies compare with published ones.
    pub(super) fn is_papers_protocol(&self) -> bool {
        let faithful =
            self.runs.iter().all(|run| run.summary().is_official_test() && run.summary().deviations.is_empty());
        self.protocol().is_some() && faithful
    }

    /// The line under every table and figure.
    pub(super) fn caption(&self) -> String {
        let data = capitalized(&self.test_data());
        let verdict = if self.is_papers_protocol() { "the paper's protocol" } else { "not the paper's protocol" };
        let inputs = self.range(|s| s.input);
        let steps = self.range(|s| s.steps);
        let averaged = self.runs.iter().any(|run| !run.plain.is_empty());
        let mirrored = if averaged { ", averaged over mirrored images" } else { "" };
        format!("{data}, profile {} ({inputs} px input, {steps} steps{mirrored}): {verdict}.", self.shared().profile)
    }

    /// A count of the runs: one number, or the smallest and the largest.
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
