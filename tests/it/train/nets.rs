//! Outputs and gradients of the compared nets equal those of PyTorch (`tests/golden/make_nets.py`, `make_heads.py`).

use super::golden::{assert_close, difference, hash, logits, one_hot, sample};
use candle_core::{Device, Tensor, Var};
use gal_bench::model::{
    Architecture, Backend, FeatureNet, LabelCounts, Mode, NetInput, correlation_net, error_affinity, is_fixed_graph,
    loss,
};
use gal_bench::nn::{Gated, Parameters};
use gal_bench::variant::{Kind, VARIANTS, Variant};
use std::collections::BTreeMap;

const BATCH: usize = 3;
const SIDE: usize = 2;

/// A network with the fixture's sizes.
fn architecture() -> Architecture {
    let architecture = Architecture {
        input_size: 66,
        stride: 2,
        widths: [6; 5],
        branch_channels: 4,
        node_channels: 10,
        ..Architecture::PAPER
    };
    assert_eq!(architecture.map_size(), Ok(SIDE));
    architecture
}

fn values(name: &str, shape: &[usize], scale: f32, shift: f32) -> Tensor {
    let unit = |i: u64| (hash(name, i) >> 40) as f32 / 8_388_608.0 - 1.0;
    let count = shape.iter().product::<usize>() as u64;
    Tensor::from_vec((0..count).map(|i| unit(i) * scale + shift).collect(), shape, &Device::Cpu).unwrap()
}

/// A parameter's value in the script.
fn parameter(net: &str, name: &str, shape: &[usize]) -> Tensor {
    let (scale, shift) = match name {
        _ if name.contains("norm") && name.ends_with("weight") => (0.1, 1.0),
        "cln.temperature" if net == "gal-cosine" => (0.5, 5.0),
        "cln.temperature" => (0.1, 0.3),
        _ => (0.3, 0.0),
    };
    values(&format!("{net}/{name}"), shape, scale, shift)
}

fn labels(fixture: &BTreeMap<String, Tensor>) -> LabelCounts {
    let mut counts = LabelCounts::default();
    for row in fixture["labels"].to_vec2::<u8>().unwrap() {
        let mut labels = [None; 40];
        labels.iter_mut().zip(row).for_each(|(label, value)| *label = Some(value == 1));
        counts.add(&labels);
    }
    counts
}

fn fixture() -> BTreeMap<String, Tensor> {
    let path = format!("{}/tests/golden/nets.safetensors", env!("CARGO_MANIFEST_DIR"));
    candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect()
}

#[test]
fn compared_nets_agree_with_pytorch_on_both_backends() {
    let fixture = fixture();
    let architecture = architecture();
    let bits = (0..BATCH * 40).map(|i| (hash("nets/targets", i as u64) >> 63) as u32).collect();
    let targets = one_hot(&Tensor::from_vec(bits, (BATCH, 40), &Device::Cpu).unwrap());
    let fln = values("nets/logits", &[BATCH, 40, 2], 1.0, 0.0).permute((1, 2, 0)).unwrap().contiguous().unwrap();
    let map = values("nets/map", &[BATCH, 6, SIDE, SIDE], 1.0, 0.0).transpose(0, 1).unwrap().contiguous().unwrap();
    let gated = values("nets/gated", &[40, 4, BATCH * SIDE * SIDE], 1.0, 0.0);
    let is_known = |i: usize| hash("nets/known", (i % BATCH * 40 + i / BATCH) as u64).is_multiple_of(3);
    let mask = (0..40 * BATCH).map(|i| f32::from(u8::from(is_known(i)))).collect();
    let mask = Tensor::from_vec(mask, (40, 1, BATCH), &Device::Cpu).unwrap();
    let known = Some(targets.broadcast_mul(&mask).unwrap());
    let input = NetInput { gated, logits: fln, map, known };
    let mut compared = 0;
    // Nets that differ from a paper's net only in their graph, or from another one only in their FLN, have no case.
    let nets =
        VARIANTS.iter().filter(|v| v.kind == Kind::Compared && fixture.contains_key(&format!("{}/loss", v.name)));
    for variant in nets {
        let name = variant.name;
        compared += 1;
        for backend in [Backend::Native, Backend::Reference] {
            let parameters = Parameters::new(0);
            let kind = variant.net.unwrap();
            let net = correlation_net(kind, &architecture, backend, &parameters, &Device::Cpu).unwrap();
            let all = parameters.all();
            let value = |(key, variable): (&String, &Var)| {
                let graph = || fixture[if name == "gal-e" { "errors" } else { "normalized" }].clone();
                let value = if is_fixed_graph(key) { graph() } else { parameter(name, key, variable.dims()) };
                (key.clone(), value)
            };
            parameters.load(&all.iter().map(value).collect()).unwrap();
            let output = net.forward(&input).unwrap();
            let expected = |key: &str| &fixture[&format!("{name}/{key}")];
            let title = |key: &str| format!("{name}, {key}, {backend:?}");
            assert_close(&title("logits"), &logits(&output.logits), expected("logits"), 1e-4, 0.0);
            match output.affinity {
                Some(weights) => assert_close(&title("weights"), &weights, expected("weights"), 1e-4, 0.0),
                None => assert!(!fixture.contains_key(&format!("{name}/weights")), "{name}"),
            }
            let loss = loss(&output.logits, &targets).unwrap();
            assert_close(&title("loss"), &loss, expected("loss"), 1e-5, 0.0);
            let gradients = loss.backward().unwrap();
            let trained = all.iter().filter(|(key, _)| !is_fixed_graph(key));
            let largest = trained.clone().map(|(key, _)| norm(expected(&format!("norm/{key}")))).fold(0.0, f64::max);
            for (key, variable) in trained {
                let gradient = gradients.get(variable).unwrap();
                let (key, floor) = (format!("gradient/{key}"), 1e-6 * largest);
                assert_close(&title(&key), &sample(gradient), expected(&key), 1e-4, floor);
                let (found, wanted) = (norm(gradient), norm(expected(&key.replace("gradient", "norm"))));
                assert!((found - wanted).abs() <= 1e-4 * wanted + floor, "{}: {found} for {wanted}", title(&key));
            }
            let known = fixture.keys().filter(|key| key.starts_with(&format!("{name}/gradient/"))).count();
            assert_eq!(
                known,
                all.keys().filter(|key| !is_fixed_graph(key)).count(),
                "{name}: every parameter is compared"
            );
        }
    }
    assert_eq!(compared, 13);
}

