//! From run folders to a report: what is refused, what is kept, what is printed. The run folders are invented here,
//! with drawn probabilities; none of their figures means anything.

use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::config::RunSummary;
use gal_bench::evaluate::{self, Evaluation, Head};
use gal_bench::{random, report};
use polars::prelude::*;
use rand::RngExt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// An invented run.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) summary: RunSummary,
    /// Chance that an answer is right.
    pub(crate) skill: f64,
    /// Images of each person, where the predictions say whose faces they show.
    pub(crate) of_person: Option<usize>,
}

impl Fixture {
    pub(crate) fn new(variant: &str, seed: u64) -> Self {
        let parameters = if variant == "baseline" { 5_012_798 } else { 5_144_478 };
        let summary = RunSummary {
            id: format!("synthetic-quick-{variant}-seed{seed}"),
            dataset: "synthetic".to_owned(),
            split_official: false,
            split: "BootstrapInfo with the faces, by identity".to_owned(),
            data_digest: "0123456789abcdef".repeat(4),
            data_notes: vec!["1,600 faces drawn with seed 1.".to_owned()],
            profile: "quick".to_owned(),
            variant: variant.to_owned(),
            seed,
            device: "cpu".to_owned(),
            cpu_features: vec!["avx2".to_owned(), "fma".to_owned()],
            threads: 2,
            version: "0.1.0".to_owned(),
            commit: "0000000".to_owned(),
            command: format!("gal-bench train --dataset synthetic --profile quick --seed {seed}"),
            wall_seconds: 93.0,
            steps: 1200,
            batch: 64,
            input: 66,
            train_images: 2400,
            train_sources: 1200,
            test_images: 60,
            parameters,
            train_positive_rate: (0..COUNT).map(|i| if i == 0 { 0.5 } else { i as f64 / 44.0 }).collect(),
            deviations: vec!["Synthetic faces instead of photographs".to_owned(), "66 px input, not 227".to_owned()],
        };
        Self { summary, skill: 0.85, of_person: None }
    }

    fn has_cln(&self) -> bool {
        self.summary.variant != "baseline"
    }

    /// Writes the run's folder below `runs`.
    pub(crate) fn write(&self, runs: &Path) -> PathBuf {
        let folder = runs.join(&self.summary.id);
        std::fs::create_dir_all(&folder).unwrap();
        write_parquet(&folder, self.predictions());
        std::fs::write(folder.join("metrics.jsonl"), self.metrics()).unwrap();
        if self.has_cln() {
            std::fs::write(folder.join("affinity.csv"), affinity(self.summary.seed)).unwrap();
        }
        std::fs::write(folder.join("summary.json"), serde_json::to_vec(&self.summary).unwrap()).unwrap();
        folder
    }

    pub(crate) fn predictions(&self) -> DataFrame {
        let rows = self.summary.test_images * COUNT;
        // The labels belong to the test images, the answers to the run.
        let mut of_data = random::generator(1, &[0]);
        let mut of_run = random::generator(self.summary.seed, &[1, random::name(&self.summary.variant)]);
        let rates = &self.summary.train_positive_rate;
        let labels: Vec<bool> = (0..rows).map(|row| of_data.random_bool(rates[row % COUNT])).collect();
        let mut head = || -> Vec<f32> {
            let answer = |&label: &bool| {
                let yes = if of_run.random_bool(self.skill) { label } else { !label };
                if yes { of_run.random_range(0.51..1.0) } else { of_run.random_range(0.0..0.49) }
            };
            labels.iter().map(answer).collect()
        };
        let fln = head();
        let cln: Vec<Option<f32>> =
            if self.has_cln() { head().into_iter().map(Some).collect() } else { vec![None; rows] };
        let image: Vec<String> = (0..rows).map(|row| format!("{:06}.png", row / COUNT)).collect();
        let attribute: Vec<&str> = (0..rows).map(|row| NAMES[row % COUNT]).collect();
        let identity: Vec<Option<String>> =
            (0..rows).map(|row| self.of_person.map(|images| (row / COUNT / images).to_string())).collect();
        df!(
            "image" => image,
            "attribute" => attribute,
            "label" => labels,
            "probability_fln" => fln,
            "probability_cln" => cln,
            "identity" => identity,
        )
        .unwrap()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let mut noise = random::generator(self.summary.seed, &[2, random::name(&self.summary.variant)]);
        for i in 1..=24 {
            let step = 50 * i;
            let loss = 10.0 + 17.0 * (-(i as f64) / 8.0).exp() + noise.random_range(0.0..0.5);
            let cln = if self.has_cln() { (loss + 0.7).to_string() } else { "null".to_owned() };
            let _ = writeln!(
                text,
                r#"{{"step":{step},"epoch":0.4,"lr":0.01,"loss_fln":{loss},"loss_cln":{cln},"images_per_second":310.0}}"#
            );
            if step % 300 == 0 {
                let accuracy = 0.7 + 0.01 * i as f64 / 2.0;
                let cln = if self.has_cln() { (accuracy - 0.01).to_string() } else { "null".to_owned() };
                let _ = writeln!(
                    text,
                    r#"{{"step":{step},"validation_accuracy_fln":{accuracy},"validation_accuracy_cln":{cln}}}"#
                );
            }
        }
        text
    }
}

