//! Distorted copies of training images. A [`Pipeline`] lists operations and their probabilities, as data. A [`Plan`] holds
//! the operations sampled for one copy of one source, a pure function of (seed, source, copy). [`render`] applies a plan
//! as ONE inverse warp, so that a copy is interpolated only once. The operations and their names are those of Augmentor
//! (Bloice, Stocker and Holzinger 2017).

mod bounds;
mod gaussian;
mod geometry;
mod interpolation;
mod mesh;
mod operation;
mod parameters;
mod photometric;
mod pipeline;
mod projection;
#[cfg(test)]
mod reference;
mod resize;
mod sampled_op;
mod sheet;
mod warp;

pub use interpolation::Interpolation;
pub use operation::{Corner, Method, Operation};
pub use pipeline::{Pipeline, Plan};
pub use resize::{Filter, resize};
pub use sampled_op::{CropWindow, SampledOp};
pub use sheet::contact_sheet;
pub use warp::{Source, render};
