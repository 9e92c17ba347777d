//! Sums between CUDA devices, by NVIDIA's NCCL. A rank that is lost would leave the others' devices waiting for ever, so the
//! host watches the links meanwhile.

use crate::error::Result;
use candle_core::{Device, Tensor};
use std::time::Duration;

/// Whether NCCL reaches `device` in this build.
pub(in crate::train) fn reaches(device: &Device) -> bool {
    cfg!(feature = "nccl") && device.is_cuda()
}

#[cfg(feature = "nccl")]
pub(super) use with::{Group, name};
#[cfg(not(feature = "nccl"))]
pub(super) use without::{Group, name};

#[cfg(feature = "nccl")]
mod with {
    use super::{Device, Duration, Result, Tensor};
    use crate::error::Error;
    use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp, result::NcclError};
    use candle_core::cuda_backend::{CudaStorage, WrapErr};
    use candle_core::{CpuStorage, InplaceOp1, Layout, bail};
    use std::time::Instant;

    /// Between two looks at the device and the links.
    const PAUSE: Duration = Duration::from_micros(100);

    fn failed(error: &NcclError) -> Error {
        Error::Request(format!(
            "NCCL cannot connect the ranks ({:?}): give each rank a device of its own; with NCCL_DEBUG=INFO in the \
             environment it says more",
            error.0
        ))
    }

    /// A name for a new group, made on rank 0.
    pub(in super::super) fn name() -> Result<Vec<u8>> {
        let id = Id::new().map_err(|error| failed(&error))?;
        Ok(id.internal().iter().flat_map(|byte| byte.to_ne_bytes()).collect())
    }

    /// The devices of all ranks.
    #[derive(Debug)]
    pub(in super::super) struct Group {
        comm: Comm,
        patience: Duration,
    }

    impl Group {
        /// Joins the group `name` as rank `rank` of `count`, when all others do.
        pub(in super::super) fn join(
            device: &Device,
            name: &[u8],
            (rank, count): (usize, usize),
            patience: Duration,
        ) -> Result<Self> {
            let name = name.iter().map(|byte| i8::from_ne_bytes([*byte]) as std::ffi::c_char).collect::<Vec<_>>();
            let name = name.try_into().map_err(|_| Error::Internal("a name that is not NCCL's".to_owned()))?;
            let stream = device.as_cuda_device()?.cuda_stream();
            let comm = Comm::from_rank(stream, rank, count, Id::uninit(name)).map_err(|error| failed(&error))?;
            Ok(Self { comm, patience })
        }

        /// Replaces the values of a contiguous f32 tensor by their sums over all ranks. `check` says meanwhile whether
        /// another rank is lost.
        pub(in super::super) fn add_up(&self, values: &Tensor, check: impl Fn() -> Result<()>) -> Result<()> {
            values.inplace_op1(&Sum(&self.comm))?;
            let done = self.comm.stream().record_event(None).w()?;
            let asked = Instant::now();
            while !done.try_is_complete().w()? {
                check()?;
                if asked.elapsed() > self.patience {
                    return Err(Error::Request(format!(
                        "no sum came from NCCL for {} s, see --patience: start all ranks again, and they go on from the \
                         last checkpoint",
                        self.patience.as_secs()
                    )));
                }
                std::thread::sleep(PAUSE);
            }
            Ok(())
        }
    }

    struct Sum<'a>(&'a Comm);

    impl InplaceOp1 for Sum<'_> {
        fn name(&self) -> &'static str {
            "sum-over-ranks"
        }

        fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
            bail!("NCCL was given values on the CPU")
        }

        fn cuda_fwd(&self, values: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
            let values = values.as_cuda_slice_mut::<f32>()?;
            if layout.contiguous_offsets() != Some((0, values.len())) {
                bail!("NCCL was given a part of a tensor")
            }
            match self.0.all_reduce_in_place(values, &ReduceOp::Sum) {
                Ok(_) => Ok(()),
                Err(error) => bail!("NCCL cannot add up: {:?}", error.0),
            }
        }
    }
}

#[cfg(not(feature = "nccl"))]
mod without {
    use super::{Device, Duration, Result, Tensor};
    use crate::error::Error;

    /// This build has none.
    #[derive(Debug)]
    pub(in super::super) enum Group {}

    impl Group {
        pub(in super::super) fn join(_: &Device, _: &[u8], _: (usize, usize), _: Duration) -> Result<Self> {
            name().and(Err(Error::Internal("a group without NCCL".to_owned())))
        }

        pub(in super::super) fn add_up(&self, _: &Tensor, _: impl Fn() -> Result<()>) -> Result<()> {
            match *self {}
        }
    }

    pub(in super::super) fn name() -> Result<Vec<u8>> {
        Err(Error::Internal("this build has no NCCL".to_owned()))
    }
}
