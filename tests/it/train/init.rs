//! Runs that start from the weights of another run.

use crate::common::gal_bench::GalBench;
use crate::common::training::{TINY, outputs};
use crate::common::workspace::Workspace;
use candle_core::{Device, Tensor};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

const NAMED: &str = "runs/synthetic-tiny-baseline-seed5";

/// A workspace with trained runs of Baseline and GAL-j, and the profile `still`. Its runs end with their initial weights
/// and, up to rounding, with their initial statistics.
fn sources() -> Workspace {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline", "gal-j"]);
    let still = TINY
        .replace("\"tiny\"", "\"still\"")
        .replace("initial = 0.01", "initial = 0.0")
        .replace("bn_decay = 0.9", "bn_decay = 0.99999999");
    workspace.write("still.toml", still);
    workspace
}

fn train(workspace: &Workspace, profile: &str, variants: &[&str], arguments: &[&str]) -> GalBench {
    let variants = variants.iter().flat_map(|variant| ["--variant", variant]);
    let usual = "train --prepared prepared --device cpu --seed 5 --runs runs --profile";
    workspace.gal_bench(usual).args([profile]).args(variants).args(arguments)
}

fn model(folder: &Path) -> HashMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

fn equal(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * a.abs().max(1.0))
}

/// Checks which tensors of `found` equal those of `source`, and that the others equal those of `random`.
fn assert_from(
    found: &HashMap<String, Vec<f32>>,
    source: &HashMap<String, Vec<f32>>,
    random: &HashMap<String, Vec<f32>>,
    is_taken: fn(&str) -> bool,
) {
    let names: BTreeSet<&String> = found.keys().collect();
    for name in names {
        let values = &found[name];
        let expected = if is_taken(name) { &source[name] } else { &random[name] };
        assert!(equal(values, expected), "{name}");
    }
    let changed = |name: &&String| source.get(*name).is_some_and(|values| !equal(values, &random[*name]));
    for part in ["conv1.weight", "data_bn.running_mean", "conv3.bn.running_var", "branch.fc.weight"] {
        assert!(source.keys().any(|name| name == part && changed(&name)), "{part} is untrained");
    }
}

fn is_backbone(name: &str) -> bool {
    !name.starts_with("branch.") && !name.starts_with("cln.")
}

#[test]
fn a_run_starts_from_the_backbone_of_another_and_records_it() {
    let workspace = sources();
    let variants = ["baseline", "gal-j"];
    train(&workspace, "still.toml", &variants, &[]).succeeds();
    train(&workspace, "still.toml", &variants, &["--init", NAMED]).succeeds();
    let source = model(&workspace.path(NAMED));
    for variant in variants {
        let folder = workspace.path(format!("runs/synthetic-still-from-synthetic-tiny-{variant}-seed5"));
        let random = model(&workspace.path(format!("runs/synthetic-still-{variant}-seed5")));
        assert_from(&model(&folder), &source, &random, is_backbone);

        let digest = blake3::hash(&workspace.bytes(&format!("{NAMED}/model.safetensors"))).to_hex().to_string();
        let config: toml::Table =
            toml::from_str(&std::fs::read_to_string(folder.join("config.toml")).unwrap()).unwrap();
        let init = &config["init"];
        assert_eq!(init["run"].as_str(), Some("synthetic-tiny-baseline-seed5"));
        assert_eq!((init["digest"].as_str(), init["parts"].as_str()), (Some(&*digest), Some("backbone")));
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["init"]["digest"], *digest);
        assert_eq!(summary["profile"], "still-from-synthetic-tiny");
        let deviations = summary["deviations"].to_string();
        let sentence =
            "Initial weights: the backbone of run synthetic-tiny-baseline-seed5 (data set synthetic, profile tiny, ";
        assert!(
            deviations.contains(sentence) && deviations.contains("(paper: AlexNet trained on ImageNet)"),
            "{deviations}"
        );
        let command = summary["command"].as_str().unwrap();
        assert!(command.ends_with(&format!("--seed 5 --init {NAMED}")), "{command}");
    }
}

#[test]
fn with_all_parts_each_correlation_net_starts_from_its_own_variants_run() {
    let workspace = sources();
    let variants = ["baseline", "gal-c", "gal-j", "gal-p"];
    train(&workspace, "still.toml", &variants, &[]).succeeds();
    let logged =
        train(&workspace, "still.toml", &variants, &["--init-all", "synthetic-tiny-baseline-seed5"]).succeeds();
    for line in [
        "starting from backbone, branches and classifiers of run synthetic-tiny-baseline-seed5",
        "gal-j: with the correlation net in runs/synthetic-tiny-gal-j-seed5",
        "GAL-p: with a new correlation net, as runs/synthetic-tiny-gal-p-seed5 is no finished run",
    ] {
        assert!(logged.stderr.contains(line), "{line} is not in {}", logged.stderr);
    }
    let folder =
        |variant: &str| workspace.path(format!("runs/synthetic-still-all-from-synthetic-tiny-{variant}-seed5"));
    let random = |variant: &str| model(&workspace.path(format!("runs/synthetic-still-{variant}-seed5")));
    let source = model(&workspace.run("runs", "gal-j"));
    assert_from(&model(&folder("gal-j")), &source, &random("gal-j"), |_| true);
    for variant in ["baseline", "gal-c", "gal-p"] {
        assert_from(&model(&folder(variant)), &source, &random(variant), |name| !name.starts_with("cln."));
    }
    let config = std::fs::read_to_string(folder("gal-j").join("config.toml")).unwrap();
    assert!(config.contains("[init.correlation_net]\nrun = \"synthetic-tiny-gal-j-seed5\""), "{config}");
    assert!(!std::fs::read_to_string(folder("gal-p").join("config.toml")).unwrap().contains("correlation_net"));
}

