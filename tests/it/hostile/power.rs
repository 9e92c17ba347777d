//! Power failures: the order in which files are written, synced and renamed, as strace sees it, and lines that are lost.

use crate::common::gal_bench::GalBench;
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use std::io::Write;
use std::process::{Command, Stdio};

const SYNC: [&str; 2] = ["fsync", "fdatasync"];
const RENAME: [&str; 3] = ["rename", "renameat", "renameat2"];

/// Calls that write, sync or rename, with the paths of their files, in order. `None` where strace cannot be used.
fn traced(workspace: &Workspace, words: &str) -> Option<Vec<String>> {
    let trace = workspace.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "0", "-e", "trace=write,fsync,fdatasync,rename,renameat,renameat2", "-o"]);
    command.arg(&trace).arg(assert_cmd::cargo::cargo_bin!("gal-bench")).args(words.split_whitespace());
    command.current_dir(workspace.root()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_done = command.status().is_ok_and(|status| status.success());
    if !is_done {
        let _ = writeln!(std::io::stderr(), "skipped: strace is missing, or may not trace here");
        return None;
    }
    Some(workspace.read("trace").lines().map(str::to_owned).collect())
}

/// Indices of the calls of `names` on a path that ends with `path`.
fn calls<'a>(trace: &'a [String], names: &'a [&str], path: &'a str) -> impl DoubleEndedIterator<Item = usize> + 'a {
    let is_call = move |line: &&String| {
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        names.iter().any(|name| call.starts_with(&format!("{name}("))) && call.contains(path)
    };
    (0..trace.len()).filter(move |index| is_call(&&trace[*index]))
}

#[test]
fn a_training_state_is_written_after_the_metrics_that_it_counts_on_and_each_rename_is_synced() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 12"));
    let words =
        "train --quiet --dataset synthetic --prepared prepared --profile tiny.toml --variant baseline --threads 1";
    let Some(trace) = traced(&workspace, words) else { return };
    let states: Vec<usize> = calls(&trace, &RENAME, "training-state.safetensors\"").collect();
    assert_eq!(states.len(), 2, "after steps 4 and 8");
    for &state in &states {
        for file in ["metrics.jsonl>", "/events.out.tfevents.synthetic-tiny-baseline-seed0>"] {
            let before = |names| calls(&trace, names, file).rfind(|call| *call < state);
            let (write, sync) = (before(&["write"]), before(&SYNC));
            assert!(write.is_some() && write < sync, "{file}: written at {write:?}, synced at {sync:?} before {state}");
        }
    }
    for file in ["training-state.safetensors\"", "predictions.parquet\"", "model.safetensors\"", "summary.json\""] {
        for rename in calls(&trace, &RENAME, file).collect::<Vec<_>>() {
            // The file itself is synced under its temporary name, the folder after the rename.
            let partial = trace[rename].split('"').find(|part| part.contains(".partial-")).unwrap();
            let partial = partial.rsplit('/').next().unwrap();
            assert!(calls(&trace, &SYNC, partial).any(|sync| sync < rename), "{file}");
            let folder = "/synthetic-tiny-baseline-seed0>";
            assert!(calls(&trace, &SYNC, folder).any(|sync| sync > rename), "{file}: its folder is not synced");
        }
    }
    // The record is the last file.
    let record = calls(&trace, &RENAME, "summary.json\"").next_back().unwrap();
    assert!(calls(&trace, &RENAME, "seed0/").all(|rename| rename <= record));
}

#[test]
fn lines_of_the_metrics_that_are_lost_are_named_and_recorded() {
    for zeros in [false, true] {
        let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 4000"));
        let train = || {
            let words =
                "train --dataset synthetic --prepared prepared --profile tiny.toml --variant baseline --threads 1";
            GalBench::new(workspace.root(), words)
        };
        let run = workspace.path("runs/synthetic-tiny-baseline-seed0");
        let mut child = train().spawn();
        let lines = || std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count());
        while !run.join("training-state.safetensors").exists() || lines() < 8 {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Shorter, so that the test ends soon: the state and the configuration are of this profile.
        let path = run.join("metrics.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.split_inclusive('\n').next().unwrap();
        let lost = if zeros { vec![0; text.len() - first.len()] } else { Vec::new() };
        std::fs::write(&path, [first.as_bytes(), &lost].concat()).unwrap();
        let mut resumed = train().spawn();
        let said = std::io::BufRead::lines(std::io::BufReader::new(resumed.stderr.take().unwrap()));
        let found = said.map(Result::unwrap).any(|line| line.contains("lines of metrics.jsonl of Baseline up to step"));
        resumed.kill().unwrap();
        resumed.wait().unwrap();
        assert!(found);
    }
}
