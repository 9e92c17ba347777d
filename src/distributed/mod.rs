//! Data-parallel training by several processes, the ranks, each with a device and a share of every batch, as PyTorch's
//! `DistributedDataParallel` does it: all begin with rank 0's state, and before a step is taken, gradients are averaged over
//! the ranks. Here the running statistics of batch norm, and what is logged, are averaged with them, so that all ranks hold
//! the same network after every step. Rank 0 alone validates, writes and tests.
//!
//! The ranks meet over TCP with rank 0 in the middle, where sums are formed in the order of the ranks; where NCCL reaches
//! all their devices, it forms the sums.

mod link;
mod nccl;
mod rendezvous;

pub(super) use rendezvous::Greeting;
pub use rendezvous::Rendezvous;

use crate::error::{Error, Result};
use crate::progress::Progress;
use candle_core::{Device, Tensor};
use link::Link;

pub(super) use nccl::reaches;

/// This process among those that train together.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    rank: usize,
    count: usize,
    /// To all others on rank 0, in their order; to rank 0 on the others.
    links: Vec<Link>,
    group: Option<nccl::Group>,
}

impl ProcessGroup {
    /// One process by itself.
    pub(super) fn alone() -> Self {
        Self { rank: 0, count: 1, links: Vec::new(), group: None }
    }

    /// Meets the other ranks, which must all agree with rank 0.
    pub(super) fn meet(
        rendezvous: &Rendezvous,
        greeting: &Greeting,
        device: &Device,
        progress: &Progress,
    ) -> Result<Self> {
        let Rendezvous { rank, ranks: count, .. } = *rendezvous;
        let mut ranks = Self { rank, count, links: Vec::new(), group: None };
        let mut nccl = false;
        if ranks.leads() {
            (ranks.links, nccl) = rendezvous.host(greeting, progress)?;
        } else {
            ranks.links.push(rendezvous.join(greeting, progress)?);
        }
        ranks.group = ranks.group(nccl, device, rendezvous).inspect_err(|error| ranks.stop(error))?;
        let by = if ranks.group.is_some() { "NCCL" } else { "TCP" };
        progress.say(format!("all {count} ranks are there, and add up by {by}"));
        Ok(ranks)
    }

    /// The devices of all ranks, where rank 0 knows that NCCL reaches them.
    fn group(&self, nccl: bool, device: &Device, rendezvous: &Rendezvous) -> Result<Option<nccl::Group>> {
        let name = self.handed_out(|| if nccl { nccl::name() } else { Ok(Vec::new()) })?;
        if name.is_empty() {
            return Ok(None);
        }
        nccl::Group::join(device, name, (self.rank, self.count), rendezvous.patience, || self.check()).map(Some)
    }

    /// An error if another rank is known to be lost.
    fn check(&self) -> Result<()> {
        self.links.iter().try_for_each(Link::check)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether this is rank 0.
    pub(super) fn leads(&self) -> bool {
        self.rank == 0
    }

    /// What `make` makes on rank 0, on every rank; the others do not call it.
    pub(super) fn handed_out(&self, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        if !self.leads() {
            return self.links[0].receive();
        }
        let made = make()?;
        self.links.iter().try_for_each(|link| link.send(&made))?;
        Ok(made)
    }

    /// The means of f32 tensors over all ranks, each of which gives its own in the same shapes and order; without
    /// gradients.
    pub(super) fn mean(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let flat =
            tensors.iter().map(|tensor| tensor.detach().flatten_all()).collect::<candle_core::Result<Vec<_>>>()?;
        let flat = Tensor::cat(&flat, 0)?;
        let sum = if let Some(group) = &self.group {
            group.add_up(&flat, || self.check())?;
            flat
        } else {
            Tensor::from_vec(self.sum(flat.to_vec1()?)?, flat.shape(), flat.device())?
        };
        let mean = (sum / self.count as f64)?;
        let mut first = 0;
        let own = tensors.iter().map(|tensor| {
            let own = mean.narrow(0, first, tensor.elem_count())?.reshape(tensor.shape())?;
            first += tensor.elem_count();
            Ok(own)
        });
        own.collect()
    }

    /// Waits until all ranks have come as far as this one. One that ends before the others have their last sum may take a
    /// part of it along.
    pub(super) fn gather(&self) -> Result<()> {
        self.sum(Vec::new()).map(drop)
    }

    /// The sum of all ranks' values, added in the order of the ranks.
    fn sum(&self, mut values: Vec<f32>) -> Result<Vec<f32>> {
        if !self.leads() {
            self.links[0].send(&bytes(&values))?;
            merge(&mut values, &self.links[0].receive()?, |_, sum| sum)?;
            return Ok(values);
        }
        for link in &self.links {
            merge(&mut values, &link.receive()?, |sum, value| sum + value)?;
        }
        let sum = bytes(&values);
        self.links.iter().try_for_each(|link| link.send(&sum))?;
        Ok(values)
    }

    /// Tells the other ranks why this one ends before they are done.
    pub(super) fn stop(&self, error: &Error) {
        self.links.iter().for_each(|link| link.stop(&error.to_string()));
    }
}

/// Little-endian.
fn bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    bytes.as_chunks_mut().0.iter_mut().zip(values).for_each(|(to, value)| *to = value.to_le_bytes());
    bytes
}

/// Makes each value of it and the one that came for it.
fn merge(values: &mut [f32], bytes: &[u8], make: impl Fn(f32, f32) -> f32) -> Result<()> {
    if bytes.len() != 4 * values.len() {
        return Err(Error::Internal(format!("ranks add up {} values, found {} bytes", values.len(), bytes.len())));
    }
    let theirs = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value));
    values.iter_mut().zip(theirs).for_each(|(value, theirs)| *value = make(*value, theirs));
    Ok(())
}
