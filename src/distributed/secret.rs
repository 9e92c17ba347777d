//! The secret that the ranks of a job share, and the exchange in which two ranks prove that they know it. Only a keyed hash
//! of random numbers is sent, never the secret. Data after that are neither encrypted nor authenticated.

use crate::error::{Error, Result};
use crate::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// The environment variable with the secret, the same for all ranks of a job.
const VARIABLE: &str = "GAL_BENCH_SECRET";
/// Fewest bytes of a secret.
const LEAST: usize = 16;
/// Bytes of a challenge, and of a proof.
pub(super) const BYTES: usize = 32;

/// The key that follows from a job's secret.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

/// A random number that is used once.
pub(super) type Challenge = [u8; BYTES];

impl Secret {
    /// The secret for ranks that meet at `endpoint`: that of the environment, or on this machine alone one that only this
    /// user can read.
    ///
    /// # Errors
    /// No secret for an address that other machines reach.
    pub(super) fn for_endpoint(endpoint: &str) -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            Some(secret) if secret.len() >= LEAST => Ok(Self::derived(secret.as_encoded_bytes())),
            Some(secret) => Err(Error::Request(format!(
                "{VARIABLE} has {} characters, expected {LEAST} at least: set it to the same random text on all ranks",
                secret.len()
            ))),
            None if is_loopback(endpoint) => Ok(Self::derived(&of_user()?)),
            None => Err(Error::Request(format!(
                "other machines reach {endpoint}, so the ranks need a secret: set {VARIABLE} to the same random text on all \
                 ranks, such as the output of `openssl rand -hex 16`, or leave --rdzv-endpoint out on one machine"
            ))),
        }
    }

    fn derived(secret: &[u8]) -> Self {
        Self(blake3::derive_key("gal-bench 2026 distributed training", secret))
    }

    /// The proof of the rank `role` for the challenges of both sides.
    pub(super) fn proof(&self, role: Role, main: &Challenge, rank: &Challenge) -> blake3::Hash {
        let role: &[u8] = match role {
            Role::Main => b"main",
            Role::Rank => b"rank",
        };
        // The comparison of two hashes takes the same time wherever they differ.
        blake3::keyed_hash(&self.0, &[role, main, rank].concat())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The side that proves its knowledge. A proof of one side is none of the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Main,
    Rank,
}

/// A new challenge.
pub(super) fn challenge() -> Result<Challenge> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Error::Internal(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes)
}

/// True if no other machine reaches the address.
fn is_loopback(endpoint: &str) -> bool {
    let addresses: Vec<SocketAddr> = endpoint.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    !addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback())
}

/// A secret that the processes of this user on this machine share: a file that only this user can read.
#[cfg(unix)]
fn of_user() -> Result<Vec<u8>> {
    let user = rustix::process::getuid();
    in_folder(&std::env::temp_dir().join(format!("gal-bench-{}", user.as_raw())), user.as_raw())
}

#[cfg(not(unix))]
fn of_user() -> Result<Vec<u8>> {
    Err(Error::Request(format!("the ranks need a secret: set {VARIABLE} to the same random text on all ranks")))
}

/// Reads the secret in `folder`, or makes it; both must belong to `user` alone.
#[cfg(unix)]
fn in_folder(folder: &Path, user: u32) -> Result<Vec<u8>> {
    use std::io::ErrorKind;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let check = |path: &Path, metadata: &std::fs::Metadata| {
        let of_others = metadata.mode() & 0o077;
        if (metadata.uid(), of_others) == (user, 0) {
            return Ok(());
        }
        let message = format!("is readable by other users, or theirs: remove it, or set {VARIABLE} on all ranks");
        Err(Error::file(path, message))
    };
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::io("create the folder", folder)(e)),
        _ => {}
    }
    let metadata = std::fs::symlink_metadata(folder).map_err(Error::io("read", folder))?;
    check(folder, &metadata)?;
    let path: PathBuf = folder.join("secret");
    if std::fs::symlink_metadata(&path).is_err() {
        // The file appears whole, and the first of several processes wins.
        let mut partial = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("write", &path))?;
        std::io::Write::write_all(&mut partial, &challenge()?).map_err(Error::io("write", &path))?;
        match partial.persist_noclobber(&path) {
            Err(e) if e.error.kind() != ErrorKind::AlreadyExists => return Err(Error::io("write", &path)(e.error)),
            _ => {}
        }
    }
    let file = io::open_unlinked(&path)?;
    check(&path, &file.metadata().map_err(Error::io("read", &path))?)?;
    let secret = io::read_opened(file, &path, BYTES as u64)?;
    if secret.len() != BYTES {
        return Err(Error::file(path, "is no secret of this program: remove it"));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_depends_on_the_secret_the_role_and_both_challenges() {
        let (one, other) = (Secret::derived(b"one"), Secret::derived(b"other"));
        let (a, b) = (challenge().unwrap(), challenge().unwrap());
        assert_ne!(a, b);
        let proof = one.proof(Role::Main, &a, &b);
        assert_eq!(proof, Secret::derived(b"one").proof(Role::Main, &a, &b));
        for another in [
            other.proof(Role::Main, &a, &b),
            one.proof(Role::Rank, &a, &b),
            one.proof(Role::Main, &b, &a),
            one.proof(Role::Main, &a, &challenge().unwrap()),
        ] {
            assert_ne!(proof, another);
        }
        assert_eq!(format!("{one:?}"), "Secret");
    }

    #[test]
    fn only_loopback_addresses_need_no_secret_of_the_user() {
        assert!(is_loopback("127.0.0.1:29400") && is_loopback("[::1]:1"));
        assert!(!is_loopback("0.0.0.0:29400") && !is_loopback("192.0.2.1:1") && !is_loopback("no host"));
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_of_a_user_is_made_once_and_readable_by_no_other() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("gal-bench");
        let user = rustix::process::getuid().as_raw();
        let secret = in_folder(&folder, user).unwrap();
        assert_eq!((secret.len(), in_folder(&folder, user).unwrap()), (BYTES, secret));
        assert_eq!(std::fs::metadata(folder.join("secret")).unwrap().mode() & 0o777, 0o600);
        assert!(in_folder(&folder, user + 1).unwrap_err().to_string().contains("or theirs"));
        std::fs::set_permissions(folder.join("secret"), PermissionsExt::from_mode(0o644)).unwrap();
        assert!(in_folder(&folder, user).unwrap_err().to_string().contains("readable by other users"));
    }
}
