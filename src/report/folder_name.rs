//! The name of a report's folder. It holds what was asked for, so that a report never replaces one on other runs.

use crate::config::Profile;
use crate::error::Result;
use crate::variant::{Kind, Registry, Variant};

/// Name of the report on `variants` with `seeds`, such as `lfwa-quick-controls-seeds0-2`. The paper's variants go without
/// saying.
pub fn folder_name(
    registry: Registry,
    dataset: &str,
    profile: &Profile,
    variants: &[Variant],
    seeds: &[u64],
) -> Result<String> {
    let mut parts = vec![dataset, &profile.name];
    let of_kind = |variants: &[Variant], kind: Kind| -> Vec<&str> {
        variants.iter().filter(|variant| variant.kind == kind).map(|variant| variant.name).collect()
    };
    let mut has_paper = false;
    for kind in Kind::ALL {
        let (chosen, all) = (of_kind(variants, kind), profile.select(registry, &[kind.set().to_owned()], false)?);
        let is_whole = chosen == of_kind(&all, kind);
        match kind {
            Kind::Paper if is_whole => has_paper = true,
            _ if is_whole && has_paper => parts.push(kind.set()),
            _ => parts.extend(chosen),
        }
    }
    let word = if seeds.len() == 1 { "seed" } else { "seeds" };
    Ok(format!("{}-{word}{}", parts.join("-"), ranges(seeds)))
}

/// Ascending numbers as page ranges: `0-2,5`; their count if that is too long for a file's name.
fn ranges(seeds: &[u64]) -> String {
    let consecutive = seeds.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let range = |seeds: &[u64]| match seeds {
        [first, .., last] => format!("{first}-{last}"),
        _ => seeds.iter().map(u64::to_string).collect(),
    };
    let text = consecutive.map(range).collect::<Vec<_>>().join(",");
    if text.len() > 100 { format!("-{}", seeds.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::REGISTRY;

    #[test]
    fn a_name_holds_what_was_asked_for() {
        let name = |names: &[&str], controls, seeds: &[u64]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let profile = Profile::load("quick").unwrap();
            let variants = profile.select(REGISTRY, &names, controls).unwrap();
            folder_name(REGISTRY, "lfwa", &profile, &variants, seeds).unwrap()
        };
        assert_eq!(name(&[], false, &[0]), "lfwa-quick-seed0");
        assert_eq!(name(&[], true, &[0, 1, 2]), "lfwa-quick-controls-seeds0-2");
        assert_eq!(name(&["paper", "compared"], true, &[0]), "lfwa-quick-controls-compared-seed0");
        assert_eq!(name(&["paper", "own-trunk"], false, &[0]), "lfwa-quick-own-trunk-seed0");
        assert_eq!(name(&["paper", "gat"], false, &[0]), "lfwa-quick-gat-seed0");
        assert_eq!(name(&["baseline", "gal-j"], false, &[3, 8]), "lfwa-quick-baseline-gal-j-seeds3,8");
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[u64::MAX - 1, u64::MAX]), "18446744073709551614-18446744073709551615");
        assert_eq!(ranges(&(0..200).map(|i| 3 * i).collect::<Vec<_>>()), "-200");
    }
}
