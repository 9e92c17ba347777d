//! Intervals and tests of a report, from run folders to the page.

use crate::report::page::Fixture;
use assert_cmd::cargo::cargo_bin;
use gal_bench::evaluate::{Statistics, Verdict};
use gal_bench::metrics::bootstrap::Unit;
use gal_bench::report;
use std::path::{Path, PathBuf};
use std::process::Command;

fn with_skill(variant: &str, seed: u64, skill: f64) -> Fixture {
    Fixture { skill, ..Fixture::new(variant, seed) }
}

/// Baseline and a clearly better GAL-j, three seeds each.
fn three_seeds() -> Vec<Fixture> {
    let of_seed = |seed| [with_skill("baseline", seed, 0.7), with_skill("gal-j", seed, 0.95)];
    (0..3).flat_map(of_seed).collect()
}

fn collected(runs: &[Fixture]) -> (tempfile::TempDir, PathBuf, Statistics) {
    let place = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&place.path().join("runs"))).collect();
    let folder = place.path().join("report");
    let statistics = report::collect(&folders, &folder).unwrap().statistics;
    (place, folder, statistics)
}

fn page(folder: &Path) -> String {
    String::from_utf8(report::render(folder).unwrap().swap_remove(0).1).unwrap()
}

/// The text under a heading.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    page.split("\n## ").find(|section| section.starts_with(heading))
}

#[test]
fn several_seeds_are_tested_each_and_together() {
    let (_place, folder, statistics) = collected(&three_seeds());
    let seeds: Vec<&[u64]> = statistics.comparisons.iter().map(|c| c.seeds.as_slice()).collect();
    assert_eq!(seeds, [&[0][..], &[1], &[2], &[0, 1, 2]]);
    let together = statistics.comparison("gal-j", "baseline").unwrap();
    let mean_of_seeds = statistics.comparisons[..3].iter().map(|c| c.mean.difference).sum::<f64>() / 3.0;
    assert!((together.mean.difference - mean_of_seeds).abs() < 1e-12);
    assert_eq!(together.mean.verdict(), Verdict::Better);
    // An attribute differs for all seeds together only where it does in the same direction with each.
    for (i, test) in together.attributes.iter().enumerate() {
        let of_seeds = statistics.comparisons[..3].iter().map(|c| &c.attributes[i]);
        let largest = of_seeds.clone().map(|t| t.p).fold(0.0, f64::max);
        let one_side = of_seeds.clone().all(|t| t.difference > 0.0) || of_seeds.clone().all(|t| t.difference < 0.0);
        assert!((test.p - if one_side { largest } else { 1.0 }).abs() < 1e-15, "{}", test.attribute);
        assert_eq!(test.gained, of_seeds.map(|t| t.gained).sum::<usize>());
    }
    let better = together.count(Verdict::Better);
    assert!(better > 0);
    let sentence = format!("With every one of 3 seeds, GAL-j is better than Baseline on {better} attributes");
    assert!(page(&folder).contains(&sentence));
}

#[test]
fn a_mean_whose_sign_changes_with_the_seed_is_no_finding() {
    let runs = [
        with_skill("baseline", 0, 0.7),
        with_skill("gal-j", 0, 0.95),
        with_skill("baseline", 1, 0.8),
        with_skill("gal-j", 1, 0.75),
    ];
    let (_place, folder, statistics) = collected(&runs);
    let together = statistics.comparison("gal-j", "baseline").unwrap();
    assert!(together.mean.p < 0.01, "the bootstrap alone would call it a difference");
    assert_eq!(together.mean.verdict(), Verdict::Inconclusive);
    assert!(page(&folder).contains("the sign is not the same with every seed, so no difference is shown"));
}

#[test]
fn people_are_drawn_where_they_are_known_and_images_elsewhere() {
    let mut runs = vec![Fixture::new("baseline", 0), Fixture::new("gal-j", 0)];
    let (_place, folder, statistics) = collected(&runs);
    assert_eq!((statistics.resampling.unit, statistics.resampling.units), (Unit::Image, 60));
    assert!(page(&folder).contains("60 test images, as the runs do not say whose faces they show"));
    for run in &mut runs {
        run.of_person = Some(4);
    }
    let (_place, folder, statistics) = collected(&runs);
    assert_eq!((statistics.resampling.unit, statistics.resampling.units), (Unit::Identity, 15));
    assert!(page(&folder).contains("15 people of the test images"));
}

#[test]
fn the_correlation_net_alone_makes_the_difference_where_the_features_are_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (baseline, gal_j) = (Fixture::new("baseline", 0), Fixture::new("gal-j", 0));
    let folders = [baseline.write(place.path()), gal_j.write(place.path())];
    let mut table = gal_j.predictions();
    table.replace("probability_fln", baseline.predictions().column("probability_fln").unwrap().clone()).unwrap();
    crate::report::page::write_parquet(&folders[1], table);
    let statistics = report::collect(&folders, &place.path().join("report")).unwrap().statistics;
    assert!(statistics.comparisons[0].same_features);
    assert!(report::findings(&statistics)[0].contains("the difference is that of the correlation net alone"));
}

