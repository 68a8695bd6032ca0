//! The command below each chart, executed: it measures what the chart shows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{COMPARE, RUN, full, page_of, stderr};

/// Returns the words of the command below the first chart of a question.
fn command(page: &str, question: &str) -> Vec<String> {
    let (_, page) = page.split_once(&format!("id=\"{question}\"")).unwrap();
    let (_, rest) = page.split_once("<pre><code>").unwrap();
    let (code, _) = rest.split_once("</code>").unwrap();
    let code = code
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    shell_words::split(&code).unwrap()
}

/// Executes a command from the page, and returns the resulting record. The
/// words before the verb are replaced by the path of this program.
fn executed(folder: &Path, words: &[String], verb: &str) -> Value {
    let verb = words.iter().rposition(|word| word == verb).unwrap();
    let out = folder.join("executed");
    let output = Command::new(COMPARE)
        .args(&words[verb..])
        .arg("--out")
        .arg(&out)
        .env("TMPDIR", folder)
        .output()
        .unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3)), "{words:?}: {}", stderr(&output));
    read(&out)
}

fn read(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs `compare`, and returns the resulting record and its page.
fn made(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let out = folder.join("run");
    let output = Command::new(COMPARE)
        .args(arguments)
        .arg("--out")
        .arg(&out)
        .env("TMPDIR", folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (read(&out), page_of(&out))
}

pub(super) fn every_chart_has_the_command_that_measures_it_again() {
    let page = fs::read_to_string(&*full::PAGE).unwrap();
    let figures: Vec<&str> = page.split("<figure ").skip(1).collect();
    assert!(figures.len() > 20, "{}", figures.len());
    for figure in figures {
        let (figure, _) = figure.split_once("</figure>").unwrap();
        let head = &figure[..60];
        assert!(figure.contains("<details class=\"data\""), "{head}");
        assert!(figure.contains("compare -- run"), "{head}");
    }
    let sweep = command(&page, "interference");
    assert!(sweep.contains(&"^interference@(0|1|2|4)$".to_owned()));
}

pub(super) fn contestants_of_a_file_are_measured_again_from_that_file() {
    let page = fs::read_to_string(&RUN.page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let words = command(&page, "perf2");
    let record = executed(folder.path(), &words, "run");
    let before = read(&RUN.record);
    for key in ["entrants", "seed", "rounds"] {
        assert_eq!(record[key], before[key], "{words:?}");
    }
    assert_eq!(record["scenarios"].as_array().unwrap().len(), 1);
    assert!(
        before["scenarios"]
            .as_array()
            .unwrap()
            .contains(&record["scenarios"][0])
    );
}

pub(super) fn the_command_has_all_options_of_the_original_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("my own.toml");
    let perf2 = fs::read_to_string(full::BENCH.to_owned() + PERF2).unwrap();
    fs::write(&scenario, perf2).unwrap();
    let cpu = &read(&RUN.record)["machine"]["processors_allowed"][0];
    let cpu = cpu.to_string();
    let with = format!("my own={COMPARE} faulty --listen {{addr}}");
    let (before, page) = made(
        folder.path(),
        &[
            "run",
            "-e",
            "^$",
            "--with",
            &with,
            "--scenario-file",
            scenario.to_str().unwrap(),
            "-s",
            "my own",
            "--duration",
            "20ms",
            "--rounds",
            "1",
            "--seed",
            "9",
            "--server-cpus",
            &cpu,
            "--load-cpus",
            &cpu,
        ],
    );
    let words = command(&page, "my own");
    let record = executed(folder.path(), &words, "run");
    for key in ["entrants", "scenarios", "asked", "seed", "rounds"] {
        assert_eq!(record[key], before[key], "{key}: {words:?}");
    }
}

const PERF2: &str = "/scenarios/perf2.toml";

pub(super) fn a_load_on_an_external_server_is_repeated_with_compare_load() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let arguments = [
        "load",
        "--addr",
        &server.address,
        "--scenario",
        "ladder",
        "--at",
        "16",
        "--name",
        "some server",
        "--duration",
        "20ms",
        "--warm-up",
        "5ms",
        "--rounds",
        "2",
    ];
    let (before, page) = made(folder.path(), &arguments);
    let words = command(&page, "ladder");
    assert_eq!(words[..2], ["compare", "load"]);
    let record = executed(folder.path(), &words, "load");
    for key in ["entrants", "scenarios", "asked", "seed", "rounds"] {
        assert_eq!(record[key], before[key], "{key}: {words:?}");
    }
}

pub(super) fn a_merged_record_is_repeated_part_by_part() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    for (name, seed) in [("a", "1"), ("b", "2")] {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let arguments = [
            "load",
            "--addr",
            &server.address,
            "--scenario",
            "perf2",
            "--duration",
            "20ms",
            "--seed",
            seed,
        ];
        made(&folder, &arguments);
    }
    let [a, b] = ["a/run", "b/run"].map(|name| folder.path().join(name));
    let [a, b] = [&a, &b].map(|path| path.to_str().unwrap());
    let (_, page) = made(folder.path(), &["merge", a, b]);
    let words = command(&page, "perf2").join(" ");
    for part in [
        "--scenario perf2 --rounds 1 --duration 20ms --seed 1 --out part-1",
        "--scenario perf2 --rounds 1 --duration 20ms --seed 2 --out part-2",
        "compare merge part-1 part-2 --out joined",
    ] {
        assert!(words.contains(part), "{words}");
    }
}

/// A server that `compare load` didn't start.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Server {
        let mut child = Command::new(COMPARE)
            .args(["faulty", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.split(' ').nth(2).unwrap().to_owned();
        Server { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
