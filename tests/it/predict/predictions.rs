//! Uses of a trained network: predicting images, and exporting it to PyTorch and ONNX.

use crate::common::celeba_files::CelebaFiles;
use crate::common::images::{face, jpeg};
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use gal_bench::attribute::{COUNT, NAMES};
use gal_bench::dataset::{celeba, synthetic};
use gal_bench::evaluate::Predictions;
use gal_bench::io::protobuf::{Value as Field, fields};
use gal_bench::progress::Progress;
use gal_bench::store::{self, Format};
use gal_bench::synthetic::Renderer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

/// Synthetic faces as JPEG files in CelebA's layout: 16 to train on, 2 to validate, 10 to test.
fn faces() -> Workspace {
    faces_for(TINY)
}

fn faces_for(profile: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("tiny.toml", profile.replace(".synthetic]", ".celeba]").replace("steps = 40", "steps = 10"));
    let faces = synthetic::dataset(&synthetic::Options { train: 16, val: 2, test: 10, seed: 1 }).unwrap();
    let renderer = Renderer::new(1).unwrap();
    let mut files = CelebaFiles::new(&workspace.path("celeba"));
    for (row, annotated) in faces.rows().unwrap().iter().enumerate() {
        let split = match row {
            0..16 => 0,
            16..18 => 1,
            _ => 2,
        };
        files.add(annotated.labels.map(Option::unwrap_or_default), split, jpeg(&face(&renderer, row), 75));
    }
    files.finish();
    workspace
}

/// Trains on the faces as `format` stores them, in `runs`.
fn train(workspace: &Workspace, format: Format, runs: &str, variants: &[&str]) {
    let dataset = celeba::read(&workspace.path("celeba")).unwrap();
    let prepared = format!("prepared-{runs}");
    let options = store::Options { size: 48, format, ..store::Options::default() };
    store::prepare(&dataset, &workspace.path(&prepared), &options, &Progress::new(true)).unwrap();
    let train = format!("train --dataset celeba --profile tiny.toml --device cpu --prepared {prepared} --runs {runs}");
    workspace.gal_bench(&train).args(variants.iter().flat_map(|variant| ["--variant", *variant])).succeeds();
}

fn predict(workspace: &Workspace, runs: &str, run: &str, images: &[String]) -> Value {
    workspace.gal_bench(&format!("predict --run {run} --runs {runs} --device cpu")).args(images).json()
}

/// The test images in the manifest's order.
fn images() -> Vec<String> {
    (19..=28).map(|number| format!("celeba/Img/img_align_celeba/{number:06}.jpg")).collect()
}

fn probabilities(image: &Value, head: &str) -> Vec<f32> {
    NAMES.iter().map(|name| image[head][name].as_f64().unwrap() as f32).collect()
}

#[test]
fn predicting_the_test_split_reproduces_its_probabilities_in_every_format() {
    let faces = faces();
    for (format, runs) in [(Format::Npy, "npy"), (Format::Virtual, "virtual"), (Format::Jpeg, "jpeg")] {
        train(&faces, format, runs, &["gal-j"]);
        let run = "celeba-tiny-gal-j-seed0";
        let tested = Predictions::read(&faces.path(format!("{runs}/{run}/predictions.parquet")), None).unwrap();
        let predicted = predict(&faces, runs, run, &images());
        assert_eq!(predicted["primary_head"], "cln");
        let images = predicted["images"].as_array().unwrap();
        assert_eq!(images.len(), 10);
        for (head, expected) in [("fln", tested.fln.unwrap()), ("cln", tested.cln.unwrap())] {
            let found: Vec<f32> = images.iter().flat_map(|image| probabilities(image, head)).collect();
            assert!(found == expected, "{head} of {runs}: {:?} and {:?}", &found[..4], &expected[..4]);
        }
    }
}

