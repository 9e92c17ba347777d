//! The paper's four tables, of the report's own runs, each with the majority-class floor. Published figures stand in
//! columns or tables of their own that say whose data they are about.

#![allow(
    clippy::format_push_string,
    reason = "a page is text put together once: `write!` would add a result to ignore"
)]

use super::published::{self, Method, On};
use super::variants::{Report, VariantRuns};
use crate::attribute::{self, COUNT, GROUPS, NAMES};
use crate::evaluate::{Head, HeadResult};
use crate::metrics::mean::{MeanStd, mean};
use crate::render::format::{cell, percent, percent_interval, percent_mean_std, points, thousands};
use crate::render::markdown::{Table, bold};
use crate::variant::{BASELINE, GAL_J, Registry};

/// The methods of the paper's Table 4, and those with published accuracies by attribute on LFWA.
const CELEBA_METHODS: [&str; 4] = ["MCNN-AUX", "DMTL", "AFFACT", "GAL-j"];
const LFWA_METHODS: [&str; 2] = ["LNets+ANet", "MCNN-AUX"];

/// The rows of the paper's Table 3.
const TABLE_3_METHODS: [&str; 4] = ["LNets+ANet", "MCNN-AUX", "GAL Baseline", "GAL-j"];

/// The paper's mean accuracy of a variant on CelebA, in percent.
pub(super) fn paper_on_celeba(registry: Registry, variant: &str) -> Option<f64> {
    published::method(On::Celeba, registry.find(variant)?.published_name?)?.printed
}

/// Table 1: the attribute groups, with mean floor and accuracy of each.
pub(super) fn groups(report: &Report) -> String {
    let variants = report.variants();
    let mut header = vec!["Group".to_owned(), "Attributes".to_owned(), "Floor".to_owned()];
    header.extend(variants.iter().map(|v| v.title.to_owned()));
    header.extend(variants.iter().map(gain_header));
    let mut table = Table::new(2, header);
    let floors = report.floors();
    for group in GROUPS {
        let members: Vec<usize> = group.members.iter().filter_map(|name| attribute::index(name)).collect();
        let floor = mean(&members.iter().map(|&i| floors[i]).collect::<Vec<f64>>());
        let mut cells = vec![group.name.to_owned(), group.members.join(", "), percent(floor)];
        let of_group =
            |head: &HeadResult| mean(&members.iter().map(|&i| head.attributes[i].accuracy).collect::<Vec<f64>>());
        let accuracies: Vec<MeanStd> = variants.iter().map(|variant| variant.judged_spread(of_group)).collect();
        cells.extend(accuracies.iter().map(|accuracy| percent_mean_std(*accuracy)));
        cells.extend(accuracies.iter().map(|accuracy| points(accuracy.mean - floor)));
        table.row(cells);
    }
    format!(
        "Mean accuracy in % over the attributes of each group{}, by the head a variant is judged by, and the gain over the \
         floor in points.\n\n{table}",
        seeds_note(report)
    )
}

/// The heading of a variant's gains.
fn gain_header(variant: &VariantRuns) -> String {
    format!("Gain, {}", variant.title)
}

/// Table 2: mean accuracy of the variants, and the paper's own beside it under its own heading.
pub(super) fn mean_accuracy(report: &Report) -> String {
    let mut table = Table::new(
        2,
        ["Variant", "Judged by", "Seeds", "FLN head", "CLN head", "Floor", "Gain over floor", "Balanced accuracy"],
    );
    for variant in report.variants() {
        let cell = |head| variant.spread(head, HeadResult::mean_accuracy).map_or("-".to_owned(), percent_mean_std);
        let judged = |head: Head, text: String| if head == variant.primary_head() { bold(text) } else { text };
        let floor = variant.judged_spread(HeadResult::mean_floor).mean;
        table.row([
            variant.title.to_owned(),
            format!("{} head", variant.primary_head().label()),
            variant.runs.len().to_string(),
            judged(Head::Fln, cell(Head::Fln)),
            judged(Head::Cln, cell(Head::Cln)),
            percent(floor),
            points(variant.accuracy().mean - floor),
            percent_mean_std(variant.judged_spread(HeadResult::mean_balanced_accuracy)),
        ]);
    }
    let floor = published::floor(On::Celeba);
    let mut paper = Table::new(1, ["Variant", "Paper, CelebA", "Floor, CelebA", "Gain over floor"]);
    for variant in report.registry.0 {
        let Some(accuracy) = paper_on_celeba(report.registry, variant.name) else { continue };
        let gain = points((accuracy - floor.mean()) / 100.0);
        paper.row([variant.title.to_owned(), cell(Some(accuracy), 2), cell(Some(floor.mean()), 2), gain]);
    }
    format!(
        "Mean over the 40 attributes, in %{}. The head a variant is judged by is in bold. Differences are taken before \
         rounding.\n\n{table}\n\
         {}\n\n{paper}\nFloor on CelebA: {}.\n",
        seeds_note(report),
        beside_the_paper(report, On::Celeba),
        floor.source
    )
}

