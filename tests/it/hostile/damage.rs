//! Single flipped bits: each is an error that names a file and a remedy. `GAL_BENCH_FLIPS` sets the number of bits a file.

use crate::common::gal_bench::{Finished, user_error};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::config::Record;
use gal_bench::dataset::synthetic;
use gal_bench::progress::Progress;
use gal_bench::random;
use gal_bench::report;
use gal_bench::store::{self, Format, Options, Reader};
use gal_bench::train::TrainedModel;
use rand::RngExt;
use std::path::Path;

/// The number of bits to flip in each file.
fn flips() -> usize {
    std::env::var("GAL_BENCH_FLIPS").map_or(6, |number| number.parse().unwrap())
}

/// Calls `check` with the name of each of some bits of a file, drawn at random, while it is flipped.
fn flip_bits(path: &Path, check: impl Fn(&str)) {
    let whole = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut draw = random::generator(1, &[random::name(name)]);
    for _ in 0..flips() {
        let bit = draw.random_range(0..8 * whole.len());
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(path, flipped).unwrap();
        check(&format!("bit {bit} of {name}"));
    }
    std::fs::write(path, whole).unwrap();
}

/// Flips bits of a file; each must be an error with exit code 2 that names a remedy.
fn assert_noticed(path: &Path, check: impl Fn() -> gal_bench::Result<()>) {
    check().unwrap();
    flip_bits(path, |bit| {
        let Err(error) = check() else { panic!("{bit} is used without a word") };
        assert_eq!(error.exit_code(), 2, "{bit}: {error}");
    });
    check().unwrap();
}

/// Flips bits of a file; each must be such an error, or change nothing that is read.
fn assert_never_used<T: PartialEq>(path: &Path, read: impl Fn() -> gal_bench::Result<T>) {
    let whole = read().unwrap();
    flip_bits(path, |bit| match read() {
        Ok(found) => assert!(found == whole, "{bit} is used without a word"),
        Err(error) => assert_eq!(error.exit_code(), 2, "{bit}: {error}"),
    });
}

#[test]
fn a_flipped_bit_in_a_run_is_noticed_by_evaluations_and_predictions() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    workspace.train("runs", &["gal-j"]);
    let run = workspace.run("runs", "gal-j");
    for name in ["summary.json", "config.toml", "predictions.parquet", "metrics.jsonl", "affinity.csv", "masks.npy"] {
        let collect = || report::collect(std::slice::from_ref(&run), &workspace.path("report")).map(drop);
        assert_noticed(&run.join(name), collect);
    }
    for name in ["summary.json", "config.toml", "model.safetensors"] {
        assert_noticed(&run.join(name), || TrainedModel::open(&run).map(drop));
    }
    for name in [
        "predictions.parquet",
        "model.safetensors",
        "best.safetensors",
        "events.out.tfevents.synthetic-tiny-gal-j-seed5",
        "config.toml",
        "summary.json",
    ] {
        assert_noticed(&run.join(name), || Record::read(&run)?.verify_all().map(drop));
    }
}

#[test]
fn a_flipped_bit_in_a_prepared_set_is_noticed() {
    let workspace = Workspace::trainable();
    let folder = workspace.path("prepared");
    for name in ["prepared.json", "manifest.parquet", "manifest.csv", "inputs.json"] {
        assert_noticed(&folder.join(name), || store::verify(&folder).map(drop));
    }
}

