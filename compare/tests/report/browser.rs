//! The page as shown by a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{RUN, full, stderr, stdout};

/// The flags for every page.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=10000",
];

/// The script that examines a page.
const LOOK: &str = include_str!("browser.js");

/// The smallest contrast of text (WCAG 2, AA).
const CONTRAST_MIN: f64 = 4.5;

/// The smallest distance (CIE76) between the colours of two families for
/// colour-blind readers. Side by side, this is just noticeable. The shapes
/// distinguish the families; the colours help.
const APART_MIN: f64 = 5.0;

/// The charts that the page of a full run must have, what is counted in each,
/// and the smallest number: for ten contestants and all values of a sweep.
const CHARTS: [(&str, &str, u64); 7] = [
    ("perf2-rate-chart", "marks", 10),
    ("perf2-crowd-percentiles-chart", "panels", 10),
    ("interference-left-chart", "cells", 40),
    ("ladder-cost-chart", "panels", 10),
    ("idle-per-client-chart", "marks", 10),
    ("load-curve-knee-chart", "panels", 10),
    ("load-curve-knee-chart", "knees", 10),
];

pub(super) fn a_browser_shows_every_chart_at_any_width_in_light_and_dark() {
    let full = full::PAGE.as_path();
    for (page, width, is_dark) in [
        (full, 400, false),
        (full, 400, true),
        (full, 1600, false),
        (full, 1600, true),
        // The page with the hostile name.
        (&RUN.page, 400, true),
        (&RUN.page, 1600, false),
    ] {
        let case = format!("{}, {width} px, dark: {is_dark}", page.display());
        let verdict = in_a_browser(page, width, is_dark);
        assert_eq!(verdict["errors"], json!([]), "{case}");
        assert_eq!(verdict["dark"], is_dark, "{case}");
        assert_eq!(verdict["width"], width, "{case}");
        assert_eq!(verdict["bad"], json!([]), "{case}");
        assert_eq!(verdict["scrolls"], false, "{case}");
        assert_eq!(verdict["followed"], true, "{case}");
        check_colours(&verdict, &case);
        check_print(&verdict, &case);
        if page == full {
            check_kinds(&verdict, &case);
        }
    }
}

pub(super) fn a_browser_shows_the_claims_at_any_width_in_light_and_dark() {
    for (width, is_dark) in
        [(400, false), (400, true), (1600, false), (1600, true)]
    {
        let verdict = in_a_browser(&full::CLAIMS, width, is_dark);
        let case = format!("{width} px, dark: {is_dark}");
        assert_eq!(verdict["errors"], json!([]), "{case}");
        assert_eq!(verdict["bad"], json!([]), "{case}");
        assert_eq!(verdict["scrolls"], false, "{case}");
        let contrast = verdict["contrast"].as_f64();
        assert!(contrast >= Some(CONTRAST_MIN), "{case}: {contrast:?}");
        // This claim needs only figures of the ten servers.
        let marks = &verdict["figures"]["threads-collapse-chart"]["marks"];
        assert_eq!(marks, 1, "{case}");
    }
}

fn check_kinds(verdict: &Value, case: &str) {
    for (figure, what, least) in CHARTS {
        let count = verdict["figures"][figure][what].as_u64();
        assert!(count >= Some(least), "{case}: {figure}: {count:?} {what}");
    }
}

fn check_colours(verdict: &Value, case: &str) {
    assert!(verdict["contrast"].as_f64() >= Some(CONTRAST_MIN), "{case}");
    assert_eq!(verdict["shapes"], verdict["families"], "{case}");
    for sight in ["protan", "deutan"] {
        let apart = &verdict["apart"][sight];
        let least = apart["least"].as_f64().unwrap_or(f64::INFINITY);
        assert!(least >= APART_MIN, "{case}: {sight}: {apart}");
    }
}

/// Checks that the printed page is light, has nothing folded, and no hint that
/// needs a mouse.
fn check_print(verdict: &Value, case: &str) {
    assert_eq!(verdict["paper"], "#fff", "{case}");
    assert_eq!(verdict["hint"], false, "{case}");
    assert_eq!(verdict["folded"], 0, "{case}");
    let contrast = verdict["contrast_printed"].as_f64();
    assert!(contrast >= Some(CONTRAST_MIN), "{case}");
}

pub(super) fn the_page_can_be_printed() {
    let folder = folder();
    let path = folder.join("page.pdf");
    let output = browse(&folder, true)
        .arg(format!("--print-to-pdf={}", path.display()))
        .arg(url(&RUN.page))
        .output()
        .unwrap();
    let pdf = fs::read(&path).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert!(pdf.starts_with(b"%PDF-"));
    let pages = pdf.windows(11).filter(|part| part == b"/Type /Page");
    assert!(pages.count() > 2, "what is folded must be printed, too");
}

/// Opens the page in a browser with a script that examines it, and returns what
/// the script found.
fn in_a_browser(page: &Path, width: u32, is_dark: bool) -> Value {
    let folder = folder();
    let page = fs::read_to_string(page).unwrap();
    let page = page
        .replace("<body>", &format!("<body><script>{BEFORE}</script>"))
        .replace("</body>", &format!("<script>{LOOK}</script></body>"));
    fs::write(folder.join("page.html"), page).unwrap();
    // A browser's window is at least 500 px wide, but a frame may be narrower.
    let frame = FRAME.replace("WIDTH", &width.to_string());
    let path = folder.join("frame.html");
    fs::write(&path, frame).unwrap();
    let output = browse(&folder, is_dark)
        .args(["--dump-dom", "--window-size=1700,900"])
        .arg(url(&path))
        .output()
        .unwrap();
    let dom = stdout(&output);
    let verdict = dom
        .split_once("id=\"verdict\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .unwrap_or_else(|| panic!("no verdict: {}", stderr(&output)))
        .0;
    let verdict =
        verdict.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&verdict).unwrap_or_else(|error| {
        panic!("{error}: {verdict:?}: {}", stderr(&output))
    })
}

/// Returns the command of a browser with an empty profile that prefers a dark
/// or a light theme.
fn browse(folder: &Path, is_dark: bool) -> Command {
    let scheme = if is_dark { 0 } else { 1 };
    let mut command = Command::new("timeout");
    command
        .args(["120", needs::browser().expect("a browser")])
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.join("data").display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"));
    command
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = RUN.folder.join(format!("browser-{count}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// A page that shows the examined page in a frame, and receives the verdict.
const FRAME: &str = r#"<!DOCTYPE html>
<meta name="color-scheme" content="light dark">
<pre id="verdict"></pre>
<script>
addEventListener("message", (event) => {
  document.getElementById("verdict").textContent = event.data;
});
</script>
<iframe src="page.html" width="WIDTH" height="900" frameborder="0"></iframe>
"#;

/// The script that collects errors, from the first line of the page on.
const BEFORE: &str = r#"
window.wrong = [];
window.onerror = (message) => { wrong.push(String(message)); };
console.error = (...words) => { wrong.push(words.join(" ")); };
document.addEventListener("securitypolicyviolation", (event) => {
  wrong.push("the page tried to fetch " + event.blockedURI);
});
"#;
