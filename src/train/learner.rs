//! A feature net, the correlation nets that share it, and their optimizers: the training step and the forward pass.

use super::optimizers;
use super::shared_run::SharedRun;
use crate::attribute::ImageLabels;
use crate::config::Optimizer;
use crate::distributed::ProcessGroup;
use crate::error::{Error, Result};
use crate::model::{
    Architecture, Backend, CorrelationNet, CorrelationOutput, FeatureNet, FeatureOutput, LabelCounts, Mode, NetInput,
    correlation_net, is_fixed_graph, loss, probabilities,
};
use crate::nn::{Gated, MomentumSgd, Parameters, Ranks, retain_freed_memory};
use crate::variant::{Affinity, Fln, Net, Streams, Variant};
use crate::weights::PretrainedWeights;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A correlation net and its optimizer.
pub(super) struct CorrelationHead {
    pub(super) variant: Variant,
    net: Box<dyn CorrelationNet>,
    pub(super) parameters: Parameters,
    pub(super) optimizer: MomentumSgd,
}

/// The networks of a shared run with their optimizers.
pub struct Learner {
    pub(super) feature_net: FeatureNet,
    pub(super) parameters: Parameters,
    /// `None` if the feature net is frozen.
    pub(super) optimizer: Option<MomentumSgd>,
    streams: Streams,
    pub(super) heads: Vec<CorrelationHead>,
    /// Outputs on the last batch.
    outputs: Option<Outputs>,
    /// Factors of the pooled features in the next step.
    dropout: Option<Tensor>,
    /// 1 for labels that are given to correlation nets in the next step, 0 for the others: `[40, 1, batch]`.
    known_labels: Option<Tensor>,
    /// Weights of both classes in the FLN's loss, `[40, 2, 1]`; `None` for 1 each.
    loss_weights: Option<Tensor>,
    /// Labels and correct predictions of each trained network on the last batch, the FLN first. With several ranks, their
    /// means.
    counts: Vec<[Tensor; 2]>,
}

/// The networks' outputs on a batch, without gradients.
#[derive(Debug)]
pub struct Outputs {
    /// Logits of the FLN, `[40, 2, batch]`.
    pub fln: Tensor,
    /// Logits and mean affinity of each correlation net, by variant.
    pub cln: BTreeMap<&'static str, CorrelationOutput>,
    /// PSE masks, `[40, batch, positions]`; `None` without branches.
    pub mask: Option<Tensor>,
}

/// The losses of a step: mean cross-entropies over the batch, summed over the attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// The FLN's; `None` if it trains nothing.
    pub fln: Option<f64>,
    /// Each correlation net's, by variant.
    pub cln: BTreeMap<&'static str, f64>,
}

/// Accuracies on the labels of a step's whole batch that the network was not given, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accuracy {
    /// The FLN's; `None` if its classifiers are not trained, or without a known label.
    pub(super) fln: Option<f64>,
    /// Each correlation net's, by variant.
    pub(super) cln: BTreeMap<&'static str, f64>,
}

/// Predictions for a batch.
#[derive(Debug, Clone)]
pub struct BatchPredictions {
    /// Probabilities of the FLN, `[batch * 40]`.
    pub fln: Vec<f32>,
    /// Probabilities of each correlation net, by variant.
    pub cln: BTreeMap<&'static str, Vec<f32>>,
    /// Affinity summed over the batch, `[40 * 40]`, of each correlation net that has one, by variant.
    pub affinity: BTreeMap<&'static str, Vec<f32>>,
    /// PSE masks, `[40 * batch * positions]`; `None` without branches.
    pub masks: Option<Vec<f32>>,
}

impl Learner {
    /// New networks with random weights from `seed`.
    pub fn new(
        architecture: &Architecture,
        run: &SharedRun,
        settings: &Optimizer,
        seed: u64,
        backend: Backend,
        device: &Device,
    ) -> Result<Self> {
        retain_freed_memory();
        let parameters = Parameters::new(seed);
        let feature_net = FeatureNet::with_layers(architecture, run.layers(), backend, &parameters, device)?;
        let optimizer = match run.fln {
            Fln::Trained => Some(optimizers::for_feature_net(
                &parameters,
                settings,
                run.weight_decay,
                run.streams.train_fln_head(),
            )?),
            Fln::FrozenBaseline => None,
        };
        let lr_scale = settings.correlation_rate(optimizer.is_none());
        let mut heads = Vec::new();
        for variant in &run.variants {
            let Some(kind) = variant.net else { continue };
            let parameters = Parameters::new(seed);
            let net = correlation_net(kind, architecture, backend, &parameters, device)?;
            let optimizer =
                optimizers::for_correlation_net(&parameters, lr_scale, settings.momentum, run.weight_decay)?;
            heads.push(CorrelationHead { variant: *variant, net, parameters, optimizer });
        }
        Ok(Self {
            feature_net,
            parameters,
            optimizer,
            streams: run.streams,
            heads,
            outputs: None,
            dropout: None,
            known_labels: None,
            loss_weights: None,
            counts: Vec::new(),
        })
    }

