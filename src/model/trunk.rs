//! Backbone, branches and their classifiers: the feature learning net (paper, section 3.2).
//!
//! Parameters: `data_bn.{weight,bias}` `[3]`; `conv1` to `conv5` with `weight` `[out, in / groups, k, k]`, `bias`,
//! `bn.weight`, `bn.bias` `[out]`; `branch.conv.weight` `[40, c, in]`, `branch.conv.bias`, `branch.bn.{weight,bias}`
//! `[40, c]`; `branch.pse.conv1.{weight,bias}`, `branch.pse.bn.{weight,bias}`, `branch.pse.conv2.weight` `[40, 16]`,
//! `branch.pse.conv2.bias` `[40]`; `branch.fc.weight` `[40, 2, c]`, `branch.fc.bias` `[40, 2]`.
//! Running statistics: `running_mean` and `running_var` under each batch norm's name.

use super::{Architecture, Pass, Path, glorot, he};
use crate::attribute::COUNT;
use crate::nn::{
    BranchBlock, BranchMoments, BranchParameters, BranchStatistics, ConvBlock, ConvParameters, Moments, Parameters,
    Statistics, batched_linear, batched_linear_plain, standardize,
};
use candle_core::{Device, Result, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};
use std::collections::BTreeMap;

const ZERO: Init = Init::Const(0.0);
const ONE: Init = Init::Const(1.0);
/// Hidden maps of the PSE mask.
const HIDDEN: usize = 16;

/// Kernel, padding, groups and pool of the five convolutions; AlexNet's.
const LAYERS: [(usize, usize, usize, bool); 5] =
    [(11, 0, 1, true), (5, 2, 2, true), (3, 1, 1, false), (3, 1, 2, false), (3, 1, 2, true)];

impl Architecture {
    /// The most values that one operation of candle's reads or writes for one image: the input, what a convolution
    /// unfolds for a group, or a map that it gives.
    pub fn elements(&self) -> usize {
        let (mut side, mut inputs) = (self.input, 3);
        let mut most = inputs * side * side;
        for (layer, ((kernel, padding, groups, pool), outputs)) in LAYERS.into_iter().zip(self.widths).enumerate() {
            let stride = if layer == 0 { self.stride } else { 1 };
            side = (side + 2 * padding - kernel) / stride + 1;
            most = most.max(side * side * (inputs / groups * kernel * kernel).max(outputs));
            side = if pool { (side - 3) / 2 + 1 } else { side };
            inputs = outputs;
        }
        most.max(COUNT * self.branch.max(HIDDEN) * side * side)
    }
}

/// The feature learning net.
#[derive(Debug)]
pub struct Trunk {
    architecture: Architecture,
    path: Path,
    data: (Tensor, Tensor),
    blocks: Vec<(ConvBlock, ConvParameters)>,
    branches: BranchParameters,
    classifier: (Tensor, Tensor),
    running: BTreeMap<String, Var>,
}

/// What the trunk gives for a batch.
#[derive(Debug)]
pub struct TrunkOutput {
    /// Logits of the FLN's own classifiers, `[40, 2, batch]`; class 1 is "has the attribute".
    pub logits: Tensor,
    /// Gated branch features without a gradient, `[40, c, batch * positions]`, where asked for.
    pub gated: Option<Tensor>,
    /// PSE masks, `[40, batch, positions]`.
    pub mask: Tensor,
}

