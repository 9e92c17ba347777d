//! The connection of two ranks: frames over TCP, each a kind, a length and a payload.

use crate::error::{Error, Result};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

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
            _ => {
                // Whatever followed a frame that was cut short would be taken for its rest.
                let _ = self.stream.shutdown(Shutdown::Both);
                self.lost(&error)
            }
        })
    }

    pub(super) fn receive(&self) -> Result<Vec<u8>> {
        match read(&self.stream).map_err(|error| self.lost(&error))? {
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

/// Somebody who calls, and what he has said so far: a rank, or a stranger, for whom nobody waits.
#[derive(Debug)]
pub(super) struct Call {
    stream: TcpStream,
    heard: Vec<u8>,
    until: Instant,
}

impl Call {
    /// His first frame must be there after `patience`.
    pub(super) fn new(stream: TcpStream, patience: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, heard: Vec::new(), until: Instant::now() + patience })
    }

    /// His first frame, without waiting for it: none if it is not there yet, an error if it is none of data, longer than
    /// `limit` bytes, or too late.
    pub(super) fn hear(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        loop {
            let whole = match self.heard.first_chunk() {
                Some(header) => HEADER + length(*header, &[DATA], limit as u64)? as usize,
                None => HEADER,
            };
            let missing = whole - self.heard.len();
            if missing == 0 {
                return Ok(Some(self.heard.split_off(HEADER)));
            }
            match (&self.stream).take(missing as u64).read_to_end(&mut self.heard) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < self.until => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// Bytes of a frame before its payload: kind and length.
const HEADER: usize = 9;

fn write(mut stream: &TcpStream, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut header = vec![kind];
    header.extend((payload.len() as u64).to_le_bytes());
    stream.write_all(&header)?;
    stream.write_all(payload)
}

fn read(mut stream: &TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let length = length(header, &[DATA, STOP], u64::MAX)?;
    // Grows with what arrives: a length that is no length must not ask for memory.
    let mut payload = Vec::new();
    stream.take(length).read_to_end(&mut payload)?;
    if payload.len() as u64 == length { Ok((header[0], payload)) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// The length of a frame's payload, at most `limit`, from its header, which must be of one of `kinds`.
fn length([kind, length @ ..]: [u8; HEADER], kinds: &[u8], limit: u64) -> io::Result<u64> {
    let length = u64::from_le_bytes(length);
    if kinds.contains(&kind) && length <= limit {
        return Ok(length);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "it does not speak as a rank does"))
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
    fn nothing_follows_a_frame_that_was_cut_short() {
        let (here, there) = pair(Duration::from_secs(1));
        let frame = vec![0; 1 << 26];
        assert!(here.send(&frame).unwrap_err().to_string().contains("rank 1 was lost (nothing came from it for 1 s"));
        std::thread::scope(|scope| {
            let heard = scope.spawn(move || {
                let mut heard = Vec::new();
                (&there.stream).read_to_end(&mut heard).map(|_| heard)
            });
            here.stop("the disk is full");
            drop(here);
            let heard = heard.join().unwrap().unwrap();
            assert!(heard.len() < frame.len() && heard[HEADER..].iter().all(|byte| *byte == 0));
        });
    }

    #[test]
    fn a_caller_is_heard_as_far_as_he_has_come_and_only_as_long_as_he_may() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let call = |patience| {
            let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (Call::new(listener.accept().unwrap().0, patience).unwrap(), there)
        };
        let heard = |call: &mut Call| loop {
            match call.hear(4) {
                Ok(None) => std::thread::yield_now(),
                other => break other.map(Option::unwrap).map_err(|error| error.kind()),
            }
        };
        let (mut rank, there) = call(Duration::from_mins(1));
        (&there).write_all(&[DATA, 3, 0]).unwrap();
        assert!(rank.hear(4).unwrap().is_none());
        (&there).write_all(b"\0\0\0\0\0\0abcd").unwrap();
        assert_eq!(heard(&mut rank).unwrap(), b"abc");

        for frame in [&b"d\x05\0\0\0\0\0\0\0"[..], &[DATA, 255, 255, 255, 255, 255, 255, 255, 255], b"GET / HTTP/1.1"] {
            let (mut stranger, there) = call(Duration::from_mins(1));
            (&there).write_all(frame).unwrap();
            assert_eq!(heard(&mut stranger), Err(ErrorKind::InvalidData));
        }
        let (mut hasty, there) = call(Duration::from_mins(1));
        drop(there);
        assert_eq!(heard(&mut hasty), Err(ErrorKind::UnexpectedEof));
        let (mut silent, _there) = call(Duration::from_millis(20));
        assert_eq!(heard(&mut silent), Err(ErrorKind::WouldBlock));
    }

    #[test]
    fn a_peer_that_says_nothing_is_lost_after_the_patience() {
        let (here, _there) = pair(Duration::from_secs(1));
        let error = here.receive().unwrap_err().to_string();
        assert!(error.contains("rank 1 was lost (nothing came from it for 1 s, see --patience)"), "{error}");
    }
}
