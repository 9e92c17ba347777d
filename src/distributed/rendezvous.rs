//! How the ranks find each other: rank 0 listens, the others connect and send their handshakes.

use super::connection::{Connection, PendingConnection};
use super::handshake::{Handshake, Peer};
use super::secret::{self, Challenge, Role, Secret};
use crate::error::{Error, Result};
use crate::progress::Progress;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Time in which a connection must send its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HANDSHAKE_BYTES: usize = 1 << 20;
/// Connections that are accepted before their handshakes are read.
const MAX_ACCEPTS: usize = 64;
/// Connections whose handshakes may be incomplete at the same time.
const MAX_PENDING: usize = 256;
/// Pause between two attempts to connect, or to accept.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The rank of a process, and the endpoint that it connects to.
#[derive(Debug, Clone)]
pub struct Rendezvous {
    /// This process's rank, from 0.
    pub rank: usize,
    /// Number of ranks.
    pub world_size: usize,
    /// `HOST:PORT` at which rank 0 listens.
    pub endpoint: String,
    /// Time limit for connecting and for each exchange.
    pub timeout: Duration,
}

impl Rendezvous {
    /// The positions in a batch of `batch` images that this rank computes.
    ///
    /// # Errors
    /// A rank outside the world size, or a batch that cannot be split evenly.
    pub(crate) fn local_range(&self, batch: usize) -> Result<Range<usize>> {
        let Self { rank, world_size, .. } = *self;
        if rank >= world_size {
            return Err(Error::Request(format!("--rank {rank} of --world-size {world_size}: ranks count from 0")));
        }
        let local = batch / world_size;
        if local * world_size != batch {
            return Err(Error::Request(format!(
                "a batch of {batch} cannot be split evenly among {world_size} ranks: choose a --world-size that divides \
                 it, or another batch in the profile's [training] section"
            )));
        }
        if local < 2 {
            return Err(Error::Request(format!(
                "a batch of {batch} leaves one image for each of {world_size} ranks, and batch norm needs two: choose a \
                 smaller --world-size, or a larger batch in the profile's [training] section"
            )));
        }
        Ok(rank * local..(rank + 1) * local)
    }

