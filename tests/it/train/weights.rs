//! Imported weights give the outputs of their framework, and invalid files are refused.
//! `tests/golden/weights/make_weights.py` wrote the files.

use crate::common::gal_bench::GalBench;
use crate::common::training::TINY;
use crate::common::workspace::Workspace;
use candle_core::{DType, Device, Tensor};
use gal_bench::model::{Architecture, BackboneName, Backend, FeatureNet, Mode};
use gal_bench::nn::Parameters;
use gal_bench::weights::{Imported, PretrainedWeights, import};
use rand::RngExt;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::PathBuf;

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
    feature_net: FeatureNet,
    parameters: Parameters,
    imported: Imported,
}

/// A network with the weights of a file, imported, written and read.
fn network(name: &str, input: usize, widths: [usize; 5], eps: f64, backend: Backend) -> Network {
    let imported = import(&file(name), None).unwrap();
    let workspace = Workspace::new();
    let written = workspace.path("weights.safetensors");
    imported.write(&file(name), &written).unwrap();
    let (backbone, (stride, _)) = (imported.backbone, imported.backbone.published());
    let architecture = Architecture {
        backbone,
        input_size: input,
        stride,
        widths,
        branch_channels: 2,
        node_channels: 1,
        bn_eps: eps,
        ..Architecture::PAPER
    };
    let parameters = Parameters::new(0);
    let feature_net = FeatureNet::new(&architecture, backend, &parameters, &Device::Cpu).unwrap();
    PretrainedWeights::read(&written).unwrap().apply(&architecture, &parameters, &feature_net).unwrap();
    Network { feature_net, parameters, imported }
}

const TORCHVISION: [(&str, [usize; 5]); 3] =
    [("alexnet", [4, 6, 8, 6, 4]), ("resnet18", [4, 4, 6, 6, 8]), ("resnet50", [4, 2, 2, 3, 3])];

#[test]
fn torchvisions_weights_give_torchvisions_features() {
    for (name, widths) in TORCHVISION {
        let fixture = fixture(name);
        for backend in [Backend::Native, Backend::Reference] {
            for eps in [1e-3, 1e-5] {
                let network = network(&format!("{name}.pth"), 75, widths, eps, backend);
                assert_eq!(network.imported.backbone.to_string(), name);
                let features = network.feature_net.features(&swap(&fixture["pixels"]), Mode::Eval).unwrap();
                assert_close(name, &swap(&features), &fixture["eval/features"], 1e-4);
            }
        }
    }
}

fn gradients_agree(mode: Mode, prefix: &str, backend: Backend) {
    for (name, widths) in TORCHVISION {
        let fixture = fixture(name);
        let network = network(&format!("{name}.pth"), 75, widths, 1e-5, backend);
        let features = network.feature_net.features(&swap(&fixture["pixels"]), mode).unwrap();
        assert_close(name, &swap(&features), &fixture[&format!("{prefix}/features")], 1e-4);
        let gradients = (features * swap(&fixture["weights"])).unwrap().sum_all().unwrap().backward().unwrap();
        let variables = network.parameters.all();
        let (mut compared, mut zeros) = (0, 0);
        for found in network.imported.matched.iter().filter(|found| variables.contains_key(&found.name)) {
            let gradient = gradients.get(&variables[&found.name]).unwrap();
            let what = format!("{name} {prefix} {backend:?} {}", found.name);
            let expected = &fixture[&format!("{prefix}/grad/{}", found.source)];
            assert_close(&what, gradient, expected, 1e-3);
            let largest = expected.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            zeros += usize::from(largest == 0.0);
            compared += 1;
        }
        let expected = fixture.keys().filter(|key| key.starts_with(&format!("{prefix}/grad/"))).count();
        assert_eq!(compared, expected, "every gradient of {name} is compared");
        // With two channels a ReLU may block all gradients.
        assert!(zeros * 5 <= compared, "{zeros} of {compared} gradients of {name} are zero");
    }
}

#[test]
fn training_gradients_of_torchvisions_networks_are_pytorchs() {
    gradients_agree(Mode::Train, "train", Backend::Native);
    gradients_agree(Mode::Train, "train", Backend::Reference);
}

