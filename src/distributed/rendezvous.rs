//! How the ranks find each other, and what they must agree on before they start.

use super::link::{Call, Link};
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long a caller has to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// The most bytes of a greeting.
const GREETING: usize = 1 << 20;
/// The most callers that are let in before one is heard.
const CALLS: usize = 64;
/// Between two looks for a rank that is not there yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the ranks of a run meet.
#[derive(Debug, Clone)]
pub struct Rendezvous {
    /// This process's rank, from 0.
    pub rank: usize,
    /// How many ranks there are.
    pub ranks: usize,
    /// `HOST:PORT` where rank 0 listens.
    pub address: String,
    /// How long a rank is waited for: when they meet, and whenever it has the next word.
    pub patience: Duration,
}

impl Rendezvous {
    /// The places of a batch of `batch` images that this rank computes.
    ///
    /// # Errors
    /// A rank that is none of the ranks, and a batch that cannot be shared out evenly.
    pub(crate) fn share(&self, batch: usize) -> Result<Range<usize>> {
        let Self { rank, ranks, .. } = *self;
        if rank >= ranks {
            return Err(Error::Request(format!("--rank {rank} of --ranks {ranks}: ranks count from 0")));
        }
        let share = batch / ranks;
        if share * ranks != batch {
            return Err(Error::Request(format!(
                "a batch of {batch} cannot be shared out evenly among {ranks} ranks: choose --ranks that divide it, or \
                 another batch in the profile's [training] section"
            )));
        }
        if share < 2 {
            return Err(Error::Request(format!(
                "a batch of {batch} leaves one image for each of {ranks} ranks, and batch norm needs two: choose fewer \
                 --ranks, or a larger batch in the profile's [training] section"
            )));
        }
        Ok(rank * share..(rank + 1) * share)
    }

    /// Waits for all other ranks and makes sure that they agree with this one, rank 0: their links in the order of the
    /// ranks, and whether NCCL reaches all of them.
    pub(super) fn host(&self, greeting: &Greeting, progress: &Progress) -> Result<(Vec<Link>, bool)> {
        let cannot = |error: io::Error| {
            Error::Request(format!(
                "rank 0 cannot listen at {} ({error}): name an address of this machine and a free port with --meet",
                self.address
            ))
        };
        let listener = TcpListener::bind(&*self.address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        progress.say(format!("waiting for {} more ranks at {}", self.ranks - 1, self.address));
        let until = Instant::now() + self.patience;
        let mut links: Vec<Option<Link>> = (1..self.ranks).map(|_| None).collect();
        let mut nccl = vec![greeting.nccl; self.ranks];
        let mut calls = Vec::new();
        while let Some(missing) = links.iter().position(Option::is_none) {
            if Instant::now() >= until {
                let error = Error::Request(format!(
                    "rank {} did not come to {} within {} s: start all ranks, or give them longer with --patience",
                    missing + 1,
                    self.address,
                    self.patience.as_secs()
                ));
                return Err(sent_home(&links, error));
            }
            // A rank that was killed may be started again.
            for (place, link) in links.iter_mut().enumerate() {
                if link.take_if(|link| link.check().is_err()).is_some() {
                    progress.say(format!("rank {} is gone again", place + 1));
                }
            }
            // Whoever cannot be accepted has hung up, or finds room later.
            for stream in listener.incoming().take(CALLS).map_while(io::Result::ok) {
                calls.extend(Call::new(stream, INTRODUCTION));
            }
            for (caller, stream) in heard(&mut calls, progress) {
                let rank = caller.rank;
                let link = Link::new(rank, stream, self.patience).map_err(cannot)?;
                let difference = greeting.difference(&caller).or_else(|| match links.get(rank.wrapping_sub(1)) {
                    Some(None) => None,
                    Some(Some(_)) => Some("there is such a rank already".to_owned()),
                    None => Some(format!("the other ranks are 1 to {}", self.ranks - 1)),
                });
                if let Some(difference) = difference {
                    let error = Error::Request(format!(
                        "rank {rank} does not fit rank 0 ({difference}): start all ranks with the same program, data and \
                         options, each with a --rank of its own"
                    ));
                    links.push(Some(link));
                    return Err(sent_home(&links, error));
                }
                progress.say(format!("rank {rank} has come"));
                nccl[rank] = caller.greeting.is_some_and(|greeting| greeting.nccl);
                links[rank - 1] = Some(link);
            }
            std::thread::sleep(PAUSE);
        }
        Ok((links.into_iter().flatten().collect(), !nccl.contains(&false)))
    }

    /// Finds rank 0 and introduces this rank to it.
    pub(super) fn join(&self, greeting: &Greeting, progress: &Progress) -> Result<Link> {
        progress.say(format!("rank {} of {} looks for rank 0 at {}", self.rank, self.ranks, self.address));
        let until = Instant::now() + self.patience;
        let stream = loop {
            match self.call(until) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= until => {
                    return Err(Error::Request(format!(
                        "rank 0 cannot be reached at {} within {} s ({error}): start it with the same --meet, or give it \
                         longer with --patience",
                        self.address,
                        self.patience.as_secs()
                    )));
                }
                Err(_) => std::thread::sleep(PAUSE),
            }
        };
        let link = Link::new(0, stream, self.patience)
            .map_err(|error| Error::Request(format!("the connection to rank 0 cannot be used: {error}")))?;
        link.send(toml::to_string(greeting).map_err(|e| Error::Internal(e.to_string()))?.as_bytes())?;
        Ok(link)
    }

