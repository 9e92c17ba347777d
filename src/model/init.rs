//! Initial values of weights.

use candle_nn::Init;

pub(super) const ZERO: Init = Init::Const(0.0);
pub(super) const ONE: Init = Init::Const(1.0);

/// Uniform with variance 2 / fan-in, for layers before a ReLU (He et al. 2015).
pub(super) fn he(fan_in: usize) -> Init {
    let bound = (6.0 / fan_in as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// Uniform with variance 2 / (fan-in + fan-out), TensorFlow's default, for other linear layers (Glorot and Bengio 2010),
/// times `gain`.
pub(super) fn glorot(fan_in: usize, fan_out: usize, gain: f64) -> Init {
    let bound = gain * (6.0 / (fan_in + fan_out) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}
