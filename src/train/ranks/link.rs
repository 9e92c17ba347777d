//! The connection of two ranks: frames over TCP, each a kind, a length and a payload.

use crate::error::{Error, Result};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const DATA: u8 = b'd';
/// The sender ends; the payload says why.
const STOP: u8 = b's';

/// A connection to another rank.
#[derive(Debug)]
pub(super) struct Link {
    peer: usize,
    stream: TcpStream,
    patience: Duration,
}

impl Link {
    /// To rank `peer`, which is taken for lost when it keeps this one waiting for longer than `patience`.
    pub(super) fn new(peer: usize, stream: TcpStream, patience: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { peer, stream, patience })
    }

    pub(super) fn send(&self, payload: &[u8]) -> Result<()> {
        write(&self.stream, DATA, payload).map_err(|error| match error.kind() {
            // Whoever closed the connection may have said why.
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                self.receive().err().unwrap_or_else(|| self.lost(&error))
            }
            _ => self.lost(&error),
        })
    }

    pub(super) fn receive(&self) -> Result<Vec<u8>> {
        match read(&self.stream, u64::MAX).map_err(|error| self.lost(&error))? {
            (DATA, payload) => Ok(payload),
            (_, reason) => {
                Err(Error::Request(format!("rank {} stopped: {}", self.peer, String::from_utf8_lossy(&reason))))
            }
        }
    }

    /// Tells the peer that this rank ends, and why. It may be gone already, so nobody hears of a failure.
    pub(super) fn stop(&self, reason: &str) {
        let _ = write(&self.stream, STOP, reason.as_bytes());
    }

    /// An error if the peer has stopped or is gone, without waiting for it.
    pub(super) fn check(&self) -> Result<()> {
        let mut kind = [0];
        let seen = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut kind));
        self.stream.set_nonblocking(false).map_err(|error| self.lost(&error))?;
        match seen {
            Ok(0) => Err(self.lost(&ErrorKind::UnexpectedEof.into())),
            Ok(_) if kind[0] == STOP => self.receive().map(drop),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn lost(&self, error: &io::Error) -> Error {
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                "its process ended".to_owned()
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("nothing came from it for {} s, see --patience", self.patience.as_secs())
            }
            _ => error.to_string(),
        };
        Error::Request(format!(
            "rank {} was lost ({reason}): start all ranks again, and they go on from the last checkpoint",
            self.peer
        ))
    }
}

/// The first frame of whoever calls, if it is one of data and not longer than `limit` bytes.
pub(super) fn first_frame(stream: &TcpStream, patience: Duration, limit: u64) -> Option<Vec<u8>> {
    stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(patience))).ok()?;
    read(stream, limit).ok().filter(|(kind, _)| *kind == DATA).map(|(_, payload)| payload)
}

fn write(mut stream: &TcpStream, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut header = vec![kind];
    header.extend((payload.len() as u64).to_le_bytes());
    stream.write_all(&header)?;
    stream.write_all(payload)
}

fn read(mut stream: &TcpStream, limit: u64) -> io::Result<(u8, Vec<u8>)> {
    let (mut kind, mut length) = ([0], [0; 8]);
    stream.read_exact(&mut kind)?;
    stream.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if ![DATA, STOP].contains(&kind[0]) || length > limit {
        return Err(io::Error::new(ErrorKind::InvalidData, "it does not speak as a rank does"));
    }
    // Grows with what arrives: a length that is no length must not ask for memory.
    let mut payload = Vec::new();
    stream.take(length).read_to_end(&mut payload)?;
    if payload.len() as u64 == length { Ok((kind[0], payload)) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair(patience: Duration) -> (Link, Link) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let here = listener.accept().unwrap().0;
        (Link::new(1, here, patience).unwrap(), Link::new(0, there, patience).unwrap())
    }

    #[test]
    fn a_peer_that_stops_is_quoted_and_one_that_is_gone_is_lost() {
        let (here, there) = pair(Duration::from_mins(1));
        assert!(here.check().is_ok());
        there.send(b"abc").unwrap();
        assert!(here.check().is_ok());
        assert_eq!(here.receive().unwrap(), b"abc");
        there.stop("no room on the disk");
        let stopped = here.check().unwrap_err();
        assert_eq!((stopped.to_string(), stopped.exit_code()), ("rank 1 stopped: no room on the disk".to_owned(), 2));
        drop(there);
        let lost = here.check().unwrap_err();
        assert!(lost.to_string().contains("rank 1 was lost (its process ended)"), "{lost}");
    }

    #[test]
    fn a_peer_that_says_nothing_is_lost_after_the_patience() {
        let (here, _there) = pair(Duration::from_secs(1));
        let error = here.receive().unwrap_err().to_string();
        assert!(error.contains("rank 1 was lost (nothing came from it for 1 s, see --patience)"), "{error}");
    }
}
