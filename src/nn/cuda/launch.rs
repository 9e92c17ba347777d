//! Launches of the project's kernels, and operations whose output is computed before candle records them.

use candle_core::cuda::cudarc::driver::{CudaView, LaunchConfig, PushKernelArg};
use candle_core::cuda::{CudaDevice, CudaStorage, CudaStorageSlice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor,
    backend::BackendStorage, bail,
};
use std::sync::Mutex;

/// The kernels, compiled for a virtual architecture (PTX). The driver compiles a file when its first kernel is launched.
#[allow(unreachable_pub, reason = "cudaforge writes the file")]
mod sources {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

/// A file of kernels.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Branch,
    Conv,
    Correlation,
    Loss,
    Norm,
    Update,
}

impl Source {
    /// Name and content.
    fn module(self) -> (&'static str, &'static str) {
        match self {
            Self::Branch => ("gal-bench-branch", sources::BRANCH),
            Self::Conv => ("gal-bench-conv", sources::CONV),
            Self::Correlation => ("gal-bench-correlation", sources::CORRELATION),
            Self::Loss => ("gal-bench-loss", sources::LOSS),
            Self::Norm => ("gal-bench-norm", sources::NORM),
            Self::Update => ("gal-bench-update", sources::UPDATE),
        }
    }
}

/// Threads of a block, as in `common.cuh`.
const THREADS: usize = 256;

/// Blocks of a launch, and their threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    blocks: (usize, usize),
    threads: usize,
}

impl Grid {
    /// A thread for each of `count` values.
    pub(super) fn of_values(count: usize) -> Self {
        Self::of_rows(count, 1)
    }

    /// A thread for each of `count` values in each of `rows` rows.
    pub(super) fn of_rows(count: usize, rows: usize) -> Self {
        Self { blocks: (count.div_ceil(THREADS), rows), threads: THREADS }
    }

    /// Whole blocks.
    pub(super) fn of_blocks(count: usize, rows: usize) -> Self {
        Self { blocks: (count, rows), threads: THREADS }
    }

    /// Blocks of one warp.
    pub(super) fn of_warps(count: usize, rows: usize) -> Self {
        Self { blocks: (count, rows), threads: 32 }
    }

    fn config(self) -> Result<LaunchConfig> {
        // The largest grid of CUDA has 2^31 - 1 blocks along x and 2^16 - 1 along y.
        match (i32::try_from(self.blocks.0), u16::try_from(self.blocks.1)) {
            (Ok(x), Ok(y)) => Ok(LaunchConfig {
                grid_dim: (x as u32, u32::from(y), 1),
                block_dim: (self.threads as u32, 1, 1),
                shared_mem_bytes: 0,
            }),
            _ => bail!("{:?} blocks exceed what a CUDA device launches", self.blocks),
        }
    }
}

/// Sizes and numbers that a kernel takes. The first size is that of its largest operand or result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalars<'a> {
    pub(super) sizes: &'a [usize],
    pub(super) numbers: &'a [f32],
}

/// The CUDA device of a tensor.
pub(super) fn device(tensor: &Tensor) -> Result<&CudaDevice> {
    match tensor.device() {
        Device::Cuda(device) => Ok(device),
        other => bail!("a CUDA operation received a tensor on {other:?}"),
    }
}

/// Memory for `count` values, which are undefined.
pub(super) fn values(device: &CudaDevice, count: usize) -> Result<CudaStorage> {
    #[allow(unsafe_code, reason = "every kernel writes all of its results")]
    // SAFETY: a kernel writes the values before anything reads them.
    let slice = unsafe { device.alloc::<f32>(count)? };
    Ok(CudaStorage::wrap_cuda_slice(slice, device.clone()))
}

/// Memory for `count` bytes, which are undefined.
pub(super) fn bytes(device: &CudaDevice, count: usize) -> Result<CudaStorage> {
    #[allow(unsafe_code, reason = "every kernel writes all of its results")]
    // SAFETY: as in `values`.
    let slice = unsafe { device.alloc::<u8>(count)? };
    Ok(CudaStorage::wrap_cuda_slice(slice, device.clone()))
}

