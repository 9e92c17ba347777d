//! One page of several reports.

use crate::common::fake_runs::{FakeRun, section};
use crate::common::gal_bench::{GalBench, user_error};
use crate::common::workspace::Workspace;
use gal_bench::report;
use std::path::Path;

/// A report with three seeds of Baseline and a GAL-j of this skill on so many images, in the folder `name`.
fn report_of(workspace: &Workspace, name: &str, dataset: &str, skill: f64, images: usize) {
    let run = |variant: &str, seed: u64, skill: f64| {
        let mut run = FakeRun { skill, ..FakeRun::new(variant, seed) };
        run.summary.test_images = images;
        dataset.clone_into(&mut run.summary.dataset);
        run.summary.id = run.summary.id.replace("synthetic", dataset);
        run.write(&workspace.path("runs"))
    };
    let runs: Vec<_> = (0..3).flat_map(|seed| [run("baseline", seed, 0.8), run("gal-j", seed, skill)]).collect();
    let folder = workspace.path("reports").join(name);
    report::collect(&runs, &folder).unwrap();
    report::write(&folder).unwrap();
}

fn two_reports() -> Workspace {
    let workspace = Workspace::new();
    report_of(&workspace, "lfwa-quick-seeds0-2", "lfwa", 0.95, IMAGES);
    report_of(&workspace, "synthetic-quick-seeds0,2", "synthetic", 0.8, IMAGES);
    workspace
}

const NAMES: [&str; 2] = ["lfwa-quick-seeds0-2", "synthetic-quick-seeds0,2"];
/// Test images of a report that can be tested.
const IMAGES: usize = 60;
const FOLDER: &str = "reports/together-lfwa-synthetic";

fn together(workspace: &Workspace, names: &[&str]) {
    GalBench::new(workspace.root(), "report --together").args(names).succeeds();
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_data_set_without_a_test_counts_as_not_tested() {
    for (images, answer) in [
        ([IMAGES, 10], "**No gain of GAL-j over Baseline is shown on any of 1 tested of 2 data sets**."),
        ([10, 10], "**GAL-j is tested against Baseline on none of 2 data sets**."),
    ] {
        let workspace = Workspace::new();
        report_of(&workspace, NAMES[0], "lfwa", 0.8, images[0]);
        report_of(&workspace, NAMES[1], "synthetic", 0.95, images[1]);
        together(&workspace, &NAMES);
        let page = text(&workspace.path(FOLDER).join("README.md"));
        assert!(page.contains(answer), "{page}");
    }
}

#[test]
fn a_page_of_two_reports_answers_for_both_data_sets() {
    let workspace = two_reports();
    together(&workspace, &NAMES);
    let page = text(&workspace.path(FOLDER).join("README.md"));
    assert!(page.starts_with("# LFWA, Synthetic faces: is GAL-j more accurate than Baseline?\n"), "{page}");
    assert!(page.contains("**GAL-j gains over Baseline on 1 of 2 data sets** (LFWA)."), "{page}");
    for name in NAMES {
        assert!(page.contains(&format!("](../{name}/README.md): ")), "{page}");
    }
    let validity = section(&page, "Validity").unwrap();
    assert!(validity.contains("(../lfwa-quick-seeds0-2/README.md#deviations-from-the-papers-protocol)"), "{validity}");
    assert!(validity.contains("Intervals resample images and seeds."), "{validity}");
    let figure = text(&workspace.path(FOLDER).join("difference-from-baseline.svg"));
    for title in [">LFWA<", ">Synthetic faces<"] {
        assert_eq!(figure.matches(title).count(), 1, "{figure}");
    }
}

#[test]
fn a_page_that_differs_from_its_reports_fails_the_check() {
    let workspace = two_reports();
    together(&workspace, &NAMES);
    let report = |words: &str| GalBench::new(workspace.root(), words);
    report("report --check").succeeds();
    report_of(&workspace, NAMES[1], "synthetic", 0.9, IMAGES);
    report("report --check").fails_with("together-lfwa-synthetic");
    report("report --force").succeeds();
    report("report --check").succeeds();
}

#[test]
fn reports_of_one_data_set_are_told_apart_by_their_names() {
    let workspace = two_reports();
    report_of(&workspace, "lfwa-longer", "lfwa", 0.8, IMAGES);
    together(&workspace, &["lfwa-quick-seeds0-2", "lfwa-longer"]);
    let page = text(&workspace.path("reports/together-lfwa/README.md"));
    assert!(page.starts_with("# lfwa-quick-seeds0-2, lfwa-longer: "), "{page}");
    assert!(page.contains("of 2 reports** ("), "{page}");
    // Other reports of the same data set have the same folder.
    report_of(&workspace, "lfwa-shorter", "lfwa", 0.8, IMAGES);
    let other = || GalBench::new(workspace.root(), "report --together lfwa-longer lfwa-shorter");
    other().fails_with("holds the page of other reports (lfwa-quick-seeds0-2, lfwa-longer)");
    other().args(["--force"]).succeeds();
}

#[test]
fn names_that_are_no_reports_are_refused() {
    let workspace = two_reports();
    let reports = workspace.path("reports");
    let error = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        user_error(report::together_folder(&reports, &names, false))
    };
    assert_eq!(error(&NAMES[..1]), "--together needs the names of two reports or more");
    assert_eq!(error(&[NAMES[0], NAMES[0]]), "report lfwa-quick-seeds0-2 is named twice");
    assert!(error(&[NAMES[0], "../reports"]).starts_with("`../reports` is no name of a report folder"));
    assert!(error(&[NAMES[0], "nowhere"]).contains("nowhere"));
    // A file that names a folder elsewhere.
    together(&workspace, &NAMES);
    let list = workspace.path(FOLDER).join("results/together.json");
    std::fs::write(&list, text(&list).replace(NAMES[1], "../elsewhere")).unwrap();
    assert!(user_error(report::render(&workspace.path(FOLDER))).contains("run `gal-bench report --together` again"));
}
