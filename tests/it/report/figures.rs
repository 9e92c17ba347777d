//! Correlation in a report, and its figures: masks, faces, the page as HTML.

use crate::common::fake_runs::{FakeRun, collected, fake_runs, page, page_of, section};
use crate::common::gal_bench::user_error;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES, index};
use gal_bench::config::{Profile, RunConfig};
use gal_bench::report::{self, ExampleFaces, TILE};
use gal_bench::variant::GAL_J;
use image::RgbImage;
use std::path::{Path, PathBuf};

/// A column of a CSV file.
fn column(path: &Path, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let place = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
}

/// Masks of a mean and of `images` images, 3 x 3, in NumPy's format.
fn write_masks(run: &Path, images: usize, value: f32) {
    let shape = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 40, 3, 3), }}", 1 + images);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((shape.len() as u16).to_le_bytes());
    bytes.extend(shape.as_bytes());
    let cells = (1 + images) * COUNT * 9;
    bytes.extend((0..cells).flat_map(|cell| (value + (cell % 97) as f32 / 400.0).to_le_bytes()));
    std::fs::write(run.join("masks.npy"), bytes).unwrap();
}

#[test]
fn a_run_with_an_affinity_has_its_diagonal_and_a_p_value_and_baseline_has_neither() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let path = folder.join("results/correlation.csv");
    assert_eq!(column(&path, "variant"), ["baseline", "baseline", "gal-c", "gal-j", "gal-j", "gal-p"]);
    let cells = |name: &str| column(&path, name).iter().map(|cell| cell.parse().ok()).collect::<Vec<Option<f64>>>();
    let (diagonals, ps) = (cells("diagonal"), cells("p_strength"));
    assert_eq!((diagonals[0], ps[1]), (None, None));
    for (diagonal, p) in diagonals[2..].iter().zip(&ps[2..]) {
        // The fake affinity gives the attribute itself 12.5 of about 12.5 + 39 / 2 + 2.5 for each neighbour.
        assert!((0.25..0.35).contains(&diagonal.unwrap()), "{diagonal:?}");
        assert!((0.0001..=1.0).contains(&p.unwrap()), "{p:?}");
    }
}

/// The expected count comes from the predictions themselves.
#[test]
fn contradictions_are_those_of_the_primary_heads_predictions() {
    let run = FakeRun::new("gal-j", 1);
    let (_workspace, folder, _) = collected(std::slice::from_ref(&run));
    let table = run.predictions();
    let probabilities: Vec<f32> = table.column("probability_cln").unwrap().f32().unwrap().iter().flatten().collect();
    let yes = |image: usize, name: &str| probabilities[image * COUNT + index(name).unwrap()] > 0.5;
    let expected = (0..60).filter(|&image| yes(image, "No_Beard") && yes(image, "Goatee")).count();
    let path = folder.join("results/contradictions.csv");
    let place = column(&path, "contradiction").iter().position(|words| words == "no beard with a goatee").unwrap();
    assert_eq!(column(&path, "gal-j-seed1")[place], expected.to_string());
    assert_eq!(column(&path, "images")[place], "60");
}

#[test]
fn reliability_counts_every_prediction_of_every_run_once() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let counts = column(&folder.join("results/reliability.csv"), "count");
    assert_eq!(counts.len(), 6 * 15);
    assert_eq!(counts.iter().map(|count| count.parse::<usize>().unwrap()).sum::<usize>(), 6 * 60 * COUNT);
}

/// The true correlation is that of the copula, which only synthetic faces have.
#[test]
fn the_truth_is_named_for_synthetic_faces_only() {
    let heading = "Affinity and label correlation";
    let page = page_of(&fake_runs());
    assert!(section(&page, heading).unwrap().contains("| ρ with the truth |"));
    let mut runs = fake_runs();
    for run in &mut runs {
        "lfwa".clone_into(&mut run.summary.dataset);
    }
    let page = page_of(&runs);
    let section = section(&page, heading).unwrap();
    assert!(!section.contains("ruth"), "{section}");
    assert!(section.contains("ρ with phi"));
}

#[test]
fn a_report_from_before_these_results_has_none_of_their_sections() {
    let (_workspace, folder, _) = collected(&fake_runs());
    for file in ["correlation.csv", "phi.csv", "contradictions.csv", "reliability.csv"] {
        std::fs::remove_file(folder.join("results").join(file)).unwrap();
    }
    let rendered = report::render(&folder).unwrap();
    let page = String::from_utf8(rendered[0].1.clone()).unwrap();
    for heading in
        ["Affinity and label correlation", "Correlation of the predictions", "Contradictions", "Calibration\n"]
    {
        assert_eq!(section(&page, heading), None);
    }
    assert!(section(&page, "Figure 5. Learned affinity").is_some());
    assert!(!rendered.iter().any(|(path, _)| path.to_string_lossy().starts_with("phi-")));
}

