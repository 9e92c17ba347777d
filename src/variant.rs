//! The variants: the four networks of the paper, the controls that judge them, and other networks. Every fact about a
//! variant stands in its constant: what is trained, what it is called and compared with, and how it is drawn. Trainer,
//! tables, tests of differences, figures and `--help` read these values, and no code asks for a variant by name.

use crate::attribute::{COUNT, GROUPS, by_group};
use crate::random;
use crate::untrusted;
use rand::seq::SliceRandom;
use serde::{Deserialize, Deserializer, Serialize};

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

/// Whose variant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A row of the paper's Table 2.
    Paper,
    /// Not in the paper: one of its variants with one thing changed, which shows what the variant owes to that thing.
    Control,
    /// Not in the paper: another net that relates attributes, on the same features.
    Compared,
    /// Not in the paper: another network in place of the forty branches.
    OwnTrunk,
}

impl Kind {
    /// All kinds, in the order of the variants.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Control, Self::Compared, Self::OwnTrunk];

    /// Name of the set of all its variants.
    pub fn set(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Control => "controls",
            Self::Compared => "compared",
            Self::OwnTrunk => "own-trunk",
        }
    }
}

/// How the feature learning net gets its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fln {
    /// Trained with its own loss.
    Trained,
    /// Copied from the trained Baseline and frozen, with running batch-norm statistics. The correlation net takes batches in
    /// another order than Baseline did.
    FrozenBaseline,
}

/// The layers of the feature learning net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// The paper's forty branches with masks on the profile's backbone.
    Branches,
    /// One linear layer to all outputs, from the means of the backbone's last maps.
    Plain,
    /// The same on a ResNet-18 in place of the profile's backbone.
    PlainResnet18,
    /// One layer for all attributes, then one for each group of Table 1 (Han et al. 2018).
    Dmtl,
    /// A convolution and two layers for each of nine groups (Hand and Chellappa 2017).
    Mcnn,
    /// A query an attribute that attends to the positions of the last map (Ridnik et al. 2023).
    MlDecoder,
}

/// The weights of an attribute's two classes in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossWeights {
    /// 1 each.
    Equal,
    /// MOON's for a balanced target (Rudd et al. 2016): 1 for the rarer class of the training labels, and for the other one
    /// the ratio of both, so that each class weighs the same.
    Balanced,
}

/// The nets that the gradient of each loss trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Each loss trains its own net, as in the paper: no gradient of the correlation net reaches the features.
    Separate,
    /// The sum of both losses trains both nets.
    One,
    /// The correlation net's loss trains both nets. The feature learning net's own classifiers keep their initial weights.
    ClnOnly,
}

impl Streams {
    /// True if no gradient of a correlation net reaches the features.
    pub fn are_separate(self) -> bool {
        self == Self::Separate
    }

    /// True if the feature learning net's own classifiers are trained.
    pub fn train_fln_head(self) -> bool {
        self != Self::ClnOnly
    }
}

/// The weights between attributes.
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
    /// The graph of ML-GCN from the training labels, with rows that sum to 1.
    Labels,
    /// How often Baseline is sure or unsure of both attributes of a pair, with rows that sum to 1 (Lu et al. 2017).
    Errors,
}

/// The layout of a node's values before the affinity weighs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeLayout {
    /// Every node keeps its own features, as in the paper's text.
    Own,
    /// The authors' released code (commit 6b099e6) concatenates all nodes and reshapes: with `g` channels a node, value
    /// `[j, position, channel k]` is flat channel `40 k + j` of the 40 nodes side by side. The affinity is unchanged.
    AuthorsCode,
}

/// The size of dot products before their softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Divided by the root of a node's length (Vaswani et al. 2017).
    Root,
    /// Times one trained number, which starts at [`Scale::Root`]'s.
    Temperature,
    /// Cosines of the nodes, times one trained number, which starts at 10.
    Cosine,
}