#[test]
fn known_labels_change_the_predictions_of_a_network_that_takes_them() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["transformer", "transformer-known"]);
    let run = "celeba-tiny-transformer-known-seed0";
    let tested = Predictions::read(&faces.path(format!("runs/{run}/predictions.parquet")), None).unwrap();
    let male = NAMES.iter().position(|name| *name == "Male").unwrap();
    let predicted = |known: &str| -> (Vec<f32>, Vec<f32>) {
        let found = faces.gal_bench(&format!("predict --run {run} --device cpu{known}")).args(images()).json();
        let of_head = |head| found["images"].as_array().unwrap().iter().flat_map(|i| probabilities(i, head)).collect();
        (of_head("fln"), of_head("cln"))
    };
    let without = predicted("");
    assert!(without.1 == tested.cln.unwrap());
    let [yes, no] = [predicted(" --known Male=1"), predicted(" --known male=0,Young=1")];
    assert!(yes.0 == without.0 && no.0 == without.0, "the FLN takes no labels");
    for (known, value) in [(&yes.1, 1.0), (&no.1, 0.0)] {
        for (found, other) in known.chunks(COUNT).zip(without.1.chunks(COUNT)) {
            assert!((found[male] - value).abs() < f32::EPSILON);
            let changed = found.iter().zip(other).filter(|(a, b)| (*a - *b).abs() > 1e-6).count();
            assert!(changed > COUNT / 2, "{changed}");
        }
    }
    for (arguments, words) in [
        (format!("{run} --known Male=1,male=0"), "Male has two known labels"),
        (
            "celeba-tiny-transformer-seed0 --known Male=1".to_owned(),
            "takes no known labels: name a run of transformer-known",
        ),
    ] {
        faces.gal_bench(&format!("predict --device cpu --run {arguments}")).args(images()).fails_with(words);
    }
}

#[test]
fn predictions_averaged_over_the_mirror_image_are_reproduced_too() {
    let faces = faces();
    let profile = faces.read("tiny.toml").replace("[images]", "[evaluation]\nmirror = true\n[images]");
    faces.write("tiny.toml", profile);
    train(&faces, Format::Npy, "runs", &["gal-j"]);
    let run = "celeba-tiny-gal-j-seed0";
    let read = |name: &str| Predictions::read(&faces.path(format!("runs/{run}/{name}")), None).unwrap().cln.unwrap();
    let (tested, plain) = (read("predictions.parquet"), read("predictions-plain.parquet"));
    let predicted = predict(&faces, "runs", run, &images());
    let images = predicted["images"].as_array().unwrap();
    let found: Vec<f32> = images.iter().flat_map(|image| probabilities(image, "cln")).collect();
    assert!(found == tested && found != plain);
    faces.gal_bench(&format!("export --run {run} --output out")).succeeds();
    assert_eq!(metadata(&faces, "out")["mirror"], true);
}

#[test]
fn the_untrained_head_of_a_network_that_learns_from_its_correlation_net_alone_predicts_nothing() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["cln-only"]);
    let run = "celeba-tiny-cln-only-seed0";
    let tested = Predictions::read(&faces.path(format!("runs/{run}/predictions.parquet")), None).unwrap();
    let details = faces.gal_bench(&format!("predict --run {run} --device cpu --details")).args(images()).json();
    assert_eq!(details["primary_head"], "cln");
    let found = details["images"].as_array().unwrap();
    assert!(found.iter().all(|image| image["fln"].is_null() && image["logits_fln"].is_null()), "{found:?}");
    assert!(found.iter().all(|image| image["logits_cln"].is_array()), "{found:?}");
    let cln: Vec<f32> = found.iter().flat_map(|image| probabilities(image, "cln")).collect();
    assert!(tested.fln.is_none() && tested.cln.unwrap() == cln);
    let csv = faces.gal_bench(&format!("predict --run {run} --csv {}", images()[0])).succeeds().stdout;
    assert!(csv.lines().skip(1).all(|line| line.split(',').nth(2) == Some("")), "{csv}");
}

#[test]
fn a_single_image_gets_the_probabilities_that_it_gets_among_others() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["baseline"]);
    let run = "runs/celeba-tiny-baseline-seed0";
    let together = predict(&faces, "elsewhere", run, &["celeba/Img/img_align_celeba".to_owned()]);
    let alone = predict(&faces, "elsewhere", run, &["celeba/Img/img_align_celeba/000019.jpg".to_owned()]);
    assert_eq!(together["images"].as_array().unwrap().len(), 28);
    assert!(alone["images"][0]["cln"].is_null());
    let pairs =
        probabilities(&together["images"][18], "fln").into_iter().zip(probabilities(&alone["images"][0], "fln"));
    for (together, alone) in pairs {
        assert!((together - alone).abs() < 1e-6, "{together} {alone}");
    }
}