#[test]
fn a_flipped_bit_in_an_image_is_noticed_when_it_is_read_and_verified() {
    let dataset = synthetic::dataset(&synthetic::Options { train: 4, val: 2, test: 3, seed: 1 }).unwrap();
    for format in [Format::Jpeg, Format::Webdataset, Format::Npy] {
        let workspace = Workspace::new();
        let folder = workspace.path("prepared");
        let options = Options { size: 48, copies: Some(1), format, ..Options::default() };
        store::prepare(&dataset, &folder, &options, &Progress::new(true)).unwrap();
        let reader = Reader::open(&folder).unwrap();
        let images = || (0..reader.rows.len()).map(|row| reader.image(row)).collect::<gal_bench::Result<Vec<_>>>();
        let mut files: Vec<_> = reader.rows.iter().map(|row| row.location.as_ref().unwrap().file.clone()).collect();
        files.dedup();
        for file in files {
            assert_never_used(&folder.join(&file), images);
            assert_noticed(&folder.join(&file), || store::verify(&folder).map(drop));
        }
    }
}

#[test]
fn a_flipped_bit_in_an_interrupted_run_is_noticed_when_it_is_resumed() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 400"));
    let train = "train --profile tiny.toml --prepared prepared --runs runs --seed 5 --device cpu --variant gal-j";
    let run = workspace.run("runs", "gal-j");
    let mut child = workspace.gal_bench(train).spawn();
    let mut wait_for = |name: &str| {
        while !run.join(name).exists() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
            std::thread::yield_now();
        }
    };
    // The next state counts on the best network.
    wait_for("best.safetensors");
    wait_for("training-state.safetensors");
    std::fs::remove_file(run.join("training-state.safetensors")).unwrap();
    wait_for("training-state.safetensors");
    child.kill().unwrap();
    Finished::wait(child);
    // The training state holds the configuration, too: config.toml is written anew.
    flip_bits(&run.join("training-state.safetensors"), |bit| {
        let Err(error) = workspace.try_train("runs", &["gal-j"]) else { panic!("{bit} is used without a word") };
        assert_eq!(error.exit_code(), 2, "{bit}: {error}");
        assert!(error.to_string().contains("training-state.safetensors"), "{bit}: {error}");
    });
    // The best network is needed after the last step only, yet read before the next one.
    let best = run.join("best.safetensors");
    let whole = std::fs::read(&best).unwrap();
    std::fs::remove_file(&best).unwrap();
    assert!(user_error(workspace.try_train("runs", &["gal-j"])).contains("best.safetensors"));
    std::fs::write(&best, whole).unwrap();
    flip_bits(&best, |bit| {
        let error = user_error(workspace.try_train("runs", &["gal-j"]));
        assert!(error.contains("best.safetensors") && error.contains("; restore it, or delete"), "{bit}: {error}");
    });
    // Metrics are no part of the state: a line that was changed is named, and the report repeats it.
    let metrics = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&metrics).unwrap();
    let at = text.find("\"loss_fln\":").unwrap() + "\"loss_fln\":".len();
    let digit = if text.as_bytes()[at] == b'9' { "8" } else { "9" };
    std::fs::write(&metrics, [&text[..at], digit, &text[at + 1..]].concat()).unwrap();
    let resumed = workspace.gal_bench(train).succeeds().stderr;
    assert!(resumed.contains("metrics.jsonl of GAL-j was changed up to step"), "{resumed}");
    assert!(
        workspace.read("runs/synthetic-tiny-gal-j-seed5/summary.json").contains("metrics.jsonl of GAL-j was changed")
    );
}

#[test]
fn a_file_that_is_missing_or_does_not_belong_to_its_run_is_noticed() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    workspace.train("runs", &["baseline"]);
    let folder = "runs/synthetic-tiny-baseline-seed5";
    let verify = || workspace.gal_bench(&format!("verify {folder}"));
    assert!(verify().succeeds().stdout.ends_with("all 7 files match their digests\n"));
    let notes = format!("{folder}/notes.txt");
    workspace.write(&notes, "mine");
    assert!(verify().succeeds().stdout.ends_with("all 7 files match their digests; not covered: notes.txt\n"));
    workspace.remove(&notes);
    workspace.write(&format!("{folder}/affinity.csv"), "a");
    verify().fails_with("is not a file that the run wrote");
    workspace.remove(&format!("{folder}/affinity.csv"));
    workspace.remove(&format!("{folder}/metrics.jsonl"));
    verify().fails_with("is missing, though the run wrote it: restore it from a copy, or train the run again");
}

