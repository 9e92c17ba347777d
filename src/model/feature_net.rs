//! Feature learning net (paper, section 3.2): backbone, branches and their classifiers. Other layers may replace the branches
//! (`head/mod.rs`).
//!
//! | parameter | shape |
//! |---|---|
//! | `data_bn.{weight,bias}` | `[3]` |
//! | AlexNet-cvgj: `convN.weight` | `[out, in / groups, k, k]` |
//! | AlexNet-cvgj: `convN.{bias,bn.weight,bn.bias}` | `[out]` |
//! | `branch.conv.weight` | `[40, c, in]` |
//! | `branch.conv.bias`, `branch.bn.{weight,bias}` | `[40, c]` |
//! | `branch.pse.conv1.{weight,bias}`, `branch.pse.bn.{weight,bias}`, `branch.pse.conv2.weight` | `[40, 16]` |
//! | `branch.pse.conv2.bias` | `[40]` |
//! | `branch.fc.weight` | `[40, 2, c]` |
//! | `branch.fc.bias` | `[40, 2]` |
//!
//! Running statistics: `running_mean` and `running_var` under each batch norm's name.

use super::architecture::Architecture;
use super::backbone::{Backbone, Builder, ForwardCtx};
use super::backend::{Backend, Mode};
use super::head::{Head, head};
use super::init::{ONE, ZERO, glorot, he};
use super::running::RunningStats;
use crate::attribute::COUNT;
use crate::nn::{
    BranchBlock, BranchMoments, BranchParameters, BranchStatistics, Gated, MASK_HIDDEN as HIDDEN, Parameters, Ranks,
    Statistics, standardize,
};
use crate::variant::Layers;
use candle_core::{Device, Result, Tensor, Var, bail};
use candle_nn::VarBuilder;
use std::collections::BTreeMap;

impl Architecture {
    /// Channels of the backbone's last map.
    pub fn map_channels(&self) -> usize {
        self.backbone.spec().channels(self)
    }

    /// Largest number of values that one operation reads or writes for one image: the input, a convolution's unfolded
    /// input, or an output map. The architecture must have a map.
    pub fn max_elements(&self) -> usize {
        let spec = self.backbone.spec();
        let side = self.map_size().unwrap_or_default();
        let branches = COUNT * self.branch_channels.max(HIDDEN) * side * side;
        spec.max_elements(self).max(branches).max(3 * self.input_size * self.input_size)
    }

    /// A number of parameters that any network of these sizes exceeds, without building one.
    pub fn least_parameters(&self, layers: Layers) -> usize {
        let network = self.with_layers(layers);
        let convolutions = network.widths.windows(2).map(|pair| pair[0].saturating_mul(pair[1]) / 2);
        let channels = if layers == Layers::Branches { self.branch_channels } else { 1 };
        let branches = COUNT.saturating_mul(channels).saturating_mul(network.map_channels());
        convolutions.fold(branches, usize::saturating_add)
    }
}

/// The feature learning net.
#[derive(Debug)]
pub struct FeatureNet {
    architecture: Architecture,
    backend: Backend,
    data: (Tensor, Tensor),
    backbone: Box<dyn Backbone>,
    top: Top,
    running: RunningStats,
}

/// All above the backbone.
#[derive(Debug)]
enum Top {
    Branches {
        parameters: Box<BranchParameters>,
        /// Weight and bias.
        classifier: (Tensor, Tensor),
    },
    Head(Box<dyn Head>),
}

/// Output of the feature net for a batch.
#[derive(Debug)]
pub struct FeatureOutput {
    /// Logits of the FLN's own classifiers, `[40, 2, batch]`; class 1 is "has the attribute".
    pub logits: Tensor,
    /// Gated branch features, `[40, c, batch * positions]`. `None` unless requested.
    pub gated: Option<Tensor>,
    /// PSE masks, `[40, batch, positions]`. `None` without branches.
    pub mask: Option<Tensor>,
}

impl FeatureNet {
    /// Builds the paper's net on `parameters`, with initial running statistics.
    pub fn new(
        architecture: &Architecture,
        backend: Backend,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        Self::with_layers(architecture, Layers::Branches, backend, parameters, device)
    }

