//! Columns of published accuracies, and notes on their sources.

use super::super::published::{self, Floor, Method, Protocol};
use crate::attribute::{COUNT, NAMES};
use crate::render::format::{cell, points};
use crate::render::markdown::{Table, bold};

/// Methods of the paper's Table 4, and those with published accuracies by attribute on LFWA.
const CELEBA_METHODS: [&str; 4] = ["MCNN-AUX", "DMTL", "AFFACT", "GAL-j"];
/// ResNet-18 on 16,277 training images, from random and from imported weights.
pub(super) const FEW_IMAGES: [&str; 2] = ["ResNet-18 on a tenth", "ResNet-18 on a tenth, ImageNet"];
const LFWA_METHODS: [&str; 2] = ["LNets+ANet", "MCNN-AUX"];

/// The columns of Table 4 on one data set, the floor first.
pub(super) struct PublishedColumns {
    protocol: Protocol,
    floor: Floor,
    methods: Vec<Method>,
}

impl PublishedColumns {
    pub(super) fn new(protocol: Protocol) -> Self {
        let names: &[&str] = match protocol {
            Protocol::Celeba => &CELEBA_METHODS,
            Protocol::Lfwa => &LFWA_METHODS,
        };
        Self { protocol, floor: published::floor(protocol), methods: methods(protocol, names) }
    }

    fn header(&self) -> Vec<String> {
        let of = self.protocol.label();
        let mut header = vec![format!("Floor, {of} official test")];
        header.extend(self.methods.iter().map(|m| format!("{}, {of} published", m.name)));
        header
    }

    /// The cells of attribute `i`.
    fn cells(&self, i: usize) -> Vec<String> {
        let mut cells = vec![cell(Some(self.floor.accuracies[i]), 2)];
        cells.extend(self.methods.iter().map(|method| {
            let text = cell(method.accuracies.map(|a| a[i]), 2);
            if not_credible(method, i) { format!("{text} (not credible)") } else { text }
        }));
        cells
    }

    /// The means over the attributes.
    fn means(&self) -> Vec<String> {
        let mut cells = vec![bold(cell(Some(self.floor.mean()), 2))];
        cells.extend(self.methods.iter().map(|m| bold(cell(m.recomputed(), 2))));
        cells
    }

    /// The rows after the means: the average that the source prints, and the gain of the mean over the floor.
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
    pub(super) fn table(&self) -> Table {
        let labelled = |label: &str, cells: Vec<String>| std::iter::once(label.to_owned()).chain(cells);
        let mut table = Table::new(1, labelled("Attribute", self.header()));
        for (i, name) in NAMES.iter().enumerate() {
            table.row(labelled(&format!("`{name}`"), self.cells(i)));
        }
        table.row(labelled("**Mean of 40**", self.means()));
        for (label, cells) in self.footer() {
            table.row(labelled(label, cells));
        }
        table
    }

    pub(super) fn notes(&self) -> String {
        let mut notes = sources(&self.methods);
        if self.protocol == Protocol::Celeba {
            notes += &few_images();
        }
        notes += &averages(&self.methods);
        for method in &self.methods {
            for i in (0..COUNT).filter(|&i| not_credible(method, i)) {
                notes += &format!(
                    "- {}'s {:.0} for `{}` is not credible. It is in the paper alone, where the column was identified by \
                     elimination; the majority class reaches {:.1}, and the other columns are far lower. With the floor \
                     in its place, the column's mean is {:.2} lower.\n",
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

/// Published results with a tenth of CelebA's training images, in a sentence.
fn few_images() -> String {
    let [random, imagenet] = FEW_IMAGES.map(|name| published::method(Protocol::Celeba, name));
    let (Some(random), Some(imagenet)) = (random, imagenet) else { return String::new() };
    let means = [&random, &imagenet].map(|method| cell(method.recomputed(), 2));
    format!(
        "- Few training images at full size: ResNet-18, trained on 16,277 images of CelebA, reaches {} % from random weights \
         and {} % from ImageNet weights.\n{}",
        means[0],
        means[1],
        sources(&[random, imagenet])
    )
}

/// The one published figure known not to be credible: DMTL's 96 for `Big_Lips` on CelebA.
fn not_credible(method: &Method, i: usize) -> bool {
    method.name == "DMTL" && NAMES[i] == "Big_Lips"
}

/// The methods called `names`.
pub(super) fn methods(protocol: Protocol, names: &[&str]) -> Vec<Method> {
    names.iter().filter_map(|name| published::method(protocol, name)).collect()
}

/// Lines on whether the printed averages equal the means of their columns.
pub(super) fn averages(methods: &[Method]) -> String {
    let (mut agree, mut differ) = (Vec::new(), Vec::new());
    for method in methods {
        let (Some(printed), Some(mean)) = (method.printed, method.recomputed()) else { continue };
        let text = format!("{} ({printed}, recomputed {mean:.4})", method.name);
        if method.average_agrees() { agree.push(text) } else { differ.push(text) }
    }
    let line = |words: &str, named: Vec<String>| {
        if named.is_empty() { String::new() } else { format!("- {words}: {}.\n", named.join(", ")) }
    };
    line("The printed average is the mean of the column, to its last digit", agree)
        + &line("The printed average is not the mean of the column", differ)
}

/// A line a method: the source of its accuracies and the grade of that source.
pub(super) fn sources(methods: &[Method]) -> String {
    let line = |m: &Method| {
        let grade = m.source_grade.as_ref().map_or_else(String::new, |grade| format!("; source grade: {grade}"));
        format!("- {} ({}): {}{grade}.\n", m.name, m.year, m.source)
    };
    methods.iter().map(line).collect()
}
