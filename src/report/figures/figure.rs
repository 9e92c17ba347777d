//! A figure with its caption.

/// A drawn figure and its text.
#[derive(Debug)]
pub(in crate::report) struct Figure {
    /// Heading of its section.
    pub(in crate::report) section: &'static str,
    /// Name of the file beside README.md.
    pub(in crate::report) file: String,
    /// Text for readers who cannot see it.
    pub(in crate::report) alt: String,
    /// Caption: how to read it, and its main numbers.
    pub(in crate::report) text: String,
    /// Content of the file.
    pub(in crate::report) svg: Vec<u8>,
}
