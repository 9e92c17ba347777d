//! The command line: bad input, terminal, manual, whole jobs, and jobs in tasks.

mod bad_input;
mod manual;
mod outputs;
mod run_all;
mod tasks;
mod terminal;
