//! The TCP connection of two ranks. A frame is a kind, a length and a payload.

use crate::error::{Error, Result};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Kinds of frames.
const DATA: u8 = b'd';
/// The sender ends; the payload is the reason.
const ABORT: u8 = b's';

/// Longest reason that is read.
const MAX_REASON_BYTES: usize = 64 << 10;

/// Bytes of a frame before its payload: kind and length.
const HEADER: usize = 9;

/// A connection to another rank.
#[derive(Debug)]
pub(super) struct Connection {
    peer: usize,
    stream: TcpStream,
    timeout: Duration,
}

impl Connection {
    /// To rank `peer`, which counts as lost if one exchange takes longer than `timeout`.
    pub(super) fn new(peer: usize, stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { peer, stream, timeout })
    }

    pub(super) fn send(&self, payload: &[u8]) -> Result<()> {
        write_frame(&self.stream, DATA, payload).map_err(|error| match error.kind() {
            // The peer may have sent a reason before it closed the connection.
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                self.receive(0).err().unwrap_or_else(|| self.lost(&error))
            }
            _ => {
                // The peer would take later frames for the rest of this one.
                let _ = self.stream.shutdown(Shutdown::Both);
                self.lost(&error)
            }
        })
    }

    /// Receives a payload of at most `limit` bytes.
    pub(super) fn receive(&self, limit: usize) -> Result<Vec<u8>> {
        match read_frame(&self.stream, limit).map_err(|error| self.lost(&error))? {
            (DATA, payload) => Ok(payload),
            (_, reason) => {
                Err(Error::Request(format!("rank {} stopped: {}", self.peer, String::from_utf8_lossy(&reason))))
            }
        }
    }

    /// Sends the reason why this rank ends. Errors are ignored, since the peer may have ended too.
    pub(super) fn abort(&self, reason: &str) {
        let _ = write_frame(&self.stream, ABORT, reason.as_bytes());
    }

    /// Checks without waiting that the peer has neither stopped nor been lost.
    pub(super) fn check(&self) -> Result<()> {
        let mut kind = [0];
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut kind));
        self.stream.set_nonblocking(false).map_err(|error| self.lost(&error))?;
        match peeked {
            Ok(0) => Err(self.lost(&ErrorKind::UnexpectedEof.into())),
            Ok(_) if kind[0] == ABORT => self.receive(0).map(drop),
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
                format!("no data for {} s, see --timeout", self.timeout.as_secs())
            }
            _ => error.to_string(),
        };
        Error::Request(format!(
            "rank {} was lost ({reason}): start all ranks again, and they resume from the last checkpoint",
            self.peer
        ))
    }
}

/// An accepted connection whose handshake is still incomplete. It may not be a rank, so reading from it never blocks.
#[derive(Debug)]
pub(super) struct PendingConnection {
    stream: TcpStream,
    received: Vec<u8>,
    deadline: Instant,
}

