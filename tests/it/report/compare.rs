//! `gal-bench compare` through the binary: runs, predictions of another tool, and what is refused.

use super::sections::assert_sections;
use crate::common::fake_runs::{FakeRun, write_parquet};
use crate::common::gal_bench::GalBench;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES};
use polars::prelude::*;
use std::fmt::Write as _;

const BASELINE: &str = "runs/synthetic-quick-baseline-seed1";
const GAL_J: &str = "runs/synthetic-quick-gal-j-seed1";

/// A folder with two runs of one test split, and GAL-j's predictions in the form of another tool. Images and attributes
/// are in reverse order, names without folders.
fn runs_and_predictions() -> Workspace {
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    FakeRun { skill: 0.7, ..FakeRun::new("baseline", 1) }.write(&runs);
    let gal_j = FakeRun { skill: 0.95, ..FakeRun::new("gal-j", 1) };
    gal_j.write(&runs);
    let rows = rows(&gal_j.predictions());
    workspace.write("theirs.csv", csv(&rows));
    let mut columns = vec![Column::new("file".into(), rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>())];
    columns.extend(
        (0..COUNT)
            .rev()
            .map(|i| Column::new(NAMES[i].into(), rows.iter().map(|row| f64::from(row.1[i])).collect::<Vec<_>>())),
    );
    let mut table = DataFrame::new(rows.len(), columns).unwrap();
    let file = std::fs::File::create(workspace.path("theirs.parquet")).unwrap();
    ParquetWriter::new(file).finish(&mut table).unwrap();
    workspace
}

/// Images, last first, with the CLN's probabilities in the order of the names.
fn rows(predictions: &DataFrame) -> Vec<(String, Vec<f32>)> {
    let images: Vec<&str> = predictions.column("image").unwrap().str().unwrap().iter().flatten().collect();
    let values: Vec<f32> = predictions.column("probability_cln").unwrap().f32().unwrap().iter().flatten().collect();
    let row = |(images, values): (&[&str], &[f32])| (images[0].to_owned(), values.to_vec());
    images.chunks(COUNT).zip(values.chunks(COUNT)).rev().map(row).collect()
}

fn csv(rows: &[(String, Vec<f32>)]) -> String {
    let mut names = NAMES.to_vec();
    names.reverse();
    let mut text = format!("file name,{}\n", names.join(","));
    for (image, values) in rows {
        let values: Vec<String> = values.iter().rev().map(f32::to_string).collect();
        let _ = writeln!(text, "some/folder/{image},{}", values.join(","));
    }
    text
}

fn compare(workspace: &Workspace, arguments: &[&str]) -> GalBench {
    workspace.gal_bench("compare").args(arguments)
}

/// The error of a comparison with a damaged copy of `theirs.csv`.
fn error(spoil: impl FnOnce(Vec<String>) -> Vec<String>) -> String {
    let workspace = runs_and_predictions();
    let lines = workspace.read("theirs.csv").lines().map(str::to_owned).collect();
    workspace.write("theirs.csv", spoil(lines).join("\n"));
    refused(&workspace, &[BASELINE, "theirs.csv"])
}

fn refused(workspace: &Workspace, arguments: &[&str]) -> String {
    compare(workspace, arguments).finishes().error()
}

/// Replaces a cell, both counted from 0; column 1 is the last attribute.
fn with_cell(mut lines: Vec<String>, line: usize, column: usize, text: &str) -> Vec<String> {
    let mut cells: Vec<&str> = lines[line].split(',').collect();
    cells[column] = text;
    lines[line] = cells.join(",");
    lines
}

#[test]
fn two_runs_are_set_side_by_side() {
    let workspace = runs_and_predictions();
    insta::assert_snapshot!(compare(&workspace, &[BASELINE, GAL_J]).succeeds().stdout);
}

