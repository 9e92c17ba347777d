//! Which variants share an FLN. The gradient of most correlation nets stops at the features, so variants that train the FLN
//! alike can share one. The results equal those of separate runs.

use crate::config::Profile;
use crate::variant::{BASELINE, Fln, Layers, Streams, Variant};

/// The training of one FLN and of the correlation nets that share it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedRun {
    /// How the FLN gets its weights.
    pub fln: Fln,
    /// The nets that each loss trains. If the correlation net's loss trains the FLN, the run has one variant, as one without
    /// branches has.
    pub streams: Streams,
    /// L2 penalty of the FLN and the correlation nets.
    pub weight_decay: f64,
    /// The variants, in the paper's order.
    pub variants: Vec<Variant>,
}

impl SharedRun {
    /// The layers of the FLN, which all variants have in common.
    pub fn layers(&self) -> Layers {
        self.variants.first().map_or(BASELINE.layers, |variant| variant.layers)
    }
}

/// The fewest shared runs for `variants`. Those that start from Baseline's weights come last.
pub fn shared_runs(variants: &[Variant], profile: &Profile) -> Vec<SharedRun> {
    let mut runs: Vec<SharedRun> = Vec::new();
    for variant in variants {
        let Variant { fln, streams, .. } = *variant;
        let weight_decay = profile.weight_decay(variant);
        let same = |run: &&mut SharedRun| {
            let separate = run.streams.are_separate() && streams.are_separate();
            let branches = [run.layers(), variant.layers] == [Layers::Branches; 2];
            separate && branches && run.fln == fln && run.weight_decay.to_bits() == weight_decay.to_bits()
        };
        match runs.iter_mut().find(same) {
            Some(run) => run.variants.push(*variant),
            None => runs.push(SharedRun { fln, streams, weight_decay, variants: vec![*variant] }),
        }
    }
    runs.sort_by_key(|run| run.fln == Fln::FrozenBaseline);
    runs
}

/// An independent part of a job, which may run before, after or at the same time as any other.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Variants that share an FLN, and those that start from its weights.
    pub variants: Vec<Variant>,
    /// The seed of all of them.
    pub seed: u64,
}

/// The tasks of training `variants` with `seeds`, seed by seed.
pub fn tasks(variants: &[Variant], seeds: &[u64], profile: &Profile) -> Vec<Task> {
    let mut groups: Vec<Vec<Variant>> = Vec::new();
    for run in shared_runs(variants, profile) {
        let has_baseline = |group: &&mut Vec<Variant>| group.iter().any(|variant| variant.name == BASELINE.name);
        match groups.iter_mut().find(has_baseline) {
            Some(group) if run.fln == Fln::FrozenBaseline => group.extend(run.variants),
            _ => groups.push(run.variants),
        }
    }
    let all = seeds.iter().flat_map(|seed| groups.iter().map(|group| Task { variants: group.clone(), seed: *seed }));
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::VARIANTS;

    /// Compared nets beside a trained FLN.
    const COMPARED: [&str; 12] = [
        "aux",
        "gal-scaled",
        "gal-temperature",
        "gal-cosine",
        "gal-others",
        "gat",
        "gatv2",
        "transformer",
        "transformer-2",
        "transformer-known",
        "gal-s",
        "ml-gcn",
    ];

    /// An embedded profile, or `one-decay`.
    fn loaded(profile: &str) -> Profile {
        let mut quick = Profile::load("quick").unwrap();
        quick.optimizer.weight_decay = Some(0.001);
        if profile == "one-decay" { quick } else { Profile::load(profile).unwrap() }
    }

    /// Variants without branches.
    const OWN_TRUNK: [&str; 6] = ["resnet18", "moon", "moon-unbalanced", "dmtl", "mcnn", "ml-decoder"];

    fn names(profile: &str) -> Vec<Vec<&'static str>> {
        shared_runs(&VARIANTS, &loaded(profile))
            .iter()
            .map(|run| run.variants.iter().map(|v| v.name).collect())
            .collect()
    }

    #[test]
    fn the_papers_two_weight_decays_need_two_trained_flns() {
        let joint = ["gal-j", "gal-p", "identity", "uniform", "random-groups", "authors-layout", "baseline-decay"];
        let joint = [&joint[..], &COMPARED].concat();
        let [one_stream, cln_only] = ["one-stream", "cln-only"].map(|name| vec![name]);
        let frozen = vec!["gal-c", "aux-frozen", "linear", "gal-e"];
        let own_trunk = OWN_TRUNK.map(|name| vec![name]);
        let expected = [&[vec!["baseline"], joint, one_stream, cln_only][..], &own_trunk, &[frozen]].concat();
        assert_eq!(names("paper"), expected);
    }

    #[test]
    fn one_weight_decay_needs_one() {
        let joint = ["baseline", "gal-j", "gal-p", "identity", "uniform", "random-groups", "authors-layout"];
        assert_eq!(names("one-decay")[0], [&joint[..], &["baseline-decay"], &COMPARED].concat());
        assert_eq!(names("one-decay").len(), 4 + OWN_TRUNK.len());
    }

    fn tasks_of(profile: &str, variants: &[&str]) -> Vec<(Vec<&'static str>, u64)> {
        let profile = loaded(profile);
        let variants: Vec<Variant> = variants.iter().map(|name| Variant::named(name).unwrap()).collect();
        let named = |task: &Task| (task.variants.iter().map(|v| v.name).collect(), task.seed);
        tasks(&variants, &[3, 8], &profile).iter().map(named).collect()
    }

    #[test]
    fn gal_c_runs_in_the_task_of_its_baseline() {
        let four = ["baseline", "gal-c", "gal-j", "gal-p"];
        let (first, second) = (vec!["baseline", "gal-c"], vec!["gal-j", "gal-p"]);
        let expected = [(first.clone(), 3), (second.clone(), 3), (first, 8), (second, 8)];
        assert_eq!(tasks_of("paper", &four), expected);
        let one = vec!["baseline", "gal-j", "gal-p", "gal-c"];
        assert_eq!(tasks_of("one-decay", &four), [(one.clone(), 3), (one, 8)]);
    }

    #[test]
    fn gal_c_without_baseline_is_a_task_of_its_own() {
        assert_eq!(tasks_of("quick", &["gal-c"]), [(vec!["gal-c"], 3), (vec!["gal-c"], 8)]);
    }
}
