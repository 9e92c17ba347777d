//! Distributed training from flags, or from the environment as torchrun sets it: `WORLD_SIZE`, `LOCAL_WORLD_SIZE`, `RANK`,
//! `LOCAL_RANK`, `MASTER_ADDR` and `MASTER_PORT`. Wrappers of srun and mpirun set the same variables.

use crate::cli::DistributedArgs;
use gal_bench::distributed::Rendezvous;
use gal_bench::{Error, Result};
use std::ops::RangeFrom;
use std::time::Duration;

/// torchrun's default for one machine, and the port of its c10d rendezvous.
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 29400;

impl DistributedArgs {
    /// World size, rank and rendezvous address of this process. A world size of 1 is a single process.
    pub(super) fn rendezvous(&self) -> Result<Rendezvous> {
        resolve(self, environment)
    }
}

/// The index of this process among those on this machine, if a launcher sets it.
pub(super) fn local_rank() -> Result<Option<usize>> {
    number(&environment, "LOCAL_RANK", 0.., "--device")
}

fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Flags first, then the variables that `environment` looks up.
fn resolve(args: &DistributedArgs, environment: impl Fn(&str) -> Option<String>) -> Result<Rendezvous> {
    let timeout = Duration::from_secs(args.timeout);
    let flag = args.world_size.map(|size| size as usize);
    let world_size = match flag {
        Some(size) => size,
        None => number(&environment, "WORLD_SIZE", 1.., "--world-size")?.unwrap_or(1),
    };
    let rank = match args.rank {
        Some(rank) => rank as usize,
        // An explicit single process ignores the launcher around it.
        None if flag == Some(1) => 0,
        None => number(&environment, "RANK", 0.., "--rank")?.unwrap_or(0),
    };
    let endpoint = match &args.rdzv_endpoint {
        Some(endpoint) => endpoint.clone(),
        None if world_size == 1 => format!("{DEFAULT_HOST}:{DEFAULT_PORT}"),
        None => master(&environment, world_size)?,
    };
    Ok(Rendezvous { rank, world_size, endpoint, timeout })
}

/// `HOST:PORT` from `MASTER_ADDR` and `MASTER_PORT`. If all of `world_size` processes are on this machine, no other machine
/// needs to reach the port.
fn master(environment: &impl Fn(&str) -> Option<String>, world_size: usize) -> Result<String> {
    let is_local = number(environment, "LOCAL_WORLD_SIZE", 1.., "--rdzv-endpoint")? == Some(world_size);
    let host = environment("MASTER_ADDR").filter(|host| !is_local || host.is_empty());
    let host = host.unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let port = number(environment, "MASTER_PORT", 1.., "--rdzv-endpoint")?;
    // torchrun's agent may itself listen at MASTER_PORT, for its own store.
    let is_taken = environment("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value == "True");
    let port = port.unwrap_or(usize::from(DEFAULT_PORT)) + usize::from(is_taken);
    if host.is_empty() || u16::try_from(port).is_err() {
        return Err(Error::Request(format!(
            "the environment variables MASTER_ADDR and MASTER_PORT give {host}:{port}, which is not an address: set them \
             right, or pass --rdzv-endpoint"
        )));
    }
    Ok(format!("{host}:{port}"))
}

/// The number in a variable; `None` if the variable is not set.
fn number(
    environment: &impl Fn(&str) -> Option<String>,
    name: &str,
    range: RangeFrom<usize>,
    flag: &str,
) -> Result<Option<usize>> {
    let Some(text) = environment(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(Error::Request(format!(
            "the environment variable {name} is {text:?}, expected a number from {} up: set it right, or pass {flag}",
            range.start
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: DistributedArgs =
        DistributedArgs { world_size: None, rank: None, rdzv_endpoint: None, timeout: 1800, sync_bn: false };

    fn with(args: &DistributedArgs, variables: &[(&str, &str)]) -> Result<(usize, usize, String)> {
        let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        resolve(args, lookup).map(|found| (found.rank, found.world_size, found.endpoint))
    }

    #[test]
    fn torchruns_variables_stand_in_for_flags_and_a_flag_wins() {
        let all = [("WORLD_SIZE", "4"), ("RANK", "3"), ("MASTER_ADDR", "node1"), ("MASTER_PORT", "5000")];
        assert_eq!(with(&NONE, &all).unwrap(), (3, 4, "node1:5000".to_owned()));
        assert_eq!(with(&NONE, &all[..2]).unwrap(), (3, 4, "127.0.0.1:29400".to_owned()));
        let flags = DistributedArgs {
            world_size: Some(2),
            rank: Some(1),
            rdzv_endpoint: Some("a:1".to_owned()),
            timeout: 9,
            ..NONE
        };
        assert_eq!(with(&flags, &all).unwrap(), (1, 2, "a:1".to_owned()));
        let port = [("WORLD_SIZE", "2"), ("MASTER_ADDR", "::1"), ("MASTER_PORT", "5000")];
        assert_eq!(with(&NONE, &port).unwrap(), (0, 2, "[::1]:5000".to_owned()));
    }

    #[test]
    fn ranks_of_one_machine_meet_at_an_address_that_no_other_reaches() {
        let all = [("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2"), ("MASTER_ADDR", "node1"), ("MASTER_PORT", "5000")];
        assert_eq!(with(&NONE, &all).unwrap().2, "127.0.0.1:5000");
        let several = [("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "2"), ("MASTER_ADDR", "node1")];
        assert_eq!(with(&NONE, &several).unwrap().2, "node1:29400");
    }

    #[test]
    fn a_port_that_torchruns_agent_uses_is_left_to_it() {
        let all = [("WORLD_SIZE", "2"), ("MASTER_PORT", "5000"), ("TORCHELASTIC_USE_AGENT_STORE", "True")];
        assert_eq!(with(&NONE, &all).unwrap().2, "127.0.0.1:5001");
    }

    #[test]
    fn a_world_of_one_is_a_single_process_whatever_else_is_set() {
        let single = (0, 1, "127.0.0.1:29400".to_owned());
        assert_eq!(with(&NONE, &[]).unwrap(), single);
        assert_eq!(with(&NONE, &[("WORLD_SIZE", "1"), ("RANK", "0"), ("MASTER_PORT", "x")]).unwrap(), single);
        let flag = DistributedArgs { world_size: Some(1), ..NONE };
        assert_eq!(with(&flag, &[("WORLD_SIZE", "2"), ("RANK", "1")]).unwrap(), single);
    }

    #[test]
    fn a_malformed_variable_is_named_with_its_flag() {
        for (name, value, flag) in [
            ("WORLD_SIZE", "two", "--world-size"),
            ("WORLD_SIZE", "0", "--world-size"),
            ("WORLD_SIZE", "", "--world-size"),
            ("RANK", "-1", "--rank"),
            ("MASTER_PORT", "http", "--rdzv-endpoint"),
            ("MASTER_PORT", "65536", "--rdzv-endpoint"),
            ("MASTER_ADDR", "", "--rdzv-endpoint"),
        ] {
            let error = with(&NONE, &[(name, value), ("WORLD_SIZE", "2")]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let sentence = error.to_string();
            assert!(sentence.contains(name) && sentence.contains(flag), "{sentence}");
        }
    }
}