#[test]
fn a_damaged_table_of_pairs_is_named() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let path = folder.join("results/phi.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().take(780).collect::<Vec<_>>().join("\n")).unwrap();
    let error = user_error(report::render(&folder));
    assert!(error.ends_with("phi.csv: holds 779 pairs, expected 780: run `gal-bench evaluate` again"), "{error}");
}

#[test]
fn masks_that_variants_share_are_drawn_once() {
    let workspace = Workspace::new();
    let runs: Vec<PathBuf> = ["baseline", "gal-j", "gal-p"]
        .into_iter()
        .map(|variant| {
            let run = FakeRun::new(variant, 1).write(workspace.root());
            write_masks(&run, 2, if variant == "baseline" { 0.5 } else { 0.25 });
            run
        })
        .collect();
    let folder = workspace.path("report");
    report::collect(&runs, &folder).unwrap();
    let rendered = report::render(&folder).unwrap();
    let masks: Vec<&str> =
        rendered.iter().filter_map(|(path, _)| path.to_str()).filter(|path| path.starts_with("masks-")).collect();
    assert_eq!(masks, ["masks-baseline.svg", "masks-gal-j.svg"]);
    let page = String::from_utf8(rendered[0].1.clone()).unwrap();
    let section = section(&page, "Masks of the branches").unwrap();
    assert!(section.contains("GAL-j (those of GAL-p are the same)"), "{section}");
    assert_eq!(column(&folder.join("results/masks-baseline-seed1.csv"), "cell8")[0], "0.52000");
}

/// Faces of one colour each.
fn faces(examples: &ExampleFaces) -> (RgbImage, Vec<RgbImage>) {
    let plain = |grey: u8| RgbImage::from_pixel(TILE, TILE, image::Rgb([grey; 3]));
    (plain(128), (0..examples.images().len()).map(|i| plain(i as u8)).collect())
}

#[test]
fn synthetic_faces_are_shown_in_the_report_with_their_errors() {
    let workspace = Workspace::new();
    let run = FakeRun::new("gal-j", 1);
    let run_folder = run.write(workspace.root());
    write_masks(&run_folder, 7, 0.5);
    let folder = workspace.path("report");
    let examples = report::collect(std::slice::from_ref(&run_folder), &folder).unwrap().examples.remove(0);
    let (mean, faces) = faces(&examples);
    examples.write_results(&mean, &faces, &folder).unwrap();

    let rendered = report::render(&folder).unwrap();
    let named = |name: &str| rendered.iter().find(|(path, _)| path.to_str() == Some(name)).map(|(_, content)| content);
    let errors = String::from_utf8(named("most-confident-errors.svg").unwrap().clone()).unwrap();
    assert!(errors.contains("href=\"data:image/jpeg;base64,"));
    assert!(named("masks-over-faces.svg").is_some());
    let page = String::from_utf8(named("README.md").unwrap().clone()).unwrap();
    assert!(section(&page, "Most confident errors").unwrap().contains("](most-confident-errors.svg)"));

    // Each error is a wrong prediction, and no other wrong one for its attribute is further from one half.
    let path = folder.join("results/errors.csv");
    let table = run.predictions();
    let labels: Vec<bool> = table.column("label").unwrap().bool().unwrap().iter().flatten().collect();
    let probabilities: Vec<f32> = table.column("probability_cln").unwrap().f32().unwrap().iter().flatten().collect();
    let sure = |row: usize| (probabilities[row] - 0.5).abs();
    let surest = (0..60).map(|image| image * COUNT).filter(|&row| labels[row] != (probabilities[row] > 0.5));
    let surest = surest.max_by(|&a, &b| sure(a).total_cmp(&sure(b))).unwrap();
    assert_eq!(column(&path, "attribute")[0], NAMES[0]);
    assert_eq!(column(&path, "image")[0], format!("{:06}.png", surest / COUNT));
    assert_eq!(column(&path, "probability")[0], probabilities[surest].to_string());

    // Collected again without faces, the report shows none.
    report::collect(&[run_folder], &folder).unwrap();
    assert!(
        !report::render(&folder).unwrap().iter().any(|(path, _)| path.to_str() == Some("most-confident-errors.svg"))
    );
}

