//! The first sentences of a page: each follows from a paired test or from the measured affinity.

use crate::common::fake_runs::{FakeRun, collected, page, page_of};
use gal_bench::variant::{GAL_J, REGISTRY};

/// The answers at the top of a page, a line each: whether GAL-j gains, and the list of explanations.
fn answers(page: &str) -> Vec<&str> {
    let top = page.split("\n## ").next().unwrap();
    let is_gain = |line: &&str| {
        ["**Yes. GAL-j", "**No. GAL-j", "**No gain of GAL-j", "**GAL-j is not", "**Not known"]
            .iter()
            .any(|s| line.starts_with(s))
    };
    top.lines().filter_map(|line| line.strip_prefix("- ").or(Some(line).filter(is_gain))).collect()
}

fn with_skill(variant: &str, seed: u64, skill: f64) -> FakeRun {
    FakeRun { skill, ..FakeRun::new(variant, seed) }
}

/// Two seeds of each variant.
fn runs(skills: &[(&str, f64)]) -> Vec<FakeRun> {
    skills.iter().flat_map(|&(variant, skill)| [1, 2].map(|seed| with_skill(variant, seed, skill))).collect()
}

/// One answer with the numbers of its tests left out: the parentheses with an interval.
fn words(answer: &str) -> String {
    let is_test = |part: &str| part.contains(" points, ");
    let parts = answer.split(" (").enumerate().map(|(i, part)| match part.split_once(')') {
        Some((inside, rest)) if is_test(inside) => rest.to_owned(),
        _ if i > 0 => format!(" ({part}"),
        _ => part.to_owned(),
    });
    parts.collect()
}

#[test]
fn the_first_sentences_hold_difference_interval_and_p_of_each_test() {
    let (_workspace, folder, statistics) = collected(&runs(&[("baseline", 0.7), ("gal-j", 0.9), ("identity", 0.9)]));
    let page = page(&folder);
    let numbers = |name, reference, sign: f64| {
        let mean = &statistics.comparison(name, reference).unwrap().mean;
        let interval = mean.interval.unwrap();
        let [difference, a, b] = [mean.difference, interval.low, interval.high].map(|v| 100.0 * sign * v);
        format!("{difference:+.2} points, 95 % interval {:+.2} to {:+.2}, p ", a.min(b), a.max(b))
    };
    let deviation = |name, reference| {
        let per_seed = statistics.comparisons.iter().filter(|c| c.name == name && c.reference == reference);
        let per_seed: Vec<f64> = per_seed.filter(|c| c.seeds.len() == 1).map(|c| 100.0 * c.mean.difference).collect();
        let [one, two] = per_seed[..] else { panic!("{per_seed:?}") };
        // The deviation of two values.
        format!("sample standard deviation over seeds {:.2} points", (one - two).abs() / f64::sqrt(2.0))
    };
    let [gain, attention, untested] = answers(&page)[..] else { panic!("{page}") };
    let (of_gain, over_seeds) = (numbers("gal-j", "baseline", 1.0), deviation("gal-j", "baseline"));
    let accuracy = |title: &str| {
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {title} | "))).unwrap();
        row.split(" |").next().unwrap().to_owned()
    };
    let accuracies = format!("({} % against {} %)", accuracy("GAL-j"), accuracy("Baseline"));
    assert_eq!(gain, format!("**Yes. GAL-j gains over Baseline** {accuracies}: {of_gain}<= 0.001, {over_seeds}."));
    // The test is of Identity against GAL-j; the sentence turns it round.
    let numbers = numbers("identity", "gal-j", -1.0).replace(" 95 % interval", "");
    let expected =
        format!("**Attention between attributes.** No difference between GAL-j and Identity is shown ({numbers}= ");
    assert!(attention.starts_with(&expected), "{attention}\n{expected}");
    assert!(attention.contains(&deviation("identity", "gal-j")), "{attention}");
    assert_eq!(untested, "No control was trained that tests weight decay or separate gradient streams.");
}

