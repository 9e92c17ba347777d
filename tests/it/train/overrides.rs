//! Training length, batch and rate from the command line.

use crate::common::training::{TINY, metrics};
use crate::common::workspace::Workspace;

const OPTIONS: &str = "--profile tiny.toml --seed 5 --variant baseline";

fn train(workspace: &Workspace, options: &str) {
    workspace.gal_bench(&format!("train --device cpu --prepared prepared {OPTIONS} {options}")).succeeds();
}

#[test]
fn other_steps_batch_and_rate_are_a_run_of_their_own_that_evaluate_finds_and_the_report_names() {
    let workspace = Workspace::trainable();
    train(&workspace, "");
    let options = "--steps 6 --batch 4 --rate 0.003";
    train(&workspace, options);
    let run = "runs/synthetic-tiny-steps6-batch4-rate0.003-baseline-seed5";
    let config: toml::Table = workspace.read(&format!("{run}/config.toml")).parse().unwrap();
    let training = &config["profile"]["training"]["synthetic"];
    assert_eq!((training["steps"].as_integer(), training["batch"].as_integer()), (Some(6), Some(4)));
    assert_eq!(training["schedule"]["initial"].as_float(), Some(0.003));
    assert_eq!(metrics(&workspace.path(run)).last().unwrap()["step"], 6);
    assert!(workspace.exists("runs/synthetic-tiny-baseline-seed5/summary.json"));
    let summary: serde_json::Value = serde_json::from_str(&workspace.read(&format!("{run}/summary.json"))).unwrap();
    assert!(summary["command"].as_str().unwrap().contains("--seed 5 --steps 6 --batch 4 --rate 0.003"), "{summary}");

    workspace.gal_bench(&format!("evaluate {OPTIONS} {options}")).succeeds();
    workspace.gal_bench("report").succeeds();
    let page = workspace.read("reports/synthetic-tiny-steps6-batch4-rate0.003-baseline-seed5/README.md");
    assert!(page.contains("profile tiny-steps6-batch4-rate0.003 (40 px input, 6 steps)"), "{page}");
}

#[test]
fn epochs_are_counted_over_the_stored_training_images() {
    let workspace = Workspace::trainable();
    train(&workspace, "--epochs 2");
    // 30 images in 2 copies, in batches of 8: 15 steps.
    let run = workspace.path("runs/synthetic-tiny-epochs2-baseline-seed5");
    let lines = metrics(&run);
    assert_eq!(lines.last().unwrap()["step"], 15);
    workspace.gal_bench(&format!("evaluate {OPTIONS} --epochs 2")).succeeds();
    let both = workspace.gal_bench(&format!("train {OPTIONS} --steps 3 --epochs 2")).finishes();
    assert!(both.code == Some(2) && both.stderr.contains("cannot be used with"), "{}", both.stderr);
    let listed = workspace.gal_bench(&format!("run-all --list-tasks {OPTIONS} --epochs 2")).succeeds().stdout;
    assert!(listed.contains("\t2 epochs\tdone"), "{listed}");
}

#[test]
fn a_profile_may_give_epochs() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "epochs = 1"));
    train(&workspace, "");
    let config = workspace.read("runs/synthetic-tiny-baseline-seed5/config.toml");
    assert!(config.contains("steps = 8\nepochs = 1\n"), "{config}");
    workspace.gal_bench(&format!("evaluate {OPTIONS}")).succeeds();
    // The command resumes or repeats nothing: the run is finished.
    let again = workspace.gal_bench(&format!("train --device cpu --prepared prepared {OPTIONS}")).succeeds();
    assert!(again.stderr.contains("is already trained"), "{}", again.stderr);
}

#[test]
fn a_run_of_another_configuration_under_the_same_name_is_not_evaluated_and_not_called_done() {
    let workspace = Workspace::trainable();
    train(&workspace, "--steps 6");
    workspace.write("tiny.toml", TINY.replace("momentum = 0.9", "momentum = 0.8"));
    let error = workspace
        .gal_bench(&format!("evaluate {OPTIONS} --steps 6"))
        .fails_with("was trained with another configuration");
    assert!(error.contains("momentum = 0.9") && error.contains("momentum = 0.8"), "{error}");
    let listed = workspace.gal_bench(&format!("run-all --list-tasks {OPTIONS} --steps 6")).succeeds().stdout;
    assert!(listed.contains("another configuration in the folder of baseline"), "{listed}");
}

#[test]
fn sizes_beyond_any_memory_are_one_sentence() {
    let workspace = Workspace::trainable();
    let train = format!("train --device cpu --prepared prepared {OPTIONS}");
    workspace
        .gal_bench(&format!("{train} --batch 99999999999"))
        .fails_with("batch is 99999999999, expected 2 to 1048576");
    workspace.write("tiny.toml", TINY.replace("branch_channels = 3", "branch_channels = 9999999999"));
    workspace.gal_bench(&train).fails_with("network.branch_channels is 9999999999, expected at most 65536");
    // The second convolution would have 200 GiB of weights.
    workspace.write("tiny.toml", TINY.replace("widths = [4, 4, 4, 4, 4]", "widths = [65536, 65536, 4, 4, 4]"));
    workspace.gal_bench(&train).fails_with("the system has no memory for");
}
