//! The person in an image, from its name in LFW's form `Person/Person_0001.jpg`. A folder alone proves nothing: folders
//! are also called after splits, classes and numbers. A person that is not sure is left out.

use super::header::without_extension;
use super::split::Split;
use crate::attribute::NAMES;
use crate::render::format::thousands;
use std::collections::{HashMap, HashSet};

/// Least number of people: fewer names are likely those of splits or classes.
const FEWEST: usize = 3;
/// Words of splits, classes, cameras, programs and folders, which are no person's name; so are those of the attributes.
const GENERIC: [&str; 9] = [
    "train training trainset trn test testing testset tst val valid validation dev eval split fold part set subset batch",
    "shard chunk data dataset all sample samples file files class label other unknown misc new old copy edited final",
    "img imgs image images pic pics photo photos scan frame frames video vid clip face faces crop cropped aligned portrait",
    "selfie lfw lfwa celeba celebs person people subject identity female man woman men women boy girl adult child pos neg",
    "positive negative happy happiness sad sadness angry anger neutral fear fearful surprise surprised disgust disgusted",
    "contempt calm emotion asian white black indian latino hispanic latin african caucasian arab middle eastern east south",
    "southeast western european race camera cam webcam dsc dscn dscf dcim pxl mvimg gopr dji pano burst canon nikon sony",
    "leica fuji fujifilm olympus panasonic kodak pentax samsung iphone android pixel huawei xiaomi gopro whatsapp telegram",
    "signal instagram facebook snapchat screenshot screen capture download downloads received",
];

/// The person in each image of `names`, which are paths as in the annotation; `None` where it is not sure.
///
/// A person is sure if the file's name is `PERSON_NUMBER` and lies in the folder `PERSON`. In another folder, the number
/// needs four digits and must count images across all folders. Names of fewer than [`FEWEST`] people are not sure, nor a
/// name that most images share.
pub(super) fn of(names: &[String]) -> Vec<Option<String>> {
    let parsed: Vec<Option<Name>> = names.iter().map(|name| Name::of(name)).collect();
    // A file name that several folders hold counts the images of a folder, not those of a person.
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for name in parsed.iter().flatten() {
        *places.entry((name.person, name.number)).or_default() += 1;
    }
    let restarted: HashSet<&str> =
        places.iter().filter(|(_, count)| **count > 1).map(|((person, _), _)| *person).collect();
    let words = generic_words();
    let is_sure = |name: &Name| {
        let in_own_folder = name.folder == Some(name.person);
        !is_generic(name.person, &words)
            && (in_own_folder || (name.number.len() == 4 && !restarted.contains(name.person)))
    };
    let sure: Vec<Option<&Name>> = parsed.iter().map(|name| name.as_ref().filter(|name| is_sure(name))).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in sure.iter().flatten() {
        *counts.entry(name.person).or_default() += 1;
    }
    let is_shared = |name: &Name| name.folder != Some(name.person) && 2 * counts[name.person] > names.len();
    if counts.len() < FEWEST || sure.iter().flatten().any(|name| is_shared(name)) {
        return vec![None; names.len()];
    }
    sure.into_iter().map(|name| name.map(|name| name.person.to_owned())).collect()
}

/// Forgets all `people` if most of those with several images lie in more than one split, and returns a note on it.
/// Partitions of faces are ones of people, so such names are likely those of classes or cameras.
pub(super) fn forget_shared(people: &mut [Option<String>], splits: &[Option<Split>]) -> Option<String> {
    let mut splits_of: HashMap<&str, Vec<Split>> = HashMap::new();
    for (person, split) in people.iter().zip(splits) {
        if let (Some(person), Some(split)) = (person, split) {
            splits_of.entry(person).or_default().push(*split);
        }
    }
    splits_of.retain(|_, splits| splits.len() > 1);
    let several = splits_of.len();
    let shared = splits_of.values().filter(|splits| splits.iter().any(|split| *split != splits[0])).count();
    if 2 * shared <= several {
        return None;
    }
    people.fill(None);
    let (shared, several) = (thousands(shared), thousands(several));
    Some(format!(
        "identities: names of files are not taken for people, as {shared} of the {several} with several images lie in more \
         than one split"
    ))
}

/// The parts of an image's name.
struct Name<'a> {
    folder: Option<&'a str>,
    person: &'a str,
    /// Digits after the last underscore.
    number: &'a str,
}

impl<'a> Name<'a> {
    /// `None` if the file's name has another form.
    fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.rsplit(['/', '\\']);
        let (file, folder) = (parts.next()?, parts.next());
        let (person, number) = without_extension(file).rsplit_once('_')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && !person.is_empty()).then_some(Self { folder, person, number })
    }
}

/// The folder of LFW's layout for a file without one; `None` if its name has another form.
pub(super) fn folder_of(file: &str) -> Option<&str> {
    Name::of(file).map(|name| name.person)
}

/// The words of [`GENERIC`] and of the attributes' names, in lower case.
fn generic_words() -> HashSet<String> {
    let words = GENERIC.iter().flat_map(|line| line.split(' ')).map(str::to_owned);
    words.chain(NAMES.iter().flat_map(|name| name.split('_')).map(str::to_lowercase)).collect()
}

