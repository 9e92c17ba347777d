//! Which variants share a trunk. A correlation net sends no gradient into the features, so all variants whose feature
//! learning nets are trained alike ride on one trunk run, with results identical to separate runs.

use crate::config::Profile;
use crate::model::{Fln, Variant};

/// One trunk run and the variants that come out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How the trunk comes by its weights.
    pub fln: Fln,
    /// L2 penalty of trunk and correlation nets.
    pub weight_decay: f64,
    /// The variants, in the paper's order.
    pub variants: Vec<Variant>,
}

/// The fewest trunk runs for `variants`; those that start from Baseline's weights come last.
pub fn plans(variants: &[Variant], profile: &Profile) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::new();
    for variant in variants {
        let weight_decay = profile.optimizer.weight_decay.unwrap_or(variant.weight_decay);
        let same = |plan: &&mut Plan| plan.fln == variant.fln && plan.weight_decay.to_bits() == weight_decay.to_bits();
        match plans.iter_mut().find(same) {
            Some(plan) => plan.variants.push(*variant),
            None => plans.push(Plan { fln: variant.fln, weight_decay, variants: vec![*variant] }),
        }
    }
    plans.sort_by_key(|plan| plan.fln == Fln::FrozenBaseline);
    plans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::VARIANTS;

    fn names(profile: &str) -> Vec<Vec<&'static str>> {
        let profile = Profile::load(profile).unwrap();
        plans(&VARIANTS, &profile).iter().map(|plan| plan.variants.iter().map(|v| v.name).collect()).collect()
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
}
