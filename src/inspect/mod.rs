//! Looking at a data set before anything is made of it: what its labels say of each other ([`Labels`]), what is wrong
//! with its pictures and which are there twice ([`look`]), written as a page with tables and figures ([`write()`]).

mod foreign;
mod page;
mod picture_page;
mod pictures;

pub use crate::metrics::labels::{CONTRADICTIONS, Contradiction, Labels};
pub use page::{Inspection, write};
pub use pictures::{Fault, Flaw, Likeness, Pictures, TINY, Twins, look};