/// How cells with several seeds are to be read.
fn seeds_note(report: &Report) -> &'static str {
    if report.variants().iter().any(|v| v.runs.len() > 1) {
        "; `a ± b` is the mean over seeds and the sample standard deviation"
    } else {
        ""
    }
}

/// One sentence on whether the published figures below are about the same thing.
fn beside_the_paper(report: &Report, on: On) -> String {
    let of = on.label();
    if report.on() != Some(on) {
        return format!(
            "**{of}, published, other data.** For reference only: the runs above saw {}, and no figure of theirs can be \
             set against these. The paper's own were made with {}.",
            report.data(),
            paper_protocol(on)
        );
    }
    if report.like_for_like() {
        return format!("**{of}, published.** The same data, partition and protocol as the paper's.");
    }
    format!(
        "**{of}, published, another protocol.** The paper's own figures were made with {}. The runs of this report \
         differ from that in the ways listed [below](#ways-in-which-this-run-is-not-the-papers-protocol), so that a \
         difference between them is not one of methods.",
        paper_protocol(on)
    )
}

/// What the paper's figures were made with, as its text says.
fn paper_protocol(on: On) -> &'static str {
    match on {
        On::Celeba => {
            "162,770 training and 19,962 test images of the official partition, 227 px input, 25,600 steps and weights \
             pretrained on ImageNet"
        }
        On::Lfwa => {
            "6,263 training images in 12 distorted copies each and 6,880 test images of the official partition, \
             227 px input, 10,000 steps and weights pretrained on ImageNet"
        }
    }
}

/// Table 3: the comparison on LFWA.
pub(super) fn lfwa(report: &Report) -> String {
    let own = if report.on() == Some(On::Lfwa) {
        String::new()
    } else {
        format!(
            "Table 3 of the paper is about LFWA, on which no run of this report was made: the rows of this report are \
             about {}, the published ones about LFWA, and the two cannot be set against each other.\n\n",
            report.data()
        )
    };
    let mut table =
        Table::new(2, ["Method", "Data", "Mean accuracy", "Average as printed", "Floor", "Gain over floor"]);
    let floor = mean(&report.floors());
    for variant in report.variants() {
        let accuracy = variant.accuracy();
        table.row([
            format!("{}, this report", variant.title),
            report.data().to_owned(),
            bold(percent_mean_std(accuracy)),
            "-".to_owned(),
            percent(floor),
            points(accuracy.mean - floor),
        ]);
    }
    let lfwa_floor = published::floor(On::Lfwa);
    let other = if report.on() == Some(On::Lfwa) { "LFWA, published" } else { "LFWA, published, other data" };
    let methods = methods(On::Lfwa, &TABLE_3_METHODS);
    for method in &methods {
        let accuracy = method.recomputed().or(method.printed);
        table.row([
            format!("{} ({})", method.name, method.year),
            other.to_owned(),
            cell(accuracy, 2),
            // As printed: LNets+ANet's 84 has no decimals.
            method.printed.map_or_else(|| "-".to_owned(), |v| v.to_string()),
            cell(Some(lfwa_floor.mean()), 2),
            accuracy.map_or_else(|| "-".to_owned(), |a| points((a - lfwa_floor.mean()) / 100.0)),
        ]);
    }
    let verdict = if report.on() == Some(On::Lfwa) { beside_the_paper(report, On::Lfwa) + "\n\n" } else { own };
    format!(
        "{verdict}{table}\nThe mean is recomputed from the 40 attributes where they were published. Floor of the \
         published rows: {}.\n\n{}{}",
        lfwa_floor.source,
        sources(&methods),
        averages(&methods)
    )
}

