//! Turns the predictions of finished runs into scores. Each head and attribute has an accuracy with its interval beside
//! the majority-class floor, the accuracy of always predicting the most frequent training label. Tests compare networks
//! with one another.

pub mod comparison;
pub mod comparison_report;
pub mod correctness;
pub mod dependence;
mod evaluation;
pub mod external;
mod head_result;
pub mod masks;
pub mod predictions;
pub mod run_files;

pub use comparison::{Classifier, Comparison, Statistics, Verdict};
pub use comparison_report::ComparisonReport;
pub use correctness::Correctness;
pub use evaluation::{Evaluation, majority, plain_accuracies, read_affinity, read_curve, read_run, trained};
pub use head_result::{AttributeResult, HeadResult};
pub use predictions::Predictions;
pub use run_files::{Affinity, Point};

pub use crate::variant::Head;