    /// Waits on rank 0 until all other ranks have connected with matching handshakes. Returns their connections in rank
    /// order, and whether NCCL supports every device.
    pub(super) fn accept_ranks(&self, handshake: &Handshake, progress: &Progress) -> Result<(Vec<Connection>, bool)> {
        let secret = Secret::for_endpoint(&self.endpoint)?;
        let listener = self.listen()?;
        progress.log(format!("waiting for {} more ranks at {}", self.world_size - 1, self.endpoint));
        let deadline = Instant::now() + self.timeout;
        let mut connections: Vec<Option<Connection>> = (1..self.world_size).map(|_| None).collect();
        let mut nccl = vec![handshake.nccl; self.world_size];
        let mut pending: Vec<PendingPeer> = Vec::new();
        while let Some(missing) = connections.iter().position(Option::is_none) {
            if Instant::now() >= deadline {
                return Err(abort_all(&connections, self.missing(missing + 1)));
            }
            drop_lost(&mut connections, progress);
            // A connection that cannot be accepted was closed by its peer, or is accepted in a later round.
            for stream in listener.incoming().take(MAX_ACCEPTS).map_while(io::Result::ok) {
                pending.extend(PendingPeer::challenged(stream));
            }
            // Many that send nothing must not keep a rank out, so the oldest go.
            pending.drain(..pending.len().saturating_sub(MAX_PENDING));
            for (peer, stream) in take_ready(&mut pending, &secret, progress) {
                let rank = peer.rank;
                // The peer has closed it: as one that is lost later, it may be started again.
                let Ok(connection) = Connection::new(rank, stream, self.timeout) else { continue };
                if let Some(mismatch) = handshake.mismatch(&peer).or_else(|| self.wrong_rank(rank, &connections)) {
                    let misfit = misfit(rank, &mismatch);
                    progress.log(format!("rejected a rank, and still waiting for the others: {misfit}"));
                    connection.abort(&misfit.to_string());
                    continue;
                }
                progress.log(format!("rank {rank} has connected"));
                nccl[rank] = peer.handshake.is_some_and(|handshake| handshake.nccl);
                connections[rank - 1] = Some(connection);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok((connections.into_iter().flatten().collect(), !nccl.contains(&false)))
    }

    fn listen(&self) -> Result<TcpListener> {
        let listener = TcpListener::bind(&*self.endpoint).map_err(|error| self.unusable(&error))?;
        listener.set_nonblocking(true).map_err(|error| self.unusable(&error))?;
        Ok(listener)
    }

    fn unusable(&self, error: &io::Error) -> Error {
        Error::Request(format!(
            "rank 0 cannot listen at {} ({error}): set an address of this machine and a free port with --rdzv-endpoint",
            self.endpoint
        ))
    }

    fn missing(&self, rank: usize) -> Error {
        Error::Request(format!(
            "rank {rank} did not connect to {} within {} s: start all ranks, or raise --timeout",
            self.endpoint,
            self.timeout.as_secs()
        ))
    }

    /// Describes why `rank` cannot join beside `connections`.
    fn wrong_rank(&self, rank: usize, connections: &[Option<Connection>]) -> Option<String> {
        match connections.get(rank.wrapping_sub(1)) {
            Some(None) => None,
            Some(Some(_)) => Some("another process has this rank".to_owned()),
            None => Some(format!("the other ranks are 1 to {}", self.world_size - 1)),
        }
    }

    /// Connects to rank 0 and sends this rank's handshake.
    pub(super) fn connect(&self, handshake: &Handshake, progress: &Progress) -> Result<Connection> {
        let secret = Secret::for_endpoint(&self.endpoint)?;
        progress.log(format!("rank {} of {} connects to rank 0 at {}", self.rank, self.world_size, self.endpoint));
        let deadline = Instant::now() + self.timeout;
        let stream = loop {
            match self.try_connect(deadline) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => {
                    return Err(Error::Request(format!(
                        "rank 0 cannot be reached at {} within {} s ({error}): start it with the same --rdzv-endpoint, or \
                         raise --timeout",
                        self.endpoint,
                        self.timeout.as_secs()
                    )));
                }
                Err(_) => std::thread::sleep(POLL_INTERVAL),
            }
        };
        let connection = Connection::new(0, stream, self.timeout)
            .map_err(|error| Error::Request(format!("the connection to rank 0 cannot be used: {error}")))?;
        prove(&connection, &secret)?;
        connection.send(toml::to_string(handshake).map_err(|e| Error::Internal(e.to_string()))?.as_bytes())?;
        Ok(connection)
    }

    /// Tries each address of rank 0 once.
    fn try_connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.endpoint.to_socket_addrs()? {
            let left = deadline.saturating_duration_since(Instant::now()).max(POLL_INTERVAL);
            match TcpStream::connect_timeout(&address, left) {
                // The system may choose a free port as this end's own, which then connects to itself.
                Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {}
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// Drops the connections of ranks that have ended: such a rank may be started again.
fn drop_lost(connections: &mut [Option<Connection>], progress: &Progress) {
    for (index, connection) in connections.iter_mut().enumerate() {
        if connection.take_if(|connection| connection.check().is_err()).is_some() {
            progress.log(format!("rank {} has disconnected", index + 1));
        }
    }
}

/// A connection at rank 0 that may not be a rank.
struct PendingPeer {
    connection: PendingConnection,
    challenge: Challenge,
    /// True if it has the secret. Nothing about the program is sent before.
    is_proven: bool,
}

/// The state of a pending peer after its next frame.
enum Answer {
    Incomplete,
    Rank(Peer),
    Stranger,
}

impl PendingPeer {
    /// Sends a challenge; `None` if the connection is lost.
    fn challenged(stream: TcpStream) -> Option<Self> {
        let connection = PendingConnection::new(stream, HANDSHAKE_TIMEOUT).ok()?;
        let challenge = secret::challenge().ok()?;
        connection.send(&challenge).ok()?;
        Some(Self { connection, challenge, is_proven: false })
    }

    fn poll(&mut self, secret: &Secret) -> Answer {
        let limit = if self.is_proven { MAX_HANDSHAKE_BYTES } else { 2 * secret::BYTES };
        match self.connection.poll_frame(limit) {
            Ok(None) => Answer::Incomplete,
            Ok(Some(frame)) if self.is_proven => Peer::parse(&frame).map_or(Answer::Stranger, Answer::Rank),
            Ok(Some(frame)) if self.prove(&frame, secret).is_some() => Answer::Incomplete,
            _ => Answer::Stranger,
        }
    }

    /// Checks the proof in `frame` and returns that of rank 0.
    fn prove(&mut self, frame: &[u8], secret: &Secret) -> Option<()> {
        let (theirs, proof) = frame.split_first_chunk::<{ secret::BYTES }>()?;
        let expected = secret.proof(Role::Rank, &self.challenge, theirs);
        if expected != *proof.first_chunk::<{ secret::BYTES }>()? {
            return None;
        }
        self.is_proven = true;
        self.connection.send(secret.proof(Role::Main, &self.challenge, theirs).as_bytes()).ok()
    }
}

/// Removes the peers whose handshake is complete and returns them. Drops those that are not ranks.
fn take_ready(pending: &mut Vec<PendingPeer>, secret: &Secret, progress: &Progress) -> Vec<(Peer, TcpStream)> {
    let mut ready = Vec::new();
    for mut waiting in std::mem::take(pending) {
        match waiting.poll(secret) {
            Answer::Incomplete => pending.push(waiting),
            Answer::Rank(peer) => ready.push((peer, waiting.connection.into_stream())),
            Answer::Stranger => {
                progress.log("rejected a connection that is not a gal-bench rank with this job's secret");
            }
        }
    }
    ready
}

/// Proves on a rank that it has the secret, and checks that rank 0 has it too.
fn prove(connection: &Connection, secret: &Secret) -> Result<()> {
    let main = connection.receive(secret::BYTES)?;
    let ours = secret::challenge()?;
    let main = main.first_chunk::<{ secret::BYTES }>().copied().unwrap_or_default();
    connection.send(&[&ours[..], secret.proof(Role::Rank, &main, &ours).as_bytes()].concat())?;
    let refused = || {
        Error::Request(
            "rank 0 has another secret: set GAL_BENCH_SECRET to the same text on all ranks, and run them as the same user"
                .to_owned(),
        )
    };
    let proof = connection.receive(secret::BYTES).map_err(|_| refused())?;
    match proof.first_chunk::<{ secret::BYTES }>() {
        Some(proof) if secret.proof(Role::Main, &main, &ours) == *proof => Ok(()),
        _ => Err(refused()),
    }
}

fn misfit(rank: usize, mismatch: &str) -> Error {
    Error::Request(format!(
        "rank {rank} does not match rank 0 ({mismatch}): start all ranks with the same program, data and options, each \
         with its own --rank"
    ))
}

/// Sends `error` to all connected ranks.
fn abort_all(connections: &[Option<Connection>], error: Error) -> Error {
    connections.iter().flatten().for_each(|connection| connection.abort(&error.to_string()));
    error
}