    /// One attempt to reach rank 0, that ends at `until`.
    fn call(&self, until: Instant) -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.address.to_socket_addrs()? {
            let left = until.saturating_duration_since(Instant::now()).max(PAUSE);
            match TcpStream::connect_timeout(&address, left) {
                // A port that nobody listens at may be given to the caller itself, who then reaches himself.
                Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {}
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Takes out those who have said who they are, and whoever is not a rank.
fn heard(calls: &mut Vec<Call>, progress: &Progress) -> Vec<(Caller, TcpStream)> {
    let mut heard = Vec::new();
    for mut call in std::mem::take(calls) {
        let greeting = call.hear(GREETING);
        if let Ok(None) = greeting {
            calls.push(call);
        } else if let Some(caller) = greeting.ok().flatten().and_then(|text| Caller::read(&text)) {
            heard.push((caller, call.into_stream()));
        } else {
            progress.say("somebody called who is not a rank of this program");
        }
    }
    heard
}

/// Ends the rendezvous for those who came.
fn sent_home(links: &[Option<Link>], error: Error) -> Error {
    links.iter().flatten().for_each(|link| link.stop(&error.to_string()));
    error
}

/// What a rank says of itself when it joins: all but the rank must be as rank 0's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// Version and commit.
    pub(crate) program: String,
    pub(crate) rank: usize,
    /// Whether NCCL reaches its device.
    pub(crate) nccl: bool,
    pub(crate) seeds: Vec<u64>,
    pub(crate) variants: Vec<String>,
    /// Of any of the runs: data, ranks and profile are those of all.
    pub(crate) config: RunConfig,
}

impl Greeting {
    /// In what another rank is not as this one.
    fn difference(&self, caller: &Caller) -> Option<String> {
        let differs = |what: &str, ours: &str, theirs: &str| {
            (ours != theirs).then(|| format!("{what} is {theirs}, rank 0's {ours}"))
        };
        let Some(theirs) = &caller.greeting else { return differs("its program", &self.program, &caller.program) };
        let seeds = |greeting: &Self| greeting.seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let data = |greeting: &Self| format!("{} {}", greeting.config.dataset, greeting.config.data_digest);
        let ranks = |greeting: &Self| greeting.config.ranks.to_string();
        differs("its program", &self.program, &theirs.program)
            .or_else(|| differs("its number of ranks", &ranks(self), &ranks(theirs)))
            .or_else(|| differs("its prepared set", &data(self), &data(theirs)))
            .or_else(|| differs("its choice of variants", &self.variants.join(","), &theirs.variants.join(",")))
            .or_else(|| differs("its choice of seeds", &seeds(self), &seeds(theirs)))
            .or_else(|| self.config.difference(&theirs.config))
    }
}

/// A rank that joins, of this version of the program or of another, whose greeting may not be one here.
struct Caller {
    program: String,
    rank: usize,
    greeting: Option<Greeting>,
}

impl Caller {
    /// None where the text is not a rank's.
    fn read(text: &[u8]) -> Option<Self> {
        let table: toml::Table = toml::from_slice(text).ok()?;
        let program = table.get("program")?.as_str()?.to_owned();
        let rank = usize::try_from(table.get("rank")?.as_integer()?).ok()?;
        Some(Self { program, rank, greeting: table.try_into().ok() })
    }
}
