//! Test images from which nothing can be concluded: too few people, no variation, no difference.

use crate::common::fake_runs::{FakeRun, collected, page, section, write_parquet};
use crate::common::images::{gradient, jpeg};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::attribute::COUNT;
use gal_bench::report;
use polars::prelude::*;
use std::fmt::Write as _;

/// The words of intervals and tests with numbers.
fn claims(text: &str) -> Vec<&str> {
    let is_claim = |line: &&str| {
        ["a difference is shown", "no difference is shown", "p = ", "p <= ", " gains over "]
            .iter()
            .any(|c| line.contains(c))
            || line.match_indices("95 % interval ").any(|(at, found)| {
                line[at + found.len()..].starts_with(['+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            })
    };
    text.lines().filter(is_claim).collect()
}

/// A run on `images` test images, `per_person` of each person, with few correct predictions or many.
fn run(variant: &str, skill: f64, images: usize, per_person: usize) -> FakeRun {
    let mut run = FakeRun { skill, images_per_person: Some(per_person), ..FakeRun::new(variant, 0) };
    run.summary.test_images = images;
    run
}

fn pair(images: usize, per_person: usize) -> [FakeRun; 2] {
    [run("baseline", 0.6, images, per_person), run("gal-j", 0.95, images, per_person)]
}

#[test]
fn one_person_and_two_images_give_no_interval_no_p_and_no_verdict_anywhere() {
    let cases = [
        (60, 60, "1 person is too few for an interval or a test, which need at least 20 people"),
        (12, 12, "1 person is too few"),
        (2, 1, "2 people are too few"),
        (38, 2, "19 people are too few"),
    ];
    for (images, per_person, reason) in cases {
        let (workspace, folder, statistics) = collected(&pair(images, per_person));
        let page = page(&folder);
        assert_eq!(claims(&page), [""; 0], "{images} images");
        assert!(page.contains("**No difference can be tested.**") && page.contains(reason), "{page}");
        assert!(page.contains("**GAL-j is not tested against Baseline**"), "{page}");
        assert!(section(&page, "Affinity and label").unwrap().contains("is not compared with"), "{page}");
        assert!(statistics.means.iter().all(|mean| mean.interval.is_none()));
        let comparison = statistics.comparison("gal-j", "baseline").unwrap();
        assert_eq!((comparison.mean.interval, comparison.mean.p, comparison.mean.verdict()), (None, None, None));
        assert!(comparison.attributes.iter().all(|test| test.p.is_none() && test.verdict().is_none()));
        assert_eq!(claims(&report::findings(&statistics).join("\n")), [""; 0]);

        let compared =
            workspace.gal_bench("compare runs/synthetic-quick-baseline-seed0 runs/synthetic-quick-gal-j-seed0");
        let text = compared.succeeds().stdout;
        assert!(claims(&text).is_empty() && text.contains(reason), "{text}");
        let evaluated = workspace.gal_bench("evaluate --variant baseline --variant gal-j").succeeds().stdout;
        assert!(claims(&evaluated).is_empty() && evaluated.contains(reason), "{evaluated}");
        let alone = workspace.gal_bench("evaluate --variant baseline").succeeds().stdout;
        assert!(alone.contains("No intervals and no tests: ") && alone.contains(reason), "{alone}");
        let json = workspace.gal_bench("evaluate --variant baseline --variant gal-j").json();
        assert!(json["evaluations"][0]["heads"][0]["attributes"][20]["interval"].is_null(), "{json}");
        let mean = &json["statistics"]["comparisons"][0]["mean"];
        assert!(mean["p"].is_null() && mean["interval"].is_null(), "{mean}");
    }
}

/// A table without people, whose test images are two files under 30 names.
#[test]
fn duplicates_of_two_images_give_no_interval_and_no_test() {
    let workspace = Workspace::new();
    let mut table = "path,Male,Smiling,split\n".to_owned();
    for image in 0..60 {
        let is_test = image >= 30;
        let shown = if is_test { image % 2 } else { 2 + image };
        workspace.write(format!("faces/{image}.jpg").as_str(), jpeg(&gradient(shown, 48, 48), 90));
        let split = if is_test { "test" } else { "train" };
        let [male, smiling] = [image % 2, image % 3 / 2];
        writeln!(table, "{image}.jpg,{male},{smiling},{split}").unwrap();
    }
    workspace.write("faces/table.csv", table);
    workspace.write("tiny.toml", TINY.replace("synthetic", "celeba").replace("steps = 40", "steps = 4"));
    let prepared = workspace.gal_bench("prepare --dataset table --root faces --prepared prepared --size 48").succeeds();
    let note = "duplicates: 28 images with the file of an earlier one, none of them in another split";
    assert!(prepared.stderr.contains(note), "{}", prepared.stderr);
    let options = "--dataset table --profile tiny.toml --variant baseline,gal-j";
    workspace.gal_bench(&format!("train --prepared prepared --device cpu {options}")).succeeds();
    let text = workspace.gal_bench(&format!("evaluate {options}")).succeeds().stdout;
    assert!(claims(&text).is_empty() && text.contains("2 test images are too few"), "{text}");
}

#[test]
fn twenty_people_are_tested() {
    let (_workspace, folder, statistics) = collected(&pair(40, 2));
    assert!(page(&folder).contains("**Yes. GAL-j gains over Baseline**"));
    assert!(statistics.comparisons[0].mean.interval.is_some());
}

/// An earlier version wrote intervals from any number of people.
#[test]
fn results_that_claim_too_much_are_rendered_without_the_claim() {
    let (_workspace, folder, _) = collected(&pair(40, 2));
    let path = folder.join("results/bootstrap.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"units\": 20", "\"units\": 19")).unwrap();
    assert_eq!(claims(&page(&folder)), [""; 0]);
}

#[test]
fn networks_that_predict_the_same_are_not_tested() {
    let workspace = Workspace::new();
    let (baseline, gal_j) = (run("baseline", 0.8, 60, 1), run("gal-j", 0.8, 60, 1));
    let folders = [baseline.write(workspace.root()), gal_j.write(workspace.root())];
    let mut table = baseline.predictions();
    let same = table.column("probability_fln").unwrap().clone().with_name("probability_cln".into());
    table.replace("probability_cln", same).unwrap();
    write_parquet(&folders[1], table);
    let folder = workspace.path("report");
    let statistics = report::collect(&folders, &folder).unwrap().statistics;
    assert_eq!(statistics.comparisons[0].mean.differing, Some(0));
    let page = page(&folder);
    assert!(page.contains("0.00 points; the two are correct equally often on every test image"), "{page}");
    assert!(!page.contains("No gain of GAL-j"), "{page}");
}

#[test]
fn labels_and_probabilities_without_variation_leave_dashes_and_no_numbers_that_are_none() {
    let workspace = Workspace::new();
    let runs = [run("baseline", 0.8, 60, 1), run("gal-j", 0.8, 60, 1)];
    let folders = runs.map(|run| {
        let folder = run.write(workspace.root());
        let mut table = run.predictions();
        let constant = |name: &str| Column::new(name.into(), vec![0.25_f32; 60 * COUNT]);
        table.replace("label", Column::new("label".into(), vec![false; 60 * COUNT])).unwrap();
        table.replace("probability_fln", constant("probability_fln")).unwrap();
        if run.summary.variant == "gal-j" {
            table.replace("probability_cln", constant("probability_cln")).unwrap();
        }
        write_parquet(&folder, table);
        folder
    });
    let folder = workspace.path("report");
    report::collect(&folders, &folder).unwrap();
    let text = page(&folder);
    for word in ["NaN", "| inf", "100.00 to 100.00"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(section(&text, "Beyond accuracy").unwrap().contains("| Baseline | - | - | - | - | 25.00 |"), "{text}");
    assert!(text.contains("is not compared with the labels' correlation"), "{text}");
    assert!(!text.contains("gives equal weight"), "{text}");
}