#[test]
fn another_tools_parquet_and_csv_score_as_the_run_with_the_same_predictions() {
    let workspace = runs_and_predictions();
    let found = compare(&workspace, &[BASELINE, GAL_J, "theirs.csv", "theirs.parquet"]).json();
    let entries = found["entries"].as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["synthetic-quick-baseline-seed1", "synthetic-quick-gal-j-seed1", "theirs.csv", "theirs.parquet"]
    );
    let comparisons = found["statistics"]["comparisons"].as_array().unwrap();
    for i in [2, 3] {
        assert_eq!(entries[i]["result"]["attributes"], entries[1]["result"]["attributes"]);
        assert_eq!(comparisons[i - 1]["mean"], comparisons[0]["mean"]);
        assert_eq!(comparisons[i - 1]["attributes"], comparisons[0]["attributes"]);
    }
}

/// Scores of `file` beside those of the run with the same predictions.
#[track_caller]
fn assert_same_as_run(workspace: &Workspace, file: &str) -> serde_json::Value {
    let found = compare(workspace, &[BASELINE, GAL_J, file]).json();
    assert_eq!(found["entries"][2]["result"]["attributes"], found["entries"][1]["result"]["attributes"], "{file}");
    found["entries"][2]["left_out"].clone()
}

#[test]
fn semicolons_tabs_and_decimal_commas_are_read() {
    let workspace = runs_and_predictions();
    let text = workspace.read("theirs.csv");
    for (name, content) in [
        ("semicolon.csv", text.replace(',', ";")),
        ("tabs.tsv", text.replace(',', "\t")),
        ("german.csv", text.replace(',', ";").replace(";0.", ";0,").replace(";1.", ";1,")),
        ("bom.csv", format!("\u{FEFF}{text}")),
        ("lines.csv", text.replace('\n', "\r\n")),
    ] {
        workspace.write(name, content);
        assert_same_as_run(&workspace, name);
    }
}

/// Every line of `theirs.csv` changed.
fn changed(workspace: &Workspace, name: &str, change: impl Fn(usize, &str) -> String) {
    let lines: Vec<String> =
        workspace.read("theirs.csv").lines().enumerate().map(|(i, line)| change(i, line)).collect();
    workspace.write(name, lines.join("\n"));
}

#[test]
fn columns_that_are_no_attribute_are_left_out_and_named() {
    let workspace = runs_and_predictions();
    changed(&workspace, "index.csv", |i, line| if i == 0 { format!(",{line}") } else { format!("{},{line}", i - 1) });
    assert_eq!(assert_same_as_run(&workspace, "index.csv"), serde_json::json!(["column 1"]));
    changed(&workspace, "extra.csv", |i, line| if i == 0 { format!("{line},loss") } else { format!("{line},0.5") });
    assert_eq!(assert_same_as_run(&workspace, "extra.csv"), serde_json::json!(["loss"]));
    let text = compare(&workspace, &[BASELINE, "extra.csv"]).succeeds().stdout;
    assert!(text.contains("Columns that are no attribute were left out: `loss`"), "{text}");
    // An index whose numbers are those of other images names none.
    changed(&workspace, "only-index.csv", |i, line| {
        let values = line.split_once(',').unwrap().1;
        if i == 0 { format!(",{values}") } else { format!("{},{values}", i - 1) }
    });
    let error = refused(&workspace, &[BASELINE, "only-index.csv"]);
    assert!(error.contains("whose names look like `000000.png`"), "{error}");
}

#[test]
fn names_are_matched_without_folder_without_extension_and_as_numbers() {
    let workspace = runs_and_predictions();
    for (name, rename) in [
        ("noext.csv", (|name: &str| name.replace(".png", "")) as fn(&str) -> String),
        ("jpg.csv", |name| name.replace(".png", ".jpg")),
        ("windows.csv", |name| format!("C:\\faces\\{name}")),
        ("numbers.csv", |name| name.trim_end_matches(".png").parse::<usize>().unwrap().to_string()),
    ] {
        changed(&workspace, name, |i, line| {
            let (file, values) = line.split_once(',').unwrap();
            let file = file.trim_start_matches("some/folder/");
            if i == 0 { line.to_owned() } else { format!("{},{values}", rename(file)) }
        });
        assert_same_as_run(&workspace, name);
    }
}