#[test]
fn a_gain_that_the_other_weight_decay_has_too_is_not_credited_to_the_correlation_net() {
    let decay = |skills: &[(&str, f64)]| words(answers(&page_of(&runs(skills)))[1]);
    let same = decay(&[("baseline", 0.7), ("baseline-decay", 0.9), ("gal-j", 0.9)]);
    assert_eq!(
        same,
        "**Weight decay.** Baseline (decay 0.001) is more accurate than Baseline. No difference between GAL-j and Baseline \
         (decay 0.001) is shown. So the gain may be that of weight decay."
    );
    let beyond = decay(&[("baseline", 0.7), ("baseline-decay", 0.7), ("gal-j", 0.9)]);
    assert_eq!(
        beyond,
        "**Weight decay.** No difference between Baseline (decay 0.001) and Baseline is shown. GAL-j is more accurate than \
         Baseline (decay 0.001). So weight decay alone does not explain the gain."
    );
    let part = decay(&[("baseline", 0.6), ("baseline-decay", 0.75), ("gal-j", 0.9)]);
    assert!(part.ends_with("So weight decay explains a part of the gain at most."), "{part}");
    let without_gain = decay(&[("baseline", 0.9), ("baseline-decay", 0.7), ("gal-j", 0.9)]);
    assert!(without_gain.ends_with("GAL-j is more accurate than Baseline (decay 0.001)."), "{without_gain}");
}

#[test]
fn separate_streams_are_judged_from_the_side_of_gal_j() {
    let streams = |joined, gal_j| words(answers(&page_of(&runs(&[("one-stream", joined), ("gal-j", gal_j)])))[0]);
    let heading = "**Separate gradient streams.**";
    assert_eq!(
        streams(0.7, 0.9),
        format!("{heading} GAL-j is more accurate than One stream. So the separate streams help.")
    );
    assert_eq!(
        streams(0.9, 0.7),
        format!("{heading} GAL-j is less accurate than One stream. So the separate streams cost accuracy.")
    );
    assert_eq!(streams(0.9, 0.9), format!("{heading} No difference between GAL-j and One stream is shown."));
}

#[test]
fn a_conclusion_about_the_streams_needs_the_variant_with_both_losses_in_one_stream() {
    let streams = |skills: &[(&str, f64)]| words(answers(&page_of(&runs(skills)))[0]);
    let heading = "**Separate gradient streams.**";
    assert_eq!(
        streams(&[("cln-only", 0.7), ("gal-j", 0.9)]),
        format!("{heading} GAL-j is more accurate than CLN only.")
    );
    let both = streams(&[("one-stream", 0.7), ("cln-only", 0.7), ("gal-j", 0.9)]);
    assert!(both.ends_with("GAL-j is more accurate than CLN only. So the separate streams help."), "{both}");
    let divided = streams(&[("one-stream", 0.9), ("cln-only", 0.7), ("gal-j", 0.9)]);
    assert!(!divided.contains("So the separate streams"), "{divided}");
}

#[test]
fn gal_j_is_a_second_classifier_only_if_the_measured_affinity_is_the_identity() {
    let attention = |self_weight| {
        let mut runs = runs(&[("baseline", 0.8), ("gal-j", 0.8), ("identity", 0.8)]);
        for run in &mut runs {
            run.self_weight = self_weight;
        }
        let page = page_of(&runs);
        answers(&page).into_iter().find(|answer| answer.starts_with("**Attention")).unwrap().to_owned()
    };
    let identity = "The learned affinity ends as the identity, up to 0.4 % of the weights: the mean weight of an attribute on \
                    itself is 0.996 (least 0.996). So GAL-j is in effect a second classifier on each attribute's own features.";
    assert!(attention(Some(0.996)).ends_with(identity), "{}", attention(Some(0.996)));
    for weight in [Some(0.9), None] {
        let found = attention(weight);
        assert!(found.contains("The learned affinity does not end as the identity"), "{found}");
        assert!(!found.contains("second classifier"), "{found}");
    }
}