    /// Makes batch norm take its moments over the batches of all ranks in `group`.
    pub(super) fn synchronize_batch_norm(&mut self, group: &Arc<ProcessGroup>) {
        let group = Arc::clone(group);
        let mean = move |local: &Tensor| {
            let mean = group.all_reduce_mean(std::slice::from_ref(local));
            // `Error::from` takes the error out again.
            let wrap = |error| candle_core::Error::WrappedContext { wrapped: Box::new(error), context: String::new() };
            mean.map_err(wrap)?.pop().ok_or_else(|| candle_core::Error::Msg("an all-reduce returned nothing".into()))
        };
        self.feature_net.set_ranks(Some(Ranks::new(mean)));
    }

    /// Loads pretrained weights into the backbone.
    pub fn load_backbone(&self, weights: &PretrainedWeights, architecture: &Architecture) -> Result<()> {
        weights.apply(architecture, &self.parameters, &self.feature_net)
    }

    /// Sets the graphs that correlation nets take from the labels of the training images, or from `errors` of Baseline.
    pub(super) fn set_graphs<'a>(
        &self,
        labels: impl Iterator<Item = &'a ImageLabels>,
        errors: impl Fn() -> Result<Vec<f32>>,
    ) -> Result<()> {
        let graph = |head: &CorrelationHead| head.parameters.all().into_iter().find(|(name, _)| is_fixed_graph(name));
        let graphs: Vec<(Option<Net>, Var)> =
            self.heads.iter().filter_map(|head| Some((head.variant.net, graph(head)?.1))).collect();
        if graphs.is_empty() {
            return Ok(());
        }
        let mut counts = LabelCounts::default();
        labels.for_each(|labels| counts.add(labels));
        for (net, variable) in graphs {
            let edges = match net {
                Some(Net::MlGcn) => counts.normalized(),
                Some(Net::GraphAttention(Affinity::Errors, _)) => errors()?,
                _ => counts.affinity(),
            };
            variable.set(&Tensor::from_vec(edges, variable.shape(), variable.device())?)?;
        }
        Ok(())
    }

    /// Removes the correlation nets of `variants`. Training the others goes on as if these had never been there, since
    /// they share no gradient.
    pub(super) fn drop_heads(&mut self, variants: &[&'static str]) {
        let is_kept = |head: &CorrelationHead| !variants.contains(&head.variant.name);
        // Those of the FLN come first if it has a loss.
        let first = self.counts.len().saturating_sub(self.heads.len());
        let kept: Vec<bool> = std::iter::repeat_n(true, first).chain(self.heads.iter().map(is_kept)).collect();
        let mut kept = kept.into_iter();
        self.counts.retain(|_| kept.next().unwrap_or(false));
        self.heads.retain(is_kept);
        if let Some(outputs) = &mut self.outputs {
            outputs.cln.retain(|name, _| !variants.contains(name));
        }
    }

    /// True if the feature net keeps its weights.
    pub fn is_frozen(&self) -> bool {
        self.optimizer.is_none()
    }

    /// True if the FLN's own loss is trained with.
    fn has_fln_loss(&self) -> bool {
        self.optimizer.is_some() && self.streams.train_fln_head()
    }

    /// True if a correlation net trains the feature net, which then belongs to one run.
    pub(super) fn has_joined_streams(&self) -> bool {
        !self.streams.are_separate()
    }

    /// The feature net's mode in training.
    fn mode(&self) -> Mode {
        if self.is_frozen() { Mode::Eval } else { Mode::Train }
    }

    /// The backbone's last map for a training batch (see [`super::Batch::tensors`]). With a frozen feature net, an image's
    /// features do not depend on its batch.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.feature_net.features(pixels, self.mode())?)
    }

    /// Sets the factors of the pooled features `[40, c, batch]` in the next step.
    pub(super) fn set_dropout(&mut self, factors: Option<Tensor>) {
        self.dropout = factors;
    }

    /// Sets which labels are given in the next step to the correlation nets that take any, `[40, 1, batch]`.
    pub(super) fn set_known_labels(&mut self, mask: Option<Tensor>) {
        self.known_labels = mask;
    }

    /// Sets the weights `[40][2]` of both classes in the FLN's loss.
    pub fn set_loss_weights(&mut self, weights: &[[f32; 2]], device: &Device) -> Result<()> {
        self.loss_weights = Some(Tensor::from_slice(weights.as_flattened(), (weights.len(), 2, 1), device)?);
        Ok(())
    }

    /// Trains every network for one step, from [`Learner::features`] of a batch and its targets (see
    /// [`super::Batch::tensors`]).
    pub fn step(&mut self, features: &Tensor, targets: &Tensor, rate: f64) -> Result<Losses> {
        self.step_distributed(&ProcessGroup::single(), features, targets, rate)
    }

    /// Like [`Learner::step`], for this rank's local batch. Returns the losses on the whole batch.
    pub(super) fn step_distributed(
        &mut self,
        group: &ProcessGroup,
        features: &Tensor,
        targets: &Tensor,
        rate: f64,
    ) -> Result<Losses> {
        let gated = if self.heads.is_empty() {
            Gated::Off
        } else if self.streams.are_separate() {
            Gated::Detached
        } else {
            Gated::Tracked
        };
        let dropout = self.dropout.take();
        let out = self.feature_net.branches(features, self.mode(), gated, dropout.as_ref())?;
        let weighted = self.loss_weights.as_ref().map(|weights| targets.broadcast_mul(weights)).transpose()?;
        let own_targets = weighted.as_ref().unwrap_or(targets);
        let mut fln = self.has_fln_loss().then(|| loss(&out.logits, own_targets)).transpose()?;
        let known = self.known_labels.take().map(|mask| targets.broadcast_mul(&mask)).transpose()?;
        let other = known.as_ref().map(|known| targets - known).transpose()?;
        let mut refined = self.refine(&out, features, known.as_ref())?;
        let of_head = |(head, refined): (&CorrelationHead, &CorrelationOutput)| {
            let targets = other.as_ref().filter(|_| head.variant.takes_known_labels()).unwrap_or(targets);
            loss(&refined.logits, targets)
        };
        let mut cln = self.heads.iter().zip(&refined).map(of_head).collect::<candle_core::Result<Vec<_>>>()?;
        let logits = fln.iter().map(|_| &out.logits).chain(refined.iter().map(|refined| &refined.logits));
        let (classes, other) = (Classes::new(targets)?, other.as_ref().map(Classes::new).transpose()?);
        let of_heads = self.heads.iter().map(|head| other.as_ref().filter(|_| head.variant.takes_known_labels()));
        let counted = fln.iter().map(|_| None).chain(of_heads).map(|other| other.unwrap_or(&classes));
        let mut counts = logits
            .zip(counted)
            .map(|(logits, classes)| classes.count(logits))
            .collect::<candle_core::Result<Vec<_>>>()?;
        // With separate streams, the correlation nets' input carries no gradient, so the gradients of the sum are those of its
        // terms.
        let total = fln
            .iter()
            .chain(&cln)
            .try_fold(None, |sum: Option<Tensor>, term| sum.map_or(Ok(term.clone()), |sum| sum + term).map(Some))?;
        let mut gradients = total.ok_or_else(|| Error::Internal("nothing to train".to_owned()))?.backward()?;
        if group.world_size() > 1 {
            let affinities =
                refined.iter_mut().flat_map(|output| output.affinity.iter_mut().chain(&mut output.products));
            let logged = fln.iter_mut().chain(&mut cln).chain(counts.as_flattened_mut()).chain(affinities);
            self.all_reduce(group, &mut gradients, logged)?;
        }
        self.outputs = Some(self.detach_outputs(&out, &refined));
        self.counts = counts;
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.step(&gradients, rate)?;
        }
        for head in &mut self.heads {
            head.optimizer.step(&gradients, rate)?;
        }
        let scalar = |loss: &Tensor| loss.to_scalar::<f32>().map(f64::from);
        let by_variant = self.heads.iter().zip(&cln).map(|(head, loss)| Ok((head.variant.name, scalar(loss)?)));
        Ok(Losses { fln: fln.as_ref().map(scalar).transpose()?, cln: by_variant.collect::<Result<_>>()? })
    }

    /// Replaces gradients, running statistics and logged values by their means over all ranks, in one all-reduce. The mean of
    /// the running statistics is their update from the mean moments, since they were equal on all ranks before the step.
    fn all_reduce<'a>(
        &self,
        group: &ProcessGroup,
        gradients: &mut GradStore,
        logged: impl Iterator<Item = &'a mut Tensor>,
    ) -> Result<()> {
        let logged: Vec<&mut Tensor> = logged.collect();
        let is_trained = |name: &str| self.optimizer.as_ref().is_some_and(|o| o.momentum_buffers().contains_key(name));
        let of_feature_net = self.parameters.all().into_iter().filter(|(name, _)| is_trained(name));
        let of_heads = self.heads.iter().flat_map(|head| head.parameters.all());
        let of_heads = of_heads.filter(|(name, _)| !is_fixed_graph(name));
        let trained: Vec<(String, Var)> = of_feature_net.chain(of_heads).collect();
        let running: Vec<&Var> =
            if self.is_frozen() { Vec::new() } else { self.feature_net.running().values().collect() };
        let mut local = Vec::new();
        for (name, variable) in &trained {
            let missing = || Error::Internal(format!("parameter {name} has no gradient"));
            local.push(gradients.get(variable).ok_or_else(missing)?.clone());
        }
        local.extend(running.iter().map(|statistic| statistic.as_detached_tensor()));
        local.extend(logged.iter().map(|value| (**value).clone()));
        let mut means = group.all_reduce_mean(&local)?.into_iter();
        for ((_, variable), mean) in trained.iter().zip(&mut means) {
            gradients.insert(variable, mean);
        }
        for (statistic, mean) in running.into_iter().zip(&mut means) {
            statistic.set(&mean)?;
        }
        for (value, mean) in logged.into_iter().zip(means) {
            // A view would keep the memory of all means alive after the step.
            *value = mean.copy()?;
        }
        Ok(())
    }

    /// Accuracies on the batch of the last step, before its update.
    pub(super) fn accuracy(&self) -> Result<Accuracy> {
        let share = |[labels, correct]: &[Tensor; 2]| -> Result<Option<f64>> {
            let [labels, correct] = [labels.to_scalar::<f32>()?, correct.to_scalar::<f32>()?].map(f64::from);
            Ok((labels > 0.0).then(|| correct / labels))
        };
        let mut shares = self.counts.iter().map(share).collect::<Result<Vec<_>>>()?.into_iter();
        let fln = if self.has_fln_loss() { shares.next().flatten() } else { None };
        let of_heads = self.heads.iter().zip(shares);
        Ok(Accuracy { fln, cln: of_heads.filter_map(|(head, share)| Some((head.variant.name, share?))).collect() })
    }

    /// Outputs on the batch of the last step, before its update. With several ranks, logits and masks are of the local batch
    /// and affinities of the whole batch.
    pub fn outputs(&self) -> Option<&Outputs> {
        self.outputs.as_ref()
    }

    /// Outputs for a batch in eval mode, with running batch-norm statistics. `known` are labels that are given to correlation
    /// nets that take any, one-hot `[40, 2, batch]` and zeros for the others.
    pub fn forward(&self, pixels: &Tensor, known: Option<&Tensor>) -> Result<Outputs> {
        let features = self.feature_net.features(pixels, Mode::Eval)?;
        let gated = if self.heads.is_empty() { Gated::Off } else { Gated::Detached };
        let out = self.feature_net.branches(&features, Mode::Eval, gated, None)?;
        Ok(self.detach_outputs(&out, &self.refine(&out, &features, known)?))
    }

    /// The correlation nets' outputs for the backbone's map and the feature net's outputs.
    fn refine(&self, out: &FeatureOutput, map: &Tensor, known: Option<&Tensor>) -> Result<Vec<CorrelationOutput>> {
        let Some(gated) = &out.gated else { return Ok(Vec::new()) };
        // Nets that train the feature net do so through the gated features.
        let input =
            NetInput { gated: gated.clone(), logits: out.logits.detach(), map: map.detach(), known: known.cloned() };
        self.heads.iter().map(|head| Ok(head.net.forward(&input)?)).collect()
    }

    fn detach_outputs(&self, out: &FeatureOutput, refined: &[CorrelationOutput]) -> Outputs {
        let cln = self.heads.iter().zip(refined).map(|(head, refined)| (head.variant.name, refined.detach()));
        Outputs { fln: out.logits.detach(), cln: cln.collect(), mask: out.mask.as_ref().map(Tensor::detach) }
    }

    /// Predictions for a batch in eval mode.
    pub fn predict(&self, pixels: &Tensor) -> Result<BatchPredictions> {
        let flat = |logits: &Tensor| -> Result<Vec<f32>> { Ok(probabilities(logits)?.flatten_all()?.to_vec1()?) };
        let outputs = self.forward(pixels, None)?;
        let mut predictions = BatchPredictions {
            fln: flat(&outputs.fln)?,
            cln: BTreeMap::new(),
            affinity: BTreeMap::new(),
            masks: outputs.mask.as_ref().map(|mask| mask.flatten_all()?.to_vec1()).transpose()?,
        };
        for (variant, refined) in &outputs.cln {
            predictions.cln.insert(variant, flat(&refined.logits)?);
            if let Some(affinity) = &refined.affinity {
                let summed = (affinity * pixels.dim(1)? as f64)?;
                predictions.affinity.insert(variant, summed.flatten_all()?.to_vec1()?);
            }
        }
        Ok(predictions)
    }
}