#[test]
fn evaluation_gradients_of_torchvisions_networks_are_pytorchs() {
    gradients_agree(Mode::Eval, "eval", Backend::Reference);
}

#[test]
fn scale_and_shift_of_the_pixels_have_the_same_gradients_on_both_backends() {
    for (name, widths) in TORCHVISION {
        let fixture = fixture(name);
        let [native, reference] = [Backend::Native, Backend::Reference].map(|backend| {
            let network = network(&format!("{name}.pth"), 75, widths, 1e-5, backend);
            let variables = network.parameters.all();
            for (name, values) in [("data_bn.weight", [0.7_f32, 1.2, 0.9]), ("data_bn.bias", [0.4, -0.5, 0.3])] {
                variables[name].set(&Tensor::new(&values, &Device::Cpu).unwrap()).unwrap();
            }
            let features = network.feature_net.features(&swap(&fixture["pixels"]), Mode::Train).unwrap();
            let weights = swap(&fixture["weights"]);
            let gradients = (&features * weights).unwrap().sum_all().unwrap().backward().unwrap();
            let of = |name: &str| gradients.get(&variables[name]).unwrap().clone();
            (features, ["data_bn.weight", "data_bn.bias", "conv1.weight"].map(|name| (name, of(name))))
        });
        assert_close(name, &native.0, &reference.0, 1e-4);
        for ((what, found), (_, expected)) in native.1.iter().zip(&reference.1) {
            assert_close(&format!("{name} {what}"), found, expected, 1e-3);
        }
    }
}

#[test]
fn a_caffe_network_of_either_form_gives_its_own_features() {
    let fixture = fixture("caffe");
    for name in ["present.caffemodel", "old.caffemodel"] {
        let network = network(name, 99, [4, 8, 6, 6, 4], 1e-3, Backend::Native);
        assert_eq!(network.imported.backbone, BackboneName::AlexnetCvgj);
        assert!(network.imported.left_out.iter().any(|left| left.starts_with("fc6[0]")), "{name}");
        let features = network.feature_net.features(&swap(&fixture["pixels"]), Mode::Eval).unwrap();
        assert_close(name, &swap(&features), &fixture["eval/features"], 1e-4);
    }
}

#[test]
fn the_converters_layers_of_any_pickle_give_caffes_features() {
    let fixture = fixture("caffe");
    for form in ["0", "2", "3", "4", "5", "python2"] {
        let name = format!("converted-{form}.npy");
        let network = network(&name, 99, [4, 8, 6, 6, 4], 1e-3, Backend::Native);
        assert_eq!(network.imported.backbone, BackboneName::AlexnetCvgj);
        assert_eq!(network.imported.left_out, ["fc6[biases] [2]", "fc6[weights] [4, 2]"], "{name}");
        let found = network.imported.matched.iter().find(|found| found.name == "conv1.weight").unwrap();
        assert_eq!((&*found.source_shape, &*found.how), (&[11, 11, 3, 4][..], "HWIO to OIHW, BGR to RGB"));
        let features = network.feature_net.features(&swap(&fixture["pixels"]), Mode::Eval).unwrap();
        assert_close(&name, &swap(&features), &fixture["eval/features"], 1e-4);
    }
}

#[test]
fn files_of_before_pytorch_1_6_give_the_same_weights() {
    for (name, forms) in [("alexnet", &["legacy", "oldest", "python2"][..]), ("resnet18", &["legacy"])] {
        let expected = import(&file(&format!("{name}.pth")), None).unwrap();
        for form in forms {
            let imported = import(&file(&format!("{name}-{form}.pth")), None).unwrap();
            assert_eq!(imported.left_out, expected.left_out, "{name} {form}");
            assert!(imported.tensors.keys().eq(expected.tensors.keys()), "{name} {form}");
            for (key, tensor) in &imported.tensors {
                assert_close(key, tensor, &expected.tensors[key], 0.0);
            }
        }
    }
}

