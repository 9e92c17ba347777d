//! Run folders without training, and reports on them. The probabilities are random, so the numbers mean nothing.

use super::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::config::{KnownLabels, Profile, RunSummary};
use gal_bench::evaluate::Statistics;
use gal_bench::variant::Variant;
use gal_bench::{random, report};
use polars::prelude::*;
use rand::RngExt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A run with random probabilities.
#[derive(Clone)]
pub(crate) struct FakeRun {
    pub(crate) summary: RunSummary,
    /// Chance that a prediction is correct.
    pub(crate) skill: f64,
    /// The test images and attributes whose label is known.
    pub(crate) is_known: fn(usize, usize) -> bool,
    /// Images of each person; `None` if the predictions hold no identity.
    pub(crate) images_per_person: Option<usize>,
    /// Weight of each attribute on itself, the rest equal; `None` for more weight inside a group than outside.
    pub(crate) self_weight: Option<f64>,
    /// The profile in the run's configuration; `None` for a run without this file.
    pub(crate) settings: Option<Profile>,
    /// Factor of the losses from one line of the metrics to the next, besides their usual course.
    pub(crate) loss_growth: f64,
}

impl FakeRun {
    pub(crate) fn new(variant: &str, seed: u64) -> Self {
        let parameters = if has_cln(variant) { 5_144_478 } else { 5_012_798 };
        let summary = RunSummary {
            id: format!("synthetic-quick-{variant}-seed{seed}"),
            dataset: "synthetic".to_owned(),
            split_official: false,
            split: "Drawn with the faces, by identity".to_owned(),
            extent: None,
            data_digest: "0123456789abcdef".repeat(4),
            data_notes: vec!["1,600 faces drawn with seed 1.".to_owned()],
            profile: "quick".to_owned(),
            init: None,
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
            train_positive_rate: (0..COUNT).map(|i| Some(if i == 0 { 0.5 } else { i as f64 / 44.0 })).collect(),
            known_labels: None,
            deviations: vec![
                "Data: synthetic faces in place of photographs.".to_owned(),
                "Input size: 66 pixels (paper: 227 pixels).".to_owned(),
            ],
        };
        let is_known = |_, _| true;
        Self {
            summary,
            skill: 0.85,
            is_known,
            images_per_person: None,
            self_weight: None,
            settings: None,
            loss_growth: 1.0,
        }
    }

    /// Two thirds of the labels are known. Attribute 4 has no training label, attribute 9 no test label.
    pub(crate) fn partly_labelled(variant: &str, seed: u64) -> Self {
        let mut run = Self::new(variant, seed);
        run.is_known = |image, attribute| attribute != 9 && !(image * (2 * attribute + 3) / 8).is_multiple_of(3);
        let test = |attribute| (0..run.summary.test_images).filter(|image| (run.is_known)(*image, attribute)).count();
        let train = |attribute| if attribute == 4 { 0 } else { 1000 };
        run.summary.known_labels =
            Some(KnownLabels { train: (0..COUNT).map(train).collect(), test: (0..COUNT).map(test).collect() });
        run.summary.train_positive_rate[4] = None;
        run
    }

    fn has_cln(&self) -> bool {
        has_cln(&self.summary.variant)
    }

    fn learns_affinity(&self) -> bool {
        Variant::named(&self.summary.variant).is_some_and(|variant| variant.learns_affinity())
    }

    /// Writes the run's folder below `runs`.
    pub(crate) fn write(&self, runs: &Path) -> PathBuf {
        let folder = runs.join(&self.summary.id);
        std::fs::create_dir_all(&folder).unwrap();
        write_parquet(&folder, self.predictions());
        std::fs::write(folder.join("metrics.jsonl"), self.metrics()).unwrap();
        if self.has_cln() {
            let text = self.self_weight.map_or_else(|| affinity(self.summary.seed), near_identity);
            std::fs::write(folder.join("affinity.csv"), text).unwrap();
        }
        self.write_config(&folder);
        std::fs::write(folder.join("summary.json"), serde_json::to_vec(&self.summary).unwrap()).unwrap();
        folder
    }

    fn write_config(&self, folder: &Path) {
        if let Some(profile) = &self.settings {
            let RunSummary { dataset, data_digest, variant, seed, .. } = &self.summary;
            let config = serde_json::json!({
                "dataset": dataset, "data_digest": data_digest, "variant": variant, "seed": seed, "profile": profile,
            });
            let config = toml::Value::try_from(config).unwrap();
            std::fs::write(folder.join("config.toml"), toml::to_string(&config).unwrap()).unwrap();
        }
    }

    /// Writes the folder of the run as one that diverged below `runs`.
    pub(crate) fn write_diverged(&self, runs: &Path, step: usize) -> PathBuf {
        let RunSummary { id, dataset, profile, variant, seed, commit, .. } = &self.summary;
        let folder = runs.join(id);
        std::fs::create_dir_all(&folder).unwrap();
        let record = serde_json::json!({
            "id": id, "dataset": dataset, "profile": profile, "variant": variant, "seed": seed, "step": step,
            "rate": 0.05, "symptom": "the loss is not finite", "commit": commit,
        });
        std::fs::write(folder.join("diverged.json"), record.to_string()).unwrap();
        self.write_config(&folder);
        std::fs::write(folder.join("metrics.jsonl"), self.metrics()).unwrap();
        folder
    }