#[test]
fn text_and_csv_agree_with_json() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["gal-j"]);
    let (run, image) = ("celeba-tiny-gal-j-seed0", images().remove(0));
    let expected = probabilities(&predict(&faces, "runs", run, std::slice::from_ref(&image))["images"][0], "cln");
    let csv = faces.gal_bench(&format!("predict --run {run} --csv {image}")).succeeds().stdout;
    let found: Vec<f32> = csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse().unwrap()).collect();
    assert!(found == expected, "{csv}");
    let text = faces.gal_bench(&format!("predict --run {run} --sort probability {image}")).succeeds().stdout;
    let most = expected.iter().copied().fold(0.0, f32::max);
    assert!(text.lines().nth(1).unwrap().contains(&format!("{:.2}", 100.0 * most)), "{text}");
    assert_eq!(text.lines().count(), 1 + COUNT);
}

#[test]
fn a_checkpoint_of_another_network_is_refused_with_the_difference() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["baseline", "gal-j"]);
    let config = "runs/celeba-tiny-gal-j-seed0/config.toml";
    let text = faces.read(config);
    let ask = format!("predict --run celeba-tiny-gal-j-seed0 {}", images()[0]);
    faces.write(config, text.replace("branch_channels = 3", "branch = 5"));
    let error = faces.gal_bench(&ask).fails_with("branch_channels = 3");
    assert!(error.contains("branch_channels = 5"), "{error}");
    faces.write(config, text);
    let other = faces.path("runs/celeba-tiny-baseline-seed0/model.safetensors");
    std::fs::copy(other, faces.path("runs/celeba-tiny-gal-j-seed0/model.safetensors")).unwrap();
    let error = faces.gal_bench(&ask).fails_with("baseline");
    assert!(error.contains("gal-j"), "{error}");
}

#[test]
fn a_missing_or_unfinished_run_is_refused() {
    let faces = faces();
    let image = images().remove(0);
    faces.gal_bench(&format!("predict --run nowhere {image}")).fails_with("there is no run nowhere");
    train(&faces, Format::Npy, "runs", &["baseline"]);
    faces.remove("runs/celeba-tiny-baseline-seed0/model.safetensors");
    faces.gal_bench(&format!("predict --run celeba-tiny-baseline-seed0 {image}")).fails_with("is not finished");
}

#[test]
fn a_model_with_its_former_name_is_predicted_with_and_exported() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["baseline"]);
    let run = faces.path("runs/celeba-tiny-baseline-seed0");
    let (image, id) = (images().remove(0), "celeba-tiny-baseline-seed0");
    let before = predict(&faces, "runs", id, std::slice::from_ref(&image));
    std::fs::rename(run.join("model.safetensors"), run.join("checkpoint.safetensors")).unwrap();
    assert_eq!(predict(&faces, "runs", id, &[image]), before);
    faces.gal_bench(&format!("export --run {id} --output out")).succeeds();
}

/// Names and shapes of a module's tensors, as PyTorch itself lists them: `tests/golden/export.py`.
fn golden(variant: &str) -> Value {
    let path = format!("{}/tests/golden/export.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()[variant].clone()
}

/// The metadata from which the module in `folder` builds the network.
fn metadata(workspace: &Workspace, folder: &str) -> Value {
    let bytes = workspace.bytes(&format!("{folder}/gal_net.safetensors"));
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()["gal-bench"]).unwrap()
}

#[test]
fn an_export_has_the_names_and_shapes_of_the_modules_own_tensors() {
    let faces = faces();
    let variants = ["baseline", "gal-j", "gal-p"];
    train(&faces, Format::Npy, "runs", &variants);
    for variant in variants {
        faces.gal_bench(&format!("export --run celeba-tiny-{variant}-seed0 --output {variant}")).succeeds();
        let bytes = faces.bytes(&format!("{variant}/gal_net.safetensors"));
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut found = serde_json::Map::new();
        for (name, tensor) in tensors.tensors() {
            found.insert(name, tensor.shape().into());
        }
        assert_eq!(Value::from(found), golden(variant), "{variant}");
    }
}

