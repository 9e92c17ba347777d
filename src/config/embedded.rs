//! Reads profiles: those of `profiles/`, which are embedded in the program, and those in files of users.

use super::profile::Profile;
use super::validate::validate;
use crate::error::{Error, Result};
use std::path::Path;

/// Name of the profile with the paper's protocol.
pub(super) const PAPER: &str = "paper";

/// The embedded profiles by name.
const EMBEDDED: [(&str, &str); 3] = [
    (PAPER, include_str!("profiles/paper.toml")),
    ("authors-code", include_str!("profiles/authors-code.toml")),
    ("quick", include_str!("profiles/quick.toml")),
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

fn parse(text: &str, path: &Path) -> Result<Profile> {
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
