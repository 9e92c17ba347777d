//! Which variants share a trunk. A correlation net sends no gradient into the features, so all variants whose feature
//! learning nets are trained alike ride on one trunk run, with results identical to separate runs.

use crate::config::Profile;
use crate::variant::{Fln, VARIANTS, Variant};

/// One trunk run and the variants that come out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedRun {
    /// How the trunk comes by its weights.
    pub fln: Fln,
    /// L2 penalty of trunk and correlation nets.
    pub weight_decay: f64,
    /// The variants, in the paper's order.
    pub variants: Vec<Variant>,
}

/// The fewest trunk runs for `variants`; those that start from Baseline's weights come last.
pub fn shared_runs(variants: &[Variant], profile: &Profile) -> Vec<SharedRun> {
    let mut plans: Vec<SharedRun> = Vec::new();
    for variant in variants {
        let weight_decay = profile.optimizer.weight_decay.unwrap_or(variant.weight_decay);
        let same =
            |plan: &&mut SharedRun| plan.fln == variant.fln && plan.weight_decay.to_bits() == weight_decay.to_bits();
        match plans.iter_mut().find(same) {
            Some(plan) => plan.variants.push(*variant),
            None => plans.push(SharedRun { fln: variant.fln, weight_decay, variants: vec![*variant] }),
        }
    }
    plans.sort_by_key(|plan| plan.fln == Fln::FrozenBaseline);
    plans
}

/// A piece of a job that needs no other piece: it may run before, after or beside any of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Variants that share a trunk, and those that start from its weights.
    pub variants: Vec<Variant>,
    /// The seed of all of them.
    pub seed: u64,
}

/// The pieces of training `variants` with `seeds`, seed by seed.
pub fn tasks(variants: &[Variant], seeds: &[u64], profile: &Profile) -> Vec<Task> {
    let mut groups: Vec<Vec<Variant>> = Vec::new();
    for plan in shared_runs(variants, profile) {
        let has_baseline = |group: &&mut Vec<Variant>| group.iter().any(|variant| variant.name == VARIANTS[0].name);
        match groups.iter_mut().find(has_baseline) {
            Some(group) if plan.fln == Fln::FrozenBaseline => group.extend(plan.variants),
            _ => groups.push(plan.variants),
        }
    }
    let all = seeds.iter().flat_map(|seed| groups.iter().map(|group| Task { variants: group.clone(), seed: *seed }));
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(profile: &str) -> Vec<Vec<&'static str>> {
        let profile = Profile::load(profile).unwrap();
        shared_runs(&VARIANTS, &profile).iter().map(|plan| plan.variants.iter().map(|v| v.name).collect()).collect()
    }

    #[test]
    fn the_papers_two_weight_decays_need_two_trained_trunks() {
        let joint = vec!["gal-j", "gal-p", "identity", "uniform", "shuffled", "scrambled"];
        assert_eq!(names("paper"), [vec!["baseline"], joint, vec!["gal-c"]]);
    }

    #[test]
    fn one_weight_decay_needs_one() {
        let joint = vec!["baseline", "gal-j", "gal-p", "identity", "uniform", "shuffled", "scrambled"];
        assert_eq!(names("quick"), [joint, vec!["gal-c"]]);
    }

    fn cells_of(profile: &str, variants: &[&str]) -> Vec<(Vec<&'static str>, u64)> {
        let profile = Profile::load(profile).unwrap();
        let variants: Vec<Variant> = variants.iter().map(|name| Variant::named(name).unwrap()).collect();
        let named = |cell: &Task| (cell.variants.iter().map(|v| v.name).collect(), cell.seed);
        tasks(&variants, &[3, 8], &profile).iter().map(named).collect()
    }

    #[test]
    fn gal_c_runs_in_the_cell_of_its_baseline() {
        let four = ["baseline", "gal-c", "gal-j", "gal-p"];
        let (first, second) = (vec!["baseline", "gal-c"], vec!["gal-j", "gal-p"]);
        let expected = [(first.clone(), 3), (second.clone(), 3), (first, 8), (second, 8)];
        assert_eq!(cells_of("paper", &four), expected);
        let one = vec!["baseline", "gal-j", "gal-p", "gal-c"];
        assert_eq!(cells_of("quick", &four), [(one.clone(), 3), (one, 8)]);
    }

    #[test]
    fn gal_c_without_baseline_is_a_cell_of_its_own() {
        assert_eq!(cells_of("quick", &["gal-c"]), [(vec!["gal-c"], 3), (vec!["gal-c"], 8)]);
    }
}
