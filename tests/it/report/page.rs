//! From run folders to a report: what is refused, what is kept, what is printed.

use super::sections::assert_sections;
use crate::common::fake_runs::{FakeRun, affinity, collected, fake_runs, page_of, section, write_parquet};
use crate::common::gal_bench::user_error;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::config::Profile;
use gal_bench::evaluate::{self, Evaluation, Head};
use gal_bench::{io, report};
use polars::prelude::*;
use std::path::{Path, PathBuf};

/// The error of evaluating a damaged run, without the folder's random name.
fn evaluation_error(spoil: impl FnOnce(&Path, DataFrame)) -> String {
    let workspace = Workspace::new();
    let run = FakeRun::new("gal-j", 1);
    let folder = run.write(workspace.root());
    spoil(&folder, run.predictions());
    user_error(Evaluation::of_run(&folder)).replace(&workspace.root().display().to_string(), "RUNS")
}

#[test]
fn accuracy_and_floor_are_counts_of_the_predictions() {
    let workspace = Workspace::new();
    let fixture = FakeRun::new("gal-j", 1);
    let evaluation = Evaluation::of_run(&fixture.write(workspace.root())).unwrap();
    let table = fixture.predictions();
    let labels: Vec<bool> = table.column("label").unwrap().bool().unwrap().iter().flatten().collect();
    let probabilities: Vec<f32> = table.column("probability_cln").unwrap().f32().unwrap().iter().flatten().collect();
    let primary = evaluation.primary_head();
    assert_eq!(primary.head, Head::Cln);
    for (i, result) in primary.attributes.iter().enumerate() {
        let mut correct = 0;
        let mut majority = 0;
        for image in 0..60 {
            let row = image * COUNT + i;
            correct += usize::from(labels[row] == (probabilities[row] > 0.5));
            // The rates of the fake run pass one half after attribute 22; attribute 0 is a tie, which is predicted negative.
            majority += usize::from(labels[row] == (i > 22));
        }
        assert_eq!((result.attribute.as_str(), result.n, result.correct), (NAMES[i], 60, correct));
        assert!((result.floor.unwrap() - majority as f64 / 60.0).abs() < 1e-12, "{}", NAMES[i]);
    }
}

#[test]
fn baseline_is_scored_by_its_fln_head() {
    let workspace = Workspace::new();
    let evaluation = Evaluation::of_run(&FakeRun::new("baseline", 1).write(workspace.root())).unwrap();
    assert_eq!(evaluation.primary_head().head, Head::Fln);
    assert!(evaluation.head(Head::Cln).is_none());
}

#[test]
fn the_terminal_table_shows_both_heads_and_the_floor() {
    let workspace = Workspace::new();
    let evaluation = Evaluation::of_run(&FakeRun::new("gal-j", 1).write(workspace.root())).unwrap();
    insta::assert_snapshot!(report::table(&evaluation));
}

#[test]
fn a_run_without_a_summary_is_not_finished() {
    let found = evaluation_error(|folder, _| {
        std::fs::remove_file(folder.join("summary.json")).unwrap();
        std::fs::write(folder.join("config.toml"), "").unwrap();
    });
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
    let found = evaluation_error(|folder, table| write_parquet(folder, table.drop("label").unwrap()));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: has no column `label`: found image, attribute, probability_fln, probability_cln, identity, expected image, attribute, label, probability_fln, probability_cln; train the run again with --force to write it anew");
}