#[test]
fn truth_values_are_probabilities_of_zero_and_one() {
    let workspace = runs_and_predictions();
    let path = workspace.path("theirs.parquet");
    let mut table = ParquetReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap();
    for name in NAMES {
        let values: Vec<bool> = table.column(name).unwrap().f64().unwrap().iter().map(|p| p.unwrap() > 0.5).collect();
        table.replace(name, Column::new(name.into(), values)).unwrap();
    }
    ParquetWriter::new(std::fs::File::create(workspace.path("truth.parquet")).unwrap()).finish(&mut table).unwrap();
    let mut text = Vec::new();
    CsvWriter::new(&mut text).finish(&mut table).unwrap();
    workspace.write("truth.csv", text);
    let found = compare(&workspace, &[BASELINE, GAL_J, "truth.parquet", "truth.csv"]).json();
    let accuracy = |entry: usize| found["entries"][entry]["result"]["attributes"][20]["accuracy"].clone();
    assert!(accuracy(1).is_number() && accuracy(2) == accuracy(1) && accuracy(3) == accuracy(1), "{found}");
}

#[test]
fn files_of_this_program_are_read() {
    let workspace = runs_and_predictions();
    std::fs::copy(workspace.path(format!("{GAL_J}/predictions.parquet")), workspace.path("ours.parquet")).unwrap();
    assert_same_as_run(&workspace, "ours.parquet");
    // The columns of `predict --csv`.
    let table = FakeRun { skill: 0.95, ..FakeRun::new("gal-j", 1) }.predictions();
    let mut table = table.select(["image", "attribute", "probability_fln", "probability_cln"]).unwrap();
    let mut text = Vec::new();
    CsvWriter::new(&mut text).finish(&mut table).unwrap();
    let text = String::from_utf8(text).unwrap();
    workspace.write("predict.csv", &text);
    assert_same_as_run(&workspace, "predict.csv");
    let twice = format!("{text}{}\n", text.lines().nth(1).unwrap());
    workspace.write("twice.csv", twice);
    let error = refused(&workspace, &[BASELINE, "twice.csv"]);
    assert!(error.contains("line 2402: image `000000.png` has two rows of `5_o_Clock_Shadow`"), "{error}");
}

#[test]
fn a_comparison_is_the_same_with_any_number_of_threads() {
    let workspace = runs_and_predictions();
    let with = |threads: &str| {
        let compare = compare(&workspace, &[BASELINE, GAL_J, "theirs.csv", "--json"]);
        compare.envs(&[("RAYON_NUM_THREADS", threads)]).succeeds().stdout
    };
    assert_eq!(with("1"), with("3"));
}

#[test]
fn a_comparison_is_written_as_a_report_that_can_be_checked() {
    let workspace = runs_and_predictions();
    compare(&workspace, &[BASELINE, GAL_J, "theirs.parquet", "--output", "reports/ours"]).succeeds();
    assert_sections("comparison", &workspace.read("reports/ours/README.md"));
    workspace.gal_bench("report --check").succeeds();
    workspace.write("reports/ours/README.md", "other");
    workspace.gal_bench("report --check").fails_with("reports/ours/README.md");
}

/// Version 0.1.0 wrote `contest.json`, with `drawn` for the resampling.
#[test]
fn results_of_a_comparison_are_read_under_their_former_names() {
    let workspace = runs_and_predictions();
    compare(&workspace, &[BASELINE, GAL_J, "--output", "reports/ours"]).succeeds();
    let (new, old) = ("reports/ours/results/comparison.json", "reports/ours/results/contest.json");
    let text = workspace.read(new);
    assert!(text.contains("\"resampling\""));
    workspace.write(old, text.replace("\"resampling\"", "\"drawn\""));
    std::fs::remove_file(workspace.path(new)).unwrap();
    workspace.gal_bench("report --check").succeeds();
}