/// The error of importing these bytes.
fn refused(name: &str, bytes: &[u8], arguments: &[&str]) -> String {
    let workspace = Workspace::new();
    workspace.write(name, bytes);
    let import = workspace.gal_bench(&format!("weights import {name} --output out.safetensors")).args(arguments);
    let finished = import.finishes();
    assert!(!workspace.exists("out.safetensors"));
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    finished.error()
}

#[test]
fn invalid_files_are_refused_in_one_sentence() {
    let caffe = std::fs::read(file("present.caffemodel")).unwrap();
    let torch = std::fs::read(file("resnet18.pth")).unwrap();
    for cut in [1, 100, caffe.len() / 2] {
        refused("cut.caffemodel", &caffe[..caffe.len() - cut], &[]);
    }
    let (legacy, array) = (std::fs::read(file("resnet18-legacy.pth")), std::fs::read(file("converted-4.npy")));
    for (name, whole) in [("cut.pth", &torch), ("cut.pth", &legacy.unwrap()), ("cut.npy", &array.unwrap())] {
        for cut in [1, 100, whole.len() / 2, whole.len() - 20] {
            refused(name, &whole[..whole.len() - cut], &[]);
        }
    }
    assert!(refused("x.pth", b"text", &[]).contains("neither a zip file nor of torch.save's older form"));
    let mut flipped = std::fs::read(file("alexnet.pth")).unwrap();
    flipped[6_000] ^= 1;
    assert!(refused("x.pth", &flipped, &[]).contains("Invalid checksum"));
    assert!(refused("x.onnx", b"text", &[]).contains("no known format"));
    assert!(refused("x.caffemodel", b"", &[]).contains("is empty"));
    assert!(refused("x.pth", &torch, &["--backbone", "resnet50"]).contains("weights of resnet18, not of resnet50"));
}

#[test]
fn a_pickle_may_build_only_arrays() {
    let code = b"cposix\nsystem\n(S'touch pwned'\ntR.";
    let message = refused("x.npy", code, &[]);
    assert!(message.contains("its pickle imports posix.system, which arrays of numbers do not need"), "{message}");
    let array = std::fs::read(file("converted-2.npy")).unwrap();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = array.windows(from.len()).position(|window| window == from).unwrap();
        [&array[..at], to, &array[at + from.len()..]].concat()
    };
    assert!(refused("x.npy", &replaced(b"\0<", b"\0>"), &[]).contains("neither little-endian float32 nor float64"));
    assert!(refused("x.npy", &replaced(b"|O", b"<f"), &[]).contains("one array of numbers"));
    assert!(refused("x.npy", &replaced(b"conv1", b"first"), &[]).contains("holds no known network"));
}

/// A pickle of these operations.
fn pickled(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x02", &*parts.concat(), b"."].concat()
}

/// A text of a pickle.
fn text(content: &str) -> Vec<u8> {
    [b"X", &(content.len() as u32).to_le_bytes()[..], content.as_bytes()].concat()
}

#[test]
fn an_error_quotes_at_most_one_short_line_of_a_file() {
    for name in ["two\nlines", &"very long ".repeat(50)] {
        let layer = pickled(&[b"}", &text(name), b"Ns"]);
        let message = refused("x.npy", &layer, &[]);
        assert!(message.contains("is no dictionary of arrays") && message.len() < 300, "{message}");
        let asked = pickled(&[&text("os"), &text(name), b"\x93"]);
        let message = refused("x.npy", &asked, &[]);
        assert!(message.contains("which arrays of numbers do not need") && message.len() < 300, "{message}");
    }
}

#[test]
fn a_file_without_a_state_dict_is_named() {
    let zip = |pickle: &[u8]| zip(&[("x/data.pkl", pickle)]);
    let module = zip(&pickled(&[b"ctorch.nn.modules.conv\nConv2d\n)R"]));
    assert!(refused("x.pth", &module, &[]).contains("holds a whole module: a state_dict is expected"));
    let checkpoint = zip(&pickled(&[b"}", &text("state_dict"), b"}", &text("w"), b"Nss"]));
    let message = refused("x.pth", &checkpoint, &[]);
    assert!(message.contains("no tensors but a dictionary `state_dict`"), "{message}");
}

