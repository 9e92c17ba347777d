//! The variants that test the paper's separate gradient streams and its two weight decays.

use crate::common::training::{TINY, metrics};
use crate::common::workspace::Workspace;
use candle_core::{Device, Tensor};
use gal_bench::config::Profile;
use gal_bench::evaluate::Predictions;
use gal_bench::model::{Backend, FeatureNet};
use gal_bench::nn::Parameters;
use std::collections::BTreeMap;

/// The tensors of a run's network by name, those of its correlation net left out.
fn fln(workspace: &Workspace, variant: &str) -> BTreeMap<String, Vec<f32>> {
    let path = workspace.run("runs", variant).join("model.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    let of_fln = tensors.iter().filter(|(name, _)| !name.starts_with("cln."));
    of_fln.map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

/// The profile whose variants have their own weight decays.
fn two_decays() -> Workspace {
    Workspace::trainable_with(&TINY.replace("weight_decay = 0.001\n", ""))
}

#[test]
fn baseline_decay_has_the_features_of_gal_j_and_not_those_of_baseline() {
    let workspace = two_decays();
    workspace.train("runs", &["baseline", "gal-j", "baseline-decay"]);
    assert!(fln(&workspace, "baseline-decay") == fln(&workspace, "gal-j"));
    assert!(fln(&workspace, "baseline-decay") != fln(&workspace, "baseline"));
}

#[test]
fn one_stream_and_cln_only_train_the_features_with_the_loss_of_the_correlation_net() {
    let workspace = two_decays();
    let variants = ["gal-j", "one-stream", "cln-only"];
    let trained = workspace.train("runs", &variants);
    // Without the FLN's own classifiers: 40 of 2 classes on the 3 features of a branch, with a bias each.
    let parameters: Vec<usize> = trained.iter().map(|run| run.summary.parameters).collect();
    assert_eq!(parameters, [parameters[0], parameters[0], parameters[0] - 40 * 2 * (3 + 1)]);
    let [separate, one, only] = variants.map(|variant| fln(&workspace, variant));
    let profile = Profile::load(workspace.path("tiny.toml").to_str().unwrap()).unwrap();
    let initial = Parameters::new(5);
    FeatureNet::new(&profile.network, Backend::Native, &initial, &Device::Cpu).unwrap();
    // Batch norm cancels most biases, which stay at 0.
    for (name, variable) in initial.all().into_iter().filter(|(name, _)| name.ends_with(".weight")) {
        let initial: Vec<f32> = variable.flatten_all().unwrap().to_vec1().unwrap();
        let is_classifier = name.starts_with("branch.fc.");
        assert_eq!(only[&name] == initial, is_classifier, "cln-only: {name}");
        if ["conv1.weight", "branch.conv.weight"].contains(&&*name) {
            assert!(one[&name] != separate[&name] && only[&name] != separate[&name], "{name}");
            assert!(one[&name] != only[&name] && one[&name] != initial, "{name}");
        }
    }
}

#[test]
fn the_untrained_classifiers_of_cln_only_have_no_results() {
    let workspace = two_decays();
    let job = "--profile tiny.toml --seed 5 --runs runs --variant baseline --variant gal-j --variant cln-only";
    workspace.gal_bench(&format!("train --device cpu --prepared prepared {job}")).succeeds();
    let run = workspace.run("runs", "cln-only");
    let predictions = Predictions::read(&run.join("predictions.parquet"), None).unwrap();
    assert!(predictions.fln.is_none() && predictions.cln.is_some());
    for line in metrics(&run) {
        let is_null = |key: &str| line.get(key).is_none_or(serde_json::Value::is_null);
        assert!(
            ["loss_fln", "training_accuracy_fln", "validation_accuracy_fln"].iter().all(|key| is_null(key)),
            "{line}"
        );
        assert!(!is_null("loss_cln") || !is_null("validation_accuracy_cln"), "{line}");
    }
    workspace.gal_bench(&format!("evaluate {job} --prepared prepared --reports reports")).succeeds();
    workspace.gal_bench("report --reports reports").succeeds();
}

#[test]
fn under_one_weight_decay_baseline_decay_is_refused_by_name_and_no_control() {
    let workspace = Workspace::trainable();
    let train = "train --device cpu --profile tiny.toml --prepared prepared --variant baseline-decay";
    workspace.gal_bench(train).fails_with("baseline-decay would equal baseline");
    let tasks = |profile: &str| {
        let list = format!("run-all --list-tasks --controls --profile {profile}");
        workspace.gal_bench(&list).succeeds().stdout
    };
    assert!(tasks("tiny.toml").contains("cln-only") && !tasks("tiny.toml").contains("baseline-decay"));
    assert!(tasks("quick").contains("baseline-decay"));
}
