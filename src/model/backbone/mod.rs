//! Backbones: the shared convolutional network that all branches read. A family is one file, and one line in
//! `registry.rs`.

mod alexnet;
mod builder;
mod context;
mod cvgj;
mod registry;
mod resnet;
mod shapes;
mod spec;

pub(super) use builder::Builder;
pub(super) use context::ForwardCtx;
pub(super) use spec::Backbone;
