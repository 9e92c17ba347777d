//! `index.html`: the page of README.md as one file that needs nothing else, with its figures in it and tables that can
//! be sorted. It is rendered from the Markdown text, so that both say the same. The Markdown may hold text of others: raw
//! HTML becomes text, and only links to http(s) pages, sections and files of the report stay.

use crate::untrusted;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const STYLE: &str = include_str!("html.css");
const SCRIPT: &str = include_str!("html.js");

/// The page as HTML. `banner` is a line that stays in view; empty for none. `figure` gives the content of an SVG file that the
/// Markdown shows.
pub(crate) fn page<'a>(markdown: &'a str, banner: &str, figure: impl Fn(&str) -> Option<&'a [u8]>) -> String {
    let mut writer =
        Writer { figure, title: String::new(), contents: String::new(), alignments: Vec::new(), column: 0 };
    let events = harmless(&Parser::new_ext(markdown, Options::ENABLE_TABLES).collect::<Vec<_>>());
    let mut body = String::new();
    html::push_html(&mut body, writer.rewritten(&events).into_iter());
    let (title, contents) = (&writer.title, &writer.contents);
    let banner = match banner {
        "" => String::new(),
        words => format!("<header>{}</header>\n", untrusted::html(words)),
    };
    let script = format!("\n{SCRIPT}");
    let hash = STANDARD.encode(Sha256::digest(&script));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{banner}\
         <nav aria-label=\"Sections\">\n{contents}</nav>\n<main>\n{body}</main>\n\
         <script>{script}</script>\n</body>\n</html>\n"
    )
}

/// The events without raw HTML but that of folds, without links that lead elsewhere, and without images beside text, which
/// are loaded.
fn harmless<'a>(events: &[Event<'a>]) -> Vec<Event<'a>> {
    let mut kept: Vec<Event<'a>> = Vec::new();
    // True for each open link or image that stays.
    let mut open = Vec::new();
    let mut in_fold = false;
    for (place, event) in events.iter().enumerate() {
        let event = event.clone();
        match &event {
            Event::Html(_) if in_fold => {
                kept.push(event);
                continue;
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                kept.push(Event::Text(html.clone()));
                continue;
            }
            Event::Start(Tag::HtmlBlock) => {
                let block = &events[place + 1..];
                let mut block = block[..position(block, TagEnd::HtmlBlock)].iter();
                in_fold = block.all(|event| matches!(event, Event::Html(html) if is_fold(html)));
                kept.extend((!in_fold).then_some(Event::Start(Tag::Paragraph)));
                continue;
            }
            Event::End(TagEnd::HtmlBlock) => {
                kept.extend((!in_fold).then_some(Event::End(TagEnd::Paragraph)));
                in_fold = false;
                continue;
            }
            Event::Start(Tag::Link { dest_url, .. }) => open.push(is_followed(dest_url)),
            Event::Start(Tag::Image { .. }) => open.push(kept.last() == Some(&Event::Start(Tag::Paragraph))),
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if open.pop() == Some(false) {
                    continue;
                }
                kept.push(event);
                continue;
            }
            _ => {
                kept.push(event);
                continue;
            }
        }
        if open.last() == Some(&true) {
            kept.push(event);
        }
    }
    kept
}

/// True for a line of a fold (`render::markdown::folded`) whose words have no markup.
fn is_fold(html: &str) -> bool {
    let summary = |line: &str| line.strip_prefix("<summary>")?.strip_suffix("</summary>").map(str::to_owned);
    let line = html.trim();
    ["<details>", "</details>"].contains(&line) || summary(line).is_some_and(|words| !words.contains(['<', '>', '&']))
}

/// True for a page of the web, a section of this page, a file below its folder, and a page of a report beside it.
fn is_followed(url: &str) -> bool {
    let beside = |url: &str| {
        let page = url.split_once('#').map_or(url, |(page, _)| page);
        page.strip_prefix("../").and_then(|page| page.strip_suffix("/README.md")).is_some_and(untrusted::is_name)
    };
    if beside(url) || url.starts_with('#') || ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        return true;
    }
    // A colon could end a scheme, and browsers read a backslash as a slash.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    url.chars().all(plain) && url.split('/').all(|part| !part.is_empty() && part != "..")
}

/// Rewrites events before the stock writer renders them. Headings get GitHub's anchors, images become their content, and
/// tables get a foot for rows of means and a scrolling frame.
struct Writer<F> {
    figure: F,
    title: String,
    /// One link per section.
    contents: String,
    /// Alignments of the current table's columns.
    alignments: Vec<Alignment>,
    /// Index of the current cell.
    column: usize,
}

