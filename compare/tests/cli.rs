//! The command line of `compare`: exit codes, messages about faults, the
//! record, and no process left behind. The contestants are `compare faulty`,
//! servers with a known fault.

#[path = "cli/advise.rs"]
mod advise;
#[path = "cli/budgets.rs"]
mod budgets;
#[path = "cli/claims.rs"]
mod claims;
#[path = "cli/common.rs"]
mod common;
#[path = "cli/faults.rs"]
mod faults;
#[path = "cli/load.rs"]
mod load;
#[path = "cli/made.rs"]
mod made;
#[path = "cli/records.rs"]
mod records;
#[path = "cli/schema.rs"]
mod schema;
#[path = "cli/turns.rs"]
mod turns;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use common::*;

#[test]
fn an_invalid_command_line_exits_with_2() {
    let folder = Folder::new();
    let file = |text| folder.file("contestants.toml", text);
    let good = file(&contestant("good", "none"));
    let cases: [(&[&str], &str); 7] = [
        (&["--no-such-flag"], "--no-such-flag"),
        (&["-e", "("], "--contestant"),
        (&["--rounds", "0"], "--rounds"),
        (&["--duration", "0s"], "--duration"),
        (&["--server-cpus", "5-1"], "--server-cpus"),
        (&["--load-cpus", "1000"], "--load-cpus"),
        (&["load", "--addr", "nowhere"], "--addr"),
    ];
    for (arguments, culprit) in cases {
        let output = compare(&good, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(culprit), "{}", stderr(&output));
    }
}

#[test]
fn an_argument_that_is_not_utf_8_exits_with_2() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let out = folder.path.join(OsStr::from_bytes(b"\xff"));
    let flags = [("--out", &out), ("--contestants", &out), ("--json", &out)];
    for (flag, path) in flags {
        let output = command(&file, &[flag]).arg(path).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag}");
        let text = stderr(&output);
        assert!(text.contains("\\xFF\" is not UTF-8"), "{text}");
        assert!(!out.exists(), "{flag}");
    }
}

#[test]
fn a_bad_contestants_file_exits_with_2_and_names_the_line() {
    let folder = Folder::new();
    let text = contestant("good", "none").replace("label", "lable");
    let bad = folder.file("bad.toml", &text);
    for path in [bad, folder.path.join("none.toml")] {
        let output = compare(&path, &[]);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        let exists = path.exists();
        assert_eq!(text.contains("line 4"), exists, "{text}");
    }
}

#[test]
fn a_selection_of_nothing_exits_with_4() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    for arguments in [["-e", "unknown"], ["-s", "nothing"]] {
        let output = compare(&file, &arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        assert!(stderr(&output).contains("compare list"));
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_named() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let cases: [(&[&str], &str); 3] = [
        (&["-e", "unknown"], "-e 'unknown' matches no contestant; `compare"),
        (&["-s", "perf9"], "-s 'perf9' matches no scenario; `compare list`"),
        (&["-s", "apart@9"], "use one of apart@0, apart@1, apart@2, apart@4"),
    ];
    for (arguments, expected) in cases {
        let output = compare(&file, arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains(expected), "{text}");
    }
    let output = records::call(&["claims", "-c", "nothing"]);
    assert_eq!(output.status.code(), Some(4));
    let expected = "-c 'nothing' matches no claim; `compare list`";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn a_pattern_may_match_only_a_server_from_the_command_line() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let mine = format!("mine={COMPARE} faulty --listen {{addr}}");
    let arguments = [&["-e", "mine", "--with", &mine][..], &SHORT].concat();
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("matches"), "{}", stderr(&output));
}

