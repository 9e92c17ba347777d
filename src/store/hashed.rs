//! A file whose bytes are counted and hashed on their way.

use std::io::{BufWriter, Result, Write};

/// See the module.
pub(super) struct Hashed<W: Write> {
    file: BufWriter<W>,
    hasher: blake3::Hasher,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(file: W) -> Self {
        Self { file: BufWriter::with_capacity(1 << 18, file), hasher: blake3::Hasher::new() }
    }

    /// How many bytes have been written.
    pub(super) fn count(&self) -> u64 {
        self.hasher.count()
    }

    /// Hands on what is still buffered; the file, and the digest of all that was written.
    pub(super) fn finish(self) -> Result<(W, blake3::Hash)> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok((file, self.hasher.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}
