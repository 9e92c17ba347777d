//! Sums between CUDA devices, by NVIDIA's NCCL. Where another rank is lost, its calls do not return and its sums are never
//! done, so a thread of its own makes the calls, and whoever asked watches the links meanwhile.

use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

/// Between two looks at the links.
const LINKS: Duration = Duration::from_millis(5);
/// Between two looks at the device.
const DEVICE: Duration = Duration::from_micros(100);
/// How long the thread has to leave the group; NCCL may never let it go.
const FAREWELL: Duration = Duration::from_secs(3);

/// Begins to replace the values of a contiguous f32 tensor by their sums over all ranks.
type Add = Box<dyn Fn(&Tensor) -> Result<Done>>;
/// Whether a sum is there.
type Done = Box<dyn Fn() -> Result<bool>>;

/// Whether NCCL reaches `device` in this build.
pub(crate) fn reaches(device: &Device) -> bool {
    cfg!(feature = "nccl") && device.is_cuda()
}

/// The devices of all ranks.
#[derive(Debug)]
pub(super) struct Group {
    /// Values to add up; none to end.
    asked: Sender<Option<Tensor>>,
    /// What came of it; first, of joining.
    answers: Receiver<Result<()>>,
    patience: Duration,
}

impl Group {
    /// Joins the group `name` as rank `rank` of `count`, when all others do; `check` says meanwhile whether another rank is
    /// lost.
    pub(super) fn join(
        device: &Device,
        name: Vec<u8>,
        place: (usize, usize),
        patience: Duration,
        check: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let device = device.clone();
        Self::start(move || member(&device, &name, place), patience, check)
    }

    fn start(
        member: impl FnOnce() -> Result<Add> + Send + 'static,
        patience: Duration,
        check: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let (asked, questions) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let add = match member() {
                Ok(add) => add,
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            };
            let _ = answer.send(Ok(()));
            while let Ok(Some(values)) = questions.recv() {
                let sum = add(&values).and_then(|done| {
                    while !done()? {
                        // Whatever is asked meanwhile, it is to end.
                        if !matches!(questions.try_recv(), Err(TryRecvError::Empty)) {
                            return Ok(false);
                        }
                        std::thread::sleep(DEVICE);
                    }
                    Ok(true)
                });
                // Leaves the group at once: whatever is queued on the device waits for the sum.
                if let Ok(false) = sum {
                    return;
                }
                let _ = answer.send(sum.map(drop));
            }
        });
        let group = Self { asked, answers, patience };
        group.wait(check)?;
        Ok(group)
    }

    /// Replaces the values of a contiguous f32 tensor by their sums over all ranks; `check` says meanwhile whether another
    /// rank is lost.
    pub(super) fn add_up(&self, values: &Tensor, check: impl Fn() -> Result<()>) -> Result<()> {
        // A thread that has ended says so in its answers.
        let _ = self.asked.send(Some(values.clone()));
        self.wait(check)
    }

    fn wait(&self, check: impl Fn() -> Result<()>) -> Result<()> {
        let since = Instant::now();
        let given_up = loop {
            match self.answers.recv_timeout(LINKS) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("the thread that calls NCCL has ended".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = check() {
                break error;
            }
            if since.elapsed() > self.patience {
                break Error::Request(format!(
                    "nothing came from NCCL for {} s, see --patience: start all ranks again, and they go on from the last \
                     checkpoint; with NCCL_DEBUG=INFO in the environment it says more",
                    self.patience.as_secs()
                ));
            }
        };
        let _ = self.asked.send(None);
        Err(given_up)
    }
}

impl Drop for Group {
    /// Waits for the thread to end, if NCCL lets it go.
    fn drop(&mut self) {
        let _ = self.asked.send(None);
        while self.answers.recv_timeout(FAREWELL).is_ok() {}
    }
}

#[cfg(feature = "nccl")]
use with::member;
#[cfg(feature = "nccl")]
pub(super) use with::name;
#[cfg(not(feature = "nccl"))]
use without::member;
#[cfg(not(feature = "nccl"))]
pub(super) use without::name;

