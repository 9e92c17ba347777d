//! Training from outside: what must not change a result, and how killed runs resume.

use crate::common::training::{TINY, metrics, outputs};
use crate::common::workspace::Workspace;
use candle_core::Device;
use gal_bench::variant::{Fln, Layers, VARIANTS, Variant};
use rand::RngExt;
use std::time::Duration;

#[test]
fn variants_that_share_an_fln_equal_separate_runs() {
    let workspace = Workspace::trainable();
    // Others train alone in any case, or on a finished Baseline.
    let shares =
        |v: &&Variant| v.fln != Fln::FrozenBaseline && v.streams.are_separate() && v.layers == Layers::Branches;
    let variants: Vec<&str> = VARIANTS.iter().filter(shares).map(|v| v.name).collect();
    workspace.train("together", &variants);
    for variant in variants {
        workspace.train(&format!("alone-{variant}"), &[variant]);
        assert!(
            outputs(&workspace.run("together", variant))
                == outputs(&workspace.run(&format!("alone-{variant}"), variant)),
            "{variant} differs"
        );
    }
}

#[test]
fn a_result_does_not_depend_on_the_number_of_threads() {
    let workspace = Workspace::trainable();
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| workspace.train(&format!("on-{threads}"), &VARIANTS.map(|variant| variant.name)));
        for variant in VARIANTS {
            assert!(
                outputs(&workspace.run("on-1", variant.name))
                    == outputs(&workspace.run(&format!("on-{threads}"), variant.name)),
                "{} differs on {threads} threads",
                variant.name
            );
        }
    }
}

