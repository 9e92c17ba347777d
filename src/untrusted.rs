//! Text from files that others wrote: names are held to one rule, and free text is escaped for the place where it is
//! shown. Each place has one function: a terminal, Markdown, HTML, a cell of a spreadsheet.

use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest name in bytes.
const NAME_LENGTH: usize = 200;

/// True for a name that may be part of a path and of a page: letters, digits, '-', '_' and '.', without a leading '.'.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.len() <= NAME_LENGTH && text.chars().all(plain) && !text.starts_with('.')
}

/// Deserializes a name; see [`is_name`].
pub(crate) fn deserialize_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if is_name(&name) {
        return Ok(name);
    }
    let shown: String = name.chars().take(NAME_LENGTH).collect();
    Err(serde::de::Error::custom(format!("the name {shown:?} is not made of letters, digits, '-', '_' and '.'")))
}

/// True for characters that a terminal or a reader obeys instead of showing: controls, line separators, and changes of
/// the writing direction.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` for a terminal: control characters are escaped like `\u{1b}`, except line breaks and tabs.
pub fn terminal(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_command(c) && !matches!(c, '\n' | '\t'), |c| c.escape_unicode().to_string())
}

/// JSON on one line for a terminal. JSON itself escapes only some of the control characters.
pub fn terminal_json(json: &str) -> Cow<'_, str> {
    escape(json, is_command, |c| format!("\\u{:04x}", u32::from(c)))
}

/// `text` on one line, with all control characters escaped, and with an ellipsis after `most` bytes.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let mut text = line(text).into_owned();
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str("...");
    }
    text
}

/// `text` on one line, with all control characters escaped.
fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_command, |c| {
        if matches!(c, '\n' | '\r' | '\t') { " ".to_owned() } else { c.escape_unicode().to_string() }
    })
}

fn escape(text: &str, special: impl Fn(char) -> bool, escaped: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.chars().any(&special) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if special(c) {
            written.push_str(&escaped(c));
        } else {
            written.push(c);
        }
    }
    Cow::Owned(written)
}

/// `text` for a paragraph or table cell in Markdown: on one line, without markup, tags and links of its own.
pub fn markdown(text: &str) -> String {
    let text = line(text);
    let text = text.trim();
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut written = String::with_capacity(text.len() + 16);
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '\\' | '`' | '*' | '~' | '[' | ']' => _ = write!(written, "\\{c}"),
            // Within a word it is no markup.
            '_' if !letter(before) || !letter(rest.clone().next()) => written.push_str("\\_"),
            '(' if before == Some(']') => written.push_str("\\("),
            '#' | '+' | '-' | '=' if before.is_none() => _ = write!(written, "\\{c}"),
            c => written.push(c),
        }
        before = Some(c);
    }
    written
}

/// `text` as a code span in Markdown, between more backticks than it has in a row.
pub fn markdown_code(text: &str) -> String {
    let text = line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let space = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// `text` as a code block in Markdown, between fences longer than any in it.
pub fn markdown_block(language: &str, text: &str) -> String {
    let text = terminal(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// `text` for an element or an attribute in HTML or SVG.
pub fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `text` for a cell of a CSV file. Spreadsheets run a text with one of these first characters as a formula; a quote
/// before it prevents that.
pub fn cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_no_markup() {
        for name in ["gal-j", "quick-from-celeba", "lfwa-quick-gal-j-seed0", "my_profile.2"] {
            assert!(is_name(name), "{name}");
        }
        for other in
            ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "<b>", "`", "a\n", "\u{1b}[2J", "é", &"a".repeat(201)]
        {
            assert!(!is_name(other), "{other:?}");
        }
    }

    #[test]
    fn a_terminal_is_sent_no_command() {
        assert_eq!(terminal("\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r"), "\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}\\u{d}");
        assert_eq!(terminal("a\n\tb é 漢"), "a\n\tb é 漢");
        let json = serde_json::to_string("\u{1b}\u{7f}\u{9b}").unwrap();
        assert_eq!(serde_json::from_str::<String>(&terminal_json(&json)).unwrap(), "\u{1b}\u{7f}\u{9b}");
        assert!(!terminal_json(&json).chars().any(is_command));
    }

    #[test]
    fn markdown_of_others_is_text() {
        for (text, expected) in [
            ("lfw_att_40.mat is 66 x 66 (blake3 aca6)", "lfw_att_40.mat is 66 x 66 (blake3 aca6)"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("[click](javascript:alert(1))", "\\[click\\]\\(javascript:alert(1))"),
            ("a\n\n# heading\n<script>", "a  # heading &lt;script&gt;"),
            ("# x", "\\# x"),
            ("_x_ *y* `z` ~~w~~ a_b", "\\_x\\_ \\*y\\* \\`z\\` \\~\\~w\\~\\~ a_b"),
            ("\u{1b}[2J\\", "\\\\u{1b}\\[2J\\\\"),
        ] {
            assert_eq!(markdown(text), expected);
        }
    }

    #[test]
    fn code_of_others_does_not_end_its_span_or_its_block() {
        assert_eq!(markdown_code("a"), "`a`");
        assert_eq!(markdown_code("`a``"), "``` `a`` ```");
        assert_eq!(markdown_block("sh", "a\n```\nb\n"), "````sh\na\n```\nb\n````\n");
        assert_eq!(markdown_block("sh", "a"), "```sh\na\n```\n");
    }

    #[test]
    fn a_formula_is_a_text() {
        let cells = ["=A1", "+1", "-1", "@x", "a=b", ""].map(cell);
        assert_eq!(cells, ["'=A1", "'+1", "'-1", "'@x", "a=b", ""]);
    }
}
