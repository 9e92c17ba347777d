//! The block that networks with batch norm consist of, as one operation: convolution, bias, batch norm, and optionally the
//! addition of a shortcut, ReLU and 3x3 max-pooling with stride 2.
//!
//! Activations are f32 `[channel, batch, height, width]`. The CPU operation saves only the convolution's output and the
//! pool's indices for the backward pass.

use super::block_op::{BlockOp, ConvParameters, SavedForBackward, Tail};
use super::conv::convolve_groups;
use super::geometry::ConvConfig;
use super::moments::{Moments, Statistics};
use super::norm::batch_norm;
use super::precision::Precision;
use super::reference::{convolve, max_pool};
use super::shortcut::Shortcut;
use super::storage;
use candle_core::{Result, Tensor};
use std::sync::{Arc, Mutex};

/// The fixed part of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvBlock {
    /// Groups of the convolution.
    pub groups: usize,
    /// Stride of the convolution.
    pub stride: usize,
    /// Zero padding of the convolution.
    pub padding: usize,
    /// The steps after batch norm.
    pub tail: Tail,
    /// Batch norm's epsilon.
    pub eps: f64,
}

impl ConvBlock {
    /// Maps `[in, batch, h, w]` to `[out, batch, h', w']`. In training it also returns the moments of the biased convolution
    /// output (biased variance) for the running averages.
    ///
    /// With [`Statistics::Running`] only [`ConvBlock::forward_reference`] has a gradient.
    pub fn forward(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        statistics: &Statistics,
    ) -> Result<(Tensor, Option<Moments>)> {
        self.forward_joined(x, p, None, statistics)
    }

    /// [`ConvBlock::forward`] that adds `shortcut`, a tensor of the output's shape, before ReLU.
    pub fn forward_joined(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        shortcut: Option<&Tensor>,
        statistics: &Statistics,
    ) -> Result<(Tensor, Option<Moments>)> {
        #[cfg(feature = "cuda")]
        if has_kernels(x, p, shortcut, statistics) {
            let config = (self.conv_config(), self.tail);
            return super::cuda::conv_block(config, self.eps, x, p, statistics.running(), Precision::Single);
        }
        if statistics.is_synchronized() {
            let z = convolve_groups(x, &p.weight, self.conv_config())?;
            return self.after_convolution(&z, p, shortcut, statistics);
        }
        if !x.device().is_cpu() {
            return self.forward_reference(x, p, shortcut, statistics, Precision::Single);
        }
        let affine = Tensor::cat(&[&p.bias.flatten_all()?, &p.gamma, &p.beta], 0)?;
        let running = match statistics.running() {
            Some(m) => Some((m.mean.to_vec1()?, m.variance.to_vec1()?)),
            None => None,
        };
        let saved = Arc::new(Mutex::new(None));
        let batch = running.is_none();
        let shortcut = shortcut.map(Shortcut::new).transpose()?;
        let affine = match &shortcut {
            Some(shortcut) => shortcut.attach(&affine)?,
            None => affine,
        };
        let (config, tail, eps) = (self.conv_config(), self.tail, self.eps as f32);
        let op = BlockOp { config, tail, eps, running, shortcut, saved: saved.clone() };
        let y = x.contiguous()?.apply_op3(&p.weight, &affine, op)?;
        let moments = if batch { storage::lock(&saved)?.as_ref().map(SavedForBackward::moments) } else { None };
        match moments {
            Some((mean, variance)) => Ok((y, Some(Moments::new(mean, variance, x.device())?))),
            None => Ok((y, None)),
        }
    }

    /// [`ConvBlock::forward_joined`] from candle's own operations, on any device. A CUDA device computes bf16 with our kernels.
    pub fn forward_reference(
        &self,
        x: &Tensor,
        p: &ConvParameters,
        shortcut: Option<&Tensor>,
        statistics: &Statistics,
        precision: Precision,
    ) -> Result<(Tensor, Option<Moments>)> {
        #[cfg(feature = "cuda")]
        if precision == Precision::Bf16 && has_kernels(x, p, shortcut, statistics) {
            let config = (self.conv_config(), self.tail);
            return super::cuda::conv_block(config, self.eps, x, p, statistics.running(), precision);
        }
        let z = convolve(x, &p.weight, self.conv_config(), precision)?;
        self.after_convolution(&z, p, shortcut, statistics)
    }

    /// All steps after the convolution, from candle's own operations.
    fn after_convolution(
        &self,
        z: &Tensor,
        p: &ConvParameters,
        shortcut: Option<&Tensor>,
        statistics: &Statistics,
    ) -> Result<(Tensor, Option<Moments>)> {
        let shape = z.dims().to_vec();
        let bias = if p.bias.rank() == 1 { p.bias.reshape(((), 1, 1, 1))? } else { p.bias.clone() };
        let z = z.broadcast_add(&bias)?.reshape((shape[0], ()))?;
        let (y, moments) = batch_norm(&z, &p.gamma, &p.beta, statistics, self.eps)?;
        let y = y.reshape(shape)?;
        let y = if let Some(shortcut) = shortcut { (y + shortcut)? } else { y };
        let y = match self.tail {
            Tail::Linear => y,
            Tail::Relu => y.relu()?,
            // After a ReLU, zero padding never exceeds a value, so it equals padding with minus infinity.
            Tail::Pool { padding } => {
                let y = y.relu()?;
                max_pool(&y.pad_with_zeros(2, padding, padding)?.pad_with_zeros(3, padding, padding)?)?
            }
        };
        Ok((y, moments))
    }

