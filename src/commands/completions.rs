//! `gal-bench completions`.

use crate::cli::{Cli, CompletionsArgs};
use clap::CommandFactory;
use gal_bench::Result;
use serde_json::json;

pub(super) fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gal-bench", &mut script);
    // clap_complete 4.6.11 names bash's cases in two ways if a program has a hyphen in its name.
    let script = String::from_utf8_lossy(&script).replace("gal__subcmd__bench", "gal__bench");
    let result = json!({ "shell": args.shell.to_string(), "script": script });
    args.output_args.result(&result, || script.trim_end().to_owned())
}
