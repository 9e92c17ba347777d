//! The source files as modules: which file uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The library's modules, by path below `src` without extension: `train`, `train/trainer`.
pub(crate) struct Modules {
    files: BTreeMap<String, Module>,
}

struct Module {
    /// The text before the unit tests, without comments.
    code: String,
    /// Names that a `pub use` gives on, with the module path each comes from.
    exports: BTreeMap<String, Vec<String>>,
}

impl Modules {
    /// Reads every file below `src` but the binary's.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        for path in sources(&root) {
            let below = path.strip_prefix(&root).unwrap().with_extension("");
            let name = below.to_str().unwrap().trim_end_matches("/mod").to_owned();
            if ["main", "cli", "commands"].contains(&name.split('/').next().unwrap()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = without_comments(text.split("#[cfg(test)]\nmod tests").next().unwrap());
            let module = name.split('/').map(str::to_owned).collect::<Vec<_>>();
            files.insert(name, Module { exports: exports(&code, &module), code });
        }
        Self { files }
    }

    /// The files that `file` uses, itself excepted. A `pub use` is no use: it gives on what it names.
    pub(crate) fn uses(&self, file: &str) -> BTreeSet<String> {
        let here: Vec<String> = file.split('/').map(str::to_owned).collect();
        let code = &self.files[file].code;
        let mut used = BTreeSet::new();
        for path in paths(&without_exports(code)) {
            if let Some(target) = self.file_of(&absolute(&path, &here)) {
                used.insert(target);
            }
        }
        // A parent names its children without a prefix.
        let children = self.files.keys().filter(|name| name.rsplit_once('/').is_some_and(|(parent, _)| parent == file));
        for child in children {
            let name = child.rsplit('/').next().unwrap();
            if names_module(&without_exports(code), name) {
                used.insert(child.clone());
            }
        }
        used.remove(file);
        used
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The file that defines what `path` names, re-exports followed.
    fn file_of(&self, path: &[String]) -> Option<String> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let length = (1..=path.len()).rev().find(|&n| self.files.contains_key(&path[..n].join("/")))?;
            let file = path[..length].join("/");
            match path.get(length).and_then(|item| self.files[&file].exports.get(item)) {
                Some(from) => path = [from, &path[length + 1..]].concat(),
                None => return Some(file),
            }
        }
        None
    }
}

/// The circles between files: each set of files that reach one another.
pub(crate) fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let uses: BTreeMap<&str, BTreeSet<String>> = modules.names().map(|name| (name, modules.uses(name))).collect();
    let reached = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = open.pop() {
            for next in &uses[&*file] {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<String>> = modules.names().map(|name| (name, reached(name))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reaches) in &reach {
        let circle: Vec<String> = reaches.iter().filter(|other| reach[&***other].contains(*file)).cloned().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Every `.rs` file below `folder`, in order.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// The code without its `pub use` statements.
fn without_exports(code: &str) -> String {
    let mut rest = String::new();
    let mut skipping = false;
    for line in code.lines() {
        skipping |= is_export(line);
        if !skipping {
            rest.push_str(line);
            rest.push('\n');
        }
        skipping &= !line.trim_end().ends_with(';');
    }
    rest
}

fn is_export(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("pub") && line.split_once(' ').is_some_and(|(_, rest)| rest.trim_start().starts_with("use "))
        || line.starts_with("pub(in ") && line.contains(" use ")
}

/// Names that the `pub use` statements of `code` give on.
fn exports(code: &str, here: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut statement = String::new();
    for line in code.lines() {
        if !statement.is_empty() || is_export(line) {
            statement.push_str(line.trim());
            statement.push(' ');
        }
        if statement.trim_end().ends_with(';') {
            let (_, tree) = statement.split_once("use ").unwrap();
            for (path, name) in leaves(tree.trim_end().trim_end_matches(';')) {
                let first = path.first().map(String::as_str);
                let path = match first {
                    Some("crate" | "self" | "super") => absolute(&path, here),
                    _ => [here, &path].concat(),
                };
                found.insert(name, path);
            }
            statement.clear();
        }
    }
    found
}

/// Every path in `code` that starts at `crate`, `super` or `self`, those of a `use` tree one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            found.extend(leaves(tree(&code[at..])).into_iter().map(|(path, _)| path));
        }
    }
    found
}

/// The use tree at the start of `text`.
fn tree(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                if !text[..at].ends_with("::") && depth == 0 {
                    return &text[..at];
                }
                depth += 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return &text[..=at];
                }
            }
            c if depth > 0 || c.is_alphanumeric() || c == '_' || c == ':' => {}
            _ => return &text[..at],
        }
    }
    text
}

/// The leaves of a use tree: path, and the name under which it is known.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, tree.rsplit("::").next().unwrap()));
        let path: Vec<String> =
            path.split("::").map(|p| p.trim().to_owned()).filter(|p| !p.is_empty() && p != "self").collect();
        return vec![(path, name.trim().to_owned())];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut parts, mut depth, mut last) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[last..at]);
                last = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[last..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| leaves(&format!("{prefix}{}", part.trim())))
        .collect()
}

/// A path with `crate`, `self` and `super` resolved against the module `here`.
fn absolute(path: &[String], here: &[String]) -> Vec<String> {
    let mut base = here.to_vec();
    let mut rest = path;
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = others;
    }
    base.extend_from_slice(rest);
    base
}

/// Whether the code names something of the child module `name`.
fn names_module(code: &str, name: &str) -> bool {
    let wanted = format!("{name}::");
    code.match_indices(&wanted)
        .any(|(at, _)| !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':'))
}
