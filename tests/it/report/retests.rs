//! Tests of finished runs on distorted images and on another data set.

use crate::common::celeba_files::CelebaFiles;
use crate::common::fake_runs::{page, section};
use crate::common::images::{gradient, jpeg};
use crate::common::training::UNLABELLED;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, index};
use gal_bench::evaluate::{Correctness, Predictions};
use std::path::Path;

const EVALUATE: &str =
    "evaluate --profile tiny.toml --prepared prepared --runs runs --reports reports --seed 5 --quiet --device cpu";

fn predictions(path: &Path) -> Predictions {
    Predictions::read(&path.join("predictions.parquet"), None).unwrap()
}

/// The cells of a variant's row in the table below a heading.
fn row(page: &str, heading: &str, title: &str) -> Vec<String> {
    let table = section(page, heading).unwrap();
    let line = table.lines().find(|line| line.starts_with(&format!("| {title} |"))).unwrap();
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Mean accuracy in %, as a page shows it.
fn accuracy(predictions: &Predictions) -> String {
    let (_, probabilities) = predictions.primary_head();
    let correct = predictions.labels.iter().zip(probabilities).filter(|(label, p)| Some(**p > 0.5) == **label).count();
    format!("{:.2}", 100.0 * correct as f64 / predictions.labels.len() as f64)
}

#[test]
fn runs_are_tested_on_the_same_distorted_images() {
    let workspace = Workspace::trainable();
    let variants = ["baseline", "gal-j", "aux"];
    workspace.train("runs", &variants);
    let words = format!("{EVALUATE} --variant baseline,gal-j,aux --perturb affact");
    workspace.gal_bench(&words).succeeds();
    let report = workspace.path("reports/synthetic-tiny-baseline-gal-j-aux-seed5");
    let text = page(&report);
    for (variant, title) in variants.into_iter().zip(["Baseline", "GAL-j", "AUX"]) {
        let run = workspace.run("runs", variant);
        let (own, distorted) = (predictions(&run), predictions(&run.join("retests/affact")));
        assert_eq!((&own.images, &own.labels), (&distorted.images, &distorted.labels));
        assert_ne!(own.primary_head(), distorted.primary_head());
        let cells = row(&text, "Distorted test images: affact", title);
        assert_eq!((&cells[2], &cells[3]), (&accuracy(&own), &accuracy(&distorted)));
    }
    // The FLN of GAL-j and AUX is one, so both were given the same images.
    let fln = |variant: &str| predictions(&workspace.run("runs", variant).join("retests/affact")).fln;
    assert!(fln("gal-j").is_some() && fln("gal-j") == fln("aux"));

    let file = workspace.run("runs", "aux").join("retests/affact/predictions.parquet");
    let written = || std::fs::metadata(&file).unwrap().modified().unwrap();
    let before = written();
    workspace.gal_bench(&words).succeeds();
    assert_eq!(written(), before, "an equal test is kept");
    workspace.write("affact.toml", "[[operation]]\nname = \"invert\"\nprobability = 1.0\n");
    workspace.gal_bench(&words.replace("affact", "affact.toml")).succeeds();
    assert_ne!(written(), before, "another pipeline of that name is another test");

    // Predictions of a network that was replaced are no longer those of the run.
    let shows = |words: &str| {
        workspace.gal_bench(words).succeeds();
        section(&page(&report), "Distorted test images: affact").is_some()
    };
    let plain = format!("{EVALUATE} --variant baseline,gal-j,aux");
    assert!(shows(&plain));
    let model = |variant: &str| workspace.run("runs", variant).join("model.safetensors");
    std::fs::copy(model("gal-j"), workspace.path("kept")).unwrap();
    std::fs::write(model("gal-j"), "another").unwrap();
    assert!(!shows(&plain));
    std::fs::copy(workspace.path("kept"), model("gal-j")).unwrap();
    assert!(shows(&plain));

    // Other images than those of the runs' own set, and a name that is a data set's.
    workspace.gal_bench("prepare --dataset synthetic --size 48 --prepared other --quiet --seed 3").succeeds();
    workspace.gal_bench(&words.replace("--prepared prepared", "--prepared other")).fails_with("other prepared data");
    workspace.gal_bench(&words.replace("affact", "celeba.toml")).fails_with("celeba.toml");
    workspace.write("celeba.toml", "[[operation]]\nname = \"invert\"\nprobability = 1.0\n");
    workspace.gal_bench(&words.replace("affact", "celeba.toml")).fails_with("and no data set's name");

    // A killed process leaves a folder without a record.
    for variant in variants {
        std::fs::create_dir(workspace.run("runs", variant).join("retests/interrupted")).unwrap();
    }
    workspace.gal_bench(&words).succeeds();

    // Without the test for one run, the report has none.
    workspace.train("runs", &["gal-p"]);
    workspace.gal_bench(&format!("{EVALUATE} --variant baseline,gal-j,aux,gal-p")).succeeds();
    let text = page(&workspace.path("reports/synthetic-tiny-baseline-gal-j-gal-p-aux-seed5"));
    assert!(section(&text, "Distorted test images: affact").is_none());
}

/// Tests new Baseline and GAL-j on a CelebA of eight images, each with one positive label more than the one before. Returns
/// the report's page, and the predictions of GAL-j.
fn tested_on_celeba(workspace: &Workspace) -> (String, Predictions) {
    workspace.train("runs", &["baseline", "gal-j"]);
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    let mut labels = [false; COUNT];
    for (image, split) in (0_u32..).zip([0, 0, 0, 1, 2, 2, 2, 2]) {
        labels[image as usize] = true;
        files.add(labels, split, jpeg(&gradient(image, 60, 70), 90));
    }
    files.finish();
    workspace.gal_bench("prepare --dataset celeba --root celeba --prepared other --size 48 --quiet").succeeds();
    workspace.gal_bench(&format!("{EVALUATE} --variant baseline,gal-j --on celeba --on-prepared other")).succeeds();
    let text = page(&workspace.path("reports/synthetic-tiny-baseline-gal-j-seed5"));
    (text, predictions(&workspace.run("runs", "gal-j").join("retests/celeba")))
}

#[test]
fn runs_are_tested_on_another_data_set() {
    let workspace = Workspace::trainable();
    let (text, own) = tested_on_celeba(&workspace);
    assert_eq!(own.images.names.len(), 4);
    let cells = row(&text, "Test on CelebA", "GAL-j");
    assert_eq!(cells[3], accuracy(&own));
    // Labels 0 (3 of 3) and 1 (2 of 3) are positive in most training images; the 4 test images have 5 to 8 labels.
    let floor = (0..4).map(|image| 40 - (5 + image) + 2).sum::<usize>() as f64 / 160.0;
    assert_eq!(cells[6], format!("{:.2}", 100.0 * floor));
    let rates = [Some(1.0), Some(2.0 / 3.0), Some(1.0 / 3.0)].into_iter().chain([Some(0.0); 37]).collect::<Vec<_>>();
    assert!((Correctness::new(own).floor(&rates) - floor).abs() < 1e-12);
    workspace.gal_bench(&format!("{EVALUATE} --on synthetic")).fails_with("give --on another data set");
}

#[test]
fn an_attribute_that_was_not_trained_is_not_scored_on_another_data_set() {
    let (text, own) = tested_on_celeba(&Workspace::partly_labelled());
    let untrained = index(UNLABELLED).unwrap();
    let (_, probabilities) = own.primary_head();
    let scored = (0..own.labels.len()).filter(|position| position % COUNT != untrained);
    let correct = scored.filter(|position| Some(probabilities[*position] > 0.5) == own.labels[*position]).count();
    let expected = format!("{:.2}", 100.0 * correct as f64 / (own.images.names.len() * (COUNT - 1)) as f64);
    assert_eq!(row(&text, "Test on CelebA", "GAL-j")[3], expected);
}