    pub(crate) fn predictions(&self) -> DataFrame {
        let rows = self.summary.test_images * COUNT;
        // The labels belong to the test images, the predictions to the run.
        let mut of_data = random::generator(1, &[0]);
        let mut of_run = random::generator(self.summary.seed, &[1, random::name(&self.summary.variant)]);
        let rates = &self.summary.train_positive_rate;
        let labels: Vec<bool> =
            (0..rows).map(|row| of_data.random_bool(rates[row % COUNT].unwrap_or_default())).collect();
        let mut head = || -> Vec<f32> {
            let probability = |&label: &bool| {
                let yes = if of_run.random_bool(self.skill) { label } else { !label };
                if yes { of_run.random_range(0.51..1.0) } else { of_run.random_range(0.0..0.49) }
            };
            labels.iter().map(probability).collect()
        };
        let fln = head();
        let cln: Vec<Option<f32>> =
            if self.has_cln() { head().into_iter().map(Some).collect() } else { vec![None; rows] };
        let image: Vec<String> = (0..rows).map(|row| format!("{:06}.png", row / COUNT)).collect();
        let attribute: Vec<&str> = (0..rows).map(|row| NAMES[row % COUNT]).collect();
        let identity: Vec<Option<String>> =
            (0..rows).map(|row| self.images_per_person.map(|images| (row / COUNT / images).to_string())).collect();
        let is_known = |row: usize| (self.is_known)(row / COUNT, row % COUNT);
        let known: Vec<Option<bool>> =
            labels.iter().enumerate().map(|(row, label)| is_known(row).then_some(*label)).collect();
        df!(
            "image" => image,
            "attribute" => attribute,
            "label" => known,
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
            let loss = loss * self.loss_growth.powf(i as f64);
            let cln = if self.has_cln() { (loss + 0.7).to_string() } else { "null".to_owned() };
            let affinity = if self.learns_affinity() { affinity_line(i) } else { String::new() };
            let _ = writeln!(
                text,
                r#"{{"step":{step},"epoch":0.4,"lr":0.01,"loss_fln":{loss},"loss_cln":{cln},{affinity}"images_per_second":310.0}}"#
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

/// True for a variant with a correlation net, and for one of a newer program.
fn has_cln(variant: &str) -> bool {
    Variant::named(variant).is_none_or(|variant| variant.net.is_some())
}

/// The measures of a learned affinity in line `i` of the metrics: dot products that grow tenfold in 10 lines.
fn affinity_line(i: usize) -> String {
    let grown = 10_f64.powf(i as f64 / 10.0);
    let diagonal = 1.0 - 0.9 / grown;
    format!(r#""affinity_diagonal":{diagonal},"self_product":{grown},"largest_other_product":{},"#, grown / 20.0)
}

/// The text of an `affinity.csv` with one weight of attributes on themselves.
fn near_identity(self_weight: f64) -> String {
    let other = (1.0 - self_weight) / (COUNT - 1) as f64;
    let row = |i: usize| (0..COUNT).map(move |j| if i == j { self_weight } else { other }.to_string());
    let mut text = format!("attribute,{}\n", NAMES.join(","));
    for (i, name) in NAMES.iter().enumerate() {
        let _ = writeln!(text, "{name},{}", row(i).collect::<Vec<_>>().join(","));
    }
    text
}

/// The text of an `affinity.csv`: most weight on the attribute itself, more inside a group than outside.
pub(crate) fn affinity(seed: u64) -> String {
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

pub(crate) fn write_parquet(folder: &Path, table: DataFrame) {
    write_parquet_as(folder, "predictions.parquet", table);
}

pub(crate) fn write_parquet_as(folder: &Path, name: &str, mut table: DataFrame) {
    let file = std::fs::File::create(folder.join(name)).unwrap();
    ParquetWriter::new(file).finish(&mut table).unwrap();
}

/// Two seeds of Baseline and GAL-j, one of the others.
pub(crate) fn fake_runs() -> Vec<FakeRun> {
    let named = [("gal-p", 1), ("baseline", 1), ("gal-j", 2), ("gal-c", 1), ("baseline", 2), ("gal-j", 1)];
    named.into_iter().map(|(variant, seed)| FakeRun::new(variant, seed)).collect()
}

/// Writes and collects `runs`; returns also the report's folder in the workspace.
pub(crate) fn collected(runs: &[FakeRun]) -> (Workspace, PathBuf, Statistics) {
    let workspace = Workspace::new();
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.write(&workspace.path("runs"))).collect();
    let folder = workspace.path("reports/fixture");
    let statistics = report::collect(&folders, &folder).unwrap().statistics;
    (workspace, folder, statistics)
}

/// The Markdown that a report folder renders to.
pub(crate) fn page(folder: &Path) -> String {
    String::from_utf8(report::render(folder).unwrap().swap_remove(0).1).unwrap()
}

/// The page of a report on `runs`.
pub(crate) fn page_of(runs: &[FakeRun]) -> String {
    let (_workspace, folder, _) = collected(runs);
    page(&folder)
}

/// The section whose heading starts with `heading`.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    page.split("\n## ").flat_map(|chapter| chapter.split("\n### ")).find(|section| section.starts_with(heading))
}
