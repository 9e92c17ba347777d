//! Data-parallel training by several processes, the ranks, each with a device and a share of every batch, as PyTorch's
//! `DistributedDataParallel` does it: all begin with rank 0's state, and before a step is taken, gradients are averaged over
//! the ranks. Here the running statistics of batch norm and the losses are averaged with them, so that all ranks hold the
//! same network after every step. Rank 0 alone validates, writes and tests.
//!
//! The ranks meet over TCP with rank 0 in the middle, where sums are formed in the order of the ranks; where NCCL reaches
//! all their devices, it forms the sums.

mod link;
mod meeting;
mod nccl;

pub(super) use meeting::Greeting;
pub use meeting::Meeting;

use crate::error::{Error, Result};
use crate::progress::Progress;
use candle_core::{Device, Tensor};
use link::Link;

pub(super) use nccl::reaches;

/// This process among those that train together.
#[derive(Debug)]
pub(super) struct Ranks {
    rank: usize,
    count: usize,
    /// To all others on rank 0, in their order; to rank 0 on the others.
    links: Vec<Link>,
    group: Option<nccl::Group>,
}

impl Ranks {
    /// One process by itself.
    pub(super) fn alone() -> Self {
        Self { rank: 0, count: 1, links: Vec::new(), group: None }
    }

    /// Meets the other ranks, which must all agree with rank 0.
    pub(super) fn meet(meeting: &Meeting, greeting: &Greeting, device: &Device, progress: &Progress) -> Result<Self> {
        let Meeting { rank, ranks: count, .. } = *meeting;
        let mut ranks = Self { rank, count, links: Vec::new(), group: None };
        let mut nccl = false;
        if ranks.leads() {
            (ranks.links, nccl) = meeting.host(greeting, progress)?;
        } else {
            ranks.links.push(meeting.join(greeting, progress)?);
        }
        let name = ranks.handed_out(|| if nccl { nccl::name() } else { Ok(Vec::new()) })?;
        if !name.is_empty() {
            ranks.group = Some(nccl::Group::join(device, &name, (rank, count), meeting.patience)?);
        }
        let by = if ranks.group.is_some() { "NCCL" } else { "TCP" };
        progress.say(format!("all {count} ranks are there, and add up by {by}"));
        Ok(ranks)
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
            group.add_up(&flat, || self.links.iter().try_for_each(Link::check))?;
            flat
        } else {
            Tensor::new(self.sum(flat.to_vec1()?)?, flat.device())?
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

    /// The sum of all ranks' values, added in the order of the ranks.
    fn sum(&self, mut values: Vec<f32>) -> Result<Vec<f32>> {
        if !self.leads() {
            self.links[0].send(&bytes(&values))?;
            return floats(&self.links[0].receive()?, values.len());
        }
        for link in &self.links {
            let theirs = floats(&link.receive()?, values.len())?;
            values.iter_mut().zip(theirs).for_each(|(sum, value)| *sum += value);
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

fn floats(bytes: &[u8], count: usize) -> Result<Vec<f32>> {
    if bytes.len() != 4 * count {
        return Err(Error::Internal(format!("ranks add up {count} values, found {} bytes", bytes.len())));
    }
    Ok(bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
}