#[test]
fn a_record_of_fewer_files_is_read_and_verify_names_the_others() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    workspace.train("runs", &["baseline"]);
    let folder = "runs/synthetic-tiny-baseline-seed5";
    let unrecorded = ["best.safetensors", "events.out.tfevents.synthetic-tiny-baseline-seed5"];
    let bytes = unrecorded.map(|name| workspace.bytes(&format!("{folder}/{name}")));
    for name in unrecorded {
        workspace.remove(&format!("{folder}/{name}"));
    }
    let run = workspace.run("runs", "baseline");
    Record::write(&run, &Record::read(&run).unwrap().summary).unwrap();
    for (name, bytes) in unrecorded.iter().zip(bytes) {
        workspace.write(&format!("{folder}/{name}"), bytes);
    }
    let verified = workspace.gal_bench(&format!("verify {folder}")).succeeds().stdout;
    let expected = format!("all 5 files match their digests; not covered: {}\n", unrecorded.join(", "));
    assert!(verified.ends_with(&expected), "{verified}");
}

#[test]
fn a_record_and_a_configuration_of_two_runs_are_noticed() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    workspace.train("runs", &["baseline"]);
    let run = workspace.run("runs", "baseline");
    let mut record = Record::read(&run).unwrap();
    record.summary.steps = 9;
    Record::write(&run, &record.summary).unwrap();
    let message = Record::read(&run).unwrap().verify_all().unwrap_err().to_string();
    assert!(message.contains("config.toml: states the number of steps 8, but summary.json 9"), "{message}");
}

#[test]
fn a_run_of_an_earlier_version_gets_its_digests_once() {
    digests_are_written_once("model.safetensors");
}

#[test]
fn a_network_with_its_former_name_gets_its_digest() {
    digests_are_written_once("checkpoint.safetensors");
}

/// Checks a run without digests whose network is called `model`.
fn digests_are_written_once(model: &str) {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    workspace.train("runs", &["baseline"]);
    let folder = "runs/synthetic-tiny-baseline-seed5";
    let name = format!("{folder}/summary.json");
    let mut summary: serde_json::Value = serde_json::from_slice(&workspace.bytes(&name)).unwrap();
    for key in ["files", "digest"] {
        summary.as_object_mut().unwrap().remove(key);
    }
    workspace.write(&name, summary.to_string());
    std::fs::rename(workspace.path(format!("{folder}/model.safetensors")), workspace.path(format!("{folder}/{model}")))
        .unwrap();

    let export = |to: &str| workspace.gal_bench(&format!("export --run {folder} --output {to}")).succeeds().stderr;
    assert!(export("first").contains("has no digests, as an earlier version trained it"));
    workspace.gal_bench(&format!("verify {folder}")).fails_with("`gal-bench verify --write RUN`");
    assert!(workspace.gal_bench(&format!("verify --write {folder}")).succeeds().stdout.contains("now has the digests"));
    assert!(workspace.gal_bench(&format!("verify {folder}")).succeeds().stdout.contains("all 7 files match"));
    assert!(!export("second").contains("digests"));
}

#[test]
fn verify_covers_sets_and_reports_too() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 8"));
    let verify = |folder: &str| workspace.gal_bench(&format!("verify {folder}"));
    assert!(verify("prepared").succeeds().stdout.contains("images match their digests"));
    workspace.train("runs", &["baseline"]);
    report::collect(&[workspace.run("runs", "baseline")], &workspace.path("report")).unwrap();
    verify("report").fails_with("differs from the results");
    report::write(&workspace.path("report")).unwrap();
    assert!(verify("report").succeeds().stdout.contains("matches its results"));
    verify("nowhere").fails_with("holds no finished prepared set");
    workspace.gal_bench("verify --write prepared").fails_with("is not a finished run");
}