impl Trunk {
    /// Builds the net on `parameters`, with fresh running statistics.
    pub fn new(architecture: &Architecture, path: Path, parameters: &Parameters, device: &Device) -> Result<Self> {
        let Architecture { widths, branch, eps, .. } = *architecture;
        architecture.map().map_err(candle_core::Error::Msg)?;
        let vb = parameters.builder(device);
        let norm = |vb: &VarBuilder, shape: &[usize]| -> Result<(Tensor, Tensor)> {
            Ok((vb.get_with_hints(shape, "weight", ONE)?, vb.get_with_hints(shape, "bias", ZERO)?))
        };
        let mut running = BTreeMap::new();
        let mut track = |name: &str, channels: usize| -> Result<()> {
            running.insert(format!("{name}.running_mean"), Var::from_tensor(&Tensor::zeros(channels, F32, device)?)?);
            running.insert(format!("{name}.running_var"), Var::from_tensor(&Tensor::ones(channels, F32, device)?)?);
            Ok(())
        };
        let data = norm(&vb.pp("data_bn"), &[3])?;
        track("data_bn", 3)?;
        let mut blocks = Vec::new();
        let mut inputs = 3;
        for (layer, ((kernel, padding, groups, pool), outputs)) in LAYERS.into_iter().zip(widths).enumerate() {
            let name = format!("conv{}", layer + 1);
            let vb = vb.pp(&name);
            let shape = (outputs, inputs / groups, kernel, kernel);
            let (gamma, beta) = norm(&vb.pp("bn"), &[outputs])?;
            let weight = vb.get_with_hints(shape, "weight", he(inputs / groups * kernel * kernel))?;
            let bias = vb.get_with_hints(outputs, "bias", ZERO)?;
            let stride = if layer == 0 { architecture.stride } else { 1 };
            blocks
                .push((ConvBlock { groups, stride, padding, pool, eps }, ConvParameters { weight, bias, gamma, beta }));
            track(&format!("{name}.bn"), outputs)?;
            inputs = outputs;
        }
        let vb = vb.pp("branch");
        let (gamma, beta) = norm(&vb.pp("bn"), &[COUNT, branch])?;
        let mask = vb.pp("pse");
        let (mask_gamma, mask_beta) = norm(&mask.pp("bn"), &[COUNT, HIDDEN])?;
        let branches = BranchParameters {
            weight: vb.pp("conv").get_with_hints((COUNT, branch, inputs), "weight", he(inputs))?,
            bias: vb.pp("conv").get_with_hints((COUNT, branch), "bias", ZERO)?,
            gamma,
            beta,
            mask_weight: mask.pp("conv1").get_with_hints((COUNT, HIDDEN), "weight", he(1))?,
            mask_bias: mask.pp("conv1").get_with_hints((COUNT, HIDDEN), "bias", ZERO)?,
            mask_gamma,
            mask_beta,
            mask_out_weight: mask.pp("conv2").get_with_hints((COUNT, HIDDEN), "weight", glorot(HIDDEN, 1))?,
            mask_out_bias: mask.pp("conv2").get_with_hints(COUNT, "bias", ZERO)?,
        };
        track("branch.bn", COUNT * branch)?;
        track("branch.pse.bn", COUNT * HIDDEN)?;
        let classifier = (
            vb.pp("fc").get_with_hints((COUNT, 2, branch), "weight", glorot(branch, 2))?,
            vb.pp("fc").get_with_hints((COUNT, 2), "bias", ZERO)?,
        );
        Ok(Self { architecture: architecture.clone(), path, data, blocks, branches, classifier, running })
    }

    /// The running statistics by name.
    pub fn running(&self) -> &BTreeMap<String, Var> {
        &self.running
    }