#[test]
fn big_endian_numbers_are_refused() {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(file("alexnet.pth")).unwrap()).unwrap();
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.name().unwrap().into_owned(), content));
    }
    let written = |entries: &[(String, Vec<u8>)]| {
        zip(&entries.iter().map(|(name, content)| (&**name, &**content)).collect::<Vec<_>>())
    };
    let workspace = Workspace::new();
    import(&workspace.write("same.pth", written(&entries)), None).unwrap();
    let order = entries.iter_mut().find(|(name, _)| name.ends_with("/byteorder")).unwrap();
    assert_eq!(order.1, b"little");
    order.1 = b"big".to_vec();
    assert!(refused("x.pth", &written(&entries), &[]).contains("its numbers are not little-endian"));
}

/// A zip file of these entries.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(*name, stored).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A field of a Protocol Buffers message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = if number < 16 { vec![number << 3 | 2] } else { vec![(number << 3 | 2) | 0x80, number >> 4] };
    let mut length = content.len();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [&*bytes, content].concat()
}

/// Small files that describe more data than fits in memory.
#[cfg(target_os = "linux")]
#[test]
fn no_file_uses_much_more_memory_than_its_size() {
    let refused = |name: &str, bytes: &[u8], sentence: &str| {
        let workspace = Workspace::new();
        workspace.write(name, bytes);
        let import = format!("weights import {name} --output out.safetensors");
        GalBench::limited(workspace.root(), "ulimit -v 2000000", &import).fails_with(sentence);
    };
    // The widths of two convolutions equal the file's values, so that the weights between them would be the square.
    let width = 1 << 16;
    let blob = |shape: &[u8], values: usize| [field(7, &field(1, shape)), field(5, &vec![0; 4 * values])].concat();
    let wide = |shape: &[u8], values: usize| -> Vec<u8> {
        let layer = |k| field(100, &[field(1, format!("conv{k}").as_bytes()), field(7, &blob(shape, values))].concat());
        (1..=5).flat_map(layer).collect()
    };
    refused("wide.caffemodel", &wide(&[0x80, 0x80, 4], width), "has nothing for conv1.bias of alexnet-cvgj");
    refused("empty.caffemodel", &wide(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0], 0), "has no numbers for conv1.weight");
    // Blobs without numbers, each with a name that contains the layer's.
    let blobs = field(7, &field(7, &field(1, &[0]))).repeat(1 << 16);
    let named = field(100, &[field(1, &vec![b'a'; 1 << 20]), blobs].concat());
    refused("named.caffemodel", &named, "more numbers than the file has bytes");

    // One array or tensor under many names.
    let zeros = vec![0; 4 << 15];
    let array = [
        b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR(K\x01M\x00\x80\x85cnumpy\ndtype\n",
        &*text("f4"),
        b"\x89\x88\x87R(K\x03",
        &text("<"),
        b"NNNtb\x89B\0\0\x02\0",
        &*zeros,
        b"tb",
    ]
    .concat();
    let keys: Vec<u8> = (0..50_000).flat_map(|key| [&*text(&key.to_string()), b"h\x00"].concat()).collect();
    let named = |value: &[u8]| [b"}(", &*text("first"), value, b"q\x00", &keys, b"u"].concat();
    let layers = pickled(&[b"}", &text("layer"), &named(&array), b"s"]);
    refused("again.npy", &layers, "more numbers than the file has bytes");
    let id = [b"(", &*text("storage"), b"ctorch\nFloatStorage\n", &text("0"), &text("cpu"), b"M\x00\x80tQ"].concat();
    let tensor = [b"ctorch._utils\n_rebuild_tensor_v2\n(", &*id, b"K\x00M\x00\x80\x85K\x01\x85\x89NtR"].concat();
    let state = pickled(&[&named(&tensor)]);
    let archive = zip(&[("x/data.pkl", &state), ("x/data/0", &*zeros)]);
    refused("again.pth", &archive, "repeats too many of its numbers");

    // One text encoded many times, arguments shared by many calls, and too many values.
    let encode = [b"c_codecs\nencode\nq\x00", &*text(&"a".repeat(1 << 20)), &text("latin1"), b"\x86q\x01"].concat();
    refused("encoded.npy", &pickled(&[&encode, &b"h\x00h\x01R".repeat(1 << 16)]), "encodes one text too many times");
    let shared = [b"cnumpy\ndtype\nq\x00(N", &*b"h\x00".repeat(1 << 18), b"tq\x01"].concat();
    refused("shared.npy", &pickled(&[&shared, &b"h\x00h\x01R".repeat(1 << 14)]), "it holds no dictionary");
    refused("values.npy", &vec![b'N'; 1 << 25], "more than 1048576 operations");
}

