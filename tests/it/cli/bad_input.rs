//! Bad input through the binary: one sentence on standard error, exit code 2, nothing left behind. The readers' own
//! cases stand in `dataset` and `prepare`.

use assert_cmd::cargo::cargo_bin;
use std::path::Path;
use std::process::Command;

/// The one sentence that `arguments` end in, run in `folder`.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(cargo_bin!("gal-bench")).current_dir(folder).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(text.trim_end().ends_with(errors[0]), "the sentence is not the last word: {text}");
    errors[0].to_owned()
}

/// A CelebA folder of two images; the caller breaks it.
fn celeba(folder: &Path, attributes: &str, partition: &str) {
    std::fs::create_dir_all(folder.join("Anno")).unwrap();
    std::fs::create_dir_all(folder.join("Eval")).unwrap();
    std::fs::create_dir_all(folder.join("Img/img_align_celeba")).unwrap();
    std::fs::write(folder.join("Anno/list_attr_celeba.txt"), attributes).unwrap();
    std::fs::write(folder.join("Eval/list_eval_partition.txt"), partition).unwrap();
    for name in ["000001.jpg", "000002.jpg"] {
        image::RgbImage::from_pixel(40, 40, image::Rgb([90, 120, 150]))
            .save(folder.join("Img/img_align_celeba").join(name))
            .unwrap();
    }
}

fn attributes(count: usize, first: &str) -> String {
    let labels = vec!["-1"; 39].join(" ");
    let names = gal_bench::attribute::NAMES.join(" ");
    format!("{count}\r\n{names}\r\n000001.jpg {first}\r\n000002.jpg  1 {labels}\r\n")
}

fn good_row() -> String {
    vec!["1"; 40].join(" ")
}

const PARTITION: &str = "000001.jpg 0\r\n000002.jpg 2\r\n";

fn prepare_refuses(attributes: &str, partition: &str, expected: &str) {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), attributes, partition);
    let sentence =
        refused(place.path(), &["prepare", "--dataset", "celeba", "--root", "celeba", "--prepared", "prepared"]);
    assert!(sentence.contains(expected), "{sentence}");
    assert!(!place.path().join("prepared/prepared.json").exists());
}

#[test]
fn a_row_with_39_values_is_refused_with_its_line() {
    prepare_refuses(&attributes(2, &vec!["1"; 39].join(" ")), PARTITION, "line 3");
}

#[test]
fn a_label_of_zero_is_refused_with_its_line() {
    prepare_refuses(&attributes(2, &good_row().replacen('1', "0", 1)), PARTITION, "line 3");
}

#[test]
fn a_count_line_that_lies_is_refused() {
    prepare_refuses(&attributes(3, &good_row()), PARTITION, "list_attr_celeba.txt");
}

#[test]
fn an_unknown_split_value_is_refused_with_its_line() {
    prepare_refuses(&attributes(2, &good_row()), "000001.jpg 0\r\n000002.jpg 7\r\n", "line 2");
}

#[test]
fn a_missing_image_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), &attributes(2, &good_row()), PARTITION);
    std::fs::remove_file(place.path().join("celeba/Img/img_align_celeba/000002.jpg")).unwrap();
    let arguments = ["prepare", "--dataset", "celeba", "--root", "celeba", "--prepared", "prepared"];
    let sentence = refused(place.path(), &arguments);
    assert!(sentence.contains("000002.jpg"), "{sentence}");
}

#[test]
fn a_corrupt_jpeg_is_refused_by_name_and_nothing_is_finished() {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), &attributes(2, &good_row()), PARTITION);
    let broken = place.path().join("celeba/Img/img_align_celeba/000001.jpg");
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let arguments = ["prepare", "--dataset", "celeba", "--root", "celeba", "--prepared", "prepared"];
    let sentence = refused(place.path(), &arguments);
    assert!(sentence.contains("000001.jpg"), "{sentence}");
    assert!(!place.path().join("prepared/prepared.json").exists());
    assert!(!place.path().join("prepared/manifest.parquet").exists());
}

#[test]
fn an_empty_folder_is_refused_with_what_was_looked_for() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("lfwa")).unwrap();
    let sentence = refused(place.path(), &["prepare", "--dataset", "lfwa", "--root", "lfwa"]);
    assert!(sentence.contains("lfw_att_40"), "{sentence}");
}

