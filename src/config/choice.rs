//! Variants under a profile: the weight decay of each, and the selection that is trained.

use super::profile::Profile;
use crate::error::{Error, Result};
use crate::variant::{Kind, Registry, Variant};

impl Profile {
    /// L2 penalty on a variant's weights.
    pub fn weight_decay(&self, variant: &Variant) -> f64 {
        self.optimizer.weight_decay.unwrap_or(variant.weight_decay)
    }

    /// True if training gives both variants the same weights.
    fn trains_alike(&self, a: &Variant, b: &Variant) -> bool {
        (a.layers, a.loss_weights, a.fln, a.streams, a.net) == (b.layers, b.loss_weights, b.fln, b.streams, b.net)
            && self.weight_decay(a).to_bits() == self.weight_decay(b).to_bits()
    }

    /// The variants called `names`, or the paper's without any name; with `controls` all controls, too, besides those that
    /// this profile trains like an earlier variant.
    ///
    /// # Errors
    /// Such a control among `names`.
    pub fn select(&self, registry: Registry, names: &[String], controls: bool) -> Result<Vec<Variant>> {
        let mut selected = Vec::new();
        for variant in registry.select(names, controls) {
            let twin = registry.0.iter().find(|other| self.trains_alike(other, &variant)).copied();
            let twin = twin.filter(|twin| variant.kind == Kind::Control && twin.name != variant.name);
            match twin {
                None => selected.push(variant),
                Some(twin) if names.iter().any(|name| variant.names().any(|known| known == name)) => {
                    return Err(Error::Request(format!(
                        "profile {} has one weight decay for all variants, so {} would equal {}: leave it out, or remove \
                         optimizer.weight_decay from the profile",
                        self.name, variant.name, twin.name
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(selected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::REGISTRY;

    #[test]
    fn a_control_that_equals_a_variant_is_left_out_and_refused_by_name() {
        let mut profile = Profile::load("paper").unwrap();
        let names = |profile: &Profile, names: &[&str]| -> Result<Vec<&str>> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Ok(profile.select(REGISTRY, &names, true)?.iter().map(|variant| variant.name).collect())
        };
        assert_eq!(names(&profile, &["baseline-decay"]).unwrap().last(), Some(&"baseline-decay"));
        profile.optimizer.weight_decay = Some(0.001);
        assert_eq!(names(&profile, &[]).unwrap().last(), Some(&"cln-only"));
        let error = names(&profile, &["baseline-decay"]).unwrap_err().to_string();
        assert!(error.contains("baseline-decay would equal baseline"), "{error}");
    }
}
