//! `gal-bench doctor` from outside.

use assert_cmd::cargo::cargo_bin;
use std::path::Path;
use std::process::{Command, Output};

fn doctor(folder: &Path, arguments: &[&str]) -> (Output, serde_json::Value) {
    std::fs::write(folder.join("tiny.toml"), crate::train::trainer::TINY).unwrap();
    let output = Command::new(cargo_bin!("gal-bench"))
        .current_dir(folder)
        .args(["doctor", "--device", "cpu", "--profile", "tiny.toml"])
        .args(arguments)
        .output()
        .unwrap();
    let file = std::fs::read(folder.join("doctor.json")).unwrap();
    (output, serde_json::from_slice(&file).unwrap())
}

#[test]
fn doctor_finds_the_cpus_two_paths_in_agreement() {
    let place = tempfile::tempdir().unwrap();
    let (output, file) = doctor(place.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout).unwrap().contains("verdict: cpu computes what it should"));
    let checks = file["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["agrees"] == true));
    for variant in ["Baseline", "GAL-c", "GAL-j", "GAL-p"] {
        let of = |check: &&serde_json::Value| check["name"].as_str().unwrap().contains(variant);
        assert_eq!(checks.iter().filter(of).count(), 2, "{variant}");
    }
    assert!(file["images_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn doctor_ends_with_code_1_and_a_file_where_a_tolerance_is_broken() {
    let place = tempfile::tempdir().unwrap();
    let (output, file) = doctor(place.path(), &["--tolerance", "1e-9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("checks disagree"));
    assert!(file["checks"].as_array().unwrap().iter().any(|check| check["agrees"] == false));
}
