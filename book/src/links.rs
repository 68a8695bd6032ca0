//! Whether what pages link to is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use regex_lite::Regex;

/// The pages' links that lead nowhere, each with its page. Links to elsewhere
/// are left to those who have a network.
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
            let is_elsewhere = ["http:", "https:", "mailto:", "data:", "//"]
                .iter()
                .any(|scheme| link.starts_with(scheme));
            if is_elsewhere || link.is_empty() {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = file.split('?').next().unwrap_or(file);
            let target = match file {
                "" => path.clone(),
                // The page for those who are lost is served from anywhere.
                file if file.starts_with('/') => folder.join(&file[1..]),
                file => plain(&path.with_file_name("").join(file)),
            };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || ids.get(&target).is_none_or(|ids| ids.contains(anchor)));
            if !is_there {
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

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
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
