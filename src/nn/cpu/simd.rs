//! Vector loops over contiguous f32, compiled for several instruction sets and dispatched at run time. Sums keep a fixed
//! number of partial sums, so that every instruction set adds in the same order and gives the same bits.

use multiversion::multiversion;

/// Partial sums of a reduction.
const LANES: usize = 32;

/// Mean and biased variance, in two passes.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn moments(x: &[f32]) -> (f32, f32) {
    let mut partial = [0.0; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            partial[lane] += chunk[lane];
        }
    }
    let count = x.len() as f32;
    let mean = (partial.iter().sum::<f32>() + rest.iter().sum::<f32>()) / count;
    partial = [0.0; LANES];
    for chunk in x.chunks_exact(LANES) {
        for lane in 0..LANES {
            partial[lane] += (chunk[lane] - mean) * (chunk[lane] - mean);
        }
    }
    let rest: f32 = rest.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (partial.iter().sum::<f32>() + rest) / count)
}

/// Sum of `x`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn sum(x: &[f32]) -> f32 {
    let mut partial = [0.0; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for lane in 0..LANES {
            partial[lane] += chunk[lane];
        }
    }
    partial.iter().sum::<f32>() + rest
}

/// `sum(a * b)`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const SHORT: usize = 8;
    let mut partial = [0.0; SHORT];
    let whole = a.len() / SHORT * SHORT;
    for (a, b) in a.chunks_exact(SHORT).zip(b.chunks_exact(SHORT)) {
        for lane in 0..SHORT {
            partial[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum();
    partial.iter().sum::<f32>() + rest
}

/// Pairs of the values of both slices.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn interleave(even: &[f32], odd: &[f32], pairs: &mut [[f32; 2]]) {
    for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
        *pair = [*even, *odd];
    }
}

/// Splits `values` into those at even and those at odd indices.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn halve(values: &[f32], even: &mut [f32], odd: &mut [f32]) {
    let (pairs, last) = values.as_chunks::<2>();
    let (even, rest) = even.split_at_mut(pairs.len());
    let odd = &mut odd[..pairs.len()];
    for place in 0..pairs.len() {
        even[place] = pairs[place][0];
        odd[place] = pairs[place][1];
    }
    if let [last] = last {
        rest[0] = *last;
    }
}

/// Copies a slice. Short ones are copied in two moves of fixed width, which may overlap: calling `memcpy` would cost more.
#[inline]
pub(super) fn copy_run(to: &mut [f32], from: &[f32]) {
    let length = to.len();
    assert_eq!(from.len(), length, "slices of two lengths");
    #[allow(unsafe_code, reason = "a buffer that is not initialized has no slice, see `Window::write_run`")]
    // SAFETY: two slices of this length, of which one is exclusive.
    unsafe {
        copy_short(to.as_mut_ptr(), from.as_ptr(), length);
    }
}

/// [`copy_run`] by pointers.
///
/// # Safety
/// Both point to `length` values; those of `to` are exclusive.
#[allow(unsafe_code, reason = "the caller promises that both are in bounds")]
#[inline]
pub(super) unsafe fn copy_short(to: *mut f32, from: *const f32, length: usize) {
    /// # Safety
    /// As above, with at least `N` values.
    #[inline]
    unsafe fn twice<const N: usize>(to: *mut f32, from: *const f32, length: usize) {
        // SAFETY: the first and the last `N` of at least `N` values.
        unsafe {
            std::ptr::copy_nonoverlapping(from, to, N);
            std::ptr::copy_nonoverlapping(from.add(length - N), to.add(length - N), N);
        }
    }
    // SAFETY: each branch copies `length` values, as the widths of its moves show.
    unsafe {
        match length {
            0 => {}
            1..4 => (0..length).for_each(|i| *to.add(i) = *from.add(i)),
            4..8 => twice::<4>(to, from, length),
            8..16 => twice::<8>(to, from, length),
            16..32 => twice::<16>(to, from, length),
            32..=64 => twice::<32>(to, from, length),
            _ => std::ptr::copy_nonoverlapping(from, to, length),
        }
    }
}