fn affinity(seed: u64) -> String {
    let mut draw = random::generator(seed, &[3]);
    let groups = gal_bench::attribute::group_of();
    let mut text = format!("attribute,{}\n", NAMES.join(","));
    for i in 0..COUNT {
        let weight = |j: usize, noise: f64| match (i == j, groups[i] == groups[j]) {
            (true, _) => 12.0 + noise,
            (false, true) => 1.0 + 3.0 * noise,
            (false, false) => noise,
        };
        let row: Vec<f64> = (0..COUNT).map(|j| weight(j, draw.random_range(0.0..1.0))).collect();
        let total: f64 = row.iter().sum();
        let cells: Vec<String> = row.iter().map(|w| format!("{:.6}", w / total)).collect();
        let _ = writeln!(text, "{},{}", NAMES[i], cells.join(","));
    }
    text
}

pub(crate) fn write_parquet(folder: &Path, mut table: DataFrame) {
    let file = std::fs::File::create(folder.join("predictions.parquet")).unwrap();
    ParquetWriter::new(file).finish(&mut table).unwrap();
}

pub(crate) fn workplace() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Two seeds of Baseline and GAL-j, one of the others.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let named = [("gal-p", 1), ("baseline", 1), ("gal-j", 2), ("gal-c", 1), ("baseline", 2), ("gal-j", 1)];
    named.into_iter().map(|(variant, seed)| Fixture::new(variant, seed)).collect()
}

/// Writes and collects `runs`; the report's folder is the second value.
pub(crate) fn collected(runs: &[Fixture]) -> (tempfile::TempDir, PathBuf) {
    let place = workplace();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&place.path().join("runs"))).collect();
    let folder = place.path().join("reports/fixture");
    report::collect(&folders, &folder).unwrap();
    (place, folder)
}

pub(crate) fn readme(runs: &[Fixture]) -> String {
    let (_place, folder) = collected(runs);
    String::from_utf8(report::render(&folder).unwrap().swap_remove(0).1).unwrap()
}

/// The sentence with which evaluating a spoilt run ends, without the folder's random name; the exit code must be 2.
fn complaint(spoil: impl FnOnce(&Path, DataFrame)) -> String {
    let place = workplace();
    let fixture = Fixture::new("gal-j", 1);
    let folder = fixture.write(place.path());
    spoil(&folder, fixture.predictions());
    let error = Evaluation::of_run(&folder).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string().replace(&place.path().display().to_string(), "RUNS")
}

#[test]
fn accuracy_and_floor_are_counts_of_the_predictions() {
    let place = workplace();
    let fixture = Fixture::new("gal-j", 1);
    let evaluation = Evaluation::of_run(&fixture.write(place.path())).unwrap();
    let table = fixture.predictions();
    let labels: Vec<bool> = table.column("label").unwrap().bool().unwrap().iter().flatten().collect();
    let answers: Vec<f32> = table.column("probability_cln").unwrap().f32().unwrap().iter().flatten().collect();
    let judged = evaluation.primary_head();
    assert_eq!(judged.head, Head::Cln);
    for (i, result) in judged.attributes.iter().enumerate() {
        let mut correct = 0;
        let mut majority = 0;
        for image in 0..60 {
            let row = image * COUNT + i;
            correct += usize::from(labels[row] == (answers[row] > 0.5));
            // The rates of the fixture pass one half after attribute 22; attribute 0 is an exact tie: "no".
            majority += usize::from(labels[row] == (i > 22));
        }
        assert_eq!((result.attribute.as_str(), result.n, result.correct), (NAMES[i], 60, correct));
        assert!((result.floor - majority as f64 / 60.0).abs() < 1e-12, "{}", NAMES[i]);
    }
}

