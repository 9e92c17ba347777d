//! The model card: `README.md` beside an exported network, Markdown with the front matter of Hugging Face. All figures are
//! those of the run's own files; a run without them has a card without figures.

use super::format::ExportFormat;
use crate::attribute::{self, COUNT};
use crate::config::run_dir::{PREDICTIONS, SUMMARY};
use crate::config::{Record, RunSummary};
use crate::dataset::DatasetName;
use crate::error::Result;
use crate::evaluate::{Classifier, Correctness, Evaluation, Statistics};
use crate::io;
use crate::progress::Progress;
use crate::render::format::{or_dash, percent, percent_interval, thousands};
use crate::render::markdown::{Table, folded};
use crate::train::TrainedModel;
use crate::untrusted::{markdown, markdown_block, markdown_code, terminal_json};
use crate::variant::Kind;
use std::fmt::Write as _;
use std::path::Path;

/// Name of the card.
pub(super) const FILE: &str = "README.md";

const ONNX_EXAMPLE: &str = include_str!("onnx_example.py");
const PYTORCH_EXAMPLE: &str = r#"import gal_net

network, config = gal_net.load("gal_net.safetensors")
probabilities = gal_net.probabilities(network, config, gal_net.read("face.jpg", config))[0]
print(dict(zip(config["attributes"], probabilities.tolist())))"#;

/// The card of the run in `folder`, read as `trained`.
///
/// # Errors
/// A record that is damaged. Damaged predictions are logged, and leave the card without accuracies.
pub(super) fn card(folder: &Path, trained: &TrainedModel, format: ExportFormat, progress: &Progress) -> Result<String> {
    let has = |name: &str| folder.join(name).exists();
    let record = has(SUMMARY).then(|| Record::read(folder)).transpose()?.map(|record| record.summary);
    let test = (record.is_some() && has(PREDICTIONS)).then(|| Test::read(folder));
    let test = test.and_then(|test| {
        test.inspect_err(|error| progress.warn(format!("the model card has no accuracies: {error}"))).ok()
    });
    Card { trained, format, record, test }.text()
}

/// The scores of a run.
struct Test {
    evaluation: Evaluation,
    statistics: Statistics,
}

impl Test {
    fn read(folder: &Path) -> Result<Self> {
        let (evaluation, predictions) = Evaluation::with_predictions(folder)?;
        let (name, correctness) = (evaluation.run.variant.clone(), Correctness::new(predictions));
        let classifier = Classifier { name: &name, seed: None, correctness: &correctness };
        let statistics = Statistics::new(&[classifier], &[])?;
        Ok(Self { evaluation, statistics })
    }
}

struct Card<'a> {
    trained: &'a TrainedModel,
    format: ExportFormat,
    /// `None` for a network that was passed on without the record of its run.
    record: Option<RunSummary>,
    /// `None` without predictions that can be evaluated.
    test: Option<Test>,
}

