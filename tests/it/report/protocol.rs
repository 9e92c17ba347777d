//! The protocol on a page: sizes beside the paper's, and what the runs started from.

use crate::common::fake_runs::{FakeRun, page_of, section};
use gal_bench::config::{Init, InitParts, Profile};

/// A run on LFWA with the profile `quick`, whose network has or lacks the last pool.
fn run(last_pool: bool) -> FakeRun {
    let mut run = FakeRun::new("baseline", 1);
    let mut profile = Profile::load("quick").unwrap();
    profile.network.last_pool = last_pool;
    run.settings = Some(profile);
    "lfwa".clone_into(&mut run.summary.dataset);
    (run.summary.steps, run.summary.batch, run.summary.train_sources) = (4000, 64, 6263);
    run
}

/// 66 pixels give maps of 28, 13 and 6, and 2 after another pool. 4,000 steps of 64 images are 256,000 images, each of
/// 6,263 on average 40.9 times; the paper's 10,000 of 256 are 408.7 times.
#[test]
fn the_page_compares_maps_nodes_and_passes_with_the_papers() {
    let rows = |last_pool: bool| {
        let page = page_of(&[run(last_pool)]);
        let text = section(&page, "Protocol").unwrap();
        text.lines().filter(|line| line.starts_with("| ")).skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let amounts = [
        "| Training images without copies | 6,263 | 6,263 |",
        "| Images seen in training | 256,000 | 2,560,000 |",
        "| Times that each is seen | 41 | 409 |",
    ];
    let with_pool = ["| Positions of the last map | 2 x 2 | 6 x 6 |", "| Values of a node | 40 | 360 |"];
    let without = ["| Positions of the last map | 6 x 6 | 6 x 6 |", "| Values of a node | 360 | 360 |"];
    assert_eq!(rows(true), [&with_pool[..], &amounts].concat());
    assert_eq!(rows(false), [&without[..], &amounts].concat());
}

#[test]
fn the_page_states_what_the_profile_keeps_and_reduces() {
    let mut run = run(false);
    let profile = run.settings.as_mut().unwrap();
    profile.protocol.keeps = vec!["the map".to_owned(), "the rates".to_owned()];
    profile.protocol.reduces = vec!["the width".to_owned()];
    let page = page_of(&[run]);
    let text = section(&page, "Protocol").unwrap();
    assert!(text.contains("- **Keeps of the paper**: the map; the rates.\n- **Reduces**: the width.\n"), "{text}");
}

#[test]
fn results_without_a_profile_have_no_such_section() {
    assert_eq!(section(&page_of(&[FakeRun::new("baseline", 1)]), "Protocol"), None);
}

#[test]
fn the_first_paragraph_names_the_run_that_the_weights_came_from() {
    let mut run = run(false);
    run.summary.init = Some(Init {
        run: "celeba-quick-baseline-seed0".to_owned(),
        dataset: "celeba".to_owned(),
        profile: "quick".to_owned(),
        digest: "0123".to_owned(),
        parts: InitParts::All,
        correlation_net: None,
    });
    let page = page_of(&[run]);
    let paragraph = page.split("\n\n").nth(1).unwrap();
    assert_eq!(
        paragraph,
        "**These runs started from trained weights**: backbone, branches and classifiers of run \
         `celeba-quick-baseline-seed0`, trained on CelebA with profile quick. Their accuracy is not that of training from \
         random weights."
    );
}
