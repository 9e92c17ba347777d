//! The folders that compute with tensors.

use std::path::Path;

const FOLDERS: [&str; 8] = ["distributed", "doctor", "export", "model", "nn", "predict", "train", "weights"];

fn uses_candle(path: &Path) -> bool {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().any(|entry| uses_candle(&entry.unwrap().path()));
    }
    let is_code = path.extension().is_some_and(|extension| extension == "rs");
    is_code && ["candle_core", "candle_nn"].iter().any(|name| std::fs::read_to_string(path).unwrap().contains(name))
}

#[test]
fn only_these_folders_use_candle_and_reports_work_from_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<String> = folders
        .filter(|path| path.is_dir() && uses_candle(path))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS);
}