/// The scores of a published graph attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gat {
    /// Velickovic et al. 2018: the leaky ReLU of a sum of one number of each node.
    First,
    /// Brody et al. 2022: a weighted sum over the leaky ReLU of the nodes' sum.
    Second,
}

/// A correlation net, from features or logits of the feature learning net to logits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    /// The paper's graph attention: an affinity weighs nodes in a layout.
    GraphAttention(Affinity, NodeLayout),
    /// The paper's layer with dot products of another size.
    DotProduct(Scale),
    /// The paper's layer without the weight of an attribute on itself; its own node is classified beside the others' mean.
    Others,
    /// A published graph attention layer on the paper's nodes.
    Gat(Gat),
    /// A transformer encoder of so many layers over one token an attribute.
    Transformer(usize),
    /// One such layer whose tokens say which labels are given, and which (Lanchantin et al. 2021).
    KnownLabels,
    /// MCNN-AUX's layer: 40 x 40 weights from the FLN's scores to new ones (Hand and Chellappa 2017).
    Aux,
    /// Classifiers whose weights are the output of a graph convolution over the labels (Chen et al. 2019).
    MlGcn,
    /// Logistic regression on the backbone's mean features.
    Linear,
}

/// A setting that the accuracy of GAL-j may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    /// The L2 penalty that the paper gives GAL-j and not Baseline.
    WeightDecay,
    /// The two gradient streams, one for the features and one for the correlation net.
    SeparateStreams,
    /// The weights between different attributes.
    Attention,
}

impl Explanation {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 3] = [Self::WeightDecay, Self::SeparateStreams, Self::Attention];
}

/// Colour and dashes of a variant's lines and bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// As SVG spells it, with a contrast of 3:1 at least to a white and to a dark ground.
    pub colour: &'static str,
    /// SVG's `stroke-dasharray`; empty for a solid line.
    pub dashes: &'static str,
}

/// One network that can be trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// Name on the command line and in files.
    pub name: &'static str,
    /// Name in files of an earlier version, which is still read.
    pub former_name: Option<&'static str>,
    /// Name in print.
    pub title: &'static str,
    /// Name in `datasets/published`; `None` if nothing is published about it.
    pub published_name: Option<&'static str>,
    /// The question that training it answers.
    pub question: &'static str,
    /// Whose it is.
    pub kind: Kind,
    /// Names of the variants that it is tested against.
    pub compared_with: &'static [&'static str],
    /// The explanation that a comparison of GAL-j with it tests; `None` if it tests none.
    pub tests: Option<Explanation>,
    /// Its affinity in the words of the ablation table; `None` if it has no row there.
    pub ablation: Option<&'static str>,
    /// How it is drawn.
    pub style: Style,
    /// The layers of the feature learning net. Variants without branches have no correlation net.
    pub layers: Layers,
    /// The weights of both classes in the feature learning net's loss.
    pub loss_weights: LossWeights,
    /// The weights of the feature learning net.
    pub fln: Fln,
    /// The nets that each loss trains.
    pub streams: Streams,
    /// The correlation net; `None` if it has none.
    pub net: Option<Net>,
    /// L2 penalty on weights, unless the profile sets one for all.
    pub weight_decay: f64,
}

/// The paper's network without a correlation net; every other variant is a change to it.
pub const BASELINE: Variant = Variant {
    name: "baseline",
    former_name: None,
    title: "Baseline",
    published_name: Some("GAL Baseline"),
    question: "How far do forty branches get without any correlation net?",
    kind: Kind::Paper,
    compared_with: &[],
    tests: None,
    ablation: Some("no correlation net"),
    style: Style { colour: "#4d4d4d", dashes: "" },
    layers: Layers::Branches,
    loss_weights: LossWeights::Equal,
    fln: Fln::Trained,
    streams: Streams::Separate,
    net: None,
    weight_decay: 0.0005,
};

