//! A run that was kept, in each form of a report; and the page, as a browser
//! sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

const COMPARE: &str = env!("CARGO_BIN_EXE_compare");

/// The names of browsers that speak Chromium's flags.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A contestant's name that would break a page that takes it for markup.
const HOSTILE: &str = "<b>&\"quoted\", 'it'";

/// The largest page of a full run that is still easily passed on.
const PAGE_BYTES_MAX: usize = 1_000_000;

#[test]
fn without_a_form_the_table_of_the_run_is_printed_again() {
    let output = report(&[]);
    let text = stdout(&output);
    assert!(text.contains("perf2"), "{text}");
    assert!(text.contains("good"), "{text}");
    assert!(text.contains("noise floor"), "{text}");
    assert!(text.contains("void: bad in perf2"), "{text}");
}

#[test]
fn a_row_of_the_csv_is_a_figure_of_a_cell() {
    let text = stdout(&report(&["--csv", "-"]));
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let rows: Vec<Vec<&str>> = lines
        .filter(|line| line.contains(",good,") && !line.contains('"'))
        .map(|line| line.split(',').collect())
        .collect();
    assert!(rows.iter().all(|row| row.len() == header.len()), "{text}");
    let rate = rows
        .iter()
        .find(|row| row[0] == "perf2" && row[column("figure")] == "rate")
        .unwrap();
    assert!(rate[column("median")].parse::<f64>().unwrap() > 0.0);
    assert_eq!(rate[column("unit")], "1/s");
    assert_eq!(rate[column("rounds")], "3");
    let at_four = rows.iter().find(|row| row[0] == "interference@4").unwrap();
    assert_eq!(at_four[column("of")], "interference");
    assert_eq!(at_four[column("value")], "4");
    // A name with a comma and quotes stays one field.
    assert!(text.contains("\"<b>&\"\"quoted\"\", 'it'\""), "{text}");
    // What failed is there, without figures and with the reason.
    let bad = text.lines().find(|l| l.starts_with("perf2,perf2,,bad,"));
    assert!(bad.unwrap().contains(",,,,0,false,void,"), "{bad:?}");
}

#[test]
fn the_json_holds_each_figure_with_its_interval_and_its_validity() {
    let text = stdout(&report(&["--json", "-"]));
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["seed"], 7);
    assert_eq!(json["rounds_done"], 3);
    assert!(!json["noise_floors"].as_array().unwrap().is_empty());
    let figures = json["figures"].as_array().unwrap();
    let of = |contestant: &str, figure: &str| {
        let is_it = |one: &&Value| {
            one["scenario"] == "perf2"
                && one["contestant"] == contestant
                && one["figure"] == figure
        };
        figures.iter().find(is_it).unwrap()
    };
    let estimate = &of("good", "cost")["estimate"];
    let [low, median, high] =
        ["low", "median", "high"].map(|end| estimate[end].as_f64().unwrap());
    assert!(low <= median && median <= high);
    assert_ne!(of("good", "cost")["validity"], "void");
    assert_eq!(of("bad", "cost")["validity"], "void");
    assert_eq!(of("bad", "cost")["estimate"], Value::Null);
}

#[test]
fn the_markdown_has_a_table_for_each_question() {
    let text = stdout(&report(&["--markdown", "-"]));
    assert!(text.contains("## perf2\n"), "{text}");
    assert!(text.contains("| contestant | rate | p50 |"), "{text}");
    assert!(text.contains("| bad | void | void |"), "{text}");
    assert!(text.contains("1 long client"), "{text}");
    assert!(!text.contains("<b>"), "{text}");
}

#[test]
fn the_page_stands_alone_and_takes_no_name_for_markup() {
    let page = fs::read_to_string(&RUN.page).unwrap();
    assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
    assert!(!page.contains("<b>&\"quoted"), "a name became markup");
    assert!(page.contains("&lt;b&gt;&amp;&quot;quoted&quot;"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "the page refers to {outside}");
    }
    for part in ["id=\"perf2\"", "id=\"interference\"", "class=\"heat\""] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("id=\"churn\""), "it was not measured");
    assert!(page.contains("-s &#39;^perf2$&#39; --rounds 3"), "to repeat it");
}

#[test]
fn the_page_shows_the_system_calls_that_were_counted() {
    let title = "system calls for each reply";
    let page = fs::read_to_string(&RUN.page).unwrap();
    assert!(!page.contains(title), "nobody asked for them");
    let text = fs::read_to_string(RUN.record.join("run.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    record["cells"]["perf2"]["good"]["system_calls"] = serde_json::json!({
        "value": { "sendto": 1.25, "epoll_wait": 0.5, "brk": 0.001 }
    });
    let counted = RUN.folder.join("counted.json");
    fs::write(&counted, record.to_string()).unwrap();
    let arguments = ["report", counted.to_str().unwrap(), "--html", "-"];
    let output = Command::new(COMPARE).args(arguments).output().unwrap();
    let page = stdout(&output);
    assert!(page.contains(title), "{}", stderr(&output));
    let cell = "<b>1.75</b><small>sendto 1.25, epoll_wait 0.50</small>";
    assert!(page.contains(cell));
}