/// Table 4: accuracy by attribute, all variants.
pub(super) fn by_attribute(report: &Report) -> String {
    let on = report.on().unwrap_or(On::Celeba);
    let columns = PublishedColumns::new(on);
    let same_data = report.on().is_some();
    let own = OwnColumns::new(report);
    let mut header = own.header();
    if same_data {
        header.extend(columns.header());
    }
    let mut table = Table::new(1, header);
    for (i, name) in NAMES.iter().enumerate() {
        let mut cells = vec![format!("`{name}`")];
        cells.extend(own.cells(i));
        if same_data {
            cells.extend(columns.cells(i));
        }
        table.row(cells);
    }
    let mut cells = vec![bold("Mean of 40")];
    cells.extend(own.means());
    let blanks = cells.len() - 1;
    if same_data {
        cells.extend(columns.recomputed());
    }
    table.row(cells);
    if same_data {
        for (label, own) in columns.footer() {
            let mut cells = vec![label.to_owned()];
            cells.extend(vec![String::new(); blanks]);
            cells.extend(own);
            table.row(cells);
        }
    }
    let mut text = format!(
        "Accuracy in %{}, by the head a variant is judged by. Wilson's 95 % interval of every cell is in \
         [results/accuracy.csv](results/accuracy.csv); with {} test images the widest is {}.\n\n{table}\n",
        seeds_note(report),
        thousands(report.shared().test_images),
        own.widest()
    );
    text += &beside_the_paper(report, on);
    text += "\n\n";
    if !same_data {
        text += &format!("{}\n", columns.table());
    }
    text + &columns.notes()
}

/// The columns of the report's own runs.
struct OwnColumns<'a> {
    variants: Vec<VariantRuns<'a>>,
    floors: Vec<f64>,
}

impl<'a> OwnColumns<'a> {
    fn new(report: &'a Report) -> Self {
        Self { variants: report.variants(), floors: report.floors() }
    }

    fn header(&self) -> Vec<String> {
        let mut header = vec!["Attribute".to_owned(), "Floor".to_owned()];
        header.extend(self.variants.iter().map(|v| v.title.to_owned()));
        header.extend(self.variants.iter().map(gain_header));
        if self.compared().is_some() {
            header.push("GAL-j - Baseline".to_owned());
        }
        header
    }

    /// Baseline and GAL-j, where the report has both.
    fn compared(&self) -> Option<(&VariantRuns<'a>, &VariantRuns<'a>)> {
        let find = |name| self.variants.iter().find(|v| v.name == name);
        find(BASELINE.name).zip(find(GAL_J.name))
    }

    fn row(&self, floor: f64, figure: impl Fn(&HeadResult) -> f64) -> Vec<String> {
        let mut cells = vec![percent(floor)];
        let spreads: Vec<MeanStd> = self.variants.iter().map(|v| v.judged_spread(&figure)).collect();
        cells.extend(spreads.iter().map(|spread| percent_mean_std(*spread)));
        cells.extend(spreads.iter().map(|spread| points(spread.mean - floor)));
        if let Some((baseline, gal_j)) = self.compared() {
            cells.push(points(gal_j.judged_spread(&figure).mean - baseline.judged_spread(&figure).mean));
        }
        cells
    }

    fn cells(&self, i: usize) -> Vec<String> {
        self.row(self.floors[i], |head| head.attributes[i].accuracy)
    }

    fn means(&self) -> Vec<String> {
        self.row(mean(&self.floors), HeadResult::mean_accuracy).into_iter().map(bold).collect()
    }

    /// The widest interval of one run and attribute.
    fn widest(&self) -> String {
        let runs = self.variants.iter().flat_map(|v| &v.runs);
        let intervals = runs.flat_map(|run| &run.evaluation.primary_head().attributes).map(|a| a.interval);
        let widest = intervals.max_by(|a, b| (a.high - a.low).total_cmp(&(b.high - b.low)));
        widest.map_or_else(String::new, percent_interval)
    }
}

/// The columns of published methods on one data set, floor first.
struct PublishedColumns {
    on: On,
    floor: published::Floor,
    methods: Vec<Method>,
}

impl PublishedColumns {
    fn new(on: On) -> Self {
        let names: &[&str] = match on {
            On::Celeba => &CELEBA_METHODS,
            On::Lfwa => &LFWA_METHODS,
        };
        Self { on, floor: published::floor(on), methods: methods(on, names) }
    }

