//! Layers and tensor operations with PyTorch's names; `name` is the prefix of a layer's tensors.

use super::graph::{Attribute, Graph};

/// Convolution, batch norm, ReLU and optionally 3x3 max-pooling with stride 2.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvBlock {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
    pub(super) groups: usize,
    pub(super) pool: bool,
}

impl ConvBlock {
    pub(super) fn forward(self, g: &mut Graph, name: &str, x: &str, eps: f64) -> String {
        let [kernel, stride, padding] = [self.kernel, self.stride, self.padding].map(|size| size as i64);
        let x = g.op(
            "Conv",
            &[x, &format!("{name}.conv.weight"), &format!("{name}.conv.bias")],
            &[
                ("kernel_shape", Attribute::Ints(&[kernel; 2])),
                ("strides", Attribute::Ints(&[stride; 2])),
                ("pads", Attribute::Ints(&[padding; 4])),
                ("group", Attribute::Int(self.groups as i64)),
            ],
        );
        let x = batch_norm(g, &format!("{name}.bn"), &x, eps);
        let x = g.op("Relu", &[&x], &[]);
        if !self.pool {
            return x;
        }
        let window = [("kernel_shape", Attribute::Ints(&[3, 3])), ("strides", Attribute::Ints(&[2, 2]))];
        g.op("MaxPool", &[&x], &window)
    }
}

/// 1x1 convolution.
pub(super) fn conv(g: &mut Graph, name: &str, x: &str, groups: usize) -> String {
    let attributes = [("kernel_shape", Attribute::Ints(&[1, 1])), ("group", Attribute::Int(groups as i64))];
    g.op("Conv", &[x, &format!("{name}.weight"), &format!("{name}.bias")], &attributes)
}

/// Batch norm with running statistics.
pub(super) fn batch_norm(g: &mut Graph, name: &str, x: &str, eps: f64) -> String {
    let [weight, bias, mean, variance] =
        ["weight", "bias", "running_mean", "running_var"].map(|tensor| format!("{name}.{tensor}"));
    g.op("BatchNormalization", &[x, &weight, &bias, &mean, &variance], &[("epsilon", Attribute::Float(eps as f32))])
}

/// `x W^T`, with the bias of the layer if `bias` is set.
pub(super) fn linear(g: &mut Graph, name: &str, x: &str, bias: bool) -> String {
    let weight = transpose(g, &format!("{name}.weight"), &[1, 0]);
    let product = g.op("MatMul", &[x, &weight], &[]);
    if bias { g.op("Add", &[&product, &format!("{name}.bias")], &[]) } else { product }
}

/// Layer norm over the last axis, with PyTorch's epsilon.
pub(super) fn layer_norm(g: &mut Graph, name: &str, x: &str) -> String {
    let inputs = [x, &format!("{name}.weight"), &format!("{name}.bias")];
    g.op("LayerNormalization", &inputs, &[("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(1e-5))])
}

/// The exact GELU: `x (1 + erf(x / sqrt 2)) / 2`.
pub(super) fn gelu(g: &mut Graph, x: &str) -> String {
    let (root, one, half) = (g.float(std::f32::consts::FRAC_1_SQRT_2), g.float(1.0), g.float(0.5));
    let scaled = g.op("Mul", &[x, &root], &[]);
    let erf = g.op("Erf", &[&scaled], &[]);
    let sum = g.op("Add", &[&erf, &one], &[]);
    let product = g.op("Mul", &[x, &sum], &[]);
    g.op("Mul", &[&product, &half], &[])
}

/// A copy with another shape: 0 keeps the size of an axis, -1 takes what is left.
pub(super) fn reshape(g: &mut Graph, x: &str, shape: &[i64]) -> String {
    let shape = g.ints(shape);
    g.op("Reshape", &[x, &shape], &[])
}

/// The axes in another order.
pub(super) fn transpose(g: &mut Graph, x: &str, axes: &[i64]) -> String {
    g.op("Transpose", &[x], &[("perm", Attribute::Ints(axes))])
}

/// A new axis of size 1.
pub(super) fn unsqueeze(g: &mut Graph, x: &str, axis: i64) -> String {
    let axes = g.ints(&[axis]);
    g.op("Unsqueeze", &[x, &axes], &[])
}

/// `ReduceMean` or `ReduceMax` over `axes`, which have the size 1 afterwards if `keep` is set.
pub(super) fn reduce(g: &mut Graph, operator: &str, x: &str, axes: &[i64], keep: bool) -> String {
    g.op(operator, &[x], &[("axes", Attribute::Ints(axes)), ("keepdims", Attribute::Int(keep.into()))])
}

/// The sum over `axis`, which has the size 1 afterwards if `keep` is set.
pub(super) fn sum(g: &mut Graph, x: &str, axis: i64, keep: bool) -> String {
    let axes = g.ints(&[axis]);
    g.op("ReduceSum", &[x, &axes], &[("keepdims", Attribute::Int(keep.into()))])
}

/// `x` of shape `dims` for each image of the batch that `of_batch` holds.
pub(super) fn repeated(g: &mut Graph, x: &str, dims: &[i64], of_batch: &str) -> String {
    let batch = g.op("Shape", &[of_batch], &[("start", Attribute::Int(0)), ("end", Attribute::Int(1))]);
    let rest = g.ints(dims);
    let shape = g.op("Concat", &[&batch, &rest], &[("axis", Attribute::Int(0))]);
    g.op("Expand", &[x, &shape], &[])
}

/// The entries at `index` of `axis`, without this axis.
pub(super) fn select(g: &mut Graph, x: &str, index: i64, axis: i64) -> String {
    let index = g.int(index);
    g.op("Gather", &[x, &index], &[("axis", Attribute::Int(axis))])
}