#[cfg(feature = "nccl")]
mod with {
    use super::{Add, Device, Error, Result, Tensor};
    use candle_core::cuda_backend::cudarc::nccl::result::{NcclError, get_nccl_version};
    use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp};
    use candle_core::cuda_backend::{CudaStorage, WrapErr};
    use candle_core::{CpuStorage, InplaceOp1, Layout, bail};

    fn failed(error: &NcclError) -> Error {
        Error::Request(format!(
            "NCCL cannot connect the ranks ({:?}): give each rank a device of its own; with NCCL_DEBUG=INFO in the \
             environment it says more",
            error.0
        ))
    }

    /// NCCL's library, linked as `.ci/cuda/toolchain` has it, may not be there.
    fn open() -> Result<()> {
        get_nccl_version().map(drop).map_err(|error| {
            Error::Request(format!(
                "NCCL's library cannot be used ({:?}): install libnccl, or build without the feature nccl",
                error.0
            ))
        })
    }

    /// A name for a new group, made on rank 0.
    pub(crate) fn name() -> Result<Vec<u8>> {
        open()?;
        let id = Id::new().map_err(|error| failed(&error))?;
        Ok(id.internal().iter().flat_map(|byte| byte.to_ne_bytes()).collect())
    }

    /// This thread as rank `rank` of `count` of the group `name`.
    pub(super) fn member(device: &Device, name: &[u8], (rank, count): (usize, usize)) -> Result<Add> {
        open()?;
        let name = name.iter().map(|byte| i8::from_ne_bytes([*byte]) as std::ffi::c_char).collect::<Vec<_>>();
        let name = name.try_into().map_err(|_| Error::Internal("a name that is not NCCL's".to_owned()))?;
        let stream = device.as_cuda_device()?.cuda_stream();
        // NCCL takes the device of the thread that calls it.
        stream.context().bind_to_thread().w()?;
        let comm = Comm::from_rank(stream, rank, count, Id::uninit(name)).map_err(|error| failed(&error))?;
        Ok(Box::new(move |values: &Tensor| {
            values.inplace_op1(&Sum(&comm))?;
            let done = comm.stream().record_event(None).w()?;
            Ok(Box::new(move || Ok(done.try_is_complete().w()?)))
        }))
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
    use super::{Add, Device, Error, Result};

    pub(super) fn member(_: &Device, _: &[u8], _: (usize, usize)) -> Result<Add> {
        name().and(Err(Error::Internal("a group without NCCL".to_owned())))
    }

    pub(crate) fn name() -> Result<Vec<u8>> {
        Err(Error::Internal("this build has no NCCL".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const LONG: Duration = Duration::from_mins(5);

    fn lost() -> Result<()> {
        Err(Error::Request("rank 1 was lost".to_owned()))
    }

    const THERE: fn() -> Result<()> = || Ok(());

    /// A member that says when it is dropped, and whose sums are there when `done` says so.
    fn until(done: fn() -> bool) -> (impl FnOnce() -> Result<Add> + Send + 'static, Arc<AtomicBool>) {
        struct Held(Arc<AtomicBool>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let gone = Arc::new(AtomicBool::new(false));
        let held = Held(gone.clone());
        let member = move || -> Result<Add> {
            Ok(Box::new(move |_| {
                let _ = &held;
                Ok(Box::new(move || Ok(done())))
            }))
        };
        (member, gone)
    }

    /// A member that does not come, as when NCCL waits for a rank that is lost.
    fn never() -> Result<Add> {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_rank_that_is_lost_while_the_group_is_set_up_ends_the_others() {
        assert_eq!(Group::start(never, LONG, lost).unwrap_err().to_string(), "rank 1 was lost");
        let error = Group::start(never, Duration::from_secs(1), THERE).unwrap_err().to_string();
        assert!(error.starts_with("nothing came from NCCL for 1 s, see --patience"), "{error}");
        let failed = Group::start(|| Err(Error::Request("no device".to_owned())), LONG, THERE);
        assert_eq!(failed.unwrap_err().to_string(), "no device");
    }

    #[test]
    fn a_rank_that_is_lost_before_a_sum_is_there_ends_the_others_and_frees_the_device() {
        let values = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap();
        let (member, gone) = until(|| false);
        let group = Group::start(member, LONG, THERE).unwrap();
        assert_eq!(group.add_up(&values, lost).unwrap_err().to_string(), "rank 1 was lost");
        // While the group is still there.
        while !gone.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let ended = group.add_up(&values, THERE).unwrap_err();
        assert_eq!(ended.exit_code(), 1, "{ended}");

        // Nor does a call that does not return hold up the caller.
        let blocked = || -> Result<Add> {
            Ok(Box::new(|_| {
                loop {
                    std::thread::park();
                }
            }))
        };
        let group = Group::start(blocked, LONG, THERE).unwrap();
        assert_eq!(group.add_up(&values, lost).unwrap_err().to_string(), "rank 1 was lost");
    }

    #[test]
    fn a_group_adds_up_until_it_is_dropped() {
        let values = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap();
        let (member, gone) = until(|| true);
        let group = Group::start(member, LONG, THERE).unwrap();
        for _ in 0..3 {
            group.add_up(&values, THERE).unwrap();
        }
        assert!(!gone.load(Ordering::SeqCst));
        drop(group);
        assert!(gone.load(Ordering::SeqCst));
    }
}
