//! Drawing and markup without knowledge of runs or data sets: SVG, maps of 40 x 40 attributes, Markdown tables, HTML
//! pages, number formats and text tables.

pub mod format;
pub(crate) mod grid;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod svg;
pub mod text_table;
