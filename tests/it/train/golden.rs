//! Outputs, losses, gradients, running statistics and a hundred training steps equal those of an independent PyTorch
//! implementation (`tests/golden/network.py`).

use candle_core::{DType, Device, Tensor, Var};
use gal_bench::model::{
    Architecture, Backend, CorrelationNet, FeatureNet, FeatureOutput, Mode, NetInput, correlation_net, loss,
};
use gal_bench::nn::{
    ConvBlock, ConvParameters, Gated, MomentumSgd, ParamGroup, Parameters, Precision, Statistics, Tail,
};
use gal_bench::variant::{Affinity, Net, NodeLayout};
use std::collections::BTreeMap;

const SMALL: Architecture = Architecture {
    input_size: 67,
    stride: 2,
    widths: [12, 16, 24, 24, 16],
    branch_channels: 8,
    node_channels: 10,
    bn_eps: 1e-3,
    bn_decay: 0.999,
    ..Architecture::PAPER
};

/// The network of `streams`.
const STREAMS: Architecture = Architecture {
    input_size: 43,
    stride: 2,
    widths: [8; 5],
    last_pool: false,
    branch_channels: 3,
    ..Architecture::PAPER
};

struct Fixture(BTreeMap<String, Tensor>);

impl Fixture {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/golden/network/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect())
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    fn scalar(&self, name: &str) -> f64 {
        f64::from(self.get(name).flatten_all().unwrap().to_vec1::<f32>().unwrap()[0])
    }

    /// All tensors below `prefix`, by the remainder of their names.
    fn below(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        self.0.iter().filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
    }

    /// Pixels `[3, batch, h, w]` and one-hot targets `[40, 2, batch]`.
    fn batch(&self, pixels: &str, labels: &str) -> (Tensor, Tensor) {
        let pixels = self.get(pixels).to_dtype(DType::F32).unwrap().transpose(0, 1).unwrap().contiguous().unwrap();
        (pixels, one_hot(self.get(labels)))
    }
}

pub(super) fn one_hot(labels: &Tensor) -> Tensor {
    let yes = labels.to_dtype(DType::F32).unwrap().t().unwrap();
    Tensor::stack(&[&(1.0 - &yes).unwrap(), &yes], 1).unwrap().contiguous().unwrap()
}

/// The paper's correlation net.
fn paper(affinity: Affinity) -> Net {
    Net::GraphAttention(affinity, NodeLayout::Own)
}

/// The input of a correlation net that reads gated features only.
fn features_of(out: &FeatureOutput) -> NetInput {
    NetInput { gated: out.gated.clone().unwrap(), logits: out.logits.clone(), map: out.logits.clone(), known: None }
}

struct Network {
    feature_net: FeatureNet,
    cln: Box<dyn CorrelationNet>,
    fln_parameters: Parameters,
    cln_parameters: Parameters,
}

impl Network {
    fn new(fixture: &Fixture, prefix: &str, decay: f64, affinity: Affinity, backend: Backend) -> Self {
        Self::of(&Architecture { bn_decay: decay, ..SMALL }, fixture, prefix, affinity, backend)
    }

    fn of(architecture: &Architecture, fixture: &Fixture, prefix: &str, affinity: Affinity, backend: Backend) -> Self {
        let (fln_parameters, cln_parameters) = (Parameters::new(0), Parameters::new(0));
        let feature_net = FeatureNet::new(architecture, backend, &fln_parameters, &Device::Cpu).unwrap();
        let cln = correlation_net(paper(affinity), architecture, backend, &cln_parameters, &Device::Cpu).unwrap();
        let (head, body): (BTreeMap<_, _>, BTreeMap<_, _>) =
            fixture.below(&format!("{prefix}/parameter/")).into_iter().partition(|(name, _)| name.starts_with("cln."));
        fln_parameters.load(&body).unwrap();
        cln_parameters.load(&head).unwrap();
        feature_net.load_running(&fixture.below(&format!("{prefix}/running/"))).unwrap();
        Self { feature_net, cln, fln_parameters, cln_parameters }
    }

    fn variables(&self) -> BTreeMap<String, candle_core::Var> {
        self.fln_parameters.all().into_iter().chain(self.cln_parameters.all()).collect()
    }
}

