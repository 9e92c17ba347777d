//! Data-parallel training in several processes.

pub(crate) mod training;
