//! Reads MATLAB 7.3 files: HDF5 after a block of 512 bytes. A cell array of strings is a dataset of references to
//! UTF-16 strings; dimensions are reversed, as MATLAB arrays are column-major.
//! Format: <https://www.mathworks.com/help/matlab/import_export/mat-file-versions.html>.
//! `hdf5_pure` rather than the `hdf5` crate, which links the C library; `matfile` reads version 5 only.

use crate::error::{Error, Result};
use crate::io;
use hdf5_pure::{Dataset, File, Object};
use std::path::{Path, PathBuf};

/// Advice for a file in another format.
const CONVERT: &str = "save it in MATLAB with the option -v7.3, or use a CSV conversion instead (datasets/README.md)";

/// Limit on the size of a variable, in bytes; LFWA's largest is far smaller.
const MAX_BYTES: u64 = 1 << 28;

/// An open file and its path for messages.
#[derive(Debug)]
pub(super) struct MatFile {
    /// Path of the file.
    pub(super) path: PathBuf,
    hdf5: File,
}

impl MatFile {
    /// Opens a file with the content `bytes`.
    ///
    /// # Errors
    /// The file is of an older MATLAB version or another format, or damaged.
    pub(super) fn open(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        if let Some(error) = io::foreign(path, &bytes) {
            return Err(error);
        }
        if let Some(archive) = io::archive(&bytes) {
            return Err(Error::file(path, format!("is {archive}: unpack it, and give the MATLAB file inside")));
        }
        if bytes.starts_with(b"MATLAB 5.0 MAT-file") {
            let message = format!("is in the older MATLAB format (version 5 to 7), expected version 7.3; {CONVERT}");
            return Err(Error::file(path, message));
        }
        if !hdf5_pure::is_hdf5_bytes(&bytes) {
            return Err(Error::file(path, format!("is not a MATLAB 7.3 file; download it again, or {CONVERT}")));
        }
        let found = bytes.len() as u64;
        let hdf5 = guarded(path, || File::from_bytes(bytes).map_err(|error| damaged(path, &error)))?;
        // The crate notices truncation only when it reads a missing byte; libhdf5 checks the length, as here.
        let expected = hdf5.superblock().eof_address;
        if found < expected {
            let message = format!("is truncated: {found} of {expected} bytes; download it again");
            return Err(Error::file(path, message));
        }
        Ok(Self { path: path.to_owned(), hdf5 })
    }

    /// The strings of the cell array `name`, in storage order.
    pub(super) fn strings(&self, name: &str) -> Result<Vec<String>> {
        guarded(&self.path, || self.read_strings(name))
    }

    /// Dimensions and values of the array `name`, in storage order: MATLAB's last dimension comes first.
    pub(super) fn numbers(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        guarded(&self.path, || self.read_numbers(name))
    }

    /// As [`Self::strings`].
    fn read_strings(&self, name: &str) -> Result<Vec<String>> {
        let variable = self.variable(name)?;
        self.dimensions(&variable, &format!("`{name}`"))?;
        let cells = variable
            .dereference()
            .map_err(|error| Error::file(&self.path, format!("`{name}` is not a cell array of strings: {error}")))?;
        let cells = cells.iter().enumerate();
        cells.map(|(cell, object)| self.string(object, &format!("`{name}`, cell {}", cell + 1))).collect()
    }

    /// As [`Self::numbers`].
    fn read_numbers(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        let dataset = self.variable(name)?;
        let shape = self.dimensions(&dataset, &format!("`{name}`"))?;
        let numbers = dataset.read_f64().map_err(|error| {
            Error::file(&self.path, format!("cannot read the numbers of `{name}`: {error}; is the file complete?"))
        })?;
        if numbers.len() != shape.iter().product::<usize>() {
            let message = format!("`{name}` has {} numbers, expected {shape:?}; is the file complete?", numbers.len());
            return Err(Error::file(&self.path, message));
        }
        Ok((shape, numbers))
    }

