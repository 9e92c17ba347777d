//! Statistics of binary predictions, pure functions of labels and probabilities: confusion counts and intervals, ranking
//! and calibration scores, tests of differences, clustering. Nothing here reads a file or knows a run.

pub mod clustering;
pub mod reliability;
pub mod scores;
pub mod significance;
pub mod statistics;
