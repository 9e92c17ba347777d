//! The first sentences of a page: each follows from a paired test or from the measured affinity.

use crate::common::fake_runs::{FakeRun, collected, page, page_of};
use crate::common::workspace::Workspace;
use gal_bench::report;
use gal_bench::variant::{BASELINE, Explanation, GAL_J, REGISTRY, Registry, Style, VARIANTS, Variant};
use std::path::{Path, PathBuf};

/// The answers at the top of a page, a line each.
fn answers(page: &str) -> Vec<&str> {
    let top = page.split("\n## ").next().unwrap();
    top.lines().filter_map(|line| line.strip_prefix("- ")).collect()
}

fn with_skill(variant: &str, seed: u64, skill: f64) -> FakeRun {
    FakeRun { skill, ..FakeRun::new(variant, seed) }
}

/// Two seeds of each variant.
fn runs(skills: &[(&str, f64)]) -> Vec<FakeRun> {
    skills.iter().flat_map(|&(variant, skill)| [1, 2].map(|seed| with_skill(variant, seed, skill))).collect()
}

/// The answers of a report on `runs` whose variants are those of `registry`.
fn answers_with(registry: Registry, runs: &[FakeRun]) -> Vec<String> {
    let workspace = Workspace::new();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&workspace.path("runs"))).collect();
    let folder = workspace.path("report");
    report::collect_with(registry, &folders, &folder).unwrap();
    let files = report::render_with(registry, &folder).unwrap();
    let (_, page) = files.into_iter().find(|(path, _)| path == Path::new("README.md")).unwrap();
    answers(&String::from_utf8(page).unwrap()).into_iter().map(str::to_owned).collect()
}

/// The program's variants without those that test an explanation other than attention, and two new ones that do.
fn registry_with_tests() -> Registry {
    let style = Style { colour: "#123456", dashes: "5 5" };
    let decayed =
        Variant { name: "decayed", title: "Decayed", tests: Some(Explanation::WeightDecay), style, ..BASELINE };
    let decayed = Variant { compared_with: &["baseline", "gal-j"], ..decayed };
    let joined = Variant { name: "joined", title: "Joined", tests: Some(Explanation::SeparateStreams), ..GAL_J };
    let joined = Variant { compared_with: &["gal-j"], style, ..joined };
    let known = VARIANTS.iter().filter(|v| v.tests.is_none_or(|test| test == Explanation::Attention)).copied();
    Registry(Box::leak(known.chain([decayed, joined]).collect()))
}

/// One answer with the numbers of its tests left out.
fn words(answer: &str) -> String {
    let parts = answer.split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    parts.collect::<String>().replace("  ", " ").replace(" .", ".")
}

#[test]
fn the_first_sentences_hold_difference_interval_and_p_of_each_test() {
    let page = page_of(&runs(&[("baseline", 0.7), ("gal-j", 0.9), ("identity", 0.9)]));
    insta::assert_snapshot!(answers(&page).join("\n"));
}

#[test]
fn a_gain_that_the_other_weight_decay_has_too_is_not_credited_to_the_correlation_net() {
    let registry = registry_with_tests();
    let decay = |skills: &[(&str, f64)]| words(&answers_with(registry, &runs(skills))[1]);
    let same = decay(&[("baseline", 0.7), ("decayed", 0.9), ("gal-j", 0.9)]);
    assert_eq!(
        same,
        "**Weight decay.** Decayed is more accurate than Baseline. No difference between GAL-j and Decayed is shown. So \
         the gain may be that of weight decay."
    );
    let beyond = decay(&[("baseline", 0.7), ("decayed", 0.7), ("gal-j", 0.9)]);
    assert_eq!(
        beyond,
        "**Weight decay.** No difference between Decayed and Baseline is shown. GAL-j is more accurate than Decayed. So \
         weight decay does not explain the gain."
    );
    let part = decay(&[("baseline", 0.6), ("decayed", 0.75), ("gal-j", 0.9)]);
    assert!(part.ends_with("So weight decay explains a part of the gain at most."), "{part}");
    let without_gain = decay(&[("baseline", 0.9), ("decayed", 0.7), ("gal-j", 0.9)]);
    assert!(without_gain.ends_with("GAL-j is more accurate than Decayed."), "{without_gain}");
}

#[test]
fn separate_streams_are_judged_from_the_side_of_gal_j() {
    let registry = registry_with_tests();
    let streams = |joined, gal_j| {
        let answers = answers_with(registry, &runs(&[("joined", joined), ("gal-j", gal_j)]));
        words(&answers[0])
    };
    let heading = "**Separate gradient streams.**";
    assert_eq!(
        streams(0.7, 0.9),
        format!("{heading} GAL-j is more accurate than Joined. So the separate streams help.")
    );
    assert_eq!(
        streams(0.9, 0.7),
        format!("{heading} GAL-j is less accurate than Joined. So the separate streams cost accuracy.")
    );
    assert_eq!(streams(0.9, 0.9), format!("{heading} No difference between GAL-j and Joined is shown."));
}

#[test]
fn gal_j_is_a_second_classifier_only_if_the_measured_affinity_is_the_identity() {
    let attention = |self_weight| {
        let mut runs = runs(&[("baseline", 0.8), ("gal-j", 0.8), ("identity", 0.8)]);
        runs.iter_mut().for_each(|run| run.self_weight = self_weight);
        let page = page_of(&runs);
        answers(&page).into_iter().find(|answer| answer.starts_with("**Attention")).unwrap().to_owned()
    };
    let identity = "The learned affinity ends as the identity (mean weight of an attribute on itself 0.996, least 0.996), \
                    so GAL-j is a second classifier on each attribute's own features.";
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
    runs.iter_mut().for_each(|run| run.images_per_person = Some(4));
    let page = page_of(&runs);
    let found = answers(&page);
    assert!(found[0].starts_with("**No gain of GAL-j over Baseline is shown**"), "{found:?}");
    assert!(found[0].contains("15 people are too few for a test"), "{found:?}");
    assert!(!page.contains("a difference is shown") && !found.concat().contains("more accurate"), "{page}");
}

#[test]
fn one_seed_and_seeds_that_disagree_are_named() {
    let page = page_of(&[with_skill("baseline", 1, 0.7), with_skill("gal-j", 1, 0.9)]);
    assert!(answers(&page)[0].contains("with one seed, the variation between seeds is unknown"), "{page}");
    let disagreeing = [("baseline", 1, 0.7), ("gal-j", 1, 0.95), ("baseline", 2, 0.8), ("gal-j", 2, 0.75)];
    let page = page_of(&disagreeing.map(|(variant, seed, skill)| with_skill(variant, seed, skill)));
    assert!(answers(&page)[0].starts_with("**No gain of GAL-j over Baseline is shown**"), "{page}");
    assert!(answers(&page)[0].contains("the seeds differ in sign"), "{page}");
}

#[test]
fn explanations_that_no_run_tests_are_named() {
    let page = page_of(&runs(&[("baseline", 0.7), ("gal-j", 0.9)]));
    let last = answers(&page).pop().unwrap();
    assert!(last.starts_with("Not tested by these runs: ") && last.contains("attention between attributes"), "{last}");
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
    assert!(page.find("**GAL-j gains over Baseline**").unwrap() < page.find("> **").unwrap(), "{page}");
}
