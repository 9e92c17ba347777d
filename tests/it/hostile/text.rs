//! Text of others in pages and on a terminal: it is shown, and nothing obeys it.

use crate::common::fake_runs::{FakeRun, collected, fake_runs};
use crate::common::gal_bench::user_error;
use crate::common::workspace::Workspace;
use gal_bench::attribute::NAMES;
use gal_bench::report;
use serde_json::Value;
use std::path::Path;

/// Tags, links, an end of a code block and an escape sequence, in one text.
const MARKUP: &str = "x <script>alert(1)</script> <img src=x onerror=alert(2)> <svg onload=alert(3)> [l](javascript:alert(4)) \
                      ![i](https://a.b/i.png) \u{1b}]0;owned\u{7}\n```\n\n<script>alert(5)</script>\n\n# h\n";

/// Checks that a page in Markdown and its HTML show markup of others as text.
fn assert_harmless(folder: &Path) {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let (markdown, html) = (read("README.md"), read("index.html"));
    assert!(!markdown.contains('\u{1b}') && !html.contains('\u{1b}'));
    let body = html.split_once("<body>").unwrap().1.rsplit_once("<script>").unwrap().0;
    for tag in ["<script", "<img", "onload=alert(3)>", "href=\"javascript:", "href=\"data:", "<iframe", "<link"] {
        assert!(!body.contains(tag), "{tag} in {body}");
    }
    assert!(body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let links = body.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    for link in links {
        assert!(link.starts_with('#') || link.starts_with("results"), "{link}");
    }
    // Outside of code, tags are escaped in the Markdown, too.
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if ticks.len() >= open.len() && line == ticks => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                let plain = without_code(line);
                assert!(
                    !plain.contains("<script") && !plain.contains("<img") && !plain.contains("](javascript"),
                    "{line}"
                );
            }
            Some(_) => {}
        }
    }
    assert_eq!(fence, None);
}

/// A line without its code spans: backticks, text, as many backticks.
fn without_code(line: &str) -> String {
    let (mut plain, mut rest) = (String::new(), line);
    // An escaped backtick begins no span.
    while let Some(start) = rest.char_indices().position(|(at, c)| c == '`' && !rest[..at].ends_with('\\')) {
        let (before, code) = rest.split_at(rest.char_indices().nth(start).unwrap().0);
        let length = code.len() - code.trim_start_matches('`').len();
        let fence = "`".repeat(length);
        let mut end = length;
        // The same number of backticks, and no more.
        while let Some(found) = code[end..].find(&fence) {
            end += found;
            let run = code[end..].len() - code[end..].trim_start_matches('`').len();
            end += run;
            if run == length {
                break;
            }
        }
        plain.push_str(before);
        rest = &code[end..];
    }
    plain + rest
}

/// A report whose results were edited.
fn edited_report(edit: impl Fn(&mut serde_json::Map<String, Value>)) -> (Workspace, std::path::PathBuf) {
    let (workspace, folder, _) = collected(&fake_runs());
    let path = folder.join("results/results.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    index["runs"].as_array_mut().unwrap().iter_mut().for_each(|run| edit(run.as_object_mut().unwrap()));
    std::fs::write(&path, index.to_string()).unwrap();
    (workspace, folder)
}

#[test]
fn a_reports_free_text_is_shown_as_text() {
    let (_workspace, folder) = edited_report(|run| {
        for field in ["split", "extent", "data_digest", "device", "version", "commit", "command"] {
            run.insert(field.to_owned(), MARKUP.into());
        }
        for field in ["data_notes", "cpu_features", "deviations"] {
            run.insert(field.to_owned(), vec![MARKUP].into());
        }
    });
    let profile = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/profiles/quick.toml"));
    let text = profile.unwrap().replace("description = \"", "description = \"<script>alert(6)</script> ");
    std::fs::write(folder.join("results/profile.toml"), format!("{text}\n# ```\n# <script>alert(7)</script>\n"))
        .unwrap();
    report::write(&folder).unwrap();
    assert_harmless(&folder);
    assert_eq!(report::differences(&folder).unwrap(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_reports_names_are_names() {
    for field in ["id", "dataset", "profile", "variant"] {
        for name in ["<b>", "a/../../b", "..", "\u{1b}[2J", "", "a b"] {
            let (_workspace, folder) = edited_report(|run| _ = run.insert(field.to_owned(), name.into()));
            let message = user_error(report::render(&folder));
            assert!(message.contains("is not made of letters, digits"), "{field}: {message}");
        }
    }
}

#[test]
fn names_and_files_of_a_comparison_are_shown_as_text() {
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    let run = FakeRun::new("baseline", 1);
    run.write(&runs);
    let predictions = run.predictions();
    let images: Vec<&str> = predictions.column("image").unwrap().str().unwrap().iter().flatten().collect();
    let rows = images.chunks(NAMES.len()).map(|images| format!("{}{}\n", images[0], ",0.5".repeat(NAMES.len())));
    let csv = format!("file,{}\n{}", NAMES.join(","), rows.collect::<String>());
    let file = "<script>alert(1)<\u{1b}]0;x\u{7}script>`[l](javascript:alert(4)).csv";
    workspace.write(file, csv);
    let done = workspace.gal_bench("compare --output out runs/synthetic-quick-baseline-seed1").args([file]).succeeds();
    assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'));
    let html = workspace.read("out/index.html").replace("alert(1)&lt;\\u{1b}]0;x\\u{7}script", "alert(1)&lt;/script");
    workspace.write("out/index.html", html);
    assert_harmless(&workspace.path("out"));
}

#[test]
fn a_terminal_is_sent_no_escape_sequence() {
    let escape = "\u{1b}]0;owned\u{7}\u{9b}2J";
    let workspace = Workspace::new();
    let runs = workspace.path("runs");
    FakeRun::new("baseline", 1).write(&runs);
    workspace.write("column.csv", format!("file,{escape}\na,1\n"));
    let row = format!("000000.png{}", format!(",{escape}").repeat(NAMES.len()));
    workspace.write("value.csv", format!("file,{}\n{row}\n", NAMES.join(",")));
    workspace.write(&format!("name{escape}.csv"), "file\n");
    for file in ["column.csv".to_owned(), "value.csv".to_owned(), format!("name{escape}.csv")] {
        let reference = "runs/synthetic-quick-baseline-seed1";
        let error =
            workspace.gal_bench("compare").args([reference, &file]).fails_with("\\u{1b}]0;owned\\u{7}\\u{9b}2J");
        assert!(!error.contains(['\u{1b}', '\u{9b}']), "{error:?}");
    }
}
