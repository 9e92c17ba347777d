//! The optimizers' parameter groups: which parameters decay, and at which learning rate they train.

use crate::config::Optimizer;
use crate::error::Result;
use crate::model::{has_weight_decay, is_above_backbone, is_fixed_graph, is_fln_classifier};
use crate::nn::{MomentumSgd, ParamGroup, Parameters};

/// The FLN's four groups: backbone and what is above it, each split into decaying parameters and the rest. `trains_head` is
/// false if its own classifiers keep their weights.
pub(super) fn for_feature_net(
    parameters: &Parameters,
    settings: &Optimizer,
    weight_decay: f64,
    trains_head: bool,
) -> Result<MomentumSgd> {
    let mut groups = Vec::new();
    for (is_above, lr_scale) in [(false, 1.0), (true, settings.head_rate)] {
        for (decays, weight_decay) in [(true, weight_decay), (false, 0.0)] {
            let variables = parameters
                .all()
                .into_iter()
                .filter(|(name, _)| trains_head || !is_fln_classifier(name))
                .filter(|(name, _)| is_above_backbone(name) == is_above && has_weight_decay(name) == decays)
                .collect();
            groups.push(ParamGroup { variables, lr_scale, weight_decay });
        }
    }
    Ok(MomentumSgd::new(groups, settings.momentum)?)
}

/// A correlation net's two groups: decaying parameters and the rest.
pub(super) fn for_correlation_net(
    parameters: &Parameters,
    lr_scale: f64,
    momentum: f64,
    weight_decay: f64,
) -> Result<MomentumSgd> {
    let trained = || parameters.all().into_iter().filter(|(name, _)| !is_fixed_graph(name));
    let groups = [(true, weight_decay), (false, 0.0)].map(|(decays, weight_decay)| ParamGroup {
        variables: trained().filter(|(name, _)| has_weight_decay(name) == decays).collect(),
        lr_scale,
        weight_decay,
    });
    Ok(MomentumSgd::new(groups.into(), momentum)?)
}