pub(super) fn difference(found: &Tensor, expected: &Tensor) -> (f64, f64) {
    let flat = |t: &Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (found, expected) = (flat(found), flat(expected));
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    (norm(&mut found.iter().zip(&expected).map(|(a, b)| a - b)), norm(&mut expected.iter().copied()))
}

pub(super) fn assert_close(name: &str, found: &Tensor, expected: &Tensor, relative: f64, floor: f64) {
    let (error, norm) = difference(found, expected);
    assert!(error <= relative * norm + floor, "{name}: off by {error:e}, norm {norm:e}");
}

/// Permutes `[40, 2, batch]` to the fixtures' `[batch, 40, 2]`.
pub(super) fn logits(ours: &Tensor) -> Tensor {
    ours.permute((2, 0, 1)).unwrap().contiguous().unwrap()
}

fn compare(case: &str, batch: usize, affinity: Affinity, mode: Mode, backend: Backend) {
    let fixture = Fixture::read("small");
    let network = Network::new(&fixture, "small", fixture.scalar("small/decay"), affinity, backend);
    let (pixels, targets) = fixture.batch(&format!("small/batch{batch}/pixels"), &format!("small/batch{batch}/labels"));
    let out = network.feature_net.forward(&pixels, mode, true).unwrap();
    let refined = network.cln.forward(&features_of(&out)).unwrap();
    let (fln, cln) = (loss(&out.logits, &targets).unwrap(), loss(&refined.logits, &targets).unwrap());
    let cln_case = if affinity == Affinity::Groups { format!("{case}/prior") } else { case.to_owned() };
    assert_close("FLN logits", &logits(&out.logits), fixture.get(&format!("{case}/fln")), 1e-4, 0.0);
    assert_close("CLN logits", &logits(&refined.logits), fixture.get(&format!("{cln_case}/cln")), 1e-4, 0.0);
    assert_close("FLN loss", &fln, fixture.get(&format!("{case}/loss_fln")), 1e-5, 0.0);
    assert_close("CLN loss", &cln, fixture.get(&format!("{cln_case}/loss_cln")), 1e-5, 0.0);
    let affinity_name = if affinity == Affinity::Groups { "small/affinity/prior" } else { &format!("{case}/affinity") };
    assert_close("affinity", refined.affinity.as_ref().unwrap(), fixture.get(affinity_name), 1e-4, 0.0);
    if mode == Mode::Train {
        for (name, running) in network.feature_net.running() {
            assert_close(name, running, fixture.get(&format!("{case}/running/{name}")), 1e-5, 1e-5);
        }
    }
    // The native backend saves nothing for a backward pass in evaluation.
    if mode == Mode::Eval && backend == Backend::Native {
        return;
    }
    let gradients = (fln + cln).unwrap().backward().unwrap();
    let names = network.variables();
    assert_eq!(names.len(), 38, "every parameter tensor is compared");
    let norms = names.keys().map(|name| {
        let from = if name.starts_with("cln.") { &cln_case } else { case };
        difference(fixture.get(&format!("{from}/grad/{name}")), fixture.get(&format!("{from}/grad/{name}"))).1
    });
    // Batch statistics cancel some biases: their true gradient is zero, so rounding is relative to the others.
    let floor = 1e-6 * norms.fold(0.0, f64::max);
    for (name, variable) in &names {
        let from = if name.starts_with("cln.") { &cln_case } else { case };
        let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name} has no gradient"));
        assert_close(name, gradient, fixture.get(&format!("{from}/grad/{name}")), 1e-4, floor);
    }
}

#[test]
fn training_mode_agrees_with_pytorch_on_both_backends() {
    for batch in [2, 5] {
        for backend in [Backend::Native, Backend::Reference] {
            compare(&format!("small/train{batch}"), batch, Affinity::Learned, Mode::Train, backend);
            compare(&format!("small/train{batch}"), batch, Affinity::Groups, Mode::Train, backend);
        }
    }
}

