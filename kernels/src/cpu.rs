//! Shared parts of the CPU paths: tensor memory, one safe matrix product, fixed-size tasks.
//!
//! The replica law rests on three rules kept here. Inputs are made contiguous first, so that the
//! layout (and with it the route inside `gemm`) never depends on the replica count. A product is
//! always single-threaded; threads only take whole tasks. A task is a fixed number of samples or
//! rows of one replica, and partial sums are added in the order of the tasks.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, TensorData};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) type FlexTensor = FloatTensor<Flex>;

/// The tensor in row-major order without gaps.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    x.to_contiguous()
}

/// The values of a contiguous f32 tensor.
pub(crate) fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice::<f32>().expect("CPU paths get contiguous f32 tensors")
}

/// The shape as an array.
pub(crate) fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    std::array::from_fn(|i| x.shape()[i])
}

/// A tensor that owns `values`.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// A matrix read from a slice, by strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major, with rows `row_stride` elements apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(fits(data.len(), rows, cols, row_stride));
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }

    /// Row-major without gaps.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The block of some rows and columns.
    pub(crate) fn block(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert!(rows.end <= self.rows && cols.end <= self.cols);
        let start = rows.start * self.row_stride + cols.start * self.col_stride;
        Self {
            data: self.data.get(start..).unwrap_or_default(),
            rows: rows.len(),
            cols: cols.len(),
            ..self
        }
    }

    /// The transposed view.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

fn fits(len: usize, rows: usize, cols: usize, row_stride: usize) -> bool {
    rows == 0 || cols == 0 || (rows - 1) * row_stride + cols <= len
}

/// `out = left x right`, or `out += left x right`; `out` is row-major with the given stride.
/// Single-threaded, so that its bits depend on the two matrices only.
#[allow(unsafe_code)]
pub(crate) fn product(out: &mut [f32], out_row_stride: usize, left: Matrix, right: Matrix, accumulate: bool) {
    let (rows, inner, cols) = (left.rows, left.cols, right.cols);
    assert_eq!(inner, right.rows);
    assert!(fits(out.len(), rows, cols, out_row_stride));
    assert!(cols <= out_row_stride || rows <= 1);
    // SAFETY: `Matrix` and the asserts above keep every index inside the three slices; rows of
    // `out` do not overlap, and `out` is borrowed mutably, so it aliases neither operand.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            inner,
            out.as_mut_ptr(),
            1,
            out_row_stride as isize,
            accumulate,
            left.data.as_ptr(),
            left.col_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.col_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Cuts `[replica, item, ...]` into tasks of at most `per_task` items of one replica.
pub(crate) fn tasks<T>(data: &mut [T], items: usize, item_len: usize, per_task: usize) -> Vec<&mut [T]> {
    if items * item_len == 0 {
        return Vec::new();
    }
    data.chunks_mut(items * item_len)
        .flat_map(|replica| replica.chunks_mut(per_task * item_len))
        .collect()
}

/// A large output that each task zeroes just before it writes its own slice: page faults are spread over the threads, and
/// the slice is still in the cache.
pub(crate) struct Output {
    values: Vec<f32>,
    len: usize,
    zeroed: AtomicUsize,
}

/// The part of an [`Output`] that one task writes.
pub(crate) struct Part<'a> {
    values: &'a mut [MaybeUninit<f32>],
    zeroed: &'a AtomicUsize,
}

impl Output {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            values: Vec::with_capacity(len),
            len,
            zeroed: AtomicUsize::new(0),
        }
    }

    /// The parts of [`tasks`].
    pub(crate) fn tasks(&mut self, items: usize, item_len: usize, per_task: usize) -> Vec<Part<'_>> {
        self.zeroed = AtomicUsize::new(0);
        let parts = tasks(
            &mut self.values.spare_capacity_mut()[..self.len],
            items,
            item_len,
            per_task,
        );
        parts
            .into_iter()
            .map(|values| Part {
                values,
                zeroed: &self.zeroed,
            })
            .collect()
    }

    /// All values.
    ///
    /// # Panics
    /// When a task has not taken its part.
    #[allow(unsafe_code)]
    pub(crate) fn finish(mut self) -> Vec<f32> {
        assert_eq!(self.zeroed.into_inner(), self.len, "every part is zeroed");
        // SAFETY: the parts do not overlap and each counts once, when it is zeroed: together they are all `len` values.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

impl<'a> Part<'a> {
    /// The part, of zeros.
    #[allow(unsafe_code)]
    pub(crate) fn zeros(self) -> &'a mut [f32] {
        self.values.fill(MaybeUninit::new(0.0));
        self.zeroed.fetch_add(self.values.len(), Ordering::Relaxed);
        // SAFETY: all of them have just been written.
        unsafe { self.values.assume_init_mut() }
    }
}

/// Adds up the partial sums of each replica, in order: `[replica, part, len]` to `[replica, len]`.
pub(crate) fn add_partial_sums(partials: &[f32], replicas: usize, parts: usize, len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; replicas * len];
    if len == 0 || parts == 0 {
        return sum;
    }
    for (out, parts) in sum.chunks_mut(len).zip(partials.chunks(parts * len)) {
        for part in parts.chunks(len) {
            for (out, value) in out.iter_mut().zip(part) {
                *out += value;
            }
        }
    }
    sum
}

/// Values added side by side, so that the compiler can vectorise a sum.
const LANES: usize = 16;

/// The sum of a row: fixed lanes, then the lanes by halves.
#[inline(always)]
pub(crate) fn sum(row: &[f32]) -> f32 {
    sum_of(row, row, |value, _| value)
}

/// The sum of `term(a, b)` over two rows of the same length, in the fixed order of [`sum`].
#[inline(always)]
pub(crate) fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    sums_of(a, b, |a, b| [term(a, b)])[0]
}

/// Several sums of one walk over two rows of the same length, each in the fixed order of [`sum`].
#[inline(always)]
pub(crate) fn sums_of<const N: usize>(a: &[f32], b: &[f32], terms: impl Fn(f32, f32) -> [f32; N]) -> [f32; N] {
    let mut lanes = [[0.0f32; LANES]; N];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            let terms = terms(a[i], b[i]);
            for n in 0..N {
                lanes[n][i] += terms[n];
            }
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        let terms = terms(*a, *b);
        for n in 0..N {
            lanes[n][i] += terms[n];
        }
    }
    lanes.map(add_halves)
}

/// The sum of the lanes: of each half first.
#[inline(always)]
fn add_halves(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[half + i];
        }
        half /= 2;
    }
    lanes[0]
}
