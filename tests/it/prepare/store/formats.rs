//! Properties of every format: the same bytes on any number of threads and after any kill, the same pixels, and damage
//! that is detected.

use super::{Bench, options};
use crate::common::celeba_files::CelebaFiles;
use crate::common::gal_bench::{Finished, GalBench};
use crate::common::images::{gradient, jpeg};
use crate::common::workspace::{Workspace, files_below};
use gal_bench::attribute;
use gal_bench::config::{Crop, ImagePolicy};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format, Options, Reader};
use gal_bench::train::{DataLoader, ImageCache};
use polars::prelude::Column;
use std::time::{Duration, Instant};

const FORMATS: [Format; 4] = [Format::Jpeg, Format::Webdataset, Format::Npy, Format::Virtual];
const STORED: [Format; 3] = [Format::Jpeg, Format::Webdataset, Format::Npy];

fn format(format: Format) -> Options {
    Options { format, ..options() }
}

#[test]
fn every_format_is_the_same_bytes_on_one_two_and_seven_threads() {
    for each in FORMATS {
        let bench = Bench::seven();
        let outcomes = [1, 2, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bench.prepare(&Options { force: true, ..format(each) })).unwrap();
            files_below(&bench.out())
        });
        assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2], "{each:?}");
        assert!(store::verify(&bench.out()).is_ok(), "{each:?}");
    }
}

#[test]
fn another_format_replaces_the_earlier_one_only_with_force() {
    let bench = Bench::seven();
    bench.prepare(&format(Format::Virtual)).unwrap();
    let names = |bench: &Bench| files_below(&bench.out()).into_keys().collect::<Vec<_>>();
    let plain = names(&bench);
    for each in STORED {
        assert!(bench.refusal(&format(each)).contains("--force"));
        bench.prepare(&Options { force: true, ..format(each) }).unwrap();
        bench.prepare(&Options { force: true, ..format(Format::Virtual) }).unwrap();
        assert_eq!(names(&bench), plain, "{each:?}");
    }
}

#[test]
fn virtual_pixels_and_batches_equal_those_of_the_array() {
    let (stored, rendered) = (Bench::seven(), Bench::seven());
    stored.prepare(&format(Format::Npy)).unwrap();
    rendered.prepare(&format(Format::Virtual)).unwrap();
    let (stored, rendered) = (Reader::open(&stored.out()).unwrap(), Reader::open(&rendered.out()).unwrap());
    for row in 0..stored.rows.len() {
        assert_eq!(stored.image(row).unwrap(), rendered.image(row).unwrap(), "row {row}");
    }
    let policy = ImagePolicy { resize: 24, crop: Crop::Random, flip: true };
    let batch = |reader: &Reader| {
        let images = ImageCache::new(reader, (0..reader.rows.len()).collect(), 24, "", &Progress::new(true)).unwrap();
        let loader =
            DataLoader { images: &images, input_size: 20, policy: &policy, batch_size: 8, local: 0..8, seed: 1 };
        loader.training_batch(1).unwrap()
    };
    assert!(batch(&stored) == batch(&rendered));
}

#[test]
fn archives_hold_the_images_of_the_folders() {
    let (folders, archives) = (Bench::seven(), Bench::seven());
    folders.prepare(&options()).unwrap();
    archives.prepare(&format(Format::Webdataset)).unwrap();
    let (folders, archives) = (Reader::open(&folders.out()).unwrap(), Reader::open(&archives.out()).unwrap());
    for row in 0..folders.rows.len() {
        assert_eq!(folders.image(row).unwrap(), archives.image(row).unwrap());
    }
}

#[test]
fn virtual_set_refuses_a_changed_source() {
    let bench = Bench::seven();
    bench.prepare(&format(Format::Virtual)).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    bench.spoil(0);
    let message = reader.image(0).unwrap_err().to_string();
    assert!(message.contains("000.jpg: has changed since"), "{message}");
    let message = store::verify(&bench.out()).unwrap_err().to_string();
    assert!(message.contains("1 of 7 source images are damaged: 1 changed (face/000.jpg)"), "{message}");
}