/// Importing a damaged file ends in weights or in an error of one line.
#[test]
fn no_damaged_file_crashes_the_import() {
    let workspace = Workspace::new();
    let mut random = gal_bench::random::generator(3, &[]);
    for name in [
        "present.caffemodel",
        "old.caffemodel",
        "converted-0.npy",
        "converted-2.npy",
        "converted-5.npy",
        "converted-python2.npy",
        "alexnet.pth",
        "alexnet-legacy.pth",
        "alexnet-oldest.pth",
        "alexnet-python2.pth",
    ] {
        let whole = std::fs::read(file(name)).unwrap();
        let damaged = workspace.path(name);
        for round in 0..200 {
            let mut bytes = whole.clone();
            // Most of a file is numbers; their layout is at its ends.
            let near = random.random_range(0..whole.len().min(if round % 2 == 0 { 1_500 } else { usize::MAX }));
            let at = if round % 4 == 0 { whole.len() - 1 - near } else { near };
            bytes[at] = random.random();
            bytes.truncate(if round % 8 == 7 { at } else { whole.len() });
            std::fs::write(&damaged, bytes).unwrap();
            if let Err(error) = import(&damaged, None) {
                assert_eq!(error.exit_code(), 2, "{name}, byte {at}: {error}");
                assert_eq!(error.to_string().lines().count(), 1, "{name}, byte {at}: {error}");
            }
        }
    }
}

/// A workspace with imported weights of Caffe in `caffe.safetensors`, and others. The learning rate is constant.
fn from_caffe(initial: f64) -> Workspace {
    let profile = TINY
        .replace("widths = [4, 4, 4, 4, 4]", "widths = [4, 8, 6, 6, 4]")
        .replace("log_every = 4", "log_every = 1")
        .replace("initial = 0.01, power = 1.0", &format!("initial = {initial}, power = 0.0"));
    let workspace = Workspace::trainable_with(&profile);
    for (source, output) in [
        ("present.caffemodel", "caffe.safetensors"),
        ("converted-4.npy", "converted.safetensors"),
        ("resnet18.pth", "resnet18.safetensors"),
    ] {
        import(&file(source), None).unwrap().write(&file(source), &workspace.path(output)).unwrap();
    }
    workspace
}

fn train(workspace: &Workspace, runs: &str, arguments: &[&str]) -> GalBench {
    let usual = "train --prepared prepared --device cpu --profile tiny.toml --seed 5 --variant baseline";
    workspace.gal_bench(&format!("{usual} --runs {runs}")).args(arguments)
}

fn trained(workspace: &Workspace, runs: &str, arguments: &[&str]) -> PathBuf {
    train(workspace, runs, arguments).succeeds();
    workspace.run(runs, "baseline")
}

