//! `gal-bench man`.

use crate::cli::{Cli, ManArgs};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use gal_bench::{Error, Result, io};
use serde_json::json;
use std::path::PathBuf;

pub(super) fn run(args: &ManArgs) -> Result<()> {
    // Without pages of `help COMMAND`.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    render(&command, &mut pages).map_err(|e| Error::Internal(e.to_string()))?;
    let pages: Vec<(PathBuf, Vec<u8>)> = pages.into_iter().map(|(name, page)| (args.folder.join(name), page)).collect();
    // Before the first one is written.
    pages.iter().try_for_each(|(path, _)| io::refuse_overwrite(path, args.force))?;
    io::create_folder(&args.folder)?;
    pages.iter().try_for_each(|(path, page)| io::write(path, page))?;
    let paths: Vec<String> = pages.iter().map(|(path, _)| io::path_text(path)).collect();
    args.output_args
        .result(&json!({ "pages": paths }), || format!("wrote {} pages to {}", pages.len(), args.folder.display()))
}

/// Adds the pages of `command` and of the commands below it, each with its file name.
fn render(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    // clap_mangen would join the lines of examples.
    let man =
        Man::new(command.clone().after_help(None::<&str>)).source(concat!("gal-bench ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page)?;
    if let Some(text) = command.get_after_help() {
        notes(&text.to_string()).to_writer(&mut page)?;
    }
    pages.push((man.get_filename(), page));
    command.get_subcommands().try_for_each(|below| render(below, pages))
}

/// The text after the options: indented lines as they are, the others as paragraphs.
fn notes(text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    let mut is_verbatim = false;
    for line in text.lines() {
        if is_verbatim != line.starts_with(' ') {
            is_verbatim = !is_verbatim;
            roff.control(if is_verbatim { "nf" } else { "fi" }, []);
        }
        if line.is_empty() {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff
}
