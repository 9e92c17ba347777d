//! The answers of a report: whether GAL-j gains over Baseline, and what explains it. Each sentence follows from a paired
//! test, or from the measured affinity.

use super::super::published::paper_mean;
use super::super::runs::{Report, SelfWeights, VariantRuns};
use super::findings::test_words;
use super::{compared, failed};
use crate::evaluate::comparison::MeanDifference;
use crate::evaluate::{Statistics, Verdict};
use crate::render::format::{capitalized, percent, percent_mean_std, points, thousands};
use crate::variant::{BASELINE, Explanation, GAL_J, Kind, Streams, Variant};

/// A paired difference in mean accuracy.
struct Effect<'a> {
    title: &'a str,
    reference: &'a str,
    mean: MeanDifference,
    /// `None` without a test.
    verdict: Option<Verdict>,
    seeds: usize,
    same_features: bool,
    /// Interval and p-value, or why there are none.
    test: String,
    /// The interval covers other seeds, too.
    covers_seeds: bool,
}

impl<'a> Effect<'a> {
    /// The test of `name` against `reference`, with `interval` before its interval; `None` if it was not made.
    fn new(
        report: &'a Report,
        statistics: &Statistics,
        (name, reference): (&'a str, &'a str),
        interval: &str,
    ) -> Option<Self> {
        let (mean, comparison) = statistics.difference(name, reference)?;
        let seeds = comparison.seeds.len();
        Some(Self {
            title: report.registry.title(name),
            reference: report.registry.title(reference),
            verdict: mean.verdict(),
            seeds,
            same_features: comparison.same_features,
            test: test_words(statistics, &mean, interval).trim_start().to_owned(),
            covers_seeds: mean.interval.is_some() && statistics.resampling.covers_seeds(seeds),
            mean,
        })
    }

    /// Difference, interval and p or why there are none, and the deviation over several seeds that the interval leaves out.
    fn numbers(&self) -> String {
        let deviation = self.mean.deviation.filter(|_| !self.covers_seeds).map_or_else(String::new, |deviation| {
            format!(", sample standard deviation over seeds {} points", percent(deviation))
        });
        // An interval that covers seeds and contains 0 is reason enough.
        let contains_zero = self.mean.interval.is_some_and(|interval| interval.low <= 0.0 && interval.high >= 0.0);
        let differing = self.verdict.is_some() && self.seeds > 1 && !self.mean.every_seed;
        let reason = if differing && !(self.covers_seeds && contains_zero) { "; the seeds differ in sign" } else { "" };
        // A reason is a clause of its own.
        let mark = if self.verdict.is_some() { "," } else { ";" };
        format!("{} points{mark} {}{deviation}{reason}", points(self.mean.difference), self.test)
    }

    /// The outcome in a sentence.
    fn sentence(&self) -> String {
        let (title, reference, numbers) = (self.title, self.reference, self.numbers());
        match self.verdict {
            Some(Verdict::Better) => format!("{title} is more accurate than {reference} ({numbers})."),
            Some(Verdict::Worse) => format!("{title} is less accurate than {reference} ({numbers})."),
            Some(Verdict::Inconclusive) => {
                format!("No difference between {title} and {reference} is shown ({numbers}).")
            }
            None => format!("{title} is not tested against {reference} ({numbers})."),
        }
    }
}

/// The answers of a report in Markdown.
pub(super) struct Answers {
    /// The runs that have no results.
    pub(super) diverged: Option<String>,
    /// The runs whose results say nothing about the method.
    pub(super) failed: Option<String>,
    /// Whether GAL-j gains; `None` without a comparison of GAL-j with Baseline.
    pub(super) gain: Option<String>,
    /// Its explanations, a paragraph each.
    pub(super) explanations: Vec<String>,
}

impl Answers {
    pub(super) fn new(report: &Report) -> Self {
        let (gain, explanations) = report.statistics.as_ref().map_or_else(Default::default, |all| tested(report, all));
        Self { diverged: diverged(report), failed: failed::answer(report), gain, explanations }
    }
}

/// The answers, a paragraph each.
pub(in crate::report) fn answers(report: &Report) -> Vec<String> {
    let Answers { diverged, failed, gain, explanations } = Answers::new(report);
    diverged.into_iter().chain(failed).chain(gain).chain(explanations).collect()
}

/// The runs that diverged; `None` without one.
fn diverged(report: &Report) -> Option<String> {
    let named = report.diverged.iter().map(|run| {
        let (title, step) = (report.registry.title(&run.record.variant), thousands(run.record.step));
        format!("{title} with seed {} at step {step} (learning rate {})", run.record.seed, run.record.rate)
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| format!("**Diverged, without results**: {}.", named.join(", ")))
}

/// The answers that tests give: the gain, and its explanations.
fn tested(report: &Report, statistics: &Statistics) -> (Option<String>, Vec<String>) {
    // The gain comes first and names its interval.
    let gain = Effect::new(report, statistics, (GAL_J.name, BASELINE.name), "95 % interval");
    let effect = |name, reference| Effect::new(report, statistics, (name, reference), "");
    let mut answers = Vec::new();
    let mut untested = Vec::new();
    for explanation in Explanation::ALL {
        let tests = |variant: &&Variant| variant.tests == Some(explanation);
        let variants: Vec<&Variant> = report.registry.0.iter().filter(tests).collect();
        let against: Vec<Effect> = variants.iter().filter_map(|variant| effect(GAL_J.name, variant.name)).collect();
        let alone = variants.iter().filter_map(|variant| effect(variant.name, BASELINE.name));
        let is_one_stream = |variant: &&&Variant| variant.streams == Streams::One;
        let one_stream = variants.iter().filter(is_one_stream).any(|one| effect(GAL_J.name, one.name).is_some());
        let mut sentences = match explanation {
            Explanation::WeightDecay => weight_decay(gain.as_ref(), &alone.collect::<Vec<_>>(), &against),
            Explanation::SeparateStreams => separate_streams(&against, one_stream),
            Explanation::Attention => against.iter().map(Effect::sentence).collect(),
        };
        if against.is_empty() && !variants.is_empty() {
            untested.push(name(explanation));
        }
        if explanation == Explanation::Attention {
            sentences.extend(self_weights(report));
        }
        if !sentences.is_empty() {
            answers.push(format!("**{}.** {}", capitalized(name(explanation)), sentences.join(" ")));
        }
    }
    answers.extend(
        compared::answer(report, statistics, Kind::Compared).map(|answer| format!("**Compared nets.** {answer}")),
    );
    if let Some((last, others)) = untested.split_last().filter(|_| gain.is_some()) {
        let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
        answers.push(format!("No control was trained that tests {others}{last}."));
    }
    (gain.map(|gain| gain_sentences(report, &gain)), answers)
}

fn name(explanation: Explanation) -> &'static str {
    match explanation {
        Explanation::WeightDecay => "weight decay",
        Explanation::SeparateStreams => "separate gradient streams",
        Explanation::Attention => "attention between attributes",
    }
}