fn tensors(path: &std::path::Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

#[test]
fn a_run_starts_from_the_given_weights() {
    // With a learning rate of 0 a run ends with its initial weights.
    let workspace = from_caffe(0.0);
    let folders =
        [trained(&workspace, "given", &["--weights", "caffe.safetensors"]), trained(&workspace, "random", &[])];
    let [given, random] = folders.each_ref().map(|folder| tensors(&folder.join("model.safetensors")));
    let imported = tensors(&workspace.path("caffe.safetensors"));
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for layer in 1..=5 {
        for name in [format!("conv{layer}.weight"), format!("conv{layer}.bias")] {
            assert_eq!(values(&given[&name]), values(&imported[&name]), "{name}");
            assert_ne!(values(&random[&name]), values(&imported[&name]), "{name}");
        }
    }
    assert_eq!(values(&given["branch.conv.weight"]), values(&random["branch.conv.weight"]));
    let losses = folders.each_ref().map(|folder| {
        let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        let first: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
        assert_eq!(first["step"], 1);
        first["loss_fln"].as_f64().unwrap()
    });
    assert!((losses[0] - losses[1]).abs() > 0.01, "{losses:?}");
}

#[test]
fn a_run_records_its_weights_and_resumes_only_with_them() {
    let workspace = from_caffe(0.01);
    let folder = trained(&workspace, "runs", &["--weights", "caffe.safetensors"]);
    let digest = |name: &str| blake3::hash(&workspace.bytes(name)).to_hex().to_string();
    let config = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let own = digest("caffe.safetensors");
    assert!(config.contains(&format!("[profile.initial_weights]\ndigest = \"{own}\"")), "{config}");
    assert!(config.contains("origin = \"present.caffemodel (blake3 "), "{config}");

    // As if the run had been killed before its end.
    std::fs::remove_file(folder.join("summary.json")).unwrap();
    let refused = |arguments: &[&str], started: &str| {
        let was = format!("it started from the weights {own}, imported from present.caffemodel");
        let error = train(&workspace, "runs", arguments).fails_with(&was);
        assert!(error.contains(started), "{error}");
    };
    refused(&[], "this one from random weights");
    let other = format!("this one from the weights {}, imported from converted-4.npy", digest("converted.safetensors"));
    refused(&["--weights", "converted.safetensors"], &other);
    std::fs::copy(workspace.path("converted.safetensors"), workspace.path("caffe.safetensors")).unwrap();
    refused(&["--weights", "caffe.safetensors"], &other);
}

#[test]
fn weights_that_do_not_fit_a_run_are_refused() {
    let workspace = from_caffe(0.01);
    workspace.write("text", "text");
    for (weights, sentence) in [
        ("nowhere", "cannot read nowhere"),
        ("text", "text: is not a file of `gal-bench weights import`"),
        ("resnet18.safetensors", "holds weights of resnet18; the profile's backbone is alexnet-cvgj"),
        (file("caffe.safetensors").to_str().unwrap(), "is not a file of `gal-bench weights import`: its metadata"),
        (file("resnet18.pth").to_str().unwrap(), "is not a file of `gal-bench weights import`"),
    ] {
        let finished = train(&workspace, "runs", &["--quiet", "--weights", weights]).finishes();
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        let error = finished.error();
        assert!(error.contains(sentence), "{error}");
        assert!(!workspace.exists("runs"), "{weights} left something");
    }
    train(&workspace, "runs", &["--weights", "caffe.safetensors", "--variant", "resnet18"])
        .fails_with("the variant resnet18 has another backbone");
    workspace.write("tiny.toml", workspace.read("tiny.toml").replace("[4, 8, ", "[4, 4, "));
    train(&workspace, "runs", &["--weights", "caffe.safetensors"]).fails_with("leave `widths` out of the profile");
}

#[test]
fn the_recorded_command_reproduces_the_runs() {
    let workspace = from_caffe(0.01);
    std::fs::rename(workspace.path("caffe.safetensors"), workspace.path("my weights")).unwrap();
    let folder = trained(&workspace, "runs", &["--variant", "gal-p", "--weights", "my weights"]);
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let command = summary["command"].as_str().unwrap();
    assert_eq!(
        command,
        "gal-bench train --dataset synthetic --profile tiny.toml --variant baseline --variant gal-p --seed 5 \
         --weights 'my weights'"
    );
    let words = shlex::split(command).unwrap();
    let again = workspace.gal_bench("").args(&words[1..]);
    again.args(["--prepared", "prepared", "--runs", "again", "--device", "cpu"]).succeeds();
    let runs = |runs: &str| {
        let mut names: Vec<_> =
            std::fs::read_dir(workspace.path(runs)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(runs("runs").len(), 2);
    assert_eq!(runs("runs"), runs("again"));
    for run in runs("runs") {
        let bytes = |runs: &str| std::fs::read(workspace.path(runs).join(&run).join("model.safetensors")).unwrap();
        assert!(bytes("runs") == bytes("again"), "{} differs", run.display());
    }
}
