//! Links of pages: each leads to a file, and to a heading if it names one.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The pages for readers of this repository, without those of reports.
pub(super) fn pages() -> Vec<PathBuf> {
    let folders = [
        "",
        "docs",
        "datasets",
        "datasets/pipelines",
        "datasets/published",
        "datasets/synthetic",
        "fuzz",
        "tests",
        "tests/golden",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    folders.iter().flat_map(|folder| pages_in(&root.join(folder))).collect()
}

fn pages_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// A page's links, and the anchors that GitHub gives its headings.
struct Page {
    links: Vec<String>,
    anchors: Vec<String>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let (mut links, mut anchors) = (Vec::new(), Vec::new());
        let mut heading: Option<String> = None;
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap());
                    let before = count.entry(anchor.clone()).or_default();
                    anchors.push(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
                    *before += 1;
                }
                _ => {}
            }
        }
        Self { links, anchors }
    }
}

/// GitHub's anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The links of `page` that lead nowhere.
fn dead_links(page: &Path) -> Vec<String> {
    let own = Page::parse(&std::fs::read_to_string(page).unwrap());
    let local = own.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
    let is_dead = |link: &&String| {
        let (file, wanted) = link.split_once('#').map_or((link.as_str(), None), |(file, name)| (file, Some(name)));
        let target = if file.is_empty() { page.to_path_buf() } else { page.parent().unwrap().join(file) };
        let Some(wanted) = wanted else { return !target.exists() };
        !std::fs::read_to_string(target).is_ok_and(|text| Page::parse(&text).anchors.iter().any(|name| name == wanted))
    };
    local.filter(is_dead).map(|link| format!("{}: {link}", page.display())).collect()
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let reports = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("reports")).unwrap();
    let reports = reports.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let pages: Vec<PathBuf> = pages().into_iter().chain(reports.flat_map(|folder| pages_in(&folder))).collect();
    let dead: Vec<String> = pages.iter().flat_map(|page| dead_links(page)).collect();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    std::fs::write(folder.path().join("other.md"), "# `augmentor_compat = true`\n## Use\n## Use\n").unwrap();
    let text = "[a](other.md#augmentor_compat--true) [b](other.md#use-1) [c](https://example.org/x) ![d](none.svg)
        [e](other.md#use-2) [f](#gone)\n\n| [g](none.md) |\n|---|\n";
    std::fs::write(&page, text).unwrap();
    let found: Vec<String> = dead_links(&page).iter().map(|link| link.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(found, ["none.svg", "other.md#use-2", "#gone", "none.md"]);
}

#[test]
fn every_page_of_the_documentation_is_listed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let listed = Page::parse(&std::fs::read_to_string(docs.join("README.md")).unwrap()).links;
    let unlisted: Vec<PathBuf> = pages_in(&docs)
        .into_iter()
        .filter(|page| {
            let name = page.file_name().unwrap().to_str().unwrap();
            name != "README.md" && !listed.iter().any(|link| link == name)
        })
        .collect();
    assert!(unlisted.is_empty(), "docs/README.md lacks {unlisted:?}");
}
