//! Runs that are interrupted, repeated or given the wrong folder.

use super::{Bench, options, table, write_jpeg};
use crate::common::images::gradient;
use crate::common::workspace::files_below;
use gal_bench::augment::Pipeline;
use gal_bench::dataset::Images;
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format, Options, Reader};
use gal_bench::synthetic;
use polars::prelude::Column;
use std::path::Path;

#[test]
fn interrupted_run_resumes_to_the_same_bytes_and_keeps_stored_images() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let whole = files_below(&bench.out());
    for name in ["prepared.json", "manifest.parquet", "images/train/0000/000-1.jpg", "images/test/0000/001-0.jpg"] {
        std::fs::remove_file(bench.out().join(name)).unwrap();
    }
    // As a power failure and a kill leave them.
    std::fs::write(bench.out().join("images/train/0000/002-0.jpg"), []).unwrap();
    std::fs::write(bench.out().join(".partial-abc"), "half").unwrap();
    let kept = bench.out().join("images/train/0000/004-1.jpg");
    let written = || std::fs::metadata(&kept).unwrap().modified().unwrap();
    let before = written();
    bench.prepare(&options()).unwrap();
    assert!(files_below(&bench.out()) == whole);
    assert_eq!(written(), before);
}

#[test]
fn finished_folder_is_not_changed() {
    let bench = Bench::seven();
    let first = bench.prepare(&options()).unwrap();
    let written = || std::fs::metadata(bench.out().join("prepared.json")).unwrap().modified().unwrap();
    let before = written();
    assert_eq!(bench.prepare(&options()).unwrap(), first);
    assert_eq!(written(), before);
}

#[test]
fn run_that_fails_at_a_damaged_source_resumes_once_it_is_restored() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let whole = files_below(&bench.out());
    std::fs::remove_dir_all(bench.out()).unwrap();
    let good = std::fs::read(bench.source(4)).unwrap();
    bench.spoil(4);
    assert!(bench.refusal(&options()).contains("004.jpg"));
    bench.assert_unfinished();
    std::fs::write(bench.source(4), good).unwrap();
    bench.prepare(&options()).unwrap();
    assert!(files_below(&bench.out()) == whole);
}

#[test]
fn finished_folder_of_other_images_is_refused() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    // The file keeps its length, so only its content differs.
    bench.spoil(3);
    assert!(bench.refusal(&options()).contains("--force"));
}

#[test]
fn unfinished_folder_is_finished_with_the_current_images() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    write_jpeg(&bench.source(2), &gradient(3, 90, 20));
    bench.prepare(&options()).unwrap();
    let resumed = files_below(&bench.out());
    bench.prepare(&Options { force: true, ..options() }).unwrap();
    assert!(files_below(&bench.out()) == resumed);
}

#[test]
fn folder_without_recorded_inputs_is_recognized_by_its_description() {
    let bench = Bench::seven();
    let first = bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("inputs.json")).unwrap();
    assert_eq!(bench.prepare(&options()).unwrap(), first);
    assert!(bench.refusal(&Options { seed: 8, ..options() }).contains("--force"));
}

#[test]
fn folder_of_other_options_is_refused_unless_forced() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let other = Options { quality: 80, ..options() };
    assert!(bench.refusal(&other).contains("--force"));
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    assert!(bench.refusal(&other).contains("--force"));
    assert_eq!(bench.prepare(&Options { force: true, ..other }).unwrap().quality, Some(80));
}

#[test]
fn folder_of_other_labels_is_refused() {
    let mut bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let flipped: Vec<bool> =
        bench.dataset.table.column("Male").unwrap().bool().unwrap().iter().map(|l| l != Some(true)).collect();
    bench.dataset.table.with_column(Column::new("Male".into(), flipped)).unwrap();
    assert!(bench.refusal(&options()).contains("--force"));
}

