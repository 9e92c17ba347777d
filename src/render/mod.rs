//! Drawing and markup that know nothing of runs or data sets: SVG, maps of 40 x 40 attributes, Markdown tables, and a
//! Markdown page as one HTML file, numbers and tables as text.

pub mod format;
pub(crate) mod grid;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod svg;
pub mod text_table;