#[test]
fn damage_to_any_stored_format_is_detected() {
    for each in STORED {
        let bench = Bench::seven();
        bench.prepare(&format(each)).unwrap();
        for (name, bytes) in files_below(&bench.out()) {
            if [".json", ".parquet"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let path = bench.out().join(&name);
            let refused = |what: &str| {
                let error = store::verify(&bench.out()).unwrap_err();
                assert_eq!(error.exit_code(), 2, "{name} {what}");
            };
            let mut other = bytes.clone();
            *other.last_mut().unwrap() ^= 1;
            std::fs::write(&path, &other).unwrap();
            refused("changed at its end");
            other.clone_from(&bytes);
            other[20] ^= 1;
            std::fs::write(&path, &other).unwrap();
            refused("changed at its beginning");
            std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
            refused("cut");
            std::fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
            refused("longer");
            std::fs::remove_file(&path).unwrap();
            refused("missing");
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!(store::verify(&bench.out()).unwrap(), 15);
    }
}

/// Names of images and people may hold anything that a file system and a table allow.
#[test]
fn a_manifest_is_read_as_written() {
    let names =
        ["a,b.jpg", "\"quoted\" 'name'.jpg", "-0.jpg", " blank .jpg", "Zoë 😀.jpg", "a\tb.jpg", "line\nbreak.jpg"];
    for each in [Format::Jpeg, Format::Webdataset, Format::Npy, Format::Virtual] {
        let mut bench = Bench::new(&["train", "test", "train", "val", "train", "test", "train"]);
        let sources = names.map(|name| format!("face/{name}"));
        for (row, source) in sources.iter().enumerate() {
            std::fs::rename(bench.source(row), bench.folder.path().join("in").join(source)).unwrap();
        }
        bench.dataset.table.with_column(Column::new("source".into(), &sources)).unwrap();
        bench.dataset.table.with_column(Column::new("identity".into(), &names)).unwrap();
        bench.prepare(&format(each)).unwrap();
        store::verify(&bench.out()).unwrap();
        let reader = Reader::open(&bench.out()).unwrap();
        let originals: Vec<_> = reader.rows.iter().filter(|row| row.copy == 0).collect();
        assert_eq!(originals.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), sources, "{each:?}");
        assert_eq!(originals.iter().map(|row| row.identity.as_deref().unwrap()).collect::<Vec<_>>(), names, "{each:?}");
        (0..reader.rows.len()).for_each(|row| drop(reader.image(row).unwrap()));
    }
}

#[test]
fn balanced_set_has_more_rare_attributes_and_records_the_rates() {
    let bench = Bench::seven();
    let prepared = bench.prepare(&Options { balance: true, ..options() }).unwrap();
    assert_eq!(prepared.train.stored, 10);
    let rates = prepared.balance.unwrap();
    assert_eq!(rates.len(), attribute::COUNT);
    let reader = Reader::open(&bench.out()).unwrap();
    let train: Vec<_> = reader.rows.iter().filter(|row| row.split == gal_bench::dataset::Split::Train).collect();
    for (index, rate) in rates.iter().enumerate() {
        let positive = |rows: &[&&store::Row]| rows.iter().filter(|row| row.labels[index] == Some(true)).count() as f64;
        let sources: Vec<_> = train.iter().filter(|row| row.copy == 0).collect();
        assert!((rate.before - positive(&sources) / 4.0).abs() < 1e-12);
        assert!((rate.after - positive(&train.iter().collect::<Vec<_>>()) / 10.0).abs() < 1e-12);
    }
    assert!(bench.refusal(&Options { balance: true, expand: None, ..options() }).contains("--balance"));
}

/// A workspace with a CelebA of `count` images, one in ten for testing, the others for training.
fn celeba(count: usize) -> Workspace {
    let workspace = Workspace::new();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    for row in 1..=count {
        let labels = std::array::from_fn(|attribute| (row + attribute) % 3 == 0);
        files.add(labels, if row % 10 == 0 { 2 } else { 0 }, jpeg(&gradient(row as u32, 178, 218), 95));
    }
    files.finish();
    workspace
}

/// Arguments that prepare the CelebA in the format called `name`, in the folder `out`.
fn arguments(name: &str, out: &str) -> String {
    let usual = "prepare --dataset celeba --root celeba --size 64 --copies 12 --quiet";
    format!("{usual} --format {name} --prepared {out}")
}

fn prepare(workspace: &Workspace, name: &str, out: &str) -> GalBench {
    workspace.gal_bench(&arguments(name, out))
}

#[test]
#[cfg(unix)]
fn every_format_killed_at_any_moment_ends_in_the_bytes_of_an_undisturbed_run() {
    let workspace = celeba(130);
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        let out = format!("{name}-killed");
        let started = Instant::now();
        prepare(&workspace, name, name).succeeds();
        let whole = started.elapsed();
        // Eight kills, spread over the run; each run resumes the one before.
        let mut killed = 0;
        for eighth in 1..=8 {
            let mut run = prepare(&workspace, name, &out).spawn();
            std::thread::sleep(whole * eighth / 9 + Duration::from_millis(3));
            run.kill().unwrap();
            killed += u32::from(run.wait().unwrap().code().is_none());
        }
        assert!(killed > 0, "{name}: no run was killed");
        prepare(&workspace, name, &out).succeeds();
        assert!(workspace.files(name) == workspace.files(&out), "{name}");
    }
}