#[test]
fn evaluation_mode_agrees_with_pytorch_on_both_backends() {
    for batch in [2, 5] {
        for backend in [Backend::Native, Backend::Reference] {
            compare(&format!("small/eval{batch}"), batch, Affinity::Learned, Mode::Eval, backend);
            compare(&format!("small/eval{batch}"), batch, Affinity::Groups, Mode::Eval, backend);
        }
    }
}

#[test]
fn gradients_of_one_stream_agree_with_pytorch_on_both_backends() {
    let fixture = Fixture::read("streams");
    let (pixels, targets) = fixture.batch("streams/pixels", "streams/labels");
    let cases = [("one", 38), ("cln-only", 36)];
    for ((streams, trained), backend) in
        cases.into_iter().flat_map(|case| [(case, Backend::Native), (case, Backend::Reference)])
    {
        let network = Network::of(&STREAMS, &fixture, "streams", Affinity::Learned, backend);
        let features = network.feature_net.features(&pixels, Mode::Train).unwrap();
        let out = network.feature_net.branches(&features, Mode::Train, Gated::Tracked, None).unwrap();
        let refined = network.cln.forward(&features_of(&out)).unwrap();
        let (fln, cln) = (loss(&out.logits, &targets).unwrap(), loss(&refined.logits, &targets).unwrap());
        assert_close("FLN logits", &logits(&out.logits), fixture.get("streams/fln"), 1e-4, 0.0);
        assert_close("CLN logits", &logits(&refined.logits), fixture.get("streams/cln"), 1e-4, 0.0);
        let total = if streams == "one" { (fln + cln).unwrap() } else { cln };
        let (gradients, expected) = (total.backward().unwrap(), fixture.below(&format!("streams/{streams}/grad/")));
        assert_eq!(expected.len(), trained);
        let floor = 1e-6 * expected.values().map(|gradient| difference(gradient, gradient).1).fold(0.0, f64::max);
        let variables = network.variables();
        for (name, expected) in &expected {
            let gradient = gradients.get(&variables[name]).unwrap_or_else(|| panic!("{name} has no gradient"));
            assert_close(&format!("{streams}, {backend:?}, {name}"), gradient, expected, 1e-4, floor);
        }
    }
}

#[test]
fn gradients_of_partly_known_labels_agree_with_pytorch_on_both_backends() {
    let (fixture, masked) = (Fixture::read("streams"), Fixture::read("masked"));
    let (pixels, targets) = fixture.batch("streams/pixels", "streams/labels");
    let known = masked.get("masked/known").to_dtype(DType::F32).unwrap().t().unwrap().unsqueeze(1).unwrap();
    let targets = targets.broadcast_mul(&known).unwrap();
    for backend in [Backend::Native, Backend::Reference] {
        let network = Network::of(&STREAMS, &fixture, "streams", Affinity::Learned, backend);
        let features = network.feature_net.features(&pixels, Mode::Train).unwrap();
        let out = network.feature_net.branches(&features, Mode::Train, Gated::Tracked, None).unwrap();
        let refined = network.cln.forward(&features_of(&out)).unwrap();
        let (fln, cln) = (loss(&out.logits, &targets).unwrap(), loss(&refined.logits, &targets).unwrap());
        assert_close("FLN loss", &fln, masked.get("masked/loss_fln"), 1e-5, 0.0);
        assert_close("CLN loss", &cln, masked.get("masked/loss_cln"), 1e-5, 0.0);
        let (gradients, expected) = ((fln + cln).unwrap().backward().unwrap(), masked.below("masked/grad/"));
        assert_eq!(expected.len(), 38);
        let floor = 1e-6 * expected.values().map(|gradient| difference(gradient, gradient).1).fold(0.0, f64::max);
        let variables = network.variables();
        for (name, expected) in &expected {
            let gradient = gradients.get(&variables[name]).unwrap_or_else(|| panic!("{name} has no gradient"));
            assert_close(&format!("{backend:?}, {name}"), gradient, expected, 1e-4, floor);
        }
        // An attribute without a label trains no classifier.
        for name in ["branch.fc.weight", "cln.fc.weight"] {
            let of_attribute = gradients.get(&variables[name]).unwrap().narrow(0, 7, 1).unwrap();
            assert!(of_attribute.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|value| *value == 0.0));
        }
    }
}

