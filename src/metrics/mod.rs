//! Statistics of binary predictions: confusion counts and intervals, ranking and calibration scores, tests of
//! differences, dependence of attributes. All are pure functions of labels, probabilities and matrices.
//!
//! No crate: statrs and linfa lack McNemar's exact test, Holm's correction and a cluster bootstrap. Golden values of
//! `SciPy`, statsmodels and scikit-learn test these functions.

pub mod affinity;
pub mod bootstrap;
pub mod clustering;
pub mod confusion;
#[cfg(test)]
mod golden;
pub mod interval;
pub mod labels;
pub mod mantel;
pub mod mean;
pub mod mistakes;
pub mod phi;
pub mod reliability;
pub mod scores;
pub mod significance;
