//! The command line as users see it: help texts, global options, and former names.

use super::{Cli, controls_help, variant_names};
use clap::builder::TypedValueParser;
use clap::{Command, CommandFactory, Parser};
use gal_bench::variant::{GAL_J, Kind, Registry, VARIANTS, Variant};

/// Every command that runs something, by its words.
fn leaves(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
    for child in command.get_subcommands() {
        let words = format!("{words} {}", child.get_name());
        if child.has_subcommands() {
            leaves(child, &words, found);
        } else {
            found.push((words, child.clone()));
        }
    }
}

fn commands() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    leaves(&Cli::command(), "gal-bench", &mut found);
    found
}

#[test]
fn every_help_text_is_the_one_in_its_snapshot() {
    let top = [("gal-bench".to_owned(), Cli::command()), ("gal-bench weights".to_owned(), Cli::command())];
    for (words, mut command) in top.into_iter().chain(commands()) {
        if words == "gal-bench weights" {
            command = command.find_subcommand("weights").unwrap().clone();
        }
        let help = command.bin_name(&words).term_width(100).render_long_help().to_string();
        // Blanks at the ends of lines would be lost in an editor.
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(words.replace(' ', "-"), help.join("\n"));
    }
}

#[test]
fn every_command_takes_quiet_and_json() {
    for (words, command) in commands() {
        for option in ["quiet", "json"] {
            assert!(command.get_arguments().any(|argument| argument.get_long() == Some(option)), "{words} --{option}");
        }
    }
}

#[test]
fn former_names_of_options_and_commands_are_read_and_not_shown() {
    let parsed = |words: &str| format!("{:?}", Cli::try_parse_from(format!("gal-bench {words}").split(' ')).unwrap());
    for (former, new) in [
        ("train --ranks 2 --meet node1:1 --patience 9", "train --world-size 2 --rdzv-endpoint node1:1 --timeout 9"),
        ("run-cell 3", "run-task 3"),
        ("run-all --plan --subset", "run-all --list-tasks --allow-missing"),
        ("stats --out page", "inspect --output page"),
        ("prepare --check --sources", "prepare --verify --verify-sources"),
        ("augment --preview sheet.png", "augment --output sheet.png"),
    ] {
        assert_eq!(parsed(former), parsed(new));
        let command = new.split(' ').next().unwrap();
        let help = Cli::command().find_subcommand_mut(command).unwrap().render_long_help().to_string();
        let shown: Vec<&str> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
        for word in former.split(' ').filter(|word| !new.split(' ').any(|kept| kept == *word)) {
            assert!(!shown.contains(&word), "{word} is in the help of {command}");
        }
    }
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_variant_of_the_registry_is_a_value_and_every_control_is_named() {
    let control = Variant { name: "reversed", kind: Kind::Control, ..GAL_J };
    let registry = Registry(Box::leak([&VARIANTS[..], &[control]].concat().into_boxed_slice()));
    let values = variant_names(registry).possible_values().map(Vec::from_iter);
    assert!(values.is_some_and(|values| values.iter().any(|value| value.get_name() == "reversed")));
    let expected = "authors-layout, one-stream, cln-only, baseline-decay, reversed)";
    assert!(controls_help(registry).ends_with(expected), "{}", controls_help(registry));
}