#[test]
fn the_paper_size_network_has_the_papers_parameters() {
    let (fln_parameters, cln_parameters) = (Parameters::new(0), Parameters::new(0));
    FeatureNet::new(&Architecture::PAPER, Backend::Native, &fln_parameters, &Device::Cpu).unwrap();
    correlation_net(paper(Affinity::Learned), &Architecture::PAPER, Backend::Native, &cln_parameters, &Device::Cpu)
        .unwrap();
    let count = |parameters: &Parameters, branch: bool| -> usize {
        parameters.all().iter().filter(|(n, _)| n.starts_with("branch.") == branch).map(|(_, v)| v.elem_count()).sum()
    };
    assert_eq!(count(&fln_parameters, false), 2_336_838);
    assert_eq!(count(&fln_parameters, true), 40 * 66_899);
    assert_eq!(count(&cln_parameters, false), 40 * 3_292);
}

#[test]
fn a_hundred_steps_follow_pytorchs_loss_curve() {
    let fixture = Fixture::read("hundred");
    let network = Network::new(&fixture, "hundred", 0.99, Affinity::Learned, Backend::Native);
    let values = |name: &str| fixture.get(name).to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
    let (rates, fln_curve, cln_curve) =
        (values("hundred/rate"), values("hundred/loss_fln"), values("hundred/loss_cln"));
    let (pixels, targets) = fixture.batch("hundred/pixels", "hundred/labels");
    let (weights, rest): (Vec<_>, Vec<_>) =
        network.variables().into_iter().partition(|(name, _)| gal_bench::model::has_weight_decay(name));
    let group = |variables, decay| ParamGroup { variables, lr_scale: 1.0, weight_decay: decay };
    let mut optimizer = MomentumSgd::new(vec![group(weights, 5e-4), group(rest, 0.0)], 0.9).unwrap();
    assert_eq!(rates.len(), 100);
    for step in 0..100 {
        let first = 8 * step % 64;
        let batch = |t: &Tensor, axis| t.narrow(axis, first, 8).unwrap().contiguous().unwrap();
        let (pixels, targets) = (batch(&pixels, 1), batch(&targets, 2));
        let out = network.feature_net.forward(&pixels, Mode::Train, true).unwrap();
        let fln = loss(&out.logits, &targets).unwrap();
        let cln = loss(&network.cln.forward(&features_of(&out)).unwrap().logits, &targets).unwrap();
        for (name, found, expected) in [("FLN", &fln, fln_curve[step]), ("CLN", &cln, cln_curve[step])] {
            let found = f64::from(found.to_scalar::<f32>().unwrap());
            let error = (found - expected).abs() / expected.max(1.0);
            // Rounding accumulates: PyTorch's float32 deviates from its float64 by as much.
            let tolerance = if step < 20 { 1e-5 } else { 1e-4 };
            assert!(error <= tolerance, "{name} loss of step {step}: {found}, PyTorch {expected}");
        }
        let gradients = (fln + cln).unwrap().backward().unwrap();
        optimizer.step(&gradients, rates[step]).unwrap();
    }
}

