//! Runs that diverge beside others: only they are stopped, and the others end as without them.

use crate::common::gal_bench::GalBench;
use crate::common::training::{TINY, metrics, outputs};
use crate::common::workspace::Workspace;
use gal_bench::config::Divergence;
use std::path::Path;

const ALL: [&str; 8] = ["baseline", "gal-c", "gal-j", "gal-p", "identity", "uniform", "one-stream", "cln-only"];

/// A workspace whose branches and correlation nets train at a rate at which a learned affinity diverges, and fixed ones do
/// not.
fn diverging() -> Workspace {
    let profile = TINY.replace("head_rate = 1.0", "head_rate = 100.0").replace("steps = 40", "steps = 400");
    Workspace::trainable_with(&profile)
}

fn command(workspace: &Workspace, runs: &str, variants: &[&str]) -> GalBench {
    let variants = variants.iter().flat_map(|variant| ["--variant", variant]);
    workspace
        .gal_bench("train --seed 5 --device cpu --profile tiny.toml --prepared prepared --runs")
        .args([runs])
        .args(variants)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

fn divergence(folder: &Path) -> Option<Divergence> {
    Divergence::of_run(folder).unwrap()
}

#[test]
fn runs_beside_one_that_diverges_equal_runs_without_it() {
    let workspace = diverging();
    let with: Vec<String> = workspace.train("with", &ALL).into_iter().map(|run| run.summary.variant).collect();
    let with: Vec<&str> = with.iter().map(String::as_str).collect();
    let diverged: Vec<&str> = ALL.into_iter().filter(|variant| !with.contains(variant)).collect();
    assert!(with.contains(&"baseline") && with.contains(&"gal-p"), "{with:?}");
    // A net that trains the FLN shares it with no other run.
    assert!(["gal-j", "one-stream", "cln-only"].iter().all(|variant| diverged.contains(variant)), "{diverged:?}");
    workspace.train("without", &with);
    for variant in with {
        assert!(outputs(&workspace.run("with", variant)) == outputs(&workspace.run("without", variant)), "{variant}");
    }
    for variant in diverged {
        let folder = workspace.run("with", variant);
        let found = divergence(&folder).unwrap();
        assert_eq!((&*found.variant, found.seed, &*found.dataset, &*found.profile), (variant, 5, "synthetic", "tiny"));
        assert!(found.step > 0 && found.rate > 0.0 && found.symptom.contains("not finite"), "{found:?}");
        assert!(metrics(&folder).iter().all(|line| line["step"].as_u64().unwrap() <= found.step as u64));
        let batch = std::fs::read_to_string(folder.join("diverged-batch.csv")).unwrap();
        assert_eq!(batch.lines().count(), 9, "{batch}");
        for file in ["summary.json", "training-state.safetensors", ".lock", "predictions.parquet"] {
            assert!(!folder.join(file).exists(), "{file}");
        }
    }
}

#[test]
fn a_run_that_diverged_is_trained_again_by_force_only() {
    let workspace = diverging();
    let variants = ["gal-j", "gal-p"];
    let first = command(&workspace, "runs", &variants).succeeds();
    let folder = workspace.run("runs", "gal-j");
    let Divergence { step, symptom, .. } = divergence(&folder).unwrap();
    let line = format!("gal-j-seed5 diverged at step {step}: {symptom}; the others go on");
    assert!(first.stderr.contains(&line), "{}", first.stderr);
    assert!(first.stderr.contains("warning: left out, since they diverged: runs/synthetic-tiny-gal-j-seed5"));
    let written = || std::fs::metadata(folder.join("diverged.json")).unwrap().modified().unwrap();
    let before = written();
    let again = command(&workspace, "runs", &variants).succeeds();
    assert!(again.stderr.contains(&format!("diverged at step {step}; --force trains it again")), "{}", again.stderr);
    assert_eq!(written(), before);
    let listed = command(&workspace, "runs", &variants).json();
    assert_eq!(listed[0]["summary"]["variant"], "gal-p");
    assert_eq!((&listed[1]["diverged"]["variant"], &listed[1]["diverged"]["step"]), (&"gal-j".into(), &step.into()));
    workspace.write("tiny.toml", TINY);
    command(&workspace, "runs", &["gal-j"]).args(["--force"]).succeeds();
    assert!(folder.join("summary.json").exists() && !folder.join("diverged.json").exists());
}

#[test]
fn a_network_without_branches_that_diverges_ends_alone() {
    let workspace = Workspace::trainable_with(&TINY.replace("initial = 0.01", "initial = 1e12"));
    let ended = command(&workspace, "runs", &["moon", "mcnn"]).succeeds();
    for variant in ["moon", "mcnn"] {
        assert!(divergence(&workspace.run("runs", variant)).is_some(), "{variant}: {}", ended.stderr);
    }
}

#[test]
fn a_job_whose_runs_all_diverged_has_ended_and_only_its_report_fails() {
    let workspace = diverging();
    let message = "every run diverged (runs/synthetic-tiny-gal-j-seed5): lower the learning rate in the profile, and \
                   start again with --force";
    // The second time, the run is not trained.
    for _ in 0..2 {
        let trained = command(&workspace, "runs", &["gal-j"]).succeeds();
        assert!(trained.stderr.contains(&format!("warning: {message}")), "{}", trained.stderr);
        assert_eq!(trained.stdout, format!("{message}\n"));
    }
    let listed = command(&workspace, "runs", &["gal-j"]).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["diverged"]["variant"]), (1, &"gal-j".into()));
}

