//! Reads profiles: those of `profiles/`, which are embedded in the program, and those in files of users.

use super::profile::Profile;
use super::validate::validate;
use crate::error::{Error, Result};
use std::path::Path;

/// Name of the profile with the paper's protocol.
pub(super) const PAPER: &str = "paper";

/// The embedded profiles by name.
const EMBEDDED: [(&str, &str); 5] = [
    (PAPER, include_str!("profiles/paper.toml")),
    ("authors-code", include_str!("profiles/authors-code.toml")),
    ("quick", include_str!("profiles/quick.toml")),
    ("small", include_str!("profiles/small.toml")),
    ("imagenet-alexnet", include_str!("profiles/imagenet-alexnet.toml")),
];

impl Profile {
    /// Names of the embedded profiles.
    pub fn names() -> [&'static str; EMBEDDED.len()] {
        EMBEDDED.map(|(name, _)| name)
    }

    /// Text of an embedded profile.
    pub fn text(name: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads an embedded profile by name, or a TOML file by path.
    ///
    /// # Errors
    /// An unknown name, or a file that is not a valid profile.
    pub fn load(name: &str) -> Result<Self> {
        let path = Path::new(name);
        if let Some(text) = Self::text(name) {
            return parse(text, path);
        }
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            return parse(&crate::io::read_text(path)?, path);
        }
        Err(Error::Request(format!(
            "there is no profile {name}: use one of {}, or the path of a .toml file (`gal-bench profile quick` prints \
             one to start from)",
            Self::names().join(", ")
        )))
    }
}

/// Reads a profile from the `text` of the file `path`.
///
/// # Errors
/// TOML of another form, or values out of bounds.
pub fn parse(text: &str, path: &Path) -> Result<Profile> {
    let profile: Profile = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Error::line(path, line, e.message().trim().replace('\n', "; "))
    })?;
    validate(&profile).map_err(|message| Error::file(path, message))?;
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_profile_is_valid_and_has_its_name() {
        for name in Profile::names() {
            assert_eq!(Profile::load(name).unwrap().name, name);
        }
    }

    #[test]
    fn every_embedded_profile_says_what_it_keeps_and_reduces() {
        for name in Profile::names() {
            let protocol = Profile::load(name).unwrap().protocol;
            assert!(!protocol.keeps.is_empty() && !protocol.reduces.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_reduced_profiles_keep_the_map_and_the_nodes_of_the_paper() {
        for name in Profile::names() {
            let network = Profile::load(name).unwrap().network;
            assert_eq!((network.map_size().unwrap(), network.node_channels), (6, 10), "{name}");
        }
    }

    #[test]
    fn small_trains_as_the_paper_does() {
        let (small, paper) = (Profile::load("small").unwrap(), Profile::load(PAPER).unwrap());
        assert_eq!((small.training, small.optimizer), (paper.training, paper.optimizer));
        assert_eq!(small.prepare, paper.prepare);
    }

    #[test]
    fn words_about_a_profile_can_be_left_out_and_change_nothing() {
        let quick = Profile::load("quick").unwrap();
        let mut table: toml::Table = toml::from_str(Profile::text("quick").unwrap()).unwrap();
        table.remove("protocol").unwrap();
        let without: Profile = table.try_into().unwrap();
        assert_eq!(without, quick);
        assert_eq!(without.protocol.sections(), []);
        assert_eq!(quick.protocol.sections()[0].0, "Keeps");
        assert!(!toml::to_string(&without).unwrap().contains("[protocol]"));
    }

    #[test]
    fn keys_of_version_0_1_0_are_read() {
        let new = Profile::text("quick").unwrap();
        let mut old = new.to_owned();
        for (new, old_key) in [
            ("input_size", "input"),
            ("branch_channels", "branch"),
            ("node_channels", "node"),
            ("bn_eps", "eps"),
            ("bn_decay", "decay"),
        ] {
            assert!(old.contains(new));
            old = old.replace(&format!("\n{new} ="), &format!("\n{old_key} ="));
        }
        assert_eq!(parse(&old, Path::new("mine.toml")).unwrap(), Profile::load("quick").unwrap());
        assert_ne!(old, new);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = Profile::text("quick").unwrap().replace("momentum = 0.9", "momentum = 0.9\nnesterov = true");
        let error = parse(&text, Path::new("mine.toml")).unwrap_err().to_string();
        assert!(error.contains("mine.toml, line ") && error.contains("nesterov"), "{error}");
    }
}