impl Card<'_> {
    fn text(&self) -> Result<String> {
        Ok([
            self.front_matter()?,
            self.introduction(),
            self.usage(),
            self.network(),
            self.training(),
            self.accuracy(),
            self.limits(),
        ]
        .join("\n"))
    }

    fn dataset(&self) -> Option<DatasetName> {
        DatasetName::parse(&self.trained.config.dataset)
    }

    /// The data set's name in print.
    fn data(&self) -> String {
        match (&self.record, self.dataset()) {
            (Some(record), _) => markdown(&record.data()),
            (None, Some(name)) => name.title().to_owned(),
            (None, None) => markdown(&self.trained.config.dataset),
        }
    }

    fn front_matter(&self) -> Result<String> {
        let (license, dataset) = match self.dataset() {
            Some(name @ (DatasetName::Celeba | DatasetName::Lfwa)) => (OTHER_LICENSE, Some(name.label())),
            Some(DatasetName::Synthetic) => ("license: mit\n", None),
            Some(DatasetName::Table) | None => (OTHER_LICENSE, None),
        };
        let library = self.format.library();
        let mut text = format!(
            "---\n{license}library_name: {library}\npipeline_tag: image-classification\ntags:\n- {library}\n\
             - facial-attributes\n- multi-label-classification\n- arxiv:1810.09162\n"
        );
        if let Some(dataset) = dataset {
            text.extend(["datasets:\n- ", dataset, "\n"]);
        }
        text += "metrics:\n- accuracy\n";
        // Figures on other test images are not those of the data set.
        if let (Some(Test { evaluation, .. }), Some(dataset)) = (&self.test, dataset)
            && evaluation.run.is_official_test()
            && evaluation.primary_head().scored() == COUNT
        {
            let _ = write!(
                text,
                "model-index:\n- name: {}\n  results:\n  - task:\n      type: image-classification\n    dataset:\n      \
                 type: {dataset}\n      name: {}\n      split: test\n    metrics:\n    - type: accuracy\n      \
                 name: mean accuracy over {COUNT} attributes\n      value: {:.4}\n",
                yaml(&self.trained.config.id())?,
                yaml(evaluation.run.dataset_title())?,
                evaluation.primary_head().mean_accuracy()
            );
        }
        Ok(text + "---\n")
    }

    fn introduction(&self) -> String {
        let (config, variant) = (&self.trained.config, &self.trained.variant);
        let origin = match variant.kind {
            Kind::Paper => "It is one of the paper's networks.",
            Kind::Control => "It is a control: it changes one thing in a network of the paper.",
            Kind::Compared => "It relates attributes by another net than the paper's.",
            Kind::OwnTrunk => "It has other layers in place of the paper's branches.",
        };
        format!(
            "# {}\n\nThis network predicts the probabilities of {COUNT} binary attributes from one face image. It is the \
             variant {} with seed {}, trained on {} by gal-bench. The program reproduces \"Exploring Correlations in Multiple \
             Facial Attributes through Graph Attention Network\" ([arXiv 1810.09162](https://arxiv.org/abs/1810.09162)). \
             {origin}\n",
            markdown(&config.id()),
            variant.title,
            config.seed,
            self.data()
        )
    }

    fn usage(&self) -> String {
        let (files, needed, example) = match self.format {
            ExportFormat::Pytorch => (
                "`gal_net.py` is a PyTorch module, and `gal_net.safetensors` has its weights. `python gal_net.py face.jpg` \
                 prints probabilities.",
                "torch, safetensors, Pillow and NumPy",
                PYTORCH_EXAMPLE,
            ),
            ExportFormat::Onnx => (
                "`gal_net.onnx` is an ONNX model. Its input `pixels` is float32 `[batch, 3, side, side]`, RGB, 0 to 255; \
                 standardization is part of the graph. Its output `probabilities` is `[batch, 40]`. `fln`, `cln` and \
                 `affinity` are those of the PyTorch module. Its metadata has the attributes' names.",
                "onnxruntime, Pillow and NumPy",
                ONNX_EXAMPLE,
            ),
        };
        let mirror = if self.trained.config.profile.evaluation.mirror {
            "\nProbabilities are means over the image and its mirror image. All other outputs are of the image alone.\n"
        } else {
            ""
        };
        format!("## Use\n\n{files} In Python, with {needed}:\n\n{}{mirror}", markdown_block("python", example))
    }

    fn network(&self) -> String {
        let (config, variant) = (&self.trained.config, &self.trained.variant);
        let architecture = &config.profile.network;
        let mut table = Table::new(2, ["setting", "value"]);
        table.row(["variant".to_owned(), format!("{} (`{}`)", variant.title, variant.name)]);
        table.row(["question", variant.question]);
        table.row(["backbone".to_owned(), architecture.backbone.to_string()]);
        table.row(["input".to_owned(), format!("{0} x {0} pixels", architecture.input_size)]);
        if let Some(record) = &self.record {
            table.row(["trainable parameters".to_owned(), thousands(record.parameters)]);
        }
        table.row(["primary head", variant.primary_head().label()]);
        format!("## Network\n\n{table}")
    }

    fn training(&self) -> String {
        let config = &self.trained.config;
        let mut table = Table::new(2, ["setting", "value"]);
        table.row(["data".to_owned(), self.data()]);
        if let Some(record) = &self.record {
            let images = format!("{}, of {} images", thousands(record.train_images), thousands(record.train_sources));
            table.row(["split".to_owned(), markdown(&record.split)]);
            table.row(["stored training images".to_owned(), images]);
            table.row(["steps".to_owned(), format!("{} of {} images", thousands(record.steps), record.batch)]);
        }
        table.row(["profile".to_owned(), markdown(&config.profile_id())]);
        table.row(["initial weights".to_owned(), markdown(&config.start())]);
        let Some(record) = &self.record else {
            return format!("## Training\n\n{table}\nThe record of the run was not beside the network.\n");
        };
        let program = format!("gal-bench {} ({})", record.version, record.commit);
        table.row(["program".to_owned(), markdown(&program)]);
        table.row(["command".to_owned(), markdown_code(&record.command)]);
        let mut text = format!("## Training\n\n{table}");
        for (title, lines) in
            [("Differences from the paper's protocol", &record.deviations), ("Notes on the data", &record.data_notes)]
        {
            if !lines.is_empty() {
                let _ = write!(text, "\n{}", folded(title, &list(lines.iter().map(|line| markdown(line)))));
            }
        }
        text
    }

    fn accuracy(&self) -> String {
        let Some(Test { evaluation, statistics }) = &self.test else {
            return "## Accuracy\n\nThe network came without predictions for test images, so this card has no accuracy.\n"
                .to_owned();
        };
        let head = evaluation.primary_head();
        let mean = statistics.means.iter().find(|mean| mean.head == head.head);
        let interval = match (mean.and_then(|mean| mean.interval), statistics.few_units()) {
            (Some(interval), _) => format!(
                ", with a 95 % interval of {} over {}",
                percent_interval(interval),
                statistics.resampling.unit.count(statistics.resampling.units)
            ),
            (None, Some(few)) => format!(", without an interval: {few}"),
            (None, None) => String::new(),
        };
        let official = match self.dataset() {
            Some(DatasetName::Celeba | DatasetName::Lfwa) if !evaluation.run.is_official_test() => {
                " These are not known to be the official test images."
            }
            _ => "",
        };
        let mut table = Table::new(1, ["attribute", "accuracy", "95 % interval", "majority class", "test labels"]);
        for attribute in &head.attributes {
            table.row([
                attribute.attribute.clone(),
                or_dash(attribute.accuracy, percent),
                or_dash(attribute.interval, percent_interval),
                or_dash(attribute.floor, percent),
                thousands(attribute.n),
            ]);
        }
        format!(
            "## Accuracy\n\nOn {} test images of {}, the mean accuracy over {} attributes is {} %{interval}.{official} The \
             majority class, which is the most frequent training label, has {} %. A prediction is correct if its \
             probability is on the label's side of one half. The figures of each attribute are in %.\n\n{table}",
            thousands(evaluation.run.test_images),
            markdown(&evaluation.run.test_data()),
            head.scored(),
            percent(head.mean_accuracy()),
            percent(head.mean_floor())
        )
    }

    fn limits(&self) -> String {
        let mut limits = vec![
            "Attributes are binary. They divide what is gradual, and some are matters of taste, such as Attractive, Big_Nose \
             and Young. Male is an annotator's impression of an image, not a person's gender."
                .to_owned(),
            "A rare attribute has a high accuracy if it is never predicted: compare with the majority class.".to_owned(),
        ];
        let (noise, people) = match self.dataset() {
            Some(DatasetName::Celeba) => (ANNOTATED, "CelebA has photographs of celebrities from the web."),
            Some(DatasetName::Lfwa) => (
                ANNOTATED,
                "LFWA has news photographs of public figures (Labeled Faces in the Wild). The authors of that set state that \
                 it has few women, very few children and people over 80, and hardly anyone of many ethnicities.",
            ),
            Some(DatasetName::Synthetic) => (
                "Labels are those that the faces were drawn from.",
                "The faces are drawn by a program. Results on them say nothing about real faces.",
            ),
            Some(DatasetName::Table) | None => (
                "Labels are those of a table that the author of this network gave. Their errors are not known here.",
                "The people in the images are not described in the run's files.",
            ),
        };
        limits.extend([noise.to_owned(), people.to_owned()]);
        if let Some(record) = &self.record {
            let shares = ["Male", "Young"].map(|name| {
                let share = attribute::index(name).and_then(|index| *record.train_positive_rate.get(index)?);
                share.map(|share| format!("{} % are labelled {name}", percent(share)))
            });
            let shares: Vec<String> = shares.into_iter().flatten().collect();
            if !shares.is_empty() {
                limits.push(format!("Among the training images with a known label, {}.", shares.join(" and ")));
            }
        }
        limits.push(
            "Accuracy for groups of people was not measured. It may be lower for groups with few images.".to_owned(),
        );
        limits.push(
            "Images must be cropped like those of the training data. The probabilities of other crops are meaningless."
                .to_owned(),
        );
        if !self.trained.untrained.is_empty() {
            let names = self.trained.untrained.join(", ");
            limits.push(format!(
                "Probabilities of attributes without a training label are meaningless: {}.",
                markdown(&names)
            ));
        }
        let limits = list(limits.into_iter());
        format!(
            "## Intended use\n\nResearch on facial attributes and their correlations, and comparison with other networks on \
             the same images. The network is not for decisions about people, and not for the identification of people.\n\n\
             ## Limits\n\n{limits}\n## Licence\n\n{}\n",
            match self.dataset() {
                Some(DatasetName::Synthetic) => "MIT, as gal-bench.",
                Some(DatasetName::Celeba) =>
                    "The code is under the MIT licence. CelebA is for non-commercial research.",
                _ =>
                    "The code is under the MIT licence. The data that the network was trained on have terms of their own.",
            }
        )
    }
}