/// `y = max(x * scale + shift, 0)`: batch norm and ReLU of one channel.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn scale_relu(x: &[f32], y: &mut [f32], scale: f32, shift: f32) {
    for (y, x) in y.iter_mut().zip(x) {
        let v = x * scale + shift;
        *y = if v > 0.0 { v } else { 0.0 };
    }
}

/// [`scale_relu`] in place.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn scale_relu_in_place(x: &mut [f32], scale: f32, shift: f32) {
    for x in x {
        let v = *x * scale + shift;
        *x = if v > 0.0 { v } else { 0.0 };
    }
}

/// `y = max(x * scale + shift + shortcut, 0)`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn scale_add_relu(x: &[f32], shortcut: &[f32], y: &mut [f32], scale: f32, shift: f32) {
    for ((y, x), shortcut) in y.iter_mut().zip(x).zip(shortcut) {
        let v = x * scale + shift + shortcut;
        *y = if v > 0.0 { v } else { 0.0 };
    }
}

/// `x = max(x + y, 0)`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn add_relu(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        let v = *x + y;
        *x = if v > 0.0 { v } else { 0.0 };
    }
}

/// `dx = dy` where the output `y` of a ReLU is positive, and 0 elsewhere.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn relu_backward(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
        *dx = if *y > 0.0 { *dy } else { 0.0 };
    }
}

/// `y = x * scale + shift`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn scale_shift(x: &[f32], y: &mut [f32], scale: f32, shift: f32) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = x * scale + shift;
    }
}

/// `x = x * scale + shift`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn scale_shift_in_place(x: &mut [f32], scale: f32, shift: f32) {
    for x in x {
        *x = *x * scale + shift;
    }
}

/// `y += x * factor`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn add_scaled(y: &mut [f32], x: &[f32], factor: f32) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x * factor;
    }
}

/// `y = a * b`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn multiply(y: &mut [f32], a: &[f32], b: &[f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = a * b;
    }
}

/// `y += a * b`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn add_product(y: &mut [f32], a: &[f32], b: &[f32]) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y += a * b;
    }
}

/// Batch norm of one channel.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct Channel {
    /// Mean of the channel.
    pub(in crate::nn) mean: f32,
    /// `1 / sqrt(variance + eps)`.
    pub(in crate::nn) reciprocal: f32,
    /// `gamma * reciprocal`.
    pub(in crate::nn) scale: f32,
    /// `beta - scale * mean`.
    pub(in crate::nn) shift: f32,
}

impl Channel {
    /// A bias in place of batch norm.
    pub(in crate::nn) fn shift(bias: f32) -> Self {
        Self { mean: 0.0, reciprocal: 1.0, scale: 1.0, shift: bias }
    }

    pub(in crate::nn) fn new(mean: f32, variance: f32, eps: f32, gamma: f32, beta: f32) -> Self {
        let reciprocal = 1.0 / (variance + eps).sqrt();
        let scale = gamma * reciprocal;
        Self { mean, reciprocal, scale, shift: beta - scale * mean }
    }
}