#[test]
fn folder_with_other_files_is_refused_even_when_forced() {
    let bench = Bench::seven();
    std::fs::create_dir(bench.out()).unwrap();
    std::fs::write(bench.out().join("thesis.txt"), "mine").unwrap();
    let refusal = || bench.refusal(&Options { force: true, ..options() });
    assert!(refusal().contains("thesis.txt"));
    // Another program's files of the same names.
    for name in ["inputs.json", "prepared.json", "images.npy", "manifest.csv"] {
        std::fs::write(bench.out().join(name), r#"{"mine": true}"#).unwrap();
    }
    assert!(refusal().contains("holds files"), "{}", refusal());
    assert_eq!(files_below(&bench.out()).len(), 5);
}

#[test]
fn folder_in_use_is_refused_until_it_is_free() {
    let bench = Bench::seven();
    std::fs::create_dir(bench.out()).unwrap();
    let other = std::fs::File::create(bench.out().join(".lock")).unwrap();
    other.try_lock().unwrap();
    assert!(bench.refusal(&options()).contains("another run"));
    drop(other);
    bench.prepare(&options()).unwrap();
}

#[test]
fn damaged_source_is_named_and_nothing_looks_finished() {
    let bench = Bench::seven();
    let bytes = std::fs::read(bench.source(2)).unwrap();
    for damage in [&bytes[..bytes.len() / 2], b"GIF89a", b""] {
        std::fs::write(bench.source(2), damage).unwrap();
        let message = bench.refusal(&options());
        let reasons = ["not a complete JPEG", "neither a JPEG nor a PNG", "is an empty file"];
        assert!(message.contains("002.jpg") && reasons.iter().any(|reason| message.contains(reason)), "{message}");
        bench.assert_unfinished();
    }
    std::fs::write(bench.source(2), bytes).unwrap();
    bench.prepare(&options()).unwrap();
}

#[test]
fn missing_images_are_counted_before_anything_is_written() {
    let bench = Bench::seven();
    for row in [1, 4, 5] {
        std::fs::remove_file(bench.source(row)).unwrap();
    }
    let message = bench.refusal(&options());
    assert!(message.contains("001.jpg") && message.contains("2 more"), "{message}");
    assert!(!bench.out().exists());
}

#[test]
fn source_outside_the_image_folder_is_refused() {
    let mut bench = Bench::new(&["train"]);
    bench.dataset.table = table(&["../in/face/000.jpg".to_owned()], &["train"]);
    assert!(bench.refusal(&options()).contains("../in/face/000.jpg"));
}

#[test]
fn unwritable_folder_is_one_sentence() {
    let bench = Bench::seven();
    let below_a_file = bench.source(0).join("out");
    let error = store::prepare(&bench.dataset, &below_a_file, &options(), &Progress::new(true)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("000.jpg"), "{error}");
    // A folder with the name of an image: the run fails in the middle.
    std::fs::create_dir_all(bench.out()).unwrap();
    bench.prepare(&options()).unwrap();
    std::fs::remove_file(bench.out().join("prepared.json")).unwrap();
    std::fs::remove_file(bench.out().join("images/train/0000/002-1.jpg")).unwrap();
    std::fs::create_dir(bench.out().join("images/train/0000/002-1.jpg")).unwrap();
    assert!(bench.refusal(&options()).contains("002-1.jpg"));
    bench.assert_unfinished();
}

#[test]
fn options_out_of_bounds_are_refused() {
    let bench = Bench::seven();
    assert!(bench.refusal(&Options { copies: Some(2), ..options() }).contains("exclude"));
    assert!(bench.refusal(&Options { copies: Some(0), expand: None, ..options() }).contains("--copies"));
    assert!(bench.refusal(&Options { size: 0, ..options() }).contains("--size"));
    assert!(bench.refusal(&Options { quality: 0, ..options() }).contains("--quality"));
    assert!(!bench.out().exists());
}

#[test]
fn unfinished_and_altered_sets_are_not_read() {
    let bench = Bench::seven();
    let message = |folder: &Path| Reader::open(folder).unwrap_err().to_string();
    assert!(message(&bench.out()).contains("gal-bench prepare"));
    bench.prepare(&options()).unwrap();
    let manifest = bench.out().join("manifest.parquet");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    assert!(message(&bench.out()).contains("manifest.parquet: is not the manifest"));
}

#[test]
fn altered_image_is_found_by_verification() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    let path = bench.out().join("images/val/0000/003-0.jpg");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = store::verify(&bench.out()).unwrap_err();
    assert!(error.to_string().contains("003-0.jpg") && error.exit_code() == 2, "{error}");
    assert!(error.to_string().contains("1 of 15 images are damaged: 1 changed ("), "{error}");
    std::fs::remove_file(bench.out().join("images/train/0000/000-0.jpg")).unwrap();
    let message = store::verify(&bench.out()).unwrap_err().to_string();
    assert!(message.contains("000-0.jpg") && message.contains("2 of 15 images"), "{message}");
}

