//! Helpers of the benches: running a peer's script, and the ratio of two speeds.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Any error ends a bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs a script of this folder with `GAL_BENCH_PYTHON` (default `python3`) and environment `variables`. Returns the JSON
/// that it prints.
pub(crate) fn run<S: AsRef<OsStr>>(
    script: &str,
    arguments: impl IntoIterator<Item = S>,
    variables: &[(&str, &str)],
) -> Result<Value> {
    let python = std::env::var("GAL_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers").join(script);
    let output = Command::new(&python)
        .arg(&script)
        .args(arguments)
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit())
        .output()?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{python} {} failed: install benches/peers/requirements.txt", script.display()).into())
}

/// The median of the ratios of two rates by round, with the least and the most.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    ratios.sort_by(f64::total_cmp);
    let (rounds, least, most) = (ratios.len(), ratios[0], ratios[ratios.len() - 1]);
    format!("{:.2} times (median of {rounds} rounds, {least:.2} to {most:.2})", ratios[rounds / 2])
}
