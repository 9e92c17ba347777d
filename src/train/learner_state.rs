//! The state of a [`Learner`] as named tensors: of a whole shared run to resume from, and of one variant's network.

use super::learner::Learner;
use crate::error::Result;
use crate::model::{is_above_backbone, is_fixed_graph, is_fln_classifier};
use crate::nn::Parameters;
use crate::variant::Variant;
use candle_core::{Tensor, Var};
use std::collections::{BTreeMap, BTreeSet};

/// Tensors by name.
type Tensors = BTreeMap<String, Tensor>;

impl Learner {
    /// The trained network of one variant: its parameters and running statistics.
    pub fn network(&self, variant: &Variant) -> Tensors {
        let mut tensors = values(&self.parameters);
        tensors.extend(self.running());
        for head in self.heads.iter().filter(|head| head.variant.name == variant.name) {
            tensors.extend(values(&head.parameters));
        }
        tensors
    }

    fn running(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.feature_net.running().iter().map(|(name, variable)| (name.clone(), variable.as_detached_tensor()))
    }

    /// Loads the backbone's parameters and running statistics from the network of any variant.
    pub(super) fn load_backbone_of(&self, network: &Tensors) -> Result<()> {
        let mut variables = self.parameters.all();
        variables.extend(self.feature_net.running().clone());
        for (name, variable) in variables.iter().filter(|(name, _)| !is_above_backbone(name)) {
            let Some(tensor) = network.get(name) else {
                return Err(candle_core::Error::Msg(format!("parameter {name} is missing")).into());
            };
            variable.set(&tensor.to_device(variable.device())?)?;
        }
        Ok(())
    }

    /// Loads the correlation net of `variant`, if this run trains one, from that variant's network.
    pub(super) fn load_correlation_net(&self, variant: &str, network: &Tensors) -> Result<()> {
        let mut of_variant = self.heads.iter().filter(|head| head.variant.name == variant);
        of_variant.try_for_each(|head| load_some(&head.parameters, network))
    }

    /// Loads the feature net's parameters and running statistics from the network of any variant.
    pub fn load_feature_net(&mut self, network: &Tensors) -> Result<()> {
        load_some(&self.parameters, network)?;
        Ok(self.feature_net.load_running(network)?)
    }

    /// Loads a network that [`Learner::network`] returned for `variant`.
    ///
    /// # Errors
    /// A tensor that is missing, unknown or of another shape.
    pub fn load_network(&mut self, variant: &Variant, network: &Tensors) -> Result<()> {
        self.load_feature_net(network)?;
        let mut known: BTreeSet<String> = self.parameters.all().into_keys().collect();
        known.extend(self.feature_net.running().keys().cloned());
        for head in self.heads.iter().filter(|head| head.variant.name == variant.name) {
            load_some(&head.parameters, network)?;
            known.extend(head.parameters.all().into_keys());
        }
        match network.keys().find(|name| !known.contains(*name)) {
            Some(name) => Err(candle_core::Error::Msg(format!("this network has no tensor {name}")).into()),
            None => Ok(()),
        }
    }

    /// True if all parameters and running statistics of the feature net are finite.
    pub(super) fn is_feature_net_finite(&self) -> Result<bool> {
        are_finite(self.parameters.all().values().chain(self.feature_net.running().values()))
    }

    /// The variants whose correlation net has a parameter that is not finite.
    pub(super) fn infinite_heads(&self) -> Result<Vec<&'static str>> {
        let mut found = Vec::new();
        for head in &self.heads {
            if !are_finite(head.parameters.all().values())? {
                found.push(head.variant.name);
            }
        }
        Ok(found)
    }

    /// Everything that training changes: parameters, and running statistics of a feature net that is not frozen.
    pub(super) fn trained(&self) -> BTreeMap<String, Var> {
        let mut trained = BTreeMap::new();
        let mut put = |part: &str, variables: BTreeMap<String, Var>| {
            trained.extend(variables.into_iter().map(|(name, variable)| (format!("{part}/{name}"), variable)));
        };
        if !self.is_frozen() {
            put("trunk", self.parameters.all());
            put("running", self.feature_net.running().clone());
        }
        for head in &self.heads {
            put(head.variant.name, head.parameters.all());
        }
        trained
    }

    /// Number of trained parameters of a variant's network.
    pub fn parameter_count(&self, variant: &Variant) -> usize {
        let of_heads = self.heads.iter().filter(|head| head.variant.name == variant.name);
        [&self.parameters]
            .into_iter()
            .chain(of_heads.map(|head| &head.parameters))
            .flat_map(Parameters::all)
            .filter(|(name, _)| (variant.has_fln_head() || !is_fln_classifier(name)) && !is_fixed_graph(name))
            .map(|(_, variable)| variable.elem_count())
            .sum()
    }

    /// Everything that a run needs to resume as if it had never stopped.
    pub fn state_dict(&self) -> Tensors {
        let mut state = Tensors::new();
        let mut put = |part: &str, tensors: Tensors| {
            state.extend(tensors.into_iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor)));
        };
        put("trunk", values(&self.parameters));
        put("running", self.running().collect());
        if let Some(optimizer) = &self.optimizer {
            put("trunk-velocity", optimizer.momentum_buffers().clone());
        }
        for head in &self.heads {
            put(head.variant.name, values(&head.parameters));
            put(&format!("{}-velocity", head.variant.name), head.optimizer.momentum_buffers().clone());
        }
        state
    }

    /// Loads what [`Learner::state_dict`] returned.
    pub fn load_state_dict(&mut self, state: &Tensors) -> Result<()> {
        let part = |part: &str| -> Tensors {
            let named = |name: &String| name.strip_prefix(part)?.strip_prefix('/').map(str::to_owned);
            state.iter().filter_map(|(name, tensor)| Some((named(name)?, tensor.clone()))).collect()
        };
        self.parameters.load(&part("trunk"))?;
        self.feature_net.load_running(&part("running"))?;
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.set_momentum_buffers(&part("trunk-velocity"))?;
        }
        for head in &mut self.heads {
            // An earlier version may have stored the variant under its former name.
            let stored =
                |name: &&str| state.keys().any(|key| key.split_once('/').is_some_and(|(part, _)| part == *name));
            let name = head.variant.names().find(stored).unwrap_or(head.variant.name);
            head.parameters.load(&part(name))?;
            head.optimizer.set_momentum_buffers(&part(&format!("{name}-velocity")))?;
        }
        Ok(())
    }
}

fn are_finite<'a>(variables: impl Iterator<Item = &'a Var>) -> Result<bool> {
    for variable in variables {
        // x * 0 is 0 if x is finite and NaN otherwise.
        if (variable.as_detached_tensor() * 0.0)?.sum_all()?.to_scalar::<f32>()? != 0.0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn values(parameters: &Parameters) -> Tensors {
    parameters.all().into_iter().map(|(name, variable)| (name, variable.as_detached_tensor())).collect()
}

/// Loads the tensors of `network` that `parameters` has names for.
fn load_some(parameters: &Parameters, network: &Tensors) -> Result<()> {
    let known = parameters.all();
    let matching = network.iter().filter(|(name, _)| known.contains_key(*name));
    Ok(parameters.load(&matching.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())?)
}
