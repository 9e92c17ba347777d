//! The four variants of the paper and the controls that judge them, and nothing but their differences. Every variant is
//! a change to [`BASELINE`]; the constructors of network, loss and optimizer read these values, and no code asks for a
//! variant by name.

use crate::attribute::{COUNT, GROUPS, NAMES};
use crate::random;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// The two classifiers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// The feature learning network's own heads.
    Fln,
    /// The heads of the correlation learning network.
    Cln,
}

impl Head {
    /// Name as the paper writes it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fln => "FLN",
            Self::Cln => "CLN",
        }
    }
}

/// How the feature learning net comes by its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fln {
    /// Trained with its own loss.
    Trained,
    /// Taken from the trained Baseline and frozen, with running batch-norm statistics.
    FrozenBaseline,
}

/// Where the weights between attributes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Softmax of the nodes' dot products.
    Learned,
    /// Attributes of one group of Table 1 adjacent with equal weight, themselves included, so that each row sums to 1.
    Groups,
    /// Every attribute with itself alone.
    Identity,
    /// Every attribute with all, 1/40 each.
    Uniform,
    /// Groups of Table 1's sizes with members drawn by the run's seed.
    RandomGroups,
}

/// How a node's values are laid out before the affinity weighs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeLayout {
    /// Every node keeps its own features, as the paper's text has it.
    Own,
    /// The authors' released code (commit 6b099e6) joins all nodes and cuts them anew: of `g` channels a node, value
    /// `[j, position, channel k]` is flat channel `40 k + j` of the 40 nodes side by side. The affinity is not touched.
    AuthorsCode,
}

/// One network that can be trained: a row of the paper's Table 2, or a control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// As the command line spells it.
    pub name: &'static str,
    /// As the paper prints it.
    pub title: &'static str,
    /// The question that training it answers.
    pub question: &'static str,
    /// The feature learning net.
    pub fln: Fln,
    /// The correlation net's edges, where it has one.
    pub affinity: Option<Affinity>,
    /// What the edges weigh.
    pub nodes: NodeLayout,
    /// Whether it is ours and not the paper's: it shows what the correlation net owes to its edges.
    pub control: bool,
    /// L2 penalty on weights, unless the profile sets one for all.
    pub weight_decay: f64,
}

const BASELINE: Variant = Variant {
    name: "baseline",
    title: "Baseline",
    question: "How far do forty branches get without any correlation net?",
    fln: Fln::Trained,
    affinity: None,
    nodes: NodeLayout::Own,
    control: false,
    weight_decay: 0.0005,
};

/// A control differs from this in one thing.
const GAL_J: Variant = Variant {
    name: "gal-j",
    title: "GAL-j",
    question: "What does it add when it is trained beside the features?",
    affinity: Some(Affinity::Learned),
    weight_decay: 0.001,
    ..BASELINE
};

/// The paper's variants in its order, then the controls.
pub const VARIANTS: [Variant; 8] = [
    BASELINE,
    Variant {
        name: "gal-c",
        title: "GAL-c",
        question: "What does a correlation net add to features that never knew of it?",
        fln: Fln::FrozenBaseline,
        affinity: Some(Affinity::Learned),
        weight_decay: 0.001,
        ..BASELINE
    },
    GAL_J,
    Variant {
        name: "gal-p",
        title: "GAL-p",
        question: "Do correlations known in advance do as well as learned ones?",
        affinity: Some(Affinity::Groups),
        ..GAL_J
    },
    Variant {
        name: "identity",
        title: "Identity",
        question: "How much of it is a second classifier on each attribute's own features?",
        affinity: Some(Affinity::Identity),
        control: true,
        ..GAL_J
    },
    Variant {
        name: "uniform",
        title: "Uniform",
        question: "Does it matter at all which attributes are linked?",
        affinity: Some(Affinity::Uniform),
        control: true,
        ..GAL_J
    },
    Variant {
        name: "shuffled",
        title: "Shuffled",
        question: "Do Table 1's groups do better than groups drawn by lot?",
        affinity: Some(Affinity::RandomGroups),
        control: true,
        ..GAL_J
    },
    Variant {
        name: "scrambled",
        title: "Scrambled",
        question: "What does the node layout of the authors' released code do?",
        nodes: NodeLayout::AuthorsCode,
        control: true,
        ..GAL_J
    },
];

impl Affinity {
    /// The weights between attributes that are known before training, `[row * 40 + column]` with rows that sum to 1;
    /// `seed` is the run's.
    pub fn fixed(self, seed: u64) -> Option<Vec<f32>> {
        let mut attributes: Vec<usize> = (0..COUNT).collect();
        match self {
            Self::Learned => return None,
            Self::Identity => return Some(linked(&attributes.chunks(1).collect::<Vec<_>>())),
            Self::Uniform => return Some(linked(&[&attributes])),
            Self::Groups => attributes = attributes_by_group(),
            Self::RandomGroups => {
                attributes.shuffle(&mut random::generator(seed, &[random::name("shuffled-affinity")]));
            }
        }
        let mut rest = attributes.as_slice();
        let cut = GROUPS.iter().map(|group| rest.split_off(..group.members.len()).unwrap_or_default());
        Some(linked(&cut.collect::<Vec<_>>()))
    }
}

impl Variant {
    /// The variant called `name` on the command line.
    pub fn named(name: &str) -> Option<Self> {
        VARIANTS.into_iter().find(|variant| variant.name == name)
    }

    /// The head that the variant is scored by: the CLN's if it has one, else the FLN's.
    pub fn primary_head(&self) -> Head {
        if self.affinity.is_some() { Head::Cln } else { Head::Fln }
    }
}

/// All attributes, those of one group of Table 1 after those of the other.
fn attributes_by_group() -> Vec<usize> {
    let place = |name: &&str| NAMES.iter().position(|known| known == name).unwrap_or_default();
    GROUPS.iter().flat_map(|group| group.members.iter().map(place)).collect()
}

/// Edges of 1/n within each group of n, none between groups.
fn linked(groups: &[&[usize]]) -> Vec<f32> {
    let mut edges = vec![0.0; COUNT * COUNT];
    for members in groups {
        for (row, column) in members.iter().flat_map(|row| members.iter().map(move |column| (row, column))) {
            edges[row * COUNT + column] = 1.0 / members.len() as f32;
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_affinity_has_rows_that_sum_to_one() {
        for affinity in [Affinity::Groups, Affinity::Identity, Affinity::Uniform, Affinity::RandomGroups] {
            for row in affinity.fixed(3).unwrap().chunks(COUNT) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{affinity:?}");
            }
        }
    }

    #[test]
    fn shuffled_groups_keep_their_sizes_and_change_with_the_seed() {
        let degrees = |edges: &[f32]| {
            let mut found: Vec<usize> =
                edges.chunks(COUNT).map(|row| row.iter().filter(|weight| **weight > 0.0).count()).collect();
            found.sort_unstable();
            found
        };
        let (groups, shuffled) = (Affinity::Groups.fixed(0).unwrap(), Affinity::RandomGroups.fixed(0).unwrap());
        assert_eq!(degrees(&groups), degrees(&shuffled));
        assert_ne!(groups, shuffled);
        assert_ne!(shuffled, Affinity::RandomGroups.fixed(1).unwrap());
    }
}