    /// Sets the running statistics.
    pub fn load_running(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, variable) in &self.running {
            let Some(tensor) = tensors.get(name) else { bail!("running statistic {name} is missing") };
            variable.set(&tensor.flatten_all()?.to_device(variable.device())?)?;
        }
        Ok(())
    }

    /// Pixels 0 to 255 as `[3, batch, side, side]` f32. `gated` asks for the features a correlation net works on.
    pub fn forward(&self, pixels: &Tensor, pass: Pass, gated: bool) -> Result<TrunkOutput> {
        self.branches(&self.features(pixels, pass)?, pass, gated)
    }

    /// Whether nothing may ask for a gradient: the fast path has none in evaluation.
    fn frozen(&self, pass: Pass) -> bool {
        pass == Pass::Evaluate && self.path == Path::Fast
    }

    /// The backbone's last map `[c, batch, h, w]`, from pixels as in [`Trunk::forward`].
    pub fn features(&self, pixels: &Tensor, pass: Pass) -> Result<Tensor> {
        let (channels, _, height, width) = pixels.dims4()?;
        let side = self.architecture.input;
        if (channels, height, width) != (3, side, side) {
            bail!("the network takes [3, batch, {side}, {side}], found {:?}", pixels.shape())
        }
        let eps = self.architecture.eps;
        let frozen = self.frozen(pass);
        let own = |tensor: &Tensor| if frozen { tensor.detach() } else { tensor.clone() };
        let (mut x, moments) = standardize(pixels, &self.statistics("data_bn", pass), eps)?;
        self.record("data_bn", moments.as_ref())?;
        for (layer, (block, p)) in self.blocks.iter().enumerate() {
            let name = format!("conv{}.bn", layer + 1);
            let mut p =
                ConvParameters { weight: own(&p.weight), bias: own(&p.bias), gamma: own(&p.gamma), beta: own(&p.beta) };
            if layer == 0 {
                p = self.with_data_norm(&p)?;
            }
            let statistics = self.statistics(&name, pass);
            let (y, moments) = match self.path {
                Path::Fast => block.forward(&x, &p, &statistics)?,
                Path::Plain => block.plain(&x, &p, &statistics)?,
            };
            self.record(&name, moments.as_ref())?;
            x = y;
        }
        Ok(x)
    }

    /// Branches and classifiers, from [`Trunk::features`].
    pub fn branches(&self, features: &Tensor, pass: Pass, gated: bool) -> Result<TrunkOutput> {
        let frozen = self.frozen(pass);
        let own = |tensor: &Tensor| if frozen { tensor.detach() } else { tensor.clone() };
        let block = BranchBlock { eps: self.architecture.eps, gated };
        let statistics = match (self.statistics("branch.bn", pass), self.statistics("branch.pse.bn", pass)) {
            (Statistics::Running(features), Statistics::Running(mask)) => {
                BranchStatistics::Running(BranchMoments { features, mask })
            }
            _ => BranchStatistics::Batch,
        };
        let branches = if frozen { self.branches.detach() } else { self.branches.clone() };
        let out = match self.path {
            Path::Fast => block.forward(features, &branches, &statistics)?,
            Path::Plain => block.plain(features, &branches, &statistics)?,
        };
        self.record("branch.bn", out.moments.as_ref().map(|m| &m.features))?;
        self.record("branch.pse.bn", out.moments.as_ref().map(|m| &m.mask))?;
        let linear = match self.path {
            Path::Fast => batched_linear,
            Path::Plain => batched_linear_plain,
        };
        let logits = linear(&own(&self.classifier.0), &out.pooled, Some(&own(&self.classifier.1)))?;
        Ok(TrunkOutput { logits, gated: out.gated, mask: out.mask })
    }

    /// The first convolution with the scale and shift of `data_bn` folded in. It has no padding, so this is exact, and
    /// the gradients of both follow without one for the pixels.
    fn with_data_norm(&self, p: &ConvParameters) -> Result<ConvParameters> {
        let (scale, shift) = (self.data.0.reshape((1, 3, 1, 1))?, self.data.1.reshape((1, 3))?);
        let shift = p.weight.sum((2, 3))?.broadcast_mul(&shift)?.sum(1)?;
        Ok(ConvParameters { weight: p.weight.broadcast_mul(&scale)?, bias: (&p.bias + shift)?, ..p.clone() })
    }

    fn statistics(&self, name: &str, pass: Pass) -> Statistics {
        match pass {
            Pass::Train => Statistics::Batch,
            Pass::Evaluate => Statistics::Running(Moments {
                mean: self.running[&format!("{name}.running_mean")].as_detached_tensor(),
                variance: self.running[&format!("{name}.running_var")].as_detached_tensor(),
            }),
        }
    }

    /// Moves the running averages of `name` towards the batch's moments.
    fn record(&self, name: &str, moments: Option<&Moments>) -> Result<()> {
        let Some(moments) = moments else { return Ok(()) };
        let decay = self.architecture.decay;
        for (name, batch) in [("running_mean", &moments.mean), ("running_var", &moments.variance)]
            .map(|(kind, batch)| (format!("{name}.{kind}"), batch))
        {
            let running = &self.running[&name];
            running.set(&((running.as_detached_tensor() * decay)? + (batch.detach() * (1.0 - decay))?)?)?;
        }
        Ok(())
    }
}

const F32: candle_core::DType = candle_core::DType::F32;
