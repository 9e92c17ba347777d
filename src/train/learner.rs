//! A trunk and the correlation nets that ride on it, with their optimizers: one training step, one forward pass for
//! testing, and their whole state as named tensors.

use super::shared_run::SharedRun;
use crate::attribute::COUNT;
use crate::config::Optimizer;
use crate::distributed::ProcessGroup;
use crate::error::{Error, Result};
use crate::model::{
    Architecture, Backend, CorrelationNet, CorrelationOutput, FeatureNet, FeatureOutput, Mode, has_weight_decay, loss,
    probabilities,
};
use crate::nn::{MomentumSgd, ParamGroup, Parameters, retain_freed_memory};
use crate::variant::{Fln, Variant};
use crate::weights::PretrainedWeights;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use std::collections::{BTreeMap, BTreeSet};

/// Named tensors of one part of the state.
type Tensors = BTreeMap<String, Tensor>;

/// One correlation net.
struct Head {
    variant: Variant,
    net: CorrelationNet,
    parameters: Parameters,
    optimizer: MomentumSgd,
}

/// A trunk run.
pub struct Learner {
    trunk: FeatureNet,
    parameters: Parameters,
    /// None where the trunk is frozen.
    optimizer: Option<MomentumSgd>,
    heads: Vec<Head>,
    /// Of the last step.
    outputs: Option<Outputs>,
    /// How many answers on the batch of the last step were right, by network that was trained, the FLN first; of several
    /// ranks, the mean of theirs.
    right: Vec<Tensor>,
    /// Of how many.
    answers: usize,
}

/// What the networks say about a batch, without gradients.
#[derive(Debug)]
pub struct Outputs {
    /// Logits of the FLN, `[40, 2, batch]`.
    pub fln: Tensor,
    /// Logits and mean affinity of each correlation net, by variant.
    pub cln: BTreeMap<&'static str, CorrelationOutput>,
    /// PSE masks, `[40, batch, positions]`.
    pub mask: Tensor,
}

/// The losses of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// Sum over the attributes of the FLN's mean cross-entropy, where it was trained.
    pub fln: Option<f64>,
    /// The same of each correlation net, by variant.
    pub cln: BTreeMap<&'static str, f64>,
}

/// Shares of right answers on the whole batch of a step, as far as there are such heads in training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accuracy {
    pub(super) fln: Option<f64>,
    pub(super) cln: BTreeMap<&'static str, f64>,
}

/// What a learner says about a batch.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// Probabilities of the FLN, `[batch * 40]`.
    pub fln: Vec<f32>,
    /// The same of each correlation net, by variant.
    pub cln: BTreeMap<&'static str, Vec<f32>>,
    /// Weights between attributes summed over the batch, `[40 * 40]`, by variant.
    pub affinity: BTreeMap<&'static str, Vec<f32>>,
    /// PSE masks, `[40 * batch * positions]`.
    pub masks: Vec<f32>,
}

impl Learner {
    /// Fresh networks with initial weights from `seed`.
    pub fn new(
        architecture: &Architecture,
        plan: &SharedRun,
        settings: &Optimizer,
        seed: u64,
        backend: Backend,
        device: &Device,
    ) -> Result<Self> {
        retain_freed_memory();
        let parameters = Parameters::new(seed);
        let trunk = FeatureNet::new(architecture, backend, &parameters, device)?;
        let optimizer = match plan.fln {
            Fln::Trained => Some(optimizer(&parameters, settings, plan.weight_decay)?),
            Fln::FrozenBaseline => None,
        };
        let mut heads = Vec::new();
        for variant in &plan.variants {
            let Some(affinity) = variant.affinity else { continue };
            let parameters = Parameters::new(seed);
            let net = CorrelationNet::new(architecture, (affinity, variant.nodes), backend, &parameters, device)?;
            let rate = match plan.fln {
                Fln::Trained => settings.head_rate,
                Fln::FrozenBaseline => settings.head_rate * settings.frozen_rate,
            };
            let optimizer = optimizer_of_head(&parameters, rate, settings.momentum, plan.weight_decay)?;
            heads.push(Head { variant: *variant, net, parameters, optimizer });
        }
        Ok(Self { trunk, parameters, optimizer, heads, outputs: None, right: Vec::new(), answers: 0 })
    }

