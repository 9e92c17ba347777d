//! `gal-bench` prepares facial-attribute data sets, trains graph attention networks, and reports the results.
//!
//! The networks are those of "Exploring Correlations in Multiple Facial Attributes through Graph Attention Network"
//! (arXiv 1810.09162).
//!
//! Data flows in one direction. [`dataset`] reads annotations, [`augment`] plans distortions, and [`store`] writes a
//! prepared set to disk. [`train`] fits the [`model`], built from [`nn`] operations, and writes predictions.
//! [`evaluate`] computes statistics from the predictions, and [`report`] renders them as Markdown and figures.
//! [`inspect`] checks a data set before training, and [`doctor`] checks a device. [`predict`] and [`export`] use a
//! trained network.
//!
//! [docs/README.md](../../../docs/README.md) lists the pages for users, and
//! [docs/architecture.md](../../../docs/architecture.md) explains the folders of the source. These links are those of
//! `cargo doc` in a checkout.

pub mod attribute;
pub mod augment;
pub mod config;
pub mod dataset;
pub mod distributed;
pub mod doctor;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod inspect;
pub mod io;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod predict;
pub mod progress;
pub mod random;
pub mod render;
pub mod report;
pub mod store;
pub mod synthetic;
mod tensorboard;
pub mod train;
pub mod untrusted;
pub mod variant;
pub mod weights;

pub use error::{Error, Result};
