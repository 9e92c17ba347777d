//! The command line: bad input, whole jobs, and jobs in tasks.

mod bad_input;
mod outputs;
mod run_all;
mod tasks;