    /// Gives the backbone its initial weights.
    pub fn start_from(&self, start: &PretrainedWeights, architecture: &Architecture) -> Result<()> {
        start.apply(architecture, &self.parameters, &self.trunk)
    }

    /// Whether the trunk keeps its weights.
    pub fn frozen(&self) -> bool {
        self.optimizer.is_none()
    }

    /// How a batch goes through the trunk in training.
    fn mode(&self) -> Mode {
        if self.frozen() { Mode::Eval } else { Mode::Train }
    }

    /// The backbone's last map for a training batch (see [`super::Batch::tensors`]): of a frozen trunk always the same
    /// for one image.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.trunk.features(pixels, self.mode())?)
    }

    /// One step of every network on a batch, from its [`Learner::features`].
    pub fn step(&mut self, features: &Tensor, targets: &Tensor, rate: f64) -> Result<Losses> {
        self.step_distributed(&ProcessGroup::single(), features, targets, rate)
    }

    /// As [`Learner::step`], where the batch is this rank's share of one that all ranks compute; the losses are those of
    /// the whole batch.
    pub(super) fn step_distributed(
        &mut self,
        ranks: &ProcessGroup,
        features: &Tensor,
        targets: &Tensor,
        rate: f64,
    ) -> Result<Losses> {
        let out = self.trunk.branches(features, self.mode(), !self.heads.is_empty())?;
        let mut fln = self.optimizer.is_some().then(|| loss(&out.logits, targets)).transpose()?;
        let mut refined = self.refine(&out)?;
        let mut cln =
            refined.iter().map(|refined| loss(&refined.logits, targets)).collect::<candle_core::Result<Vec<_>>>()?;
        let logits = fln.iter().map(|_| &out.logits).chain(refined.iter().map(|refined| &refined.logits));
        let mut right = logits.map(|logits| right(logits, targets)).collect::<Result<Vec<_>>>()?;
        // The correlation nets' input carries no gradient, so the sum has the gradients of its terms.
        let total = fln
            .iter()
            .chain(&cln)
            .try_fold(None, |sum: Option<Tensor>, term| sum.map_or(Ok(term.clone()), |sum| sum + term).map(Some))?;
        let mut gradients = total.ok_or_else(|| Error::Internal("nothing to train".to_owned()))?.backward()?;
        if ranks.world_size() > 1 {
            let affinities = refined.iter_mut().map(|refined| &mut refined.affinity);
            let logged = fln.iter_mut().chain(&mut cln).chain(&mut right).chain(affinities);
            self.average(ranks, &mut gradients, logged)?;
        }
        self.outputs = Some(self.said(&out, &refined));
        (self.right, self.answers) = (right, COUNT * targets.dim(2)?);
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.step(&gradients, rate)?;
        }
        for head in &mut self.heads {
            head.optimizer.step(&gradients, rate)?;
        }
        let scalar = |loss: &Tensor| loss.to_scalar::<f32>().map(f64::from);
        let named = self.heads.iter().zip(&cln).map(|(head, loss)| Ok((head.variant.name, scalar(loss)?)));
        Ok(Losses { fln: fln.as_ref().map(scalar).transpose()?, cln: named.collect::<Result<_>>()? })
    }

    /// Replaces gradients, running statistics and what is logged by their means over all ranks, in one exchange. Each rank's
    /// running statistics begin a step as all others' and are moved by the moments of its share of the batch, so that
    /// theirs is the mean of those.
    fn average<'a>(
        &self,
        ranks: &ProcessGroup,
        gradients: &mut GradStore,
        logged: impl Iterator<Item = &'a mut Tensor>,
    ) -> Result<()> {
        let logged: Vec<&mut Tensor> = logged.collect();
        let trunk = self.optimizer.iter().flat_map(|_| self.parameters.all());
        let trained: Vec<(String, Var)> =
            trunk.chain(self.heads.iter().flat_map(|head| head.parameters.all())).collect();
        let running: Vec<&Var> = if self.frozen() { Vec::new() } else { self.trunk.running().values().collect() };
        let mut own = Vec::new();
        for (name, variable) in &trained {
            let none = || Error::Internal(format!("parameter {name} has no gradient"));
            own.push(gradients.get(variable).ok_or_else(none)?.clone());
        }
        own.extend(running.iter().map(|statistic| statistic.as_detached_tensor()));
        own.extend(logged.iter().map(|value| (**value).clone()));
        let mut means = ranks.all_reduce_mean(&own)?.into_iter();
        for ((_, variable), mean) in trained.iter().zip(&mut means) {
            gradients.insert(variable, mean);
        }
        for (statistic, mean) in running.into_iter().zip(&mut means) {
            statistic.set(&mean)?;
        }
        for (value, mean) in logged.into_iter().zip(means) {
            // It outlives the step, and the memory of all means with it if it were a part of that.
            *value = mean.copy()?;
        }
        Ok(())
    }

    /// How often the networks were right about the batch of the last step, before it changed them.
    pub(super) fn accuracy(&self) -> Result<Accuracy> {
        let share = |right: &Tensor| -> Result<f64> { Ok(f64::from(right.to_scalar::<f32>()?) / self.answers as f64) };
        let mut shares = self.right.iter().map(share);
        let fln = self.optimizer.as_ref().and_then(|_| shares.next()).transpose()?;
        let cln = self.heads.iter().zip(shares).map(|(head, share)| Ok((head.variant.name, share?)));
        Ok(Accuracy { fln, cln: cln.collect::<Result<_>>()? })
    }

    /// What the networks said about the batch of the last step, before it changed them; of several ranks, logits and masks
    /// of this one's share, and affinities of the whole batch.
    pub fn outputs(&self) -> Option<&Outputs> {
        self.outputs.as_ref()
    }

    /// What the networks say about a batch, with running batch-norm statistics.
    pub fn forward(&self, pixels: &Tensor) -> Result<Outputs> {
        let out = self.trunk.forward(pixels, Mode::Eval, !self.heads.is_empty())?;
        Ok(self.said(&out, &self.refine(&out)?))
    }

    /// What each correlation net makes of the trunk's features.
    fn refine(&self, out: &FeatureOutput) -> Result<Vec<CorrelationOutput>> {
        let refine = |head: &Head| {
            let gated = out.gated.as_ref().ok_or_else(|| Error::Internal("no gated features".to_owned()))?;
            Ok(head.net.forward(gated)?)
        };
        self.heads.iter().map(refine).collect()
    }

    /// What all networks said, without gradients.
    fn said(&self, out: &FeatureOutput, refined: &[CorrelationOutput]) -> Outputs {
        let cln = self.heads.iter().zip(refined).map(|(head, refined)| (head.variant.name, detached(refined)));
        Outputs { fln: out.logits.detach(), cln: cln.collect(), mask: out.mask.detach() }
    }

    /// Probabilities for a batch, with running batch-norm statistics.
    pub fn predict(&self, pixels: &Tensor) -> Result<Predictions> {
        let flat = |logits: &Tensor| -> Result<Vec<f32>> { Ok(probabilities(logits)?.flatten_all()?.to_vec1()?) };
        let outputs = self.forward(pixels)?;
        let mut predictions = Predictions {
            fln: flat(&outputs.fln)?,
            cln: BTreeMap::new(),
            affinity: BTreeMap::new(),
            masks: outputs.mask.flatten_all()?.to_vec1()?,
        };
        for (variant, refined) in &outputs.cln {
            let summed = (&refined.affinity * pixels.dim(1)? as f64)?;
            predictions.cln.insert(variant, flat(&refined.logits)?);
            predictions.affinity.insert(variant, summed.flatten_all()?.to_vec1()?);
        }
        Ok(predictions)
    }

    /// The trained network of one variant: the trunk's parameters and running statistics, and its correlation net's.
    pub fn network(&self, variant: &Variant) -> Tensors {
        let mut tensors = values(&self.parameters);
        tensors.extend(self.trunk.running().iter().map(|(name, v)| (name.clone(), v.as_detached_tensor())));
        for head in self.heads.iter().filter(|head| head.variant.name == variant.name) {
            tensors.extend(values(&head.parameters));
        }
        tensors
    }

    /// Loads the trunk's parameters and running statistics from another network.
    pub fn load_trunk(&mut self, network: &Tensors) -> Result<()> {
        let own = self.parameters.all();
        let of_trunk = network.iter().filter(|(name, _)| own.contains_key(*name));
        self.parameters.load(&of_trunk.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())?;
        Ok(self.trunk.load_running(network)?)
    }

    /// Loads the trained network of `variant`, as [`Learner::network`] gave it: every tensor of both must be in the other,
    /// in one shape.
    pub fn load_network(&mut self, variant: &Variant, network: &Tensors) -> Result<()> {
        self.load_trunk(network)?;
        let mut known: BTreeSet<String> = self.parameters.all().into_keys().collect();
        known.extend(self.trunk.running().keys().cloned());
        for head in self.heads.iter().filter(|head| head.variant.name == variant.name) {
            let own = head.parameters.all();
            let of_head = network.iter().filter(|(name, _)| own.contains_key(*name));
            head.parameters.load(&of_head.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())?;
            known.extend(own.into_keys());
        }
        match network.keys().find(|name| !known.contains(*name)) {
            Some(name) => Err(candle_core::Error::Msg(format!("this network has no tensor {name}")).into()),
            None => Ok(()),
        }
    }

    /// Whether every parameter and running statistic is a number.
    pub fn is_finite(&self) -> Result<bool> {
        let of_heads = self.heads.iter().flat_map(|head| head.parameters.all().into_values());
        let all = self.parameters.all().into_values().chain(of_heads).chain(self.trunk.running().values().cloned());
        for variable in all {
            // Nothing times a number is nothing; times anything else it is not.
            if (variable.as_detached_tensor() * 0.0)?.sum_all()?.to_scalar::<f32>()? != 0.0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Trainable parameters of a variant's network.
    pub fn count(&self, variant: &Variant) -> usize {
        let of_heads = self.heads.iter().filter(|head| head.variant.name == variant.name);
        [&self.parameters]
            .into_iter()
            .chain(of_heads.map(|head| &head.parameters))
            .flat_map(|parameters| parameters.all().into_values())
            .map(|variable| variable.elem_count())
            .sum()
    }

    /// Everything that a run needs to go on as if it had never stopped.
    pub fn state(&self) -> Tensors {
        let mut state = Tensors::new();
        let mut put = |part: &str, tensors: Tensors| {
            state.extend(tensors.into_iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor)));
        };
        put("trunk", values(&self.parameters));
        put("running", self.trunk.running().iter().map(|(n, v)| (n.clone(), v.as_detached_tensor())).collect());
        if let Some(optimizer) = &self.optimizer {
            put("trunk-velocity", optimizer.momentum_buffers().clone());
        }
        for head in &self.heads {
            put(head.variant.name, values(&head.parameters));
            put(&format!("{}-velocity", head.variant.name), head.optimizer.momentum_buffers().clone());
        }
        state
    }

    /// Goes on from [`Learner::state`].
    pub fn load_state(&mut self, state: &Tensors) -> Result<()> {
        let part = |part: &str| -> Tensors {
            let named = |name: &String| name.strip_prefix(part)?.strip_prefix('/').map(str::to_owned);
            state.iter().filter_map(|(name, tensor)| Some((named(name)?, tensor.clone()))).collect()
        };
        self.parameters.load(&part("trunk"))?;
        self.trunk.load_running(&part("running"))?;
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.set_momentum_buffers(&part("trunk-velocity"))?;
        }
        for head in &mut self.heads {
            head.parameters.load(&part(head.variant.name))?;
            head.optimizer.set_momentum_buffers(&part(&format!("{}-velocity", head.variant.name)))?;
        }
        Ok(())
    }
}

