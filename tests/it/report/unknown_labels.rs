//! Labels that are not known, from the predictions of runs to the page.

use crate::common::fake_runs::{FakeRun, collected, page, section};
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::evaluate::{Evaluation, Head};

/// Attributes of [`FakeRun::partly_labelled`] without training and without test labels.
const UNSCORED: [usize; 2] = [4, 9];

fn runs() -> [FakeRun; 2] {
    [
        FakeRun { skill: 0.7, ..FakeRun::partly_labelled("baseline", 0) },
        FakeRun { skill: 0.95, ..FakeRun::partly_labelled("gal-j", 0) },
    ]
}

#[test]
fn scores_are_those_of_the_known_labels() {
    let workspace = Workspace::new();
    let run = &runs()[0];
    let evaluation = Evaluation::of_run(&run.write(workspace.root())).unwrap();
    let table = run.predictions();
    let labels: Vec<Option<bool>> = table.column("label").unwrap().bool().unwrap().iter().collect();
    let probabilities: Vec<f32> = table.column("probability_fln").unwrap().f32().unwrap().iter().flatten().collect();
    let mut shares = Vec::new();
    for (i, result) in evaluation.head(Head::Fln).unwrap().attributes.iter().enumerate() {
        let of_attribute = labels.iter().zip(&probabilities).skip(i).step_by(COUNT);
        let correct: Vec<bool> = of_attribute.filter_map(|(label, p)| Some((*label)? == (*p > 0.5))).collect();
        if UNSCORED.contains(&i) {
            assert_eq!(
                (result.n, result.accuracy, result.floor, result.interval),
                (0, None, None, None),
                "{}",
                NAMES[i]
            );
            continue;
        }
        let count = correct.iter().filter(|correct| **correct).count();
        assert_eq!((result.n, result.correct), (correct.len(), count), "{}", NAMES[i]);
        shares.push(count as f64 / correct.len() as f64);
    }
    let mean = shares.iter().sum::<f64>() / 38.0;
    assert!((evaluation.primary_head().mean_accuracy() - mean).abs() < 1e-12);
}

#[test]
fn tests_leave_out_unknown_labels_and_attributes_without_any() {
    let (_workspace, folder, statistics) = collected(&runs());
    let comparison = &statistics.comparisons[0];
    for (i, test) in comparison.attributes.iter().enumerate() {
        assert_eq!(test.p.is_none(), UNSCORED.contains(&i), "{}", NAMES[i]);
    }
    let mean = |name: &str| statistics.mean(name, if name == "gal-j" { Head::Cln } else { Head::Fln }).unwrap().clone();
    let (baseline, gal_j) = (mean("baseline"), mean("gal-j"));
    assert!((comparison.mean.difference - (gal_j.accuracy - baseline.accuracy)).abs() < 1e-12);
    let interval = gal_j.interval.unwrap();
    assert!(interval.low < gal_j.accuracy && gal_j.accuracy < interval.high);
    // The accuracies of the page are those of the attributes with labels.
    let text = page(&folder);
    assert!(section(&text, "Table 4").unwrap().contains("| **Mean of 38** | **"), "{text}");
    assert!(section(&text, "Table 2").unwrap().contains(&format!("**{:.2}**", 100.0 * gal_j.accuracy)), "{text}");
}

#[test]
fn the_page_counts_unknown_labels_and_names_attributes_without_any() {
    let (_workspace, folder, _) = collected(&runs());
    let text = page(&folder);
    assert!(text.contains("**Not all labels are known.**"), "{text}");
    let [untrained, untested] = UNSCORED.map(|i| NAMES[i]);
    assert!(text.contains(&format!("`{untrained}`, `{untested}` have no training or no test label")), "{text}");
    let counts = section(&text, "Unknown labels").unwrap();
    assert!(counts.contains(&format!("| `{untrained}` | 0 | ")) && counts.contains("it was not trained"), "{counts}");
    assert!(counts.contains(&format!("| `{untested}` | 1,000 | 0 | no: without a test label |")), "{counts}");
    let table = section(&text, "Table 4").unwrap();
    assert!(table.contains(&format!("| `{untrained}` | - | - | - | - |")), "{table}");
    assert!(!text.contains("NaN"), "{text}");
}

#[test]
fn a_report_without_unknown_labels_has_no_word_about_them() {
    let (_workspace, folder, _) = collected(&[FakeRun::new("baseline", 0)]);
    assert!(!page(&folder).contains("nknown label"));
}

#[test]
fn runs_that_were_trained_on_different_attributes_are_compared_on_those_of_both() {
    let workspace = Workspace::new();
    let (a, mut b) = (FakeRun::new("baseline", 0), FakeRun::new("gal-j", 0));
    b.summary.train_positive_rate[4] = None;
    let folders = [a.write(workspace.root()), b.write(workspace.root())];
    let compared =
        workspace.gal_bench("compare").args(folders.map(|folder| folder.to_str().unwrap().to_owned())).json();
    for entry in compared["entries"].as_array().unwrap() {
        assert!(entry["result"]["attributes"][4]["accuracy"].is_null());
        assert!(entry["result"]["attributes"][5]["accuracy"].is_number());
    }
}
