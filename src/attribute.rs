//! The 40 facial attributes of CelebA and LFWA, and the groups of the paper's Table 1 (arXiv 1810.09162).

/// Number of attributes.
pub const COUNT: usize = 40;

/// Names of the attributes, in the order of CelebA's `list_attr_celeba.txt` and of every array of the suite.
pub const NAMES: [&str; COUNT] = [
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
];

/// The labels of an image in the order of [`NAMES`]; `None` if a label is not known.
pub type ImageLabels = [Option<bool>; COUNT];

/// A group of Table 1: attributes of one part of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Name of the group in the paper.
    pub name: &'static str,
    /// Names of its attributes.
    pub members: &'static [&'static str],
}

/// The groups of Table 1; every attribute is in exactly one.
pub const GROUPS: [Group; 8] = [
    Group {
        name: "Global",
        members: &[
            "Attractive",
            "Blurry",
            "Chubby",
            "Heavy_Makeup",
            "Male",
            "Oval_Face",
            "Pale_Skin",
            "Smiling",
            "Young",
        ],
    },
    Group {
        name: "Hair",
        members: &[
            "Bald",
            "Bangs",
            "Black_Hair",
            "Blond_Hair",
            "Brown_Hair",
            "Gray_Hair",
            "Receding_Hairline",
            "Straight_Hair",
            "Wavy_Hair",
            "Wearing_Hat",
        ],
    },
    Group {
        name: "Eye",
        members: &["Arched_Eyebrows", "Bags_Under_Eyes", "Bushy_Eyebrows", "Eyeglasses", "Narrow_Eyes"],
    },
    Group { name: "Nose", members: &["Big_Nose", "Pointy_Nose"] },
    Group { name: "Cheek and ear", members: &["High_Cheekbones", "Rosy_Cheeks", "Sideburns", "Wearing_Earrings"] },
    Group {
        name: "Mouth",
        members: &["5_o_Clock_Shadow", "Big_Lips", "Mouth_Slightly_Open", "Mustache", "Wearing_Lipstick"],
    },
    Group { name: "Chin", members: &["Double_Chin", "Goatee", "No_Beard"] },
    Group { name: "Neck", members: &["Wearing_Necklace", "Wearing_Necktie"] },
];

/// Index of an attribute in [`NAMES`]. Case does not matter, and blanks, hyphens and dots count as underscores: LFWA
/// writes `5 o Clock Shadow` for CelebA's `5_o_Clock_Shadow`, and R `X5_o_Clock_Shadow` or `X5.o.Clock.Shadow`.
///
/// ```
/// assert_eq!(gal_bench::attribute::index("male"), Some(20));
/// assert_eq!(gal_bench::attribute::index("5 o Clock Shadow"), Some(0));
/// assert_eq!(gal_bench::attribute::index("Tall"), None);
/// ```
pub fn index(name: &str) -> Option<usize> {
    let wanted = name.trim().replace([' ', '-', '.'], "_");
    let wanted = wanted.strip_prefix(['X', 'x']).filter(|rest| rest.starts_with('5')).unwrap_or(&wanted);
    NAMES.iter().position(|known| known.eq_ignore_ascii_case(wanted))
}

/// Index in [`GROUPS`] of each attribute's group, in the order of [`NAMES`].
pub fn group_of() -> [usize; COUNT] {
    NAMES.map(|name| {
        GROUPS.iter().position(|group| group.members.contains(&name)).expect("Table 1 names every attribute")
    })
}

/// Attributes in the order of Table 1, as indices in [`NAMES`] and [`GROUPS`].
pub fn by_group() -> Vec<(usize, usize)> {
    let groups = GROUPS.iter().enumerate();
    groups
        .flat_map(|(group, g)| g.members.iter().map(move |name| (group, name)))
        .filter_map(|(group, name)| index(name).map(|i| (i, group)))
        .collect()
}

/// Pairs of different attributes, each once: (0, 1), (0, 2), ...
pub fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..COUNT).flat_map(|i| (i + 1..COUNT).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_1_names_every_attribute_exactly_once() {
        for name in NAMES {
            let groups = GROUPS.iter().flat_map(|g| g.members).filter(|m| **m == name).count();
            assert_eq!(groups, 1, "{name}");
        }
        assert_eq!(GROUPS.iter().map(|g| g.members.len()).sum::<usize>(), COUNT);
    }
}
