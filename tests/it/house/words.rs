//! Words of code, comments, help, messages and pages: the field's nouns, and sentences that begin with their subject.

use super::links::pages;
use super::modules::sources;
use std::path::{Path, PathBuf};

/// Words and phrases with a plainer one in their place.
const FORBIDDEN: [(&str, &str); 14] = [
    ("picture", "image"),
    ("pictures", "images"),
    ("whoever", "each ... that"),
    ("somebody", "a user, or the process by its name"),
    ("nobody", "no user, or the process by its name"),
    ("anybody", "any user"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("rightly", "correctly"),
    ("the way of", "like"),
    ("the way back", "the backward pass"),
    ("but for", "except"),
    ("of its own accord", "by default"),
    ("by lot", "at random"),
];

/// Input of a hash that decides golden values: it cannot change.
const EXEMPT: &str = "pictures/78";

/// First words that hide the subject of a sentence.
const STARTS: [&str; 5] = ["Of", "That", "What", "Where", "Whoever"];

/// The texts that are checked: code with its comments and messages, and pages. Reports are left out, as they repeat texts
/// that earlier versions stored in results.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = ["src", "benches", "fuzz/fuzz_targets", "tests/it"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .filter(|path| !path.ends_with("house/words.rs"))
        .collect();
    found.extend(pages());
    found.sort();
    found
}

/// The text in lower case with one blank between words; an identifier's parts are words of their own.
fn plain(line: &str) -> String {
    let letters = line.chars().map(|c| if c.is_alphanumeric() || c == '\'' { c.to_ascii_lowercase() } else { ' ' });
    let words: Vec<String> = letters.collect::<String>().split_whitespace().map(str::to_owned).collect();
    format!(" {} ", words.join(" "))
}

#[test]
fn no_text_uses_a_word_that_has_a_plainer_one() {
    let mut found = Vec::new();
    for path in texts() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let plain = plain(&line.replace(EXEMPT, ""));
            for (word, better) in FORBIDDEN {
                if plain.contains(&format!(" {word} ")) {
                    found.push(format!("{}:{}: \"{word}\": use \"{better}\"", path.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The paragraphs of a file's comments, each with its first line's number.
fn comments(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let comment = line.trim_start().strip_prefix("//").map(|rest| rest.trim_start_matches(['/', '!']).trim());
        match (comment, inside) {
            (Some("") | None, _) => inside = false,
            (Some(words), true) => {
                let (_, paragraph) = found.last_mut().unwrap();
                paragraph.push(' ');
                paragraph.push_str(words);
            }
            (Some(words), false) => {
                found.push((number + 1, words.to_owned()));
                inside = true;
            }
        }
    }
    found
}

#[test]
fn sentences_of_comments_begin_with_their_subject() {
    let mut found = Vec::new();
    for path in texts().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        for (line, paragraph) in comments(&std::fs::read_to_string(&path).unwrap()) {
            for sentence in paragraph.split_inclusive(['.', '?', '!']).map(str::trim) {
                let first = sentence.split(' ').next().unwrap_or_default();
                if STARTS.contains(&first) && !sentence.ends_with('?') {
                    found.push(format!("{}:{line}: {sentence}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