#[test]
fn baseline_is_judged_by_its_fln_head() {
    let place = workplace();
    let evaluation = Evaluation::of_run(&Fixture::new("baseline", 1).write(place.path())).unwrap();
    assert_eq!(evaluation.primary_head().head, Head::Fln);
    assert!(evaluation.head(Head::Cln).is_none());
}

#[test]
fn the_terminal_table_shows_both_heads_and_the_floor() {
    let place = workplace();
    let evaluation = Evaluation::of_run(&Fixture::new("gal-j", 1).write(place.path())).unwrap();
    insta::assert_snapshot!(report::table(&evaluation));
}

#[test]
fn a_run_without_a_summary_is_not_finished() {
    let found = complaint(|folder, _| std::fs::remove_file(folder.join("summary.json")).unwrap());
    insta::assert_snapshot!(found, @"the run in RUNS/synthetic-quick-gal-j-seed1 is not finished, as it has no summary.json: run the `gal-bench train` command that started it again");
}

#[test]
fn a_missing_run_folder_is_named() {
    let error = Evaluation::of_run(Path::new("runs/nowhere")).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    insta::assert_snapshot!(error, @"there is no run folder runs/nowhere: `gal-bench train` makes one");
}

#[test]
fn a_missing_column_is_named() {
    let found = complaint(|folder, table| write_parquet(folder, table.drop("label").unwrap()));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: has no column `label`: found image, attribute, probability_fln, probability_cln, identity, expected image, attribute, label, probability_fln, probability_cln; train the run again with --force to write it anew");
}