#[test]
fn an_output_that_cannot_be_written_is_refused() {
    let place = tempfile::tempdir().unwrap();
    celeba(&place.path().join("celeba"), &attributes(2, &good_row()), PARTITION);
    // Below a file, so that it fails whoever runs the test.
    std::fs::write(place.path().join("file"), "").unwrap();
    let arguments = ["prepare", "--dataset", "celeba", "--root", "celeba", "--prepared", "file/prepared"];
    let sentence = refused(place.path(), &arguments);
    assert!(sentence.contains("file"), "{sentence}");
}

#[test]
fn an_unprepared_folder_is_refused_with_the_command_that_prepares_it() {
    let place = tempfile::tempdir().unwrap();
    let sentence = refused(place.path(), &["train", "--prepared", "nowhere", "--device", "cpu"]);
    assert!(sentence.contains("gal-bench prepare"), "{sentence}");
}

#[test]
fn an_unknown_profile_is_refused_with_the_known_ones() {
    let place = tempfile::tempdir().unwrap();
    let sentence = refused(place.path(), &["train", "--profile", "fast"]);
    assert!(sentence.contains("paper, authors-code, quick"), "{sentence}");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_in_a_cpu_build_is_refused_with_how_to_build() {
    let place = tempfile::tempdir().unwrap();
    let sentence = refused(place.path(), &["train", "--device", "cuda:0"]);
    assert!(sentence.contains("--features cuda"), "{sentence}");
}

#[test]
fn a_file_of_somebody_else_is_not_written_over() {
    let place = tempfile::tempdir().unwrap();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/weights/alexnet.pth");
    std::fs::copy(weights, place.path().join("alexnet.pth")).unwrap();
    std::fs::write(place.path().join("notes.txt"), "mine").unwrap();
    let import = ["weights", "import", "alexnet.pth", "--output", "alexnet.pth"];
    assert!(refused(place.path(), &import).contains("alexnet.pth: already exists"));
    assert_eq!(std::fs::read(place.path().join("alexnet.pth")).unwrap(), std::fs::read(weights).unwrap());
    let doctor = ["doctor", "--device", "cpu", "--output", "notes.txt"];
    assert!(refused(place.path(), &doctor).contains("notes.txt: is there already and no report of the doctor"));
    assert_eq!(std::fs::read_to_string(place.path().join("notes.txt")).unwrap(), "mine");
}

#[test]
fn numbers_that_nothing_can_be_trained_with_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    for (good, bad, name) in [
        ("momentum = 0.9", "momentum = 1.0", "optimizer.momentum is 1, expected"),
        ("momentum = 0.9", "momentum = -2.0", "optimizer.momentum is -2, expected"),
        ("head_rate = ", "head_rate = -", "optimizer.head_rate is -"),
        ("eps = 1e-3", "eps = nan", "network.bn_eps is NaN, expected"),
        ("decay = ", "decay = 1", "network.bn_decay is 1"),
        ("initial = ", "initial = -", "expected no number below 0"),
    ] {
        let quick = gal_bench::config::Profile::text("quick").unwrap();
        assert!(quick.contains(good), "{good}");
        std::fs::write(place.path().join("mine.toml"), quick.replacen(good, bad, 1)).unwrap();
        let sentence = refused(place.path(), &["doctor", "--device", "cpu", "--profile", "mine.toml"]);
        assert!(sentence.contains(name), "{sentence}");
    }
    let sentence = refused(place.path(), &["doctor", "--device", "cpu", "--threads", "2000"]);
    assert!(sentence.contains("--threads 2000: use 1 to 512"), "{sentence}");
}

/// Neither a reader who has gone nor a full disk behind standard output or standard error ends in a panic.
#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_is_no_fault_of_the_program() {
    let place = tempfile::tempdir().unwrap();
    let profile = || {
        let mut command = Command::new(cargo_bin!("gal-bench"));
        command.current_dir(place.path()).args(["profile", "quick"]);
        command
    };
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = profile().stdout(full()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: the result cannot be written to standard output: No space left"), "{text}");
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    assert!(profile().stdout(gone()).status().unwrap().success());
    celeba(&place.path().join("celeba"), &attributes(2, &good_row()), PARTITION);
    for (silent, prepared) in [(std::process::Stdio::from(gone()), "one"), (full().into(), "two")] {
        let mut command = Command::new(cargo_bin!("gal-bench"));
        let arguments = ["prepare", "--dataset", "celeba", "--root", "celeba", "--prepared", prepared];
        assert!(command.current_dir(place.path()).args(arguments).stderr(silent).status().unwrap().success());
    }
}