#[test]
fn a_network_without_its_last_pool_is_trained_predicted_with_and_exported() {
    let faces = faces_for(&TINY.replace("stride = 2", "stride = 2\nlast_pool = false"));
    train(&faces, Format::Npy, "runs", &["gal-j"]);
    let run = "celeba-tiny-gal-j-seed0";
    assert!(faces.read(&format!("runs/{run}/config.toml")).contains("last_pool = false"));
    let tested = Predictions::read(&faces.path(format!("runs/{run}/predictions.parquet")), None).unwrap();
    let predicted = predict(&faces, "runs", run, &images());
    assert_eq!(probabilities(&predicted["images"][0], "cln"), tested.cln.unwrap()[..COUNT]);
    faces.gal_bench(&format!("export --run {run} --output out")).succeeds();
    let metadata = metadata(&faces, "out");
    assert!(metadata.get("mirror").is_none());
    // A map of 3 x 3, where the pool would leave 1 x 1.
    assert_eq!((&metadata["last_pool"], &metadata["positions"]), (&false.into(), &9.into()));
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_and_named_at_the_end() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["baseline"]);
    let run = "celeba-tiny-baseline-seed0";
    let all = predict(&faces, "runs", run, &images());
    let folder = "celeba/Img/img_align_celeba";
    let whole = faces.bytes(&format!("{folder}/000020.jpg"));
    for (name, bytes) in [("000019.jpg", &whole[..whole.len() / 2]), ("000021.jpg", b"GIF89a"), ("._000022.jpg", b"")] {
        faces.write(&format!("{folder}/{name}"), bytes);
    }
    std::fs::rename(faces.path(folder), faces.path("faces")).unwrap();
    let predict = || faces.gal_bench(&format!("predict --run {run} --device cpu faces"));
    let finished = predict().args(["--csv"]).finishes();
    let rows = |name: &str| finished.stdout.lines().filter(|line| line.starts_with(&format!("faces/{name},"))).count();
    assert_eq!((rows("000020.jpg"), rows("000028.jpg"), rows("000019.jpg"), rows("000021.jpg")), (COUNT, COUNT, 0, 0));
    assert_eq!(finished.code, Some(2));
    let error = finished.stderr.lines().last().unwrap();
    assert!(
        error.starts_with("error: 2 of 28 images left out: faces/000019.jpg: is not a complete JPEG image"),
        "{error}"
    );
    assert!(error.contains("; faces/000021.jpg: is neither a JPEG nor a PNG image"), "{error}");
    let result: Value = serde_json::from_str(&predict().args(["--json"]).finishes().stdout).unwrap();
    assert_eq!(result["unreadable"][1]["image"], "faces/000021.jpg");
    let of_20 = result["images"].as_array().unwrap().iter().find(|image| image["image"] == "faces/000020.jpg").unwrap();
    let apart = probabilities(of_20, "fln")
        .iter()
        .zip(probabilities(&all["images"][1], "fln"))
        .any(|(a, b)| (a - b).abs() > 1e-6);
    assert!(!apart);
}

#[test]
fn an_export_replaces_nothing_without_force() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["baseline"]);
    let export = || faces.gal_bench("export --run celeba-tiny-baseline-seed0 --output out");
    export().succeeds();
    export().fails_with("already exists");
    export().args(["--force"]).succeeds();
}

#[test]
fn a_list_on_standard_input_is_predicted_line_by_line_in_its_order() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["gal-j"]);
    let run = "celeba-tiny-gal-j-seed0";
    let stream = |list: &str, arguments: &[&str]| {
        let list = File::open(faces.write("list.txt", list)).unwrap();
        faces.gal_bench(&format!("predict --run {run} --device cpu -")).args(arguments).stdin(list).finishes()
    };
    let objects = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let whole = stream(&images().join("\n"), &["--quiet"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let expected = predict(&faces, "runs", run, &images());
    assert_eq!(&objects(&whole.stdout), expected["images"].as_array().unwrap());

    faces.write("broken\u{1b}.jpg", "GIF89a");
    let [first, second] = [0, 9].map(|i| images().remove(i));
    let broken = stream(&format!("{second}\nbroken\u{1b}.jpg\n\nnowhere.jpg\n{first}\n"), &[]);
    let found = objects(&broken.stdout);
    let names: Vec<&str> = found.iter().map(|object| object["image"].as_str().unwrap()).collect();
    assert_eq!(names, [&*second, "broken\u{1b}.jpg", "nowhere.jpg", &*first]);
    let errors: Vec<bool> = found.iter().map(|object| object["error"].is_string()).collect();
    assert_eq!(errors, [false, true, true, false]);
    assert!(!broken.stdout.contains('\u{1b}'));
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.ends_with("error: 2 of 4 images cannot be read: each has its error in its line\n"));

    assert_eq!(stream("", &[]).succeeded().stdout, "");
    assert!(stream("", &["--csv"]).error().contains("neither --csv nor --details"));
}

