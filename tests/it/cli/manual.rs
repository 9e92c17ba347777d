//! Completions and manual pages.

use crate::common::gal_bench::commands;
use crate::common::workspace::Workspace;
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn completions_of_each_shell_name_every_command_and_its_options() {
    let workspace = Workspace::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = workspace.gal_bench(&format!("completions {shell}")).succeeds().stdout;
        // Escapes of the terminal would change the script.
        assert!(!script.contains("\\u{"), "{shell}");
        for word in commands().iter().map(String::as_str).chain(["list-tasks", "verify-sources"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let workspace = Workspace::new();
    let script = workspace.gal_bench("completions bash").succeeds().stdout;
    workspace.write("script", script);
    for (typed, expected) in [
        ("gal-bench tr", "train"),
        ("gal-bench evaluate --pert", "--perturb"),
        ("gal-bench prepare --dataset lf", "lfwa"),
        ("gal-bench weights im", "import"),
        ("gal-bench run-all --list", "--list-tasks"),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let [.., before, last] = words[..] else { unreachable!() };
        // Bash calls the function that the script registers.
        let call = format!(
            "source ./script; f=$(complete -p gal-bench); f=${{f#*-F }}; COMP_WORDS=({typed}); COMP_CWORD={}; \
             ${{f%% *}} gal-bench {last} {before}; echo ${{COMPREPLY[@]}}",
            words.len() - 1
        );
        let output = Command::new("bash").args(["-c", &call]).current_dir(workspace.root()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{typed}");
    }
}

#[test]
fn each_command_has_a_manual_page_with_its_options_and_examples() {
    let workspace = Workspace::new();
    workspace.gal_bench("man pages").succeeds();
    let pages = workspace.files("pages");
    let mut expected: BTreeSet<String> = commands().iter().map(|name| format!("gal-bench-{name}.1")).collect();
    expected.extend(["gal-bench.1", "gal-bench-weights-import.1"].map(str::to_owned));
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let train = workspace.read("pages/gal-bench-train.1");
    assert!(train.contains(concat!("gal-bench ", env!("CARGO_PKG_VERSION"))), "{train}");
    assert!(train.contains("\\-\\-world\\-size"), "{train}");
    // Examples keep their lines.
    let (_, notes) = train.split_once(".SH NOTES").unwrap();
    assert!(notes.contains("Examples:\n.nf\n  gal\\-bench train\n"), "{notes}");
}