#[test]
fn a_comparison_does_not_replace_a_report() {
    let workspace = runs_and_predictions();
    workspace.write("reports/ours/results/results.json", "{}");
    let found = refused(&workspace, &[BASELINE, GAL_J, "--output", "reports/ours"]);
    assert_eq!(found, "error: reports/ours holds a report already: give --output another folder");
}

#[test]
fn runs_with_their_images_in_another_order_are_matched_by_name() {
    let workspace = runs_and_predictions();
    let before = compare(&workspace, &[BASELINE, GAL_J]).json();
    let table = FakeRun { skill: 0.95, ..FakeRun::new("gal-j", 1) }.predictions();
    let blocks = (0..60).rev().map(|image| table.slice(image * COUNT as i64, COUNT));
    let turned = blocks.reduce(|all, block| all.vstack(&block).unwrap()).unwrap();
    write_parquet(&workspace.path(GAL_J), turned);
    assert_eq!(compare(&workspace, &[BASELINE, GAL_J]).json(), before);
}

#[test]
fn runs_of_one_name_are_told_apart_by_their_folders() {
    let workspace = runs_and_predictions();
    FakeRun::new("baseline", 1).write(&workspace.path("others"));
    let found = compare(&workspace, &[BASELINE, "others/synthetic-quick-baseline-seed1"]).json();
    assert_eq!(found["entries"][1]["name"], "others/synthetic-quick-baseline-seed1");
    assert_eq!(found["statistics"]["comparisons"].as_array().unwrap().len(), 1);
}

#[test]
fn other_labels_are_refused_with_image_and_attribute() {
    let workspace = runs_and_predictions();
    let mut table = FakeRun::new("gal-j", 1).predictions();
    let mut labels: Vec<bool> = table.column("label").unwrap().bool().unwrap().iter().flatten().collect();
    labels[COUNT + 2] = !labels[COUNT + 2];
    table.replace("label", Series::new("label".into(), labels).into()).unwrap();
    write_parquet(&workspace.path(GAL_J), table);
    insta::assert_snapshot!(refused(&workspace, &[BASELINE, GAL_J]), @"error: runs/synthetic-quick-gal-j-seed1: image `000001.png` has another label for `Attractive` than in the reference run: the annotations differ");
}

#[test]
fn a_missing_image_is_named() {
    let found = error(|mut lines| {
        lines.remove(3);
        lines
    });
    insta::assert_snapshot!(found, @"error: theirs.csv: has no row for 1 of the 60 test images, the first of them `000057.png`: give probabilities for each");
}

#[test]
fn an_unknown_image_is_named_with_its_line() {
    let found = error(|lines| with_cell(lines, 2, 0, "stranger.png"));
    insta::assert_snapshot!(found, @"error: theirs.csv: line 3: image `stranger.png` is not among the 60 test images of the reference run, whose names look like `000000.png`");
}

#[test]
fn an_image_that_comes_twice_is_named_with_both_lines() {
    let found = error(|mut lines| {
        lines[5] = lines[2].clone();
        lines
    });
    insta::assert_snapshot!(found, @"error: theirs.csv: line 6: image `some/folder/000058.png` is a duplicate of line 3");
}

#[test]
fn a_probability_that_is_not_one_is_named_with_line_and_attribute() {
    insta::assert_snapshot!(error(|lines| with_cell(lines, 4, 1, "yes")), @"error: theirs.csv: line 5: `Young` is `yes`, expected a number from 0 to 1");
    insta::assert_snapshot!(error(|lines| with_cell(lines, 4, 1, "NaN")), @"error: theirs.csv: line 5: `Young` is `NaN`, expected a number from 0 to 1");
    insta::assert_snapshot!(error(|lines| with_cell(lines, 4, 2, "1.25")), @"error: theirs.csv: line 5: `Wearing_Necktie` is `1.25`, expected a number from 0 to 1");
    insta::assert_snapshot!(error(|lines| with_cell(lines, 4, 2, "")), @"error: theirs.csv: line 5: `Wearing_Necktie` is ``, expected a number from 0 to 1");
}

