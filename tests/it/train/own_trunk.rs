//! Networks without branches, from training to a report.

use crate::common::fake_runs::{page, section};
use crate::common::workspace::Workspace;
use candle_core::Device;
use gal_bench::variant::{Kind, REGISTRY};

const RUN: &str = "--profile tiny.toml --prepared prepared --runs runs --seed 5 --device cpu --quiet";

#[test]
fn networks_without_branches_have_neither_masks_nor_correlation_nets_and_are_reported_beside_baseline() {
    let workspace = Workspace::trainable();
    let variants = REGISTRY.select(&["baseline".to_owned(), Kind::OwnTrunk.set().to_owned()], false);
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    for (run, name) in workspace.train("runs", &names).iter().zip(&names).skip(1) {
        let tensors = candle_core::safetensors::load(run.folder.join("model.safetensors"), &Device::Cpu).unwrap();
        assert!(tensors.keys().all(|key| !key.starts_with("branch.") && !key.starts_with("cln.")), "{name}");
        let trained = tensors.iter().filter(|(key, _)| !key.contains(".running_"));
        assert_eq!(run.summary.parameters, trained.map(|(_, tensor)| tensor.elem_count()).sum::<usize>(), "{name}");
        assert!(!run.folder.join("masks.npy").exists() && !run.folder.join("affinity.csv").exists(), "{name}");
    }
    let bytes = |name: &str| std::fs::read(workspace.run("runs", name).join("predictions.parquet")).unwrap();
    assert!(bytes("moon") != bytes("moon-unbalanced"));

    workspace.gal_bench(&format!("evaluate --reports reports --variant {} {RUN}", names.join(","))).succeeds();
    let text = page(&workspace.path(format!("reports/synthetic-tiny-{}-seed5", names.join("-"))));
    let table = section(&text, "Networks without branches").unwrap();
    assert!(variants.iter().all(|variant| table.contains(&format!("\n| {} |", variant.title))), "{table}");

    let moon = workspace.run("runs", "moon");
    workspace
        .gal_bench(&format!("export --run {} --output out", moon.display()))
        .fails_with("the variant moon cannot be exported: only networks with the paper's branches can");
    let from = format!("train {RUN} --init-all runs/synthetic-tiny-baseline-seed5 --variant");
    workspace.gal_bench(&format!("{from} resnet18")).fails_with("ResNet-18 \"resnet18\"");
    workspace.gal_bench(&format!("{from} moon")).succeeds();
}

#[test]
fn the_graph_of_gal_e_comes_from_baselines_errors_on_validation_images() {
    let workspace = Workspace::trainable();
    workspace.train("runs", &["baseline", "gal-p", "gal-e"]);
    let affinity =
        |variant: &str| std::fs::read_to_string(workspace.run("runs", variant).join("affinity.csv")).unwrap();
    let rows: Vec<Vec<f64>> = affinity("gal-e")
        .lines()
        .skip(1)
        .map(|row| row.split(',').skip(1).map(|weight| weight.parse().unwrap()).collect())
        .collect();
    for (index, row) in rows.iter().enumerate() {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        // Six validation images: shares of both attributes alike are multiples of a sixth of the weight on itself.
        for weight in row {
            let sixths = 6.0 * weight / row[index];
            assert!((sixths - sixths.round()).abs() < 1e-3, "{row:?}");
        }
    }
    assert_ne!(affinity("gal-e"), affinity("gal-p"));
}
