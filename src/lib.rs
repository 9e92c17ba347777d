//! `gal-bench`: prepare facial-attribute data sets, train the networks of "Exploring Correlations in Multiple Facial
//! Attributes through Graph Attention Network" (arXiv 1810.09162), and report what they learn.
//!
//! Data goes one way: [`dataset`] reads annotations, [`augment`] plans distortions, [`store`] keeps a prepared set
//! on disk, [`train`] fits the [`model`] made of [`nn`] operations, [`evaluate`] turns predictions into statistics,
//! [`report`] into Markdown and figures. [`inspect`] looks at a data set beforehand, [`doctor`] at a device; [`predict`]
//! and [`export`] use a trained network afterwards.

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
pub mod variant;
pub mod weights;

pub use error::{Error, Result};
