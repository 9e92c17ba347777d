//! The whole job through the binary, on a small profile.

use crate::common::workspace::Workspace;

#[test]
fn train_evaluate_and_report_make_a_report_that_renders_again() {
    let workspace = Workspace::trainable();
    let train = "train --profile tiny.toml --seed 5 --prepared prepared --device cpu";
    assert_eq!(workspace.gal_bench(train).json().as_array().map(Vec::len), Some(4));

    // Without the prepared set, only the figures with faces are missing.
    let evaluate = "evaluate --profile tiny.toml --seed 5";
    let logged = workspace.gal_bench(evaluate).succeeds().stderr;
    assert!(logged.contains("no figures with faces: datasets/prepared/synthetic"), "{logged}");
    workspace.gal_bench("report").succeeds();
    assert!(!workspace.exists("reports/synthetic-tiny-seed5/most-confident-errors.svg"));

    workspace.gal_bench(evaluate).args(["--prepared", "prepared"]).succeeds();
    workspace.gal_bench("report").succeeds();
    for figure in ["most-confident-errors.svg", "masks-over-faces.svg", "masks-baseline.svg"] {
        assert!(workspace.exists(&format!("reports/synthetic-tiny-seed5/{figure}")), "{figure}");
    }
    let page = workspace.read("reports/synthetic-tiny-seed5/README.md");
    for heading in ["Table 1", "Table 2", "Table 3", "Table 4"] {
        assert!(page.contains(&format!("## {heading}")), "{heading} is missing");
    }
    workspace.gal_bench("report --check").succeeds();
    workspace.write("reports/synthetic-tiny-seed5/README.md", page.replace("Table 1", "Table One"));
    workspace.gal_bench("report --check").fails_with("README.md");
}

#[test]
fn a_job_that_starts_from_a_run_has_runs_and_a_report_of_its_own() {
    let workspace = Workspace::trainable();
    let of = |command: &str| format!("{command} --profile tiny.toml --seed 5 --variant baseline --variant gal-j");
    workspace.gal_bench(&of("train --prepared prepared --device cpu")).succeeds();
    workspace.gal_bench(&of("evaluate --prepared prepared")).succeeds();
    let init = ["--init", "runs/synthetic-tiny-baseline-seed5"];
    workspace.gal_bench(&of("train --prepared prepared --device cpu")).args(init).succeeds();
    let listed = workspace.gal_bench(&of("run-all --list-tasks")).args(init).json();
    assert_eq!(listed[0]["profile"], "tiny-from-synthetic");
    assert_eq!(listed[0]["done"], serde_json::json!(["baseline", "gal-j"]));
    workspace.gal_bench(&of("evaluate --prepared prepared")).args(init).succeeds();
    workspace.gal_bench("report").succeeds();
    let report = |name: &str| workspace.read(&format!("reports/synthetic-{name}-baseline-gal-j-seed5/README.md"));
    let (own, plain) = (report("tiny-from-synthetic"), report("tiny"));
    assert!(own.contains("- Initial weights: the backbone of run synthetic-tiny-baseline-seed5 ("), "{own}");
    assert!(own.contains("profile tiny-from-synthetic") && !plain.contains("from-synthetic"));
}
