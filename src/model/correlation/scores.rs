//! Linear nets: from the FLN's scores to new ones, and from the backbone's mean features to scores.

use super::parts::{Builder, CorrelationNet, NetInput, of_scores};
use crate::attribute::COUNT;
use crate::model::backend::Backend;
use crate::model::init::ZERO;
use crate::model::layers::LinearLayer;
use crate::nn::CorrelationOutput;
use candle_core::{DType, Result, Tensor};

/// The last layer of MCNN-AUX (Hand and Chellappa 2017): `aux.weight` `[40, 40]` times the FLN's scores plus `aux.bias`
/// `[40]`. A score is the logit of "yes" minus that of "no". The weights start at the identity: the stored `aux.weight` is
/// what is added to it, so that weight decay draws the net to the FLN. Its affinity is the size of each weight relative to
/// the sum of its row.
#[derive(Debug)]
pub(super) struct Aux {
    weight: Tensor,
    bias: Tensor,
    identity: Tensor,
}

impl Aux {
    pub(super) fn new(builder: &Builder) -> Result<Self> {
        let vb = builder.vb.pp("aux");
        Ok(Self {
            weight: vb.get_with_hints((COUNT, COUNT), "weight", ZERO)?,
            bias: vb.get_with_hints(COUNT, "bias", ZERO)?,
            identity: Tensor::eye(COUNT, DType::F32, builder.device)?,
        })
    }
}

impl CorrelationNet for Aux {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let logit = |class: usize| input.logits.narrow(1, class, 1)?.squeeze(1);
        let scores = (logit(1)? - logit(0)?)?;
        let weight = (&self.weight + &self.identity)?;
        let scores = weight.matmul(&scores)?.broadcast_add(&self.bias.unsqueeze(1)?)?;
        let sizes = weight.detach().abs()?;
        let affinity = Some(sizes.broadcast_div(&sizes.sum_keepdim(1)?)?);
        Ok(CorrelationOutput { logits: of_scores(&scores)?, affinity, products: None })
    }
}

/// Logistic regression `linear.{weight,bias}`, `[40, channels]` and `[40]`, on the means of the backbone's last maps.
#[derive(Debug)]
pub(super) struct Linear {
    backend: Backend,
    layer: LinearLayer,
}

impl Linear {
    pub(super) fn new(builder: &Builder) -> Result<Self> {
        let channels = builder.architecture.map_channels();
        Ok(Self { backend: builder.backend, layer: LinearLayer::new(&builder.vb.pp("linear"), channels, COUNT)? })
    }
}

impl CorrelationNet for Linear {
    fn forward(&self, input: &NetInput) -> Result<CorrelationOutput> {
        let means = input.map.flatten_from(2)?.mean(2)?.t()?.contiguous()?;
        let scores = self.layer.forward(&means, self.backend)?.t()?.contiguous()?;
        Ok(CorrelationOutput { logits: of_scores(&scores)?, affinity: None, products: None })
    }
}
