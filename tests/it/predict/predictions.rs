//! What a trained network is used for: asking it about pictures, and handing it on to PyTorch.

use crate::train::trainer::TINY;
use assert_cmd::cargo::cargo_bin;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::dataset::{celeba, synthetic};
use gal_bench::evaluate::Predictions;
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Synthetic faces as JPEG files in CelebA's layout: 16 to train on, 2 to validate, 10 to test.
struct Faces {
    folder: tempfile::TempDir,
}

impl Faces {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let faces = synthetic::dataset(&synthetic::Options { train: 16, val: 2, test: 10, seed: 1 }).unwrap();
        let renderer = gal_bench::synthetic::Renderer::new(1).unwrap();
        for below in ["celeba/Anno", "celeba/Eval", "celeba/Img/img_align_celeba"] {
            std::fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        let (mut attributes, mut partition) = (format!("28\n{}\n", NAMES.join(" ")), String::new());
        for (row, face) in faces.rows().unwrap().iter().enumerate() {
            let name = format!("{:06}.jpg", row + 1);
            let labels = face.labels.map(|label| if label { "1" } else { "-1" });
            attributes.push_str(&[name.as_str(), " ", &labels.join(" "), "\n"].concat());
            let split = match row {
                0..16 => " 0\n",
                16..18 => " 1\n",
                _ => " 2\n",
            };
            partition.push_str(&[name.as_str(), split].concat());
            let path = folder.path().join("celeba/Img/img_align_celeba").join(name);
            image::imageops::resize(&renderer.render(row), 178, 218, image::imageops::FilterType::Triangle)
                .save(path)
                .unwrap();
        }
        std::fs::write(folder.path().join("celeba/Anno/list_attr_celeba.txt"), attributes).unwrap();
        std::fs::write(folder.path().join("celeba/Eval/list_eval_partition.txt"), partition).unwrap();
        let profile = TINY.replace(".synthetic]", ".celeba]").replace("steps = 40", "steps = 10");
        std::fs::write(folder.path().join("tiny.toml"), profile).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(cargo_bin!("gal-bench"));
        command.current_dir(self.folder.path()).args(arguments).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Trains on the faces as `format` stores them, in `runs`.
    fn train(&self, format: Format, runs: &str, variants: &[&str]) {
        let dataset = celeba::read(&self.path("celeba")).unwrap();
        let prepared = format!("prepared-{runs}");
        let options = store::Options { size: 48, format, ..store::Options::default() };
        store::prepare(&dataset, &self.path(&prepared), &options, &Progress::new(true)).unwrap();
        let variants: Vec<&str> = variants.iter().flat_map(|variant| ["--variant", *variant]).collect();
        let common = ["--dataset", "celeba", "--profile", "tiny.toml", "--device", "cpu", "--quiet"];
        self.done(&[&["train", "--prepared", &prepared, "--runs", runs], &common[..], &variants].concat());
    }

    fn predict(&self, runs: &str, run: &str, pictures: &[String]) -> Value {
        let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
        let first = ["predict", "--run", run, "--runs", runs, "--device", "cpu", "--quiet", "--json"];
        serde_json::from_slice(&self.done(&[&first[..], &pictures].concat())).unwrap()
    }
}

/// The test pictures in the manifest's order.
fn pictures() -> Vec<String> {
    (19..=28).map(|number| format!("celeba/Img/img_align_celeba/{number:06}.jpg")).collect()
}

fn probabilities(image: &Value, head: &str) -> Vec<f32> {
    NAMES.iter().map(|name| image[head][name].as_f64().unwrap() as f32).collect()
}

#[test]
fn a_test_image_is_given_the_very_probabilities_of_testing_whatever_the_format() {
    let faces = Faces::new();
    for (format, runs) in [(Format::Npy, "npy"), (Format::Virtual, "virtual"), (Format::Jpeg, "jpeg")] {
        faces.train(format, runs, &["gal-j"]);
        let run = "celeba-tiny-gal-j-seed0";
        let tested = Predictions::read(&faces.path(&format!("{runs}/{run}/predictions.parquet"))).unwrap();
        let predicted = faces.predict(runs, run, &pictures());
        assert_eq!(predicted["judged"], "cln");
        let images = predicted["images"].as_array().unwrap();
        assert_eq!(images.len(), 10);
        for (head, expected) in [("fln", tested.fln.unwrap()), ("cln", tested.cln.unwrap())] {
            let found: Vec<f32> = images.iter().flat_map(|image| probabilities(image, head)).collect();
            assert!(found == expected, "{head} of {runs}: {:?} and {:?}", &found[..4], &expected[..4]);
        }
    }
}

#[test]
fn a_picture_alone_is_given_what_it_is_given_among_others() {
    let faces = Faces::new();
    faces.train(Format::Npy, "runs", &["baseline"]);
    let run = "runs/celeba-tiny-baseline-seed0";
    let together = faces.predict("elsewhere", run, &["celeba/Img/img_align_celeba".to_owned()]);
    let alone = faces.predict("elsewhere", run, &["celeba/Img/img_align_celeba/000019.jpg".to_owned()]);
    assert_eq!(together["images"].as_array().unwrap().len(), 28);
    assert!(alone["images"][0]["cln"].is_null());
    let pairs =
        probabilities(&together["images"][18], "fln").into_iter().zip(probabilities(&alone["images"][0], "fln"));
    for (together, alone) in pairs {
        assert!((together - alone).abs() < 1e-6, "{together} {alone}");
    }
}

#[test]
fn text_and_csv_say_what_json_says() {
    let faces = Faces::new();
    faces.train(Format::Npy, "runs", &["gal-j"]);
    let (run, picture) = ("celeba-tiny-gal-j-seed0", pictures().remove(0));
    let expected = probabilities(&faces.predict("runs", run, std::slice::from_ref(&picture))["images"][0], "cln");
    let csv = String::from_utf8(faces.done(&["predict", "--run", run, "--csv", &picture])).unwrap();
    let found: Vec<f32> = csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse().unwrap()).collect();
    assert!(found == expected, "{csv}");
    let text = String::from_utf8(faces.done(&["predict", "--run", run, "--sort", "probability", &picture])).unwrap();
    let most = expected.iter().copied().fold(0.0, f32::max);
    assert!(text.lines().nth(1).unwrap().contains(&format!("{:.2}", 100.0 * most)), "{text}");
    assert_eq!(text.lines().count(), 1 + COUNT);
}