#[test]
fn a_run_that_is_not_there_and_two_forms_on_stdout_exit_with_2() {
    let run = RUN.record.to_str().unwrap();
    let cases: [(&[&str], &str); 2] = [
        (&["report", "no-such-run"], "no-such-run"),
        (&["report", run, "--csv", "-", "--json", "-"], "stdout"),
    ];
    for (arguments, culprit) in cases {
        let output = Command::new(COMPARE).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(culprit), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_with_its_flag() {
    let run = RUN.record.to_str().unwrap();
    let arguments = ["report", run, "--html", "/no/such/folder/page.html"];
    let output = Command::new(COMPARE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("--html: cannot write /no/such"), "{text}");
}

#[test]
fn a_browser_shows_every_chart_at_any_width_in_light_and_dark() {
    for width in [400, 1600] {
        for (scheme, is_dark) in [("1", false), ("0", true)] {
            let case = format!("{width} px, dark: {is_dark}");
            let verdict = in_a_browser(width, scheme);
            let errors = verdict["errors"].as_array().unwrap();
            assert!(errors.is_empty(), "{case}: {errors:?}");
            assert_eq!(verdict["dark"], is_dark, "{case}");
            assert_eq!(verdict["width"], width, "{case}");
            assert!(verdict["charts"].as_u64() > Some(4), "{case}");
            // None is without size or label, and none is out of sight.
            assert_eq!(verdict["bad"], serde_json::json!([]), "{case}");
            assert_eq!(verdict["scrolls"], false, "{case}");
            assert_eq!(verdict["followed"], true, "{case}");
        }
    }
}

/// Opens the page in a browser, with a script that looks at it from within
/// and says what it found.
fn in_a_browser(width: u32, scheme: &str) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = RUN.folder.join(format!("browser-{count}"));
    fs::create_dir_all(&folder).unwrap();
    let page = fs::read_to_string(&RUN.page).unwrap();
    let page = page
        .replace("<body>", &format!("<body><script>{BEFORE}</script>"))
        .replace("</body>", &format!("<script>{AFTER}</script></body>"));
    fs::write(folder.join("page.html"), page).unwrap();
    // A browser's window is at least 500 px wide, a frame is as it is told.
    let frame = FRAME.replace("WIDTH", &width.to_string());
    let path = folder.join("frame.html");
    fs::write(&path, frame).unwrap();
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--dump-dom",
    ];
    let output = Command::new("timeout")
        .args(["120", browser()])
        .args(flags)
        .arg(format!("--user-data-dir={}", folder.join("data").display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .args(["--window-size=1700,900", "--virtual-time-budget=10000"])
        .arg(format!("file://{}", path.display()))
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
    serde_json::from_str(&verdict).unwrap()
}

/// Shows the page, and keeps its verdict.
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

/// Keeps what goes wrong from the first line of the page on.
const BEFORE: &str = r#"
window.wrong = [];
window.onerror = (message) => { wrong.push(String(message)); };
console.error = (...words) => { wrong.push(words.join(" ")); };
document.addEventListener("securitypolicyviolation", (event) => {
  wrong.push("it would fetch " + event.blockedURI);
});
"#;

/// Looks at every chart, and follows a contestant.
const AFTER: &str = r#"
(() => {
  const bad = [];
  const charts = [...document.querySelectorAll("svg[role=img]")];
  for (const chart of charts) {
    const box = chart.getBoundingClientRect();
    const label = chart.getAttribute("aria-label");
    const title = chart.querySelector(":scope > title")?.textContent;
    const seen = box.width > 100 && box.height > 50
      && box.left >= 0 && box.right <= innerWidth;
    const text = chart.querySelector("text")?.getBoundingClientRect();
    const legible = text && text.height > 8;
    if (!label || !title || !seen || !legible) {
      bad.push([label, box.left, box.width, box.height, text?.height]);
    }
  }
  document.querySelector(".chip").click();
  const followed = document.querySelectorAll(".on").length > 3;
  const verdict = {
    errors: wrong,
    bad,
    followed,
    charts: charts.length,
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    scrolls: document.documentElement.scrollWidth > innerWidth,
  };
  parent.postMessage(JSON.stringify(verdict), "*");
})();
"#;

fn browser() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| {
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    };
    BROWSERS.into_iter().find(is_there).unwrap_or_else(|| {
        panic!(
            "none of {BROWSERS:?} is in PATH: the page is tested in a \
             browser (apt-get install chromium)"
        )
    })
}

/// A run of synthetic contestants that all tests read.
struct Run {
    folder: PathBuf,
    record: PathBuf,
    page: PathBuf,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    // Nothing drops a static: what the last time left goes now.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let quoted = HOSTILE.replace('"', "\\\"");
    let text = contestant("good", "none")
        + &contestant(&quoted, "none")
        + &contestant("bad", "wrong");
    let contestants = folder.join("contestants.toml");
    fs::write(&contestants, text).unwrap();
    let record = folder.join("out");
    let output = Command::new(COMPARE)
        .args(["run", "--contestants"])
        .arg(&contestants)
        .args(["-s", "^perf2$", "-s", "^interference$", "-s", "^pipeline$"])
        .args(["--rounds", "3", "--duration", "20ms", "--seed", "7"])
        .arg("--out")
        .arg(&record)
        .env("TMPDIR", &folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let page = folder.join("page.html");
    let output = Command::new(COMPARE)
        .arg("report")
        .arg(&record)
        .arg("--html")
        .arg(&page)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    Run { folder, record, page }
});

fn contestant(name: &str, fault: &str) -> String {
    format!(
        r#"
[[contestant]]
name = "{name}"
label = "idiomatic"
command = ["{COMPARE}", "faulty", "--listen", "{{addr}}", "--fault", "{fault}"]
"#
    )
}

fn report(arguments: &[&str]) -> Output {
    let mut command = Command::new(COMPARE);
    command.arg("report").arg(&RUN.record).args(arguments);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into()
}
