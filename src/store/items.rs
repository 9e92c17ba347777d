//! The sources to be stored, in the order of the data set's table, each with its copies.

use crate::dataset::{Row, Split};
use std::collections::HashSet;
use std::path::Path;

/// A source image and its copies.
#[derive(Debug)]
pub(super) struct SourceItem<'a> {
    /// Row in the data set's table.
    pub(super) row: usize,
    /// The content of that row.
    pub(super) annotation: Row<'a>,
    /// Start of its images' names: its file name without extension and dots, unique among the items.
    pub(super) stem: String,
    /// Number of images made of it, the undistorted one included.
    pub(super) copies: u32,
    /// Row of its first image in the manifest.
    pub(super) first: usize,
    /// BLAKE3 of its file; `None` if it is synthetic.
    pub(super) digest: Option<blake3::Hash>,
}

impl SourceItem<'_> {
    /// The name of an image, without extension.
    pub(super) fn name(&self, copy: u32) -> String {
        format!("{}-{copy}", self.stem)
    }
}

/// The items of a table, with `copies` of each row.
pub(super) fn items<'a>(rows: &[Row<'a>], copies: &[u32]) -> Vec<SourceItem<'a>> {
    let stems: Vec<String> = rows.iter().map(|annotation| stem(annotation.source)).collect();
    // Names that differ only by folder or case would collide. The row number then makes them unique.
    let mut seen = HashSet::new();
    let unique = stems.iter().all(|stem| seen.insert(stem.to_lowercase()));
    let mut first = 0;
    let item = |(row, ((annotation, stem), copies)): (usize, ((&Row<'a>, String), &u32))| {
        let stem = if unique { stem } else { format!("{row:07}-{stem}") };
        let item = SourceItem { row, annotation: *annotation, stem, copies: *copies, first, digest: None };
        first += *copies as usize;
        item
    };
    rows.iter().zip(stems).zip(copies).enumerate().map(item).collect()
}

/// The file name without extension. Dots are replaced, because a `WebDataset` key ends at the first dot.
fn stem(source: &str) -> String {
    Path::new(source).file_stem().and_then(|stem| stem.to_str()).unwrap_or("image").replace('.', "_")
}

/// Number of images of all items.
pub(super) fn image_count(items: &[SourceItem]) -> usize {
    items.last().map_or(0, |last| last.first + last.copies as usize)
}

/// The shard number of each item, if the shards of each `lane` are filled one after the other. A shard holds items with
/// a total `weight` of at most `limit`, or a single item.
pub(super) fn shards(
    items: &[SourceItem],
    limit: usize,
    lane: impl Fn(&SourceItem) -> usize,
    weight: impl Fn(&SourceItem) -> usize,
) -> Vec<usize> {
    // The shard that each lane is filling, and its weight so far.
    let mut filling = [(0_usize, 0_usize); Split::ALL.len()];
    let shard_of = |item: &SourceItem| {
        let (shard, filled) = &mut filling[lane(item)];
        let weight = weight(item);
        if *filled > 0 && *filled + weight > limit {
            (*shard, *filled) = (*shard + 1, 0);
        }
        *filled += weight;
        *shard
    };
    items.iter().map(shard_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::COUNT;

    fn faces(sources: &[&'static str]) -> Vec<Row<'static>> {
        let face =
            |source: &&'static str| Row { source, split: Split::Train, identity: None, labels: [Some(false); COUNT] };
        sources.iter().map(face).collect()
    }

    #[test]
    fn names_have_no_dots_and_are_unique() {
        let stems = |sources: &[&'static str]| -> Vec<String> {
            items(&faces(sources), &vec![1; sources.len()]).into_iter().map(|item| item.stem).collect()
        };
        assert_eq!(stems(&["a/x.y.jpg", "b/z.jpg"]), ["x_y", "z"]);
        assert_eq!(stems(&["a/x.y.jpg", "b/x_y.jpg"]), ["0000000-x_y", "0000001-x_y"]);
        assert_eq!(stems(&["a/x.jpg", "b/X.jpg"]), ["0000000-x", "0000001-X"]);
    }

    #[test]
    fn a_shard_is_full_before_the_item_that_would_pass_its_limit() {
        let faces = faces(&["a", "b", "c", "d", "e"]);
        let items = items(&faces, &[3, 2, 1, 9, 1]);
        assert_eq!(shards(&items, 5, |_| 0, |item| item.copies as usize), [0, 0, 1, 2, 3]);
        assert_eq!(items.iter().map(|item| item.first).collect::<Vec<_>>(), [0, 3, 5, 6, 15]);
        assert_eq!(image_count(&items), 16);
    }
}
