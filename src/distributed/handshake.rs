//! The message that a rank sends when it connects, and the comparison with rank 0's.

use serde::{Deserialize, Serialize};
use std::iter;

/// Something that all ranks must have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setting {
    /// A noun for messages, such as `seeds`.
    pub(crate) name: String,
    /// A text of several lines is compared by line.
    pub(crate) value: String,
}

/// A rank's report about itself. All but rank and NCCL must match rank 0's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handshake {
    /// Version and commit.
    program: String,
    rank: usize,
    world_size: usize,
    /// True if NCCL supports the rank's device.
    pub(super) nccl: bool,
    settings: Vec<Setting>,
}

impl Handshake {
    pub(super) fn new(rank: usize, world_size: usize, nccl: bool, settings: Vec<Setting>) -> Self {
        let program = format!("gal-bench {} ({})", env!("CARGO_PKG_VERSION"), env!("GAL_BENCH_COMMIT"));
        Self { program, rank, world_size, nccl, settings }
    }

    /// Describes the first difference between `peer` and this rank, which is rank 0.
    pub(super) fn mismatch(&self, peer: &Peer) -> Option<String> {
        if let Some(difference) = mismatch("program", &self.program, &peer.program) {
            return Some(difference);
        }
        let Some(theirs) = &peer.handshake else { return Some("its handshake has another format".to_owned()) };
        mismatch("world size", &self.world_size.to_string(), &theirs.world_size.to_string()).or_else(|| {
            let mut pairs = self.settings.iter().zip(&theirs.settings);
            pairs.find_map(|(ours, theirs)| mismatch(&ours.name, &ours.value, &theirs.value))
        })
    }
}

/// Describes how two values of `name` differ.
fn mismatch(name: &str, ours: &str, theirs: &str) -> Option<String> {
    if ours == theirs {
        return None;
    }
    // One text may be the beginning of the other.
    let lines = |text| str::lines(text).map(Some).chain(iter::repeat(None));
    let mut pairs = lines(ours).zip(lines(theirs)).take_while(|(ours, theirs)| ours.or(*theirs).is_some());
    match pairs.find(|(ours, theirs)| ours != theirs) {
        Some((ours_line, theirs_line)) if ours.contains('\n') => {
            let quoted = |line: Option<&str>| line.map_or("nothing there".to_owned(), |line| format!("`{line}`"));
            Some(format!("its {name} has {}, rank 0's {}", quoted(theirs_line), quoted(ours_line)))
        }
        _ => Some(format!("its {name} is {theirs}, rank 0's {ours}")),
    }
}

/// A connecting rank. `handshake` is `None` if another version of the program sent it in another form.
pub(super) struct Peer {
    program: String,
    pub(super) rank: usize,
    pub(super) handshake: Option<Handshake>,
}

impl Peer {
    /// Parses a handshake; `None` if no version of this program sent it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let table: toml::Table = toml::from_slice(text).ok()?;
        let program = table.get("program")?.as_str()?.to_owned();
        let rank = usize::try_from(table.get("rank")?.as_integer()?).ok()?;
        Some(Self { program, rank, handshake: table.try_into().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(world_size: usize, seeds: &str, profile: &str) -> Handshake {
        let setting = |name: &str, value: &str| Setting { name: name.to_owned(), value: value.to_owned() };
        Handshake::new(1, world_size, false, vec![setting("choice of seeds", seeds), setting("profile", profile)])
    }

    fn received(handshake: &Handshake) -> Peer {
        Peer::parse(toml::to_string(handshake).unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_difference_is_named_with_both_values() {
        let main = handshake(2, "5", "name = \"a\"\nrate = 1\n");
        let found = |theirs: &Handshake| main.mismatch(&received(theirs));
        assert_eq!(found(&main), None);
        assert_eq!(found(&handshake(4, "5", "")).unwrap(), "its world size is 4, rank 0's 2");
        assert_eq!(found(&handshake(2, "6", "")).unwrap(), "its choice of seeds is 6, rank 0's 5");
        let text = "name = \"a\"\nrate = 2\n";
        assert_eq!(found(&handshake(2, "5", text)).unwrap(), "its profile has `rate = 2`, rank 0's `rate = 1`");
        let text = "name = \"a\"\n";
        assert_eq!(found(&handshake(2, "5", text)).unwrap(), "its profile has nothing there, rank 0's `rate = 1`");
    }

    #[test]
    fn another_version_is_named_whatever_it_sends_and_other_text_is_no_rank() {
        let main = handshake(2, "5", "");
        let old = Peer::parse(b"program = \"gal-bench 0.0.1 (old)\"\nrank = 1\nnccl = false\n").unwrap();
        let sentence = main.mismatch(&old).unwrap();
        assert!(sentence.starts_with("its program is gal-bench 0.0.1 (old), rank 0's gal-bench "), "{sentence}");
        assert!(Peer::parse(b"GET / HTTP/1.1\r\n").is_none() && Peer::parse(b"rank = -1").is_none());
    }
}