/// How many of the answers in `logits` `[40, 2, batch]` are those of the one-hot `targets`, a probability of one half
/// counting as "no".
fn right(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let yes = |probability: &Tensor| probability.gt(0.5);
    let wanted = targets.narrow(1, 1, 1)?.squeeze(1)?.t()?.contiguous()?;
    Ok(yes(&probabilities(logits)?)?.eq(&yes(&wanted)?)?.to_dtype(DType::F32)?.sum_all()?)
}

fn detached(output: &CorrelationOutput) -> CorrelationOutput {
    CorrelationOutput { logits: output.logits.detach(), affinity: output.affinity.detach() }
}

fn values(parameters: &Parameters) -> Tensors {
    parameters.all().into_iter().map(|(name, variable)| (name, variable.as_detached_tensor())).collect()
}

/// Four groups: backbone and branches, each with decaying weights and the rest.
fn optimizer(parameters: &Parameters, settings: &Optimizer, decay: f64) -> Result<MomentumSgd> {
    let mut groups = Vec::new();
    for (of_branches, rate) in [(false, 1.0), (true, settings.head_rate)] {
        for (decaying, decay) in [(true, decay), (false, 0.0)] {
            let variables = parameters
                .all()
                .into_iter()
                .filter(|(name, _)| name.starts_with("branch.") == of_branches && has_weight_decay(name) == decaying)
                .collect();
            groups.push(ParamGroup { variables, lr_scale: rate, weight_decay: decay });
        }
    }
    Ok(MomentumSgd::new(groups, settings.momentum)?)
}

