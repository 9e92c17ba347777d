//! The order of the house: data goes one way, and no stage reaches into the one after it. This table is the only one;
//! that of `docs/architecture.md` is written from it.

use super::modules::{Modules, circles};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Modules that every folder may use.
const GROUND: [&str; 6] = ["attribute", "error", "io", "progress", "random", "untrusted"];

/// Each folder, its purpose, and the folders that it uses besides the ground: rows above its own only.
const FOLDERS: [(&str, &str, &[&str]); 20] = [
    ("variant", "the variants as data", &[]),
    ("metrics", "statistics of binary predictions", &[]),
    ("render", "SVG, Markdown, HTML, text tables, number formats", &["metrics"]),
    ("synthetic", "renders the synthetic faces", &[]),
    ("dataset", "annotations to one typed table", &["render", "synthetic"]),
    ("augment", "distortions of images", &[]),
    ("nn", "operations with their backward passes", &[]),
    ("model", "feature net and correlation net", &["nn", "variant"]),
    ("config", "profiles, run configuration, deviations", &["variant", "dataset", "augment", "model"]),
    ("weights", "imports weights of other frameworks", &["nn", "model", "config"]),
    ("store", "prepared sets on disk", &["dataset", "augment", "synthetic"]),
    ("tensorboard", "TensorBoard event files", &[]),
    ("distributed", "process group over TCP and NCCL", &[]),
    (
        "train",
        "data loader, training step, run folders",
        &["dataset", "augment", "store", "model", "nn", "config", "variant", "weights", "distributed", "tensorboard"],
    ),
    ("evaluate", "finished runs to statistics", &["config", "metrics", "synthetic", "variant"]),
    (
        "report",
        "results to pages and figures",
        &["dataset", "evaluate", "config", "metrics", "render", "synthetic", "variant"],
    ),
    ("doctor", "checks a device against the CPU", &["nn", "model", "train", "config", "variant"]),
    ("predict", "probabilities for images", &["train", "config", "model", "store", "dataset", "render", "variant"]),
    (
        "export",
        "a trained network as a PyTorch module or an ONNX model, with its model card",
        &["train", "evaluate", "config", "model", "dataset", "render", "variant"],
    ),
    ("inspect", "labels and images of a data set, before preparing it", &["dataset", "augment", "metrics", "render"]),
];

fn folder_of(file: &str) -> &str {
    file.split('/').next().unwrap()
}

#[test]
fn the_table_names_every_folder_and_its_arrows_go_up_only() {
    let modules = Modules::read();
    let mut named: BTreeSet<&str> = FOLDERS.iter().map(|(name, ..)| *name).collect();
    named.extend(GROUND);
    let found: BTreeSet<&str> = modules.names().map(folder_of).filter(|name| *name != "lib").collect();
    assert_eq!(named, found);
    for (row, (name, _, uses)) in FOLDERS.iter().enumerate() {
        for used in *uses {
            assert!(
                FOLDERS[..row].iter().any(|(above, ..)| above == used),
                "{name} uses {used}, which is not above it"
            );
        }
    }
}

#[test]
fn a_folder_uses_those_of_its_row_and_all_of_them() {
    let modules = Modules::read();
    for (name, _, allowed) in FOLDERS {
        let mut used = BTreeSet::new();
        for file in modules.names().filter(|file| folder_of(file) == name) {
            for target in modules.uses(file) {
                let folder = folder_of(&target).to_owned();
                let fine = folder == name || GROUND.contains(&&*folder) || allowed.contains(&&*folder);
                assert!(fine || folder == "lib", "{file} uses {target}");
                used.insert(folder);
            }
        }
        let unused: Vec<&&str> = allowed.iter().filter(|folder| !used.contains(**folder)).collect();
        assert!(unused.is_empty(), "{name} no longer uses {unused:?}: take them off its row");
    }
    for file in modules.names().filter(|file| GROUND.contains(&folder_of(file))) {
        for target in modules.uses(file) {
            assert!(GROUND.contains(&folder_of(&target)) || target == "lib", "{file} uses {target}");
        }
    }
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    let circles = circles(&Modules::read());
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The page of the architecture with the table of [`FOLDERS`] between its marks.
fn page() -> (PathBuf, String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- house: begin -->\n", "<!-- house: end -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let mut table = "| folder | what it holds | uses |\n|---|---|---|\n".to_owned();
    for (name, purpose, uses) in FOLDERS {
        let uses = uses.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(table, "| `{name}` | {purpose} | {uses} |");
    }
    let expected = format!("{before}{begin}{table}{end}{after}");
    (path, text, expected)
}

#[test]
fn the_page_of_the_architecture_shows_this_table() {
    let (path, found, expected) = page();
    if std::env::var_os("UPDATE_HOUSE").is_some() {
        std::fs::write(path, expected).unwrap();
    } else {
        assert!(found == expected, "docs/architecture.md: run the tests again with UPDATE_HOUSE=1");
    }
}
