//! Rules that the source itself keeps.

mod layers;
