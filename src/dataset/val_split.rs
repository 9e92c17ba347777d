//! Splits drawn by a seed: a validation split of some of the training half's people, and all three splits of a table
//! without any.

use super::set::Dataset;
use super::split::Split;
use super::table;
use crate::error::{Error, Result};
use crate::random;
use crate::render::format::thousands;
use rand::RngExt;
use std::collections::HashMap;

/// The options that set the share, for messages.
const OPTIONS: &str = "--val-split, or val_split in the profile";

/// First number of the path of these draws.
const PURPOSE: u64 = 0x7661_6C5F_7370_6C69;

impl Dataset {
    /// Moves `share` of the training half's people, at least one, with all of their training images to the validation
    /// split. An image without a known identity counts as a person. A person's rank in the draw is a function of `seed`
    /// and the person, so it depends on no other image. The description of the partition states the numbers.
    ///
    /// # Errors
    /// A share that is not between 0 and 1, a data set with a validation split, or no person left for training.
    pub fn hold_out(&mut self, share: f64, seed: u64) -> Result<()> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::Request(format!(
                "a validation share of {share}, expected a number above 0 and below 1 ({OPTIONS})"
            )));
        }
        let [_, val, _] = self.counts()?;
        if val > 0 {
            let (name, val) = (self.name.label(), thousands(val));
            return Err(Error::Request(format!(
                "{name} has a validation split of its own of {val} images: leave out the share of people for another \
                 one ({OPTIONS})"
            )));
        }
        let rows = self.rows()?;
        let training = || rows.iter().enumerate().filter(|(_, row)| row.split == Split::Train);
        let units: Vec<_> = training().map(|(index, row)| (index, row.identity, row.source)).collect();
        let people = in_order_of_draw(&units, seed);
        let held = ((share * people.len() as f64).round() as usize).max(1);
        if held >= people.len() {
            return Err(Error::Request(format!(
                "a validation share of {share} leaves none of the {} people of the training split for training ({OPTIONS})",
                thousands(people.len())
            )));
        }
        let mut splits: Vec<Split> = rows.iter().map(|row| row.split).collect();
        for index in people[..held].iter().flatten() {
            splits[*index] = Split::Val;
        }
        let kind = kind(training().map(|(_, row)| row.identity.is_some()));
        table::set_splits(&mut self.table, &splits)?;
        let [train, val, test] = self.counts()?.map(thousands);
        let (held, people) = (thousands(held), thousands(people.len()));
        self.partition.val_split = Some(share);
        self.partition.description = format!(
            "{}; of the training half, {held} of {people} {kind} were drawn for validation with seed {seed}, which gives \
             {train} train, {val} val, {test} test images",
            self.partition.description
        );
        Ok(())
    }
}

/// The split of each image, with `shares` of the people in train, val and test, and the units of the draw as a noun. An
/// image of an unknown person counts as a person.
///
/// # Errors
/// Shares that are no shares, or that leave no person for training or testing.
pub(super) fn draw(
    images: &[String],
    identities: &[Option<String>],
    shares: [f64; 3],
    seed: u64,
) -> Result<(Vec<Split>, &'static str)> {
    let [train, val, test] = shares;
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    if !shares.into_iter().all(is_share) || (train + val + test - 1.0).abs() > 1e-6 || train == 0.0 || test == 0.0 {
        return Err(Error::Request(format!(
            "--split {train},{val},{test}: expected the shares of train, val and test, which add up to 1, such as \
             0.8,0.1,0.1; only that of val may be 0"
        )));
    }
    let rows: Vec<(usize, Option<&str>, &str)> = images
        .iter()
        .zip(identities)
        .enumerate()
        .map(|(row, (image, identity))| (row, identity.as_deref(), image.as_str()))
        .collect();
    let people = in_order_of_draw(&rows, seed);
    let count = |share: f64| if share == 0.0 { 0 } else { ((share * people.len() as f64).round() as usize).max(1) };
    let (tested, validated) = (count(test), count(val));
    if tested + validated >= people.len() {
        return Err(Error::Request(format!(
            "--split {train},{val},{test} leaves none of the {} people for training: give larger shares, or a table with \
             more people",
            thousands(people.len())
        )));
    }
    let mut splits = vec![Split::Train; images.len()];
    for (position, rows) in people.iter().enumerate().take(tested + validated) {
        let split = if position < tested { Split::Test } else { Split::Val };
        for row in rows {
            splits[*row] = split;
        }
    }
    Ok((splits, kind(identities.iter().map(Option::is_some))))
}