const OTHER_LICENSE: &str = "license: other\nlicense_name: terms-of-the-training-data\n";

const ANNOTATED: &str = "Labels are noisy. They are annotators' judgements of single images: two images of one person may \
                         have different labels, and labels of one image may contradict each other.";

/// A list in Markdown, an item a line.
fn list(items: impl Iterator<Item = String>) -> String {
    items.fold(String::new(), |list, item| list + "- " + &item + "\n")
}

/// `text` as a string in YAML, which reads JSON's.
fn yaml(text: &str) -> Result<String> {
    Ok(terminal_json(&io::to_json(&text)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Profile, RunConfig};
    use crate::evaluate::{HeadResult, Predictions};
    use crate::metrics::bootstrap::TestImages;
    use crate::store::Preprocessing;
    use crate::variant::{Head, Variant};
    use pulldown_cmark::{Event, Options, Parser, Tag};
    use std::collections::BTreeMap;

    const HOSTILE: &str = "x\n---\n# y\n<img src=x onerror=alert(1)> [z](javascript:alert(1)) | `a` \u{1b}[2J";

    /// A card of a run whose record holds `text`, with an official test if `is_official`.
    fn card(dataset: &str, text: &str, format: ExportFormat, is_official: bool) -> String {
        let mut profile = Profile::load("quick").unwrap();
        profile.name = text.to_owned();
        let config = RunConfig {
            dataset: dataset.to_owned(),
            data_digest: String::new(),
            variant: "gal-j".to_owned(),
            seed: 3,
            ranks: 1,
            init: None,
            profile,
        };
        let trained = TrainedModel {
            config,
            variant: Variant::named("gal-j").unwrap(),
            preprocessing: Preprocessing { size: 72, quality: None },
            untrained: vec![text.to_owned()],
            tensors: BTreeMap::new(),
        };
        let record = serde_json::json!({
            "id": "a", "dataset": dataset, "split_official": is_official, "split": text, "extent": (!is_official).then_some(text),
            "data_digest": "", "data_notes": [text], "profile": "quick", "variant": "gal-j", "seed": 3, "device": "cpu",
            "cpu_features": [], "threads": 1, "version": text, "commit": text, "command": text, "wall_seconds": 1.0,
            "steps": 3000, "batch": 32, "input": 66, "train_images": 6263, "train_sources": 6263, "test_images": 6880,
            "parameters": 1_234_567, "train_positive_rate": vec![0.25; COUNT], "deviations": [text],
        });
        let record: RunSummary = serde_json::from_value(record).unwrap();
        let test = is_official.then(|| Test::of_thirty_images(&record));
        Card { trained: &trained, format, record: Some(record), test }.text().unwrap()
    }

    impl Test {
        /// 30 images of people of their own; the network predicts each attribute correctly in all of them, Male in 15.
        fn of_thirty_images(run: &RunSummary) -> Self {
            let male = attribute::index("Male").unwrap();
            let correct = |i: usize| i % COUNT != male || (i / COUNT).is_multiple_of(2);
            let predictions = Predictions {
                images: TestImages { names: (0..30).map(|image| image.to_string()).collect(), ..TestImages::default() },
                labels: vec![Some(true); 30 * COUNT],
                fln: None,
                cln: Some((0..30 * COUNT).map(|i| if correct(i) { 0.9 } else { 0.1 }).collect()),
            };
            let cln = predictions.cln.as_deref().unwrap();
            let heads = vec![HeadResult::new(Head::Cln, &predictions.labels, cln, &[false; COUNT])];
            let correctness = Correctness::new(predictions);
            let classifier = Classifier { name: "gal-j", seed: None, correctness: &correctness };
            Self {
                evaluation: Evaluation { run: run.clone(), heads, plain_accuracy: None },
                statistics: Statistics::new(&[classifier], &[]).unwrap(),
            }
        }
    }

    #[test]
    fn text_of_others_is_no_markup() {
        let card = card("lfwa", HOSTILE, ExportFormat::Onnx, false);
        assert_eq!(card.lines().filter(|line| *line == "---").count(), 2, "{card}");
        let headings: Vec<&str> = card.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings.len(), 8, "{headings:?}");
        assert!(!card.contains('\u{1b}'), "{card}");
        for event in Parser::new_ext(&card, Options::ENABLE_TABLES) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    assert!(html.contains("details>") || html.contains("<summary>"), "{html}");
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    assert_eq!(&*dest_url, "https://arxiv.org/abs/1810.09162");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_card_states_what_the_record_states_and_no_accuracy_without_predictions() {
        let card = card("lfwa", "quick", ExportFormat::Pytorch, false);
        for words in [
            "license: other\n",
            "library_name: pytorch\n",
            "datasets:\n- lfwa\n",
            "# lfwa-quick-gal-j-seed3\n",
            "| trainable parameters | 1,234,567 |",
            "| steps | 3,000 of 32 images |",
            "25.00 % are labelled Male and 25.00 % are labelled Young.",
            "this card has no accuracy",
        ] {
            assert!(card.contains(words), "{words}: {card}");
        }
        assert!(!card.contains("model-index"), "{card}");
    }

    #[test]
    fn an_official_test_is_stated_for_machines_and_for_readers() {
        let card = card("lfwa", "quick", ExportFormat::Onnx, true);
        // 39 attributes and a half of 40.
        assert!(card.contains("      type: lfwa\n      name: \"LFWA\"\n      split: test\n"), "{card}");
        assert!(card.contains("      value: 0.9875\n---\n"), "{card}");
        let words = "On 6,880 test images of LFWA's official test split, the mean accuracy over 40 attributes is 98.75 %, \
                     with a 95 % interval of ";
        assert!(card.contains(words) && card.contains(" over 30 test images. The majority"), "{card}");
        assert!(card.contains("| Male | 50.00 | 33.15 to 66.85 | 0.00 | 30 |"), "{card}");
    }

    #[test]
    fn a_string_of_yaml_ends_where_the_text_ends() {
        assert_eq!(yaml("a\"b\n\u{85}").unwrap(), "\"a\\\"b\\n\\u0085\"");
    }
}
