//! Training from outside: what must not change a result, and what a killed run does.

use assert_cmd::cargo::cargo_bin;
use candle_core::Device;
use gal_bench::config::Profile;
use gal_bench::dataset::synthetic;
use gal_bench::progress::Progress;
use gal_bench::store::{self, Reader};
use gal_bench::train::{TrainJob, TrainedRun, train};
use gal_bench::variant::{VARIANTS, Variant};
use rand::RngExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The network of the paper at a size that trains in a second.
pub(crate) const TINY: &str = r#"
name = "tiny"
description = "For tests."
log_every = 4
validate_every = 10
checkpoint_every = 4
[network]
input_size = 40
stride = 2
widths = [4, 4, 4, 4, 4]
branch_channels = 3
node_channels = 2
bn_eps = 1e-3
bn_decay = 0.9
[images]
resize = 44
crop = "random"
flip = true
[optimizer]
momentum = 0.9
head_rate = 1.0
weight_decay = 0.001
[training.synthetic]
batch = 8
steps = 40
schedule = { kind = "polynomial", initial = 0.01, power = 1.0 }
[prepare.synthetic]
"#;

pub(crate) struct Workplace {
    pub(crate) folder: tempfile::TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self::with(TINY)
    }

    pub(crate) fn with(profile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.toml"), profile).unwrap();
        let faces = synthetic::Options { train: 30, val: 6, test: 10, seed: 1 };
        let dataset = synthetic::dataset(&faces).unwrap();
        let options = store::Options { size: 48, copies: Some(2), ..store::Options::default() };
        store::prepare(&dataset, &folder.path().join("prepared"), &options, &Progress::new(true)).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn try_train(&self, runs: &str, variants: &[Variant]) -> gal_bench::Result<Vec<TrainedRun>> {
        let data = Reader::open(&self.path("prepared")).unwrap();
        let profile = Profile::load(self.path("tiny.toml").to_str().unwrap()).unwrap();
        let request = TrainJob {
            data: &data,
            profile: &profile,
            variants,
            seeds: &[5],
            runs: &self.path(runs),
            device: (&Device::Cpu, "cpu"),
            rendezvous: None,
            force: false,
            command: "test",
        };
        train(&request, &Progress::new(true))
    }

    pub(crate) fn train(&self, runs: &str, variants: &[Variant]) -> Vec<TrainedRun> {
        self.try_train(runs, variants).unwrap()
    }
}

/// The bytes of everything that a run computes.
pub(crate) fn result(runs: &Path, variant: &str) -> Vec<Vec<u8>> {
    let folder = runs.join(format!("synthetic-tiny-{variant}-seed5"));
    ["checkpoint.safetensors", "best.safetensors", "predictions.parquet", "masks.npy"]
        .map(|name| std::fs::read(folder.join(name)).unwrap())
        .into()
}

pub(crate) fn named(name: &str) -> Variant {
    Variant::named(name).unwrap()
}

#[test]
fn variants_on_one_trunk_end_as_separate_runs_do() {
    let place = Workplace::new();
    place.train("together", &VARIANTS);
    for variant in VARIANTS.iter().map(|v| v.name).filter(|name| *name != "gal-c") {
        place.train(&format!("alone-{variant}"), &[named(variant)]);
        assert!(
            result(&place.path("together"), variant) == result(&place.path(&format!("alone-{variant}")), variant),
            "{variant} differs"
        );
    }
}

#[test]
fn a_result_does_not_depend_on_the_number_of_threads() {
    let place = Workplace::new();
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| place.train(&format!("on-{threads}"), &VARIANTS));
        for variant in VARIANTS {
            assert!(
                result(&place.path("on-1"), variant.name)
                    == result(&place.path(&format!("on-{threads}")), variant.name),
                "{} differs on {threads} threads",
                variant.name
            );
        }
    }
}