fn norm(tensor: &Tensor) -> f64 {
    difference(&tensor.zeros_like().unwrap(), tensor).1
}

#[test]
fn the_label_graph_is_that_of_ml_gcn() {
    let fixture = fixture();
    let counts = labels(&fixture);
    for (name, found) in [("affinity", counts.affinity()), ("normalized", counts.normalized())] {
        let found = Tensor::from_vec(found, (40, 40), &Device::Cpu).unwrap();
        assert_close(name, &found, &fixture[name], 1e-6, 0.0);
        assert!(difference(&found, &Tensor::eye(40, candle_core::DType::F32, &Device::Cpu).unwrap()).0 > 0.1);
    }
}

#[test]
fn the_error_affinity_is_that_of_lu_and_others() {
    let fixture = fixture();
    let values = |name: &str| fixture[name].flatten_all().unwrap();
    let known = values("unknown").to_vec1::<u8>().unwrap().into_iter().map(|unknown| unknown == 0);
    let labels = values("labels").to_vec1::<u8>().unwrap().into_iter().zip(known);
    let labels: Vec<Option<bool>> = labels.map(|(label, known)| known.then_some(label == 1)).collect();
    let found = error_affinity(&labels, &values("probabilities").to_vec1().unwrap());
    let found = Tensor::from_vec(found, (40, 40), &Device::Cpu).unwrap();
    assert_close("errors", &found, &fixture["errors"], 1e-6, 0.0);
}

/// The variants without branches whose layers have a case of their own.
const HEADS: [&str; 4] = ["moon-unbalanced", "dmtl", "mcnn", "ml-decoder"];

#[test]
fn layers_without_branches_agree_with_pytorch_on_both_backends() {
    let path = format!("{}/tests/golden/heads.safetensors", env!("CARGO_MANIFEST_DIR"));
    let fixture: BTreeMap<String, Tensor> =
        candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect();
    let bits = (0..BATCH * 40).map(|i| (hash("heads/targets", i as u64) >> 63) as u32).collect();
    let targets = one_hot(&Tensor::from_vec(bits, (BATCH, 40), &Device::Cpu).unwrap());
    let map = values("heads/map", &[BATCH, 6, SIDE, SIDE], 1.0, 0.0).transpose(0, 1).unwrap().contiguous().unwrap();
    let map = Var::from_tensor(&map).unwrap();
    for name in HEADS {
        for backend in [Backend::Native, Backend::Reference] {
            let parameters = Parameters::new(0);
            let layers = Variant::named(name).unwrap().layers;
            let net = FeatureNet::with_layers(&architecture(), layers, backend, &parameters, &Device::Cpu).unwrap();
            let all = parameters.all();
            let head = || all.iter().filter(|(key, _)| key.starts_with("head."));
            for (key, variable) in head() {
                let is_norm = key.ends_with("bn.weight") || (key.contains("norm") && key.ends_with("weight"));
                let (scale, shift) = if is_norm { (0.1, 1.0) } else { (0.3, 0.0) };
                variable.set(&values(&format!("{name}/{key}"), variable.dims(), scale, shift)).unwrap();
            }
            let output = net.branches(&map, Mode::Train, Gated::Off, None).unwrap();
            assert!(output.mask.is_none() && output.gated.is_none());
            let expected = |key: &str| &fixture[&format!("{name}/{key}")];
            let title = |key: &str| format!("{name}, {key}, {backend:?}");
            assert_close(&title("logits"), &logits(&output.logits), expected("logits"), 1e-4, 0.0);
            let loss = loss(&output.logits, &targets).unwrap();
            assert_close(&title("loss"), &loss, expected("loss"), 1e-5, 0.0);
            let gradients = loss.backward().unwrap();
            // Some gradients are 0 except for rounding: a softmax does not depend on the bias of its keys.
            let expected_gradients = || fixture.iter().filter(|(key, _)| key.starts_with(&format!("{name}/gradient/")));
            let floor = 1e-6 * expected_gradients().map(|(_, gradient)| norm(gradient)).fold(0.0, f64::max);
            let of_map = gradients.get(&map).unwrap().transpose(0, 1).unwrap();
            assert_close(&title("map"), &of_map, expected("gradient/map"), 1e-4, 0.0);
            for (key, variable) in head() {
                let (key, gradient) = (format!("gradient/{key}"), gradients.get(variable).unwrap());
                assert_close(&title(&key), gradient, expected(&key), 1e-4, floor);
            }
            // One of them is that of the map.
            assert_eq!(expected_gradients().count(), head().count() + 1, "{name}: every parameter is compared");
            for (key, statistic) in net.running().iter().filter(|(key, _)| key.starts_with("head.")) {
                assert_close(&title(key), statistic, expected(key), 1e-5, 0.0);
            }
        }
    }
}
