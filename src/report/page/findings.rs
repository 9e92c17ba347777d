//! Findings in sentences, for the page and for a terminal.

use crate::evaluate::comparison::MeanDifference;
use crate::evaluate::{Comparison, Statistics, Verdict};
use crate::metrics::bootstrap::{BootstrapInfo, Unit};
use crate::render::format::{bootstrap_p, difference_words, percent, points_interval, thousands};
use crate::variant::{REGISTRY, Registry};

/// One finding for each pair: the one of all seeds together, if there are several.
pub fn findings(statistics: &Statistics) -> Vec<String> {
    broadest(statistics).map(|comparison| sentence(REGISTRY, statistics, comparison)).collect()
}

/// One comparison for each pair, that of all seeds together if there are several.
pub(super) fn broadest(statistics: &Statistics) -> impl Iterator<Item = &Comparison> {
    let most = |c: &&Comparison| statistics.comparison(&c.name, &c.reference).is_some_and(|most| most == *c);
    statistics.comparisons.iter().filter(most)
}

/// The result of a comparison on attributes and on the mean.
pub(super) fn sentence(registry: Registry, statistics: &Statistics, comparison: &Comparison) -> String {
    let mean = &comparison.mean;
    let (name, reference) = (registry.title(&comparison.name), registry.title(&comparison.reference));
    let (lead, averaged) = match comparison.seeds.len() {
        0 | 1 => (format!("{name} is"), String::new()),
        count => (format!("With each of {count} seeds, {name} is"), format!(", averaged over {count} seeds,")),
    };
    let difference = difference_words(mean.difference, "above", "below", "equal to");
    let features =
        if comparison.same_features { " Both share the FLN, so the difference comes from the CLN alone." } else { "" };
    if let Some(few) = statistics.few_units() {
        return format!(
            "{name} is not tested against {reference}: {few}. On these test images, its mean accuracy{averaged} is {difference} \
             that of {reference}.{features}"
        );
    }
    let over_seeds = mean.deviation.map_or_else(String::new, |deviation| {
        format!("; sample standard deviation over seeds {} points", percent(deviation))
    });
    let shown = match mean.verdict() {
        Some(Verdict::Better | Verdict::Worse) => ": a difference is shown",
        Some(Verdict::Inconclusive) if !mean.every_seed && comparison.seeds.len() > 1 => {
            ": its sign differs between seeds, so no difference is shown"
        }
        Some(Verdict::Inconclusive) => ": no difference is shown",
        None => "",
    };
    let better = comparison.count(Verdict::Better);
    format!(
        "{lead} better than {reference} on {better} attribute{} and worse on {}, with no difference shown on {} (exact \
         McNemar test, Holm's correction, 5 %). Its mean accuracy{averaged} is {difference} that of {reference} \
         ({}{over_seeds}){shown}.{features}",
        if better == 1 { "" } else { "s" },
        comparison.count(Verdict::Worse),
        comparison.count(Verdict::Inconclusive),
        test_words(statistics, mean, "95 % interval of the difference"),
    )
}

/// Interval and p-value of a difference in mean accuracy, or the reason why it has none.
pub(super) fn test_words(statistics: &Statistics, mean: &MeanDifference, of: &str) -> String {
    match (statistics.untested(mean), mean.interval, mean.p) {
        (None, Some(interval), Some(p)) => format!("{of} {}, {}", points_interval(interval), bootstrap_p(p)),
        (None, None, Some(p)) => {
            format!("no interval, as the difference is the same on all test images, {}", bootstrap_p(p))
        }
        (reason, ..) => reason.unwrap_or_default(),
    }
}

/// A paragraph on units that are too few for intervals and tests; empty if there are enough.
pub(super) fn few_units(statistics: &Statistics) -> String {
    statistics.few_units().map_or_else(String::new, |few| format!("**No intervals and no tests.** {few}.\n\n"))
}

/// The resamples behind intervals, as a noun phrase.
pub(super) fn resampling(info: &BootstrapInfo) -> String {
    let (resamples, units) = (thousands(info.resamples), thousands(info.units));
    match info.unit {
        Unit::Identity => format!(
            "{resamples} bootstrap resamples of the {units} people in the test images, each with all of their images, \
             because predictions on images of one person are not independent"
        ),
        Unit::Image => format!(
            "{resamples} bootstrap resamples of the {units} test images (the runs record no identities, so intervals are \
             too narrow if a person has several images)"
        ),
    }
}