#[test]
fn a_killed_run_resumes_only_from_the_same_initial_weights() {
    let workspace = sources();
    workspace.write("tiny.toml", TINY.replace("steps = 40", "steps = 400").replace("\"tiny\"", "\"long\""));
    let init = ["--init", NAMED];
    let folder = workspace.path("runs/synthetic-long-from-synthetic-tiny-gal-j-seed5");
    train(&workspace, "tiny.toml", &["gal-j"], &init).succeeds();
    let undisturbed = outputs(&folder);
    let forced = [&init[..], &["--force"]].concat();
    let mut child = train(&workspace, "tiny.toml", &["gal-j"], &forced).spawn();
    while !folder.join("training-state.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its first state");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let other = ["--init", "runs/synthetic-tiny-gal-j-seed5"];
    let error = train(&workspace, "tiny.toml", &["gal-j"], &other).fails_with("holds another run (it started from");
    assert!(
        error.contains("of run synthetic-tiny-baseline-seed5") && error.contains("another --runs folder"),
        "{error}"
    );
    let logged = train(&workspace, "tiny.toml", &["gal-j"], &init).succeeds();
    assert!(logged.stderr.contains("resuming from step"), "{}", logged.stderr);
    assert!(outputs(&folder) == undisturbed);
}

/// Spoils the workspace of [`sources`].
type Spoil = fn(&Workspace);

#[test]
fn a_run_that_cannot_be_started_from_is_refused_in_a_sentence() {
    const UNFINISHED: &str = "is not a finished run, as it has no ";
    let network = |from: &'static str, to: &'static str| (from, to);
    let cases: [(&[&str], Spoil, &str); 7] = [
        (&["--init", "nowhere"], |_| (), "there is no run nowhere, neither as a folder nor in runs"),
        (&["--init", "prepared"], |_| (), UNFINISHED),
        (&["--init", NAMED], |w| w.remove(&format!("{NAMED}/summary.json")), "as it has no summary.json"),
        (&["--init", NAMED], |w| w.remove(&format!("{NAMED}/model.safetensors")), "as it has no model.safetensors"),
        (
            &["--init-all", NAMED],
            |w| w.remove(w.run("runs", "gal-j").join("model.safetensors").to_str().unwrap()),
            UNFINISHED,
        ),
        (&["--init", NAMED, "--weights", "w.safetensors"], |_| (), "cannot read w.safetensors"),
        (
            &["--init", "runs/synthetic-tiny-from-synthetic-baseline-seed5", "--force"],
            |w| {
                let copy = w.path("runs/synthetic-tiny-from-synthetic-baseline-seed5");
                std::fs::rename(w.path(NAMED), copy).unwrap();
            },
            "cannot start from its own weights",
        ),
    ];
    for (arguments, spoil, sentence) in cases {
        let workspace = sources();
        spoil(&workspace);
        train(&workspace, "tiny.toml", &["baseline", "gal-j"], arguments).fails_with(sentence);
    }
    let workspace = sources();
    for (from, to, sentence) in [
        ("widths = [4, ", "widths = [6, ", "has network.widths = [4, 4, 4, 4, 4], this profile [6, 4, 4, 4, 4]"),
        ("input_size = 40", "input_size = 44", "has network.input_size = 40, this profile 44"),
        (
            "stride = 2",
            "stride = 2\nbackbone = \"resnet18\"",
            "has network.backbone = \"alexnet-cvgj\", this profile \"resnet18\"",
        ),
    ] {
        let (from, to) = network(from, to);
        assert!(TINY.contains(from));
        workspace.write("other.toml", TINY.replace(from, to));
        train(&workspace, "other.toml", &["baseline"], &["--init", NAMED]).fails_with(sentence);
    }
    // Branches are no part of the backbone.
    workspace.write("other.toml", TINY.replace("branch_channels = 3", "branch_channels = 2"));
    train(&workspace, "other.toml", &["baseline"], &["--init-all", NAMED])
        .fails_with("has network.branch_channels = 3");
    train(&workspace, "other.toml", &["baseline"], &["--init", NAMED]).succeeds();
}

#[test]
fn a_run_that_is_being_trained_is_no_start() {
    let workspace = sources();
    let _lock = gal_bench::io::Lock::take(&workspace.path(NAMED).join(".lock")).unwrap().unwrap();
    train(&workspace, "tiny.toml", &["baseline"], &["--init", NAMED]).fails_with("is being trained by process");
}
