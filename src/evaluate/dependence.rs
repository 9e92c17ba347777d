//! How attributes depend on each other, in the test labels, in the predictions of each run, and in its affinity.

use super::masks::{Maps, Masks};
use super::predictions::Predictions;
use super::run_files::Affinity;
use crate::config::RunSummary;
use crate::error::Result;
use crate::metrics::affinity::AffinityConcentration;
use crate::metrics::labels::{CONTRADICTIONS, Labels};
use crate::metrics::mantel::MantelTest;
use crate::metrics::phi::{self, AttributeMatrix, PhiGap};
use crate::metrics::reliability::{Bin, bins};
use crate::synthetic;
use serde::{Deserialize, Serialize};

/// Seed of the permutations behind every p-value.
const SEED: u64 = 0;

/// Counts of one run's predictions, small enough to keep for every run.
pub struct DependenceStats {
    labels: Labels,
    predictions: Labels,
    reliability: Vec<Bin>,
    masks: Option<Maps>,
}

impl DependenceStats {
    /// Counts the labels and the predictions of the primary head.
    pub fn new(predictions: &Predictions, masks: Option<&Masks>) -> Self {
        let (_, probabilities) = predictions.primary_head();
        let labels = &predictions.labels;
        let known = labels.iter().zip(probabilities).filter_map(|(label, p)| Some(((*label)?, *p)));
        Self {
            labels: Labels::of_images(labels),
            predictions: Labels::predicted(labels, probabilities),
            reliability: bins(known).to_vec(),
            masks: masks.map(|masks| masks.mean.clone()),
        }
    }
}

/// Measures of one run; an undefined one is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DependenceMeasures {
    /// The run's variant.
    #[serde(deserialize_with = "crate::variant::deserialize_name")]
    pub variant: String,
    /// The run's seed.
    pub seed: u64,
    /// Mean weight of an attribute on itself.
    pub diagonal: Option<f64>,
    /// Mean entropy of an affinity's row in nats.
    pub entropy: Option<f64>,
    /// Number of equal weights with that entropy.
    pub neighbours: Option<f64>,
    /// Rank correlation of the affinity with |phi| of the test labels.
    pub rho_strength: Option<f64>,
    /// Mantel's p-value of `rho_strength`.
    pub p_strength: Option<f64>,
    /// Rank correlation of the affinity with phi, in which opposites rank lowest.
    pub rho_phi: Option<f64>,
    /// Mantel's p-value of `rho_phi`.
    pub p_phi: Option<f64>,
    /// Rank correlation of the affinity with the absolute latent correlation of synthetic labels.
    pub rho_truth_strength: Option<f64>,
    /// Mantel's p-value of `rho_truth_strength`.
    pub p_truth_strength: Option<f64>,
    /// Rank correlation of the affinity with the latent correlation of synthetic labels.
    pub rho_truth: Option<f64>,
    /// Mantel's p-value of `rho_truth`.
    pub p_truth: Option<f64>,
    /// Number of pairs of attributes with a phi of labels and of predictions.
    pub pairs: usize,
    /// Mean absolute difference of the two over these pairs.
    pub phi_difference: Option<f64>,
    /// Pearson's correlation of the two.
    pub phi_correlation: Option<f64>,
    /// Mean |phi| of the labels.
    pub phi_labels: Option<f64>,
    /// Mean |phi| of the predictions.
    #[serde(alias = "phi_answers")]
    pub phi_predictions: Option<f64>,
}

