//! Statistics of binary predictions, pure functions of labels and probabilities: confusion counts and intervals, ranking
//! and calibration scores, tests of differences, clustering. Nothing here reads a file or knows a run.

pub mod affinity;
pub mod bootstrap;
pub mod clustering;
pub mod confusion;
pub mod interval;
pub mod labels;
pub mod mantel;
pub mod mean;
pub mod mistakes;
pub mod phi;
pub mod reliability;
pub mod scores;
pub mod significance;