#[test]
fn convolution_blocks_of_odd_shapes_agree_with_pytorch() {
    let fixture = operations();
    let shape_of = "/stride_padding_groups_pool";
    let cases: Vec<String> =
        fixture.below("ops/block/").keys().filter_map(|k| k.strip_suffix(shape_of)).map(str::to_owned).collect();
    assert_eq!(cases.len(), 11);
    for case in cases {
        let get = |name: &str| fixture.get(&format!("ops/block/{case}/{name}"));
        let shape = get("stride_padding_groups_pool").to_vec1::<i64>().unwrap();
        let size = |index: usize| usize::try_from(shape[index]).unwrap();
        let block = ConvBlock {
            stride: size(0),
            padding: size(1),
            groups: size(2),
            tail: Tail::rectified(shape[3] == 1),
            eps: 1e-3,
        };
        let swap = |t: &Tensor| t.transpose(0, 1).unwrap().contiguous().unwrap();
        for reference in [false, true] {
            let var = |t: &Tensor| Var::from_tensor(t).unwrap();
            let x = var(&swap(get("input")));
            let [weight, bias, gamma, beta] = ["weight", "bias", "bn.weight", "bn.bias"].map(|name| var(get(name)));
            let p = ConvParameters {
                weight: weight.as_tensor().clone(),
                bias: bias.as_tensor().clone(),
                gamma: gamma.as_tensor().clone(),
                beta: beta.as_tensor().clone(),
            };
            let (y, moments) = if reference {
                block.forward_reference(x.as_tensor(), &p, None, &Statistics::Batch, Precision::Single).unwrap()
            } else {
                block.forward(x.as_tensor(), &p, &Statistics::Batch).unwrap()
            };
            let moments = moments.unwrap();
            let close = |name: &str, found: &Tensor, floor: f64| {
                assert_close(&format!("{case} {name}, reference {reference}"), found, get(name), 1e-4, floor);
            };
            close("output", &swap(&y), 0.0);
            close("batch_mean", &moments.mean, 1e-6);
            close("batch_var", &moments.variance, 0.0);
            let gradients = (&y * swap(get("output_grad"))).unwrap().sum_all().unwrap().backward().unwrap();
            // With one value per channel the gradient is zero, so rounding is relative to the output's gradient.
            let floor = 1e-6 * difference(get("output_grad"), get("output_grad")).1;
            close("grad/input", &swap(gradients.get(&x).unwrap()), floor);
            close("grad/weight", gradients.get(&weight).unwrap(), 10.0 * floor);
            close("grad/bn.weight", gradients.get(&gamma).unwrap(), floor);
            close("grad/bn.bias", gradients.get(&beta).unwrap(), floor);
        }
    }
}

/// Tensors of `tests/golden/ops.safetensors`.
fn operations() -> Fixture {
    let path = format!("{}/tests/golden/ops.safetensors", env!("CARGO_MANIFEST_DIR"));
    Fixture(candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect())
}

#[test]
fn max_pools_of_odd_shapes_agree_with_pytorch() {
    let fixture = operations();
    for case in ["side13", "side8", "side3"] {
        let get = |name: &str| fixture.get(&format!("ops/max_pool/{case}/{name}"));
        let x = Var::from_tensor(get("input")).unwrap();
        let y = gal_bench::nn::max_pool(x.as_tensor()).unwrap();
        assert_close(&format!("{case} output"), &y, get("output"), 0.0, 0.0);
        let gradients = (&y * get("output_grad")).unwrap().sum_all().unwrap().backward().unwrap();
        assert_close(&format!("{case} gradient"), gradients.get(&x).unwrap(), get("grad/input"), 1e-6, 0.0);
    }
}

