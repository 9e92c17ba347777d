//! No command replaces or removes a file of the user without `--force`.

use crate::common::celeba_files::CelebaFiles;
use crate::common::fake_runs::FakeRun;
use crate::common::gal_bench::commands;
use crate::common::images::jpeg;
use crate::common::workspace::Workspace;
use gal_bench::{io, report};
use std::collections::BTreeSet;

const MINE: &str = "# my thesis";

/// Commands with the file of the user that each would replace, or that lies in the folder that it writes into. `PLACE` is
/// that file, `FOLDER` its folder.
const COMMANDS: [(&str, &str, &str); 20] = [
    ("augment", "augment --output PLACE", "sheet.png"),
    ("prepare", "prepare --preview PLACE", "sheet.png"),
    ("prepare", "prepare --dataset celeba --root celeba --size 32 --prepared FOLDER", "mine/notes.txt"),
    ("prepare", "prepare --dataset celeba --root celeba --size 32 --prepared FOLDER", "mine/manifest.csv"),
    ("inspect", "inspect --dataset celeba --root celeba --output FOLDER", "mine/README.md"),
    ("inspect", "inspect --dataset celeba --root celeba --output FOLDER", "mine/notes.txt"),
    ("man", "man FOLDER", "mine/gal-bench-train.1"),
    ("doctor", "doctor --device cpu --output PLACE", "doctor.json"),
    ("weights", "weights import FILE --output PLACE", "weights.safetensors"),
    ("export", "export --run runs/synthetic-tiny-baseline-seed5 --output FOLDER", "mine/gal_net.py"),
    ("export", "export --run runs/synthetic-tiny-baseline-seed5 --output FOLDER", "mine/notes.txt"),
    (
        "compare",
        "compare fake/synthetic-quick-baseline-seed1 fake/synthetic-quick-gal-j-seed1 --output FOLDER",
        "mine/README.md",
    ),
    (
        "compare",
        "compare fake/synthetic-quick-baseline-seed1 fake/synthetic-quick-gal-j-seed1 --output FOLDER",
        "mine/figure.svg",
    ),
    ("evaluate", "evaluate --seed 1 --runs fake", "reports/synthetic-quick-seed1/README.md"),
    ("evaluate", "evaluate --seed 1 --runs fake", "reports/synthetic-quick-seed1/results/affinity-mine.csv"),
    ("report", "report --reports done", "done/synthetic-quick-seed1/README.md"),
    ("report", "report --reports done", "done/synthetic-quick-seed1/mine.svg"),
    (
        "train",
        "train --profile tiny.toml --prepared prepared --seed 7 --variant baseline --device cpu",
        "runs/synthetic-tiny-baseline-seed7/metrics.jsonl",
    ),
    (
        "run-all",
        "run-all --profile tiny.toml --seed 7 --variant baseline --device cpu --prepared FOLDER",
        "mine/images.npy",
    ),
    (
        "run-task",
        "run-task 0 --profile tiny.toml --seed 7 --variant baseline --device cpu --prepared FOLDER",
        "mine/notes.txt",
    ),
];
/// Commands that write no file.
const SILENT: [&str; 4] = ["predict", "profile", "verify", "completions"];

fn workspace() -> Workspace {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline"]);
    for variant in ["baseline", "gal-j"] {
        FakeRun::new(variant, 1).write(&workspace.path("fake"));
    }
    workspace.gal_bench("evaluate --seed 1 --runs fake --reports done").succeeds();
    workspace.gal_bench("report --reports done").succeeds();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    for split in [0, 2] {
        files.add([true; 40], split, jpeg(&image::RgbImage::from_pixel(40, 40, image::Rgb([90, 120, 150])), 90));
    }
    files.finish();
    workspace
}