#[test]
fn columns_that_are_missing_unknown_or_doubled_are_named() {
    insta::assert_snapshot!(error(|lines| with_cell(lines, 0, 1, "Old")), @"error: theirs.csv: has no column for 1 of the 40 attributes: Young; columns that are no attribute: `file name`, `Old`");
    insta::assert_snapshot!(error(|lines| with_cell(lines, 0, 1, "male")), @"error: theirs.csv: has two columns for `Male`");
    let without_last = |lines: Vec<String>| {
        lines.iter().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect::<Vec<String>>()
    };
    insta::assert_snapshot!(error(without_last), @"error: theirs.csv: has no column for 1 of the 40 attributes: 5_o_Clock_Shadow; columns that are no attribute: `file name`");
}

#[test]
fn a_row_that_lacks_a_cell_is_refused() {
    let found = error(|mut lines| {
        lines[7] = lines[7].rsplit_once(',').unwrap().0.to_owned();
        lines
    });
    assert!(found.contains("theirs.csv: is not a table that can be read") && found.contains("line: 8"), "{found}");
}

#[test]
fn a_null_in_a_parquet_file_is_named_with_its_row() {
    let workspace = runs_and_predictions();
    let path = workspace.path("theirs.parquet");
    let mut table = ParquetReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap();
    let mut values: Vec<Option<f64>> = table.column("Male").unwrap().f64().unwrap().iter().collect();
    values[6] = None;
    table.replace("Male", Series::new("Male".into(), values).into()).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut table).unwrap();
    insta::assert_snapshot!(refused(&workspace, &[BASELINE, "theirs.parquet"]), @"error: theirs.parquet: row 7: `Male` is ``, expected a number from 0 to 1");
}

#[test]
fn a_table_without_rows_is_refused() {
    let workspace = runs_and_predictions();
    let header = workspace.read("theirs.csv").lines().next().unwrap().to_owned();
    workspace.write("theirs.csv", header + "\n");
    let path = workspace.path("theirs.parquet");
    let table = ParquetReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut table.clear()).unwrap();
    for name in ["theirs.csv", "theirs.parquet"] {
        let expected = format!("error: {name}: has no rows: give one for each test image of the run");
        assert_eq!(refused(&workspace, &[BASELINE, name]), expected);
    }
}

#[test]
fn a_file_that_is_neither_run_nor_predictions_is_refused() {
    let workspace = runs_and_predictions();
    workspace.write("theirs.txt", "hello");
    let found = refused(&workspace, &[BASELINE, "theirs.txt"]);
    assert!(found.contains("theirs.txt: has no column for 40 of the 40 attributes"), "{found}");
    workspace.write("theirs.bin", [0xFF, 0xFE, 0x00]);
    let found = refused(&workspace, &[BASELINE, "theirs.bin"]);
    assert!(found.ends_with("theirs.bin: is UTF-16 text: save it as UTF-8"), "{found}");
    insta::assert_snapshot!(refused(&workspace, &["theirs.csv", BASELINE]), @"error: theirs.csv is a file: the first path must be the folder of a run, which has the labels");
    insta::assert_snapshot!(refused(&workspace, &[BASELINE, "runs/missing"]), @"error: there is no run folder runs/missing: `gal-bench train` makes one");
    std::fs::create_dir(workspace.path("faces")).unwrap();
    insta::assert_snapshot!(refused(&workspace, &[BASELINE, "faces"]), @"error: faces is not a run folder, as it has no config.toml: name one that `gal-bench train` made");
    insta::assert_snapshot!(refused(&workspace, &[BASELINE, BASELINE]), @"error: runs/synthetic-quick-baseline-seed1 is given twice");
}
