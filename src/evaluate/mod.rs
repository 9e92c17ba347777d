//! Predictions become metrics: per attribute and head the accuracy, its interval, and what always answering the most
//! frequent training label would have reached, the floor without which no accuracy can be judged; and tests of whether
//! one network is better than another.

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
pub use evaluation::{Evaluation, majority, read_affinity, read_curve, read_run};
pub use head_result::{AttributeResult, HeadResult};
pub use predictions::Predictions;
pub use run_files::{Affinity, Point};

pub use crate::variant::Head;