/// Returns whether every word of `name` is a number or one of `words`.
fn is_generic(name: &str, words: &HashSet<String>) -> bool {
    name.to_lowercase().split(|c: char| !c.is_alphanumeric()).all(|word| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        word.is_empty() || words.contains(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The people of names separated by blanks, each as text; "-" where it is not sure.
    fn people(names: &str) -> String {
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        of(&names).into_iter().map(|person| person.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_person_is_that_of_the_file_name() {
        assert_eq!(people("Ann/Ann_0001.jpg Bo/Bo_0001.jpg Cy/Cy_0001.jpg"), "Ann Bo Cy");
        assert_eq!(people("lfw/Ann/Ann_0001.jpg lfw/Bo/Bo_12.jpg Cy\\Cy_0001"), "Ann Bo Cy");
        assert_eq!(people("train/P_A_0001.jpg train/P_B_0001.jpg test/P_C_0001.jpg"), "P_A P_B P_C");
        assert_eq!(people("A/Ann_0001.jpg B/Bo_0001.jpg C/Cy_0001.jpg"), "Ann Bo Cy");
        assert_eq!(people("Male/Ann_0001.jpg 0/Bo_0001.jpg part1/Cy_0001.jpg"), "Ann Bo Cy");
        assert_eq!(people("Ann_0001.jpg Bo_0001.JPG Cy_0001 Cy_0002"), "Ann Bo Cy Cy");
        assert_eq!(
            people("Ann_Lee/Ann_Lee_0001.jpg Ann/Ann_Gray_0001.jpg Young/Young_Bo_0001.jpg"),
            "Ann_Lee Ann_Gray Young_Bo"
        );
    }

    #[test]
    fn names_of_splits_classes_cameras_and_numbers_are_no_people() {
        for names in [
            "train/train_0001.jpg val/val_0001.jpg test/test_0001.jpg",
            "train_a/train_1_0001.jpg train_b/train_2_0001.jpg test/test_0001.jpg",
            "train/img_0001.jpg val/img_0002.jpg test/img_0003.jpg",
            "Ann/IMG_0001.jpg Bo/IMG_0002.jpg Cy/IMG_0003.jpg",
            "Ann/x_0001.jpg Bo/x_0001.jpg Cy/x_0001.jpg",
            "celeb_0001.jpg celeb_0002.jpg celeb_0003.jpg star_0001.jpg moon_0001.jpg",
            "Smiling/Smiling_0001.jpg Male/Male_0001.jpg Blond_Hair/Blond_Hair_0001.jpg",
            "0/0_0001.jpg 1/1_0001.jpg 2/2_0001.jpg",
            "000/000001.jpg 001/000002.jpg 002/000003.jpg",
            "000001.jpg 000002.jpg 000003.jpg",
            "Ann/1.jpg Bo/1.jpg Cy/1.jpg",
            "women/women_0001.jpg men/men_0001.jpg faces/faces_0001.jpg",
            "left/left_0001.jpg right/right_0001.jpg",
            "a_2019.jpg a_2020.jpg a_2021.jpg b_2019.jpg c_2019.jpg",
            "happy/happy_0001.jpg sad/sad_0001.jpg angry/angry_0001.jpg neutral/neutral_0001.jpg",
            "train/asian_0001.jpg train/white_0002.jpg test/black_0003.jpg test/Middle_Eastern_0004.jpg",
            "canon_0001.jpg Nikon_0001.jpg sony_0001.jpg leica_0001.jpg DSCN_0001.jpg MVIMG_0001.jpg",
            "Screenshot_0001.jpg WhatsApp_0001.jpg PXL_20210101_0001.jpg",
        ] {
            assert!(people(names).split(' ').all(|person| person == "-"), "{names}: {}", people(names));
        }
    }

    /// The note, and the people that are left, for a split of each image as a letter.
    fn forgotten(names: &str, splits: &str) -> (Option<String>, usize) {
        let mut people: Vec<Option<String>> = names.split(' ').map(|name| Some(name.to_owned())).collect();
        let split = |letter| if letter == 'r' { Split::Train } else { Split::Test };
        let splits: Vec<Option<Split>> = splits.chars().map(|letter| Some(split(letter))).collect();
        let note = forget_shared(&mut people, &splits);
        (note, people.iter().flatten().count())
    }

    #[test]
    fn names_that_are_mostly_in_several_splits_are_no_people() {
        assert_eq!(forgotten("Ann Ann Bo Bo Cy", "rrttt"), (None, 5));
        // Half of them may be mistakes of a partition by people.
        assert_eq!(forgotten("Ann Ann Bo Bo Cy", "rtttt"), (None, 5));
        let note = "identities: names of files are not taken for people, as 2 of the 3 with several images lie in more than \
                    one split";
        assert_eq!(forgotten("Ann Ann Bo Bo Cy Cy Di", "rtrtrrt"), (Some(note.to_owned()), 0));
        assert_eq!(forgotten("Ann Bo Cy", "rtr"), (None, 3));
    }
}