    /// Builds a net with these layers.
    pub fn with_layers(
        architecture: &Architecture,
        layers: Layers,
        backend: Backend,
        parameters: &Parameters,
        device: &Device,
    ) -> Result<Self> {
        let architecture = architecture.with_layers(layers);
        architecture.map_size().map_err(candle_core::Error::Msg)?;
        let vb = parameters.builder(device);
        let mut running = RunningStats::new(architecture.bn_decay);
        let mut builder = Builder::new(vb.clone(), &mut running, device);
        let data = builder.norm("data_bn", 3)?;
        let spec = architecture.backbone.spec();
        let backbone = spec.build(&architecture, &mut builder)?;
        let top = match head(layers, &architecture, &mut builder, &vb, device)? {
            Some(head) => Top::Head(head),
            None => branches(&architecture, &vb.pp("branch"), &mut running, device)?,
        };
        Ok(Self { architecture, backend, data, backbone, top, running })
    }

    /// Factor of the old value in updates of the running statistics.
    pub fn bn_decay(&self) -> f64 {
        self.running.decay()
    }

    /// Sets the factor of the old value in updates of the running statistics.
    pub fn set_bn_decay(&mut self, decay: f64) {
        self.running.set_decay(decay);
    }

    /// Sets the ranks over whose batches batch norm takes its moments in training, `None` for the local batch. Returns the
    /// former ones.
    pub fn set_ranks(&mut self, ranks: Option<Ranks>) -> Option<Ranks> {
        self.running.set_ranks(ranks)
    }

    /// The running statistics by name.
    pub fn running(&self) -> &BTreeMap<String, Var> {
        self.running.all()
    }

    /// Sets the running statistics.
    pub fn load_running(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        self.running.load(tensors)
    }

    /// Runs on pixels from 0 to 255, f32 `[3, batch, side, side]`. `gated` requests the features for a correlation net,
    /// without a gradient.
    pub fn forward(&self, pixels: &Tensor, mode: Mode, gated: bool) -> Result<FeatureOutput> {
        let gated = if gated { Gated::Detached } else { Gated::Off };
        self.branches(&self.features(pixels, mode)?, mode, gated, None)
    }

    /// Runs only the backbone, on pixels as in [`FeatureNet::forward`]. Returns the map that the branches read,
    /// `[channels, batch, side', side']`.
    pub fn features(&self, pixels: &Tensor, mode: Mode) -> Result<Tensor> {
        let (channels, _, height, width) = pixels.dims4()?;
        let side = self.architecture.input_size;
        if (channels, height, width) != (3, side, side) {
            bail!("the network takes [3, batch, {side}, {side}], found {:?}", pixels.shape())
        }
        let ctx = self.ctx(mode);
        let (x, moments) = standardize(pixels, &self.running.of("data_bn", mode), ctx.eps)?;
        self.running.record("data_bn", moments.as_ref())?;
        self.backbone.forward(&x, &self.data, &ctx)
    }

    /// Runs the branches and their classifiers on the map of [`FeatureNet::features`]. The classifiers read the pooled
    /// features times the factors `dropout`, `[40, c, batch]`. Other layers ignore `gated` and `dropout`.
    pub fn branches(
        &self,
        features: &Tensor,
        mode: Mode,
        gated: Gated,
        dropout: Option<&Tensor>,
    ) -> Result<FeatureOutput> {
        let ctx = self.ctx(mode);
        let (branches, classifier) = match &self.top {
            Top::Branches { parameters, classifier } => (parameters.as_ref(), classifier),
            Top::Head(head) => {
                return Ok(FeatureOutput { logits: head.forward(features, &ctx)?, gated: None, mask: None });
            }
        };
        let block = BranchBlock { eps: ctx.eps, gated };
        let statistics = match (self.running.of("branch.bn", mode), self.running.of("branch.pse.bn", mode)) {
            (Statistics::Running(features), Statistics::Running(mask)) => {
                BranchStatistics::Running(BranchMoments { features, mask })
            }
            (Statistics::Synchronized(ranks), _) => BranchStatistics::Synchronized(ranks),
            _ => BranchStatistics::Batch,
        };
        let branches = if ctx.is_frozen() { branches.detach() } else { branches.clone() };
        let out = match self.backend.precision() {
            None => block.forward(features, &branches, &statistics)?,
            Some(precision) => block.forward_reference(features, &branches, &statistics, precision)?,
        };
        self.running.record("branch.bn", out.moments.as_ref().map(|m| &m.features))?;
        self.running.record("branch.pse.bn", out.moments.as_ref().map(|m| &m.mask))?;
        let (weight, bias) = (ctx.own(&classifier.0), ctx.own(&classifier.1));
        let dropped = dropout.map(|factors| &out.pooled * factors).transpose()?;
        let logits = self.backend.linear(&weight, dropped.as_ref().unwrap_or(&out.pooled), &bias)?;
        Ok(FeatureOutput { logits, gated: out.gated, mask: Some(out.mask) })
    }