#[test]
fn branches_of_odd_shapes_agree_with_pytorch() {
    use gal_bench::nn::{BranchBlock, BranchParameters, BranchStatistics, Gated};
    let fixture = operations();
    for (case, reference) in ["branch", "branch_odd", "branch_single"].into_iter().flat_map(|c| [(c, false), (c, true)])
    {
        let get = |name: &str| fixture.get(&format!("ops/{case}/{name}"));
        let var = |name: &str| Var::from_tensor(get(name)).unwrap();
        let x = Var::from_tensor(&get("input").transpose(0, 1).unwrap().contiguous().unwrap()).unwrap();
        let names = [
            "conv.weight",
            "bn.weight",
            "bn.bias",
            "pse.conv1.weight",
            "pse.bn.weight",
            "pse.bn.bias",
            "pse.conv2.weight",
            "pse.conv2.bias",
            "conv.bias",
            "pse.conv1.bias",
        ];
        let variables = names.map(var);
        let [weight, gamma, beta, mask_weight, mask_gamma, mask_beta, mask_out_weight, mask_out_bias, bias, mask_bias] =
            variables.each_ref().map(|variable| variable.as_tensor().clone());
        let p = BranchParameters {
            weight,
            bias,
            gamma,
            beta,
            mask_weight,
            mask_bias,
            mask_gamma,
            mask_beta,
            mask_out_weight,
            mask_out_bias,
        };
        let block = BranchBlock { eps: 1e-3, gated: Gated::Detached };
        let out = if reference {
            block.forward_reference(x.as_tensor(), &p, &BranchStatistics::Batch, Precision::Single).unwrap()
        } else {
            block.forward(x.as_tensor(), &p, &BranchStatistics::Batch).unwrap()
        };
        let close = |name: &str, found: &Tensor, floor: f64| {
            assert_close(&format!("{case} {name}, reference {reference}"), found, get(name), 1e-4, floor);
        };
        // PyTorch's tensors have the batch first, ours the attribute.
        let swap = |t: &Tensor, axes: &[usize]| t.permute(axes).unwrap().contiguous().unwrap();
        let (a, c, batch) = out.pooled.dims3().unwrap();
        let side = get("input").dim(3).unwrap();
        close("pooled", &swap(&out.pooled, &[2, 0, 1]), 0.0);
        close("mask", &swap(&out.mask.reshape((a, batch, side, side)).unwrap(), &[1, 0, 2, 3]), 0.0);
        let gated = out.gated.unwrap().reshape((a, c, batch, side, side)).unwrap();
        close("gated", &swap(&gated, &[2, 0, 1, 3, 4]), 0.0);
        let moments = out.moments.unwrap();
        for (name, found) in [
            ("bn.mean", &moments.features.mean),
            ("bn.var", &moments.features.variance),
            ("pse.bn.mean", &moments.mask.mean),
            ("pse.bn.var", &moments.mask.variance),
        ] {
            close(name, found, 1e-6);
        }
        let dy = swap(get("pooled_grad"), &[1, 2, 0]);
        let gradients = (&out.pooled * dy).unwrap().sum_all().unwrap().backward().unwrap();
        // Some gradients are nearly zero, so rounding is relative to the largest.
        let norms = names[..8].iter().map(|name| get(&format!("grad/{name}"))).map(|g| difference(g, g).1);
        let floor = 1e-6 * norms.fold(0.0, f64::max);
        close("grad/input", &swap(gradients.get(&x).unwrap(), &[1, 0, 2, 3]), floor);
        for (name, variable) in names[..8].iter().zip(&variables) {
            close(&format!("grad/{name}"), gradients.get(variable).unwrap(), floor);
        }
    }
}

