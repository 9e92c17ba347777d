//! Data-parallel training by several processes, the ranks, as PyTorch's `DistributedDataParallel` does it: each rank has a
//! device and an equal part of every batch. All ranks start from rank 0's state and average their gradients at every step.
//! Unlike there, running batch-norm statistics and logged values are averaged too, so all ranks hold the same network after
//! every step. Only rank 0 validates, tests and writes files.
//!
//! The ranks connect to rank 0 over TCP, and rank 0 adds up in rank order. If NCCL supports every device, it forms the
//! sums. A rank proves with a keyed hash that it has the job's secret. Blocking `std::net` is enough for a few ranks: tokio and tarpc would bring async, and MPI a system library.

mod connection;
mod handshake;
mod nccl;
mod process_group;
mod rendezvous;
mod secret;

pub(crate) use handshake::Setting;
pub(crate) use process_group::ProcessGroup;
pub use rendezvous::Rendezvous;