impl PendingConnection {
    /// The handshake must be complete within `timeout`.
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new(), deadline: Instant::now() + timeout })
    }

    /// Sends a short payload.
    pub(super) fn send(&self, payload: &[u8]) -> io::Result<()> {
        write_frame(&self.stream, DATA, payload)
    }

    /// The payload of the next frame; `None` if it is still incomplete.
    ///
    /// # Errors
    /// A frame of another kind, longer than `limit` bytes, or too late.
    pub(super) fn poll_frame(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        loop {
            let total = match self.received.first_chunk() {
                Some(header) => HEADER + payload_length(*header, &[DATA], limit as u64)? as usize,
                None => HEADER,
            };
            let missing = total - self.received.len();
            if missing == 0 {
                let payload = self.received.split_off(HEADER);
                self.received.clear();
                return Ok(Some(payload));
            }
            match (&self.stream).take(missing as u64).read_to_end(&mut self.received) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < self.deadline => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

fn write_frame(mut stream: &TcpStream, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut header = vec![kind];
    header.extend((payload.len() as u64).to_le_bytes());
    stream.write_all(&header)?;
    stream.write_all(payload)
}

/// Reads a frame: data of at most `limit` bytes, or a reason.
fn read_frame(mut stream: &TcpStream, limit: usize) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let limit = if header[0] == ABORT { MAX_REASON_BYTES } else { limit };
    let length = payload_length(header, &[DATA, ABORT], limit as u64)?;
    // The buffer grows with what arrives: a corrupt length must not allocate memory.
    let mut payload = Vec::new();
    stream.take(length).read_to_end(&mut payload)?;
    if payload.len() as u64 == length { Ok((header[0], payload)) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// The payload's length, at most `limit`, from a header of one of `kinds`.
fn payload_length([kind, length @ ..]: [u8; HEADER], kinds: &[u8], limit: u64) -> io::Result<u64> {
    let length = u64::from_le_bytes(length);
    if kinds.contains(&kind) && length <= limit {
        return Ok(length);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "it sent something that is not a frame of gal-bench"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair(timeout: Duration) -> (Connection, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let here = listener.accept().unwrap().0;
        (Connection::new(1, here, timeout).unwrap(), Connection::new(0, there, timeout).unwrap())
    }

    #[test]
    fn the_reason_of_a_peer_that_aborts_is_quoted_and_one_that_ends_is_lost() {
        let (here, there) = pair(Duration::from_mins(1));
        assert!(here.check().is_ok());
        there.send(b"abc").unwrap();
        assert!(here.check().is_ok());
        assert_eq!(here.receive(3).unwrap(), b"abc");
        there.abort("no room on the disk");
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
        assert!(here.send(&frame).unwrap_err().to_string().contains("rank 1 was lost (no data for 1 s"));
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut received = Vec::new();
                (&there.stream).read_to_end(&mut received).map(|_| received)
            });
            here.abort("the disk is full");
            drop(here);
            let received = reader.join().unwrap().unwrap();
            assert!(received.len() < frame.len() && received[HEADER..].iter().all(|byte| *byte == 0));
        });
    }

    #[test]
    fn an_incomplete_handshake_never_blocks_and_expires() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let accept = |timeout| {
            let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (PendingConnection::new(listener.accept().unwrap().0, timeout).unwrap(), there)
        };
        let frame_of = |connection: &mut PendingConnection| loop {
            match connection.poll_frame(4) {
                Ok(None) => std::thread::yield_now(),
                other => break other.map(Option::unwrap).map_err(|error| error.kind()),
            }
        };
        let (mut rank, there) = accept(Duration::from_mins(1));
        (&there).write_all(&[DATA, 3, 0]).unwrap();
        assert!(rank.poll_frame(4).unwrap().is_none());
        (&there).write_all(b"\0\0\0\0\0\0abcd").unwrap();
        assert_eq!(frame_of(&mut rank).unwrap(), b"abc");

        for frame in [&b"d\x05\0\0\0\0\0\0\0"[..], &[DATA, 255, 255, 255, 255, 255, 255, 255, 255], b"GET / HTTP/1.1"] {
            let (mut stranger, there) = accept(Duration::from_mins(1));
            (&there).write_all(frame).unwrap();
            assert_eq!(frame_of(&mut stranger), Err(ErrorKind::InvalidData));
        }
        let (mut closed, there) = accept(Duration::from_mins(1));
        drop(there);
        assert_eq!(frame_of(&mut closed), Err(ErrorKind::UnexpectedEof));
        let (mut silent, _there) = accept(Duration::from_millis(20));
        assert_eq!(frame_of(&mut silent), Err(ErrorKind::WouldBlock));
    }

    #[test]
    fn a_silent_peer_is_lost_after_the_timeout() {
        let (here, _there) = pair(Duration::from_secs(1));
        let error = here.receive(1 << 20).unwrap_err().to_string();
        assert!(error.contains("rank 1 was lost (no data for 1 s, see --timeout)"), "{error}");
    }
}
