//! Nothing outside of the named folder is read or written: places in manifests, links, second names of files.

use crate::common::gal_bench::user_error;
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::dataset::{Dataset, synthetic};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format, Options, Reader};
use polars::prelude::*;
use std::os::unix::fs::symlink;
use std::path::Path;

const DIARY: &str = "ten years of notes\n";

fn faces() -> Dataset {
    synthetic::dataset(&synthetic::Options { train: 6, val: 2, test: 2, seed: 1 }).unwrap()
}

fn prepare(folder: &Path, format: Format) -> gal_bench::Result<()> {
    let options = Options { size: 32, format, ..Options::default() };
    store::prepare(&faces(), folder, &options, &Progress::new(true)).map(drop)
}

/// Replaces the first row's cell in the manifest of the set in `folder`, and the digest of the manifest.
fn forge(folder: &Path, column: &Column) {
    let path = folder.join("manifest.parquet");
    let mut table = ParquetReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap();
    let old = table.column(column.name()).unwrap();
    let mut forged = column.cast(old.dtype()).unwrap();
    forged.append(&old.slice(1, old.len() - 1)).unwrap();
    table.with_column(forged).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut table).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    edit_description(folder, |description| {
        description["manifest_digest"] = blake3::hash(&bytes).to_hex().to_string().into();
    });
}

fn edit_description(folder: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.join("prepared.json");
    let mut description: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // As a version without it wrote the file.
    description.as_object_mut().unwrap().remove("digest");
    edit(&mut description);
    std::fs::write(path, description.to_string()).unwrap();
}

#[test]
fn a_manifest_places_images_in_files_of_its_set_only() {
    let workspace = Workspace::new();
    let secret = workspace.write("secret.bin", [7; 3 * 32 * 32]);
    let text = |name: &str, value: &str| Column::new(name.into(), [value]);
    let number = |name: &str, value: i64| Column::new(name.into(), [value]);
    let mut folders = 0..;
    for (column, expected) in [
        (text("file", secret.to_str().unwrap()), "is not one of a set of format npy"),
        (text("file", "../secret.bin"), "is not one of a set of format npy"),
        (text("source", "../secret.jpg"), "is not the name of a file below a folder"),
        (number("bytes", 1 << 62), "expected at most 3072"),
        (number("bytes", 6 << 30), "expected at most 3072"),
        (number("bytes", -1), "out of range"),
        (number("offset", -5), "out of range"),
        (number("copy", -1), "out of range"),
        (text("digest", "0123"), "out of range"),
        (text("split", "holiday"), "out of range"),
    ] {
        let folder = workspace.path(format!("set-{}", folders.next().unwrap()));
        std::fs::create_dir_all(&folder).unwrap();
        prepare(&folder, Format::Npy).unwrap();
        let what = format!("{column:?}");
        forge(&folder, &column);
        for message in [user_error(Reader::open(&folder)), user_error(store::verify(&folder))] {
            assert!(message.contains("row 1: ") && message.contains(expected), "{what}: {message}");
            assert!(message.contains("gal-bench prepare --dataset synthetic --force"), "{message}");
        }
    }
}

#[test]
fn a_sets_description_states_possible_values_only() {
    let workspace = Workspace::new();
    let folder = workspace.path("set");
    prepare(&folder, Format::Webdataset).unwrap();
    let whole = std::fs::read(folder.join("prepared.json")).unwrap();
    for (field, value, expected) in [
        ("size", serde_json::json!(1_000_000), "size is 1000000, expected 1 to 4096"),
        ("quality", serde_json::json!(0), "quality is 0, expected 1 to 100"),
        ("origin", serde_json::json!({"folder": "/etc"}), "origin is Some"),
        ("dataset", serde_json::json!("../x"), "is not made of letters"),
        ("train", serde_json::json!({"sources": 1, "stored": 1_u64 << 40}), "rows, not one for each stored image"),
        ("shards", serde_json::json!([{"file": "../x.tar", "bytes": 1, "digest": ""}]), "which is not a shard"),
    ] {
        std::fs::write(folder.join("prepared.json"), &whole).unwrap();
        edit_description(&folder, |description| description[field] = value);
        let message = user_error(Reader::open(&folder));
        assert!(message.contains(expected), "{field}: {message}");
    }
    std::fs::write(folder.join("prepared.json"), &whole[..whole.len() / 2]).unwrap();
    let message = user_error(Reader::open(&folder));
    assert!(message.contains("is not a prepared set's description: EOF"), "{message}");
    assert!(message.ends_with("; prepare the set again with --force"), "{message}");
}