#[test]
fn few_people_show_nothing_however_large_the_difference() {
    let mut runs = runs(&[("baseline", 0.6), ("gal-j", 0.95), ("identity", 0.6)]);
    for run in &mut runs {
        run.images_per_person = Some(4);
    }
    let page = page_of(&runs);
    let found = answers(&page);
    assert!(found[0].starts_with("**GAL-j is not tested against Baseline**"), "{found:?}");
    assert!(found[0].contains("15 people are too few for an interval or a test"), "{found:?}");
    assert!(!page.contains("a difference is shown") && !found.concat().contains("more accurate"), "{page}");
}

#[test]
fn one_seed_and_seeds_that_disagree_are_named() {
    let page = page_of(&[with_skill("baseline", 1, 0.7), with_skill("gal-j", 1, 0.9)]);
    assert!(answers(&page)[0].contains("with one seed, the variation between seeds is unknown"), "{page}");
    assert!(!answers(&page)[0].contains("standard deviation"), "{page}");
    let disagreeing = [("baseline", 1, 0.7), ("gal-j", 1, 0.95), ("baseline", 2, 0.8), ("gal-j", 2, 0.75)];
    let page = page_of(&disagreeing.map(|(variant, seed, skill)| with_skill(variant, seed, skill)));
    assert!(answers(&page)[0].starts_with("**No gain of GAL-j over Baseline is shown**"), "{page}");
    assert!(answers(&page)[0].contains("the seeds differ in sign"), "{page}");
}

#[test]
fn a_loss_that_grows_and_constant_predictions_are_failed_training_and_no_answer() {
    let grown = FakeRun { loss_growth: 3.0, ..with_skill("gal-j", 1, 0.6) };
    let page = page_of(&[with_skill("baseline", 1, 0.9), grown, with_skill("uniform", 1, 0.45)]);
    let found = answers(&page);
    assert!(found[0].starts_with("**Not known: the training of GAL-j failed** ("), "{}", found[0]);
    assert!(found[1].starts_with("**Training failed**: the loss grew in GAL-j (from "), "{}", found[1]);
    assert!(found[1].ends_with("); constant predictions of Uniform."), "{}", found[1]);
    assert!(!page_of(&runs(&[("baseline", 0.7), ("gal-j", 0.9)])).contains("raining failed"));
}

#[test]
fn explanations_that_no_run_tests_are_named() {
    let page = page_of(&runs(&[("baseline", 0.7), ("gal-j", 0.9)]));
    let last = answers(&page).pop().unwrap();
    assert!(
        last.starts_with("No control was trained that tests ") && last.contains("attention between attributes"),
        "{last}"
    );
}

#[test]
fn a_report_without_gal_j_answers_nothing() {
    assert_eq!(answers(&page_of(&runs(&[("baseline", 0.7), ("gal-p", 0.9)]))), Vec::<&str>::new());
}

#[test]
fn every_explanation_of_the_registry_is_tested_against_gal_j() {
    for variant in REGISTRY.0.iter().filter(|variant| variant.tests.is_some()) {
        let tested = variant.compared_with.contains(&GAL_J.name) || GAL_J.compared_with.contains(&variant.name);
        assert!(tested, "{}", variant.name);
    }
}

#[test]
fn the_answers_stand_before_the_limits_of_the_report() {
    let (_workspace, folder, _) = collected(&runs(&[("baseline", 0.7), ("gal-j", 0.9)]));
    let page = page(&folder);
    let at = |text: &str| page.find(text).unwrap();
    assert!(at("**Yes. GAL-j gains over Baseline**") < at("Intervals resample images, not seeds."), "{page}");
    assert!(at("Intervals resample") < at("](difference-from-baseline.svg)") && at("](difference") < at("| Floor | "));
}
