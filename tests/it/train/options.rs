//! The options of a profile against overfitting, from outside.

use crate::common::training::{TINY, metrics, outputs};
use crate::common::workspace::Workspace;
use gal_bench::dataset::synthetic;
use gal_bench::progress::Progress;
use gal_bench::store;

/// Distortions of which nearly every image gets some.
const ONLINE: &str = "
[[online.operation]]
name = \"rotate_without_crop\"
probability = 0.9
max_left = 20
max_right = 20
[[online.operation]]
name = \"random_brightness\"
probability = 0.9
min_factor = 0.7
max_factor = 1.3
";

/// Trains `variants` with more of the profile: on one thread, on three, and killed once.
fn assert_reproducible(profile: &str, variants: &[&str]) {
    let workspace = Workspace::trainable_with(profile);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| workspace.train(&format!("on-{threads}"), variants));
    }
    let command = format!(
        "train --quiet --seed 5 --device cpu --profile tiny.toml --prepared prepared --runs killed --variant {}",
        variants.join(" --variant ")
    );
    let state = workspace.run("killed", variants[0]).join("training-state.safetensors");
    let mut child = workspace.gal_bench(&command).spawn();
    while !state.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    workspace.gal_bench(&command).succeeds();
    for variant in variants {
        let of = |runs: &str| outputs(&workspace.run(runs, variant));
        assert!(of("on-1") == of("on-3"), "{variant} differs by threads");
        assert!(of("on-1") == of("killed"), "{variant} differs after a kill");
    }
}

#[test]
fn distortions_anew_in_every_epoch_are_reproducible_and_stored_nowhere() {
    // GAL-c on center crops would otherwise read stored features.
    let profile = format!("{}{ONLINE}", TINY.replace("\"random\"", "\"centre\""));
    assert_reproducible(&profile, &["baseline", "gal-j", "gal-c"]);
    let workspace = Workspace::trainable_with(&profile);
    let run = &workspace.train("runs", &["baseline"])[0];
    assert_eq!(run.summary.train_images, run.summary.train_sources);
    assert!(run.summary.deviations.iter().any(|line| line.contains("drawn anew in every epoch by 2 operations")));
    assert!(workspace.read("runs/synthetic-tiny-baseline-seed5/config.toml").contains("[[profile.online.operation]]"));
    let plain = Workspace::trainable();
    let plain = &plain.train("runs", &["baseline"])[0];
    assert!(outputs(&plain.folder) != outputs(&run.folder));
}

/// Every regularization, and running statistics over three batches.
const REGULARIZED: &str = "
[regularization]
dropout = 0.3
label_smoothing = 0.1
mixup = 0.2
ema_decay = 0.8
[evaluation]
update_bn = 3
";

#[test]
fn regularized_training_is_reproducible() {
    assert_reproducible(&format!("{TINY}{REGULARIZED}"), &["baseline", "gal-j", "gal-c"]);
}

#[test]
fn regularization_changes_training_and_is_a_deviation() {
    let run = |options: &str| {
        let workspace = Workspace::trainable_with(&format!("{TINY}{options}"));
        let run = workspace.train("runs", &["gal-j"]).remove(0);
        let losses: Vec<f64> = metrics(&run.folder).iter().filter_map(|line| line["loss_fln"].as_f64()).collect();
        assert!(losses.iter().all(|loss| loss.is_finite()));
        (losses, outputs(&run.folder)[0].clone(), run.summary.deviations)
    };
    let (plain, _, deviations) = run("");
    assert!(!deviations.iter().any(|line| line.contains("(paper: none)")));
    for (key, value, word) in [
        ("dropout", "0.4", "Dropout before the FLN's classifiers: 0.4 (paper: none)."),
        ("label_smoothing", "0.2", "Label smoothing: 0.2 (paper: none)."),
        ("mixup", "0.5", "Parameter of mixup: 0.5 (paper: none)."),
    ] {
        let (losses, _, deviations) = run(&format!("[regularization]\n{key} = {value}\n"));
        assert!(losses != plain, "{key}");
        assert!(deviations.iter().any(|line| line == word), "{deviations:?}");
    }
    // The mean of the weights does not change training.
    let (losses, model, deviations) = run("[regularization]\nema_decay = 0.9\n");
    assert!(losses == plain && deviations.iter().any(|line| line.contains("exponential mean")));
    let (_, other, _) = run("[regularization]\nema_decay = 0.5\n");
    assert!(model != other);
}