/// The paper's proposal.
pub const GAL_J: Variant = Variant {
    name: "gal-j",
    title: "GAL-j",
    published_name: Some("GAL-j"),
    question: "What does a correlation net add that is trained beside the features?",
    compared_with: &[BASELINE.name],
    ablation: Some("learned"),
    style: Style { colour: "#d55e00", dashes: "" },
    net: Some(Net::GraphAttention(Affinity::Learned, NodeLayout::Own)),
    weight_decay: 0.001,
    ..BASELINE
};

/// A control that differs from GAL-j in one thing.
const CONTROL: Variant =
    Variant { published_name: None, kind: Kind::Control, compared_with: &[BASELINE.name, GAL_J.name], ..GAL_J };

/// A net of another publication, trained like GAL-j's.
const COMPARED: Variant = Variant { kind: Kind::Compared, ablation: None, ..CONTROL };

/// A network with other layers than the paper's branches, trained like Baseline.
const OWN_TRUNK: Variant =
    Variant { published_name: None, kind: Kind::OwnTrunk, compared_with: &[BASELINE.name], ablation: None, ..BASELINE };

/// The paper's variants in its order, then the controls, the compared ones, and those with other layers. Colours are Okabe
/// and Ito's (2008), darkened where a white ground needs it; dashes distinguish lines without colour vision.
pub const VARIANTS: [Variant; 32] = [
    BASELINE,
    Variant {
        name: "gal-c",
        title: "GAL-c",
        published_name: Some("GAL-c"),
        question: "What does a correlation net add to features that were trained without it?",
        ablation: None,
        style: Style { colour: "#0072b2", dashes: "7 3" },
        fln: Fln::FrozenBaseline,
        ..GAL_J
    },
    GAL_J,
    Variant {
        name: "gal-p",
        title: "GAL-p",
        published_name: Some("GAL-p"),
        question: "Do correlations known in advance do as well as learned ones?",
        compared_with: &[BASELINE.name, GAL_J.name],
        ablation: Some("groups of Table 1"),
        style: Style { colour: "#009e73", dashes: "2 2" },
        net: Some(Net::GraphAttention(Affinity::Groups, NodeLayout::Own)),
        ..GAL_J
    },
    Variant {
        name: "identity",
        title: "Identity",
        question: "How much comes from a second classifier on each attribute's own features?",
        tests: Some(Explanation::Attention),
        ablation: Some("each attribute with itself only"),
        style: Style { colour: "#1598ba", dashes: "9 3 2 3" },
        net: Some(Net::GraphAttention(Affinity::Identity, NodeLayout::Own)),
        ..CONTROL
    },
    Variant {
        name: "uniform",
        title: "Uniform",
        question: "Does it matter which attributes are linked?",
        ablation: Some("each attribute with all, equal weights"),
        style: Style { colour: "#c2548f", dashes: "12 3" },
        net: Some(Net::GraphAttention(Affinity::Uniform, NodeLayout::Own)),
        ..CONTROL
    },
    Variant {
        name: "random-groups",
        former_name: Some("shuffled"),
        title: "Random groups",
        question: "Do Table 1's groups do better than random groups?",
        ablation: Some("random groups of Table 1's sizes"),
        style: Style { colour: "#7f7200", dashes: "4 2" },
        net: Some(Net::GraphAttention(Affinity::RandomGroups, NodeLayout::Own)),
        ..CONTROL
    },
    Variant {
        name: "authors-layout",
        former_name: Some("scrambled"),
        title: "Authors' layout",
        question: "What does the node layout of the authors' released code do?",
        ablation: Some("learned; node layout of the authors' released code"),
        style: Style { colour: "#8a5cf0", dashes: "2 2 8 2" },
        net: Some(Net::GraphAttention(Affinity::Learned, NodeLayout::AuthorsCode)),
        ..CONTROL
    },
    Variant {
        name: "one-stream",
        title: "One stream",
        question: "Do two separate gradient streams do better than one?",
        tests: Some(Explanation::SeparateStreams),
        ablation: Some("learned; both losses train both nets"),
        style: Style { colour: "#d1403f", dashes: "6 2 2 2" },
        streams: Streams::One,
        ..CONTROL
    },
    Variant {
        name: "cln-only",
        title: "CLN only",
        question: "Do the features need a loss of their own?",
        tests: Some(Explanation::SeparateStreams),
        ablation: Some("learned; its loss alone trains both nets"),
        style: Style { colour: "#a0642f", dashes: "3 3 9 3" },
        streams: Streams::ClnOnly,
        ..CONTROL
    },
    Variant {
        name: "baseline-decay",
        title: "Baseline (decay 0.001)",
        question: "How much of GAL-j's gain comes from its weight decay?",
        kind: Kind::Control,
        published_name: None,
        compared_with: CONTROL.compared_with,
        tests: Some(Explanation::WeightDecay),
        ablation: Some("no correlation net; weight decay of GAL-j"),
        style: Style { colour: "#7b7f86", dashes: "5 5" },
        weight_decay: GAL_J.weight_decay,
        ..BASELINE
    },
    Variant {
        name: "aux",
        title: "AUX",
        question: "Does a 40 x 40 matrix on the FLN's scores do as well as graph attention?",
        style: Style { colour: "#b5651d", dashes: "8 2" },
        net: Some(Net::Aux),
        ..COMPARED
    },
    Variant {
        name: "aux-frozen",
        title: "AUX-frozen",
        question: "What does that matrix add to a network that was trained without it?",
        style: Style { colour: "#6a8f00", dashes: "8 2 2 2" },
        fln: Fln::FrozenBaseline,
        net: Some(Net::Aux),
        ..COMPARED
    },
    Variant {
        name: "linear",
        title: "Linear",
        question: "How far does logistic regression on the backbone's mean features get?",
        style: Style { colour: "#8a7f5c", dashes: "1 2" },
        fln: Fln::FrozenBaseline,
        net: Some(Net::Linear),
        ..COMPARED
    },
    Variant {
        name: "gal-scaled",
        title: "GAL-scaled",
        question: "Does graph attention help if its dot products are divided by the root of a node's length?",
        style: Style { colour: "#c0504d", dashes: "10 2" },
        net: Some(Net::DotProduct(Scale::Root)),
        ..COMPARED
    },
    Variant {
        name: "gal-temperature",
        title: "GAL-temperature",
        question: "Does graph attention help if training decides the size of its dot products?",
        style: Style { colour: "#9a6fb0", dashes: "10 2 2 2" },
        net: Some(Net::DotProduct(Scale::Temperature)),
        ..COMPARED
    },
    Variant {
        name: "gal-cosine",
        title: "GAL-cosine",
        question: "Does graph attention help on nodes of length 1?",
        style: Style { colour: "#2e8b57", dashes: "10 2 4 2" },
        net: Some(Net::DotProduct(Scale::Cosine)),
        ..COMPARED
    },
    Variant {
        name: "gal-others",
        title: "GAL-others",
        question: "What do the other attributes add, if no attribute attends to itself?",
        style: Style { colour: "#b07d00", dashes: "4 4" },
        net: Some(Net::Others),
        ..COMPARED
    },
    Variant {
        name: "gat",
        title: "GAT",
        question: "Does the graph attention layer of Velickovic et al. (2018) help?",
        style: Style { colour: "#00857c", dashes: "6 3" },
        net: Some(Net::Gat(Gat::First)),
        ..COMPARED
    },
    Variant {
        name: "gatv2",
        title: "GATv2",
        question: "Does the graph attention layer of Brody et al. (2022) help?",
        style: Style { colour: "#3c6fd6", dashes: "6 3 2 3" },
        net: Some(Net::Gat(Gat::Second)),
        ..COMPARED
    },
    Variant {
        name: "transformer",
        title: "Transformer",
        question: "Does a transformer layer over 40 attribute tokens help?",
        style: Style { colour: "#5b6ee1", dashes: "12 2" },
        net: Some(Net::Transformer(1)),
        ..COMPARED
    },
    Variant {
        name: "transformer-2",
        title: "Transformer-2",
        question: "Do two transformer layers do better than one?",
        style: Style { colour: "#8064a2", dashes: "12 2 2 2" },
        net: Some(Net::Transformer(2)),
        ..COMPARED
    },
    Variant {
        name: "transformer-known",
        title: "Transformer-known",
        question: "Does a transformer learn more from some labels given in training?",
        compared_with: &[BASELINE.name, GAL_J.name, "transformer"],
        style: Style { colour: "#9c5bb5", dashes: "12 2 4 2" },
        net: Some(Net::KnownLabels),
        ..COMPARED
    },
    Variant {
        name: "gal-s",
        title: "GAL-s",
        question: "Do label statistics make a better graph than hand-made groups?",
        style: Style { colour: "#d2527f", dashes: "3 2" },
        net: Some(Net::GraphAttention(Affinity::Labels, NodeLayout::Own)),
        ..COMPARED
    },
    Variant {
        name: "ml-gcn",
        title: "ML-GCN",
        question: "Do classifiers from a graph convolution over the labels help?",
        style: Style { colour: "#4a8db7", dashes: "3 2 6 2" },
        net: Some(Net::MlGcn),
        ..COMPARED
    },
    Variant {
        name: "gal-e",
        title: "GAL-e",
        question: "Do common errors of Baseline make a better graph than hand-made groups?",
        style: Style { colour: "#a8743c", dashes: "3 2 3 6" },
        fln: Fln::FrozenBaseline,
        net: Some(Net::GraphAttention(Affinity::Errors, NodeLayout::Own)),
        ..COMPARED
    },
    Variant {
        name: "resnet18",
        title: "ResNet-18",
        question: "How far does a plain ResNet-18 with 40 outputs get?",
        style: Style { colour: "#5f8f3f", dashes: "5 1" },
        layers: Layers::PlainResnet18,
        ..OWN_TRUNK
    },
    Variant {
        name: "moon",
        title: "MOON",
        question: "What do loss weights that balance both classes of an attribute cost in accuracy?",
        compared_with: &[BASELINE.name, "moon-unbalanced"],
        style: Style { colour: "#7a6fc8", dashes: "5 1 1 1" },
        layers: Layers::Plain,
        loss_weights: LossWeights::Balanced,
        ..OWN_TRUNK
    },
    Variant {
        name: "moon-unbalanced",
        title: "MOON-unbalanced",
        question: "How far do 40 outputs without branches get on the same backbone?",
        style: Style { colour: "#6478a0", dashes: "5 1 1 1 1 1" },
        layers: Layers::Plain,
        ..OWN_TRUNK
    },
    Variant {
        name: "dmtl",
        title: "DMTL",
        question: "Do layers for groups of attributes do as well as branches?",
        style: Style { colour: "#3f8f8a", dashes: "5 1 9 1" },
        layers: Layers::Dmtl,
        ..OWN_TRUNK
    },
    Variant {
        name: "mcnn",
        title: "MCNN",
        question: "Do convolutions for groups of attributes do as well as branches?",
        style: Style { colour: "#b0609f", dashes: "5 1 9 1 1 1" },
        layers: Layers::Mcnn,
        ..OWN_TRUNK
    },
    Variant {
        name: "ml-decoder",
        title: "ML-Decoder",
        question: "Does attention to positions of the map do as well as branches?",
        style: Style { colour: "#8c6a2f", dashes: "5 1 5 1 9 1" },
        layers: Layers::MlDecoder,
        ..OWN_TRUNK
    },
];