/// A tensor without a gradient.
pub(super) fn tensor(storage: CudaStorage, shape: impl Into<Shape>) -> Tensor {
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

enum Operand<'a> {
    Values(CudaView<'a, f32>),
    Bytes(CudaView<'a, u8>),
}

impl<'a> Operand<'a> {
    fn new(storage: &'a Storage, layout: &Layout) -> Result<Self> {
        let (Storage::Cuda(storage), Some((first, last))) = (storage, layout.contiguous_offsets()) else {
            bail!("a kernel received an operand of shape {:?} that is not contiguous on its device", layout.shape())
        };
        match &storage.slice {
            CudaStorageSlice::F32(values) => Ok(Self::Values(values.slice(first..last))),
            CudaStorageSlice::U8(bytes) => Ok(Self::Bytes(bytes.slice(first..last))),
            _ => bail!("a kernel received an operand of type {:?}", storage.dtype()),
        }
    }
}

/// Launches a kernel on contiguous operands. It changes those in place that its declaration lists without `const`.
pub(super) fn launch(
    device: &CudaDevice,
    (source, kernel): (Source, &str),
    grid: Grid,
    scalars: Scalars,
    operands: &[&Tensor],
    results: &mut [&mut CudaStorage],
) -> Result<()> {
    let sizes = scalars.sizes.iter().map(|size| match u32::try_from(*size) {
        Ok(size) => Ok(size),
        Err(_) => bail!("{size} values are too many for a kernel: use a smaller batch"),
    });
    let sizes = sizes.collect::<Result<Vec<u32>>>()?;
    let guards: Vec<_> = operands.iter().map(|operand| operand.storage_and_layout()).collect();
    let operands = guards.iter().map(|(storage, layout)| Operand::new(storage, layout)).collect::<Result<Vec<_>>>()?;
    let (module, ptx) = source.module();
    let function = device.get_or_load_custom_func(kernel, module, ptx)?;
    let mut builder = function.builder();
    for size in &sizes {
        builder.arg(size);
    }
    for number in scalars.numbers {
        builder.arg(number);
    }
    for operand in &operands {
        match operand {
            Operand::Values(values) => builder.arg(values),
            Operand::Bytes(bytes) => builder.arg(bytes),
        };
    }
    for result in results {
        match &mut result.slice {
            CudaStorageSlice::F32(values) => builder.arg(values),
            CudaStorageSlice::U8(bytes) => builder.arg(bytes),
            _ => bail!("a kernel writes f32 or u8"),
        };
    }
    #[allow(unsafe_code, reason = "CUDA launches kernels by name, with untyped arguments")]
    // SAFETY: the callers pass what the kernel's declaration lists, in its order, and memory for all that it touches.
    unsafe { builder.launch(grid.config()?) }.w()?;
    Ok(())
}

/// Gradients of an operation's inputs, from the inputs and the gradient of its output.
pub(super) type Backward = Box<dyn Fn(&[&Tensor], &Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync>;

/// An operation whose output is already there.
pub(super) struct Computed {
    name: &'static str,
    output: Mutex<Option<(CudaStorage, Shape)>>,
    backward: Backward,
}

impl Computed {
    pub(super) fn new(
        name: &'static str,
        output: CudaStorage,
        shape: impl Into<Shape>,
        backward: impl Fn(&[&Tensor], &Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        Self { name, output: Mutex::new(Some((output, shape.into()))), backward: Box::new(backward) }
    }

    fn take(&self) -> Result<(CudaStorage, Shape)> {
        match crate::nn::storage::lock(&self.output)?.take() {
            Some(output) => Ok(output),
            None => bail!("{} runs once", self.name),
        }
    }

    fn gradients<const N: usize>(&self, inputs: [&Tensor; N], dy: &Tensor) -> Result<[Option<Tensor>; N]> {
        // Gradients have no gradients: otherwise candle would record what computes them.
        let (inputs, dy) = (inputs.map(Tensor::detach), dy.detach().contiguous()?);
        let gradients = (self.backward)(&inputs.each_ref(), &dy)?;
        match gradients.try_into() {
            Ok(gradients) => Ok(gradients),
            Err(found) => bail!("{} has {N} inputs and {} gradients", self.name, found.len()),
        }
    }
}

fn on_cpu<T>() -> Result<T> {
    bail!("a CUDA operation received a tensor on the CPU")
}

impl CustomOp1 for Computed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.take()
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [dx] = self.gradients([x], dy)?;
        Ok(dx)
    }
}

impl CustomOp2 for Computed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.take()
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients([a, b], dy)?;
        Ok((da, db))
    }
}

impl CustomOp3 for Computed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.take()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.gradients([a, b, c], dy)?;
        Ok((da, db, dc))
    }
}
