//! `compare report`: a kept run in each output format, and the page as shown by
//! a browser.

#[path = "report/browser.rs"]
mod browser;
#[path = "report/full.rs"]
mod full;
#[path = "report/rerun.rs"]
mod rerun;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::LazyLock;

use needs::BROWSER;
use nix::pty::{OpenptyResult, openpty};
use serde_json::Value;

const COMPARE: &str = env!("CARGO_BIN_EXE_compare");

/// A contestant's name that breaks a page that doesn't escape it.
const HOSTILE: &str = "<b>&\"quoted\", 'it'";

/// The largest size of a page, so that it can be sent by mail.
const PAGE_BYTES_MAX: usize = 1_000_000;

fn main() -> ExitCode {
    needs::run(needs::tests![
        without_an_output_format_the_table_is_printed,
        the_table_is_bold_only_on_a_terminal_without_no_color,
        the_csv_has_one_row_per_figure_of_a_cell,
        the_json_contains_each_figure_with_its_interval_and_validity,
        the_markdown_has_a_table_for_each_question,
        the_page_needs_no_other_file_and_escapes_names,
        a_percentile_is_shown_only_if_each_round_has_ten_replies_beyond_it,
        the_page_of_a_full_run_is_small_enough,
        the_table_below_the_heat_map_has_its_shares_and_their_rates,
        the_page_shows_the_system_calls_that_were_counted,
        a_missing_run_and_two_formats_on_stdout_exit_with_2,
        a_file_that_cannot_be_written_is_reported_with_its_flag,
        [BROWSER] browser::a_browser_shows_every_chart_at_any_width_in_light_and_dark,
        [BROWSER] browser::a_browser_shows_the_claims_at_any_width_in_light_and_dark,
        [BROWSER] browser::the_page_can_be_printed,
        rerun::every_chart_has_the_command_that_measures_it_again,
        rerun::contestants_of_a_file_are_measured_again_from_that_file,
        rerun::the_command_has_all_options_of_the_original_command_line,
        rerun::a_load_on_an_external_server_is_repeated_with_compare_load,
        rerun::a_merged_record_is_repeated_part_by_part,
    ])
}

fn without_an_output_format_the_table_is_printed() {
    let output = report(&[]);
    let text = stdout(&output);
    assert!(text.contains("perf2"), "{text}");
    assert!(text.contains("good"), "{text}");
    assert!(text.contains("A/A ("), "{text}");
    assert!(text.contains("void: bad in perf2"), "{text}");
}

fn the_table_is_bold_only_on_a_terminal_without_no_color() {
    let bold = "\x1b[1m";
    let run = RUN.record.to_str().unwrap();
    let cases = [
        (on_a_terminal(&["report", run], None), true),
        (on_a_terminal(&["report", run], Some("1")), false),
        // An empty value means unset (https://no-color.org).
        (on_a_terminal(&["report", run], Some("")), true),
        (stdout(&call(&["report", run])), false),
    ];
    for (index, (text, is_bold)) in cases.iter().enumerate() {
        assert!(text.contains("good"), "{index}: {text}");
        assert_eq!(text.contains(bold), *is_bold, "{index}");
        let is_plain = !text.contains('\x1b');
        assert_eq!(is_plain, !is_bold, "{index}: {text:?}");
    }
}

/// Returns what is printed if stdout is a terminal.
fn on_a_terminal(arguments: &[&str], no_color: Option<&str>) -> String {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let mut command = Command::new(COMPARE);
    command.args(arguments).env("TERM", "xterm").env_remove("NO_COLOR");
    command.envs(no_color.map(|value| ("NO_COLOR", value)));
    let mut child = command.stdout(slave).spawn().unwrap();
    // The command also has the other end open.
    drop(command);
    let mut text = Vec::new();
    // Reading fails when the other end of a terminal is closed.
    let _ = File::from(master).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8_lossy(&text).into()
}

fn the_csv_has_one_row_per_figure_of_a_cell() {
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
    assert!(rate[column("estimate")].parse::<f64>().unwrap() > 0.0);
    assert_eq!(rate[column("unit")], "1/s");
    assert_eq!(rate[column("rounds")], "3");
    let at_four = rows.iter().find(|row| row[0] == "interference@4").unwrap();
    assert_eq!(at_four[column("of")], "interference");
    assert_eq!(at_four[column("value")], "4");
    // A name with a comma and quotes remains one field.
    assert!(text.contains("\"<b>&\"\"quoted\"\", 'it'\""), "{text}");
    // A void cell has a row with the reason and without figures.
    let bad = text.lines().find(|l| l.starts_with("perf2,perf2,,bad,"));
    assert!(bad.unwrap().contains(",,,,0,false,void,"), "{bad:?}");
}

fn the_json_contains_each_figure_with_its_interval_and_validity() {
    let text = stdout(&report(&["--json", "-"]));
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema_version"], 2);
    assert_eq!(json["seed"], 7);
    assert_eq!(json["rounds_done"], 3);
    assert!(!json["self_ratios"].as_array().unwrap().is_empty());
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
    let [low, value, high] =
        ["low", "value", "high"].map(|end| estimate[end].as_f64().unwrap());
    assert!(low <= value && value <= high);
    assert_ne!(of("good", "cost")["validity"], "void");
    assert_eq!(of("bad", "rate")["validity"], "void");
    assert_eq!(of("bad", "rate")["estimate"], Value::Null);
}

