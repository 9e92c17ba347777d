//! `gal-bench stats` from outside.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use gal_bench::attribute;
use std::fmt::Write as _;
use std::path::Path;

/// A CelebA of four images without image files: bald with black hair, twice no beard with a goatee, nothing.
fn celeba(root: &Path) {
    let mut labels = format!("4\n{}\n", attribute::NAMES.join(" "));
    for (row, set) in
        [&["Bald", "Black_Hair"][..], &["No_Beard", "Goatee"], &["No_Beard", "Goatee"], &[]].iter().enumerate()
    {
        let values = attribute::NAMES.map(|name| if set.contains(&name) { "1" } else { "-1" });
        let _ = writeln!(labels, "00000{}.jpg {}", row + 1, values.join(" "));
    }
    std::fs::write(root.join("list_attr_celeba.txt"), labels).unwrap();
    let partition = "000001.jpg 0\n000002.jpg 0\n000003.jpg 2\n000004.jpg 2\n";
    std::fs::write(root.join("list_eval_partition.txt"), partition).unwrap();
    std::fs::write(root.join("identity_CelebA.txt"), "000001.jpg 7\n000002.jpg 8\n000003.jpg 8\n000004.jpg 9\n")
        .unwrap();
}

fn stats(root: &Path) -> Command {
    let mut command = Command::new(cargo_bin!("gal-bench"));
    command.args(["stats", "--dataset", "celeba", "--json", "--root"]).arg(root).arg("--out").arg(root.join("stats"));
    command
}

#[test]
fn stats_count_labels_without_images_and_write_tables_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    celeba(folder.path());
    let output = stats(folder.path()).assert().success().get_output().stdout.clone();
    let told: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let all = &told["parts"]["all"];
    assert_eq!(all["images"], 4);
    assert_eq!(all["rates"]["No_Beard"], 0.5);
    assert_eq!(all["contradictions"]["bald with a hair colour"], 1);
    assert_eq!(told["parts"]["test"]["contradictions"]["no beard with a goatee"], 1);
    assert_eq!(told["official_partition"], false);
    assert_eq!(told["people_in_several_splits"], 1);
    let out = folder.path().join("stats");
    let page = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(page.contains("NOT the official one"), "{page}");
    let phi = std::fs::read_to_string(out.join("phi-all.csv")).unwrap();
    let line = phi.lines().find(|line| line.starts_with("No_Beard")).unwrap();
    let goatee = attribute::index("Goatee").unwrap() + 1;
    assert_eq!(line.split(',').nth(goatee), Some("1.000000"));
    assert!(!phi.contains("NaN"));
    assert!(std::fs::read_to_string(out.join("phi-test.svg")).unwrap().starts_with("<svg"));
}

#[test]
fn stats_replace_a_page_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    celeba(folder.path());
    stats(folder.path()).assert().success();
    let refused = stats(folder.path()).assert().code(2);
    assert!(String::from_utf8_lossy(&refused.get_output().stderr).contains("--force"));
    stats(folder.path()).arg("--force").assert().success();
}

#[test]
fn stats_leave_a_folder_of_other_files_alone_and_force_clears_tables_of_pictures() {
    let folder = tempfile::tempdir().unwrap();
    celeba(folder.path());
    let out = folder.path().join("stats");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("rates.csv"), "mine").unwrap();
    stats(folder.path()).assert().code(2);
    assert_eq!(std::fs::read(out.join("rates.csv")).unwrap(), b"mine");
    std::fs::write(out.join("duplicates.csv"), "of an earlier look").unwrap();
    stats(folder.path()).arg("--force").assert().success();
    assert!(!out.join("duplicates.csv").exists());
    assert_ne!(std::fs::read(out.join("rates.csv")).unwrap(), b"mine");
}