    fn conv_config(&self) -> ConvConfig {
        ConvConfig { padding: self.padding, stride: self.stride, groups: self.groups }
    }
}

/// The CUDA kernels have neither shortcuts, nor a bias by position, nor moments over several ranks.
#[cfg(feature = "cuda")]
fn has_kernels(x: &Tensor, p: &ConvParameters, shortcut: Option<&Tensor>, statistics: &Statistics) -> bool {
    x.device().is_cuda() && shortcut.is_none() && p.bias.rank() == 1 && !statistics.is_synchronized()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use candle_core::{Device, Var};
    use rand::RngExt;

    fn random(seed: u64, shape: &[usize]) -> Tensor {
        let mut random = random::generator(5, &[seed]);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.random::<f32>() + 0.1).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn every_tail_equals_candles_operations_with_running_statistics_and_ignores_the_batch() {
        let statistics = Statistics::Running(Moments { mean: random(1, &[5]), variance: random(2, &[5]) });
        let tails = [Tail::Linear, Tail::Relu, Tail::Pool { padding: 0 }, Tail::Pool { padding: 1 }];
        for (tail, by_position, joins) in tails
            .into_iter()
            .flat_map(|tail| [(tail, false, false), (tail, true, false)])
            .chain([(Tail::Relu, false, true), (Tail::Relu, true, true)])
        {
            let case = format!("{tail:?}, bias by position {by_position}, shortcut {joins}");
            let block = ConvBlock { groups: 1, stride: 2, padding: 1, tail, eps: 1e-3 };
            let p = ConvParameters {
                weight: (random(3, &[5, 4, 3, 3]) - 0.6).unwrap(),
                bias: random(4, if by_position { &[5, 1, 5, 6] } else { &[5] }),
                gamma: random(5, &[5]),
                beta: random(6, &[5]),
            };
            let (x, shortcut) = (random(7, &[4, 3, 9, 12]), (random(8, &[5, 3, 5, 6]) - 0.6).unwrap());
            let run = |x: &Tensor, shortcut: &Tensor| {
                block.forward_joined(x, &p, joins.then_some(shortcut), &statistics).unwrap().0
            };
            let expected =
                block.forward_reference(&x, &p, joins.then_some(&shortcut), &statistics, Precision::Single).unwrap().0;
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = run(&x, &shortcut);
            assert_eq!(found.dims(), expected.dims(), "{case}");
            for (found, expected) in values(&found).iter().zip(values(&expected)) {
                assert!((found - expected).abs() < 1e-4, "{case}: {found} is not {expected}");
            }
            let second = |t: &Tensor| t.narrow(1, 1, 1).unwrap().contiguous().unwrap();
            assert_eq!(values(&run(&second(&x), &second(&shortcut))), values(&second(&found)), "{case}");
        }
    }

    #[test]
    fn gradients_of_every_tail_equal_those_of_candles_operations() {
        let tails = [Tail::Linear, Tail::Relu, Tail::Pool { padding: 0 }, Tail::Pool { padding: 1 }];
        for (tail, joins) in tails.map(|tail| (tail, false)).into_iter().chain([(Tail::Relu, true)]) {
            let block = ConvBlock { groups: 1, stride: 1, padding: 1, tail, eps: 1e-3 };
            let shapes: [&[usize]; 6] = [&[16, 3, 6, 5], &[17, 16, 3, 3], &[17], &[17], &[17, 1, 6, 5], &[17, 3, 6, 5]];
            let variables = [0, 1, 2, 3, 4, 5].map(|i| {
                let centered = (random(i as u64, shapes[i]) - 0.6).unwrap();
                Var::from_tensor(&centered).unwrap()
            });
            let [x, weight, gamma, beta, bias, shortcut] = variables.each_ref().map(|v| v.as_tensor().clone());
            let p = ConvParameters { weight, bias, gamma, beta };
            let shortcut = joins.then_some(&shortcut);
            let gradients = |y: Tensor| {
                let pull = (random(9, y.dims()) - 0.6).unwrap();
                let store = (y * pull).unwrap().sum_all().unwrap().backward().unwrap();
                variables.each_ref().map(|variable| store.get(variable).cloned())
            };
            let found = gradients(block.forward_joined(&x, &p, shortcut, &Statistics::Batch).unwrap().0);
            let expected = block.forward_reference(&x, &p, shortcut, &Statistics::Batch, Precision::Single).unwrap();
            for (index, (found, expected)) in found.into_iter().zip(gradients(expected.0)).enumerate() {
                let (Some(found), Some(expected)) = (found, expected) else {
                    assert!(index == 5 && !joins, "{tail:?}: input {index} has no gradient");
                    continue;
                };
                let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().sqrt().unwrap().to_scalar::<f32>().unwrap();
                let error = norm(&(found - &expected).unwrap()) / norm(&expected);
                assert!(error < 1e-5, "{tail:?}, shortcut {joins}: gradient of input {index} is off by {error}");
            }
        }
    }

    #[test]
    fn a_shortcut_of_another_shape_is_refused() {
        let block = ConvBlock { groups: 1, stride: 1, padding: 0, tail: Tail::Relu, eps: 1e-3 };
        let [gamma, beta, bias] = [1, 2, 3].map(|seed| random(seed, &[2]));
        let p = ConvParameters { weight: random(4, &[2, 2, 1, 1]), bias, gamma, beta };
        let x = random(5, &[2, 1, 3, 3]);
        let error = block.forward_joined(&x, &p, Some(&random(6, &[2, 1, 3, 2])), &Statistics::Batch);
        assert!(error.unwrap_err().to_string().contains("a shortcut has the shape"));
    }
}
