//! All-reduce between CUDA devices by NVIDIA's NCCL. If another rank is lost, NCCL's calls do not return and its sums never
//! complete. A thread of its own therefore makes the calls, and the caller checks the TCP connections meanwhile.

use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval at which the connections are checked.
const PEER_POLL: Duration = Duration::from_millis(5);
/// Interval at which the device is asked whether a sum is complete.
const DEVICE_POLL: Duration = Duration::from_micros(100);
/// Time in which the thread must end; NCCL may block it forever.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Starts to replace the values of a contiguous f32 tensor by their sums over all ranks, after what the event marks.
type AllReduce = Box<dyn Fn(&Tensor, Option<&Event>) -> Result<IsComplete>>;
/// True if the sums are complete.
type IsComplete = Box<dyn Fn() -> Result<bool>>;

/// True if this build can use NCCL on `device`.
pub(super) fn is_available(device: &Device) -> bool {
    cfg!(feature = "nccl") && device.is_cuda()
}

/// NCCL's `ncclComm`, behind a thread.
#[derive(Debug)]
pub(super) struct Communicator {
    /// Values to sum, and the end of the work that computes them; `None` ends the thread.
    requests: Sender<Option<(Tensor, Option<Event>)>>,
    /// First the result of the initialization, then one for each request.
    results: Mutex<Receiver<Result<()>>>,
    timeout: Duration,
}

impl Communicator {
    /// Joins the communicator `id` as `(rank, world_size)` and waits until all other ranks have. `check` returns an error if
    /// another rank is lost.
    pub(super) fn init(
        device: &Device,
        id: Vec<u8>,
        rank_of: (usize, usize),
        timeout: Duration,
        check: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let device = device.clone();
        Self::start(move || init_rank(&device, &id, rank_of), timeout, check)
    }

    fn start(
        init_rank: impl FnOnce() -> Result<AllReduce> + Send + 'static,
        timeout: Duration,
        check: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let (requests, requested) = mpsc::channel();
        let (result, results) = mpsc::channel();
        std::thread::spawn(move || serve(init_rank, &requested, &result));
        let communicator = Self { requests, results: Mutex::new(results), timeout };
        communicator.wait(check)?;
        Ok(communicator)
    }

    /// Replaces the values of a contiguous f32 tensor by their sums over all ranks. `check` returns an error if another rank
    /// is lost.
    pub(super) fn all_reduce(&self, values: &Tensor, check: impl Fn() -> Result<()>) -> Result<()> {
        // Each thread has a stream of its own: without an event, nothing would order the sum after the values.
        let computed = record_event(values).transpose()?;
        // If the thread has ended, waiting for its result returns the error.
        let _ = self.requests.send(Some((values.clone(), computed)));
        self.wait(check)
    }