#[test]
fn a_checkpoint_of_another_network_is_refused_with_the_difference() {
    let faces = Faces::new();
    faces.train(Format::Npy, "runs", &["baseline", "gal-j"]);
    let config = faces.path("runs/celeba-tiny-gal-j-seed0/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let picture = pictures().remove(0);
    let ask = ["predict", "--run", "celeba-tiny-gal-j-seed0", &picture];
    std::fs::write(&config, text.replace("branch_channels = 3", "branch_channels = 5")).unwrap();
    let sentence = faces.refused(&ask);
    assert!(sentence.contains("branch_channels = 3") && sentence.contains("branch_channels = 5"), "{sentence}");
    std::fs::write(&config, text).unwrap();
    let other = faces.path("runs/celeba-tiny-baseline-seed0/checkpoint.safetensors");
    std::fs::copy(other, faces.path("runs/celeba-tiny-gal-j-seed0/checkpoint.safetensors")).unwrap();
    let sentence = faces.refused(&ask);
    assert!(sentence.contains("baseline") && sentence.contains("gal-j"), "{sentence}");
}

#[test]
fn a_run_that_is_not_there_or_not_finished_is_refused() {
    let faces = Faces::new();
    let picture = pictures().remove(0);
    assert!(faces.refused(&["predict", "--run", "nowhere", &picture]).contains("there is no run nowhere"));
    faces.train(Format::Npy, "runs", &["baseline"]);
    std::fs::remove_file(faces.path("runs/celeba-tiny-baseline-seed0/checkpoint.safetensors")).unwrap();
    let sentence = faces.refused(&["predict", "--run", "celeba-tiny-baseline-seed0", &picture]);
    assert!(sentence.contains("is not finished"), "{sentence}");
}

/// Names and shapes of a module's tensors, as PyTorch itself lists them: `tests/golden/export.py`.
fn golden(variant: &str) -> Value {
    let path = format!("{}/tests/golden/export.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()[variant].clone()
}

#[test]
fn an_export_has_the_names_and_shapes_of_the_modules_own_tensors() {
    let faces = Faces::new();
    let variants = ["baseline", "gal-j", "gal-p"];
    faces.train(Format::Npy, "runs", &variants);
    for variant in variants {
        let run = format!("celeba-tiny-{variant}-seed0");
        faces.done(&["export", "--run", &run, "--output", variant]);
        let bytes = std::fs::read(faces.path(&format!("{variant}/gal_net.safetensors"))).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut found = serde_json::Map::new();
        for (name, tensor) in tensors.tensors() {
            found.insert(name, tensor.shape().into());
        }
        assert_eq!(Value::from(found), golden(variant), "{variant}");
    }
}

#[test]
fn an_export_replaces_nothing_without_force() {
    let faces = Faces::new();
    faces.train(Format::Npy, "runs", &["baseline"]);
    let export = ["export", "--run", "celeba-tiny-baseline-seed0", "--output", "out"];
    faces.done(&export);
    assert!(faces.refused(&export).contains("already exists"));
    faces.done(&[&export[..], &["--force"]].concat());
}
