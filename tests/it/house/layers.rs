//! The order of the house: data goes one way, and a stage never reaches into the one after it.

use std::path::Path;

/// Each module and those of ours that it may use, besides what everyone may.
const MAY_USE: [(&str, &[&str]); 20] = [
    ("metrics", &[]),
    ("render", &["metrics"]),
    ("synthetic", &[]),
    ("dataset", &["render", "synthetic"]),
    ("augment", &[]),
    ("nn", &[]),
    ("model", &["nn", "variant"]),
    ("weights", &["nn", "model"]),
    ("config", &["dataset", "model", "variant", "weights"]),
    ("store", &["dataset", "augment", "synthetic"]),
    ("tensorboard", &[]),
    ("distributed", &["config"]),
    ("train", &["dataset", "store", "model", "nn", "config", "variant", "weights", "distributed", "tensorboard"]),
    ("evaluate", &["config", "metrics"]),
    ("report", &["evaluate", "config", "metrics", "render", "synthetic"]),
    ("doctor", &["nn", "model", "train", "config", "variant"]),
    ("predict", &["train", "model", "store", "dataset"]),
    ("export", &["train", "model", "variant"]),
    ("inspect", &["dataset", "augment", "store", "evaluate", "metrics", "render", "synthetic"]),
    ("variant", &[]),
];
const EVERYONE: [&str; 7] = ["attribute", "error", "Error", "io", "progress", "random", "Result"];

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The first names after `crate::` in a file, `use crate::{a, b}` included.
fn used(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .flat_map(|(at, _)| {
            let rest = &text[at + "crate::".len()..];
            let list = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(list, _)| list);
            let names = list.unwrap_or(rest).split(if list.is_some() { ',' } else { '\0' });
            names
                .map(|name| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
                .collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn arrows_go_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (module, allowed) in MAY_USE {
        let folder = root.join(module);
        let files = if folder.is_dir() { sources(&folder) } else { vec![folder.with_extension("rs")] };
        for path in files {
            for name in used(&std::fs::read_to_string(&path).unwrap()) {
                let fine = name.is_empty() || name == module || EVERYONE.contains(&&*name) || allowed.contains(&&*name);
                assert!(fine, "{} uses crate::{name}", path.display());
            }
        }
    }
}