/// Backward pass of `relu(batch_norm(z))` for one channel with batch statistics. Overwrites `z` with its gradient and
/// returns the gradients of gamma and beta. `dy` is the output's gradient. The ReLU mask is recomputed from `z`, so that
/// the output need not be stored.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn norm_relu_backward(z: &mut [f32], dy: &[f32], channel: Channel) -> (f32, f32) {
    let Channel { mean, reciprocal, scale, shift } = channel;
    let (mut plain, mut centred) = ([0.0; LANES], [0.0; LANES]);
    let whole = z.len() / LANES * LANES;
    for (z, dy) in z.chunks_exact(LANES).zip(dy.chunks_exact(LANES)) {
        for lane in 0..LANES {
            let d = if z[lane] * scale + shift > 0.0 { dy[lane] } else { 0.0 };
            plain[lane] += d;
            centred[lane] += d * (z[lane] - mean);
        }
    }
    let (mut dbeta, mut dgamma) = (plain.iter().sum::<f32>(), centred.iter().sum::<f32>());
    for (z, dy) in z[whole..].iter().zip(&dy[whole..]) {
        let d = if z * scale + shift > 0.0 { *dy } else { 0.0 };
        dbeta += d;
        dgamma += d * (z - mean);
    }
    dgamma *= reciprocal;
    let count = z.len() as f32;
    let (a, b) = (dbeta / count, dgamma / count * reciprocal);
    for (z, dy) in z.iter_mut().zip(dy) {
        let d = if *z * scale + shift > 0.0 { *dy } else { 0.0 };
        *z = scale * (d - a - (*z - mean) * b);
    }
    (dgamma, dbeta)
}

/// [`norm_relu_backward`] without the ReLU.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(in crate::nn) fn norm_backward(z: &mut [f32], dy: &[f32], channel: Channel) -> (f32, f32) {
    let Channel { mean, reciprocal, scale, .. } = channel;
    let (mut plain, mut centred) = ([0.0; LANES], [0.0; LANES]);
    let whole = z.len() / LANES * LANES;
    for (z, dy) in z.chunks_exact(LANES).zip(dy.chunks_exact(LANES)) {
        for lane in 0..LANES {
            plain[lane] += dy[lane];
            centred[lane] += dy[lane] * (z[lane] - mean);
        }
    }
    let (mut dbeta, mut dgamma) = (plain.iter().sum::<f32>(), centred.iter().sum::<f32>());
    for (z, dy) in z[whole..].iter().zip(&dy[whole..]) {
        dbeta += dy;
        dgamma += dy * (z - mean);
    }
    dgamma *= reciprocal;
    let count = z.len() as f32;
    let (a, b) = (dbeta / count, dgamma / count * reciprocal);
    for (z, dy) in z.iter_mut().zip(dy) {
        *z = scale * (dy - a - (*z - mean) * b);
    }
    (dgamma, dbeta)
}

/// `y += relu(x * scale + shift) * factor`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn add_scaled_relu(y: &mut [f32], x: &[f32], (scale, shift): (f32, f32), factor: f32) {
    for (y, x) in y.iter_mut().zip(x) {
        let v = x * scale + shift;
        *y += if v > 0.0 { factor * v } else { 0.0 };
    }
}

/// Gradients of the coefficients of [`add_scaled_relu`].
#[derive(Debug, Clone, Copy)]
pub(super) struct MaskSums {
    /// Gradient of the factor after ReLU.
    pub(super) out_weight: f32,
    /// Gradient of the shift before ReLU.
    pub(super) shift: f32,
    /// Gradient of the scale of `x - mean` before ReLU.
    pub(super) scale: f32,
}

/// Backward pass of [`add_scaled_relu`]: adds the gradient of `x` to `dx`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn mask_backward(
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    (scale, shift, mean): (f32, f32, f32),
    factor: f32,
) -> MaskSums {
    const SHORT: usize = 16;
    let (mut out_weight, mut d_shift, mut d_scale) = ([0.0; SHORT], [0.0; SHORT], [0.0; SHORT]);
    for ((x, dy), dx) in x.chunks(SHORT).zip(dy.chunks(SHORT)).zip(dx.chunks_mut(SHORT)) {
        for (lane, ((x, dy), dx)) in x.iter().zip(dy).zip(dx).enumerate() {
            let v = x * scale + shift;
            let d = if v > 0.0 { *dy } else { 0.0 };
            out_weight[lane] += d * v;
            let d = d * factor;
            d_shift[lane] += d;
            d_scale[lane] += d * (x - mean);
            *dx += d * scale;
        }
    }
    MaskSums { out_weight: out_weight.iter().sum(), shift: d_shift.iter().sum(), scale: d_scale.iter().sum() }
}
