//! Runs of a version that called a variant by another name.

use crate::common::gal_bench::{Finished, GalBench};
use crate::common::training::{TINY, outputs};
use crate::common::workspace::Workspace;
use std::path::Path;

/// Replaces a name in the header of a safetensors file.
fn rename_in(path: &Path, name: &str, former: &str) {
    let bytes = std::fs::read(path).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header = std::str::from_utf8(header).unwrap().replace(name, former);
    // Versions with that name wrote no checksum.
    let checksum = header.find(r#"\"blake3\":"#).unwrap();
    let end = checksum + header[checksum..].find(',').unwrap() + 1;
    header.replace_range(checksum..end, "");
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    std::fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()).unwrap();
}

#[test]
fn an_interrupted_run_under_a_former_name_is_resumed_in_its_folder_and_then_reused() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 400"));
    let train = |runs: &str, variant: &str| {
        let words = "train --profile tiny.toml --prepared prepared --seed 5 --device cpu";
        GalBench::new(workspace.root(), words).args(["--runs", runs, "--variant", variant])
    };
    train("undisturbed", "authors-layout").succeeds();

    let run = workspace.run("runs", "authors-layout");
    let mut child = train("runs", "authors-layout").spawn();
    while !run.join("training-state.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    Finished::wait(child);
    let former = workspace.run("runs", "scrambled");
    std::fs::rename(&run, &former).unwrap();
    rename_in(&former.join("training-state.safetensors"), "authors-layout", "scrambled");
    let config = std::fs::read_to_string(former.join("config.toml")).unwrap();
    std::fs::write(former.join("config.toml"), config.replace("authors-layout", "scrambled")).unwrap();

    let resumed = train("runs", "scrambled").succeeds().stderr;
    assert!(resumed.contains("resuming from step"), "{resumed}");
    assert!(outputs(&former) == outputs(&workspace.run("undisturbed", "authors-layout")));
    let summary = std::fs::read_to_string(former.join("summary.json")).unwrap();
    assert!(summary.contains(r#""id": "synthetic-tiny-scrambled-seed5""#), "{summary}");
    let reused = train("runs", "authors-layout").succeeds().stderr;
    assert!(reused.contains("is already trained") && !run.exists(), "{reused}");
}