/// The digest was recorded when the key was still called `sampling`.
#[test]
fn set_prepared_before_interpolation_was_named_so_is_found_finished() {
    let mut bench = Bench::seven();
    bench.dataset.images = Images::Synthetic(synthetic::Renderer::new(5).unwrap());
    let text = |key: &str| format!("{key} = 'bicubic'\n[[operation]]\nname = 'invert'\nprobability = 0.5\n");
    let prepare = |key: &str| {
        let pipeline = Pipeline::from_toml("p.toml", &text(key)).unwrap();
        bench.prepare(&Options { pipeline, format: Format::Virtual, ..options() }).unwrap()
    };
    let prepared = prepare("sampling");
    assert!(prepared.pipeline.starts_with("sampling = \"bicubic\"\n"), "{}", prepared.pipeline);
    assert_eq!(prepared.input_digest, "fafca1b79ff2c1f87cf3bc7ecd2dc6500de53678f0376d50bd5698fbfb796aa6");
    assert_eq!(prepare("interpolation"), prepared);
}

/// A set that lacks files is stored again, with the same bytes.
#[test]
fn missing_and_truncated_files_of_a_set_are_written_again() {
    for format in [Format::Jpeg, Format::Webdataset, Format::Npy] {
        let bench = Bench::seven();
        let options = Options { format, expand: None, copies: Some(2), ..options() };
        bench.prepare(&options).unwrap();
        let whole = files_below(&bench.out());
        let stored = |name: &&String| !["json", "parquet", "csv"].contains(&name.rsplit('.').next().unwrap());
        let image = whole.keys().find(stored).unwrap();
        for name in [image, "manifest.csv", "manifest.parquet"] {
            std::fs::remove_file(bench.out().join(name)).unwrap();
            bench.prepare(&options).unwrap();
            assert!(files_below(&bench.out()) == whole, "{format:?}: {name}");
        }
        std::fs::write(bench.out().join(image), &whole[image][..whole[image].len() / 2]).unwrap();
        bench.prepare(&options).unwrap();
        assert!(files_below(&bench.out()) == whole, "{format:?}: {image} truncated");
        // A manifest is not written anew over images that changed.
        let mut bytes = whole[image].clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(bench.out().join(image), bytes).unwrap();
        std::fs::remove_file(bench.out().join("manifest.parquet")).unwrap();
        for _ in 0..2 {
            assert!(bench.refusal(&options).contains("holds images that changed since they were stored"), "{format:?}");
        }
        bench.prepare(&Options { force: true, ..options.clone() }).unwrap();
        assert!(files_below(&bench.out()) == whole, "{format:?}: --force");
    }
}

#[test]
fn partial_files_of_killed_processes_are_swept() {
    let bench = Bench::seven();
    bench.prepare(&options()).unwrap();
    std::fs::write(bench.out().join(".partial-abc"), "half").unwrap();
    bench.prepare(&options()).unwrap();
    assert!(!bench.out().join(".partial-abc").exists());
}
