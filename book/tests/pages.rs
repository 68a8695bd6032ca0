//! Tests the built pages in a browser.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use needs::BROWSER;
use serde_json::{Value, json};

/// The run that the course takes its figures from by default.
const FIGURES: &str = "bench/recorded/full-2026-11-30/figures.json";

const BOOK: &str = env!("CARGO_BIN_EXE_book");

/// Runs before anything else in a page: records all errors.
const RECORD_ERRORS: &str = "\
window.errors = [];
window.onerror = (message) => { errors.push(String(message)); };
console.error = (...words) => { errors.push(words.join(' ')); };
";

/// Runs in a page after it has loaded: reports its defects.
const LOOK: &str = include_str!("look.js");

/// Opens one page after another in a frame, and collects their reports.
const DRIVER: &str = include_str!("driver.html");

fn main() -> ExitCode {
    needs::run(needs::tests![
        [BROWSER] every_page_is_shown_at_any_width_in_light_and_dark,
        a_missing_figure_fails_the_build_and_names_the_chapter,
        a_run_of_the_reader_replaces_the_recorded_run,
    ])
}

fn every_page_is_shown_at_any_width_in_light_and_dark() {
    let folder = tempfile::tempdir().unwrap();
    let pages = build_with_scripts(folder.path());
    for (width, is_dark) in
        [(400, false), (400, true), (1600, false), (1600, true)]
    {
        let reports = reports(folder.path(), &pages, width, is_dark);
        let case = format!("{width} px, dark: {is_dark}");
        let reports = reports.as_object().unwrap();
        assert_eq!(reports.len(), pages.len(), "{case}");
        for (page, report) in reports {
            let case = format!("{page}, {case}");
            assert_eq!(report["errors"], json!([]), "{case}");
            assert_eq!(report["defects"], json!([]), "{case}");
            assert_eq!(report["dark"], is_dark, "{case}");
        }
        let threads = &reports["threads.html"];
        assert!(threads["charts"].as_u64() >= Some(4), "{threads}");
        let found = reports["index.html?search=waker"]["found"].as_u64();
        assert!(found >= Some(1), "{case}: {found:?}");
    }
}

fn a_missing_figure_fails_the_build_and_names_the_chapter() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run.json");
    // A run without figures.
    let text = json!({
        "run": "empty",
        "complete": false,
        "rounds_wanted": 5,
        "rounds_done": 0,
        "machine": {
            "processor": { "value": "none" },
            "processors_allowed": [],
            "kernel": "none",
        },
        "margin": 0.03,
        "self_ratios": [],
        "figures": [],
    });
    fs::write(&run, text.to_string()).unwrap();
    let output = build(folder.path(), &["--run", run.to_str().unwrap()]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let gap = "run empty: no figure";
    for words in ["threads.md: line ", gap, "rss", "compare run --full"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

fn build(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BOOK)
        .arg("build")
        .arg("--dest")
        .arg(folder.join("html"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Builds the book, adds the scripts to each page, and returns the pages.
fn build_with_scripts(folder: &Path) -> Vec<String> {
    let output = build(folder, &[]);
    assert!(output.status.success(), "{output:?}");
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder.join("html")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_other = ["toc.html", "404.html"].contains(&name.as_str());
        if !name.ends_with(".html") || is_other {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replacen(
                "<head>",
                &format!("<head><script>{RECORD_ERRORS}</script>"),
                1,
            )
            .replacen("</body>", &format!("<script>{LOOK}</script></body>"), 1);
        fs::write(&path, text).unwrap();
        // print.html opens the browser's print dialogue.
        if name != "print.html" {
            pages.push(name);
        }
    }
    pages.push("index.html?search=waker".to_owned());
    pages
}

fn a_run_of_the_reader_replaces_the_recorded_run() {
    let folder = tempfile::tempdir().unwrap();
    let page = || fs::read_to_string(folder.path().join("html/threads.html"));
    let output = build(folder.path(), &[]);
    assert!(output.status.success(), "{output:?}");
    let recorded = page().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FIGURES);
    let text = fs::read_to_string(path).unwrap();
    let mut run: Value = serde_json::from_str(&text).unwrap();
    run["run"] = "of-a-reader".into();
    // The run was interrupted, which the pages must show.
    run["complete"] = false.into();
    run["rounds_done"] = 1.into();
    for row in run["figures"].as_array_mut().unwrap() {
        // Ten times the value, so that every figure's text differs.
        if let Some(estimate) = row["estimate"].as_object_mut() {
            for end in estimate.values_mut() {
                *end = (end.as_f64().unwrap() * 10.0).into();
            }
        }
    }
    let path = folder.path().join("run.json");
    fs::write(&path, run.to_string()).unwrap();
    let output = build(folder.path(), &["--run", path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let readers = page().unwrap();
    let values = |page: &str| -> Vec<String> {
        let parts = page.split("<span class=\"value\"").skip(1);
        let parts = parts.filter_map(|part| part.split_once("</span>"));
        parts.map(|(value, _)| value.to_owned()).collect()
    };
    let (recorded_values, values) = (values(&recorded), values(&readers));
    assert_eq!(recorded_values.len(), values.len());
    assert!(values.len() >= 3, "{values:?}");
    for (before, after) in recorded_values.iter().zip(&values) {
        assert_ne!(before, after);
    }
    assert!(readers.contains("run of-a-reader"));
    assert!(readers.contains("interrupted after 1 of 6 rounds"));
    assert!(!recorded.contains("interrupted after"));
    assert!(!recorded.contains("run of-a-reader"));
}

/// Opens all pages in a browser, and returns their reports by page.
fn reports(
    folder: &Path,
    pages: &[String],
    width: u32,
    is_dark: bool,
) -> Value {
    let driver = DRIVER
        .replace("PAGES", &serde_json::to_string(pages).unwrap())
        .replace("WIDTH", &width.to_string());
    let path = folder.join("html/driver.html");
    fs::write(&path, driver).unwrap();
    let scheme = if is_dark { 0 } else { 1 };
    let output = Command::new("timeout")
        .args(["200", needs::browser().expect("a browser")])
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--no-first-run", "--hide-scrollbars"])
        .args(["--allow-file-access-from-files"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", folder.join("data").display()))
        .args(["--virtual-time-budget=120000", "--window-size=1700,900"])
        .arg("--dump-dom")
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let reports = dom
        .split_once("id=\"reports\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .map(|(reports, _)| reports)
        .unwrap_or_default();
    let reports =
        reports.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&reports)
        .unwrap_or_else(|error| panic!("{error}: {reports}"))
}
