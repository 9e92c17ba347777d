//! The whole job through the binary, on a small profile: results, resumption, reports.

use crate::train::trainer::Workplace;
use assert_cmd::cargo::cargo_bin;
use std::process::{Command, Output};

fn gal_bench(place: &Workplace, arguments: &[&str]) -> Output {
    Command::new(cargo_bin!("gal-bench")).current_dir(place.folder.path()).args(arguments).output().unwrap()
}

#[test]
fn train_evaluate_and_report_make_a_report_that_renders_again() {
    let place = Workplace::new();
    let selection = ["--profile", "tiny.toml", "--seed", "5"];
    let with = |first: &[&'static str], rest: &[&'static str]| [first, &selection, rest].concat();
    let trained = gal_bench(&place, &with(&["train", "--prepared", "prepared"], &["--json", "--device", "cpu"]));
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let outcomes: serde_json::Value = serde_json::from_slice(&trained.stdout).unwrap();
    assert_eq!(outcomes.as_array().map(Vec::len), Some(4));
    let evaluated = gal_bench(&place, &with(&["evaluate"], &[]));
    // Without the prepared set there are no faces to be shown, and nothing else is missing.
    let said = String::from_utf8_lossy(&evaluated.stderr);
    assert!(
        evaluated.status.success() && said.contains("no figures with faces: datasets/prepared/synthetic"),
        "{said}"
    );
    assert!(gal_bench(&place, &["report"]).status.success());
    assert!(!place.path("reports/synthetic-tiny/most-confident-errors.svg").exists());
    let evaluated = gal_bench(&place, &with(&["evaluate"], &["--prepared", "prepared"]));
    assert!(evaluated.status.success(), "{}", String::from_utf8_lossy(&evaluated.stderr));
    assert!(gal_bench(&place, &["report"]).status.success());
    for figure in ["most-confident-errors.svg", "masks-over-faces.svg", "masks-baseline.svg"] {
        assert!(place.path("reports/synthetic-tiny").join(figure).is_file(), "{figure}");
    }
    let page = std::fs::read_to_string(place.path("reports/synthetic-tiny/README.md")).unwrap();
    for heading in ["Table 1", "Table 2", "Table 3", "Table 4"] {
        assert!(page.contains(&format!("## {heading}")), "{heading} is missing");
    }
    assert!(gal_bench(&place, &["report", "--check"]).status.success());
    std::fs::write(place.path("reports/synthetic-tiny/README.md"), page.replace("Table 1", "Table One")).unwrap();
    let checked = gal_bench(&place, &["report", "--check"]);
    assert_eq!(checked.status.code(), Some(2));
}
