//! Files of others that never end, or that ask for more than there is: each is refused at once, in a sentence.

use crate::common::fake_runs::{FakeRun, collected, fake_runs, write_parquet};
use crate::common::gal_bench::{GalBench, user_error};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::attribute::NAMES;
use gal_bench::dataset::synthetic;
use gal_bench::progress::Progress;
use gal_bench::report;
use gal_bench::store::{self, Format, Options, Reader};
use polars::prelude::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Most virtual memory of a process that reads a bomb, in kB; the program and its libraries are a part of it.
const MEMORY: &str = "ulimit -v 6000000";

/// The error of a call with little memory, within ten seconds: this machine may be busy.
fn refused(workspace: &Workspace, words: &str) -> String {
    let started = Instant::now();
    let error = GalBench::limited(workspace.root(), MEMORY, words).finishes().error();
    assert!(started.elapsed() < Duration::from_secs(10), "{words}: {error}");
    error
}

/// Replaces a file by a pipe without another end, then by a link to an endless device.
fn endless(path: &Path, check: impl Fn()) {
    let whole = std::fs::read(path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    check();
    std::fs::remove_file(path).unwrap();
    symlink("/dev/zero", path).unwrap();
    check();
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, whole).unwrap();
}

#[test]
fn pipes_and_devices_in_place_of_files_are_refused() {
    let workspace = Workspace::trainable();
    let prepared = workspace.path("prepared");
    let image = prepared.join("images/test/0000").read_dir().unwrap().next().unwrap().unwrap().path();
    for file in
        [prepared.join("prepared.json"), prepared.join("manifest.parquet"), prepared.join("manifest.csv"), image]
    {
        endless(&file, || {
            refused(&workspace, "prepare --check --dataset synthetic --prepared prepared");
        });
    }
    let runs = workspace.path("runs");
    FakeRun::new("baseline", 1).write(&runs);
    let run = FakeRun::new("gal-j", 1).write(&runs);
    for file in ["summary.json", "predictions.parquet"] {
        endless(&run.join(file), || {
            refused(&workspace, "compare runs/synthetic-quick-baseline-seed1 runs/synthetic-quick-gal-j-seed1");
        });
    }
    workspace.train("trained", &["baseline"]);
    workspace.write("face.jpg", std::fs::read(prepared.join("manifest.csv")).unwrap());
    for file in ["config.toml", "model.safetensors"] {
        endless(&workspace.run("trained", "baseline").join(file), || {
            refused(&workspace, "predict --run trained/synthetic-tiny-baseline-seed5 face.jpg");
        });
    }
    endless(&workspace.path("face.jpg"), || {
        refused(&workspace, "predict --run trained/synthetic-tiny-baseline-seed5 face.jpg");
    });
    let (_reports, folder, _) = collected(&fake_runs());
    for file in ["results.json", "accuracy.csv"] {
        endless(&folder.join("results").join(file), || {
            user_error(report::render(&folder));
        });
    }
}

#[test]
fn tables_of_a_few_kilobytes_with_many_rows_are_refused() {
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    FakeRun::new("baseline", 1).write(&runs);
    let run = FakeRun::new("gal-j", 1).write(&runs);
    let rows = 100_000;
    let constant = |name: &str, value: &str| StringChunked::full(name.into(), value, rows).into_column();
    let half = |name: &str| Float32Chunked::full(name.into(), 0.5, rows).into_column();
    let mut theirs = vec![constant("file", "000000.png")];
    theirs.extend(NAMES.iter().map(|name| half(name)));
    let mut table = DataFrame::new(rows, theirs).unwrap();
    ParquetWriter::new(std::fs::File::create(workspace.path("theirs.parquet")).unwrap()).finish(&mut table).unwrap();
    drop(table);
    let reference = "runs/synthetic-quick-baseline-seed1";
    let error = refused(&workspace, &format!("compare {reference} theirs.parquet"));
    assert!(error.contains("holds 100000 rows, expected at most 2400"), "{error}");

    let label = BooleanChunked::full("label".into(), false, rows).into_column();
    let columns = vec![
        constant("image", "000000.png"),
        constant("attribute", "Male"),
        label,
        half("probability_fln"),
        half("probability_cln"),
    ];
    write_parquet(&run, DataFrame::new(rows, columns).unwrap());
    let error = refused(&workspace, &format!("compare {reference} runs/synthetic-quick-gal-j-seed1"));
    assert!(error.contains("holds 100000 rows, expected at most 2400"), "{error}");
}

