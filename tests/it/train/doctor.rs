//! `gal-bench doctor` from outside.

use crate::common::gal_bench::Finished;
use crate::common::training::TINY;
use crate::common::workspace::Workspace;

/// The output of `doctor`, and the file that it writes.
fn doctor(arguments: &[&str]) -> (Finished, serde_json::Value) {
    let workspace = Workspace::new();
    workspace.write("tiny.toml", TINY);
    let finished = workspace.gal_bench("doctor --device cpu --profile tiny.toml").args(arguments).finishes();
    (finished, serde_json::from_slice(&workspace.bytes("doctor.json")).unwrap())
}

#[test]
fn doctor_finds_that_the_cpus_two_backends_agree() {
    let (output, file) = doctor(&[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("verdict: cpu computes correctly"));
    let checks = file["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["agrees"] == true));
    for variant in ["Baseline", "GAL-c", "GAL-j", "GAL-p"] {
        let of = |check: &&serde_json::Value| {
            let (run, _) = check["name"].as_str().unwrap().split_once(": ").unwrap_or_default();
            run.split(", ").any(|title| title == variant)
        };
        assert_eq!(checks.iter().filter(of).count(), 2, "{variant}");
    }
    assert!(file["images_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn doctor_checks_the_training_of_the_named_variants_only() {
    let (output, file) = doctor(&["--variant", "baseline,gal-j"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let names: Vec<&str> =
        file["checks"].as_array().unwrap().iter().filter_map(|check| check["name"].as_str()).collect();
    let trained: Vec<&str> = names.iter().copied().filter(|name| name.contains("training step")).collect();
    // The two share an FLN.
    assert_eq!(trained, ["Baseline, GAL-j: 1 training step", "Baseline, GAL-j: 10 training steps"]);
    assert!(names.len() > trained.len(), "operations are checked, too");
}

#[test]
fn doctor_ends_with_code_1_and_a_file_if_a_check_fails() {
    let (output, file) = doctor(&["--tolerance", "1e-9"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("checks disagree"));
    assert!(file["checks"].as_array().unwrap().iter().any(|check| check["agrees"] == false));
}
