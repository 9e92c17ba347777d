//! Data-parallel training in several processes.

mod training;
