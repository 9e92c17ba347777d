//! Verbosity, streams and colors.

use crate::common::fake_runs::FakeRun;
use crate::common::gal_bench::GalBench;
use crate::common::workspace::Workspace;
use std::io::Write;
use std::process::Command;

const TRAIN: &str = "train --profile tiny.toml --seed 5 --variant baseline --prepared prepared --device cpu";

/// Two runs of random predictions, in `runs`.
fn evaluated() -> Workspace {
    let workspace = Workspace::new();
    for variant in ["baseline", "authors-layout"] {
        FakeRun::new(variant, 1).write(&workspace.path("runs"));
    }
    workspace
}

/// The largest number of characters between two line breaks.
fn width(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.chars().count()).max().unwrap()
}

#[test]
fn results_end_in_a_table_of_80_columns_and_details_add_one_of_attributes() {
    let workspace = evaluated();
    let evaluate = "evaluate --seed 1 --variant baseline,authors-layout";
    let text = workspace.gal_bench(evaluate).succeeds().stdout;
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("variant ")).take(4).collect();
    assert!(table[3].starts_with("authors-layout "), "{text}");
    assert!(width(&table) <= 80, "{text}");
    assert!(!text.contains("Big_Lips"), "{text}");
    assert!(text.lines().count() < 24, "more than a screen: {text}");
    let detailed = workspace.gal_bench(&format!("{evaluate} -v")).succeeds().stdout;
    assert!(detailed.contains("Big_Lips") && detailed.ends_with(&text), "{detailed}");
    assert_eq!(workspace.gal_bench(&format!("{evaluate} -q")).succeeds().stdout, "");
    let both = workspace.gal_bench(&format!("{evaluate} -q -v")).finishes();
    assert!(both.code == Some(2) && both.stderr.contains("cannot be used with"), "{}", both.stderr);
}

#[test]
fn each_phase_leaves_a_line_on_standard_error_and_results_are_on_standard_output() {
    let workspace = Workspace::trainable();
    let train = |option: &str| workspace.gal_bench(&format!("{TRAIN} --force {option}")).succeeds();
    let (plain, detailed, quiet) = (train(""), train("--verbose"), train("--quiet"));
    let phases = ["Decoding training images: 60 images, ", "Training Baseline: 40 steps, "];
    for phase in phases {
        let found = plain.stderr.lines().any(|line| line.starts_with(phase) && line.ends_with(" s"));
        assert!(found, "{phase} is not in {}", plain.stderr);
    }
    assert!(plain.stdout.starts_with("variant ") && !plain.stdout.contains("steps"), "{}", plain.stdout);
    let detail = "  seed 5: one FLN for Baseline";
    assert!(detailed.stderr.contains(detail) && !plain.stderr.contains(detail), "{}", detailed.stderr);
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("", ""));
    for text in [&plain.stderr, &plain.stdout, &detailed.stderr] {
        assert!(!text.contains(['\u{1b}', '\r']), "{text}");
    }
    let json = train("--json");
    assert!(json.stdout.starts_with('[') && json.stderr.contains(phases[1]), "{}", json.stderr);
}

/// Output of a call on a terminal of 80 columns; `None` without the program `script`.
fn on_terminal(workspace: &Workspace, variables: &[(&str, &str)], words: &str) -> Option<String> {
    let call = format!("stty cols 80; exec '{}' {words}", assert_cmd::cargo::cargo_bin!("gal-bench").display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &call, "/dev/null"]).current_dir(workspace.root());
    // anstream colors a dumb terminal too where `CI` is set.
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        command.env_remove(name);
    }
    let Ok(output) = command.env("TERM", "xterm-256color").envs(variables.iter().copied()).output() else {
        let _ = writeln!(std::io::stderr(), "skipped: script is missing");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_terminal_shows_colors_unless_the_environment_refuses_them() {
    let workspace = evaluated();
    let (failing, red) = ("verify nothing", "\u{1b}[1;31merror: ");
    for (variables, is_colored) in
        [(&[][..], true), (&[("NO_COLOR", "1")], false), (&[("CLICOLOR", "0")], false), (&[("TERM", "dumb")], false)]
    {
        let Some(text) = on_terminal(&workspace, variables, failing) else { return };
        assert!(text.contains("error: "), "{text}");
        assert_eq!(text.contains(red), is_colored, "{variables:?}: {text}");
    }
    let forced = GalBench::new(workspace.root(), failing).envs(&[("CLICOLOR_FORCE", "1")]).finishes();
    assert!(forced.stderr.starts_with(red), "{}", forced.stderr);
    let plain = GalBench::new(workspace.root(), failing).finishes();
    assert!(plain.stderr.starts_with("error: "), "{}", plain.stderr);
}

#[test]
fn a_terminal_shows_a_bar_and_lines_above_it() {
    let workspace = Workspace::trainable();
    let Some(text) = on_terminal(&workspace, &[], TRAIN) else { return };
    assert!(text.contains("Training Baseline [") && text.contains("/40 steps"), "{text}");
    // The bar is gone before its total is written.
    let (_, total) = text.split_once("Training Baseline: 40 steps").unwrap();
    assert!(!total.contains("/40 steps"), "{text}");
    let quiet = on_terminal(&workspace, &[], &format!("{TRAIN} --force --quiet")).unwrap();
    assert_eq!(quiet, "");
}
