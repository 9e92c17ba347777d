//! What holds for every format: the same bytes on any number of threads and after any kill, the same pixels, and damage
//! that is found and named.

use super::{Bench, content, options};
use assert_cmd::cargo::cargo_bin;
use gal_bench::attribute;
use gal_bench::config::{Crop, ImagePolicy};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format, Options, Reader};
use gal_bench::train::{DataLoader, ImageCache};
use std::path::Path;
use std::process::{Command, Stdio};
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
            content(&bench.out())
        });
        assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2], "{each:?}");
        assert!(store::check(&bench.out()).is_ok(), "{each:?}");
    }
}

#[test]
fn another_format_replaces_the_one_before_only_by_force() {
    let bench = Bench::seven();
    bench.prepare(&format(Format::Virtual)).unwrap();
    let names = |bench: &Bench| content(&bench.out()).into_keys().collect::<Vec<_>>();
    let plain = names(&bench);
    for each in STORED {
        assert!(bench.refusal(&format(each)).contains("--force"));
        bench.prepare(&Options { force: true, ..format(each) }).unwrap();
        bench.prepare(&Options { force: true, ..format(Format::Virtual) }).unwrap();
        assert_eq!(names(&bench), plain, "{each:?}");
    }
}

#[test]
fn virtual_pixels_and_batches_are_those_of_the_array() {
    let (stored, drawn) = (Bench::seven(), Bench::seven());
    stored.prepare(&format(Format::Npy)).unwrap();
    drawn.prepare(&format(Format::Virtual)).unwrap();
    let (stored, drawn) = (Reader::open(&stored.out()).unwrap(), Reader::open(&drawn.out()).unwrap());
    for row in 0..stored.rows.len() {
        assert_eq!(stored.image(row).unwrap(), drawn.image(row).unwrap(), "row {row}");
    }
    let policy = ImagePolicy { resize: 24, crop: Crop::Random, flip: true };
    let batch = |reader: &Reader| {
        let images = ImageCache::new(reader, (0..reader.rows.len()).collect(), 24, "", &Progress::new(true)).unwrap();
        DataLoader { images: &images, input: 20, policy: &policy, size: 8, own: 0..8, seed: 1 }.training(1).unwrap()
    };
    assert!(batch(&stored) == batch(&drawn));
}

#[test]
fn archives_hold_what_the_folders_hold() {
    let (folders, archives) = (Bench::seven(), Bench::seven());
    folders.prepare(&options()).unwrap();
    archives.prepare(&format(Format::Webdataset)).unwrap();
    let (folders, archives) = (Reader::open(&folders.out()).unwrap(), Reader::open(&archives.out()).unwrap());
    for row in 0..folders.rows.len() {
        assert_eq!(folders.image(row).unwrap(), archives.image(row).unwrap());
    }
}

#[test]
fn virtual_set_refuses_a_source_that_changed_since() {
    let bench = Bench::seven();
    bench.prepare(&format(Format::Virtual)).unwrap();
    let reader = Reader::open(&bench.out()).unwrap();
    bench.spoil(0);
    let message = reader.image(0).unwrap_err().to_string();
    assert!(message.contains("000.jpg: has changed since"), "{message}");
    let message = store::check(&bench.out()).unwrap_err().to_string();
    assert!(message.contains("1 of 7 source images are damaged: 1 changed (face/000.jpg)"), "{message}");
}