#[test]
fn a_state_in_the_folder_of_a_run_that_ended_is_resumed_from_and_one_without_a_run_is_named() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 400"));
    let variants = ["gal-j", "gal-p"];
    command(&workspace, "undisturbed", &variants).succeeds();
    let mut child = command(&workspace, "killed", &variants).spawn();
    let ended = workspace.run("killed", "gal-j");
    while !ended.join("training-state.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its state was written");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Another variant was not trained with them.
    copy_folder(&workspace.path("killed"), &workspace.path("added"));
    let added = command(&workspace, "added", &["gal-j", "gal-p", "identity"]).succeeds();
    let words = "is not resumed from, since it does not hold synthetic-tiny-identity-seed5";
    assert!(added.stderr.contains(words) && !added.stderr.contains("resuming"), "{}", added.stderr);
    let record = serde_json::json!({
        "id": "synthetic-tiny-gal-j-seed5", "dataset": "synthetic", "profile": "tiny", "variant": "gal-j", "seed": 5, "step": 4,
        "rate": 0.05, "symptom": "the loss is not finite", "commit": "0000000",
    });
    std::fs::write(ended.join("diverged.json"), record.to_string()).unwrap();
    let resumed = command(&workspace, "killed", &variants).succeeds();
    assert!(resumed.stderr.contains("resuming from step"), "{}", resumed.stderr);
    assert!(outputs(&workspace.run("undisturbed", "gal-p")) == outputs(&workspace.run("killed", "gal-p")));
    assert!(!ended.join("training-state.safetensors").exists());
}

#[test]
fn a_job_killed_after_a_divergence_resumes_without_the_diverged_run() {
    let workspace = diverging();
    // The state lies in the folder of the first variant, which diverges.
    let variants = ["gal-j", "gal-p"];
    command(&workspace, "undisturbed", &variants).succeeds();
    let mut child = command(&workspace, "killed", &variants).spawn();
    let diverged = workspace.run("killed", "gal-j").join("diverged.json");
    while !diverged.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before a divergence");
        std::thread::yield_now();
    }
    // Until the state without it is in the folder of the next variant.
    let state = workspace.run("killed", "gal-p").join("training-state.safetensors");
    while !state.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its state was written");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = command(&workspace, "killed", &variants).succeeds();
    assert!(resumed.stderr.contains("resuming from step"), "{}", resumed.stderr);
    assert!(outputs(&workspace.run("undisturbed", "gal-p")) == outputs(&workspace.run("killed", "gal-p")));
}
