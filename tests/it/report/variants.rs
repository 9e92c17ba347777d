//! Variants in a report: those of the paper, controls, one under its former name, one of a newer program.

use crate::common::fake_runs::{FakeRun, collected, page_of, section as found};
use crate::common::workspace::Workspace;
use gal_bench::config::Profile;
use gal_bench::report;
use gal_bench::train::tasks;
use gal_bench::variant::{GAL_J, Kind, REGISTRY, Registry, Style, VARIANTS, Variant};
use std::path::{Path, PathBuf};

/// The text of the report's page below a heading, and of a figure.
fn rendered(registry: Registry, folder: &Path) -> (String, String) {
    let files = report::render_with(registry, folder).unwrap();
    let text = |name: &str| {
        let (_, content) = files.iter().find(|(path, _)| path.to_str() == Some(name)).unwrap();
        String::from_utf8(content.clone()).unwrap()
    };
    (text("README.md"), text("training-curves.svg"))
}

fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    found(page, heading).unwrap()
}

#[test]
fn a_control_added_to_the_registry_is_in_every_place() {
    let control = Variant {
        name: "reversed",
        title: "Reversed",
        published_name: None,
        kind: Kind::Control,
        compared_with: &["baseline", "gal-j"],
        ablation: Some("learned, in reverse"),
        style: Style { colour: "#123456", dashes: "5 5" },
        ..GAL_J
    };
    let registry = Registry(Box::leak([&VARIANTS[..], &[control]].concat().into_boxed_slice()));

    let selected = registry.select(&[], true);
    let tasks = tasks(&selected, &[1], &Profile::load("paper").unwrap());
    assert!(tasks.iter().any(|task| task.variants.contains(&control)), "{tasks:?}");

    let workspace = Workspace::new();
    let names = ["reversed", "baseline", "gal-j", "uniform"];
    let runs: Vec<PathBuf> = names.map(|name| FakeRun::new(name, 1).write(&workspace.path("runs"))).into();
    let folder = workspace.path("report");
    let collected = report::collect_with(registry, &runs, &folder).unwrap();
    for reference in ["baseline", "gal-j"] {
        assert!(collected.statistics.comparison("reversed", reference).is_some());
    }
    let (page, curves) = rendered(registry, &folder);
    for table in ["Table 1", "Table 2", "Table 3", "Table 4", "Differences between variants"] {
        assert!(!section(&page, table).contains("Reversed"), "{table} is of the paper's variants");
    }
    assert!(section(&page, "Ablation").contains("| Reversed | learned, in reverse | 1 |"), "{page}");
    assert!(section(&page, "Beyond accuracy").contains("| Reversed | "));
    let own = curves.matches(r##"stroke="#123456" stroke-width="1.6" stroke-dasharray="5 5""##).count();
    // Four panels, and the legend.
    assert_eq!((own, curves.matches(">Reversed<").count()), (5, 1));
}

#[test]
fn a_run_under_a_former_name_is_shown_as_the_variant_that_it_is() {
    let runs = |name: &str| ["baseline", "gal-j", name].map(|name| FakeRun::new(name, 1)).to_vec();
    let page = page_of(&runs("shuffled"));
    assert!(section(&page, "Ablation").contains("| Random groups | random groups of Table 1's sizes | 1 |"), "{page}");
    // The run's own folder keeps its name.
    assert!(page.contains("| `synthetic-quick-shuffled-seed1` | Random groups | 1 |"), "{page}");

    let (_workspace, folder, _) = collected(&runs("random-groups"));
    let today = report::render(&folder).unwrap();
    let results = folder.join("results");
    for entry in std::fs::read_dir(&results).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().replace("random-groups", "shuffled");
        let text =
            text.replace("random-groups", "shuffled").replace("quick-shuffled-seed1", "quick-random-groups-seed1");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(results.join(name), text).unwrap();
    }
    assert!(results.join("affinity-shuffled-seed1.csv").is_file());
    assert!(report::render(&folder).unwrap() == today);
}

#[test]
fn seeds_under_either_name_are_of_one_variant() {
    let workspace = Workspace::new();
    let runs = [("baseline", 1), ("baseline", 2), ("random-groups", 1), ("shuffled", 2)];
    let runs = runs.map(|(name, seed)| FakeRun::new(name, seed).write(workspace.root()));
    let collected = report::collect(&runs, &workspace.path("report")).unwrap();
    assert_eq!(collected.statistics.comparison("random-groups", "baseline").unwrap().seeds, [1, 2]);
}

#[test]
fn a_variant_of_a_newer_program_is_shown_by_its_name() {
    let (_workspace, folder, _) = collected(&["baseline", "gal-j", "newer"].map(|name| FakeRun::new(name, 1)));
    let (page, curves) = rendered(REGISTRY, &folder);
    assert!(section(&page, "Table 2").contains("| newer | CLN head | 1 |"), "{page}");
    assert!(page.split("\n## ").next().unwrap().contains("| newer | "), "{page}");
    assert!(curves.contains(">newer<"));
}

/// The numbers of an attribute in the elements that `wanted` picks.
fn numbers(svg: &str, attribute: &str, wanted: impl Fn(&str) -> bool) -> Vec<f64> {
    let number = |line: &str| line.split_once(attribute)?.1.split('"').next()?.parse().ok();
    svg.lines().filter(|line| wanted(line)).filter_map(number).collect()
}

#[test]
fn curves_have_the_style_of_their_variant_and_a_legend_above_the_panels() {
    let runs: Vec<FakeRun> =
        VARIANTS.iter().flat_map(|variant| [1, 2].map(|seed| FakeRun::new(variant.name, seed))).collect();
    let (_workspace, folder, _) = collected(&runs);
    let (_, curves) = rendered(REGISTRY, &folder);
    for variant in VARIANTS {
        let lines = curves.matches(&format!(r#"stroke="{}" stroke-width="1.6""#, variant.style.colour)).count();
        let panels = if variant.net.is_some() { 4 } else { 2 };
        assert_eq!(lines, 2 * panels + 1, "{}: two seeds a panel and the legend", variant.title);
        assert_eq!(curves.matches(&format!(">{}<", variant.title)).count(), 1);
    }
    let of_legend = |line: &str| VARIANTS.iter().any(|variant| line.contains(&format!(">{}<", variant.title)));
    let lowest = numbers(&curves, " y=\"", of_legend).into_iter().fold(0.0, f64::max);
    let panels = numbers(&curves, " y=\"", |line| line.contains("font-size=\"12\" font-weight"));
    assert_eq!(panels.len(), 4);
    assert!(panels.iter().all(|heading| *heading > lowest + 12.0), "{lowest} {panels:?}");
    let farthest = numbers(&curves, " x=\"", of_legend).into_iter().fold(0.0, f64::max);
    assert!(farthest < 700.0, "{farthest}");
}
