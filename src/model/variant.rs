//! The four variants of the paper, and nothing but their differences. Every variant is a change to [`BASELINE`]; the
//! constructors of network, loss and optimizer read these values, and no code asks for a variant by name.

use crate::attribute::{COUNT, GROUPS, NAMES};

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
}

/// One row of the paper's Table 2.
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
    /// L2 penalty on weights, unless the profile sets one for all.
    pub weight_decay: f64,
}

const BASELINE: Variant = Variant {
    name: "baseline",
    title: "Baseline",
    question: "How far do forty branches get without any correlation net?",
    fln: Fln::Trained,
    affinity: None,
    weight_decay: 0.0005,
};

/// All variants, in the paper's order.
pub const VARIANTS: [Variant; 4] = [
    BASELINE,
    Variant {
        name: "gal-c",
        title: "GAL-c",
        question: "What does a correlation net add to features that never knew of it?",
        fln: Fln::FrozenBaseline,
        affinity: Some(Affinity::Learned),
        weight_decay: 0.001,
    },
    Variant {
        name: "gal-j",
        title: "GAL-j",
        question: "What does it add when it is trained beside the features?",
        affinity: Some(Affinity::Learned),
        weight_decay: 0.001,
        ..BASELINE
    },
    Variant {
        name: "gal-p",
        title: "GAL-p",
        question: "Do correlations known in advance do as well as learned ones?",
        affinity: Some(Affinity::Groups),
        weight_decay: 0.001,
        ..BASELINE
    },
];

impl Variant {
    /// The variant called `name` on the command line.
    pub fn named(name: &str) -> Option<Self> {
        VARIANTS.into_iter().find(|variant| variant.name == name)
    }
}

/// Table 1 as edges: `[row * 40 + column]`, 1/n within a group of n.
pub fn group_prior() -> Vec<f32> {
    let mut edges = vec![0.0; COUNT * COUNT];
    for group in GROUPS {
        let members: Vec<usize> = (0..COUNT).filter(|attribute| group.members.contains(&NAMES[*attribute])).collect();
        for &row in &members {
            for &column in &members {
                edges[row * COUNT + column] = 1.0 / members.len() as f32;
            }
        }
    }
    edges
}