    fn header(&self) -> Vec<String> {
        let of = self.on.label();
        let mut header = vec![format!("Floor, {of} official test")];
        header.extend(self.methods.iter().map(|m| format!("{}, {of} published", m.name)));
        header
    }

    fn cells(&self, i: usize) -> Vec<String> {
        let mut cells = vec![cell(Some(self.floor.accuracies[i]), 2)];
        cells.extend(self.methods.iter().map(|method| {
            let text = cell(method.accuracies.map(|a| a[i]), 2);
            if not_credible(method, i) { format!("{text} (not credible)") } else { text }
        }));
        cells
    }

    fn recomputed(&self) -> Vec<String> {
        let mut cells = vec![bold(cell(Some(self.floor.mean()), 2))];
        cells.extend(self.methods.iter().map(|m| bold(cell(m.recomputed(), 2))));
        cells
    }

    /// The rows below the mean: the average that the source prints, and the mean's gain over the floor.
    fn footer(&self) -> [(&'static str, Vec<String>); 2] {
        let row = |cell: &dyn Fn(&Method) -> Option<String>| {
            let cells = self.methods.iter().map(|method| cell(method).unwrap_or_else(|| "-".to_owned()));
            std::iter::once(String::new()).chain(cells).collect()
        };
        let gain = |m: &Method| m.recomputed().map(|mean| points((mean - self.floor.mean()) / 100.0));
        [
            ("Average as printed", row(&|m| m.printed.map(|v| v.to_string()))),
            ("Gain of the mean over the floor", row(&gain)),
        ]
    }

    /// The columns as a table of their own.
    fn table(&self) -> Table {
        let labelled = |label: &str, cells: Vec<String>| std::iter::once(label.to_owned()).chain(cells);
        let mut table = Table::new(1, labelled("Attribute", self.header()));
        for (i, name) in NAMES.iter().enumerate() {
            table.row(labelled(&format!("`{name}`"), self.cells(i)));
        }
        table.row(labelled("**Mean of 40**", self.recomputed()));
        for (label, cells) in self.footer() {
            table.row(labelled(label, cells));
        }
        table
    }

    fn notes(&self) -> String {
        let mut notes = sources(&self.methods);
        notes += &averages(&self.methods);
        for method in &self.methods {
            for i in (0..COUNT).filter(|&i| not_credible(method, i)) {
                notes += &format!(
                    "- {}'s {:.0} for `{}` is not credible: the column is known from the paper alone and was \
                     identified by elimination, always answering with the most frequent label gives {:.1} there, and \
                     the other columns lie far below. With the floor in its place the column's mean would be {:.2} lower.\n",
                    method.name,
                    method.accuracies.map_or(f64::NAN, |a| a[i]),
                    NAMES[i],
                    self.floor.accuracies[i],
                    method.accuracies.map_or(f64::NAN, |a| (a[i] - self.floor.accuracies[i]) / COUNT as f64),
                );
            }
        }
        notes
    }
}

/// The one published figure known not to be credible: DMTL's 96 for `Big_Lips` on CelebA.
fn not_credible(method: &Method, i: usize) -> bool {
    method.name == "DMTL" && NAMES[i] == "Big_Lips"
}

fn methods(on: On, names: &[&str]) -> Vec<Method> {
    names.iter().filter_map(|name| published::method(on, name)).collect()
}

/// Whether the averages that the sources print are those of their columns.
fn averages(methods: &[Method]) -> String {
    let (mut agree, mut differ) = (Vec::new(), Vec::new());
    for method in methods {
        let (Some(printed), Some(mean)) = (method.printed, method.recomputed()) else { continue };
        let text = format!("{} ({printed}, recomputed {mean:.4})", method.name);
        if method.average_agrees() { agree.push(text) } else { differ.push(text) }
    }
    let line = |words: &str, named: Vec<String>| {
        if named.is_empty() { String::new() } else { format!("- {words}: {}.\n", named.join(", ")) }
    };
    line("The printed average is that of the column, to its last digit", agree)
        + &line("The printed average is not that of the column", differ)
}

/// A line a method: where its figures were read and how far they can be trusted.
fn sources(methods: &[Method]) -> String {
    let line = |m: &Method| {
        let trust = m.trust.as_ref().map_or_else(String::new, |t| format!("; trust: {t}"));
        format!("- {} ({}): {}{trust}.\n", m.name, m.year, m.source)
    };
    methods.iter().map(line).collect()
}
