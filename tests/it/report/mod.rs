//! Stage 3: accuracies, comparisons and pages from run folders.

mod claims;
mod compare;
mod degenerate;
mod figures;
mod page;
mod protocol;
mod retests;
mod sections;
mod statistics;
mod together;
mod unknown_labels;
mod variants;