/// `hash(name, i)` of `tests/golden/README.md`.
pub(super) fn hash(name: &str, index: u64) -> u64 {
    let start = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let z = start.wrapping_add(index).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A parameter or running statistic of the paper-size fixture, by the formulas of `tests/golden/README.md`.
fn formula(name: &str, shape: &[usize]) -> Tensor {
    let fan_in = match name {
        "branch.pse.conv1.weight" => 1,
        _ if name.starts_with("conv") => shape[1..].iter().product(),
        _ => shape[shape.len() - 1],
    } as f64;
    let value = |u: f32| match name {
        _ if name.ends_with("bn.weight") => 1.0 + 0.1 * u,
        "cln.node.weight" => (0.3 / fan_in).sqrt() as f32 * u,
        _ if gal_bench::model::has_weight_decay(name) => (3.0 / fan_in).sqrt() as f32 * u,
        _ if name.ends_with("bn.bias") && name != "data_bn.bias" => 0.1 * u + if u < 0.0 { -2.0 } else { 2.0 },
        "data_bn.running_mean" => 128.0 + 10.0 * u,
        "data_bn.running_var" => 5000.0 + 500.0 * u,
        _ if name.ends_with("running_var") => 1.0 + 0.5 * u,
        _ => 0.1 * u,
    };
    let unit = |i: u64| (hash(name, i) >> 40) as f32 / 8_388_608.0 - 1.0;
    let count = shape.iter().product::<usize>() as u64;
    Tensor::from_vec((0..count).map(|i| value(unit(i))).collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
}

/// The elements of a tensor that the paper-size fixture holds.
pub(super) fn sample(tensor: &Tensor) -> Tensor {
    let flat = tensor.flatten_all().unwrap();
    let n = flat.elem_count() as u64;
    if n <= 256 {
        return flat;
    }
    let indices: Vec<u32> = (0..256).map(|j| (j * n / 256 + hash("sample", j) % (n / 256)) as u32).collect();
    flat.index_select(&Tensor::new(indices, &Device::Cpu).unwrap(), 0).unwrap()
}

#[test]
fn the_paper_size_network_agrees_with_pytorch_on_both_backends() {
    let fixture = Fixture::read("paper");
    let architecture = Architecture { bn_decay: fixture.scalar("paper/decay"), ..Architecture::PAPER };
    let pixels: Vec<f32> = (0..2 * 3 * 227 * 227).map(|i| (hash("pictures/78", i) >> 56) as f32).collect();
    let pixels = Tensor::from_vec(pixels, (2, 3, 227, 227), &Device::Cpu).unwrap();
    let first = pixels.flatten_all().unwrap().narrow(0, 0, 16).unwrap();
    assert_close("pixels", &first, &fixture.get("paper/formula/pixels").to_dtype(DType::F32).unwrap(), 0.0, 0.0);
    let pixels = pixels.transpose(0, 1).unwrap().contiguous().unwrap();
    let targets = one_hot(fixture.get("paper/labels"));
    for (backend, mode) in
        [Backend::Native, Backend::Reference].into_iter().flat_map(|p| [(p, Mode::Train), (p, Mode::Eval)])
    {
        let (fln_parameters, cln_parameters) = (Parameters::new(0), Parameters::new(0));
        let feature_net = FeatureNet::new(&architecture, backend, &fln_parameters, &Device::Cpu).unwrap();
        let cln =
            correlation_net(paper(Affinity::Learned), &architecture, backend, &cln_parameters, &Device::Cpu).unwrap();
        let values = |name: &String, like: &Var| {
            let value = formula(name, like.dims());
            let start = value.flatten_all().unwrap().narrow(0, 0, value.elem_count().min(4)).unwrap();
            assert_close(name, &start, fixture.get(&format!("paper/formula/{name}")), 1e-7, 0.0);
            (name.clone(), value)
        };
        let by_formula =
            |map: &BTreeMap<String, Var>| map.iter().map(|(n, v)| values(n, v)).collect::<BTreeMap<_, _>>();
        fln_parameters.load(&by_formula(&fln_parameters.all())).unwrap();
        cln_parameters.load(&by_formula(&cln_parameters.all())).unwrap();
        feature_net.load_running(&by_formula(feature_net.running())).unwrap();
        let case = if mode == Mode::Train { "paper/train2" } else { "paper/eval2" };
        let out = feature_net.forward(&pixels, mode, true).unwrap();
        let refined = cln.forward(&features_of(&out)).unwrap();
        let (fln, cln) = (loss(&out.logits, &targets).unwrap(), loss(&refined.logits, &targets).unwrap());
        let close = |name: &str, found: &Tensor, floor: f64| {
            assert_close(
                &format!("{case}/{name}, {backend:?}"),
                found,
                fixture.get(&format!("{case}/{name}")),
                1e-4,
                floor,
            );
        };
        close("fln", &logits(&out.logits), 0.0);
        close("cln", &logits(&refined.logits), 0.0);
        close("loss_fln", &fln, 0.0);
        close("loss_cln", &cln, 0.0);
        close("affinity", refined.affinity.as_ref().unwrap(), 0.0);
        if mode == Mode::Eval {
            continue;
        }
        for (name, running) in feature_net.running() {
            close(&format!("running/{name}"), &sample(running), 1e-5);
        }
        let gradients = (fln + cln).unwrap().backward().unwrap();
        let variables: BTreeMap<String, Var> = fln_parameters.all().into_iter().chain(cln_parameters.all()).collect();
        let largest = variables.keys().map(|n| fixture.scalar(&format!("{case}/grad_norm/{n}"))).fold(0.0, f64::max);
        for (name, variable) in &variables {
            let gradient = gradients.get(variable).unwrap();
            close(&format!("grad/{name}"), &sample(gradient), 1e-6 * largest);
            let (norm, expected) =
                (difference(gradient, gradient).1, fixture.scalar(&format!("{case}/grad_norm/{name}")));
            assert!(
                (norm - expected).abs() <= 1e-4 * expected + 1e-6 * largest,
                "{name}: norm {norm}, PyTorch {expected}"
            );
        }
    }
}