/// Trains `variant` twice with the binary: once undisturbed, and once killed ten times after one to three checkpoints and
/// some time. Both must leave the same bytes.
fn ten_kills(workspace: &Workspace, variant: &str) {
    let train = |runs: &str| {
        workspace.gal_bench(&format!(
            "train --quiet --seed 5 --device cpu --profile tiny.toml --prepared prepared --runs {runs} --variant {variant}"
        ))
    };
    train("undisturbed").succeeds();
    let state = workspace.run("killed", variant).join("training-state.safetensors");
    let written = || std::fs::metadata(&state).and_then(|data| data.modified()).ok();
    let mut moment = gal_bench::random::generator(11, &[gal_bench::random::name(variant)]);
    for kill in 0..10 {
        let mut child = train("killed").spawn();
        for _ in 0..moment.random_range(1..=3) {
            let before = written();
            while written() == before {
                assert!(child.try_wait().unwrap().is_none(), "the run ended before kill {kill}");
                std::thread::yield_now();
            }
        }
        std::thread::sleep(Duration::from_micros(moment.random_range(0..20_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // One changed bit, and a file that a killed process was writing.
    let whole = std::fs::read(&state).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&state, damaged).unwrap();
    let partial = state.with_file_name(".partial-abc");
    std::fs::write(&partial, "half").unwrap();
    train("killed")
        .fails_with("its content differs from its checksum; delete this file to train the run from its start");
    assert!(!partial.exists());
    std::fs::write(&state, whole).unwrap();
    // The state's former name.
    let former = state.with_file_name("resume.safetensors");
    std::fs::rename(&state, &former).unwrap();
    train("killed").succeeds();
    assert!(!state.exists() && !former.exists());
    assert!(outputs(&workspace.run("undisturbed", variant)) == outputs(&workspace.run("killed", variant)));
}

#[test]
fn ten_kills_at_random_moments_end_in_the_bytes_of_none() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 400"));
    ten_kills(&workspace, "gal-j");
}

#[test]
fn ten_kills_of_gal_c_on_features_computed_once_end_in_the_bytes_of_none() {
    let profile = TINY.replace("steps = 40", "steps = 400").replace("\"random\"", "\"centre\"");
    let workspace = Workspace::trainable_with(&profile);
    workspace.train("undisturbed", &["baseline"]);
    workspace.train("killed", &["baseline"]);
    ten_kills(&workspace, "gal-c");
}

#[test]
fn a_run_in_bf16_learns_like_one_in_single_precision_and_records_it() {
    let single = Workspace::trainable();
    // The command line refuses bf16 on the CPU, where it computes what a CUDA device would.
    let rounded = Workspace::trainable_with(&format!("{TINY}[compute]\nbf16 = true\n"));
    let losses = |workspace: &Workspace| {
        workspace.train("runs", &["baseline", "gal-c"]);
        ["baseline", "gal-c"].map(|variant| {
            let lines = metrics(&workspace.run("runs", variant));
            let last = lines.iter().rfind(|line| line.get("lr").is_some()).unwrap();
            last["loss_fln"].as_f64().or(last["loss_cln"].as_f64()).unwrap()
        })
    };
    for (single, rounded) in losses(&single).into_iter().zip(losses(&rounded)) {
        let apart = (single - rounded).abs() / single;
        assert!(apart > 0.0 && apart < 0.02, "{rounded} for {single}");
    }
    let summary = rounded.read("runs/synthetic-tiny-gal-c-seed5/summary.json");
    assert!(summary.contains("Precision of matrix products: bf16"), "{summary}");
}

#[test]
fn a_run_with_candles_operations_learns_the_same_and_records_it() {
    let workspace = Workspace::trainable();
    let train = |runs: &str, option: &str| {
        let options = "--prepared prepared --profile tiny.toml --seed 5 --device cpu --variant baseline,gal-j,gatv2";
        workspace.gal_bench(&format!("train {options} --runs {runs} {option}")).succeeds();
        ["baseline", "gal-j", "gatv2"].map(|variant| {
            let lines = metrics(&workspace.run(runs, variant));
            let first = lines.iter().find(|line| line.get("lr").is_some()).unwrap();
            first["loss_cln"].as_f64().or(first["loss_fln"].as_f64()).unwrap()
        })
    };
    for (own, of_candle) in train("own", "").into_iter().zip(train("candle", "--reference")) {
        let apart = (own - of_candle).abs() / own;
        assert!(apart > 0.0 && apart < 1e-4, "{of_candle} for {own}");
    }
    let summary = workspace.read("candle/synthetic-tiny-gal-j-seed5/summary.json");
    assert!(summary.contains("cpu, candle's operations") && summary.contains("--reference"), "{summary}");
}

#[test]
fn a_finished_run_is_reused() {
    let workspace = Workspace::trainable();
    assert!(!workspace.train("runs", &["baseline"])[0].reused);
    assert!(workspace.train("runs", &["baseline"])[0].reused);
}

#[test]
fn a_finished_run_with_the_former_name_of_its_model_is_reused_and_gal_c_starts_from_it() {
    let workspace = Workspace::trainable();
    for (runs, model) in [("former", "checkpoint.safetensors"), ("present", "model.safetensors")] {
        workspace.train(runs, &["baseline"]);
        let run = workspace.run(runs, "baseline");
        std::fs::rename(run.join("model.safetensors"), run.join(model)).unwrap();
        let trained = workspace.train(runs, &["baseline", "gal-c"]);
        assert!(trained[0].reused && !trained[1].reused);
    }
    assert!(outputs(&workspace.run("former", "gal-c")) == outputs(&workspace.run("present", "gal-c")));
}

#[test]
fn gal_c_without_a_baseline_is_refused() {
    let workspace = Workspace::trainable();
    let error = workspace.try_train("runs", &["gal-c"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("add --variant baseline"), "{error}");
}

#[test]
fn a_run_folder_with_another_configuration_is_refused() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline"]);
    let config = workspace.run("runs", "baseline").join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("momentum = 0.9", "momentum = 0.8");
    std::fs::write(&config, text).unwrap();
    let error = workspace.try_train("runs", &["baseline"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("momentum = 0.8"), "{error}");
}

#[test]
fn gal_c_keeps_baselines_fln() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline", "gal-c"]);
    let load = |variant: &str| {
        candle_core::safetensors::load(workspace.run("runs", variant).join("model.safetensors"), &Device::Cpu).unwrap()
    };
    let (baseline, gal_c) = (load("baseline"), load("gal-c"));
    let mut names: Vec<_> = baseline.keys().collect();
    names.sort();
    for name in names {
        let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(&baseline[name]), values(&gal_c[name]), "{name}");
    }
}

#[test]
fn a_run_that_another_process_trains_is_refused() {
    let workspace = Workspace::trainable();
    let run = workspace.run("runs", "baseline");
    std::fs::create_dir_all(&run).unwrap();
    let held = gal_bench::io::Lock::take(&run.join(".lock")).unwrap().unwrap();
    let sentence = workspace.try_train("runs", &["baseline"]).unwrap_err().to_string();
    assert!(sentence.contains(&format!("is being trained by process {} on", std::process::id())), "{sentence}");
    assert!(!run.join("config.toml").exists());
    drop(held);
    workspace.train("runs", &["baseline"]);
    assert!(!run.join(".lock").exists());
}

#[test]
fn an_incomplete_finished_run_is_not_trained_again() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline"]);
    let run = workspace.run("runs", "baseline");
    let refused = |missing: &str, words: &str| {
        std::fs::rename(run.join(missing), run.join("aside")).unwrap();
        let before = std::fs::read(run.join("summary.json")).unwrap();
        let sentence = workspace.try_train("runs", &["baseline"]).unwrap_err().to_string();
        assert!(sentence.contains(words) && sentence.contains("--force"), "{sentence}");
        assert_eq!(std::fs::read(run.join("summary.json")).unwrap(), before);
        std::fs::rename(run.join("aside"), run.join(missing)).unwrap();
    };
    refused("config.toml", "exists without the config.toml of its run");
    refused("model.safetensors", "model.safetensors: is missing, though its run is finished");
}