#[test]
fn faces_of_people_go_beside_the_run_and_never_into_a_report() {
    let workspace = Workspace::new();
    let mut run = FakeRun::new("gal-j", 1);
    "lfwa".clone_into(&mut run.summary.dataset);
    let run = run.write(workspace.root());
    write_masks(&run, 5, 0.5);
    let report = workspace.path("report");
    let examples = report::collect(std::slice::from_ref(&run), &report).unwrap().examples.remove(0);
    let (mean, faces) = faces(&examples);
    assert_eq!(examples.write_results(&mean, &faces, &report).unwrap_err().exit_code(), 1);
    assert!(!report.join("results/faces.jpg").exists());

    let figures = run.join("figures");
    examples.write_figures(&mean, &faces, &figures).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(&figures).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["errors.csv", "masks-over-faces.svg", "most-confident-errors.svg"]);
    let page = page(&report);
    assert!(!page.contains("Most confident errors"), "{page}");
}

#[test]
fn the_configuration_is_printed_and_must_be_one() {
    let workspace = Workspace::new();
    let write = |variant: &str, steps_between_lines: usize| {
        let run = FakeRun::new(variant, 1).write(workspace.root());
        let mut profile = Profile::load("quick").unwrap();
        profile.log_every = steps_between_lines;
        let config = RunConfig {
            dataset: "synthetic".to_owned(),
            data_digest: String::new(),
            variant: variant.to_owned(),
            seed: 1,
            ranks: 1,
            init: None,
            profile,
        };
        std::fs::write(run.join("config.toml"), toml::to_string(&config).unwrap()).unwrap();
        run
    };
    let folder = workspace.path("report");
    report::collect(&[write("baseline", 20), write("gal-j", 20)], &folder).unwrap();
    let page = page(&folder);
    let provenance = section(&page, "Reproduce").unwrap();
    assert!(
        provenance.contains("```toml\nname = \"quick\"\n") && provenance.contains("log_every = 20"),
        "{provenance}"
    );
    let saved = folder.join("results/profile.toml");
    assert_eq!(Profile::load(saved.to_str().unwrap()).unwrap(), Profile::load("quick").unwrap());

    let error = user_error(report::collect(&[write("baseline", 20), write("gal-j", 30)], &folder));
    assert!(error.contains("their profiles are both called quick, but differ"), "{error}");
}

#[test]
fn the_html_page_holds_every_figure_and_loads_nothing() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let rendered = report::render(&folder).unwrap();
    let html = std::str::from_utf8(&rendered[1].1).unwrap();
    for (path, content) in &rendered[2..] {
        assert!(html.contains(std::str::from_utf8(content).unwrap()), "{}", path.display());
    }
    for loading in ["<link", "<iframe", "@import", "url(", "src=\"http", "fetch("] {
        assert!(!html.contains(loading), "{loading}");
    }
    let markdown = std::str::from_utf8(&rendered[0].1).unwrap();
    assert_eq!(html.matches("<h2 ").count(), markdown.matches("\n## ").count());
}

/// The values that `metrics.jsonl` holds, and no line for runs without a learned affinity.
#[test]
fn the_course_of_a_learned_affinity_is_drawn_on_a_logarithmic_axis() {
    let (_workspace, folder, _) = collected(&["baseline", "gal-j", "identity"].map(|name| FakeRun::new(name, 1)));
    let path = folder.join("results/curves.csv");
    let diagonals: Vec<f64> = column(&path, "affinity_diagonal").iter().filter_map(|cell| cell.parse().ok()).collect();
    assert_eq!(diagonals.len(), 24, "one for each training line of GAL-j");
    let rendered = report::render(&folder).unwrap();
    let (_, svg) = rendered.iter().find(|(path, _)| path == Path::new("affinity-course.svg")).unwrap();
    let svg = std::str::from_utf8(svg).unwrap();
    let style = GAL_J.style.colour;
    assert_eq!(svg.matches(&format!(r#"stroke="{style}""#)).count(), 4, "three panels and the legend");
    assert!(!svg.contains(">Identity<") && svg.contains(">GAL-j<"), "{svg}");
    for label in [">1<", ">10<", ">100<", ">1000<", ">0.1<"] {
        assert!(svg.contains(label), "{label}: {svg}");
    }
    let page = page(&folder);
    assert!(section(&page, "Course of the learned affinity").unwrap().contains("![Diagonal of the learned affinity"));
}

#[test]
fn a_report_from_before_the_course_was_logged_has_no_such_section() {
    let (_workspace, folder, _) = collected(&fake_runs());
    let path = folder.join("results/curves.csv");
    let rows = std::fs::read_to_string(&path).unwrap();
    let old: Vec<String> = rows.lines().map(|row| row.split(',').take(7).collect::<Vec<_>>().join(",")).collect();
    std::fs::write(&path, old.join("\n")).unwrap();
    let page = page(&folder);
    assert_eq!(section(&page, "Course of the learned affinity"), None);
    assert!(section(&page, "Training curves").unwrap().contains("training-curves.svg"));
}