impl<'a, F: Fn(&str) -> Option<&'a [u8]>> Writer<F> {
    fn rewritten(&mut self, events: &[Event<'a>]) -> Vec<Event<'a>> {
        let mut written = Vec::with_capacity(events.len());
        let mut place = 0;
        while place < events.len() {
            let rest = &events[place..];
            place += 1;
            match &rest[0] {
                Event::Start(Tag::Heading { level, .. }) => written.push(self.heading(*level, rest)),
                // An image alone in its paragraph is a figure.
                Event::Start(Tag::Paragraph) if matches!(rest[1], Event::Start(Tag::Image { .. })) => {
                    let end = position(rest, TagEnd::Paragraph);
                    written.push(raw(self.figure(&rest[..end])));
                    place += end;
                }
                Event::Start(Tag::Table(alignments)) => {
                    let end = position(rest, TagEnd::Table);
                    self.alignments.clone_from(alignments);
                    self.table(&rest[1..end], &mut written);
                    place += end;
                }
                other => written.push(other.clone()),
            }
        }
        written
    }

    fn heading(&mut self, level: HeadingLevel, events: &[Event<'a>]) -> Event<'a> {
        let words = words(&events[..position(events, TagEnd::Heading(level))]);
        let id = anchor(&words);
        if level == HeadingLevel::H1 {
            self.title = untrusted::html(&words);
        } else {
            let class = if level == HeadingLevel::H2 { "" } else { " class=\"sub\"" };
            let _ = writeln!(self.contents, "<a{class} href=\"#{id}\">{}</a>", untrusted::html(&words));
        }
        Event::Start(Tag::Heading { level, id: Some(id.into()), classes: Vec::new(), attrs: Vec::new() })
    }

    /// The content of an image, where it is known, its words otherwise.
    fn figure(&self, events: &[Event<'a>]) -> String {
        let alt = untrusted::html(&words(events));
        let file = events.iter().find_map(|event| match event {
            Event::Start(Tag::Image { dest_url, .. }) => Some(dest_url.as_ref()),
            _ => None,
        });
        let file = file.unwrap_or_default();
        let content = (self.figure)(file)
            .map_or_else(|| format!("<p>{alt}</p>\n"), |svg| String::from_utf8_lossy(svg).into_owned());
        format!("<figure role=\"group\" aria-label=\"{alt}\">\n{content}</figure>\n")
    }

    fn table(&mut self, events: &[Event<'a>], written: &mut Vec<Event<'a>>) {
        let (mut head, mut foot) = (true, false);
        written.push(raw("<div class=\"table\" tabindex=\"0\">\n<table>\n".to_owned()));
        for (place, event) in events.iter().enumerate() {
            let html = match event {
                Event::Start(Tag::TableHead) => self.row("<thead>\n<tr>"),
                Event::End(TagEnd::TableHead) => {
                    head = false;
                    "</tr>\n</thead>\n<tbody>\n".to_owned()
                }
                Event::Start(Tag::TableRow) => {
                    // The first row with a bold name starts the rows of means, which are not sorted.
                    let begins = !foot && matches!(events.get(place + 2), Some(Event::Start(Tag::Strong)));
                    foot |= begins;
                    self.row(if begins { "</tbody>\n<tfoot>\n<tr>" } else { "<tr>" })
                }
                Event::End(TagEnd::TableRow) => "</tr>\n".to_owned(),
                Event::Start(Tag::TableCell) => self.cell(head),
                Event::End(TagEnd::TableCell) => (if head || self.column == 1 { "</th>" } else { "</td>" }).to_owned(),
                other => {
                    written.push(other.clone());
                    continue;
                }
            };
            written.push(raw(html));
        }
        let end = if foot { "</tfoot>" } else { "</tbody>" };
        written.push(raw(format!("{end}\n</table>\n</div>\n")));
    }

    fn row(&mut self, html: &str) -> String {
        self.column = 0;
        html.to_owned()
    }

    fn cell(&mut self, head: bool) -> String {
        let number = self.alignments.get(self.column) == Some(&Alignment::Right);
        self.column += 1;
        let class = if number { " class=\"n\"" } else { "" };
        match (head, self.column) {
            (true, _) => format!("<th scope=\"col\"{class}>"),
            (false, 1) => format!("<th scope=\"row\"{class}>"),
            _ => format!("<td{class}>"),
        }
    }
}

fn raw<'a>(html: String) -> Event<'a> {
    Event::Html(CowStr::from(html))
}

/// Index of `end` in `events`, or their length.
fn position(events: &[Event], end: TagEnd) -> usize {
    events.iter().position(|event| *event == Event::End(end)).unwrap_or(events.len())
}

/// The text of some events.
fn words(events: &[Event]) -> String {
    let text = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    text.collect()
}

/// The anchor that GitHub gives a heading.
fn anchor(words: &str) -> String {
    let kept = words
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use crate::render::markdown::folded;

    #[test]
    fn markup_of_others_is_shown_and_its_links_lead_nowhere() {
        let markdown = "# T\n\na <script>alert(1)</script> b <!-- c -->\n\n<div onclick=\"x\">\nd\n</div>\n\n\
                        [e](javascript:alert(1)) [f](https://a.b/c) [g](#t) [h](results/x.csv) [i](../x) [j](//a.b/c) [k](/x) \
                        [l](data:text/html,x) ![m](http://a.b/m.png)\n\n| n |\n|---|\n| <b>o</b> [p](vbscript:x) |\n\n\
                        ![q](https://a.b/q.png)\n";
        let page = super::page(markdown, "", |_| None);
        let body = page.split_once("<body>").unwrap().1.split_once("<script>").unwrap().0;
        for tag in ["<script", "<div onclick", "<!--", "<img", "<b>", "src=", "javascript:", "data:", "vbscript:"] {
            assert!(!body.contains(tag), "{tag}: {body}");
        }
        assert!(body.contains("a &lt;script&gt;alert(1)&lt;/script&gt; b &lt;!-- c --&gt;"), "{body}");
        let links: Vec<&str> = body.split("<a href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        assert_eq!(links, ["https://a.b/c", "#t", "results/x.csv"]);
    }

    #[test]
    fn only_the_pages_own_script_may_run() {
        let page = page();
        let policy = page.split_once("Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("script-src 'unsafe-inline'"), "{policy}");
    }

    #[test]
    fn folds_of_the_page_are_kept_and_those_with_markup_become_text() {
        let markdown =
            format!("# T\n\n{}\n<details>\n<summary><img src=x></summary>\n\nz\n", folded("A few words", "text"));
        let page = super::page(&markdown, "", |_| None);
        let body = page.split_once("<h1").unwrap().1;
        assert!(body.contains("<details>\n<summary>A few words</summary>\n<p>text</p>\n</details>"), "{body}");
        assert!(!body.contains("<img") && body.matches("<details>").count() == 1, "{body}");
    }

    const MARKDOWN: &str = "# A report\n\n> See [below](#ways--means).\n\n## Ways & means\n\n\
                            | Name | Value |\n|---|---:|\n| `a` | 1.0 |\n| b<c | 2.0 |\n| **Mean** | **1.5** |\n\n\
                            ![A \"map\"](map.svg)\n\n![gone](gone.svg)\n";

    fn page() -> String {
        super::page(MARKDOWN, "a < b", |file| (file == "map.svg").then_some(b"<svg><title>map</title></svg>\n"))
    }

    #[test]
    fn headings_have_githubs_anchors_and_a_place_in_the_contents() {
        let page = page();
        assert!(page.contains("<title>A report</title>") && page.contains("<header>a &lt; b</header>"));
        assert!(page.contains("<h2 id=\"ways--means\">Ways &amp; means</h2>"), "{page}");
        assert!(page.contains("<nav aria-label=\"Sections\">\n<a href=\"#ways--means\">Ways &amp; means</a>\n</nav>"));
    }

    #[test]
    fn tables_have_a_head_a_body_and_their_means_in_the_foot() {
        let page = page();
        let table = page.split_once("<table>").unwrap().1.split_once("</table>").unwrap().0;
        assert_eq!(
            table.trim(),
            "<thead>\n<tr><th scope=\"col\">Name</th><th scope=\"col\" class=\"n\">Value</th></tr>\n</thead>\n<tbody>\n\
             <tr><th scope=\"row\"><code>a</code></th><td class=\"n\">1.0</td></tr>\n\
             <tr><th scope=\"row\">b&lt;c</th><td class=\"n\">2.0</td></tr>\n</tbody>\n<tfoot>\n\
             <tr><th scope=\"row\"><strong>Mean</strong></th><td class=\"n\"><strong>1.5</strong></td></tr>\n</tfoot>"
        );
    }

    #[test]
    fn figures_are_in_the_page_and_nothing_is_loaded() {
        let page = page();
        assert!(page.contains(
            "<figure role=\"group\" aria-label=\"A &quot;map&quot;\">\n<svg><title>map</title></svg>\n</figure>"
        ));
        assert!(page.contains("<p>gone</p>"));
        assert!(!page.contains("src=") && !page.contains("<link") && !page.contains("@import"));
    }
}
