//! Stochastic gradient descent with momentum, `v = momentum v + g; w -= lr v`, and L2 weight decay over parameter groups,
//! as PyTorch's `SGD`.
//!
//! candle-nn's `SGD` has neither momentum nor weight decay.

use super::cpu::simd;
use super::storage;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Values that one task updates.
pub(super) const PIECE: usize = 1 << 15;

/// Parameters with common hyperparameters.
#[derive(Debug, Clone)]
pub struct ParamGroup {
    /// Name and variable of each parameter.
    pub variables: Vec<(String, Var)>,
    /// Factor of the learning rate.
    pub lr_scale: f64,
    /// L2 penalty: `weight_decay * w` is added to the gradient.
    pub weight_decay: f64,
}

/// SGD with momentum, and its state.
#[derive(Debug)]
pub struct MomentumSgd {
    groups: Vec<ParamGroup>,
    /// Factor of the old momentum buffer in each step.
    momentum: f64,
    momentum_buffers: BTreeMap<String, Tensor>,
}

impl MomentumSgd {
    /// Starts with momentum buffers of zero. Every variable must be in exactly one group.
    pub fn new(groups: Vec<ParamGroup>, momentum: f64) -> Result<Self> {
        let mut momentum_buffers = BTreeMap::new();
        for (name, variable) in groups.iter().flat_map(|group| &group.variables) {
            if momentum_buffers.insert(name.clone(), variable.zeros_like()?).is_some() {
                bail!("parameter {name} is in two optimizer groups")
            }
        }
        Ok(Self { groups, momentum, momentum_buffers })
    }

    /// The momentum buffer of each variable by name.
    pub fn momentum_buffers(&self) -> &BTreeMap<String, Tensor> {
        &self.momentum_buffers
    }

    /// Replaces the momentum buffers, as when a run resumes.
    pub fn set_momentum_buffers(&mut self, momentum_buffers: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, own) in &mut self.momentum_buffers {
            match momentum_buffers.get(name) {
                Some(tensor) if tensor.shape() == own.shape() => *own = tensor.to_device(own.device())?.copy()?,
                Some(tensor) => bail!("momentum buffer of {name} is {:?}, expected {:?}", tensor.shape(), own.shape()),
                None => bail!("momentum buffer of {name} is missing"),
            }
        }
        Ok(())
    }

    /// Updates all variables with learning rate `lr`. Every variable must have a gradient.
    pub fn step(&mut self, gradients: &GradStore, lr: f64) -> Result<()> {
        for group in &self.groups {
            for (name, variable) in &group.variables {
                let Some(gradient) = gradients.get(variable) else { bail!("parameter {name} has no gradient") };
                let Some(buffer) = self.momentum_buffers.get_mut(name) else {
                    bail!("parameter {name} has no momentum buffer")
                };
                #[cfg(feature = "cuda")]
                if variable.device().is_cuda() {
                    let rates = (self.momentum, group.weight_decay, lr * group.lr_scale);
                    super::cuda::momentum_step(variable, gradient, buffer, rates)?;
                    continue;
                }
                let accumulate = Accumulate { momentum: self.momentum as f32, weight_decay: group.weight_decay as f32 };
                buffer.inplace_op3(&gradient.contiguous()?, variable.as_tensor(), &accumulate)?;
                variable.inplace_op2(buffer, &Descend { lr: (lr * group.lr_scale) as f32 })?;
            }
        }
        Ok(())
    }
}

/// The elements of a contiguous parameter.
pub(super) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((first, last)) = layout.contiguous_offsets() else { bail!("a parameter is not contiguous") };
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[first..last]),
        other => bail!("a parameter is {:?}, expected f32", candle_core::backend::BackendStorage::dtype(other)),
    }
}

/// `v = momentum v + g + weight_decay w`.
struct Accumulate {
    momentum: f32,
    weight_decay: f32,
}

impl InplaceOp3 for Accumulate {
    fn name(&self) -> &'static str {
        "momentum"
    }

    fn cpu_fwd(
        &self,
        v: &mut CpuStorage,
        vl: &Layout,
        g: &CpuStorage,
        gl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
    ) -> Result<()> {
        let (v, g, w) = (slice_mut(v, vl)?, storage::slice(g, gl)?, storage::slice(w, wl)?);
        v.par_chunks_mut(PIECE).zip(g.par_chunks(PIECE)).zip(w.par_chunks(PIECE)).for_each(|((v, g), w)| {
            for ((v, g), w) in v.iter_mut().zip(g).zip(w) {
                *v = *v * self.momentum + g + w * self.weight_decay;
            }
        });
        Ok(())
    }
}

/// `w -= lr v`.
struct Descend {
    lr: f32,
}

impl InplaceOp2 for Descend {
    fn name(&self) -> &'static str {
        "descend"
    }

    fn cpu_fwd(&self, w: &mut CpuStorage, wl: &Layout, v: &CpuStorage, vl: &Layout) -> Result<()> {
        let (w, v) = (slice_mut(w, wl)?, storage::slice(v, vl)?);
        w.par_chunks_mut(PIECE).zip(v.par_chunks(PIECE)).for_each(|(w, v)| simd::add_scaled(w, v, -self.lr));
        Ok(())
    }
}
