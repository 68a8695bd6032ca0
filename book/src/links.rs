//! Finds dead links in the built pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use regex_lite::Regex;

/// Returns the dead links of all pages in a folder, each with its page.
/// External links are not checked, since that would need a network.
pub(crate) fn dead(folder: &Path) -> anyhow::Result<Vec<String>> {
    let link = Regex::new(r#"\b(?:href|src)="([^"]*)""#)?;
    let name = Regex::new(r#"\bid="([^"]+)""#)?;
    let mut pages: BTreeMap<PathBuf, String> = BTreeMap::new();
    read(folder, &mut pages)?;
    let ids: BTreeMap<&PathBuf, BTreeSet<&str>> = pages
        .iter()
        .map(|(path, text)| {
            let ids = name.captures_iter(text);
            let ids = ids.filter_map(|c| c.get(1)).map(|id| id.as_str());
            (path, ids.collect())
        })
        .collect();
    let mut dead = Vec::new();
    for (path, text) in &pages {
        let links = link.captures_iter(text).filter_map(|c| c.get(1));
        let links: BTreeSet<&str> = links.map(|link| link.as_str()).collect();
        for link in links {
            let is_external = ["http:", "https:", "mailto:", "data:", "//"]
                .iter()
                .any(|scheme| link.starts_with(scheme));
            if is_external || link.is_empty() {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = file.split('?').next().unwrap_or(file);
            let target = match file {
                "" => path.clone(),
                // 404.html is served at any address, so its links are absolute.
                file if file.starts_with('/') => folder.join(&file[1..]),
                file => normalized(&path.with_file_name("").join(file)),
            };
            let exists = target.exists()
                && (anchor.is_empty()
                    || ids.get(&target).is_none_or(|ids| ids.contains(anchor)));
            if !exists {
                let page = path.strip_prefix(folder).unwrap_or(path);
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    Ok(dead)
}

fn read(
    folder: &Path,
    pages: &mut BTreeMap<PathBuf, String>,
) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|ending| ending == "html") {
            let text = fs::read_to_string(&path).with_context(unreadable)?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Returns a path without `.` and `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normalized.pop();
            }
            Component::CurDir => {}
            part => normalized.push(part),
        }
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let page = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        page(
            "a.html",
            r##"<h1 id="top"></h1><a href="sub/b.html#here">
            <a href="#top"> <a href="#gone"> <a href="c.html">
            <a href="https://example.org/x"> <img src="p.png">"##,
        );
        page("sub/b.html", r#"<p id="here"><a href="../a.html#not">"#);
        let dead = dead(folder.path()).unwrap();
        let expected = [
            "a.html: #gone",
            "a.html: c.html",
            "a.html: p.png",
            "sub/b.html: ../a.html#not",
        ];
        assert_eq!(dead, expected);
    }
}