/// Two groups: decaying weights and the rest.
fn optimizer_of_head(parameters: &Parameters, rate: f64, momentum: f64, decay: f64) -> Result<MomentumSgd> {
    let groups = [(true, decay), (false, 0.0)].map(|(decaying, decay)| ParamGroup {
        variables: parameters.all().into_iter().filter(|(name, _)| has_weight_decay(name) == decaying).collect(),
        lr_scale: rate,
        weight_decay: decay,
    });
    Ok(MomentumSgd::new(groups.into(), momentum)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;
    use crate::distributed::Rendezvous;
    use crate::progress::Progress;
    use crate::train::shared_runs;
    use std::net::TcpListener;
    use std::time::Duration;

    const STEPS: usize = 3;
    const IMAGES: usize = 4;

    #[derive(Default)]
    struct TrainedModel {
        /// The learner's state.
        state: BTreeMap<String, Vec<f32>>,
        /// Of each step.
        losses: Vec<Losses>,
        accuracies: Vec<Accuracy>,
        affinities: Vec<Vec<f32>>,
        /// Right answers of FLN and CLN to this rank's share of each step.
        right: Vec<[usize; 2]>,
    }

    /// Right answers of FLN and CLN to the last batch.
    fn right(outputs: &Outputs, targets: &Tensor) -> [usize; 2] {
        let yes = |pairs: &Tensor| {
            let pairs = pairs.to_vec3::<f32>().unwrap();
            pairs.iter().flat_map(|pair| pair[0].iter().zip(&pair[1]).map(|(no, yes)| yes > no)).collect::<Vec<_>>()
        };
        [&outputs.fln, &outputs.cln["gal-j"].logits]
            .map(|logits| yes(logits).iter().zip(yes(targets)).filter(|(said, wanted)| **said == *wanted).count())
    }

    /// What comes of some steps on pictures that are a function of `images(step)`.
    fn trained(ranks: &ProcessGroup, images: impl Fn(usize) -> f32) -> TrainedModel {
        let mut profile = Profile::load("quick").unwrap();
        profile.network.widths = [4; 5];
        let plan = shared_runs(&["baseline", "gal-j"].map(|name| Variant::named(name).unwrap()), &profile).remove(0);
        let mut learner =
            Learner::new(&profile.network, &plan, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        let side = profile.network.input_size;
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
        let mut trained = TrainedModel::default();
        for step in 0..STEPS {
            let waves = Tensor::arange(0.0_f32, (3 * IMAGES * side * side) as f32, &Device::Cpu).unwrap();
            let pixels = ((waves * f64::from(images(step))).unwrap().sin().unwrap() * 127.0).unwrap();
            let pixels = pixels.reshape((3, IMAGES, side, side)).unwrap();
            let yes = Tensor::arange(0_u32, (COUNT * IMAGES) as u32, &Device::Cpu).unwrap();
            let yes = (yes.to_dtype(candle_core::DType::F32).unwrap() * 0.7).unwrap().sin().unwrap().ge(0.0).unwrap();
            let yes = yes.to_dtype(candle_core::DType::F32).unwrap().reshape((COUNT, IMAGES)).unwrap();
            let targets = Tensor::stack(&[&(1.0 - &yes).unwrap(), &yes], 1).unwrap();
            let features = learner.features(&pixels).unwrap();
            trained.losses.push(learner.step_distributed(ranks, &features, &targets, 0.01).unwrap());
            let outputs = learner.outputs().unwrap();
            trained.accuracies.push(learner.accuracy().unwrap());
            trained.affinities.push(values(&outputs.cln["gal-j"].affinity));
            trained.right.push(right(outputs, &targets));
        }
        trained.state = learner.state().into_iter().map(|(name, tensor)| (name, values(&tensor))).collect();
        trained
    }

    /// As [`trained`] on each of two ranks, which see `images(rank, step)`.
    fn by_two(images: fn(usize, usize) -> f32) -> [TrainedModel; 2] {
        let endpoint = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let run = |rank: usize| {
            let (endpoint, timeout) = (endpoint.clone(), Duration::from_mins(1));
            let rendezvous = Rendezvous { rank, world_size: 2, endpoint, timeout };
            let ranks = ProcessGroup::init(&rendezvous, Vec::new(), &Device::Cpu, &Progress::new(true)).unwrap();
            trained(&ranks, |step| images(rank, step))
        };
        let run = &run;
        std::thread::scope(|scope| [0, 1].map(|rank| scope.spawn(move || run(rank))).map(|rank| rank.join().unwrap()))
    }

    #[test]
    fn ranks_that_see_the_same_images_step_as_one_that_sees_them() {
        let alone = trained(&ProcessGroup::single(), |step| 0.1 + step as f32);
        for rank in by_two(|_, step| 0.1 + step as f32) {
            assert!(rank.state == alone.state && rank.losses == alone.losses && rank.accuracies == alone.accuracies);
        }
    }

    /// Different ones on each rank.
    fn images(rank: usize, step: usize) -> f32 {
        0.1 + step as f32 + 0.3 * rank as f32
    }

    #[test]
    fn ranks_that_see_different_images_hold_the_same_network_after_every_step() {
        let [first, second] = by_two(images);
        assert!(first.state == second.state && first.losses == second.losses);
        assert!(first.state != trained(&ProcessGroup::single(), |step| images(0, step)).state);
    }

    #[test]
    fn what_is_logged_is_of_the_shares_of_all_ranks() {
        let both = by_two(images);
        // In its first step, each rank's network is that of a run by itself.
        let alone = [0, 1].map(|rank| trained(&ProcessGroup::single(), |step| images(rank, step)));
        let near = |logged: f64, of: [f64; 2]| (logged - f64::midpoint(of[0], of[1])).abs() < 1e-5 * logged.abs();
        for rank in &both {
            let (logged, of) = (&rank.losses[0], [0, 1].map(|share| &alone[share].losses[0]));
            assert!(near(logged.fln.unwrap(), of.map(|losses| losses.fln.unwrap())));
            assert!(near(logged.cln["gal-j"], of.map(|losses| losses.cln["gal-j"])));
            for (place, logged) in rank.affinities[0].iter().enumerate() {
                assert!(near(f64::from(*logged), [0, 1].map(|share| f64::from(alone[share].affinities[0][place]))));
            }
            for (step, logged) in rank.accuracies.iter().enumerate() {
                let share = |head: usize| {
                    (both[0].right[step][head] + both[1].right[step][head]) as f64 / (2 * COUNT * IMAGES) as f64
                };
                assert_eq!((logged.fln, logged.cln["gal-j"]), (Some(share(0)), share(1)));
            }
        }
        assert!(both[0].right != both[1].right);
    }
}
