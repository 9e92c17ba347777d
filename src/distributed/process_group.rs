//! The collectives: broadcast, all-reduce and barrier.

use super::connection::Connection;
use super::handshake::{Handshake, Setting};
use super::nccl::{self, Communicator};
use super::rendezvous::Rendezvous;
use crate::error::{Error, Result};
use crate::progress::Progress;
use candle_core::{Device, Tensor};

/// Longest id of an NCCL communicator.
const MAX_ID_BYTES: usize = 1024;

/// The ranks of a run, from the point of view of this one.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    rank: usize,
    world_size: usize,
    /// On rank 0, to all other ranks in rank order; on the others, to rank 0.
    connections: Vec<Connection>,
    communicator: Option<Communicator>,
}

impl ProcessGroup {
    /// A group of one process.
    pub(crate) fn single() -> Self {
        Self { rank: 0, world_size: 1, connections: Vec::new(), communicator: None }
    }

    /// Connects this rank with the others, whose `settings` must match rank 0's.
    pub(crate) fn init(
        rendezvous: &Rendezvous,
        settings: Vec<Setting>,
        device: &Device,
        progress: &Progress,
    ) -> Result<Self> {
        let Rendezvous { rank, world_size, .. } = *rendezvous;
        let handshake = Handshake::new(rank, world_size, nccl::is_available(device), settings);
        let mut group = Self { rank, world_size, connections: Vec::new(), communicator: None };
        let mut nccl = false;
        if group.is_main() {
            (group.connections, nccl) = rendezvous.accept_ranks(&handshake, progress)?;
        } else {
            group.connections.push(rendezvous.connect(&handshake, progress)?);
        }
        group.communicator = group.communicator(nccl, device, rendezvous).inspect_err(|error| group.abort(error))?;
        let backend = if group.communicator.is_some() { "NCCL" } else { "TCP" };
        progress.log(format!("all {world_size} ranks have connected and all-reduce over {backend}"));
        Ok(group)
    }

    /// The NCCL communicator of all ranks; `None` unless rank 0 passes `nccl`.
    fn communicator(&self, nccl: bool, device: &Device, rendezvous: &Rendezvous) -> Result<Option<Communicator>> {
        let id = self.broadcast(MAX_ID_BYTES, || if nccl { nccl::unique_id() } else { Ok(Vec::new()) })?;
        if id.is_empty() {
            return Ok(None);
        }
        Communicator::init(device, id, (self.rank, self.world_size), rendezvous.timeout, || self.check()).map(Some)
    }

    /// An error if another rank is known to be lost.
    fn check(&self) -> Result<()> {
        self.connections.iter().try_for_each(Connection::check)
    }

    pub(crate) fn world_size(&self) -> usize {
        self.world_size
    }

    /// True if this is rank 0.
    pub(crate) fn is_main(&self) -> bool {
        self.rank == 0
    }

    /// Sends the bytes that `make` returns on rank 0, at most `limit`, to every rank. The other ranks do not call `make`.
    pub(crate) fn broadcast(&self, limit: usize, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        if !self.is_main() {
            return self.connections[0].receive(limit);
        }
        let bytes = make()?;
        self.connections.iter().try_for_each(|connection| connection.send(&bytes))?;
        Ok(bytes)
    }

    /// Means over all ranks of f32 tensors, without gradients. Every rank passes the same shapes in the same order.
    pub(crate) fn all_reduce_mean(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let flat =
            tensors.iter().map(|tensor| tensor.detach().flatten_all()).collect::<candle_core::Result<Vec<_>>>()?;
        let flat = match flat.as_slice() {
            // `cat` would return the tensor itself, in whose place NCCL sums.
            [single] => single.copy()?,
            all => Tensor::cat(all, 0)?,
        };
        let sum = if let Some(communicator) = &self.communicator {
            communicator.all_reduce(&flat, || self.check())?;
            flat
        } else {
            Tensor::from_vec(self.all_reduce_sum(flat.to_vec1()?)?, flat.shape(), flat.device())?
        };
        let mean = (sum / self.world_size as f64)?;
        let mut offset = 0;
        let means = tensors.iter().map(|tensor| {
            let mean = mean.narrow(0, offset, tensor.elem_count())?.reshape(tensor.shape())?;
            offset += tensor.elem_count();
            Ok(mean)
        });
        means.collect()
    }

    /// Sums over all ranks, added in rank order.
    fn all_reduce_sum(&self, mut values: Vec<f32>) -> Result<Vec<f32>> {
        if !self.is_main() {
            self.connections[0].send(&to_bytes(&values))?;
            let sum = self.connections[0].receive(4 * values.len())?;
            combine(&mut values, &sum, |_, sum| sum)?;
            return Ok(values);
        }
        for connection in &self.connections {
            let received = connection.receive(4 * values.len())?;
            combine(&mut values, &received, |sum, value| sum + value)?;
        }
        let sum = to_bytes(&values);
        self.connections.iter().try_for_each(|connection| connection.send(&sum))?;
        Ok(values)
    }

    /// Waits for all ranks. Without it a rank could exit while another still reads the last all-reduce.
    pub(crate) fn barrier(&self) -> Result<()> {
        self.all_reduce_sum(Vec::new()).map(drop)
    }

    /// Sends the reason why this rank ends early to the other ranks.
    pub(crate) fn abort(&self, error: &Error) {
        self.connections.iter().for_each(|connection| connection.abort(&error.to_string()));
    }
}

/// Little-endian.
fn to_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_le_bytes());
    bytes
}

/// Combines each value with the received one.
fn combine(values: &mut [f32], bytes: &[u8], operation: impl Fn(f32, f32) -> f32) -> Result<()> {
    if bytes.len() != 4 * values.len() {
        return Err(Error::Internal(format!(
            "an all-reduce of {} values received {} bytes",
            values.len(),
            bytes.len()
        )));
    }
    let received = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value));
    values.iter_mut().zip(received).for_each(|(value, received)| *value = operation(*value, received));
    Ok(())
}
