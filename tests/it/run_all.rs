//! run_all
