//! Weights of other frameworks (`tests/golden/weights/make_weights.py` wrote the files): a network that starts from
//! them computes what it computes there, and files that cannot be imported are refused.

use assert_cmd::cargo::cargo_bin;
use candle_core::{DType, Device, Tensor};
use gal_bench::model::{Architecture, BackboneName, Imported, Pass, Path, Start, Trunk, import};
use gal_bench::nn::Parameters;
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

fn fixture(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(file(&format!("{name}.safetensors")), &Device::Cpu).unwrap()
}

fn swap(tensor: &Tensor) -> Tensor {
    tensor.to_dtype(DType::F32).unwrap().transpose(0, 1).unwrap().contiguous().unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor, relative: f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar::<f32>().unwrap();
    let (error, size) = (norm(&(found - expected).unwrap()), norm(expected));
    assert!(error <= relative * size, "{what}: off by {error:e}, norm {size:e}");
}

struct Network {
    trunk: Trunk,
    parameters: Parameters,
    imported: Imported,
}

/// A network that starts from the imported file, written and read again.
fn network(name: &str, input: usize, widths: [usize; 5], eps: f64, path: Path) -> Network {
    let imported = import(&file(name), None).unwrap();
    let place = tempfile::tempdir().unwrap();
    let written = place.path().join("weights.safetensors");
    imported.write(&file(name), &written).unwrap();
    let (backbone, (stride, _)) = (imported.backbone, imported.backbone.published());
    let architecture = Architecture { backbone, input, stride, widths, branch: 2, node: 1, eps, ..Architecture::PAPER };
    let parameters = Parameters::new(0);
    let trunk = Trunk::new(&architecture, path, &parameters, &Device::Cpu).unwrap();
    Start::read(&written).unwrap().apply(&architecture, &parameters, &trunk).unwrap();
    Network { trunk, parameters, imported }
}

const TORCHVISION: [(&str, [usize; 5]); 3] =
    [("alexnet", [4, 6, 8, 6, 4]), ("resnet18", [4, 4, 6, 6, 8]), ("resnet50", [4, 2, 2, 3, 3])];

#[test]
fn torchvisions_weights_give_torchvisions_features() {
    for (name, widths) in TORCHVISION {
        let fixture = fixture(name);
        for path in [Path::Fast, Path::Plain] {
            for eps in [1e-3, 1e-5] {
                let network = network(&format!("{name}.pth"), 75, widths, eps, path);
                assert_eq!(network.imported.backbone.to_string(), name);
                let features = network.trunk.features(&swap(&fixture["pixels"]), Pass::Evaluate).unwrap();
                assert_close(name, &swap(&features), &fixture["eval/features"], 1e-4);
            }
        }
    }
}

fn gradients_agree(pass: Pass, mode: &str, path: Path) {
    for (name, widths) in TORCHVISION {
        let fixture = fixture(name);
        let network = network(&format!("{name}.pth"), 75, widths, 1e-5, path);
        let features = network.trunk.features(&swap(&fixture["pixels"]), pass).unwrap();
        assert_close(name, &swap(&features), &fixture[&format!("{mode}/features")], 1e-4);
        let gradients = (features * swap(&fixture["weights"])).unwrap().sum_all().unwrap().backward().unwrap();
        let variables = network.parameters.all();
        let (mut compared, mut zeros) = (0, 0);
        for found in network.imported.matched.iter().filter(|found| variables.contains_key(&found.name)) {
            let gradient = gradients.get(&variables[&found.name]).unwrap();
            let what = format!("{name} {mode} {path:?} {}", found.name);
            let expected = &fixture[&format!("{mode}/grad/{}", found.source)];
            assert_close(&what, gradient, expected, 1e-3);
            let largest = expected.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            zeros += usize::from(largest == 0.0);
            compared += 1;
        }
        let expected = fixture.keys().filter(|key| key.starts_with(&format!("{mode}/grad/"))).count();
        assert_eq!(compared, expected, "every gradient of {name} is compared");
        // With two channels a ReLU may let nothing through.
        assert!(zeros * 5 <= compared, "{zeros} of {compared} gradients of {name} are zero");
    }
}

#[test]
fn training_gradients_of_torchvisions_networks_are_pytorchs() {
    gradients_agree(Pass::Train, "train", Path::Fast);
    gradients_agree(Pass::Train, "train", Path::Plain);
}

#[test]
fn evaluation_gradients_of_torchvisions_networks_are_pytorchs() {
    gradients_agree(Pass::Evaluate, "eval", Path::Plain);
}

#[test]
fn a_caffe_network_of_either_form_gives_its_own_features() {
    let fixture = fixture("caffe");
    for name in ["present.caffemodel", "old.caffemodel"] {
        let network = network(name, 99, [4, 8, 6, 6, 4], 1e-3, Path::Fast);
        assert_eq!(network.imported.backbone, BackboneName::AlexnetCvgj);
        assert!(network.imported.left_out.iter().any(|left| left.starts_with("fc6[0]")), "{name}");
        let features = network.trunk.features(&swap(&fixture["pixels"]), Pass::Evaluate).unwrap();
        assert_close(name, &swap(&features), &fixture["eval/features"], 1e-4);
    }
}

/// The sentence that importing these bytes ends in.
fn refused(name: &str, bytes: &[u8], arguments: &[&str]) -> String {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join(name), bytes).unwrap();
    let output = Command::new(cargo_bin!("gal-bench"))
        .current_dir(place.path())
        .args(["weights", "import", name, "--output", "out.safetensors"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(!place.path().join("out.safetensors").exists());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn files_that_cannot_be_imported_are_refused_in_a_sentence() {
    let caffe = std::fs::read(file("present.caffemodel")).unwrap();
    let torch = std::fs::read(file("resnet18.pth")).unwrap();
    for cut in [1, 100, caffe.len() / 2] {
        refused("cut.caffemodel", &caffe[..caffe.len() - cut], &[]);
    }
    for cut in [1, 100, torch.len() / 2] {
        refused("cut.pth", &torch[..torch.len() - cut], &[]);
    }
    assert!(refused("x.pth", b"text", &[]).contains("not a zip file"));
    assert!(refused("x.onnx", b"text", &[]).contains("no known format"));
    assert!(refused("x.caffemodel", b"", &[]).contains("no layer with weights"));
    assert!(refused("x.pth", &torch, &["--backbone", "resnet50"]).contains("weights of resnet18, not of resnet50"));
}
