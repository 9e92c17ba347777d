//! Checks a data set before it is prepared: rates and correlations of its labels ([`Labels`]), issues and duplicates of
//! its images ([`scan_images`]). [`write()`] writes them as a page with tables and figures.

mod file_type;
mod image_page;
mod images;
mod inspection;
mod page;

pub use crate::metrics::labels::{CONTRADICTIONS, Contradiction, Labels};
pub use images::{DuplicateKind, DuplicatePair, ImageIssue, ImageScan, IssueKind, TINY, scan_images};
pub use inspection::Inspection;
pub use page::{summary, write};
