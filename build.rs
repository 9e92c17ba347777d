//! Passes the commit of the build to the program, for the provenance block of reports, and compiles the CUDA kernels.

use std::process::Command;

/// What decides results: other changes do not make a build "dirty". Only parts of datasets/, as prepared sets lie there, and
/// cargo would look at every image.
const INPUTS: [&str; 8] = [
    "src",
    "build.rs",
    "Cargo.toml",
    "Cargo.lock",
    "datasets/checksums.csv",
    "datasets/pipelines",
    "datasets/published",
    "datasets/synthetic",
];

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Compiles `src/nn/cuda/*.cu`, and writes `kernels.rs` with the result of each.
#[cfg(feature = "cuda")]
fn compile_kernels() -> cudaforge::Result<()> {
    println!("cargo::rerun-if-changed=src/nn/cuda");
    let output = std::path::PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let kernels =
        cudaforge::KernelBuilder::new().source_glob("src/nn/cuda/*.cu").arg("-O3").out_dir(&output).build_ptx()?;
    kernels.write(output.join("kernels.rs"))
}

fn main() {
    #[cfg(feature = "cuda")]
    compile_kernels().expect("the CUDA kernels compile");
    let status = [&["status", "--porcelain", "--"][..], &INPUTS].concat();
    let dirty = git(&status);
    let commit = match (git(&["rev-parse", "--short=12", "HEAD"]), dirty) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit}-dirty"),
        (None, _) => "unknown".to_owned(),
    };
    println!("cargo::rustc-env=GAL_BENCH_COMMIT={commit}");
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    for path in INPUTS.iter().copied().chain(log.as_deref()) {
        if std::path::Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}
