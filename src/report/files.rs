//! The rendered files of a report: a pure function of its results, so that a checked-in report can be verified.

use super::figures::figure::Figure;
use super::results::{
    comparison_report, comparisons, csv_file, dependence, examples, profile, retests, runs, together,
};
use super::runs::Report;
use super::{figures, page};
use crate::error::{Error, Result};
use crate::io::{self, OutputFolder};
use crate::render::html;
use crate::variant::{REGISTRY, Registry};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Renders the report in `folder` from its `results` alone. Returns the path below `folder` and the content of each file.
///
/// # Errors
/// Results that are missing, or not in the form in which `report::collect` writes them.
pub fn render(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    render_with(REGISTRY, folder)
}

/// Like [`render`], for the variants of `registry`.
pub fn render_with(registry: Registry, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    refuse_links(&folder.join("results"))?;
    if let Some(comparison) = comparison_report::read(folder)? {
        let page = page::comparison_report::page(&comparison);
        let html = html::page(&page, "", |_| None);
        return Ok(pages(page, html));
    }
    if let Some(names) = together::read(folder)? {
        return render_together(registry, folder, names);
    }
    let profile = profile::read(folder)?;
    let report = report(registry, folder, profile.as_deref())?;
    let few = report.statistics.as_ref().is_some_and(|statistics| statistics.few_units().is_some());
    // Results of older versions hold tests from too few test images.
    let correlations = dependence::read(folder)?.map(|all| if few { all.without_label_tests() } else { all });
    let faces = examples::read(folder)?;
    let figures = figures::all(&report, correlations.as_ref(), faces.as_ref());
    let page = page::page(&report, correlations.as_ref(), profile.as_deref(), &figures);
    Ok(with_figures(page, &report.caption(), figures))
}

/// The report in `folder`, of which `profile` is the text of the profile.
fn report(registry: Registry, folder: &Path, profile: Option<&str>) -> Result<Report> {
    let (runs, diverged) = runs::read(folder)?;
    let settings = profile.map(|text| profile::parsed(folder, text)).transpose()?;
    let statistics = comparisons::read(&folder.join("results"))?;
    Ok(Report::new(registry, runs, diverged, statistics, settings).with_retests(retests::read(folder)?))
}

/// Renders the page of the reports called `names`, which lie beside `folder`.
fn render_together(registry: Registry, folder: &Path, names: Vec<String>) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let read = |name: String| {
        let beside = folder.with_file_name(&name);
        refuse_links(&beside.join("results"))?;
        let profile = profile::read(&beside)?;
        Ok((name, report(registry, &beside, profile.as_deref())?))
    };
    let reports = names.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let figure = page::together::figure(&reports);
    let page = page::together::page(&reports, figure.as_ref());
    Ok(with_figures(page, "", figure.into_iter().collect()))
}

/// The page in both forms, and its figures.
fn with_figures(page: String, banner: &str, figures: Vec<Figure>) -> Vec<(PathBuf, Vec<u8>)> {
    let html =
        html::page(&page, banner, |file| figures.iter().find(|figure| figure.file == file).map(|f| f.svg.as_slice()));
    let mut files = pages(page, html);
    files.extend(figures.into_iter().map(|figure| (PathBuf::from(figure.file), figure.svg)));
    files
}

/// Refuses results that are links: a page would show a file from elsewhere.
fn refuse_links(results: &Path) -> Result<()> {
    let kind = |path: &Path| std::fs::symlink_metadata(path).map(|found| found.file_type()).ok();
    let mut open = vec![results.to_path_buf()];
    while let Some(path) = open.pop() {
        match kind(&path) {
            Some(kind) if kind.is_symlink() => {
                let message = "is a link, which may lead out of the report: put the file itself there";
                return Err(Error::file(path, message));
            }
            Some(kind) if kind.is_dir() => {
                open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn pages(page: String, html: String) -> Vec<(PathBuf, Vec<u8>)> {
    vec![(PathBuf::from("README.md"), page.into_bytes()), (PathBuf::from("index.html"), html.into_bytes())]
}

/// Claims the folder of a report or comparison for a command that writes into it.
///
/// # Errors
/// Files of others there, unless `force` is set.
pub fn claim(folder: &Path, force: bool) -> Result<OutputFolder> {
    OutputFolder::claim(folder, &former_files(folder)?, force)
}

/// The files of a report of an earlier version, which wrote no list of them.
fn former_files(folder: &Path) -> Result<BTreeSet<String>> {
    let (readme, results) = (folder.join("README.md"), folder.join("results"));
    // A page that cannot be read is one of others.
    let page = if readme.is_file() { io::read(&readme).ok() } else { Some(Vec::new()) };
    let is_report = ["results.json", "comparison.json", "contest.json"].iter().any(|name| results.join(name).is_file());
    let (true, Some(page)) = (is_report, page) else { return Ok(BTreeSet::new()) };
    let page = String::from_utf8_lossy(&page).into_owned();
    let is_ours = page.is_empty()
        || page.starts_with("# gal-bench ")
        || page.contains("`gal-bench report --check` verifies that this page");
    if !is_ours {
        return Ok(BTreeSet::new());
    }
    let below = |path: PathBuf| Some(path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/"));
    let pages = csv_file::files_in(folder)?.into_iter().filter_map(below).filter(|name| {
        ["README.md", "index.html"].contains(&&**name) || is_figure(name) && page.contains(&format!("]({name})"))
    });
    let results = io::files_below(&results, |_| true)?.into_iter().filter_map(below);
    Ok(pages.chain(results).collect())
}

/// Renders the report in `folder` into that folder, and removes figures that it no longer has. Returns the written paths.
pub fn write(folder: &Path) -> Result<Vec<PathBuf>> {
    let rendered = render(folder)?;
    for path in stale(folder, &rendered)? {
        std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    rendered
        .into_iter()
        .map(|(path, content)| {
            let path = folder.join(path);
            io::write(&path, &content)?;
            Ok(path)
        })
        .collect()
}

/// The files of the report in `folder` that differ from what its results render to: changed, missing, or stale figures.
pub fn differences(folder: &Path) -> Result<Vec<PathBuf>> {
    let rendered = render(folder)?;
    let mut different = stale(folder, &rendered)?;
    for (path, content) in rendered {
        let path = folder.join(path);
        if !path.is_file() || io::read(&path)? != content {
            different.push(path);
        }
    }
    different.sort();
    Ok(different)
}

fn is_figure(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "svg")
}

/// Figures of an earlier rendering that are not among the rendered files.
fn stale(folder: &Path, rendered: &[(PathBuf, Vec<u8>)]) -> Result<Vec<PathBuf>> {
    let written = io::written_files(folder)?.into_iter().filter(|name| is_figure(name));
    let stale = written.filter(|name| !rendered.iter().any(|(known, _)| known == Path::new(name)));
    Ok(stale.map(|name| folder.join(name)).filter(|path| path.is_file()).collect())
}
