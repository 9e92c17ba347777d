//! Dense f32 matrix products: bounds-checked views of slices for the `gemm` crate. Each product runs on the calling
//! thread. Callers split work into pieces whose sizes depend only on shapes, so that results do not depend on the number
//! of threads.

use super::simd;
use rayon::prelude::*;

/// A strided view of a matrix.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix; `row_stride` elements separate the starts of two rows.
    pub(in crate::nn) fn new(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose.
    pub(in crate::nn) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// `count` rows from row `first`.
    fn rows(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.row_stride..], rows: count, ..self }
    }

    /// `count` columns from column `first`.
    fn columns(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.column_stride..], columns: count, ..self }
    }

    fn in_bounds(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.data.len()
    }
}

/// A row-major window of a buffer that several threads fill, each through a window of its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::nn) struct Window {
    pointer: *mut f32,
    length: usize,
    row_stride: usize,
}

#[allow(unsafe_code, reason = "tasks fill disjoint windows of one buffer")]
// SAFETY: the buffer outlives the parallel section, and callers give each task a disjoint window.
unsafe impl Send for Window {}
#[allow(unsafe_code, reason = "as for Send")]
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// All of `buffer` as rows of `row_stride` elements.
    pub(in crate::nn) fn new(buffer: &mut [f32], row_stride: usize) -> Self {
        Self { pointer: buffer.as_mut_ptr(), length: buffer.len(), row_stride }
    }

    /// The window that starts `offset` elements later.
    pub(in crate::nn) fn at(self, offset: usize) -> Self {
        assert!(offset <= self.length, "window starts {offset} into {} elements", self.length);
        Self { pointer: self.pointer.wrapping_add(offset), length: self.length - offset, ..self }
    }

    /// Writes a contiguous run, which no other thread may access meanwhile.
    #[allow(unsafe_code, reason = "the run may be uninitialized, so that it cannot be a slice")]
    pub(in crate::nn) fn write(self, values: &[f32]) {
        assert!(values.len() <= self.length, "run of {} in {} elements", values.len(), self.length);
        // SAFETY: in bounds by the assertion; `values` is borrowed, so it cannot overlap.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.pointer, values.len()) }
    }

    /// [`Window::write`] for short runs.
    #[allow(unsafe_code, reason = "as for `write`")]
    pub(super) fn write_run(self, values: &[f32]) {
        assert!(values.len() <= self.length, "run of {} in {} elements", values.len(), self.length);
        // SAFETY: in bounds by the assertion; `values` is borrowed, so it cannot overlap.
        unsafe { simd::copy_short(self.pointer, values.as_ptr(), values.len()) }
    }

    /// One contiguous run of the window.
    ///
    /// # Safety
    /// The elements must be initialized, and no other thread may access them while the slice lives.
    #[allow(unsafe_code, reason = "the caller promises that runs are disjoint")]
    pub(super) unsafe fn slice<'a>(self, length: usize) -> &'a mut [f32] {
        assert!(length <= self.length, "run of {length} in {} elements", self.length);
        // SAFETY: in bounds by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, length) }
    }
}

/// Allocates `length` elements, in rows of `row_stride`, for `fill` to initialize. A zeroed buffer would first be written
/// by one thread while the others wait.
///
/// # Safety
/// `fill` must write every element.
#[allow(unsafe_code, reason = "the caller promises to write every element")]
pub(in crate::nn) unsafe fn fill_uninit(length: usize, row_stride: usize, fill: impl FnOnce(Window)) -> Vec<f32> {
    let mut buffer: Vec<f32> = Vec::with_capacity(length);
    if cfg!(test) {
        // Makes unwritten elements visible.
        buffer.spare_capacity_mut().iter_mut().for_each(|value| _ = value.write(f32::NAN));
    }
    fill(Window { pointer: buffer.as_mut_ptr(), length, row_stride });
    // SAFETY: `length` elements are reserved, and written by the caller's promise.
    unsafe { buffer.set_len(length) };
    buffer
}

/// `out = a b`, or `out += a b` if `accumulate`. No other thread may access `out` meanwhile.
#[allow(unsafe_code, reason = "the gemm crate takes raw pointers; extents are asserted first")]
pub(in crate::nn) fn multiply(out: Window, a: View, b: View, accumulate: bool) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner dimensions differ");
    assert!(a.in_bounds() && b.in_bounds(), "operand outside its buffer");
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * out.row_stride + n <= out.length, "product outside its buffer");
    // SAFETY: all three extents were asserted above; gemm reads `a` and `b` and writes only the m x n window.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.pointer,
            1,
            out.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            // gemm's alpha scales the old content, its beta the product.
            if accumulate { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// In products of a multiple of this many columns, the bits of a column do not depend on its position. It is a multiple of
/// the width of every kernel of the gemm crate (48, 24, 16, 12, 8). It also exceeds the small products for which gemm adds
/// in another order.
pub(super) const BLOCK: usize = 96;

/// Pieces have a multiple of this many columns, so that only the last one ends within a kernel.
const KERNEL: usize = 48;

/// Parallel pieces of a large product along its longer side.
const PIECES: usize = 8;

/// `a b` as a new row-major matrix, computed in parallel.
pub(in crate::nn) fn product(a: View, b: View) -> Vec<f32> {
    let (m, n) = (a.rows, b.columns);
    let fill = |out: Window| {
        if m >= n {
            let step = m.div_ceil(PIECES).next_multiple_of(32);
            (0..m.div_ceil(step)).into_par_iter().for_each(|piece| {
                let first = piece * step;
                multiply(out.at(first * n), a.rows(first, step.min(m - first)), b, false);
            });
        } else {
            let step = n.div_ceil(PIECES).next_multiple_of(KERNEL);
            (0..n.div_ceil(step)).into_par_iter().for_each(|piece| {
                let first = piece * step;
                multiply(out.at(first), a, b.columns(first, step.min(n - first)), false);
            });
        }
    };
    #[allow(unsafe_code, reason = "see `fill_uninit`")]
    // SAFETY: the pieces cover all rows, or all columns.
    unsafe {
        fill_uninit(m * n, n, fill)
    }
}

/// Partial sums of a weight gradient, which [`sum_parts`] adds in a fixed order.
pub(super) const PARTS: usize = 4;

/// Reduces consecutive sums of `size` elements to one, in their order.
pub(in crate::nn) fn sum_parts(parts: &mut Vec<f32>, size: usize) {
    const PIECE: usize = 1 << 14;
    let (total, others) = parts.split_at_mut(size);
    for other in others.chunks_exact(size) {
        total.par_chunks_mut(PIECE).zip(other.par_chunks(PIECE)).for_each(|(a, b)| simd::add_scaled(a, b, 1.0));
    }
    parts.truncate(size);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp, reason = "sums of small integers are exact")]
    fn a_product_equals_the_sum_over_its_definition() {
        let (m, k, n) = (70, 5, 33);
        let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
        for (m, n, a, b) in [
            (m, n, View::new(&a, m, k, k), View::new(&b, k, n, n)),
            (n, m, View::new(&b, k, n, n).transposed(), View::new(&a, m, k, k).transposed()),
        ] {
            let found = product(a, b);
            for row in 0..m {
                for column in 0..n {
                    let expected: f32 = (0..k)
                        .map(|i| {
                            a.data[row * a.row_stride + i * a.column_stride]
                                * b.data[i * b.row_stride + column * b.column_stride]
                        })
                        .sum();
                    assert_eq!(found[row * n + column], expected);
                }
            }
        }
    }
}
