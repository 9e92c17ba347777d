//! Intervals and tests of a report, from run folders to the page.

use crate::common::fake_runs::{FakeRun, collected, page, section, write_parquet, write_parquet_as};
use crate::common::gal_bench::user_error;
use crate::common::workspace::Workspace;
use gal_bench::evaluate::{ComparisonReport, Verdict};
use gal_bench::metrics::bootstrap::Unit;
use gal_bench::report;

fn with_skill(variant: &str, seed: u64, skill: f64) -> FakeRun {
    FakeRun { skill, ..FakeRun::new(variant, seed) }
}

/// Baseline and a clearly better GAL-j, three seeds each.
fn three_seeds() -> Vec<FakeRun> {
    let of_seed = |seed| [with_skill("baseline", seed, 0.7), with_skill("gal-j", seed, 0.95)];
    (0..3).flat_map(of_seed).collect()
}

#[test]
fn several_seeds_are_tested_each_and_together() {
    let (_workspace, _, statistics) = collected(&three_seeds());
    let seeds: Vec<&[u64]> = statistics.comparisons.iter().map(|c| c.seeds.as_slice()).collect();
    assert_eq!(seeds, [&[0][..], &[1], &[2], &[0, 1, 2]]);
    let together = statistics.comparison("gal-j", "baseline").unwrap();
    let mean_of_seeds = statistics.comparisons[..3].iter().map(|c| c.mean.difference).sum::<f64>() / 3.0;
    assert!((together.mean.difference - mean_of_seeds).abs() < 1e-12);
    assert_eq!(together.mean.verdict(), Some(Verdict::Better));
    // An attribute differs for all seeds together only if it does so with each, in the same direction.
    for (i, test) in together.attributes.iter().enumerate() {
        let of_seeds = statistics.comparisons[..3].iter().map(|c| &c.attributes[i]);
        let largest = of_seeds.clone().map(|t| t.p.unwrap()).fold(0.0, f64::max);
        let one_side =
            of_seeds.clone().all(|t| t.difference > Some(0.0)) || of_seeds.clone().all(|t| t.difference < Some(0.0));
        assert!((test.p.unwrap() - if one_side { largest } else { 1.0 }).abs() < 1e-15, "{}", test.attribute);
        assert_eq!(test.gained, of_seeds.map(|t| t.gained).sum::<usize>());
    }
    let better = together.count(Verdict::Better);
    assert!(better > 0);
    let sentence = format!("With each of 3 seeds, GAL-j is better than Baseline on {better} attributes");
    assert!(report::findings(&statistics)[0].contains(&sentence));
}

#[test]
fn a_mean_whose_sign_changes_with_the_seed_is_no_finding() {
    let runs = [
        with_skill("baseline", 0, 0.7),
        with_skill("gal-j", 0, 0.95),
        with_skill("baseline", 1, 0.8),
        with_skill("gal-j", 1, 0.75),
    ];
    let (_workspace, folder, statistics) = collected(&runs);
    let together = statistics.comparison("gal-j", "baseline").unwrap();
    assert!(together.mean.p.unwrap() < 0.01, "the bootstrap alone would call it a difference");
    assert_eq!(together.mean.verdict(), Some(Verdict::Inconclusive));
    assert!(page(&folder).contains("the seeds differ in sign"));
    assert!(report::findings(&statistics)[0].contains("its sign differs between seeds, so no difference is shown"));
}

#[test]
fn people_are_resampled_if_they_are_known_and_otherwise_images() {
    let mut runs = vec![FakeRun::new("baseline", 0), FakeRun::new("gal-j", 0)];
    let (_workspace, folder, statistics) = collected(&runs);
    assert_eq!((statistics.resampling.unit, statistics.resampling.units), (Unit::Image, 60));
    assert!(page(&folder).contains("60 test images (the runs record no identities"));
    for run in &mut runs {
        run.images_per_person = Some(2);
    }
    let (_workspace, folder, statistics) = collected(&runs);
    assert_eq!((statistics.resampling.unit, statistics.resampling.units), (Unit::Identity, 30));
    assert!(page(&folder).contains("30 people in the test images"));
}

#[test]
fn the_correlation_net_alone_makes_the_difference_if_the_features_are_the_same() {
    let workspace = Workspace::new();
    let (baseline, gal_j) = (FakeRun::new("baseline", 0), FakeRun::new("gal-j", 0));
    let folders = [baseline.write(workspace.root()), gal_j.write(workspace.root())];
    let mut table = gal_j.predictions();
    table.replace("probability_fln", baseline.predictions().column("probability_fln").unwrap().clone()).unwrap();
    write_parquet(&folders[1], table);
    let statistics = report::collect(&folders, &workspace.path("report")).unwrap().statistics;
    assert!(statistics.comparisons[0].same_features);
    assert!(report::findings(&statistics)[0].contains("the difference comes from the CLN alone"));
}

#[test]
fn controls_have_their_own_table() {
    let mut runs = three_seeds();
    runs.extend((0..3).map(|seed| with_skill("uniform", seed, 0.95)));
    let (_workspace, folder, _) = collected(&runs);
    let page = page(&folder);
    let ablation = section(&page, "Ablation").unwrap();
    assert!(ablation.contains("| Uniform | each attribute with all, equal weights | 3 |"), "{ablation}");
    for table in 1..=4 {
        assert!(!section(&page, &format!("Table {table}")).unwrap().contains("Uniform"));
    }
    assert!(section(&page, "Beyond accuracy").unwrap().contains("| Uniform | "));
}