    fn ctx(&self, mode: Mode) -> ForwardCtx<'_> {
        ForwardCtx { backend: self.backend, mode, eps: self.architecture.bn_eps, running: &self.running }
    }
}

/// Builds the branches and their classifiers.
fn branches(architecture: &Architecture, vb: &VarBuilder, running: &mut RunningStats, device: &Device) -> Result<Top> {
    let (branch, inputs) = (architecture.branch_channels, architecture.map_channels());
    let norm = |vb: &VarBuilder, shape: &[usize]| -> Result<(Tensor, Tensor)> {
        Ok((vb.get_with_hints(shape, "weight", ONE)?, vb.get_with_hints(shape, "bias", ZERO)?))
    };
    let (gamma, beta) = norm(&vb.pp("bn"), &[COUNT, branch])?;
    let mask = vb.pp("pse");
    let (mask_gamma, mask_beta) = norm(&mask.pp("bn"), &[COUNT, HIDDEN])?;
    let parameters = BranchParameters {
        weight: vb.pp("conv").get_with_hints((COUNT, branch, inputs), "weight", he(inputs))?,
        bias: vb.pp("conv").get_with_hints((COUNT, branch), "bias", ZERO)?,
        gamma,
        beta,
        mask_weight: mask.pp("conv1").get_with_hints((COUNT, HIDDEN), "weight", he(1))?,
        mask_bias: mask.pp("conv1").get_with_hints((COUNT, HIDDEN), "bias", ZERO)?,
        mask_gamma,
        mask_beta,
        mask_out_weight: mask.pp("conv2").get_with_hints((COUNT, HIDDEN), "weight", glorot(HIDDEN, 1, 1.0))?,
        mask_out_bias: mask.pp("conv2").get_with_hints(COUNT, "bias", ZERO)?,
    };
    running.track("branch.bn", COUNT * branch, device)?;
    running.track("branch.pse.bn", COUNT * HIDDEN, device)?;
    let classifier = (
        vb.pp("fc").get_with_hints((COUNT, 2, branch), "weight", glorot(branch, 2, 1.0))?,
        vb.pp("fc").get_with_hints((COUNT, 2), "bias", ZERO)?,
    );
    Ok(Top::Branches { parameters: Box::new(parameters), classifier })
}

#[cfg(test)]
mod tests {
    use super::super::BackboneName;
    use super::*;
    use crate::nn::max_pool;

    const SMALL: Architecture =
        Architecture { input_size: 66, stride: 2, widths: [6; 5], branch_channels: 2, ..Architecture::PAPER };

    #[test]
    fn an_alexnet_without_its_last_pool_gives_the_map_that_the_pool_reads() {
        let pixels = Tensor::rand(0.0_f32, 255.0, (3, 2, 66, 66), &Device::Cpu).unwrap();
        for backbone in [BackboneName::AlexnetCvgj, BackboneName::Alexnet] {
            let features = |last_pool| {
                let architecture = Architecture { backbone, last_pool, ..SMALL };
                let parameters = Parameters::new(4);
                let net = FeatureNet::new(&architecture, Backend::Native, &parameters, &Device::Cpu).unwrap();
                let features = net.features(&pixels, Mode::Train).unwrap();
                assert_eq!(features.dim(3).unwrap(), architecture.map_size().unwrap());
                features
            };
            let (pooled, whole) = (features(true), features(false));
            assert_eq!([&pooled, &whole].map(|map| map.dim(3).unwrap()), [2, 6]);
            let values = |map: &Tensor| map.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(values(&max_pool(&whole).unwrap()) == values(&pooled), "{backbone}");
        }
    }
}