impl Variant {
    /// This program's variant called `name`, by its name of today or its former one.
    pub fn named(name: &str) -> Option<Self> {
        REGISTRY.find(name).copied()
    }

    /// Its name, then its former one.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.former_name)
    }

    /// The head that the variant is scored by: the CLN's if it has one, else the FLN's.
    pub fn primary_head(&self) -> Head {
        if self.net.is_some() { Head::Cln } else { Head::Fln }
    }

    /// True if its correlation net takes labels that are given.
    pub fn takes_known_labels(&self) -> bool {
        self.net == Some(Net::KnownLabels)
    }

    /// True if its graph comes from Baseline's errors.
    pub fn takes_errors(&self) -> bool {
        matches!(self.net, Some(Net::GraphAttention(Affinity::Errors, _)))
    }

    /// True if its FLN's own classifiers are trained.
    pub fn has_fln_head(&self) -> bool {
        self.streams.train_fln_head()
    }

    /// True if training decides its affinity.
    pub fn learns_affinity(&self) -> bool {
        matches!(self.net, Some(Net::GraphAttention(Affinity::Learned, _)))
    }
}

/// The variants of this program.
pub const REGISTRY: Registry = Registry(&VARIANTS);

/// Variants in order. The variant of a newer program's run may be missing: it is shown by its name, after all others, and
/// compared with Baseline.
#[derive(Debug, Clone, Copy)]
pub struct Registry(pub &'static [Variant]);

impl Registry {
    /// The variant called `name`, today or formerly.
    pub fn find(self, name: &str) -> Option<&'static Variant> {
        self.0.iter().find(|variant| variant.names().any(|known| known == name))
    }

    /// The names under which files of the variant called `name` may be: that of today, then a former one.
    pub fn names(self, name: &str) -> Vec<&str> {
        self.find(name).map_or_else(|| vec![name], |variant| variant.names().collect())
    }

    /// The name of today for a name that may be a former one.
    pub fn current_name(self, name: &str) -> &str {
        self.find(name).map_or(name, |variant| variant.name)
    }

    /// Its name in print.
    pub fn title(self, name: &str) -> &str {
        self.find(name).map_or(name, |variant| variant.title)
    }

    /// Position in the order of variants.
    pub fn rank(self, name: &str) -> usize {
        self.0.iter().position(|variant| variant.name == name).unwrap_or(self.0.len())
    }

    /// How it is drawn.
    pub fn style(self, name: &str) -> Style {
        self.find(name).map_or(Style { colour: "#6e7781", dashes: "1 3" }, |variant| variant.style)
    }

    /// The variants and sets called `names`, or the paper's without any name; with `controls` all controls, too.
    pub fn select(self, names: &[String], controls: bool) -> Vec<Variant> {
        let wanted = |variant: &&Variant| match variant.kind {
            Kind::Control if controls => true,
            Kind::Paper if names.is_empty() => true,
            kind => names.iter().any(|name| name == kind.set() || variant.names().any(|known| known == name)),
        };
        self.0.iter().filter(wanted).copied().collect()
    }

    /// The tests of differences among the variants called `names`, as (variant, reference).
    pub fn comparisons<'a>(self, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        let mut references: Vec<&str> = names.to_vec();
        references.sort_by_key(|name| self.rank(name));
        let tested = |name: &str, reference: &str| match self.find(name) {
            Some(variant) => variant.compared_with.contains(&reference),
            None => reference == BASELINE.name,
        };
        let against =
            |reference| names.iter().filter(move |name| tested(name, reference)).map(move |name| (*name, reference));
        references.into_iter().flat_map(against).collect()
    }
}

