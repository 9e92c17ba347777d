//! A snapshot for each section of a page, so that a changed order or a changed section is a small difference.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Compares each section with the snapshot `NAME-HEADING`, and the order of the headings with `NAME-contents`.
pub(super) fn assert_sections(name: &str, page: &str) {
    let sections: Vec<&str> = page.split("\n## ").flat_map(|chapter| chapter.split("\n### ")).collect();
    let headings: Vec<&str> = sections.iter().map(|section| section.lines().next().unwrap()).collect();
    let mut snapshots = vec![(format!("{name}-contents"), headings.join("\n"))];
    for (index, (heading, section)) in headings.iter().zip(&sections).enumerate() {
        let words = heading.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let slug = if index == 0 { "top".to_owned() } else { words.collect::<Vec<_>>().join("-").to_lowercase() };
        snapshots.push((format!("{name}-{slug}"), (*section).to_owned()));
    }
    // All differences are printed before the test fails.
    let differ = |(name, content): &(String, String)| {
        catch_unwind(AssertUnwindSafe(|| insta::assert_snapshot!(name.as_str(), content))).is_err()
    };
    let differing: Vec<&str> =
        snapshots.iter().filter(|snapshot| differ(snapshot)).map(|(name, _)| name.as_str()).collect();
    assert!(differing.is_empty(), "these sections differ: {differing:?}");
}