#[test]
fn options_that_are_off_are_not_recorded() {
    let workspace =
        Workspace::trainable_with(&format!("{TINY}[regularization]\ndropout = 0.0\n[evaluation]\nmirror = false\n"));
    let plain = Workspace::trainable();
    workspace.train("runs", &["baseline"]);
    plain.train("runs", &["baseline"]);
    let (found, expected) = (workspace.run("runs", "baseline"), plain.run("runs", "baseline"));
    assert!(outputs(&found) == outputs(&expected));
    let config = workspace.read("runs/synthetic-tiny-baseline-seed5/config.toml");
    assert!(!["regularization", "evaluation", "online"].iter().any(|section| config.contains(section)), "{config}");
}

#[test]
fn predictions_of_the_image_alone_are_kept_beside_the_averaged_ones() {
    let plain = Workspace::trainable();
    let mirrored = Workspace::trainable_with(&format!("{TINY}[evaluation]\nmirror = true\n"));
    for workspace in [&plain, &mirrored] {
        workspace.train("runs", &["baseline", "gal-j"]);
    }
    for variant in ["baseline", "gal-j"] {
        let read =
            |workspace: &Workspace, name: &str| std::fs::read(workspace.run("runs", variant).join(name)).unwrap();
        let alone = read(&plain, "predictions.parquet");
        assert!(alone == read(&mirrored, "predictions-plain.parquet"));
        assert!(alone != read(&mirrored, "predictions.parquet"));
        assert!(!plain.run("runs", variant).join("predictions-plain.parquet").exists());
    }
}

#[test]
fn every_run_tests_its_own_best_checkpoint() {
    let profile = TINY.replace("validate_every = 10", "validate_every = 2");
    let workspace = Workspace::trainable_with(&format!("{profile}[evaluation]\ncheckpoint = \"best\"\n"));
    for run in workspace.train("runs", &["baseline", "gal-j", "gal-c"]) {
        let files = outputs(&run.folder);
        assert!(files[0] == files[1], "model and best checkpoint of {}", run.summary.id);
        assert!(run.summary.deviations.iter().any(|line| line.starts_with("Tested weights: those with the best")));
    }
}

#[test]
fn the_best_checkpoint_needs_a_validation_split() {
    let workspace = Workspace::new();
    workspace.write("tiny.toml", format!("{TINY}[evaluation]\ncheckpoint = \"best\"\n"));
    let faces = synthetic::Options { train: 16, val: 0, test: 4, seed: 1 };
    let options = store::Options { size: 48, ..store::Options::default() };
    let dataset = synthetic::dataset(&faces).unwrap();
    store::prepare(&dataset, &workspace.path("prepared"), &options, &Progress::new(true)).unwrap();
    workspace
        .gal_bench("train --device cpu --profile tiny.toml --prepared prepared --runs runs --variant baseline")
        .fails_with("the prepared set has no labelled validation images");
    assert!(!workspace.exists("runs"));
}

#[test]
fn values_out_of_range_are_refused() {
    for (options, words) in [
        ("[regularization]\ndropout = 1.0\n", "regularization.dropout is 1, expected a number from 0 to below 1"),
        ("[regularization]\nlabel_smoothing = -0.1\n", "regularization.label_smoothing is -0.1"),
        ("[regularization]\nmixup = nan\n", "regularization.mixup is NaN, expected a number from 0 to 100"),
        ("[regularization]\nema_decay = 1.0\n", "regularization.ema_decay is 1"),
        ("[evaluation]\ncheckpoint = \"first\"\n", "first"),
        (
            "[[online.operation]]\nname = \"zoom\"\nprobability = 2\nmin_factor = 1\nmax_factor = 1\n",
            "online: operation 1 is invalid: probability is 2, expected 0 to 1",
        ),
    ] {
        let workspace = Workspace::new();
        workspace.write("tiny.toml", format!("{TINY}{options}"));
        workspace.gal_bench("train --device cpu --profile tiny.toml --runs runs").fails_with(words);
    }
}
