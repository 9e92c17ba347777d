//! Labels that are not known, from the prepared set to the files of a run.

use crate::common::images::gradient;
use crate::common::training::{UNLABELLED, metrics};
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, index};
use gal_bench::store::Reader;
use polars::prelude::*;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::fs::File;

#[test]
fn unknown_labels_are_null_in_parquet_blank_in_csv_and_read_back() {
    let workspace = Workspace::partly_labelled();
    let manifest =
        ParquetReader::new(File::open(workspace.path("prepared/manifest.parquet")).unwrap()).finish().unwrap();
    let bald = manifest.column(UNLABELLED).unwrap();
    assert_eq!((bald.dtype(), bald.null_count()), (&DataType::Boolean, manifest.height()));
    let text = workspace.read("prepared/manifest.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let column = header.split(',').position(|name| name == UNLABELLED).unwrap();
    assert!(rows.lines().all(|row| row.split(',').nth(column) == Some("")));

    let rows = Reader::open(&workspace.path("prepared")).unwrap().rows;
    let known = |attribute: usize| rows.iter().filter(|row| row.labels[attribute].is_some()).count();
    assert_eq!(known(index(UNLABELLED).unwrap()), 0);
    let of_others: Vec<usize> = (0..COUNT).map(known).filter(|count| *count > 0).collect();
    assert!(of_others.len() == COUNT - 1 && of_others.iter().all(|count| *count < rows.len()), "{of_others:?}");
    workspace.gal_bench("prepare --verify --prepared prepared").succeeds();
}

#[test]
fn a_run_on_unknown_labels_records_rates_of_known_ones_and_keeps_the_others_null() {
    let workspace = Workspace::partly_labelled();
    let runs = workspace.train("runs", &["baseline", "gal-j"]);
    let rows = Reader::open(&workspace.path("prepared")).unwrap().rows;
    for run in &runs {
        let rates = &run.summary.train_positive_rate;
        assert_eq!(rates[index(UNLABELLED).unwrap()], None);
        let male = index("Male").unwrap();
        let sources = || rows.iter().filter(|row| row.copy == 0 && row.split.label() == "train");
        let known: Vec<bool> = sources().filter_map(|row| row.labels[male]).collect();
        let positive = known.iter().filter(|label| **label).count();
        assert_eq!(rates[male], Some(positive as f64 / known.len() as f64));

        let table = ParquetReader::new(File::open(run.folder.join("predictions.parquet")).unwrap()).finish().unwrap();
        let labels: Vec<Option<bool>> = table.column("label").unwrap().bool().unwrap().iter().collect();
        let tested: Vec<_> = rows.iter().filter(|row| row.split.label() == "test").flat_map(|row| row.labels).collect();
        assert_eq!(labels, tested);
        let lines = metrics(&run.folder);
        let last = lines.iter().rfind(|line| line["validation_accuracy_fln"].is_number()).unwrap();
        assert!(last["validation_accuracy_fln"].as_f64().unwrap() <= 1.0);
    }
}

#[test]
fn a_job_on_unknown_labels_ends_in_a_report_that_counts_them() {
    let workspace = Workspace::partly_labelled();
    workspace.train("runs", &["baseline", "gal-j"]);
    let options = "--profile tiny.toml --seed 5 --variant baseline --variant gal-j";
    workspace.gal_bench(&format!("evaluate {options}")).succeeds();
    workspace.gal_bench("report").succeeds();
    let page = workspace.read("reports/synthetic-tiny-baseline-gal-j-seed5/README.md");
    assert!(page.contains(&format!("`{UNLABELLED}` has no training or no test label")), "{page}");
    assert!(!page.contains("NaN"), "{page}");

    gradient(0, 178, 218).save(workspace.path("face.png")).unwrap();
    let predict = "predict --run synthetic-tiny-gal-j-seed5 --device cpu face.png";
    let text = workspace.gal_bench(predict).succeeds().stdout;
    let line = text.lines().find(|line| line.trim_start().starts_with(UNLABELLED)).unwrap();
    assert!(line.ends_with("-  not trained"), "{line:?}");
    let csv = workspace.gal_bench(&format!("{predict} --csv")).succeeds().stdout;
    assert!(csv.contains(&format!("face.png,{UNLABELLED},,\n")) && csv.lines().count() == 1 + COUNT, "{csv}");

    workspace.gal_bench("export --run synthetic-tiny-gal-j-seed5 --output exported").succeeds();
    let weights = std::fs::read(workspace.path("exported/gal_net.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&weights).unwrap();
    let about: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["gal-bench"]).unwrap();
    assert_eq!(about["untrained"], json!([UNLABELLED]));
}

#[test]
fn an_attribute_without_a_label_has_a_classifier_that_training_leaves_as_it_was() {
    let workspace = Workspace::partly_labelled();
    let run = &workspace.train("runs", &["baseline"])[0];
    let tensors =
        candle_core::safetensors::load(run.folder.join("model.safetensors"), &candle_core::Device::Cpu).unwrap();
    let (name, bias) = tensors.iter().find(|(name, _)| name.ends_with("branch.fc.bias")).unwrap();
    let biases = bias.to_vec2::<f32>().unwrap();
    let bald = index(UNLABELLED).unwrap();
    for (attribute, values) in biases.iter().enumerate() {
        // Biases start as zeros and have no decay.
        assert_eq!(values.iter().all(|value| *value == 0.0), attribute == bald, "{name} of {attribute}");
    }
}