#[test]
fn a_column_of_another_type_is_named() {
    let found = complaint(|folder, mut table| {
        table.replace("label", Series::new("label".into(), vec![1.0_f64; 60 * COUNT]).into()).unwrap();
        write_parquet(folder, table);
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: column `label` holds f64, expected Boolean; train the run again with --force to write it anew");
}

#[test]
fn a_missing_row_is_found() {
    let found = complaint(|folder, table| write_parquet(folder, table.slice(0, 60 * COUNT - 1)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: holds 2399 rows, expected 40 an image and at least one image; train the run again with --force to write it anew");
}

#[test]
fn a_missing_image_is_found() {
    let found = complaint(|folder, table| write_parquet(folder, table.slice(0, 59 * COUNT)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: holds 59 images, but summary.json says 60 test images; train the run again");
}

#[test]
fn rows_in_another_order_are_found() {
    let found = complaint(|folder, table| {
        let shifted = table.slice(1, COUNT).vstack(&table.slice(0, 1)).unwrap();
        write_parquet(folder, shifted.slice(0, COUNT));
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 1: attribute `Arched_Eyebrows`, expected `5_o_Clock_Shadow`; train the run again with --force to write it anew");
}

#[test]
fn an_image_that_comes_twice_is_found() {
    let found = complaint(|folder, table| {
        write_parquet(folder, table.slice(0, COUNT).vstack(&table.slice(0, 59 * COUNT)).unwrap());
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 41: image `000000.png` comes a second time; train the run again with --force to write it anew");
}

/// Puts one value in the CLN's probabilities.
fn with_probability(folder: &Path, mut table: DataFrame, row: usize, value: Option<f32>) {
    let mut values: Vec<Option<f32>> = table.column("probability_cln").unwrap().f32().unwrap().iter().collect();
    values[row] = value;
    table.replace("probability_cln", Series::new("probability_cln".into(), values).into()).unwrap();
    write_parquet(folder, table);
}

#[test]
fn a_probability_that_is_not_a_number_is_found() {
    let found = complaint(|folder, table| with_probability(folder, table, 41, Some(f32::NAN)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 42: `probability_cln` is NaN, expected a number from 0 to 1; train the run again with --force to write it anew");
}

#[test]
fn a_probability_above_one_is_found() {
    let found = complaint(|folder, table| with_probability(folder, table, 0, Some(1.5)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 1: `probability_cln` is 1.5, expected a number from 0 to 1; train the run again with --force to write it anew");
}

#[test]
fn a_missing_probability_is_found() {
    let found = complaint(|folder, table| with_probability(folder, table, 2, None));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 3: `probability_cln` is null; train the run again with --force to write it anew");
}

#[test]
fn a_file_that_is_not_parquet_is_refused() {
    let found = complaint(|folder, _| std::fs::write(folder.join("predictions.parquet"), "image,label\n").unwrap());
    assert!(
        found.starts_with("RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: is not a Parquet file"),
        "{found}"
    );
}

#[test]
fn a_broken_line_of_metrics_is_named() {
    let place = workplace();
    let folder = Fixture::new("baseline", 1).write(place.path());
    std::fs::write(folder.join("metrics.jsonl"), "{\"step\":50,\"loss_fln\":23.1}\n{\"step\":100,\"lo").unwrap();
    let error = evaluate::read_curve(&folder).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("metrics.jsonl, line 2: is not a line of training metrics"), "{error}");
}

#[test]
fn an_affinity_with_a_row_missing_is_refused() {
    let place = workplace();
    let folder = Fixture::new("gal-j", 1).write(place.path());
    let text = affinity(1);
    std::fs::write(folder.join("affinity.csv"), text.lines().take(COUNT).collect::<Vec<_>>().join("\n")).unwrap();
    let error = evaluate::read_affinity(&folder).unwrap_err().to_string();
    assert!(error.ends_with("affinity.csv: holds 39 rows, expected 40"), "{error}");
}

/// The sentence with which collecting `runs` is refused.
fn refusal(runs: &[Fixture]) -> String {
    let place = workplace();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&place.path().join("runs"))).collect();
    let folder = place.path().join("report");
    let error = report::collect(&folders, &folder).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(!folder.exists(), "a refused report leaves nothing");
    error.to_string()
}

#[test]
fn runs_on_different_data_cannot_share_a_report() {
    let mut other = Fixture::new("gal-j", 1);
    other.summary.data_digest = "fedcba9876543210".repeat(4);
    insta::assert_snapshot!(refusal(&[Fixture::new("baseline", 1), other]), @"runs synthetic-quick-baseline-seed1 and synthetic-quick-gal-j-seed1 cannot share a report: the data digest of one is 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, of the other fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210; make a report of each");
}

#[test]
fn two_runs_of_one_variant_and_seed_cannot_share_a_report() {
    let mut twin = Fixture::new("gal-j", 1);
    twin.summary.id = "another".to_owned();
    insta::assert_snapshot!(refusal(&[Fixture::new("gal-j", 1), twin]), @"runs synthetic-quick-gal-j-seed1 and another are both gal-j with seed 1: name one of them only");
}

#[test]
fn a_report_of_no_run_is_refused() {
    insta::assert_snapshot!(refusal(&[]), @"a report needs at least one finished run");
}

#[test]
fn the_page_says_what_the_results_say() {
    insta::assert_snapshot!(readme(&fixtures()));
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let (_place, folder) = collected(&fixtures());
    assert_eq!(report::render(&folder).unwrap(), report::render(&folder).unwrap());
}

#[test]
fn the_order_in_which_runs_are_named_does_not_matter() {
    let mut backwards = fixtures();
    backwards.reverse();
    let (_a, one) = collected(&fixtures());
    let (_b, other) = collected(&backwards);
    assert_eq!(report::render(&one).unwrap(), report::render(&other).unwrap());
}

#[test]
fn a_report_needs_its_results_alone() {
    let (place, folder) = collected(&fixtures());
    let before = report::render(&folder).unwrap();
    std::fs::remove_dir_all(place.path().join("runs")).unwrap();
    assert_eq!(report::render(&folder).unwrap(), before);
}

#[test]
fn figures_are_small_and_drawn_for_what_was_learned() {
    let (_place, folder) = collected(&fixtures());
    let rendered = report::render(&folder).unwrap();
    let names: Vec<String> = rendered.iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(
        names,
        [
            "README.md",
            "index.html",
            "figure-5-gal-j.svg",
            "figure-5-gal-c.svg",
            "phi-labels.svg",
            "affinity-clustered-gal-j.svg",
            "affinity-clustered-gal-c.svg",
            "phi-residual-baseline.svg",
            "phi-residual-gal-j.svg",
            "reliability.svg",
            "training-curves.svg",
            "gain-over-floor.svg"
        ]
    );
    for (path, content) in rendered.into_iter().filter(|(path, _)| path.extension().unwrap() == "svg") {
        assert!(content.len() < 60_000, "{}: {}", path.display(), content.len());
    }
}

#[test]
fn a_written_report_has_no_differences_until_it_is_changed() {
    let (_place, folder) = collected(&fixtures());
    report::write(&folder).unwrap();
    assert_eq!(report::differences(&folder).unwrap(), Vec::<PathBuf>::new());
    let page = folder.join("README.md");
    std::fs::write(&page, std::fs::read_to_string(&page).unwrap().replace("GAL-j", "GAL-J")).unwrap();
    std::fs::write(folder.join("figure-5-other.svg"), "<svg/>").unwrap();
    std::fs::remove_file(folder.join("training-curves.svg")).unwrap();
    std::fs::write(folder.join("index.html"), "<!DOCTYPE html>").unwrap();
    let expected =
        ["README.md", "figure-5-other.svg", "index.html", "training-curves.svg"].map(|name| folder.join(name));
    assert_eq!(report::differences(&folder).unwrap(), expected);
}

#[test]
fn a_smaller_report_leaves_nothing_of_the_larger_one() {
    let (place, folder) = collected(&fixtures());
    report::write(&folder).unwrap();
    let run = Fixture::new("baseline", 1).write(&place.path().join("runs"));
    report::collect(&[run], &folder).unwrap();
    report::write(&folder).unwrap();
    let mut left: Vec<String> = Vec::new();
    for place in [folder.clone(), folder.join("results")] {
        left.extend(std::fs::read_dir(place).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()));
    }
    left.sort();
    let expected = [
        "README.md",
        "accuracy.csv",
        "bootstrap.json",
        "comparisons.csv",
        "contradictions.csv",
        "correlation.csv",
        "curves.csv",
        "gain-over-floor.svg",
        "index.html",
        "means.csv",
        "phi-labels.svg",
        "phi-residual-baseline.svg",
        "phi.csv",
        "reliability.csv",
        "reliability.svg",
        "results",
        "results.json",
        "training-curves.svg",
    ];
    assert_eq!(left, expected);
}

#[test]
fn a_folder_without_results_says_what_to_do() {
    let place = workplace();
    let error = report::render(place.path()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("give `gal-bench report` the runs to collect"), "{error}");
}

/// The fixture as if it were of another data set.
fn on(dataset: &str, official: bool, deviations: &[&str]) -> Vec<Fixture> {
    let mut runs = fixtures();
    for run in &mut runs {
        dataset.clone_into(&mut run.summary.dataset);
        run.summary.split_official = official;
        "The official partition".clone_into(&mut run.summary.split);
        run.summary.deviations = deviations.iter().map(|d| (*d).to_owned()).collect();
    }
    runs
}

#[test]
fn published_figures_are_like_for_like_only_with_the_papers_protocol() {
    let sentence = "The same data, partition and protocol as the paper's.";
    assert!(readme(&on("celeba", true, &[])).contains(sentence));
    assert!(!readme(&on("celeba", true, &["6,000 images of 64 px"])).contains(sentence));
    assert!(!readme(&on("celeba", false, &[])).contains(sentence));
    assert!(!readme(&on("synthetic", true, &[])).contains(sentence));
}

#[test]
fn a_report_on_lfwa_stands_beside_the_published_rows_of_lfwa() {
    let page = readme(&on("lfwa", false, &["66 px input, not 227"]));
    assert!(page.contains("| LNets+ANet (2015) | LFWA, published | 83.85 | 84 | 71.85 | +12.00 |"), "{page}");
    assert!(page.contains("no figure here is a result on the official test split of LFWA."), "{page}");
    assert!(page.contains("| LNets+ANet, LFWA published |"));
}

#[test]
fn every_table_has_its_heading_and_the_floor() {
    let page = readme(&fixtures());
    for number in 1..=4 {
        let section = page.split("\n## ").find(|s| s.starts_with(&format!("Table {number}. "))).unwrap();
        let header = section.lines().find(|line| line.starts_with("| ")).unwrap();
        assert!(header.contains("| Floor"), "{header}");
        assert!(section.contains("not the paper's protocol"), "{section}");
    }
}

#[test]
fn the_implausible_published_figure_is_marked() {
    let page = readme(&fixtures());
    let row = page.lines().find(|line| line.starts_with("| `Big_Lips` | 67.30")).unwrap();
    assert_eq!(row, "| `Big_Lips` | 67.30 | 71.47 | 96.00 (not credible) | 70.88 | 71.81 |");
}

/// Table of the house: evaluation and report work from files, never from tensors.
#[test]
fn evaluate_and_report_never_touch_tensors_or_earlier_stages() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.join("evaluate"), source.join("report")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for forbidden in ["candle", "crate::train", "crate::model", "crate::nn", "crate::store", "crate::dataset"] {
                assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 10, "{files}");
}
