//! A job in cells, as a scheduler runs them: in any order, at the same time, on a set that nobody prepared before.

use crate::prepare::inspect::{annotate, jpeg};
use crate::train::trainer::TINY;
use assert_cmd::cargo::cargo_bin;
use gal_bench::synthetic::Renderer;
use image::imageops;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const SEEDS: &str = "3,8";

/// A folder with a small CelebA and a profile whose variants need two trunks.
fn workplace() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let profile = TINY.replace("synthetic", "celeba").replace("weight_decay = 0.001\n", "");
    std::fs::write(place.path().join("tiny.toml"), profile).unwrap();
    let root = place.path().join("celeba");
    std::fs::create_dir_all(root.join("img_align_celeba")).unwrap();
    let faces = Renderer::new(0).unwrap();
    let mut images = Vec::new();
    for row in 0..40 {
        let face = imageops::resize(&faces.render(row), 178, 218, imageops::FilterType::Triangle);
        std::fs::write(root.join(format!("img_align_celeba/{:06}.jpg", row + 1)), jpeg(&face, 90)).unwrap();
        let labels = faces.labels(row);
        let set: Vec<&str> =
            gal_bench::attribute::NAMES.into_iter().zip(labels).filter(|(_, l)| *l).map(|(n, _)| n).collect();
        images.push((set, [0, 0, 1, 2][row % 4]));
    }
    annotate(&root, &images.iter().map(|(set, split)| (&set[..], *split)).collect::<Vec<_>>());
    place
}