#[test]
fn a_flipped_bit_in_a_parquet_footer_ends_in_a_sentence_or_the_same_table() {
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    let run = FakeRun::new("gal-j", 1).write(&runs);
    let path = run.join("predictions.parquet");
    let whole = std::fs::read(&path).unwrap();
    for byte in (whole.len() - 1500..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte % 8);
        std::fs::write(&path, flipped).unwrap();
        if let Err(error) = gal_bench::evaluate::Predictions::read(&path, Some(60)) {
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}

#[test]
fn large_files_of_gaps_are_refused() {
    let workspace = Workspace::trainable();
    let grow = |path: &Path| std::fs::OpenOptions::new().append(true).open(path).unwrap().set_len(6 << 30).unwrap();
    for file in ["manifest.parquet", "prepared.json", "manifest.csv"] {
        let path = workspace.path("prepared").join(file);
        let whole = std::fs::read(&path).unwrap();
        grow(&path);
        refused(&workspace, "prepare --check --dataset synthetic --prepared prepared");
        std::fs::write(&path, whole).unwrap();
    }
    workspace.train("trained", &["baseline"]);
    grow(&workspace.run("trained", "baseline").join("model.safetensors"));
    let error = refused(&workspace, "predict --run trained/synthetic-tiny-baseline-seed5 tiny.toml");
    assert!(error.contains("sparse file"), "{error}");
}

#[test]
fn profiles_of_impossible_sizes_are_refused() {
    let workspace = Workspace::trainable();
    for (from, to, expected) in [
        ("batch = 8", "batch = 1099511627776", "batch is 1099511627776, expected 2 to"),
        ("steps = 40", "steps = 4611686018427387904", "steps is 4611686018427387904, expected at most"),
        ("widths = [4, 4, 4, 4, 4]", "widths = [4, 4, 4, 4, 100000000]", "network.widths is 100000000"),
        ("input_size = 40", "input_size = 4000000000", "network.input_size is 4000000000"),
        ("branch_channels = 3", "branch_channels = 1000000", "network.branch_channels is 1000000"),
    ] {
        workspace.write("huge.toml", TINY.replace(from, to));
        let error = refused(&workspace, "train --dataset synthetic --prepared prepared --profile huge.toml");
        assert!(error.contains(expected), "{error}");
    }
    workspace.train("trained", &["baseline"]);
    let config = workspace.run("trained", "baseline").join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("widths = [4, 4, 4, 4, 4]", "widths = [8000, 8000, 8000, 8000, 8000]"))
        .unwrap();
    refused(&workspace, "predict --run trained/synthetic-tiny-baseline-seed5 tiny.toml");
}

/// A tar header as GNU tar writes it, of a sparse file if it has a real size.
fn tar_header(name: &str, size: u64, sparse: Option<u64>) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_mode(0o644);
    header.set_size(size);
    let mut bytes = *header.as_bytes();
    if let Some(real) = sparse {
        bytes[156] = b'S';
        bytes[386..397].copy_from_slice(b"00000000000");
        bytes[398..409].copy_from_slice(b"00000000000");
        bytes[483..495].copy_from_slice(format!("{real:012o}").as_bytes());
    }
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    [&bytes[..], &[0; 1024]].concat()
}

#[test]
fn entries_of_a_shard_that_state_any_size_are_not_kept() {
    let workspace = Workspace::new();
    let dataset = synthetic::dataset(&synthetic::Options { train: 4, val: 1, test: 1, seed: 1 }).unwrap();
    let options = Options { size: 32, format: Format::Webdataset, ..Options::default() };
    let prepare = |folder: &Path| store::prepare(&dataset, folder, &options, &Progress::new(true)).unwrap();
    let donor = workspace.path("donor");
    prepare(&donor);
    let reader = Reader::open(&donor).unwrap();
    let first = reader.rows.iter().find(|row| row.location.as_ref().unwrap().file == "test-000000.tar").unwrap();
    let name = format!("{}-0.jpg", Path::new(&first.source).file_stem().unwrap().to_str().unwrap());
    for header in [tar_header(&name, 1 << 62, None), tar_header(&name, 0, Some(5 << 30))] {
        let half = workspace.path("half");
        let _ = std::fs::remove_dir_all(&half);
        std::fs::create_dir(&half).unwrap();
        std::fs::copy(donor.join("inputs.json"), half.join("inputs.json")).unwrap();
        std::fs::write(half.join("test-000000.tar"), header).unwrap();
        prepare(&half);
        assert!(
            std::fs::read(half.join("test-000000.tar")).unwrap()
                == std::fs::read(donor.join("test-000000.tar")).unwrap()
        );
    }
}
