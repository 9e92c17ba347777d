//! What is to be stored: one item a source, in the order of the data set's table, with its copies.

use crate::dataset::{Row, Split};
use std::collections::HashSet;
use std::path::Path;

/// One source and what is made of it.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its row in the data set's table.
    pub(super) row: usize,
    /// What the data set says of it.
    pub(super) face: Row<'a>,
    /// Begins the names of its images: its file name without extension and dots, unique among the items.
    pub(super) stem: String,
    /// How many images are made of it, the undistorted one included.
    pub(super) copies: u32,
    /// The row of its first image in the manifest.
    pub(super) first: usize,
    /// BLAKE3 of its file; nothing where it is drawn.
    pub(super) digest: Option<blake3::Hash>,
}

impl Item<'_> {
    /// What the image is called, without extension.
    pub(super) fn name(&self, copy: u32) -> String {
        format!("{}-{copy}", self.stem)
    }
}

/// The items of a table; `copies` of each row.
pub(super) fn items<'a>(rows: &[Row<'a>], copies: &[u32]) -> Vec<Item<'a>> {
    let stems: Vec<String> = rows.iter().map(|face| stem(face.source)).collect();
    // Names that differ by folder or by case alone would meet in one file: then the row tells them apart.
    let mut seen = HashSet::new();
    let unique = stems.iter().all(|stem| seen.insert(stem.to_lowercase()));
    let mut first = 0;
    let item = |(row, ((face, stem), copies)): (usize, ((&Row<'a>, String), &u32))| {
        let stem = if unique { stem } else { format!("{row:07}-{stem}") };
        let item = Item { row, face: *face, stem, copies: *copies, first, digest: None };
        first += *copies as usize;
        item
    };
    rows.iter().zip(stems).zip(copies).enumerate().map(item).collect()
}

/// A `WebDataset` key ends at the first dot, so a stem has none.
fn stem(source: &str) -> String {
    Path::new(source).file_stem().and_then(|stem| stem.to_str()).unwrap_or("image").replace('.', "_")
}

/// How many images all items have.
pub(super) fn images(items: &[Item]) -> usize {
    items.last().map_or(0, |last| last.first + last.copies as usize)
}

/// The number of each item's shard when those of one `lane` are filled one after the other: a shard holds items of
/// together at most `limit` by `weight`, or a single item.
pub(super) fn shards(
    items: &[Item],
    limit: usize,
    lane: impl Fn(&Item) -> usize,
    weight: impl Fn(&Item) -> usize,
) -> Vec<usize> {
    // Of each lane: the shard being filled, and what is in it.
    let mut filled = [(0_usize, 0_usize); Split::ALL.len()];
    let place = |item: &Item| {
        let (shard, load) = &mut filled[lane(item)];
        let weight = weight(item);
        if *load > 0 && *load + weight > limit {
            (*shard, *load) = (*shard + 1, 0);
        }
        *load += weight;
        *shard
    };
    items.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::COUNT;

    fn faces(sources: &[&'static str]) -> Vec<Row<'static>> {
        let face = |source: &&'static str| Row { source, split: Split::Train, identity: None, labels: [false; COUNT] };
        sources.iter().map(face).collect()
    }

    #[test]
    fn a_name_has_no_dot_and_is_nobody_elses() {
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
        assert_eq!(images(&items), 16);
    }
}
