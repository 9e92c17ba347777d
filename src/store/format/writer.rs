//! The interface of a storage format.

use crate::error::Result;
use crate::progress::Bar;
use crate::store::items::SourceItem;
use crate::store::options::Options;
use crate::store::prepared::Shard;
use crate::store::sources::CopyRenderer;
use std::collections::BTreeMap;

/// Writes images in one format. An interrupted run is resumed: stored images are kept.
pub(in crate::store) trait Writer: Sync {
    /// Removes the stored images of `changed` items, whose source files have changed, or of which a stored image is missing or
    /// has another length; `changed` is not empty.
    fn remove_stale(&self, changed: &[&SourceItem]) -> Result<()>;
    /// Prepares the folder.
    fn begin(&self) -> Result<()> {
        Ok(())
    }
    /// Groups of items; one thread stores a group.
    fn groups<'a>(&self, items: &'a [SourceItem<'a>]) -> Vec<Vec<&'a SourceItem<'a>>> {
        items.iter().map(|item| vec![item]).collect()
    }
    /// Stores the images of a group that are not stored yet.
    fn store(&self, group: &[&SourceItem], context: &WriteContext) -> Result<StoredGroup>;
    /// Syncs everything to the disk, under its final name.
    fn finish(&self, _: &[SourceItem]) -> Result<()> {
        Ok(())
    }
    /// The file of an image below the prepared folder, and its name inside an archive.
    fn file_and_member(&self, item: &SourceItem, copy: u32) -> (Option<String>, Option<String>);
}

/// State shared by all threads.
pub(in crate::store) struct WriteContext<'a> {
    pub(in crate::store) renderer: &'a CopyRenderer<'a>,
    pub(in crate::store) options: &'a Options,
    pub(in crate::store) bar: &'a Bar,
}

/// The bytes of one stored image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct StoredImage {
    /// Offset of the first byte in the file.
    pub(in crate::store) offset: u64,
    /// Number of bytes.
    pub(in crate::store) bytes: u64,
    /// BLAKE3 of the bytes.
    pub(in crate::store) digest: blake3::Hash,
}

/// The stored images of a group of items.
#[derive(Debug, Default)]
pub(in crate::store) struct StoredGroup {
    /// The copies of each item; empty in a virtual set.
    pub(in crate::store) images: Vec<Vec<StoredImage>>,
    /// The file with all these images, if it has a digest of its own.
    pub(in crate::store) shard: Option<Shard>,
}

/// Items grouped by key, in the order of the keys.
pub(super) fn grouped<'a, K: Ord>(
    items: &'a [SourceItem<'a>],
    key: impl Fn(&SourceItem) -> K,
) -> Vec<Vec<&'a SourceItem<'a>>> {
    let mut groups = BTreeMap::<K, Vec<&SourceItem>>::new();
    for item in items {
        groups.entry(key(item)).or_default().push(item);
    }
    groups.into_values().collect()
}