    fn wait(&self, check: impl Fn() -> Result<()>) -> Result<()> {
        let started = Instant::now();
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let error = loop {
            match results.recv_timeout(PEER_POLL) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("the thread that calls NCCL has ended".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = check() {
                break error;
            }
            if started.elapsed() > self.timeout {
                break Error::Request(format!(
                    "NCCL returned nothing for {} s, see --timeout: start all ranks again, and they resume from the last \
                     checkpoint; NCCL_DEBUG=INFO in the environment makes it log the cause",
                    self.timeout.as_secs()
                ));
            }
        };
        let _ = self.requests.send(None);
        Err(error)
    }
}

impl Drop for Communicator {
    /// Waits for the thread to end, unless NCCL blocks it.
    fn drop(&mut self) {
        let _ = self.requests.send(None);
        let results = self.results.get_mut().unwrap_or_else(PoisonError::into_inner);
        while results.recv_timeout(SHUTDOWN_TIMEOUT).is_ok() {}
    }
}

/// The thread: initializes NCCL, then sums what is requested until `None` arrives.
fn serve(
    init_rank: impl FnOnce() -> Result<AllReduce>,
    requests: &Receiver<Option<(Tensor, Option<Event>)>>,
    results: &Sender<Result<()>>,
) {
    let all_reduce = match init_rank() {
        Ok(all_reduce) => all_reduce,
        Err(error) => {
            let _ = results.send(Err(error));
            return;
        }
    };
    let _ = results.send(Ok(()));
    while let Ok(Some((values, computed))) = requests.recv() {
        let completed = all_reduce(&values, computed.as_ref()).and_then(|is_complete| {
            while !is_complete()? {
                // Any message now means that the caller has stopped waiting.
                if !matches!(requests.try_recv(), Err(TryRecvError::Empty)) {
                    return Ok(false);
                }
                std::thread::sleep(DEVICE_POLL);
            }
            Ok(true)
        });
        // Drops the communicator at once: all later work on the device waits for the sum.
        if let Ok(false) = completed {
            return;
        }
        // The caller's tensor is the last one, so that its memory is freed on its own stream.
        drop(values);
        let _ = results.send(completed.map(drop));
    }
}

#[cfg(feature = "nccl")]
pub(super) use with::unique_id;
#[cfg(feature = "nccl")]
use with::{Event, init_rank, record_event};
#[cfg(not(feature = "nccl"))]
pub(super) use without::unique_id;
#[cfg(not(feature = "nccl"))]
use without::{Event, init_rank, record_event};

#[cfg(feature = "nccl")]
mod with {
    use super::{AllReduce, Device, Error, Result, Tensor};
    pub(super) use candle_core::cuda_backend::cudarc::driver::CudaEvent as Event;
    use candle_core::cuda_backend::cudarc::nccl::result::{NcclError, get_nccl_version};
    use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp};
    use candle_core::cuda_backend::{CudaStorage, WrapErr};
    use candle_core::{CpuStorage, InplaceOp1, Layout, bail};

    fn failed(error: &NcclError) -> Error {
        Error::Request(format!(
            "NCCL cannot connect the ranks ({:?}): give each rank a device of its own; NCCL_DEBUG=INFO in the environment \
             makes it log the cause",
            error.0
        ))
    }

    /// Checks that NCCL's library can be loaded: `.ci/cuda/toolchain` links it lazily.
    fn open() -> Result<()> {
        get_nccl_version().map(drop).map_err(|error| {
            Error::Request(format!(
                "NCCL's library cannot be used ({:?}): install libnccl, or build without the feature nccl",
                error.0
            ))
        })
    }

    /// `ncclGetUniqueId`, to be called on rank 0.
    pub(crate) fn unique_id() -> Result<Vec<u8>> {
        open()?;
        let id = Id::new().map_err(|error| failed(&error))?;
        Ok(id.internal().iter().flat_map(|byte| byte.to_ne_bytes()).collect())
    }

    /// `ncclCommInitRank` on the calling thread.
    pub(super) fn init_rank(device: &Device, id: &[u8], (rank, world_size): (usize, usize)) -> Result<AllReduce> {
        open()?;
        let id = id.iter().map(|byte| i8::from_ne_bytes([*byte]) as std::ffi::c_char).collect::<Vec<_>>();
        let id = id.try_into().map_err(|_| Error::Internal("an id that is not NCCL's".to_owned()))?;
        let stream = device.as_cuda_device()?.cuda_stream();
        // NCCL uses the current device of the calling thread.
        stream.context().bind_to_thread().w()?;
        let comm = Comm::from_rank(stream, rank, world_size, Id::uninit(id)).map_err(|error| failed(&error))?;
        Ok(Box::new(move |values: &Tensor, computed: Option<&Event>| {
            computed.map_or(Ok(()), |computed| comm.stream().wait(computed)).w()?;
            values.inplace_op1(&Sum(&comm))?;
            let event = comm.stream().record_event(None).w()?;
            Ok(Box::new(move || Ok(event.try_is_complete().w()?)))
        }))
    }

    /// Marks the end of the calling thread's work on the device of a tensor.
    pub(super) fn record_event(values: &Tensor) -> Option<Result<Event>> {
        let Device::Cuda(device) = values.device() else { return None };
        Some(device.cuda_stream().record_event(None).w().map_err(Error::from))
    }