    /// Dimensions of a variable. Rejects impossible sizes: the crate would allocate whatever a damaged header states.
    fn dimensions(&self, dataset: &Dataset, place: &str) -> Result<Vec<usize>> {
        let shape = dataset.shape().map_err(|error| damaged(&self.path, &error))?;
        let size = dataset.element_size().map_err(|error| damaged(&self.path, &error))?;
        let bytes = shape.iter().try_fold(size, |product, side| product.checked_mul(*side));
        if bytes.is_none_or(|bytes| bytes > MAX_BYTES) {
            let message =
                format!("{place} has an impossible size: {shape:?} elements of {size} bytes; download it again");
            return Err(Error::file(&self.path, message));
        }
        Ok(shape.into_iter().map(|side| side as usize).collect())
    }

    /// The variable `name`; the error lists the variables that exist.
    fn variable(&self, name: &str) -> Result<Dataset> {
        self.hdf5.dataset(name).map_err(|error| {
            let Ok(mut names) = self.hdf5.root().datasets() else { return damaged(&self.path, &error) };
            if names.iter().any(|found| found == name) {
                return damaged(&self.path, &error);
            }
            names.sort();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::file(&self.path, format!("has no variable `{name}`; its variables are: {names}"))
        })
    }

    /// One string of a cell array.
    fn string(&self, object: &Object, place: &str) -> Result<String> {
        let Object::Dataset(dataset) = object else {
            return Err(Error::file(&self.path, format!("{place} is not a string")));
        };
        self.dimensions(dataset, place)?;
        let units = dataset.read_u16().map_err(|error| {
            Error::file(&self.path, format!("cannot read {place} as a string: {error}; is the file complete?"))
        })?;
        String::from_utf16(&units).map_err(|_| Error::file(&self.path, format!("{place} is not valid UTF-16 text")))
    }
}

/// Runs `read` and turns a panic into an error about the file. The crate does unchecked arithmetic on the addresses in a
/// file; Cargo.toml enables overflow checks for it.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    io::guarded(read)
        .unwrap_or_else(|| Err(Error::file(path, "is damaged: it contains impossible addresses; download it again")))
}

/// The error of a file with a valid start and invalid content.
fn damaged(path: &Path, error: &hdf5_pure::Error) -> Error {
    Error::file(path, format!("is damaged or truncated: {error}; download it again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads every variable of the LFWA reader.
    fn read_all(bytes: Vec<u8>) -> Result<(Vec<String>, Vec<usize>)> {
        let file = MatFile::open(Path::new("x.mat"), bytes)?;
        file.strings("AttrName")?;
        Ok((file.strings("name")?, file.numbers("label")?.0))
    }

    fn golden() -> Vec<u8> {
        include_bytes!("../../tests/golden/lfwa_attributes.mat").to_vec()
    }

    #[test]
    fn cell_strings_keep_letters_beyond_ascii_and_dimensions_come_reversed() {
        let (names, shape) = read_all(golden()).unwrap();
        assert_eq!(names[3], "Zoë_Finch\\Zoë_Finch_0001.jpg");
        assert_eq!(shape, [40, 6]);
    }

    #[test]
    fn an_impossible_address_is_an_error_and_not_a_wrong_label() {
        // The first row of the first chunk in the tree of `label`.
        let mut bytes = golden();
        bytes[21_960 + 32..][..8].fill(0xFF);
        let expected = "x.mat: is damaged: it contains impossible addresses; download it again";
        assert_eq!(read_all(bytes).unwrap_err().to_string(), expected);
    }

    proptest! {
        #[test]
        fn damage_anywhere_never_panics(changes in proptest::collection::vec((0_usize..24_576, any::<u8>()), 1..12)) {
            let mut bytes = golden();
            for (place, byte) in changes {
                bytes[place] = byte;
            }
            let _ = read_all(bytes);
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read_all(bytes);
        }
    }
}