impl DependenceMeasures {
    fn new(
        run: &RunSummary,
        affinity: Option<&Affinity>,
        labels: &AttributeMatrix,
        gap: Option<PhiGap>,
    ) -> Result<Self> {
        let mut measures = Self {
            variant: run.variant.clone(),
            seed: run.seed,
            pairs: gap.map_or(0, |gap| gap.pairs),
            phi_difference: gap.map(|gap| gap.difference),
            phi_correlation: gap.and_then(|gap| gap.correlation),
            phi_labels: gap.map(|gap| gap.labels),
            phi_predictions: gap.map(|gap| gap.predictions),
            ..Self::default()
        };
        let Some(affinity) = affinity else { return Ok(measures) };
        let concentration = AffinityConcentration::of(affinity);
        measures.diagonal = Some(concentration.diagonal);
        measures.entropy = Some(concentration.entropy);
        measures.neighbours = Some(concentration.neighbours());
        let against =
            |matrix: &AttributeMatrix| MantelTest::of(affinity, matrix, SEED).map(|test| (test.rho, test.p)).unzip();
        (measures.rho_strength, measures.p_strength) = against(&phi::absolute(labels));
        (measures.rho_phi, measures.p_phi) = against(labels);
        if run.dataset == "synthetic" {
            let truth = synthetic::latent_correlation()?;
            (measures.rho_truth_strength, measures.p_truth_strength) = against(&phi::absolute(&truth));
            (measures.rho_truth, measures.p_truth) = against(&truth);
        }
        Ok(measures)
    }

    /// Name of the run in a table with a column a run.
    pub fn column(&self) -> String {
        format!("{}-seed{}", self.variant, self.seed)
    }
}

/// Dependence in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDependence {
    /// Its measures.
    pub measures: DependenceMeasures,
    /// Phi of the predictions.
    pub phi: AttributeMatrix,
    /// Number of images with contradictory predictions, for each of [`CONTRADICTIONS`].
    pub contradictions: Vec<usize>,
    /// Reliability diagram of the primary head over all attributes.
    pub reliability: Vec<Bin>,
    /// The mean masks, `[40][side * side]`, if the run wrote them.
    pub masks: Option<Maps>,
}

/// Dependence in the test labels and in every run.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlations {
    /// Phi of the test labels.
    pub labels: AttributeMatrix,
    /// Each contradiction in words, and the number of images whose labels have it.
    pub contradictions: Vec<(String, usize)>,
    /// Number of test images.
    pub images: usize,
    /// The runs in their order.
    pub runs: Vec<RunDependence>,
}

impl Correlations {
    /// Measures runs on the same test images; `None` without a run.
    ///
    /// # Errors
    /// See [`synthetic::latent_correlation`].
    pub fn new<'a>(
        runs: impl IntoIterator<Item = (&'a RunSummary, Option<&'a Affinity>, DependenceStats)>,
    ) -> Result<Option<Self>> {
        let mut runs = runs.into_iter().peekable();
        let Some((_, _, DependenceStats { labels, .. })) = runs.peek() else { return Ok(None) };
        let words = CONTRADICTIONS.iter().zip(labels.contradictions);
        let (images, phi_of_labels) = (labels.images, phi::phi(labels));
        let contradictions = words.map(|(rule, count)| (rule.words.to_owned(), count)).collect();
        let measured = runs.map(|(run, affinity, stats)| {
            let phi = phi::phi(&stats.predictions);
            let gap = PhiGap::of(&phi_of_labels, &phi);
            Ok(RunDependence {
                measures: DependenceMeasures::new(run, affinity, &phi_of_labels, gap)?,
                phi,
                contradictions: stats.predictions.contradictions.to_vec(),
                reliability: stats.reliability,
                masks: stats.masks,
            })
        });
        let runs = measured.collect::<Result<_>>()?;
        Ok(Some(Self { labels: phi_of_labels, contradictions, images, runs }))
    }

    /// Without tests of affinities against the labels, for which the test images are too few.
    pub fn without_label_tests(mut self) -> Self {
        for run in &mut self.runs {
            let measures = &mut run.measures;
            (measures.rho_strength, measures.p_strength) = (None, None);
            (measures.rho_phi, measures.p_phi) = (None, None);
        }
        self
    }

    /// The runs of one variant.
    pub fn of(&self, variant: &str) -> Vec<&RunDependence> {
        self.runs.iter().filter(|run| run.measures.variant == variant).collect()
    }

    /// An order of the attributes in which those correlated in the labels are neighbours.
    pub fn order(&self) -> Vec<usize> {
        phi::order(&self.labels)
    }
}