#[test]
fn damage_to_any_stored_format_is_found_and_named() {
    for each in STORED {
        let bench = Bench::seven();
        bench.prepare(&format(each)).unwrap();
        for (name, bytes) in content(&bench.out()) {
            if [".json", ".parquet"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let path = bench.out().join(&name);
            let refused = |what: &str| {
                let error = store::check(&bench.out()).unwrap_err();
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
        assert_eq!(store::check(&bench.out()).unwrap(), 15);
    }
}

#[test]
fn balanced_set_has_more_of_the_rare_and_says_how_much() {
    let bench = Bench::seven();
    let prepared = bench.prepare(&Options { balance: true, ..options() }).unwrap();
    assert_eq!(prepared.train.stored, 10);
    let rates = prepared.balance.unwrap();
    assert_eq!(rates.len(), attribute::COUNT);
    let reader = Reader::open(&bench.out()).unwrap();
    let train: Vec<_> = reader.rows.iter().filter(|row| row.split == gal_bench::dataset::Split::Train).collect();
    for (place, rate) in rates.iter().enumerate() {
        let positive = |rows: &[&&store::Row]| rows.iter().filter(|row| row.labels[place]).count() as f64;
        let sources: Vec<_> = train.iter().filter(|row| row.copy == 0).collect();
        assert!((rate.before - positive(&sources) / 4.0).abs() < 1e-12);
        assert!((rate.after - positive(&train.iter().collect::<Vec<_>>()) / 10.0).abs() < 1e-12);
    }
    assert!(bench.refusal(&Options { balance: true, expand: None, ..options() }).contains("--balance"));
}

/// A CelebA folder of `count` training images.
fn celeba(folder: &Path, count: usize) {
    let (mut attributes, mut partition) = (format!("{count}\n{}\n", attribute::NAMES.join(" ")), String::new());
    for row in 1..=count {
        let labels: Vec<&str> = (0..40).map(|place| if (row + place) % 3 == 0 { "1" } else { "-1" }).collect();
        attributes.extend([format!("{row:06}.jpg "), labels.join(" "), "\n".to_owned()]);
        partition.extend([format!("{row:06}.jpg {}\n", if row % 10 == 0 { 2 } else { 0 })]);
        let path = folder.join(format!("Img/img_align_celeba/{row:06}.jpg"));
        super::write_jpeg(&path, &super::picture(row as u32, 178, 218));
    }
    for (name, text) in [("Anno/list_attr_celeba.txt", attributes), ("Eval/list_eval_partition.txt", partition)] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn command(folder: &Path, name: &str, out: &str) -> Command {
    let mut command = Command::new(cargo_bin!("gal-bench"));
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    command.args(["prepare", "--dataset", "celeba", "--root", "celeba", "--size", "64", "--copies", "12", "--quiet"]);
    command.args(["--format", name, "--prepared", out]);
    command
}

#[test]
#[cfg(unix)]
fn every_format_killed_at_any_moment_ends_in_the_bytes_of_an_undisturbed_run() {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), 130);
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        let out = format!("{name}-killed");
        let started = Instant::now();
        assert!(command(place.path(), name, name).status().unwrap().success());
        let whole = started.elapsed();
        // Of eight places over the run; each goes on where the one before was killed.
        let mut killed = 0;
        for eighth in 1..=8 {
            let mut run = command(place.path(), name, &out).spawn().unwrap();
            std::thread::sleep(whole * eighth / 9 + Duration::from_millis(3));
            run.kill().unwrap();
            killed += u32::from(run.wait().unwrap().code().is_none());
        }
        assert!(killed > 0, "{name}: no run was killed");
        assert!(command(place.path(), name, &out).status().unwrap().success(), "{name}");
        assert!(content(&place.path().join(name)) == content(&place.path().join(&out)), "{name}");
    }
}

/// A run of six training images that met a damaged last one, which is mended since; one thread, so that the first group
/// of images is stored before the last.
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
fn finished_tar_files_are_not_written_again() {
    let (bench, options) = stopped(Format::Webdataset, 300);
    let written = || std::fs::metadata(bench.out().join("train-000000.tar")).unwrap().modified().unwrap();
    let before = written();
    bench.prepare(&options).unwrap();
    assert!(bench.out().join("train-000001.tar").exists());
    assert_eq!(written(), before);
}

#[test]
fn finished_blocks_of_an_array_are_not_drawn_again() {
    let (bench, options) = stopped(Format::Npy, 100);
    // A pixel that no run would draw: it is still there only if its block is left alone.
    let partial = bench.out().join("images.npy.partial");
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[128] ^= 255;
    std::fs::write(&partial, &bytes).unwrap();
    bench.prepare(&options).unwrap();
    assert_eq!(std::fs::read(bench.out().join("images.npy")).unwrap()[128], bytes[128]);
    assert!(store::check(&bench.out()).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_is_one_sentence_in_every_format_and_the_run_goes_on_afterwards() {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), 12);
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        let inner = command(place.path(), name, name);
        let mut limited = Command::new("bash");
        // A limit on the size of a file, and its signal ignored, so that writing fails as on a full disk.
        limited.arg("-c").arg("trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"").arg(inner.get_program());
        limited.args(inner.get_args()).current_dir(place.path());
        let output = limited.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.starts_with("error: cannot write") && text.trim_end().lines().count() == 1, "{name}: {text}");
        assert!(!place.path().join(name).join("prepared.json").exists());
        assert!(command(place.path(), name, name).status().unwrap().success(), "{name}");
        let check = ["prepare", "--check", "--prepared", name];
        let status = Command::new(cargo_bin!("gal-bench")).current_dir(place.path()).args(check).status().unwrap();
        assert!(status.success(), "{name}");
    }
}

#[test]
#[cfg(unix)]
fn vanished_image_folder_is_one_sentence_and_a_second_run_is_held_off() {
    let place = tempfile::tempdir().unwrap();
    let (source, away) = (place.path().join("celeba"), place.path().join("away"));
    celeba(&source, 130);
    let mut failed = 0;
    for name in ["jpeg", "webdataset", "npy", "virtual"] {
        let mut slow = command(place.path(), name, name);
        slow.args(["--threads", "1"]);
        let run = slow.spawn().unwrap();
        let out = place.path().join(name);
        let started = Instant::now();
        while !out.join("inputs.json").exists() && started.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        let second = (name != "virtual").then(|| command(place.path(), name, name).output().unwrap());
        std::fs::rename(&source, &away).unwrap();
        let output = run.wait_with_output().unwrap();
        std::fs::rename(&away, &source).unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            failed += 1;
            assert_eq!(output.status.code(), Some(2), "{name}: {text}");
            assert!(text.starts_with("error: cannot ") && text.trim_end().lines().count() == 1, "{name}: {text}");
        }
        if let Some(second) = second {
            let text = String::from_utf8(second.stderr).unwrap();
            assert!(second.status.success() || text.contains("is being prepared by another run"), "{name}: {text}");
        }
        assert!(command(place.path(), name, name).status().unwrap().success(), "{name}");
    }
    assert!(failed > 0, "every run was faster than the folder vanished");
}