#[test]
fn a_report_without_controls_has_no_ablation() {
    let (_workspace, folder, _) = collected(&three_seeds());
    assert_eq!(section(&page(&folder), "Ablation"), None);
}

#[test]
fn results_without_tests_render_without_their_sections() {
    let (_workspace, folder, _) = collected(&three_seeds());
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
    let (_workspace, folder, _) = collected(&three_seeds());
    let path = folder.join("results/comparisons.csv");
    let rows = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, rows.lines().take(30).collect::<Vec<_>>().join("\n")).unwrap();
    let error = user_error(report::render(&folder));
    assert!(error.contains("the rows of gal-j against baseline are not the mean"), "{error}");
}

#[test]
fn runs_tested_on_other_images_cannot_share_a_report() {
    let workspace = Workspace::new();
    let (a, b) = (FakeRun::new("baseline", 0), FakeRun::new("gal-j", 0));
    let folders = [a.write(workspace.root()), b.write(workspace.root())];
    let turned = b.predictions();
    let turned = turned.slice(40, 40).vstack(&turned.slice(0, 40)).unwrap().vstack(&turned.slice(80, 58 * 40)).unwrap();
    write_parquet(&folders[1], turned);
    let error = user_error(report::collect(&folders, &workspace.path("report")));
    assert!(error.contains("their test images, labels or the order of these differ"), "{error}");
}

#[test]
fn evaluate_collects_every_finished_run_of_the_given_seeds() {
    let workspace = Workspace::new();
    for run in three_seeds().iter().filter(|run| run.summary.id != "synthetic-quick-gal-j-seed2") {
        run.write(&workspace.path("runs"));
    }
    let evaluate = |arguments: &[&str]| workspace.gal_bench("evaluate").args(arguments).succeeds().stdout;
    let unknown = workspace.gal_bench("evaluate --seed 2,0,1,7").fails_with("seed 7 in runs is finished");
    assert!(unknown.ends_with("train it first, or leave out seed 7"), "{unknown}");
    let open = workspace.gal_bench("evaluate --seed 2").succeeds().stderr;
    assert!(
        open.contains("not finished: runs/synthetic-quick-gal-c-seed2, runs/synthetic-quick-gal-j-seed2"),
        "{open}"
    );
    let text = evaluate(&["--controls", "--seed", "2,0,1"]);
    let rows = text.lines().filter(|line| ["baseline ", "gal-j "].iter().any(|name| line.starts_with(name))).count();
    assert_eq!(rows, 3 + 2 * 2, "one for each run and head: {text}");
    assert!(text.contains("With each of 2 seeds, GAL-j is better than Baseline on"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&evaluate(&["--seed", "1", "--json"])).unwrap();
    assert_eq!(json["statistics"]["comparisons"].as_array().unwrap().len(), 1);
    assert_eq!(json["statistics"]["comparisons"][0]["seeds"], serde_json::json!([1]));
}

#[test]
fn a_report_does_not_replace_a_comparison() {
    let workspace = Workspace::new();
    let runs = [FakeRun::new("baseline", 0), FakeRun::new("gal-j", 0)].map(|run| run.write(workspace.root()));
    let folder = workspace.path("report");
    report::write_comparison(&ComparisonReport::new(&runs).unwrap(), &folder).unwrap();
    let error = user_error(report::collect(&runs, &folder));
    assert!(error.ends_with("holds a comparison: give --reports another folder, or remove it"), "{error}");
}

/// The plain predictions are those of the same run with fewer correct; their accuracy is counted here on its own.
#[test]
fn both_accuracies_are_shown_if_predictions_were_averaged_over_mirrored_images() {
    let workspace = Workspace::new();
    let (averaged, single) = (with_skill("baseline", 0, 0.9), with_skill("baseline", 0, 0.7));
    let run = averaged.write(workspace.root());
    let table = single.predictions();
    let probabilities = table.column("probability_fln").unwrap().f32().unwrap();
    let labels = table.column("label").unwrap().bool().unwrap();
    let correct = probabilities.iter().zip(labels.iter()).filter(|(p, label)| (p.unwrap() > 0.5) == label.unwrap());
    let accuracy = 100.0 * correct.count() as f64 / 2400.0;
    write_parquet_as(&run, "predictions-plain.parquet", table);
    let folder = workspace.path("report");
    report::collect(std::slice::from_ref(&run), &folder).unwrap();
    let text = page(&folder);
    let row = format!("| Baseline | FLN | 1 | {accuracy:.2} | ");
    assert!(section(&text, "Mirrored images").unwrap().contains(&row), "{row}: {text}");
    assert!(section(&text, "Accuracy").unwrap().contains("averaged over mirrored images"), "{text}");

    // A later report on runs without them has neither.
    std::fs::remove_file(run.join("predictions-plain.parquet")).unwrap();
    report::collect(&[run], &folder).unwrap();
    assert!(!page(&folder).contains("irrored"));
}
