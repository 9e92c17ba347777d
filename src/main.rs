//! The binary: parses the command line, runs a command, and turns an error into a message and an exit code.

mod cli;
mod commands;

use clap::Parser;
use gal_bench::progress;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[allow(unsafe_code, reason = "the environment may be written to here, and nowhere else")]
    // SAFETY: no other thread runs yet.
    unsafe {
        gal_bench::nn::limit_candle_spin();
    }
    gal_bench::io::fail_at_file_size_limit();
    let cli = cli::Cli::parse();
    match commands::run(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::write_error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}