/// The classes in targets, `[batch, 40]`.
struct Classes {
    labels: Tensor,
    /// 1 for a target that is a label, 0 for one without.
    has_label: Tensor,
}

impl Classes {
    fn new(targets: &Tensor) -> candle_core::Result<Self> {
        let class = |index: usize| targets.narrow(1, index, 1)?.squeeze(1)?.t()?.contiguous();
        let (no, yes) = (class(0)?, class(1)?);
        Ok(Self { labels: yes.gt(&no)?, has_label: (&no + &yes)?.gt(0.0)?.to_dtype(DType::F32)? })
    }

    /// The number of labels, and that of predictions from `logits`, `[40, 2, batch]`, that equal them. A probability of one
    /// half is a "no".
    fn count(&self, logits: &Tensor) -> candle_core::Result<[Tensor; 2]> {
        let equal = probabilities(logits)?.gt(0.5)?.eq(&self.labels)?.to_dtype(DType::F32)?;
        Ok([self.has_label.sum_all()?, (equal * &self.has_label)?.sum_all()?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_run::shared_runs;
    use super::*;
    use crate::attribute::COUNT;
    use crate::config::Profile;
    use crate::distributed::Rendezvous;
    use crate::progress::Progress;
    use std::net::TcpListener;
    use std::time::Duration;

    const STEPS: usize = 3;
    const IMAGES: usize = 4;

    #[derive(Default)]
    struct Trained {
        state: BTreeMap<String, Vec<f32>>,
        /// Losses of each step.
        losses: Vec<Losses>,
        accuracies: Vec<Accuracy>,
        affinities: Vec<Vec<f32>>,
        /// Correct predictions of FLN and CLN on the local batch of each step.
        correct: Vec<[usize; 2]>,
    }

    /// Correct predictions of FLN and CLN on the last batch.
    fn correct(outputs: &Outputs, targets: &Tensor) -> [usize; 2] {
        let yes = |pairs: &Tensor| {
            let pairs = pairs.to_vec3::<f32>().unwrap();
            pairs.iter().flat_map(|pair| pair[0].iter().zip(&pair[1]).map(|(no, yes)| yes > no)).collect::<Vec<_>>()
        };
        [&outputs.fln, &outputs.cln["gal-j"].logits].map(|logits| {
            yes(logits).iter().zip(yes(targets)).filter(|(predicted, label)| **predicted == *label).count()
        })
    }

    /// The results of some steps on images that are a function of each of `images(step)`.
    fn trained(group: &Arc<ProcessGroup>, sync_bn: bool, images: impl Fn(usize) -> Vec<f32>) -> Trained {
        let mut profile = Profile::load("quick").unwrap();
        profile.network.widths = [4; 5];
        profile.optimizer.weight_decay = Some(0.001);
        let run = shared_runs(&["baseline", "gal-j"].map(|name| Variant::named(name).unwrap()), &profile).remove(0);
        let mut learner =
            Learner::new(&profile.network, &run, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        if sync_bn {
            learner.synchronize_batch_norm(group);
        }
        let side = profile.network.input_size;
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
        let mut trained = Trained::default();
        for step in 0..STEPS {
            let waves = Tensor::arange(0.0_f32, (3 * IMAGES * side * side) as f32, &Device::Cpu).unwrap();
            let pixels = |factor: f32| {
                let pixels = ((&waves * f64::from(factor)).unwrap().sin().unwrap() * 127.0).unwrap();
                pixels.reshape((3, IMAGES, side, side)).unwrap()
            };
            let pixels: Vec<Tensor> = images(step).into_iter().map(pixels).collect();
            let yes = Tensor::arange(0_u32, (COUNT * IMAGES) as u32, &Device::Cpu).unwrap();
            let yes = (yes.to_dtype(candle_core::DType::F32).unwrap() * 0.7).unwrap().sin().unwrap().ge(0.0).unwrap();
            let yes = yes.to_dtype(candle_core::DType::F32).unwrap().reshape((COUNT, IMAGES)).unwrap();
            let targets = Tensor::stack(&[&(1.0 - &yes).unwrap(), &yes], 1).unwrap();
            let targets = Tensor::cat(&vec![targets; pixels.len()], 2).unwrap();
            let features = learner.features(&Tensor::cat(&pixels, 1).unwrap()).unwrap();
            trained.losses.push(learner.step_distributed(group, &features, &targets, 0.01).unwrap());
            let outputs = learner.outputs().unwrap();
            trained.accuracies.push(learner.accuracy().unwrap());
            trained.affinities.push(values(outputs.cln["gal-j"].affinity.as_ref().unwrap()));
            trained.correct.push(correct(outputs, &targets));
        }
        trained.state = learner.state_dict().into_iter().map(|(name, tensor)| (name, values(&tensor))).collect();
        trained
    }

    /// Like [`trained`] in a single process.
    fn alone(images: impl Fn(usize) -> Vec<f32>) -> Trained {
        trained(&Arc::new(ProcessGroup::single()), false, images)
    }

    /// Like [`trained`] on each of two ranks, with the images `images(rank, step)`.
    fn by_two(sync_bn: bool, images: fn(usize, usize) -> f32) -> [Trained; 2] {
        let endpoint = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let run = |rank: usize| {
            let (endpoint, timeout) = (endpoint.clone(), Duration::from_mins(1));
            let rendezvous = Rendezvous { rank, world_size: 2, endpoint, timeout };
            let group = ProcessGroup::init(&rendezvous, Vec::new(), &Device::Cpu, &Progress::new(true)).unwrap();
            trained(&Arc::new(group), sync_bn, |step| vec![images(rank, step)])
        };
        let run = &run;
        std::thread::scope(|scope| [0, 1].map(|rank| scope.spawn(move || run(rank))).map(|rank| rank.join().unwrap()))
    }

    #[test]
    fn given_labels_are_no_part_of_the_loss_and_the_accuracy_of_the_net_that_takes_them() {
        let mut profile = Profile::load("quick").unwrap();
        profile.network.widths = [4; 5];
        let variants = ["gal-j", "transformer-known"].map(|name| Variant::named(name).unwrap());
        let run = shared_runs(&variants, &profile).remove(0);
        let network = &profile.network;
        let mut learner = Learner::new(network, &run, &profile.optimizer, 3, Backend::Native, &Device::Cpu).unwrap();
        let pixels = Tensor::rand(0.0_f32, 255.0, (3, IMAGES, network.input_size, network.input_size), &Device::Cpu);
        let yes = Tensor::rand(0.0_f32, 1.0, (COUNT, IMAGES), &Device::Cpu).unwrap().ge(0.5).unwrap();
        let yes = yes.to_dtype(DType::F32).unwrap();
        let targets = Tensor::stack(&[&(1.0 - &yes).unwrap(), &yes], 1).unwrap();
        let given = Tensor::rand(0.0_f32, 1.0, (COUNT, 1, IMAGES), &Device::Cpu).unwrap().ge(0.5).unwrap();
        let given = given.to_dtype(DType::F32).unwrap();
        learner.set_known_labels(Some(given.clone()));
        let features = learner.features(&pixels.unwrap()).unwrap();
        let losses = learner.step(&features, &targets, 0.01).unwrap();
        let others = targets.broadcast_mul(&(1.0 - given).unwrap()).unwrap();
        for (variant, targets) in [("gal-j", &targets), ("transformer-known", &others)] {
            let expected = loss(&learner.outputs().unwrap().cln[variant].logits, targets).unwrap();
            let expected = f64::from(expected.to_scalar::<f32>().unwrap());
            assert!((losses.cln[variant] - expected).abs() < 1e-5 * expected, "{variant}");
            let logits = learner.outputs().unwrap().cln[variant].logits.to_vec3::<f32>().unwrap();
            let targets = targets.to_vec3::<f32>().unwrap();
            let (mut labels, mut correct) = (0, 0);
            for (attribute, image) in (0..COUNT).flat_map(|attribute| (0..IMAGES).map(move |image| (attribute, image)))
            {
                let [no, yes] = [0, 1].map(|class| targets[attribute][class][image] > 0.5);
                labels += usize::from(no || yes);
                let predicted = logits[attribute][1][image] > logits[attribute][0][image];
                correct += usize::from(if predicted { yes } else { no });
            }
            let found = learner.accuracy().unwrap().cln[variant];
            assert!((found - correct as f64 / labels as f64).abs() < 1e-12, "{variant}: {found}");
        }
    }

    #[test]
    fn ranks_with_the_same_images_step_like_one_with_them() {
        let alone = alone(|step| vec![0.1 + step as f32]);
        for rank in by_two(false, |_, step| 0.1 + step as f32) {
            assert!(rank.state == alone.state && rank.losses == alone.losses && rank.accuracies == alone.accuracies);
        }
    }

    /// Different images on each rank.
    fn images(rank: usize, step: usize) -> f32 {
        0.1 + step as f32 + 0.3 * rank as f32
    }

    #[test]
    fn ranks_with_different_images_hold_the_same_network_after_every_step() {
        let [first, second] = by_two(false, images);
        assert!(first.state == second.state && first.losses == second.losses);
        assert!(first.state != alone(|step| vec![images(0, step)]).state);
    }

    #[test]
    fn ranks_with_synchronized_batch_norm_step_like_one_with_the_whole_batch() {
        let whole = alone(|step| vec![images(0, step), images(1, step)]);
        let distance = |ranks: &[Trained; 2]| {
            assert!(ranks[0].state == ranks[1].state && ranks[0].losses == ranks[1].losses);
            let values = |trained: &Trained| trained.state.values().flatten().copied().collect::<Vec<f32>>();
            let (found, expected) = (values(&ranks[0]), values(&whole));
            assert_eq!(found.len(), expected.len());
            found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max)
        };
        let (synchronized, local) = (distance(&by_two(true, images)), distance(&by_two(false, images)));
        assert!(synchronized < 1e-3 && local > 100.0 * synchronized, "{synchronized}, {local}");
        for (found, expected) in by_two(true, images)[0].losses.iter().zip(&whole.losses) {
            let (found, expected) = (found.cln["gal-j"], expected.cln["gal-j"]);
            assert!((found - expected).abs() < 1e-4 * expected, "{found}, {expected}");
        }
    }

    #[test]
    fn logged_values_cover_the_local_batches_of_all_ranks() {
        let both = by_two(false, images);
        // In the first step, each rank's network equals that of a single process.
        let alone = [0, 1].map(|rank| alone(|step| vec![images(rank, step)]));
        // A weight on another attribute may be too small for f32.
        let near = |logged: f64, pair: [f64; 2]| {
            (logged - f64::midpoint(pair[0], pair[1])).abs() <= 1e-5 * logged.abs() + f64::from(f32::MIN_POSITIVE)
        };
        for rank in &both {
            let (logged, pair) = (&rank.losses[0], [0, 1].map(|rank| &alone[rank].losses[0]));
            assert!(near(logged.fln.unwrap(), pair.map(|losses| losses.fln.unwrap())));
            assert!(near(logged.cln["gal-j"], pair.map(|losses| losses.cln["gal-j"])));
            for (index, logged) in rank.affinities[0].iter().enumerate() {
                assert!(near(f64::from(*logged), [0, 1].map(|rank| f64::from(alone[rank].affinities[0][index]))));
            }
            for (step, logged) in rank.accuracies.iter().enumerate() {
                let share = |head: usize| {
                    (both[0].correct[step][head] + both[1].correct[step][head]) as f64 / (2 * COUNT * IMAGES) as f64
                };
                assert_eq!((logged.fln, logged.cln["gal-j"]), (Some(share(0)), share(1)));
            }
        }
        assert!(both[0].correct != both[1].correct);
    }
}