#[test]
fn a_column_of_another_type_is_named() {
    let found = evaluation_error(|folder, mut table| {
        table.replace("label", Series::new("label".into(), vec![1.0_f64; 60 * COUNT]).into()).unwrap();
        write_parquet(folder, table);
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: column `label` holds f64, expected Boolean; train the run again with --force to write it anew");
}

#[test]
fn a_missing_row_is_found() {
    let found = evaluation_error(|folder, table| write_parquet(folder, table.slice(0, 60 * COUNT - 1)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: holds 2399 rows, expected 40 an image and at least one image; train the run again with --force to write it anew");
}

#[test]
fn a_missing_image_is_found() {
    let found = evaluation_error(|folder, table| write_parquet(folder, table.slice(0, 59 * COUNT)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: holds 59 images, but summary.json says 60 test images; train the run again");
}

#[test]
fn rows_in_another_order_are_found() {
    let found = evaluation_error(|folder, table| {
        let shifted = table.slice(1, COUNT).vstack(&table.slice(0, 1)).unwrap();
        write_parquet(folder, shifted.slice(0, COUNT));
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 1: attribute `Arched_Eyebrows`, expected `5_o_Clock_Shadow`; train the run again with --force to write it anew");
}

#[test]
fn an_image_that_comes_twice_is_found() {
    let found = evaluation_error(|folder, table| {
        write_parquet(folder, table.slice(0, COUNT).vstack(&table.slice(0, 59 * COUNT)).unwrap());
    });
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 41: image `000000.png` is a duplicate; train the run again with --force to write it anew");
}

/// Replaces one of the CLN's probabilities.
fn with_probability(folder: &Path, mut table: DataFrame, row: usize, value: Option<f32>) {
    let mut values: Vec<Option<f32>> = table.column("probability_cln").unwrap().f32().unwrap().iter().collect();
    values[row] = value;
    table.replace("probability_cln", Series::new("probability_cln".into(), values).into()).unwrap();
    write_parquet(folder, table);
}

#[test]
fn a_probability_that_is_not_a_number_is_found() {
    let found = evaluation_error(|folder, table| with_probability(folder, table, 41, Some(f32::NAN)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 42: `probability_cln` is NaN, expected a number from 0 to 1; train the run again with --force to write it anew");
}

#[test]
fn a_probability_above_one_is_found() {
    let found = evaluation_error(|folder, table| with_probability(folder, table, 0, Some(1.5)));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 1: `probability_cln` is 1.5, expected a number from 0 to 1; train the run again with --force to write it anew");
}

#[test]
fn a_missing_probability_is_found() {
    let found = evaluation_error(|folder, table| with_probability(folder, table, 2, None));
    insta::assert_snapshot!(found, @"RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: row 3: `probability_cln` is null; train the run again with --force to write it anew");
}

#[test]
fn a_file_that_is_not_parquet_is_refused() {
    let found =
        evaluation_error(|folder, _| std::fs::write(folder.join("predictions.parquet"), "image,label\n").unwrap());
    assert!(
        found.starts_with("RUNS/synthetic-quick-gal-j-seed1/predictions.parquet: is not a Parquet file"),
        "{found}"
    );
}

#[test]
fn a_broken_line_of_metrics_is_named() {
    let workspace = Workspace::new();
    let folder = FakeRun::new("baseline", 1).write(workspace.root());
    std::fs::write(folder.join("metrics.jsonl"), "{\"step\":50,\"loss_fln\":23.1}\n{\"step\":100,\"lo").unwrap();
    let error = evaluate::read_curve(&folder).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("metrics.jsonl, line 2: is not a line of training metrics"), "{error}");
}

#[test]
fn an_affinity_with_a_row_missing_is_refused() {
    let workspace = Workspace::new();
    let folder = FakeRun::new("gal-j", 1).write(workspace.root());
    let text = affinity(1);
    std::fs::write(folder.join("affinity.csv"), text.lines().take(COUNT).collect::<Vec<_>>().join("\n")).unwrap();
    let error = evaluate::read_affinity(&folder).unwrap_err().to_string();
    assert!(error.ends_with("affinity.csv: holds 39 rows, expected 40"), "{error}");
}

/// The error of collecting `runs`.
fn collection_error(runs: &[FakeRun]) -> String {
    let workspace = Workspace::new();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&workspace.path("runs"))).collect();
    let folder = workspace.path("report");
    let error = user_error(report::collect(&folders, &folder));
    assert!(!folder.exists(), "a refused report leaves nothing");
    error
}

#[test]
fn runs_on_different_data_cannot_share_a_report() {
    let mut other = FakeRun::new("gal-j", 1);
    other.summary.data_digest = "fedcba9876543210".repeat(4);
    insta::assert_snapshot!(collection_error(&[FakeRun::new("baseline", 1), other]), @"runs synthetic-quick-baseline-seed1 and synthetic-quick-gal-j-seed1 cannot share a report: the data digest of one is 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, of the other fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210; make a report of each");
}

#[test]
fn two_runs_of_one_variant_and_seed_cannot_share_a_report() {
    let mut twin = FakeRun::new("gal-j", 1);
    twin.summary.id = "another".to_owned();
    insta::assert_snapshot!(collection_error(&[FakeRun::new("gal-j", 1), twin]), @"runs synthetic-quick-gal-j-seed1 and another are both gal-j with seed 1: name one of them only");
}

#[test]
fn a_report_of_no_run_is_refused() {
    insta::assert_snapshot!(collection_error(&[]), @"a report needs at least one finished run");
}

#[test]
fn the_page_says_what_the_results_say() {
    assert_sections("page", &page_of(&fake_runs()));
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let (_workspace, folder, _) = collected(&fake_runs());
    assert_eq!(report::render(&folder).unwrap(), report::render(&folder).unwrap());
}

#[test]
fn the_order_in_which_runs_are_named_does_not_matter() {
    let mut backwards = fake_runs();
    backwards.reverse();
    let (_a, one, _) = collected(&fake_runs());
    let (_b, other, _) = collected(&backwards);
    assert_eq!(report::render(&one).unwrap(), report::render(&other).unwrap());
}

#[test]
fn a_report_needs_its_results_alone() {
    let (workspace, folder, _) = collected(&fake_runs());
    let before = report::render(&folder).unwrap();
    std::fs::remove_dir_all(workspace.path("runs")).unwrap();
    assert_eq!(report::render(&folder).unwrap(), before);
}

#[test]
fn figures_are_small_and_drawn_for_what_was_learned() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let rendered = report::render(&folder).unwrap();
    let names: Vec<String> = rendered.iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(
        names,
        [
            "README.md",
            "index.html",
            "difference-from-baseline.svg",
            "figure-5-gal-c.svg",
            "figure-5-gal-j.svg",
            "phi-labels.svg",
            "affinity-clustered-gal-c.svg",
            "affinity-clustered-gal-j.svg",
            "phi-residual-baseline.svg",
            "phi-residual-gal-j.svg",
            "reliability.svg",
            "affinity-course.svg",
            "training-curves.svg",
            "gal-j-less-baseline.svg",
            "gain-over-floor.svg"
        ]
    );
    for (path, content) in rendered.into_iter().filter(|(path, _)| path.extension().unwrap() == "svg") {
        assert!(content.len() < 60_000, "{}: {}", path.display(), content.len());
    }
}

#[test]
fn a_written_report_has_no_differences_until_it_is_changed() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let output = report::claim(&folder, false).unwrap();
    report::write(&folder).unwrap();
    io::write(&folder.join("figure-5-other.svg"), b"<svg/>").unwrap();
    output.record().unwrap();
    std::fs::write(folder.join("mine.svg"), "<svg/>").unwrap();
    let page = folder.join("README.md");
    assert_eq!(report::differences(&folder).unwrap(), [folder.join("figure-5-other.svg")]);
    std::fs::write(&page, std::fs::read_to_string(&page).unwrap().replace("GAL-j", "GAL-J")).unwrap();
    std::fs::remove_file(folder.join("training-curves.svg")).unwrap();
    std::fs::write(folder.join("index.html"), "<!DOCTYPE html>").unwrap();
    let expected =
        ["README.md", "figure-5-other.svg", "index.html", "training-curves.svg"].map(|name| folder.join(name));
    assert_eq!(report::differences(&folder).unwrap(), expected);
}

#[test]
fn a_smaller_report_leaves_nothing_of_the_larger_one() {
    let (workspace, folder, _) = collected(&fake_runs());
    let write = || {
        let output = report::claim(&folder, false).unwrap();
        report::write(&folder).unwrap();
        output.record().unwrap();
    };
    write();
    let output = report::claim(&folder, false).unwrap();
    let run = FakeRun::new("baseline", 1).write(&workspace.path("runs"));
    report::collect(&[run], &folder).unwrap();
    output.record().unwrap();
    write();
    let mut left: Vec<String> = Vec::new();
    for place in [folder.clone(), folder.join("results")] {
        left.extend(std::fs::read_dir(place).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()));
    }
    left.retain(|name| name != ".gal-bench-files.json");
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
    let workspace = Workspace::new();
    let error = report::render(workspace.root()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("run `gal-bench evaluate` first"), "{error}");
}

/// The fake runs with another data set.
fn on(dataset: &str, official: bool, deviations: &[&str]) -> Vec<FakeRun> {
    let mut runs = fake_runs();
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
    assert!(page_of(&on("celeba", true, &[])).contains(sentence));
    assert!(!page_of(&on("celeba", true, &["6,000 images of 64 px"])).contains(sentence));
    assert!(!page_of(&on("celeba", false, &[])).contains(sentence));
    assert!(!page_of(&on("synthetic", true, &[])).contains(sentence));
}

#[test]
fn a_report_on_lfwa_stands_beside_the_published_rows_of_lfwa() {
    let page = page_of(&on("lfwa", false, &["66 px input, not 227"]));
    assert!(page.contains("| LNets+ANet (2015) | LFWA, published | 83.85 | 84 | 71.85 | +12.00 |"), "{page}");
    assert!(page.contains("No figure here is a result on the official test split of LFWA."), "{page}");
    assert!(page.contains("| LNets+ANet, LFWA published |"));
}

#[test]
fn figures_on_the_official_test_split_are_named_so_and_stay_another_protocol() {
    let page = page_of(&on("lfwa", true, &["66 px input, not 227"]));
    let data = "LFWA's official test split";
    assert!(page.contains(&format!("**The test images are {data}**, all 60 of it.")), "{page}");
    assert!(page.contains(&format!("*{data}, profile quick (66 px input, 1,200 steps): not the paper's protocol.*")));
    assert!(page.contains(&format!("- Data: {data}, 60 test images;")), "{page}");
    assert!(page.contains("**LFWA, published, another protocol.** The test images are the same."), "{page}");
    assert!(!page.contains("The same data, partition and protocol as the paper's."));
}

#[test]
fn a_subset_is_named_in_heading_captions_and_warning() {
    let mut runs = on("celeba", false, &["66 px input, not 227"]);
    for run in &mut runs {
        run.summary.extent = Some("a subset of 30,000 images of 64 x 64 pixels".to_owned());
    }
    let page = page_of(&runs);
    let data = "CelebA, a subset of 30,000 images of 64 x 64 pixels";
    assert!(page.starts_with(&format!("# {data}, profile quick: ")), "{page}");
    assert!(page.contains(&format!("*{data}, profile quick (66 px input")), "{page}");
    let warning = "**The data is a subset of 30,000 images of 64 x 64 pixels.** No figure here is a result on the \
                   official test split of CelebA.";
    assert!(page.contains(warning), "{page}");
    assert!(
        page.contains("ResNet-18, trained on 16,277 images of CelebA, reaches 90.32 % from random weights and 90.88 %")
    );
}

#[test]
fn few_training_images_at_full_size_stand_beside_runs_on_celeba_as_other_data() {
    let page = page_of(&on("celeba", false, &["64 px input, not 227"]));
    let table = section(&page, "Table 2. Published").unwrap();
    assert!(table.contains("| ResNet-18 on a tenth, ImageNet | 90.88 | 79.91 | +10.98 |"), "{table}");
    assert!(table.contains("**Few training images, published, other data.**"), "{table}");
    assert!(!section(&page_of(&on("lfwa", false, &[])), "Table 2. Published").unwrap().contains("ResNet-18"));
}

#[test]
fn every_table_has_its_heading_and_the_floor() {
    let page = page_of(&fake_runs());
    for number in 1..=4 {
        let table = section(&page, &format!("Table {number}. ")).unwrap();
        assert!(table.contains("| Floor") || table.contains("The floor of"), "{table}");
    }
    for chapter in ["Accuracy", "Does the graph matter?", "By attribute", "Calibration and errors", "Beside the paper"]
    {
        let text = section(&page, chapter).unwrap();
        assert!(text.contains("not the paper's protocol"), "{text}");
    }
}

#[test]
fn the_implausible_published_figure_is_marked() {
    let page = page_of(&fake_runs());
    let row = page.lines().find(|line| line.starts_with("| `Big_Lips` | 67.30")).unwrap();
    assert_eq!(row, "| `Big_Lips` | 67.30 | 71.47 | 96.00 (not credible) | 70.88 | 71.81 |");
}

#[test]
fn a_run_that_diverged_is_named_in_results_tables_figure_and_terminal() {
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    for run in [("baseline", 1), ("gal-p", 1), ("baseline", 2)].map(|(variant, seed)| FakeRun::new(variant, seed)) {
        run.write(&runs);
    }
    FakeRun::new("gal-j", 1).write_diverged(&runs, 561);
    FakeRun::new("gal-p", 2).write_diverged(&runs, 700);
    let text = workspace.gal_bench("evaluate").args(["--seed", "1,2"]).succeeds().stdout;
    let named =
        "GAL-j with seed 1 at step 561 (learning rate 0.05), GAL-p with seed 2 at step 700 (learning rate 0.05).";
    assert!(text.contains(&format!("Diverged, without results: {named}")), "{text}");
    workspace.gal_bench("report").succeeds();
    let folder = "reports/synthetic-quick-seeds1-2";
    let results: serde_json::Value =
        serde_json::from_str(&workspace.read(&format!("{folder}/results/results.json"))).unwrap();
    let expected = serde_json::json!([
        {"variant": "gal-j", "seed": 1, "step": 561, "rate": 0.05},
        {"variant": "gal-p", "seed": 2, "step": 700, "rate": 0.05}
    ]);
    assert_eq!(results["diverged"], expected);
    let page = workspace.read(&format!("{folder}/README.md"));
    assert!(page.contains(&format!("**Diverged, without results**: {named}")), "{page}");
    for number in [1, 2, 4] {
        let table = section(&page, &format!("Table {number}")).unwrap();
        assert!(table.contains("GAL-j diverged at step 561 with seed 1 and has no row."), "{table}");
        assert!(
            table.contains("GAL-p diverged at step 700 with seed 2: its figures are of its other seeds."),
            "{table}"
        );
    }
    let course = section(&page, "Course of the learned affinity").unwrap();
    assert!(course.contains("The line of a run that diverged ends there."), "{course}");
    let svg = workspace.read(&format!("{folder}/affinity-course.svg"));
    assert!(svg.contains(">GAL-j<"), "{svg}");
    assert!(!workspace.read(&format!("{folder}/training-curves.svg")).contains(">GAL-j<"));
}

#[test]
fn a_run_that_diverged_with_another_profile_cannot_share_a_report() {
    let workspace = Workspace::new();
    let with = |variant: &str, rate: f64| {
        let mut profile = Profile::load("quick").unwrap();
        profile.optimizer.cln_rate = rate;
        FakeRun { settings: Some(profile), ..FakeRun::new(variant, 1) }
    };
    let runs = workspace.path("runs");
    let finished = with("baseline", 0.5).write(&runs);
    let collect = |stale: PathBuf| report::collect(&[finished.clone(), stale], &workspace.path("report"));
    let error = user_error(collect(with("gal-j", 1.0).write_diverged(&runs, 561)));
    assert!(error.contains("their profiles are both called quick, but differ"), "{error}");
    let collected = collect(with("gal-j", 0.5).write_diverged(&runs, 561)).unwrap();
    assert_eq!(collected.diverged.len(), 1);
}