/// The rows of each person, or of each image of an unknown person, in the order of the draw. A row has an index, an
/// identity and an image.
fn in_order_of_draw(rows: &[(usize, Option<&str>, &str)], seed: u64) -> Vec<Vec<usize>> {
    let mut people: HashMap<(bool, &str), Vec<usize>> = HashMap::new();
    for (index, identity, source) in rows {
        people.entry((identity.is_none(), identity.unwrap_or(source))).or_default().push(*index);
    }
    let mut people: Vec<_> = people.into_iter().collect();
    people.sort_by_cached_key(|((unknown, name), _)| {
        let draw: u64 = random::generator(seed, &[PURPOSE, u64::from(*unknown), random::name(name)]).random();
        (draw, *unknown, *name)
    });
    people.into_iter().map(|(_, rows)| rows).collect()
}

/// The units of the draw, as a noun, of rows whose identity is known or not.
fn kind(mut known: impl Iterator<Item = bool>) -> &'static str {
    let first = known.next() == Some(true);
    match (first, known.all(|known| known == first)) {
        (true, true) => "people",
        (false, true) => "images",
        (_, false) => "people, or images of unknown people,",
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::DatasetName;
    use super::super::set::{Images, Partition};
    use super::super::table::Columns;
    use super::*;
    use crate::attribute::COUNT;
    use std::collections::HashSet;

    /// 200 training and 50 test people with one to three images each, or the same images without identities.
    fn dataset(known: bool) -> Dataset {
        let mut columns = Columns::default();
        for person in 0..250 {
            for image in 0..=person % 3 {
                columns.sources.push(format!("{person}/{image}.jpg"));
                columns.splits.push(if person < 200 { Split::Train } else { Split::Test });
                columns.identities.push(known.then(|| person.to_string()));
                columns.labels.push([Some(false); COUNT]);
            }
        }
        Dataset {
            name: DatasetName::Lfwa,
            table: table::build(columns).unwrap(),
            images: Images::Folder("images".into()),
            partition: Partition { official: true, description: "made for a test".to_owned(), ..Partition::default() },
            notes: Vec::new(),
        }
    }

    fn held_out(share: f64, seed: u64) -> Dataset {
        let mut dataset = dataset(true);
        dataset.hold_out(share, seed).unwrap();
        dataset
    }

    fn people(dataset: &Dataset, split: Split) -> HashSet<String> {
        let rows = dataset.rows().unwrap();
        rows.iter().filter(|row| row.split == split).map(|row| row.identity.unwrap().to_owned()).collect()
    }

    #[test]
    fn the_share_is_one_of_people_and_no_person_is_in_two_splits() {
        let dataset = held_out(0.15, 0);
        let [train, val, test] = Split::ALL.map(|split| people(&dataset, split));
        assert_eq!([train.len(), val.len(), test.len()], [170, 30, 50]);
        assert!(train.is_disjoint(&val) && val.is_disjoint(&test) && train.is_disjoint(&test));
        assert!(dataset.partition.official);
        assert_eq!(dataset.partition.val_split, Some(0.15));
        let images = dataset.counts().unwrap();
        let expected = format!(
            "made for a test; of the training half, 30 of 200 people were drawn for validation with seed 0, which gives \
             {} train, {} val, {} test images",
            images[0], images[1], images[2]
        );
        assert_eq!(dataset.partition.description, expected);
    }

    #[test]
    fn a_seed_always_draws_the_same_people_and_a_larger_share_more() {
        let val = |share, seed| people(&held_out(share, seed), Split::Val);
        assert_eq!(val(0.1, 3), val(0.1, 3));
        assert_ne!(val(0.1, 3), val(0.1, 4));
        assert!(val(0.2, 3).is_superset(&val(0.1, 3)));
        assert_eq!(val(1e-9, 3).len(), 1);
    }

    #[test]
    fn images_without_identity_are_drawn_one_by_one() {
        let mut dataset = dataset(false);
        let [train, _, test] = dataset.counts().unwrap();
        dataset.hold_out(0.25, 0).unwrap();
        let val = (train as f64 / 4.0).round() as usize;
        assert_eq!(dataset.counts().unwrap(), [train - val, val, test]);
        assert!(dataset.partition.description.contains(" images were drawn"), "{}", dataset.partition.description);
    }

    #[test]
    fn a_share_that_cannot_be_held_out_is_refused() {
        for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY, 0.999] {
            let mut dataset = dataset(true);
            assert!(dataset.hold_out(share, 0).is_err(), "{share}");
            assert_eq!(dataset.partition.val_split, None);
        }
        let error = held_out(0.1, 0).hold_out(0.1, 0).unwrap_err().to_string();
        assert!(error.starts_with("lfwa has a validation split of its own"), "{error}");
    }
}