#[test]
fn a_server_without_a_program_is_reported_before_anything_is_built() {
    let folder = Folder::new();
    let never = contestant("good", "none")
        + "prepare = [\"sh\", \"-c\", \"echo was prepared >&2; exit 7\"]\n";
    let file = folder.file("c.toml", &never);
    for program in ["no-such-program", "./no/such/program"] {
        let mine = format!("mine={program} {{port}}");
        let output = compare(&file, &["--with", &mine]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let text = stderr(&output);
        assert!(text.contains(&format!("no program `{program}`")), "{text}");
    }
}

#[test]
fn a_record_contains_everything_that_is_needed_to_repeat_the_run() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let json = folder.path.join("out/run.json");
    // `interference` is a share of `apart`, which is measured, too.
    let output = compare(
        &file,
        &["-s", "interference", "--rounds", "2", "--duration", "20ms"]
            .into_iter()
            .chain(["--seed", "42"])
            .collect::<Vec<_>>(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("seed 42"));
    let record = read_json(&json);
    assert_eq!(record["schema_version"], 3);
    assert_eq!(record["seed"], 42);
    assert_eq!(record["calibration"][0]["cost_ns"], 50_000_000);
    assert_eq!(record["entrants"][0]["contestant"]["command"][0], COMPARE);
    assert_eq!(record["entrants"][1]["again"], "good");
    let names: Vec<&str> = record["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| scenario["name"].as_str().unwrap())
        .collect();
    let expected = [0, 1, 2, 4].map(|k| format!("interference@{k}"));
    assert_eq!(names[4..], expected);
    assert_eq!(names[0], "apart@0");
    let rounds = &record["cells"]["interference@4"]["good"]["rounds"];
    assert_eq!(rounds.as_array().unwrap().len(), 2);
    assert!(!folder.path.join("out/run.json.part").exists());
}

#[test]
fn a_server_from_the_command_line_is_ready_by_its_line_or_its_port() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    // One prints its address; the other is found by its port.
    let loud = format!("loud={COMPARE} faulty --listen {{addr}}");
    let silent = format!(
        "silent=sh -c 'exec {COMPARE} faulty --listen {{addr}} >/dev/null'"
    );
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--with", &loud, "--with", &silent]);
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    for name in ["good", "loud", "silent"] {
        let rounds = &record["cells"]["perf2"][name]["rounds"];
        assert_eq!(rounds.as_array().map(Vec::len), Some(1), "{name}");
    }
}

#[test]
fn a_contestant_with_a_missing_program_is_skipped_with_the_reason() {
    let folder = Folder::new();
    let needy = contestant("needy", "none")
        .replace("label", "needs = [\"no-such-program\"]\nlabel");
    let text = contestant("good", "none") + &needy;
    let file = folder.file("c.toml", &text);
    let output = compare(&file, &SHORT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let line = "skipped: needy: `no-such-program` not found";
    assert!(stdout(&output).contains(line), "{}", stdout(&output));
}

#[test]
fn a_scenario_from_a_file_is_measured_like_the_others() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let scenario = folder.file(
        "mine.toml",
        r#"
            question = "How long from when it was due?"
            expectation = "Not long."
            analysis = "None."
            warm_up = "20ms"
            window = "100ms"
            alone = "an open loop can't pause"
            of = "short"
            figures = ["response-p99", "rate"]
            [[group]]
            name = "short"
            connections = 2
            load = 0.2
            n = 1
            [[group]]
            name = "crowd"
            connections = 10
            silent = true
            [sweep]
            group = "crowd"
            of = "connections"
            values = [0, 10]
        "#,
    );
    let scenario = scenario.to_str().unwrap();
    let arguments =
        ["-s", "mine", "--rounds", "1", "--scenario-file", scenario];
    let code = compare(&file, &arguments).status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    let record = read_json(&folder.path.join("out/run.json"));
    for point in ["mine@0", "mine@10"] {
        // While other tests run, the load generator may be too slow.
        let void = &record["cells"][point]["good"]["void"];
        if let Some(reason) = void["reason"].as_str() {
            assert!(reason.contains("missed its schedule"), "{reason}");
            assert_eq!(void["contestant_failed"], false);
            continue;
        }
        let round = &record["cells"][point]["good"]["rounds"][0];
        assert!(round["capacity"]["value"].as_f64() > Some(0.0));
        let group = &round["report"]["groups"][0];
        assert!(group["replies"].as_u64() > Some(0), "{group}");
        let response = &group["open"]["response_ns"]["counts"];
        assert!(!response.as_array().unwrap().is_empty());
    }
}

#[test]
fn system_calls_are_counted_if_strace_is_installed() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--system-calls", "--verbose"]);
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let calls = &record["cells"]["perf2"]["good"]["system_calls"];
    if Command::new("strace").arg("-V").output().is_err() {
        assert_eq!(calls["reason"], "strace not found in PATH");
        return;
    }
    // A read and a write per reply, and a few calls at the start.
    for name in ["recvfrom", "sendto"] {
        let each = calls["value"][name].as_f64().unwrap();
        assert!((0.9..1.2).contains(&each), "{name}: {each}");
    }
    assert!(stdout(&output).contains("system calls per reply: good"));
}

