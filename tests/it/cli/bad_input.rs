//! Bad input through the binary: one sentence on standard error, exit code 2, no output. One snapshot holds all
//! sentences. Cases of a single reader are with its tests in `prepare` and `report`.

use crate::common::celeba_files::{ATTRIBUTES, CelebaFiles, IMAGES, PARTITION};
use crate::common::images::jpeg;
use crate::common::workspace::Workspace;
use std::fmt::Write as _;

/// A CelebA of two images in `celeba`.
fn celeba() -> Workspace {
    let workspace = Workspace::new();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    for split in [0, 2] {
        files.add([true; 40], split, jpeg(&image::RgbImage::from_pixel(40, 40, image::Rgb([90, 120, 150])), 90));
    }
    files.finish();
    workspace
}

const PREPARE: &str = "prepare --dataset celeba --root celeba --prepared prepared";

/// Damages a workspace before the command runs.
type Spoil = fn(&Workspace);

/// Replaces the first occurrence of `from` in an annotation file.
fn edit(workspace: &Workspace, file: &str, from: &str, to: &str) {
    let name = format!("celeba/{file}");
    let text = workspace.read(&name);
    assert!(text.contains(from), "{from}");
    workspace.write(&name, text.replacen(from, to, 1));
}

/// Writes the quick profile with a change as `mine.toml`.
fn profile(workspace: &Workspace, from: &str, to: &str) {
    let quick = gal_bench::config::Profile::text("quick").unwrap();
    assert!(quick.contains(from), "{from}");
    workspace.write("mine.toml", quick.replacen(from, to, 1));
}

fn first_image() -> String {
    format!("celeba/{IMAGES}/000001.jpg")
}

const DOCTOR: &str = "doctor --device cpu --profile mine.toml";

/// Name of each case, arguments, and damage.
const CASES: [(&str, &str, Spoil); 29] = [
    ("a row has 39 labels", PREPARE, |w| edit(w, ATTRIBUTES, "000001.jpg 1 ", "000001.jpg ")),
    ("a label is 2", PREPARE, |w| edit(w, ATTRIBUTES, "000001.jpg 1", "000001.jpg 2")),
    ("the count of rows is wrong", PREPARE, |w| edit(w, ATTRIBUTES, "2\n", "3\n")),
    ("a split is unknown", PREPARE, |w| edit(w, PARTITION, "000002.jpg 2", "000002.jpg 7")),
    ("an image is missing", PREPARE, |w| w.remove(&first_image())),
    ("no test image is left", "prepare --dataset celeba --root celeba --prepared prepared --allow-missing", |w| {
        w.remove(&first_image().replace("000001", "000002"));
    }),
    ("an image is truncated", PREPARE, |w| {
        let bytes = w.bytes(&first_image());
        w.write(&first_image(), &bytes[..bytes.len() / 2]);
    }),
    ("the data set's folder is empty", "prepare --dataset lfwa --root lfwa", |w| {
        std::fs::create_dir(w.path("lfwa")).unwrap();
    }),
    // Below a file, so that writing fails for every user, root included.
    ("the output cannot be written", "prepare --dataset celeba --root celeba --prepared file/prepared", |w| {
        w.write("file", "");
    }),
    ("--preview is given for photographs", "prepare --preview sheet.png --dataset celeba", |_| ()),
    ("--val-split is not a share", "prepare --dataset celeba --root celeba --val-split 1.5", |_| ()),
    ("--val-split leaves no person for training", "prepare --dataset celeba --root celeba --val-split 0.5", |_| ()),
    ("--val-split is given for a set with a validation split", "prepare --val-split 0.1", |_| ()),
    ("the prepared set is missing", "train --prepared nowhere --device cpu", |_| ()),
    ("the profile is unknown", "train --profile fast", |_| ()),
    ("the run is missing", "predict --run nowhere face.jpg", |_| ()),
    ("no run is finished", "evaluate", |_| ()),
    ("no report has results", "report", |w| std::fs::create_dir(w.path("reports")).unwrap()),
    ("there is no folder of reports", "report", |_| ()),
    ("the output of an import exists", "weights import a.pth --output a.pth", |w| {
        w.write("a.pth", "weights");
    }),
    ("the output of the doctor is another file", "doctor --device cpu --output notes.txt", |w| {
        w.write("notes.txt", "mine");
    }),
    ("--threads is too large", "doctor --device cpu --threads 2000", |_| ()),
    ("momentum is 1", DOCTOR, |w| profile(w, "momentum = 0.9", "momentum = 1.0")),
    ("momentum is negative", DOCTOR, |w| profile(w, "momentum = 0.9", "momentum = -2.0")),
    ("a rate is negative", DOCTOR, |w| profile(w, "head_rate = ", "head_rate = -")),
    ("eps is not a number", DOCTOR, |w| profile(w, "eps = 1e-3", "eps = nan")),
    ("a residual network has no last pool", DOCTOR, |w| {
        profile(w, "backbone = \"alexnet-cvgj\"", "backbone = \"resnet18\"");
    }),
    ("the profile's val_split is not a share", DOCTOR, |w| {
        profile(w, "[prepare.lfwa]", "[prepare.lfwa]\nval_split = 0.0");
    }),
    ("the learning rate is negative", DOCTOR, |w| profile(w, "initial = ", "initial = -")),
];

#[test]
fn every_bad_input_ends_in_one_sentence_and_leaves_nothing_finished() {
    let mut table = String::new();
    for (name, arguments, spoil) in CASES {
        let workspace = celeba();
        spoil(&workspace);
        let before = workspace.files("");
        let error = workspace.gal_bench(arguments).finishes().error();
        for (path, content) in workspace.files("") {
            let is_new = before.get(&path) != Some(&content);
            // An interrupted `prepare` may leave images and notes of its inputs, but no finished set.
            assert!(!is_new || path.starts_with("prepared/"), "{name}: {path} was written");
            assert!(!path.ends_with("prepared.json") && !path.ends_with("manifest.parquet"), "{name}: {path}");
        }
        let _ = writeln!(table, "{name}\n    gal-bench {arguments}\n    {error}");
    }
    insta::assert_snapshot!(table);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_in_a_cpu_build_is_refused_with_how_to_build() {
    Workspace::new().gal_bench("train --device cuda:0").fails_with("--features cuda");
}

/// Standard output and standard error may be a closed pipe or a full disk.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_causes_no_panic() {
    let workspace = celeba();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    workspace
        .gal_bench("profile quick")
        .stdout(full())
        .fails_with("the result cannot be written to standard output: No space left");
    workspace.gal_bench("profile quick").stdout(closed()).succeeds();
    let prepare = |prepared: &str| workspace.gal_bench(&format!("{PREPARE}-{prepared}"));
    prepare("one").stderr(closed()).succeeds();
    prepare("two").stderr(full()).succeeds();
}
