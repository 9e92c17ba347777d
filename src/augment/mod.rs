//! Stage 1b: distorted copies of training images. A [`Pipeline`] says which operations with which chances, as data; a
//! [`Plan`] is what was drawn for one copy of one source, a pure function of (seed, source, copy); [`render`] carries a
//! plan out as ONE inverse warp, so that no copy is resampled twice. The operations are those of Augmentor (Bloice,
//! Stocker and Holzinger 2017), under its names.

mod draw;
mod geometry;
mod mesh;
mod operation;
mod photometric;
mod pipeline;
mod projection;
#[cfg(test)]
mod reference;
mod resize;
mod sample;
mod sheet;
mod step;
mod warp;

pub use operation::{Corner, Method, Operation};
pub use pipeline::{Pipeline, Plan};
pub use resize::{Filter, resize};
pub use sample::Sampling;
pub use sheet::contact_sheet;
pub use step::{Part, Step};
pub use warp::{Source, render};