/// A tensor of an ONNX model: sizes and bytes.
type OnnxTensor = (Vec<u64>, Vec<u8>);

/// The tensors of an ONNX model, and the names of the values that its nodes read before any node wrote them.
fn onnx(model: &[u8]) -> (BTreeMap<String, OnnxTensor>, BTreeSet<String>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let messages = |message: &[u8], wanted: u64| -> Vec<Vec<u8>> {
        let all = fields(message).map(Result::unwrap);
        all.filter_map(|field| match field {
            (number, Field::Bytes(bytes)) if number == wanted => Some(bytes.to_vec()),
            _ => None,
        })
        .collect()
    };
    let graph = messages(model, 7).remove(0);
    let mut tensors = BTreeMap::new();
    for tensor in messages(&graph, 5) {
        let sizes = fields(&tensor).filter_map(|field| match field.unwrap() {
            (1, Field::Number(size)) => Some(size),
            _ => None,
        });
        tensors.insert(text(&messages(&tensor, 8)[0]), (sizes.collect(), messages(&tensor, 9).remove(0)));
    }
    let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
    for node in messages(&graph, 1) {
        read.extend(messages(&node, 1).iter().map(|name| text(name)).filter(|name| !written.contains(name)));
        written.extend(messages(&node, 2).iter().map(|name| text(name)));
    }
    (tensors, read)
}

#[test]
fn an_onnx_model_has_the_tensors_of_the_module_and_uses_each() {
    let faces = faces();
    let variants = ["gal-p", "gatv2"];
    train(&faces, Format::Npy, "runs", &variants);
    for variant in variants {
        let run = format!("celeba-tiny-{variant}-seed0");
        for format in ["onnx", "pytorch"] {
            faces.gal_bench(&format!("export --run {run} --format {format} --output {variant}-{format}")).succeeds();
            assert!(faces.read(&format!("{variant}-{format}/README.md")).contains(&format!("\n# {run}\n")));
        }
        let (mut tensors, mut read) = onnx(&faces.bytes(&format!("{variant}-onnx/gal_net.onnx")));
        assert!(read.remove("pixels"));
        assert_eq!(read, tensors.keys().cloned().collect(), "{variant}");
        tensors.retain(|name, _| !name.starts_with("constant_"));
        let bytes = faces.bytes(&format!("{variant}-pytorch/gal_net.safetensors"));
        let module = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let module = module.iter().map(|(name, tensor)| {
            let sizes = tensor.shape().iter().map(|size| *size as u64).collect();
            (name.to_owned(), (sizes, tensor.data().to_vec()))
        });
        assert!(tensors == module.collect(), "{variant}");
    }
}

#[test]
fn a_model_card_has_the_accuracy_that_the_predictions_give() {
    let faces = faces();
    train(&faces, Format::Npy, "runs", &["gal-j"]);
    let run = "celeba-tiny-gal-j-seed0";
    let card = |folder: &str| {
        faces.gal_bench(&format!("export --run {run} --output {folder}")).succeeds();
        faces.read(&format!("{folder}/README.md"))
    };
    let predictions = Predictions::read(&faces.path(format!("runs/{run}/predictions.parquet")), None).unwrap();
    let correct =
        predictions.labels.iter().zip(predictions.cln.unwrap()).filter(|(label, p)| **label == Some(*p > 0.5));
    let mean = format!("the mean accuracy over 40 attributes is {:.2} %", 100.0 * correct.count() as f64 / 400.0);
    let evaluated = card("evaluated");
    assert!(evaluated.contains(&mean) && evaluated.contains("without an interval: 10 "), "{evaluated}");
    // Figures on another test split are not those of CelebA.
    assert!(!evaluated.contains("model-index"), "{evaluated}");
    faces.remove(&format!("runs/{run}/predictions.parquet"));
    let alone = card("alone");
    assert!(alone.contains("this card has no accuracy") && !alone.contains("mean accuracy"), "{alone}");
}
