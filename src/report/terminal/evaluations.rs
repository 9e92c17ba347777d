//! Evaluations as text for a terminal.

use crate::attribute::NAMES;
use crate::evaluate::{Evaluation, HeadResult};
use crate::render::format::{or_dash, percent, percent_interval, points};
use crate::render::text_table::TextTable;

/// The accuracy without mirror images, if predictions are averages with those.
fn plain(evaluation: &Evaluation) -> String {
    let words = |accuracy| format!("; averaged over mirror images, {} % without them", percent(accuracy));
    evaluation.plain_accuracy.map(words).unwrap_or_default()
}

/// Scores of both heads in percent, a line an attribute.
pub fn table(evaluation: &Evaluation) -> String {
    let run = &evaluation.run;
    let of_heads = |cells: &dyn Fn(&HeadResult) -> [String; 4]| evaluation.heads.iter().flat_map(cells).collect();
    let row = |name: &str, floor: String, heads: Vec<String>| [vec![name.to_owned(), floor], heads].concat();
    let header = of_heads(&|head| [head.head.label(), "95 % interval", "gain", "balanced"].map(str::to_owned));
    let mut table = TextTable::new(1);
    table.row(row("attribute", "floor".to_owned(), header));
    for (i, name) in NAMES.iter().enumerate() {
        let cells = of_heads(&|head| {
            let a = &head.attributes[i];
            [
                or_dash(a.accuracy, percent),
                or_dash(a.interval, percent_interval),
                or_dash(a.gain(), points),
                or_dash(a.balanced_accuracy, percent),
            ]
        });
        table.row(row(name, or_dash(evaluation.primary_head().attributes[i].floor, percent), cells));
    }
    let means = of_heads(&|head| {
        let gain = head.mean_accuracy() - head.mean_floor();
        [percent(head.mean_accuracy()), String::new(), points(gain), or_dash(head.mean_balanced_accuracy(), percent)]
    });
    table.row(row("mean", percent(evaluation.primary_head().mean_floor()), means));
    format!(
        "{}: {} on {}, seed {}, {} test images, accuracy in %{}\n\n{table}",
        run.id,
        run.variant,
        run.test_data(),
        run.seed,
        run.test_images,
        plain(evaluation)
    )
}

/// One line a run and head: mean accuracy, the majority-class floor, the gain over it, and wall time. Runs trained
/// together share that time.
pub fn overview(evaluations: &[Evaluation]) -> String {
    let mut table = TextTable::new(1);
    table.row(["variant", "seed", "head", "accuracy", "floor", "gain", "seconds"]);
    for evaluation in evaluations {
        let run = &evaluation.run;
        for head in &evaluation.heads {
            let (accuracy, floor) = (head.mean_accuracy(), head.mean_floor());
            table.row([
                run.variant.clone(),
                run.seed.to_string(),
                head.head.label().to_owned(),
                percent(accuracy),
                percent(floor),
                points(accuracy - floor),
                format!("{:.0}", run.wall_seconds),
            ]);
        }
    }
    table.to_string().trim_end().to_owned()
}
