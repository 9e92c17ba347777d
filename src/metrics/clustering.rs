//! Hierarchical clustering by average linkage (Sokal and Michener 1958, UPGMA), which orders the attributes of a heat
//! map.
//!
//! No crate: kodama would replace a hundred lines that are tested against `SciPy`.

/// Two clusters that become one. The first numbers are the items; each merge makes a cluster of the next number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merge {
    /// The cluster with the smaller number.
    pub left: usize,
    /// The cluster with the larger number.
    pub right: usize,
    /// Mean distance between their items.
    pub height: f64,
}

/// Merges `items` items by their symmetric `distance`, nearest first. Among equally near clusters the smallest numbers
/// are first.
pub fn average_linkage(items: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<Merge> {
    // Clusters that are not merged yet: number, size, and the distance to each of the others in the same order.
    let mut open: Vec<(usize, f64)> = (0..items).map(|item| (item, 1.0)).collect();
    let mut distances: Vec<Vec<f64>> = (0..items).map(|i| (0..items).map(|j| distance(i, j)).collect()).collect();
    let mut merges = Vec::with_capacity(items.saturating_sub(1));
    while let Some((a, b)) = nearest(&distances) {
        let ((left, size_a), (right, size_b)) = (open[a], open[b]);
        merges.push(Merge { left: left.min(right), right: left.max(right), height: distances[a][b] });
        let joined: Vec<f64> = (0..open.len())
            .map(|other| (size_a * distances[a][other] + size_b * distances[b][other]) / (size_a + size_b))
            .collect();
        // The merged cluster replaces `a`, which is before `b`.
        for (other, &distance) in joined.iter().enumerate() {
            distances[a][other] = distance;
            distances[other][a] = distance;
        }
        distances.remove(b);
        for row in &mut distances {
            row.remove(b);
        }
        open[a] = (items + merges.len() - 1, size_a + size_b);
        open.remove(b);
    }
    merges
}

/// Positions of the two nearest clusters, the first before the second.
fn nearest(distances: &[Vec<f64>]) -> Option<(usize, usize)> {
    let pairs = (0..distances.len()).flat_map(|a| (a + 1..distances.len()).map(move |b| (a, b)));
    // `min_by` returns the first of equal pairs.
    pairs.min_by(|&(a, b), &(c, d)| distances[a][b].total_cmp(&distances[c][d]))
}

/// The items from left to right below the tree of `merges`.
pub fn leaves(merges: &[Merge]) -> Vec<usize> {
    let items = merges.len() + 1;
    let mut found = Vec::with_capacity(items);
    let mut ahead = vec![items + merges.len() - 1];
    while let Some(cluster) = ahead.pop() {
        match cluster.checked_sub(items) {
            None => found.push(cluster),
            Some(merge) => ahead.extend([merges[merge].right, merges[merge].left]),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    //! Expected values: `tests/golden/correlation.py` (scipy).

    use super::*;
    use serde_json::Value;

    #[test]
    fn merges_and_leaves_are_scipys() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/correlation.json")).unwrap();
        let cases = golden["clustering"].as_array().unwrap();
        assert_eq!(cases.len(), 3);
        for case in cases {
            let cell = |i: usize, j: usize| case["distance"][i][j].as_f64().unwrap();
            let merges = average_linkage(case["distance"].as_array().unwrap().len(), cell);
            for (merge, expected) in merges.iter().zip(case["linkage"].as_array().unwrap()) {
                assert_eq!(
                    (expected[0].as_f64(), expected[1].as_f64()),
                    (Some(merge.left as f64), Some(merge.right as f64))
                );
                assert!((merge.height - expected[2].as_f64().unwrap()).abs() < 1e-12);
            }
            let expected: Vec<usize> = serde_json::from_value(case["leaves"].clone()).unwrap();
            assert_eq!(leaves(&merges), expected);
        }
    }

    #[test]
    fn equal_distances_merge_in_the_order_of_the_items() {
        assert_eq!(leaves(&average_linkage(5, |i, j| f64::from(u8::from(i != j)))).len(), 5);
        let first = average_linkage(5, |i, j| f64::from(u8::from(i != j)))[0];
        assert_eq!((first.left, first.right), (0, 1));
    }

    #[test]
    fn one_item_is_its_own_order() {
        assert_eq!(leaves(&average_linkage(1, |_, _| 0.0)), [0]);
    }
}
