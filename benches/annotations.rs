//! Time to read CelebA's annotation into the typed table, against pandas with pyarrow, its faster engine. Both parse
//! attribute file, partition and identities (if any) and join them by image, alternating within one run.
//!
//!     python3 -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
//!     GAL_BENCH_PYTHON=peers/bin/python cargo bench --profile release --bench annotations
//!
//! `GAL_BENCH_CELEBA` names CelebA's folder; without it, files of the same form and size are generated. Neither side
//! reads images. Our time includes checks of every name and label and the files' digests; pandas keeps labels as integers.

#![allow(clippy::print_stdout, reason = "prints its results")]

mod peers;

use gal_bench::attribute::NAMES;
use gal_bench::dataset::{celeba, table};
use gal_bench::random::generator;
use peers::Result;
use polars::frame::DataFrame;
use rand::RngExt;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

const IMAGES: usize = 202_599;
const PEOPLE: u32 = 10_177;
const ROUNDS: usize = 9;
/// Names of attribute file, partition and identities.
const FILES: [&str; 3] = ["list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"];

#[allow(clippy::print_stdout, reason = "prints its results")]
fn main() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let root = match std::env::var("GAL_BENCH_CELEBA") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => generate(scratch.path())?,
    };
    let files: Vec<PathBuf> = FILES.iter().filter_map(|name| find(&root, name)).collect();
    let table = celeba::annotations(&root, gal_bench::dataset::Options::default())?.table;
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    println!("{} images, {}; milliseconds, by round", table.height(), names.join(" + "));

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let read = celeba::annotations(&root, gal_bench::dataset::Options::default())?.table;
        ours.push(start.elapsed().as_secs_f64());
        let reply = peers::run("annotations.py", &files, &[])?;
        theirs.push(reply["seconds"].as_f64().ok_or("pandas returned no seconds")?);
        let content = content(&read)?;
        if reply["table"] != content {
            return Err(format!("pandas read {}, ours {content}", reply["table"]).into());
        }
    }
    let rates = |seconds: &[f64]| seconds.iter().map(|seconds| 1.0 / seconds).collect::<Vec<_>>();
    let ratio = peers::ratio(&rates(&ours), &rates(&theirs));
    for (name, seconds) in [("ours", ours), ("pandas", theirs)] {
        let each: Vec<String> = seconds.iter().map(|seconds| format!("{:.0}", seconds * 1e3)).collect();
        println!("{name:>8}: {}", each.join(" "));
    }
    println!("ours over pandas: {ratio}");
    Ok(())
}

/// Summary of the table, to compare with that of pandas.
fn content(read: &DataFrame) -> Result<Value> {
    let mut present = 0;
    for name in NAMES {
        present += read.column(name)?.bool()?.sum().unwrap_or_default();
    }
    Ok(json!({ "images": read.height(), "present": present, "splits": table::counts(read)? }))
}

/// Finds the file `name` in CelebA's folder, in the layout of its authors or torchvision.
fn find(root: &Path, name: &str) -> Option<PathBuf> {
    ["", "Anno", "Eval"].map(|folder| root.join(folder).join(name)).into_iter().find(|path| path.is_file())
}

/// Writes random files of the official form and size below `root`.
fn generate(root: &Path) -> Result<PathBuf> {
    let mut random = generator(1, &[]);
    let mut files = [format!("{IMAGES}\r\n{} \r\n", NAMES.join(" ")), String::new(), String::new()];
    let [labels, splits, identities] = &mut files;
    for image in 1..=IMAGES {
        write!(labels, "{image:06}.jpg")?;
        for _ in NAMES {
            labels.push_str(if random.random_bool(0.226) { "  1" } else { " -1" });
        }
        labels.push_str("\r\n");
        let split = usize::from(image > 162_770) + usize::from(image > 182_637);
        write!(splits, "{image:06}.jpg {split}\r\n")?;
        write!(identities, "{image:06}.jpg {}\r\n", random.random_range(1..=PEOPLE))?;
    }
    for (name, content) in FILES.iter().zip(files) {
        std::fs::write(root.join(name), content)?;
    }
    Ok(root.to_path_buf())
}