/// Trains `variant` through the binary, killed ten times after one to three checkpoints and some more time, and
/// undisturbed; both must leave the same bytes.
fn ten_kills(place: &Workplace, variant: &str) {
    let command = |runs: &str| {
        let mut command = Command::new(cargo_bin!("gal-bench"));
        command.args(["train", "--quiet", "--seed", "5", "--variant", variant, "--device", "cpu"]);
        command.arg("--profile").arg(place.path("tiny.toml"));
        command.arg("--prepared").arg(place.path("prepared"));
        command.arg("--runs").arg(place.path(runs));
        command
    };
    assert!(command("undisturbed").status().unwrap().success());
    let state = place.path("killed").join(format!("synthetic-tiny-{variant}-seed5/resume.safetensors"));
    let written = || std::fs::metadata(&state).and_then(|data| data.modified()).ok();
    let mut moment = gal_bench::random::generator(11, &[gal_bench::random::name(variant)]);
    for kill in 0..10 {
        let mut child = command("killed").spawn().unwrap();
        for _ in 0..moment.random_range(1..=3) {
            let before = written();
            while written() == before {
                assert!(child.try_wait().unwrap().is_none(), "the run ended before kill {kill}");
                std::thread::yield_now();
            }
        }
        std::thread::sleep(Duration::from_micros(moment.random_range(0..20_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(command("killed").status().unwrap().success());
    assert!(!state.exists());
    assert!(result(&place.path("undisturbed"), variant) == result(&place.path("killed"), variant));
}

#[test]
fn ten_kills_at_random_moments_end_in_the_bytes_of_none() {
    let place = Workplace::with(&TINY.replace("steps = 40", "steps = 400"));
    ten_kills(&place, "gal-j");
}

#[test]
fn ten_kills_of_gal_c_on_features_computed_once_end_in_the_bytes_of_none() {
    let profile = TINY.replace("steps = 40", "steps = 400").replace("\"random\"", "\"centre\"");
    let place = Workplace::with(&profile);
    place.train("undisturbed", &[named("baseline")]);
    place.train("killed", &[named("baseline")]);
    ten_kills(&place, "gal-c");
}

#[test]
fn a_run_in_bf16_learns_as_one_in_single_precision_and_says_so() {
    let single = Workplace::new();
    // The command line refuses bf16 on the CPU, which computes there what a CUDA device would.
    let rounded = Workplace::with(&format!("{TINY}[compute]\nbf16 = true\n"));
    let losses = |place: &Workplace| {
        place.train("runs", &[named("baseline"), named("gal-c")]);
        ["baseline", "gal-c"].map(|variant| {
            let folder = place.path(&format!("runs/synthetic-tiny-{variant}-seed5"));
            let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
            let mut lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let last = lines.rfind(|line| line.get("lr").is_some()).unwrap();
            last["loss_fln"].as_f64().or(last["loss_cln"].as_f64()).unwrap()
        })
    };
    for (single, rounded) in losses(&single).into_iter().zip(losses(&rounded)) {
        let apart = (single - rounded).abs() / single;
        assert!(apart > 0.0 && apart < 0.02, "{rounded} for {single}");
    }
    let folder = rounded.path("runs/synthetic-tiny-gal-c-seed5");
    let summary = std::fs::read_to_string(folder.join("summary.json")).unwrap();
    assert!(summary.contains("The precision of matrix products is bf16"), "{summary}");
}

#[test]
fn a_finished_run_is_left_alone() {
    let place = Workplace::new();
    assert!(!place.train("runs", &[named("baseline")])[0].reused);
    assert!(place.train("runs", &[named("baseline")])[0].reused);
}

#[test]
fn gal_c_without_a_baseline_is_refused() {
    let place = Workplace::new();
    let error = place.try_train("runs", &[named("gal-c")]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("add --variant baseline"), "{error}");
}

#[test]
fn a_run_folder_with_another_configuration_is_refused() {
    let place = Workplace::new();
    place.train("runs", &[named("baseline")]);
    let config = place.path("runs/synthetic-tiny-baseline-seed5/config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("momentum = 0.9", "momentum = 0.8");
    std::fs::write(&config, text).unwrap();
    let error = place.try_train("runs", &[named("baseline")]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("momentum = 0.8"), "{error}");
}

#[test]
fn gal_c_keeps_baselines_trunk() {
    let place = Workplace::new();
    place.train("runs", &[named("baseline"), named("gal-c")]);
    let load = |variant: &str| {
        let path = place.path(&format!("runs/synthetic-tiny-{variant}-seed5/checkpoint.safetensors"));
        candle_core::safetensors::load(path, &Device::Cpu).unwrap()
    };
    let (baseline, gal_c) = (load("baseline"), load("gal-c"));
    let mut names: Vec<_> = baseline.keys().collect();
    names.sort();
    for name in names {
        let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(&baseline[name]), values(&gal_c[name]), "{name}");
    }
}

#[test]
fn a_run_that_another_process_trains_is_left_to_it() {
    let place = Workplace::new();
    let run = place.path("runs").join("synthetic-tiny-baseline-seed5");
    std::fs::create_dir_all(&run).unwrap();
    let held = gal_bench::io::Lock::take(&run.join(".training")).unwrap().unwrap();
    let sentence = place.try_train("runs", &[named("baseline")]).unwrap_err().to_string();
    assert!(sentence.contains(&format!("is being trained by process {} already", std::process::id())), "{sentence}");
    assert!(!run.join("config.toml").exists());
    drop(held);
    place.train("runs", &[named("baseline")]);
    assert!(!run.join(".training").exists());
}

#[test]
fn results_without_their_configuration_or_the_other_way_round_are_not_trained_over() {
    let place = Workplace::new();
    place.train("runs", &[named("baseline")]);
    let run = place.path("runs").join("synthetic-tiny-baseline-seed5");
    let refused = |missing: &str, words: &str| {
        std::fs::rename(run.join(missing), run.join("aside")).unwrap();
        let before = std::fs::read(run.join("summary.json")).unwrap();
        let sentence = place.try_train("runs", &[named("baseline")]).unwrap_err().to_string();
        assert!(sentence.contains(words) && sentence.contains("--force"), "{sentence}");
        assert_eq!(std::fs::read(run.join("summary.json")).unwrap(), before);
        std::fs::rename(run.join("aside"), run.join(missing)).unwrap();
    };
    refused("config.toml", "is there without the config.toml of its run");
    refused("checkpoint.safetensors", "checkpoint.safetensors: is missing, though its run is finished");
}
