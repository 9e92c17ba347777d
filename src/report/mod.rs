//! Stage 3: [`collect`] evaluates finished runs into small results files, and [`render`] makes README.md, index.html and
//! figures from those files alone. A comparison of any runs has a page of its own, and so have several reports together.

mod collect;
mod figures;
mod files;
mod folder_name;
mod headings;
mod page;
pub mod published;
mod results;
mod runs;
mod terminal;

pub use collect::{Collected, collect, collect_with};
pub use files::{claim, differences, render, render_with, write};
pub use folder_name::folder_name;
pub use page::findings::findings;
pub use results::comparison_report::write_comparison;
pub use results::examples::{ExampleFaces, TILE};
pub use results::runs::{Diverged, Run};
pub use results::together::{together_folder, write_together};
pub use terminal::comparison_report::comparison_text;
pub use terminal::evaluations::{overview, table};
