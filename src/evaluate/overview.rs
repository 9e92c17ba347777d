//! Several runs at a glance: what each head reached, and what it cost.

use super::Evaluation;
use std::fmt::Write as _;

/// A line a run and head: mean test accuracy, the majority-class floor, what lies between, and the time of the whole trunk
/// run, which runs that shared it have in common.
pub fn overview(evaluations: &[Evaluation]) -> String {
    let width = evaluations.iter().map(|e| e.run.variant.len()).max().unwrap_or_default().max("variant".len());
    let mut text = format!(
        "{:<width$}{:>6}{:>6}{:>10}{:>8}{:>8}{:>9}",
        "variant", "seed", "head", "accuracy", "floor", "gain", "seconds"
    );
    for evaluation in evaluations {
        let run = &evaluation.run;
        for head in &evaluation.heads {
            let (accuracy, floor) = (100.0 * head.mean_accuracy(), 100.0 * head.mean_floor());
            let _ = write!(text, "\n{:<width$}{:>6}{:>6}", run.variant, run.seed, head.head.label());
            let _ = write!(text, "{accuracy:>10.2}{floor:>8.2}{:>+8.2}{:>9.0}", accuracy - floor, run.wall_seconds);
        }
    }
    text
}