/// `gal-bench` with the job's options, everything below the folder `into`.
fn command(place: &Path, into: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("gal-bench"));
    command.current_dir(place).args(arguments).args(["--dataset", "celeba", "--profile", "tiny.toml", "--seed", SEEDS]);
    command.args(["--runs", &format!("{into}/runs"), "--prepared", &format!("{into}/prepared")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command of a whole job.
fn job(place: &Path, into: &str, arguments: &[&str]) -> Command {
    let mut command = command(place, into, arguments);
    command.args(["--root", "celeba", "--device", "cpu", "--reports", &format!("{into}/reports")]);
    command
}

fn succeeds(output: Output) -> Output {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn finish(children: Vec<Child>) {
    for child in children {
        succeeds(child.wait_with_output().unwrap());
    }
}

/// The cells that `run-all --plan` prints.
fn plan(place: &Path, into: &str) -> Vec<serde_json::Value> {
    let output = succeeds(job(place, into, &["run-all", "--plan", "--json"]).output().unwrap());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Evaluates the runs below `into`, with durations taken out of their records before.
fn report_without_durations(place: &Path, into: &str) {
    for run in files(&place.join(into).join("runs")).keys().filter(|path| path.ends_with("summary.json")) {
        let path = place.join(into).join("runs").join(run);
        let mut summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert!(summary["wall_seconds"].take().as_f64().is_some_and(|seconds| seconds > 0.0));
        summary["wall_seconds"] = 1.0.into();
        std::fs::write(&path, serde_json::to_vec(&summary).unwrap()).unwrap();
    }
    let reports = format!("{into}/reports");
    succeeds(command(place, into, &["evaluate", "--reports", &reports]).output().unwrap());
    let mut render = Command::new(cargo_bin!("gal-bench"));
    succeeds(render.current_dir(place).args(["report", "--reports", &reports]).output().unwrap());
}

/// Every file below `folder` by its path there, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn cells_in_any_order_and_at_the_same_time_end_in_the_bytes_of_run_all() {
    let folder = workplace();
    let place = folder.path();
    succeeds(job(place, "whole", &["run-all"]).output().unwrap());

    // Two start on a set that is not prepared, the other two when these have ended.
    let start = |cell: &str| job(place, "cells", &["run-cell", cell]).spawn().unwrap();
    finish(vec![start("3"), start("0")]);
    let plan = plan(place, "cells");
    let done: Vec<_> = plan.iter().map(|cell| cell["done"].as_array().unwrap().len()).collect();
    assert_eq!(done, [2, 0, 0, 2]);
    finish(vec![start("2"), start("1")]);

    let (whole, cells) = (files(&place.join("whole/prepared")), files(&place.join("cells/prepared")));
    assert_eq!(whole.keys().collect::<Vec<_>>(), cells.keys().collect::<Vec<_>>());
    for (path, bytes) in whole.iter().filter(|(path, _)| !path.ends_with(".lock")) {
        assert!(cells[path] == *bytes, "prepared {} differs", path.display());
    }
    let (whole, cells) = (files(&place.join("whole/runs")), files(&place.join("cells/runs")));
    let results = ["checkpoint.safetensors", "best.safetensors", "predictions.parquet", "affinity.csv", "masks.npy"];
    let mut compared = 0;
    for (path, bytes) in whole.iter().filter(|(path, _)| results.iter().any(|name| path.ends_with(name))) {
        assert!(cells[path] == *bytes, "{} differs", path.display());
        compared += 1;
    }
    // Four variants with two seeds; Baseline has no affinity.
    assert_eq!(compared, 8 * results.len() - 2);

    report_without_durations(place, "whole");
    report_without_durations(place, "cells");
    let (whole, cells) = (files(&place.join("whole/reports")), files(&place.join("cells/reports")));
    assert_eq!(whole.keys().collect::<Vec<_>>(), cells.keys().collect::<Vec<_>>());
    assert!(whole.contains_key(Path::new("celeba-tiny/README.md")));
    for (path, bytes) in &whole {
        assert!(cells[path] == *bytes, "report {} differs", path.display());
    }
}

#[test]
fn ranks_on_a_shared_folder_prepare_and_train_a_job_together_and_report_once() {
    let folder = workplace();
    let place = folder.path();
    for (into, arguments) in [("whole", &["run-all"][..]), ("cell", &["run-cell", "0"])] {
        let meet = crate::distributed::training::address();
        let start = |rank: &str| {
            let mut command = job(place, into, arguments);
            command.args(["--ranks", "2", "--rank", rank, "--meet", &meet]).spawn().unwrap()
        };
        let said = [start("0"), start("1")].map(|child| succeeds(child.wait_with_output().unwrap()).stdout);
        assert_eq!(String::from_utf8_lossy(&said[1]), "rank 1 is done; the runs are rank 0's\n");
        assert!(place.join(into).join("runs/celeba-tiny-gal-c-seed3/summary.json").exists());
    }
    let report = std::fs::read_to_string(place.join("whole/reports/celeba-tiny/README.md")).unwrap();
    assert!(report.contains("shares of 4 images of a batch of 8, a share for each of 2 ranks"));
    let same = |into: &str| {
        files(&place.join(into).join("runs/celeba-tiny-gal-c-seed3"))[Path::new("checkpoint.safetensors")].clone()
    };
    assert!(same("whole") == same("cell"));
}

#[test]
fn plan_names_every_cell_and_what_is_done() {
    let folder = workplace();
    let told = plan(folder.path(), "job");
    let cells: Vec<_> = told.iter().map(|cell| (&cell["cell"], &cell["variants"], &cell["seed"])).collect();
    let (first, second) = (serde_json::json!(["baseline", "gal-c"]), serde_json::json!(["gal-j", "gal-p"]));
    let numbers = [0, 1, 2, 3, 8].map(serde_json::Value::from);
    let [zero, one, two, three, eight] = &numbers;
    assert_eq!(cells, [(zero, &first, three), (one, &second, three), (two, &first, eight), (three, &second, eight)]);
    assert!(told.iter().all(|cell| cell["steps"] == 40 && cell["dataset"] == "celeba" && cell["begun"] == false));
    assert!(!folder.path().join("job").exists(), "a plan writes nothing");

    succeeds(job(folder.path(), "job", &["run-cell", "1"]).output().unwrap());
    let output = succeeds(job(folder.path(), "job", &["run-all", "--plan"]).output().unwrap());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @"
    0	celeba	baseline,gal-c	seed 3	40 steps	open
    1	celeba	gal-j,gal-p	seed 3	40 steps	done
    2	celeba	baseline,gal-c	seed 8	40 steps	open
    3	celeba	gal-j,gal-p	seed 8	40 steps	open
    ");
}

#[test]
fn cell_that_is_not_there_or_is_held_by_another_process_is_refused() {
    let folder = workplace();
    let refused = |cell: &str, sentence: &str| {
        let output = job(folder.path(), "job", &["run-cell", cell]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(sentence), "{told}");
    };
    refused("4", "there is no cell 4: `gal-bench run-all --plan` with the same options prints 0 to 3");
    let run = folder.path().join("job/runs/celeba-tiny-gal-j-seed3");
    std::fs::create_dir_all(&run).unwrap();
    let held = gal_bench::io::Lock::take(&run.join(".lock")).unwrap().unwrap();
    refused("1", &format!("cell 1 is being trained by process {} already", std::process::id()));
    drop(held);
    succeeds(job(folder.path(), "job", &["run-cell", "1"]).output().unwrap());
}

/// `flock` is Linux's.
#[cfg(target_os = "linux")]
#[test]
fn cell_waits_for_the_process_that_prepares_and_goes_on_when_that_is_killed() {
    let folder = workplace();
    let prepared = folder.path().join("job/prepared");
    std::fs::create_dir_all(&prepared).unwrap();
    // Another process holds the folder until it is killed.
    let mut holder =
        Command::new("flock").arg("--no-fork").arg(prepared.join(".lock")).args(["sleep", "600"]).spawn().unwrap();
    while gal_bench::io::Lock::take(&prepared.join(".lock")).unwrap().is_ok() {
        std::thread::yield_now();
    }
    let mut cell = job(folder.path(), "job", &["run-cell", "1"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(cell.try_wait().unwrap().is_none(), "it did not wait");
    assert!(!prepared.join("inputs.json").exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let told = succeeds(cell.wait_with_output().unwrap()).stderr;
    assert!(String::from_utf8_lossy(&told).contains("waiting for process"));
    assert!(prepared.join("prepared.json").exists());
}
