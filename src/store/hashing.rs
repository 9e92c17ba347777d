//! BLAKE3 digests of bytes, in memory and while they are written.

use std::io::{BufWriter, Result, Write};

/// BLAKE3 of `bytes`, in hexadecimal.
pub(super) fn hex_digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// A buffered writer that counts and hashes what is written.
pub(super) struct HashingWriter<W: Write> {
    inner: BufWriter<W>,
    hasher: blake3::Hasher,
}

impl<W: Write> HashingWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner: BufWriter::with_capacity(1 << 18, inner), hasher: blake3::Hasher::new() }
    }

    /// Bytes written so far.
    pub(super) fn count(&self) -> u64 {
        self.hasher.count()
    }

    /// Flushes the buffer; returns the inner writer and the digest of everything written.
    pub(super) fn finish(self) -> Result<(W, blake3::Hash)> {
        let inner = self.inner.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok((inner, self.hasher.finalize()))
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}