#[test]
fn a_bad_scenario_file_exits_with_2_and_names_the_line() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let bad = folder.file("bad.toml", "question = 7\n");
    for (path, line) in [(bad, true), (folder.path.join("none.toml"), false)] {
        let path = path.to_str().unwrap();
        let output = compare(&file, &["--scenario-file", path]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(path), "{text}");
        assert_eq!(text.contains("line 1"), line, "{text}");
    }
}

#[test]
fn a_self_test_that_cannot_measure_exits_with_1() {
    let folder = Folder::new();
    let words = format!("ulimit -n 20; exec {COMPARE} selftest --quiet");
    let mut limited = Command::new("sh");
    limited.args(["-c", &words]).env("TMPDIR", &folder.path);
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("open files"), "{output:?}");
}

#[test]
fn a_run_is_not_overwritten() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    assert_eq!(compare(&file, &SHORT).status.code(), Some(0));
    let json = folder.path.join("out/run.json");
    let first = fs::read(&json).unwrap();
    let output = compare(&file, &SHORT);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--out"), "{}", stderr(&output));
    assert_eq!(fs::read(&json).unwrap(), first);
}

#[test]
fn the_load_generator_can_be_used_alone() {
    let mut server = Command::new(COMPARE)
        .args(["faulty", "--fault", "none"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let ready = server.stdout.as_mut().unwrap();
    BufReader::new(ready).read_line(&mut line).unwrap();
    let address = line.split(' ').nth(2).unwrap();
    let load = |more: &[&str]| {
        let arguments = ["load", "--addr", address, "--connections", "3"];
        let times = ["--warm-up", "0s", "--duration", "20ms"];
        let mut command = Command::new(COMPARE);
        command.args(arguments).args(times).args(more);
        command.output().unwrap()
    };
    let readable = load(&["--n", "5"]);
    assert_eq!(readable.status.code(), Some(0));
    assert!(stdout(&readable).contains("3 of 3 connected"));
    let json = load(&["--json"]);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["groups"][0]["connected"], 3);
    let reason = &report["server_cpu_ns"]["reason"];
    assert_eq!(reason, "the server's process is unknown");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_contestant_that_violates_the_protocol_fails_verify() {
    let folder = Folder::new();
    let text = contestant("good", "none") + &contestant("bad", "wrong");
    let text = text.replace("label", "flags = []\nlabel");
    let file = folder.file("c.toml", &text);
    // A short case.
    for (name, code) in [("good", 0), ("bad", 3)] {
        let output = Command::new(COMPARE)
            .args(["verify", "-e", name, "--only", "every n from 0"])
            .arg("--contestants")
            .arg(&file)
            .output()
            .unwrap();
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert_eq!(text.contains("FAILED"), code == 3, "{text}");
    }
}

#[test]
fn the_list_names_contestants_and_scenarios() {
    let output = Command::new(COMPARE).arg("list").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    for name in ["blocking", "threads", "mio", "tokio", "interference"] {
        assert!(stdout(&output).contains(name), "{name}");
    }
}

/// Measures even while other tests do.
fn alone(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(COMPARE);
    command.args(arguments).env("TMPDIR", &folder.path);
    command.output().unwrap()
}