fn the_markdown_has_a_table_for_each_question() {
    let text = stdout(&report(&["--markdown", "-"]));
    assert!(text.contains("## perf2\n"), "{text}");
    assert!(text.contains("| contestant | rate |"), "{text}");
    assert!(text.contains("| bad | void | void |"), "{text}");
    assert!(text.contains("1 long client"), "{text}");
    assert!(!text.contains("<b>"), "{text}");
}

fn the_page_needs_no_other_file_and_escapes_names() {
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
    assert!(!page.contains("id=\"churn\""), "churn was not measured");
}

fn a_percentile_is_shown_only_if_each_round_has_ten_replies_beyond_it() {
    let text = fs::read_to_string(RUN.record.join("run.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let scenario = &mut record["scenarios"];
    let scenario = scenario.as_array_mut().unwrap().iter_mut();
    let scenario = { scenario }.find(|one| one["name"] == "perf2").unwrap();
    scenario["figures"] = serde_json::json!(["p99"]);
    let rounds = &mut record["cells"]["perf2"]["good"]["rounds"];
    let rounds = rounds.as_array_mut().unwrap().iter_mut();
    // Beyond p99.9, the first round has five replies, the others enough.
    for (round, replies) in rounds.zip([5_000, 50_000, 50_000]) {
        full::fill(&mut round["report"]["groups"][0], replies, 20_000);
    }
    let path = RUN.folder.join("tail.json");
    fs::write(&path, record.to_string()).unwrap();
    let page = page_of(&path);
    let (_, table) = page.split_once("perf2-percentiles-chart").unwrap();
    let (_, table) = table.split_once("<tbody>").unwrap();
    let (row, _) = table.split_once("</tr>").unwrap();
    let cells: Vec<&str> = row.split("<td").skip(1).collect();
    assert_eq!(cells.len(), 7, "{row}");
    assert!(cells[..6].iter().all(|cell| cell.contains("<b>")), "{row}");
    assert!(cells[6].contains("too few replies"), "{row}");
}

fn the_page_of_a_full_run_is_small_enough() {
    let page = fs::read_to_string(&*full::PAGE).unwrap();
    assert!(page.len() < PAGE_BYTES_MAX, "{} bytes", page.len());
}

fn the_table_below_the_heat_map_has_its_shares_and_their_rates() {
    let page = fs::read_to_string(&*full::PAGE).unwrap();
    let (_, rest) = page.split_once("interference-left-chart").unwrap();
    let (figure, _) = rest.split_once("</figure>").unwrap();
    let (matrix, data) = figure.split_once("<details class=\"data\"").unwrap();
    for what in ["left", "rate", "rate in apart"] {
        let heading = format!("1 long client: {what}</th>");
        assert!(data.contains(&heading), "{heading}");
    }
    let shares = |html: &str| {
        let bold = html.split("<b>").skip(1).filter_map(|rest| {
            let (text, _) = rest.split_once([' ', '<'])?;
            let end = rest.split_once("</b>")?.0;
            end.contains('%').then(|| text.to_owned())
        });
        bold.collect::<Vec<_>>()
    };
    assert!(shares(matrix).len() >= 36, "{matrix}");
    assert_eq!(shares(matrix), shares(data));
}

fn the_page_shows_the_system_calls_that_were_counted() {
    let title = "system calls per reply";
    let page = fs::read_to_string(&RUN.page).unwrap();
    assert!(!page.contains(title), "they were not counted");
    let text = fs::read_to_string(RUN.record.join("run.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    record["cells"]["perf2"]["good"]["system_calls"] = serde_json::json!({
        "value": { "sendto": 1.25, "epoll_wait": 0.5, "brk": 0.001 }
    });
    let counted = RUN.folder.join("counted.json");
    fs::write(&counted, record.to_string()).unwrap();
    let page = page_of(&counted);
    assert!(page.contains(title));
    assert!(page.contains(
        "-s &#39;^perf2$&#39; --rounds 3 --duration 20ms \
                           --seed 7 --system-calls<"
    ));
    let cell = "<b>1.75</b><small>sendto 1.25, epoll_wait 0.50</small>";
    assert!(page.contains(cell));
}

fn a_missing_run_and_two_formats_on_stdout_exit_with_2() {
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

fn a_file_that_cannot_be_written_is_reported_with_its_flag() {
    let run = RUN.record.to_str().unwrap();
    let arguments = ["report", run, "--html", "/no/such/folder/page.html"];
    let output = Command::new(COMPARE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("--html: cannot write /no/such"), "{text}");
}

/// A run of synthetic contestants that all tests read.
struct Run {
    folder: PathBuf,
    record: PathBuf,
    page: PathBuf,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    // A static is never dropped, so remove what the last test run left.
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

fn call(arguments: &[&str]) -> Output {
    Command::new(COMPARE).args(arguments).output().unwrap()
}

fn page_of(record: &Path) -> String {
    let arguments = ["report", record.to_str().unwrap(), "--html", "-"];
    let output = Command::new(COMPARE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into()
}
