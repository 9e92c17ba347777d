//! The command line as users see it: help texts, global options, and former names.

use super::{Cli, STAGES, controls_help, variant_names};
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
fn every_command_is_in_one_stage_and_on_one_line_of_the_help() {
    let command = Cli::command();
    let mut listed: Vec<&str> = STAGES.iter().flat_map(|(_, names)| *names).copied().collect();
    let mut names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    listed.sort_unstable();
    names.sort_unstable();
    assert_eq!(listed, names);
    let help = Cli::command().render_help().to_string();
    for name in names {
        let about = command.find_subcommand(name).unwrap().get_about().unwrap();
        let line = format!("  {name:<13}{about}");
        assert!(help.lines().any(|found| found == line), "{line}");
        assert!(line.len() <= 80, "{line}");
    }
}

#[test]
fn every_command_takes_quiet_verbose_and_json() {
    for (words, command) in commands() {
        for option in ["quiet", "verbose", "json"] {
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

/// The calls of gal-bench in the shell lines of `text`, each as its words.
fn calls(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ").replace(['\'', '"'], " ");
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some((name, value)) = line.split_once('=')
            && name.chars().all(|c| c.is_ascii_uppercase())
        {
            variables.push((format!("${name}"), value.to_owned()));
        }
        for call in line.split("gal-bench ").skip(1) {
            let call = variables.iter().fold(call.to_owned(), |call, (name, value)| call.replace(name, value));
            let words = call.split_whitespace().take_while(|word| !["|", "&&", "&", ">", ";", "#"].contains(word));
            // A number may be a variable of the shell or of its tools.
            let words = words
                .map(|word| word.trim_end_matches(';'))
                .map(|word| if word.trim_start_matches('\\').starts_with('$') || word == "{}" { "1" } else { word });
            found.push(std::iter::once("gal-bench").chain(words).map(str::to_owned).collect());
        }
    }
    found
}

#[test]
fn every_call_in_pages_and_help_is_a_valid_command_line() {
    let mut texts: Vec<(String, String)> = commands()
        .into_iter()
        .chain([("gal-bench".to_owned(), Cli::command())])
        .filter_map(|(words, command)| {
            let notes = command.get_after_help()?.to_string();
            let indented: Vec<&str> = notes.lines().filter(|line| line.starts_with(' ')).collect();
            Some((words, indented.join("\n")))
        })
        .collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["", "docs", "datasets", "datasets/pipelines"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let page = std::fs::read_to_string(&path).unwrap();
                let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
                texts.extend(blocks.map(|block| (path.display().to_string(), block.to_owned())));
            }
        }
    }
    let mut count = 0;
    for (place, text) in texts {
        for call in calls(&text) {
            let parsed = Cli::try_parse_from(&call);
            assert!(parsed.is_ok(), "{place}: {}: {}", call.join(" "), parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 60, "{count} calls were found");
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
