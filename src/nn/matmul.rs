//! Dense f32 matrix products on the CPU: bounds-checked views over slices in front of the `gemm` crate. Each product
//! runs on the calling thread; callers split the work into pieces whose sizes depend on shapes alone, so that results
//! do not depend on how many threads there are.

use rayon::prelude::*;

/// A strided view of a matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix whose rows lie `row_stride` elements apart.
    pub(super) fn new(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// `count` rows from `first` on.
    fn rows(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.row_stride..], rows: count, ..self }
    }

    /// `count` columns from `first` on.
    fn columns(self, first: usize, count: usize) -> Self {
        Self { data: &self.data[first * self.column_stride..], columns: count, ..self }
    }

    fn in_bounds(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.data.len()
    }
}

/// A place to write a product: a row-major window of a buffer that several threads fill, each its own window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pointer: *mut f32,
    length: usize,
    row_stride: usize,
}

#[allow(unsafe_code, reason = "disjoint windows of one buffer are handed to the tasks that fill them")]
// SAFETY: a window is a pointer into a buffer that outlives the parallel section; its makers hand out disjoint ones.
unsafe impl Send for Window {}
#[allow(unsafe_code, reason = "as for Send")]
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// The whole of `buffer` as rows of `row_stride` elements.
    pub(super) fn new(buffer: &mut [f32], row_stride: usize) -> Self {
        Self { pointer: buffer.as_mut_ptr(), length: buffer.len(), row_stride }
    }

    /// The window that begins `offset` elements later.
    pub(super) fn at(self, offset: usize) -> Self {
        assert!(offset <= self.length, "window starts {offset} into {} elements", self.length);
        Self { pointer: self.pointer.wrapping_add(offset), length: self.length - offset, ..self }
    }

    /// Writes a contiguous run, which must be the caller's alone while this runs.
    #[allow(unsafe_code, reason = "the run may hold nothing yet, so that it cannot be a slice")]
    pub(super) fn write(self, values: &[f32]) {
        assert!(values.len() <= self.length, "run of {} in {} elements", values.len(), self.length);
        // SAFETY: in bounds by the assertion; `values` is borrowed, so that it is no part of what is written.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.pointer, values.len()) }
    }

    /// One contiguous run of the window.
    ///
    /// # Safety
    /// The elements must have been written, and no other thread may touch them while the slice lives.
    #[allow(unsafe_code, reason = "the caller promises that runs are disjoint")]
    pub(super) unsafe fn slice<'a>(self, length: usize) -> &'a mut [f32] {
        assert!(length <= self.length, "run of {length} in {} elements", self.length);
        // SAFETY: in bounds by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, length) }
    }
}

/// A buffer of rows of `row_stride` elements, `length` in all, that `fill` writes through its window. Zeros first would
/// be written by one thread while all others wait.
///
/// # Safety
/// `fill` must write every element.
#[allow(unsafe_code, reason = "the caller promises that all of it is written")]
pub(super) unsafe fn fill_uninit(length: usize, row_stride: usize, fill: impl FnOnce(Window)) -> Vec<f32> {
    let mut buffer: Vec<f32> = Vec::with_capacity(length);
    if cfg!(test) {
        // What is left out shows.
        buffer.spare_capacity_mut().iter_mut().for_each(|value| _ = value.write(f32::NAN));
    }
    fill(Window { pointer: buffer.as_mut_ptr(), length, row_stride });
    // SAFETY: so many were reserved, and written by the caller's promise.
    unsafe { buffer.set_len(length) };
    buffer
}

/// `out = a b`, or `out += a b` where `accumulate`; `out` must be the caller's alone while this runs.
#[allow(unsafe_code, reason = "the gemm crate takes raw pointers; extents are asserted first")]
pub(super) fn multiply(out: Window, a: View, b: View, accumulate: bool) {
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
            // gemm's alpha scales what is already there, its beta scales the product.
            if accumulate { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Columns that all of the gemm crate's kernels take whole (48, 24, 16, 12 or 8 at a time), and enough that it does not
/// choose another order of additions for small products: a product of so many, or a multiple, gives a column the same
/// bits wherever it stands.
pub(super) const BLOCK: usize = 96;

/// Columns of a piece are a multiple of this, so that only the last piece ends within a kernel.
const KERNEL: usize = 48;

/// Pieces a large product is cut into along its longer side.
const PIECES: usize = 8;

/// `a b` as a new row-major matrix, its pieces computed side by side.
pub(super) fn product(a: View, b: View) -> Vec<f32> {
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
    // SAFETY: the pieces are all rows, or all columns.
    unsafe {
        fill_uninit(m * n, n, fill)
    }
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
