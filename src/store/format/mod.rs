//! The storage formats, one file each behind [`Writer`]. A new format is one file here, one variant of [`Format`] and
//! one line in [`writer()`]. Reading needs no code per format: the manifest holds every image's location.

mod jpeg_folders;
mod npy;
mod virtual_set;
mod webdataset;
mod writer;

pub(super) use npy::header as npy_header;
pub(super) use writer::{StoredImage, WriteContext, Writer};

use super::items::SourceItem;
use super::options::{Format, Options};
use std::path::Path;

/// The writer of the format in `options`.
pub(super) fn writer(folder: &Path, options: &Options, items: &[SourceItem]) -> Box<dyn Writer> {
    match options.format {
        Format::Jpeg => Box::new(jpeg_folders::JpegFolders::new(folder, items)),
        Format::Webdataset => Box::new(webdataset::WebDataset::new(folder, items)),
        Format::Npy => Box::new(npy::Npy::new(folder, options.size, items)),
        Format::Virtual => Box::new(virtual_set::VirtualSet),
    }
}
