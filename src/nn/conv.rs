//! A convolution without the batch norm and ReLU of [`ConvBlock`](super::ConvBlock).

use super::cpu::conv;
use super::cpu::im2col::BatchInvariance;
use super::geometry::{ConvConfig, Geometry};
use super::precision::Precision;
use super::{reference, storage};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Convolution without bias and groups: `x` `[in, batch, h, w]` and `weight` `[out, in, k, k]` to
/// `[out, batch, h', w']`.
pub fn convolve(x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    convolve_groups(x, weight, ConvConfig { padding, stride, groups: 1 })
}

/// [`convolve`] in groups: `weight` is `[out, in / groups, k, k]`.
pub(super) fn convolve_groups(x: &Tensor, weight: &Tensor, config: ConvConfig) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return reference::convolve(x, weight, config, Precision::Single);
    }
    x.contiguous()?.apply_op2(&weight.contiguous()?, ConvOp(config))
}

/// [`convolve`] from candle's own operations, on any device.
pub fn convolve_reference(
    x: &Tensor,
    weight: &Tensor,
    stride: usize,
    padding: usize,
    precision: Precision,
) -> Result<Tensor> {
    reference::convolve(x, weight, ConvConfig { padding, stride, groups: 1 }, precision)
}

#[derive(Debug)]
struct ConvOp(ConvConfig);

impl ConvOp {
    fn geometry(&self, x: &[usize], weight: &[usize]) -> Result<Geometry> {
        let g = Geometry::new(x, weight, self.0)?;
        if g.padding >= g.kernel {
            bail!("weights {weight:?} do not fit an input of {x:?} with padding {}", g.padding)
        }
        Ok(g)
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        "convolve"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = self.geometry(x_layout.dims(), weight_layout.dims())?;
        let y = conv::forward(
            &g,
            storage::slice(x, x_layout)?,
            storage::slice(weight, weight_layout)?,
            BatchInvariance::Exact,
            None,
        );
        Ok((CpuStorage::F32(y), (g.outputs, g.batch, g.out_height(), g.out_width()).into()))
    }

    fn bwd(&self, x: &Tensor, weight: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = self.geometry(x.dims(), weight.dims())?;
        let of_weight = |dy: &[f32]| storage::with(x, |x| conv::weight_gradient(&g, x, dy));
        let of_input = |dy: &[f32]| storage::with(weight, |weight| conv::input_gradient(&g, weight, dy));
        let dx = if x.track_op() { Some(storage::shaped(storage::with(dy, of_input)??, x)?) } else { None };
        let dw = if weight.track_op() { Some(storage::shaped(storage::with(dy, of_weight)??, weight)?) } else { None };
        Ok((dx, dw))
    }
}
