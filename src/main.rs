//! The command line of `gal-bench`.
fn main() {}