/// A run of six training images, interrupted by a damaged last one, which is restored. It has one thread, so the first
/// group of images is stored before the last is read.
fn stopped(each: Format, copies: usize) -> (Bench, Options) {
    let bench = Bench::new(&["train"; 6]);
    let options = Options { expand: None, copies: Some(copies), ..format(each) };
    let good = std::fs::read(bench.source(5)).unwrap();
    bench.spoil(5);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(pool.install(|| bench.refusal(&options)).contains("005.jpg"));
    std::fs::write(bench.source(5), good).unwrap();
    (bench, options)
}

#[test]
fn what_a_killed_process_left_among_the_digests_of_blocks_is_removed() {
    let (bench, options) = stopped(Format::Npy, 300);
    let blocks = bench.out().join("progress");
    assert!(blocks.is_dir());
    std::fs::write(blocks.join(".partial-0f3a"), b"half").unwrap();
    bench.prepare(&options).unwrap();
    assert!(!blocks.exists());
}

#[test]
fn finished_tar_files_are_not_written_again() {
    let (bench, options) = stopped(Format::Webdataset, 300);
    let written = || std::fs::metadata(bench.out().join("train-000000.tar")).unwrap().modified().unwrap();
    let before = written();
    bench.prepare(&options).unwrap();
    assert!(bench.out().join("train-000001.tar").exists());
    assert_eq!(written(), before);
}

#[test]
fn finished_blocks_of_an_array_are_not_rendered_again() {
    let (bench, options) = stopped(Format::Npy, 100);
    // An altered pixel, which is kept only if its block is not rendered again.
    let partial = bench.out().join("images.npy.partial");
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[128] ^= 255;
    std::fs::write(&partial, &bytes).unwrap();
    bench.prepare(&options).unwrap();
    assert_eq!(std::fs::read(bench.out().join("images.npy")).unwrap()[128], bytes[128]);
    assert!(store::verify(&bench.out()).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_is_one_sentence_in_every_format_and_the_run_resumes_afterwards() {
    let workspace = celeba(12);
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        // A limit on file sizes: writing fails as on a full disk.
        let limit = "ulimit -f 1";
        let finished = GalBench::limited(workspace.root(), limit, &arguments(name, name)).finishes();
        assert_eq!(finished.stderr.lines().count(), 1, "{name}: {}", finished.stderr);
        let error = finished.error();
        assert!(error.starts_with("error: cannot write"), "{name}: {error}");
        assert!(!workspace.exists(&format!("{name}/prepared.json")));
        prepare(&workspace, name, name).succeeds();
        for flag in ["--verify", "--check"] {
            workspace.gal_bench(&format!("prepare {flag} --dataset celeba --prepared {name}")).succeeds();
        }
    }
}

#[test]
#[cfg(unix)]
fn vanished_image_folder_is_one_sentence_and_a_second_run_is_refused() {
    let workspace = celeba(130);
    let (source, away) = (workspace.path("celeba"), workspace.path("away"));
    let mut failed = 0;
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        let run = prepare(&workspace, name, name).args(["--threads", "1"]).spawn();
        let out = workspace.path(name);
        let started = Instant::now();
        while !out.join("inputs.json").exists() && started.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        let second = (name != "virtual").then(|| prepare(&workspace, name, name).finishes());
        std::fs::rename(&source, &away).unwrap();
        let finished = Finished::wait(run);
        std::fs::rename(&away, &source).unwrap();
        if finished.code != Some(0) {
            failed += 1;
            assert_eq!(finished.stderr.lines().count(), 1, "{name}: {}", finished.stderr);
            let error = finished.error();
            assert!(error.starts_with("error: cannot "), "{name}: {error}");
        }
        if let Some(second) = second.filter(|second| second.code != Some(0)) {
            let error = second.error();
            assert!(error.contains("is being prepared by another run"), "{name}: {error}");
        }
        prepare(&workspace, name, name).succeeds();
    }
    assert!(failed > 0, "every run was faster than the folder vanished");
}
