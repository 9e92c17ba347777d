//! Predictions as text for a terminal, and as CSV.

use super::prediction::{Prediction, Predictions};
use crate::attribute::{GROUPS, NAMES};
use crate::error::{Error, Result};
use crate::render::format::{or_dash, percent};
use crate::render::text_table::TextTable;
use crate::untrusted::cell;

/// Order in which the attributes of an image are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// By the groups of the paper's Table 1
    #[default]
    Group,
    /// The most probable first
    Probability,
}

/// A block for each image: a line for each attribute, with its probability in percent.
pub fn table(predictions: &Predictions, order: Order) -> String {
    let head = predictions.primary_head.label();
    let block = |image: &Prediction| {
        let rows = match order {
            Order::Group => by_group(image),
            Order::Probability => by_probability(image),
        };
        format!("{} ({}, {head} head, probabilities in %)\n{rows}", image.image.display(), predictions.run)
    };
    predictions.images.iter().map(block).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn by_group(image: &Prediction) -> TextTable {
    let mut table = TextTable::new(1);
    for group in GROUPS {
        table.row([group.name]);
        for name in group.members {
            table.row(row(name, image.primary().get(name).copied()));
        }
    }
    table
}

fn by_probability(image: &Prediction) -> TextTable {
    let mut all: Vec<(&str, f32)> = image.primary().iter().map(|(name, p)| (*name, *p)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut table = TextTable::new(1);
    for (name, probability) in all {
        table.row(row(name, Some(probability)));
    }
    table
}

/// A line of an attribute; one that was not trained has no probability.
fn row(name: &str, probability: Option<f32>) -> [String; 3] {
    let mark = match probability {
        None => "not trained",
        Some(probability) if probability > 0.5 => "yes",
        Some(_) => "",
    };
    [format!("  {name}"), or_dash(probability, |probability| percent(probability.into())), mark.to_owned()]
}

/// A row for each image and attribute, with the columns of `predictions.parquet` that exist without labels.
pub fn csv(predictions: &Predictions) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::Internal(e.to_string());
    writer.write_record(["image", "attribute", "probability_fln", "probability_cln"]).map_err(failed)?;
    for image in &predictions.images {
        let file = image.image.display().to_string();
        for name in NAMES {
            let [fln, cln] = [&image.fln, &image.cln]
                .map(|head| head.as_ref().and_then(|head| Some(head.get(name)?.to_string())).unwrap_or_default());
            writer.write_record([&*cell(&file), name, &fln, &cln]).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| Error::Internal(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Error::Internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::Head;

    fn predictions(fln: bool, cln: bool) -> Predictions {
        let of = |shift: f32| NAMES.into_iter().enumerate().map(|(i, name)| (name, i as f32 / 40.0 + shift)).collect();
        let image = Prediction {
            image: "a, b.jpg".into(),
            fln: fln.then(|| of(0.0)),
            cln: cln.then(|| of(0.001)),
            logits_fln: None,
            logits_cln: None,
        };
        let primary_head = if cln { Head::Cln } else { Head::Fln };
        Predictions {
            run: "r".to_owned(),
            variant: "v".to_owned(),
            primary_head,
            images: vec![image],
            unreadable: Vec::new(),
            affinity: None,
        }
    }

    #[test]
    fn groups_are_in_the_order_of_table_1_with_every_attribute_once() {
        let text = table(&predictions(true, true), Order::Group);
        let names: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("  ")?.split_whitespace().next()).collect();
        assert_eq!(names, GROUPS.iter().flat_map(|group| group.members).copied().collect::<Vec<_>>());
        assert!(text.starts_with("a, b.jpg (r, CLN head"), "{text}");
        assert!(text.contains("  Young                97.60  yes\n"), "{text}");
    }

    #[test]
    fn the_most_probable_is_first_on_request() {
        let text = table(&predictions(true, false), Order::Probability);
        let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, NAMES.into_iter().rev().collect::<Vec<_>>());
    }

    #[test]
    fn csv_has_a_row_an_attribute_and_an_empty_cell_for_a_missing_head() {
        let text = csv(&predictions(true, false)).unwrap();
        assert_eq!(text.lines().count(), 41);
        assert_eq!(text.lines().nth(2), Some("\"a, b.jpg\",Arched_Eyebrows,0.025,"));
        let text = csv(&predictions(false, true)).unwrap();
        assert_eq!(text.lines().nth(2), Some("\"a, b.jpg\",Arched_Eyebrows,,0.026"));
    }
}