#[test]
fn controls_stand_in_a_table_of_their_own() {
    let mut runs = three_seeds();
    runs.extend((0..3).map(|seed| with_skill("uniform", seed, 0.95)));
    let (_place, folder, _) = collected(&runs);
    let page = page(&folder);
    let ablation = section(&page, "Ablation").unwrap();
    assert!(ablation.contains("| Uniform | every attribute with all alike | 3 |"), "{ablation}");
    assert!(ablation.contains("With every one of 3 seeds, Uniform is better than GAL-j on 0 attributes"), "{ablation}");
    for table in 1..=4 {
        assert!(!section(&page, &format!("Table {table}")).unwrap().contains("Uniform"));
    }
    assert!(section(&page, "Beyond accuracy").unwrap().contains("| Uniform | CLN |"));
}

#[test]
fn a_report_without_controls_has_no_ablation() {
    let (_place, folder, _) = collected(&three_seeds());
    assert_eq!(section(&page(&folder), "Ablation"), None);
}

#[test]
fn results_of_before_the_tests_render_without_them() {
    let (_place, folder, _) = collected(&three_seeds());
    for file in ["means.csv", "comparisons.csv", "bootstrap.json"] {
        std::fs::remove_file(folder.join("results").join(file)).unwrap();
    }
    let accuracy = folder.join("results/accuracy.csv");
    let rows = std::fs::read_to_string(&accuracy).unwrap();
    let old: Vec<String> = rows.lines().map(|row| row.split(',').take(12).collect::<Vec<_>>().join(",")).collect();
    std::fs::write(&accuracy, old.join("\n")).unwrap();
    let page = page(&folder);
    for heading in ["Intervals of the means", "Differences between variants", "Beyond accuracy"] {
        assert_eq!(section(&page, heading), None, "{heading}");
    }
    assert!(section(&page, "Table 2").is_some());
}

#[test]
fn a_row_missing_among_the_comparisons_is_refused() {
    let (_place, folder, _) = collected(&three_seeds());
    let path = folder.join("results/comparisons.csv");
    let rows = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, rows.lines().take(30).collect::<Vec<_>>().join("\n")).unwrap();
    let error = report::render(&folder).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("the rows of gal-j against baseline are not one of the mean"), "{error}");
}

#[test]
fn runs_tested_on_other_images_cannot_share_a_report() {
    let place = tempfile::tempdir().unwrap();
    let (a, b) = (Fixture::new("baseline", 0), Fixture::new("gal-j", 0));
    let folders = [a.write(place.path()), b.write(place.path())];
    let turned = b.predictions();
    let turned = turned.slice(40, 40).vstack(&turned.slice(0, 40)).unwrap().vstack(&turned.slice(80, 58 * 40)).unwrap();
    crate::report::page::write_parquet(&folders[1], turned);
    let error = report::collect(&folders, &place.path().join("report")).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("not tested on the same images with the same labels"), "{error}");
}

#[test]
fn evaluate_gathers_every_finished_run_of_the_seeds_asked_for() {
    let place = tempfile::tempdir().unwrap();
    for run in three_seeds().iter().filter(|run| run.summary.id != "synthetic-quick-gal-j-seed2") {
        run.write(&place.path().join("runs"));
    }
    let evaluate = |arguments: &[&str]| {
        let mut command = Command::new(cargo_bin!("gal-bench"));
        let output = command.current_dir(place.path()).arg("evaluate").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = evaluate(&["--controls", "--seed", "2,0,1,7"]);
    let lines = text.lines().filter(|line| line.contains(": mean accuracy ")).count();
    assert_eq!(lines, 5, "{text}");
    assert!(text.contains("With every one of 2 seeds, GAL-j is better than Baseline on"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&evaluate(&["--seed", "1", "--json"])).unwrap();
    assert_eq!(json["statistics"]["comparisons"].as_array().unwrap().len(), 1);
    assert_eq!(json["statistics"]["comparisons"][0]["seeds"], serde_json::json!([1]));
}

#[test]
fn a_report_does_not_replace_a_comparison() {
    let place = tempfile::tempdir().unwrap();
    let runs = [Fixture::new("baseline", 0), Fixture::new("gal-j", 0)].map(|run| run.write(place.path()));
    let folder = place.path().join("report");
    report::ComparisonReport::new(&runs).unwrap().write(&folder).unwrap();
    let error = report::collect(&runs, &folder).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().ends_with("holds a comparison: give --reports another folder, or remove it"), "{error}");
}