#[test]
fn images_behind_links_are_not_read() {
    let workspace = Workspace::new();
    let folder = workspace.path("set");
    prepare(&folder, Format::Jpeg).unwrap();
    let image = folder.join("images/test/0000").read_dir().unwrap().next().unwrap().unwrap().path();
    let moved = workspace.path("elsewhere.jpg");
    std::fs::rename(&image, &moved).unwrap();
    symlink(&moved, &image).unwrap();
    let reader = Reader::open(&folder).unwrap();
    let row = reader.rows.iter().position(|row| image.ends_with(&row.location.as_ref().unwrap().file)).unwrap();
    assert!(user_error(reader.image(row)).contains("is a link"));
    assert!(user_error(store::verify(&folder)).contains("1 of 10 images are damaged"));

    std::fs::rename(folder.join("images/test"), workspace.path("test")).unwrap();
    symlink(workspace.path("test"), folder.join("images/test")).unwrap();
    assert!(user_error(Reader::open(&folder)).contains("images/test is a link or a file, expected a folder"));
}

#[test]
fn a_resumed_preparation_writes_through_no_link() {
    let workspace = Workspace::new();
    let diary = workspace.write("diary", DIARY);
    let donor = workspace.path("donor");
    for (format, name) in [
        (Format::Npy, "images.npy.partial"),
        (Format::Npy, ".lock"),
        (Format::Webdataset, ".partial-test-000000.tar"),
        (Format::Webdataset, "test-000000.tar"),
    ] {
        for hard in [false, true] {
            let half = workspace.path(format!("{format}-{name}-{hard}"));
            for folder in [&donor, &half] {
                let _ = std::fs::remove_dir_all(folder);
                std::fs::create_dir(folder).unwrap();
            }
            prepare(&donor, format).unwrap();
            std::fs::copy(donor.join("inputs.json"), half.join("inputs.json")).unwrap();
            let link = half.join(name);
            if hard {
                std::fs::hard_link(&diary, link).unwrap();
            } else {
                symlink(&diary, link).unwrap();
            }
            if let Err(error) = prepare(&half, format) {
                assert_eq!(error.exit_code(), 2);
                let message = error.to_string();
                assert!(message.contains("is a link") || message.contains("(a hard link)"), "{message}");
            }
            assert_eq!(workspace.read("diary"), DIARY, "{name}");
        }
    }
    let half = workspace.path("half");
    prepare(&half, Format::Jpeg).unwrap();
    std::fs::remove_file(half.join("prepared.json")).unwrap();
    std::fs::remove_dir_all(half.join("images/test/0000")).unwrap();
    std::fs::create_dir(workspace.path("elsewhere")).unwrap();
    symlink(workspace.path("elsewhere"), half.join("images/test/0000")).unwrap();
    assert!(user_error(prepare(&half, Format::Jpeg)).contains("is a link or a file, expected a folder"));
    assert_eq!(std::fs::read_dir(workspace.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn training_writes_through_no_link() {
    let workspace = Workspace::trainable_with(&TINY.replace("steps = 40", "steps = 4"));
    let diary = workspace.write("diary", DIARY);
    let run = workspace.run("runs", "baseline");
    for name in
        [".lock", "metrics.jsonl", "events.out.tfevents.synthetic-tiny-baseline-seed5", "config.toml", "summary.json"]
    {
        for hard in [false, true] {
            let _ = std::fs::remove_dir_all(&run);
            std::fs::create_dir_all(&run).unwrap();
            let link = run.join(name);
            if hard {
                std::fs::hard_link(&diary, link).unwrap();
            } else {
                symlink(&diary, link).unwrap();
            }
            // A file that is written anew takes the place of the link.
            if let Err(error) = workspace.try_train("runs", &["baseline"]) {
                assert_eq!(error.exit_code(), 2, "{error}");
            }
            assert_eq!(workspace.read("diary"), DIARY, "{name}");
        }
    }
}