    struct Sum<'a>(&'a Comm);

    impl InplaceOp1 for Sum<'_> {
        fn name(&self) -> &'static str {
            "all-reduce-sum"
        }

        fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
            bail!("NCCL received values on the CPU")
        }

        fn cuda_fwd(&self, values: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
            let values = values.as_cuda_slice_mut::<f32>()?;
            if layout.contiguous_offsets() != Some((0, values.len())) {
                bail!("NCCL received a part of a tensor")
            }
            match self.0.all_reduce_in_place(values, &ReduceOp::Sum) {
                Ok(_) => Ok(()),
                Err(error) => bail!("NCCL's all-reduce failed: {:?}", error.0),
            }
        }
    }
}

#[cfg(not(feature = "nccl"))]
mod without {
    use super::{AllReduce, Device, Error, Result, Tensor};

    /// The end of work on a CUDA device.
    pub(super) struct Event;

    pub(super) fn record_event(_: &Tensor) -> Option<Result<Event>> {
        None
    }

    pub(super) fn init_rank(_: &Device, _: &[u8], _: (usize, usize)) -> Result<AllReduce> {
        unique_id().and(Err(Error::Internal("a communicator without NCCL".to_owned())))
    }

    pub(crate) fn unique_id() -> Result<Vec<u8>> {
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

    const ALIVE: fn() -> Result<()> = || Ok(());

    /// A communicator that sets the flag when it is dropped, and whose sums are complete when `complete` returns true.
    fn until(complete: fn() -> bool) -> (impl FnOnce() -> Result<AllReduce> + Send + 'static, Arc<AtomicBool>) {
        struct Held(Arc<AtomicBool>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let held = Held(dropped.clone());
        let init_rank = move || -> Result<AllReduce> {
            Ok(Box::new(move |_, _| {
                let _ = &held;
                Ok(Box::new(move || Ok(complete())))
            }))
        };
        (init_rank, dropped)
    }

    /// Blocks, as NCCL does when it waits for a lost rank.
    fn never() -> Result<AllReduce> {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_rank_lost_during_initialization_ends_the_others() {
        assert_eq!(Communicator::start(never, LONG, lost).unwrap_err().to_string(), "rank 1 was lost");
        let error = Communicator::start(never, Duration::from_secs(1), ALIVE).unwrap_err().to_string();
        assert!(error.starts_with("NCCL returned nothing for 1 s, see --timeout"), "{error}");
        let failed = Communicator::start(|| Err(Error::Request("no device".to_owned())), LONG, ALIVE);
        assert_eq!(failed.unwrap_err().to_string(), "no device");
    }

    #[test]
    fn a_rank_lost_before_a_sum_is_complete_ends_the_others_and_frees_the_device() {
        let values = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap();
        let (init_rank, dropped) = until(|| false);
        let communicator = Communicator::start(init_rank, LONG, ALIVE).unwrap();
        assert_eq!(communicator.all_reduce(&values, lost).unwrap_err().to_string(), "rank 1 was lost");
        // The communicator's owner still exists.
        while !dropped.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let ended = communicator.all_reduce(&values, ALIVE).unwrap_err();
        assert_eq!(ended.exit_code(), 1, "{ended}");

        // A call that never returns does not block the caller either.
        let blocked = || -> Result<AllReduce> {
            Ok(Box::new(|_, _| {
                loop {
                    std::thread::park();
                }
            }))
        };
        let communicator = Communicator::start(blocked, LONG, ALIVE).unwrap();
        assert_eq!(communicator.all_reduce(&values, lost).unwrap_err().to_string(), "rank 1 was lost");
    }

    #[test]
    fn a_communicator_sums_until_it_is_dropped() {
        let values = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap();
        let (init_rank, dropped) = until(|| true);
        let communicator = Communicator::start(init_rank, LONG, ALIVE).unwrap();
        for _ in 0..3 {
            communicator.all_reduce(&values, ALIVE).unwrap();
        }
        assert!(!dropped.load(Ordering::SeqCst));
        drop(communicator);
        assert!(dropped.load(Ordering::SeqCst));
    }
}