/// Deserializes a variant's name, a former one as that of today.
pub fn deserialize_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = untrusted::deserialize_name(deserializer)?;
    Ok(REGISTRY.current_name(&name).to_owned())
}

impl Affinity {
    /// The weights between attributes that neither training nor its data decide, `[row * 40 + column]` with rows that sum to 1;
    /// `seed` is the run's.
    pub fn fixed(self, seed: u64) -> Option<Vec<f32>> {
        let mut attributes: Vec<usize> = (0..COUNT).collect();
        match self {
            Self::Learned | Self::Labels | Self::Errors => return None,
            Self::Identity => return Some(linked(&attributes.chunks(1).collect::<Vec<_>>())),
            Self::Uniform => return Some(linked(&[&attributes])),
            Self::Groups => attributes = by_group().into_iter().map(|(attribute, _)| attribute).collect(),
            Self::RandomGroups => {
                attributes.shuffle(&mut random::generator(seed, &[random::name("shuffled-affinity")]));
            }
        }
        let mut rest = attributes.as_slice();
        let cut = GROUPS.iter().map(|group| rest.split_off(..group.members.len()).unwrap_or_default());
        Some(linked(&cut.collect::<Vec<_>>()))
    }
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
    use std::collections::BTreeSet;

    #[test]
    fn every_fixed_affinity_has_rows_that_sum_to_one() {
        for affinity in [Affinity::Groups, Affinity::Identity, Affinity::Uniform, Affinity::RandomGroups] {
            for row in affinity.fixed(3).unwrap().chunks(COUNT) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{affinity:?}");
            }
        }
    }

    #[test]
    fn random_groups_keep_their_sizes_and_change_with_the_seed() {
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

    #[test]
    fn names_titles_and_styles_are_unique() {
        let distinct = |of: fn(&Variant) -> String| VARIANTS.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(VARIANTS.iter().flat_map(Variant::names).collect::<BTreeSet<_>>().len(), 34);
        assert_eq!(distinct(|variant| variant.title.to_owned()), VARIANTS.len());
        assert_eq!(distinct(|variant| variant.style.colour.to_owned()), VARIANTS.len());
    }

    #[test]
    fn every_control_is_tested_against_gal_j_and_baseline_and_has_a_row_in_the_ablation() {
        for control in REGISTRY.select(&["gal-j".to_owned()], true).into_iter().skip(1) {
            assert_eq!(control.kind, Kind::Control);
            assert_eq!(control.compared_with, [BASELINE.name, GAL_J.name], "{}", control.name);
            assert!(control.ablation.is_some(), "{}", control.name);
        }
    }

    #[test]
    fn a_selection_is_in_order_whatever_the_names() {
        let names = |names: &[&str], controls| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            REGISTRY.select(&names, controls).iter().map(|variant| variant.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[], false), ["baseline", "gal-c", "gal-j", "gal-p"]);
        assert_eq!(names(&["shuffled", "baseline", "random-groups"], false), ["baseline", "random-groups"]);
        let affinities = ["gal-j", "identity", "uniform", "random-groups", "authors-layout"];
        let training = ["one-stream", "cln-only", "baseline-decay"];
        assert_eq!(names(&["gal-j"], true), [&affinities[..], &training].concat());
    }

    #[test]
    fn every_variant_is_compared_with_baseline_and_other_affinities_with_the_learned_one() {
        let found = REGISTRY.comparisons(&["baseline", "gal-c", "gal-j", "gal-p", "uniform", "newer"]);
        let with_baseline = ["gal-c", "gal-j", "gal-p", "uniform", "newer"].map(|variant| (variant, "baseline"));
        assert_eq!(found[..5], with_baseline);
        assert_eq!(found[5..], [("gal-p", "gal-j"), ("uniform", "gal-j")]);
        assert_eq!(REGISTRY.comparisons(&["gal-c", "gal-j"]), []);
    }

    #[test]
    fn a_former_name_is_read_as_that_of_today() {
        let read = |name: &str| deserialize_name(serde_json::Value::from(name)).unwrap();
        assert_eq!(
            ["shuffled", "scrambled", "gal-j", "newer"].map(read),
            ["random-groups", "authors-layout", "gal-j", "newer"]
        );
    }
}