/// Whether GAL-j gains over Baseline, beside the paper's own gain.
fn gain_sentences(report: &Report, gain: &Effect) -> String {
    let (title, reference) = (gain.title, gain.reference);
    let failed = [GAL_J, BASELINE].into_iter().find(|variant| failed::has_failed(report, variant.name));
    let verdict = match (failed, gain.verdict) {
        (Some(variant), _) => format!("**Not known: the training of {} failed**", variant.title),
        (None, Some(Verdict::Better)) => format!("**Yes. {title} gains over {reference}**"),
        (None, Some(Verdict::Worse)) => format!("**No. {title} is less accurate than {reference}**"),
        (None, Some(Verdict::Inconclusive)) => format!("**No gain of {title} over {reference} is shown**"),
        (None, None) => format!("**{title} is not tested against {reference}**"),
    };
    let accuracy = |title: &str| report.with_controls().iter().find(|v| v.title == title).map(VariantRuns::accuracy);
    let accuracies = accuracy(title).zip(accuracy(reference)).map_or_else(String::new, |(own, other)| {
        format!(" ({} % against {} %)", percent_mean_std(own), percent_mean_std(other))
    });
    let mut text = format!("{verdict}{accuracies}: {}.", gain.numbers());
    if gain.same_features {
        text += " Both share the FLN, so the difference comes from the CLN alone.";
    }
    if gain.seeds < 2 {
        text += " Each is one network: with one seed, the variation between seeds is unknown.";
    }
    let paper = report.protocol().and_then(|protocol| {
        let mean = |name| paper_mean(protocol, report.registry, name);
        Some((mean(GAL_J.name)? - mean(BASELINE.name)?, protocol.label()))
    });
    if let Some((difference, label)) = paper {
        text += &format!(" The paper reports {} on {label} with its own protocol.", points(difference / 100.0));
    }
    text
}

/// Whether the other weight decay alone makes a difference, and whether GAL-j does beyond it.
fn weight_decay(gain: Option<&Effect>, alone: &[Effect], beyond: &[Effect]) -> Vec<String> {
    let mut sentences: Vec<String> = alone.iter().chain(beyond).map(Effect::sentence).collect();
    let ([alone], [beyond], Some(Verdict::Better)) = (alone, beyond, gain.and_then(|gain| gain.verdict)) else {
        return sentences;
    };
    let conclusion = match (alone.verdict, beyond.verdict) {
        (Some(Verdict::Better), Some(Verdict::Better)) => "So weight decay explains a part of the gain at most.",
        (_, Some(Verdict::Better)) => "So weight decay alone does not explain the gain.",
        (Some(Verdict::Better), _) => "So the gain may be that of weight decay.",
        _ => "So it is open whether weight decay explains the gain.",
    };
    sentences.push(conclusion.to_owned());
    sentences
}

/// Whether GAL-j is better than the variants without separate streams. A conclusion needs a test against `one_stream`: a
/// variant without a loss of the feature net differs in more than the streams.
fn separate_streams(against: &[Effect], one_stream: bool) -> Vec<String> {
    let mut sentences: Vec<String> = against.iter().map(Effect::sentence).collect();
    let all = |verdict| one_stream && against.iter().all(|effect| effect.verdict == Some(verdict));
    if all(Verdict::Better) {
        sentences.push("So the separate streams help.".to_owned());
    } else if all(Verdict::Worse) {
        sentences.push("So the separate streams cost accuracy.".to_owned());
    }
    sentences
}

/// Whether GAL-j's affinity is the identity, as measured; `None` without an affinity.
fn self_weights(report: &Report) -> Option<String> {
    let variants = report.with_controls();
    let proposal = variants.iter().find(|variant| variant.name == GAL_J.name)?;
    let weights = proposal.self_weights()?;
    let SelfWeights { mean, least } = weights;
    Some(if weights.is_identity() {
        format!(
            "The learned affinity ends as the identity, up to {:.1} % of the weights: the mean weight of an attribute on \
             itself is {mean:.3} (least {least:.3}). So {} is in effect a second classifier on each attribute's own features.",
            100.0 * (1.0 - mean),
            proposal.title
        )
    } else {
        format!(
            "The learned affinity does not end as the identity: the mean weight of an attribute on itself is {mean:.3} \
             (least {least:.3}), and the rest is on other attributes."
        )
    })
}