#[test]
fn every_command_refuses_to_replace_a_file_of_the_user() {
    let workspace = workspace();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/weights/present.caffemodel");
    for (_, command, place) in COMMANDS {
        let earlier = workspace.exists(place).then(|| workspace.bytes(place));
        workspace.write(place, MINE);
        let before = workspace.files("");
        let folder = place.rsplit_once('/').map_or(".", |(folder, _)| folder);
        let words = command.replace("PLACE", place).replace("FOLDER", folder).replace("FILE", weights);
        let error = workspace.gal_bench(&words).finishes().error();
        let name = place.rsplit('/').next().unwrap();
        assert!(error.contains(name), "{words}: {error}");
        assert_eq!(workspace.files("").keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{words}");
        assert_eq!(workspace.read(place), MINE, "{words}");
        match earlier {
            Some(bytes) => drop(workspace.write(place, bytes)),
            None => workspace.remove(place),
        }
    }
}

#[test]
fn every_command_is_walked() {
    let walked: BTreeSet<String> = COMMANDS.iter().map(|(name, ..)| *name).chain(SILENT).map(str::to_owned).collect();
    assert_eq!(commands(), walked);
}

#[test]
fn force_replaces_a_file_and_removes_none_of_the_user() {
    let workspace = workspace();
    let compare = "compare fake/synthetic-quick-baseline-seed1 fake/synthetic-quick-gal-j-seed1 --output mine";
    for name in ["mine/README.md", "mine/figure.svg", "mine/results/affinity-mine.csv"] {
        workspace.write(name, MINE);
    }
    workspace.gal_bench(compare).args(["--force"]).succeeds();
    assert_ne!(workspace.read("mine/README.md"), MINE);
    workspace.write("done/synthetic-quick-seed1/mine.svg", MINE);
    workspace.write("done/synthetic-quick-seed1/results/affinity-mine.csv", MINE);
    workspace.gal_bench("evaluate --seed 1 --runs fake --reports done --force").succeeds();
    workspace.gal_bench("report --reports done --force").succeeds();
    let prepare = "prepare --dataset celeba --root celeba --size 32 --prepared set";
    workspace.gal_bench(prepare).succeeds();
    workspace.write("set/images/notes.jpg", MINE);
    workspace.write("set/images/train/0000/face.jpg", MINE);
    workspace.gal_bench(prepare).args(["--force", "--format", "npy"]).succeeds();
    assert!(!workspace.files("set").keys().any(|name| name.ends_with("-0.jpg")));
    for name in [
        "mine/figure.svg",
        "mine/results/affinity-mine.csv",
        "done/synthetic-quick-seed1/mine.svg",
        "done/synthetic-quick-seed1/results/affinity-mine.csv",
        "set/images/notes.jpg",
        "set/images/train/0000/face.jpg",
    ] {
        assert_eq!(workspace.read(name), MINE, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn no_command_replaces_a_pipe() {
    use std::os::unix::fs::FileTypeExt;
    let workspace = Workspace::new();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/weights/present.caffemodel");
    let names_a_file = |command: &str| command.contains("PLACE") || command.starts_with("man ");
    for (_, command, place) in COMMANDS.into_iter().filter(|(_, command, _)| names_a_file(command)) {
        let path = workspace.write(place, "");
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let words = command.replace("PLACE", place).replace("FOLDER", "mine").replace("FILE", weights);
        workspace.gal_bench(&words).args(["--force"]).fails_with("is not a regular file");
        assert!(path.symlink_metadata().unwrap().file_type().is_fifo(), "{words}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_report_that_was_interrupted_is_rendered_again_and_spares_files_of_the_user() {
    let workspace = workspace();
    let folder = workspace.path("done/synthetic-quick-seed1");
    let is_written = |name: &str| io::written_files(&folder).unwrap().contains(name);
    // As a process that is killed before its end.
    drop(report::claim(&folder, false).unwrap());
    report::write(&folder).unwrap();
    workspace.write("done/synthetic-quick-seed1/mine.svg", MINE);
    for _ in 0..2 {
        workspace.gal_bench("report --reports done").fails_with("mine.svg: was not written by gal-bench");
    }
    workspace.remove("done/synthetic-quick-seed1/mine.svg");
    let page = workspace.read("done/synthetic-quick-seed1/README.md");
    workspace.write("done/synthetic-quick-seed1/README.md", format!("{page}\n{MINE}\n"));
    for _ in 0..2 {
        workspace.gal_bench("report --reports done").fails_with("README.md: was changed since gal-bench wrote it");
    }
    workspace.write("done/synthetic-quick-seed1/README.md", page);
    workspace.gal_bench("report --reports done").succeeds();
    assert!(is_written("README.md") && !is_written("mine.svg"));
}

#[test]
fn force_leaves_large_files_of_the_user_alone() {
    let workspace = workspace();
    let compare = "compare fake/synthetic-quick-baseline-seed1 fake/synthetic-quick-gal-j-seed1 --output mine";
    let large = workspace.write("mine/large.bin", "");
    std::fs::File::create(&large).unwrap().set_len(io::RECORD_BYTES + 1).unwrap();
    workspace.gal_bench(compare).fails_with("large.bin: was not written by gal-bench");
    workspace.gal_bench(compare).args(["--force"]).succeeds();
    assert_eq!(large.metadata().unwrap().len(), io::RECORD_BYTES + 1);
}

/// A report of an earlier version has no list of its files.
#[test]
fn a_report_without_a_list_is_rendered_again_and_spares_other_figures() {
    let workspace = workspace();
    let folder = "done/synthetic-quick-seed1";
    workspace.remove(&format!("{folder}/.gal-bench-files.json"));
    workspace.gal_bench("report --reports done").succeeds();
    workspace.remove(&format!("{folder}/.gal-bench-files.json"));
    workspace.write(&format!("{folder}/mine.svg"), MINE);
    workspace.gal_bench("report --reports done").fails_with("mine.svg");
}
