//! Faults in the middle of a run: they are reported, earlier rounds are kept,
//! no process is left behind, and no contestant is blamed for a fault of the
//! load generator.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

/// Three rounds of one scenario, as short as possible.
const ROUNDS: [&str; 6] =
    ["-s", "^perf2$", "--rounds", "3", "--duration", "20ms"];

/// A window that doesn't end while a test runs. Two contestants can be measured
/// in turns of that length.
const LONG: &str = "29s";

#[test]
fn a_failure_in_a_later_round_is_reported_and_earlier_rounds_are_kept() {
    let folder = Folder::new();
    let faults = [
        ("start", "it did not start"),
        ("die", "it died (exit status: 7)"),
        ("wrong", "wrong replies (the first: \"4711\")"),
        ("reset", "1 connections reset"),
        ("close", "1 connections closed before the reply"),
        ("error", "replies `error: worker-lost`"),
        ("hang", "a hang"),
    ];
    let mut text = contestant("good", "none");
    for (fault, _) in faults {
        text += &contestant_with_a_bad_second_round(&folder, fault);
    }
    let file = folder.file("c.toml", &text);
    // Long enough for a few requests on a busy machine.
    let mut arguments = ROUNDS;
    arguments[5] = "250ms";
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    folder.assert_nothing_is_left();

    let table = stdout(&output);
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["complete"], true);
    let cells = &record["cells"]["perf2"];
    for (fault, reason) in faults {
        let name = format!("bad-{fault}");
        let sentence = format!("void: {name} in perf2, round 2: ");
        let line = table.lines().find(|line| line.starts_with(&sentence));
        let is_told = line.is_some_and(|line| line.contains(reason));
        assert!(is_told, "no `{sentence}{reason}` in:\n{table}");
        let void = &cells[&name]["void"];
        assert!(void["reason"].as_str().unwrap().contains(reason), "{void}");
        assert_eq!(void["contestant_failed"], true);
        assert_eq!(rounds_of(&cells[&name]), [1], "{name}");
    }
    let kinds = [
        ("wrong", "/wrong"),
        ("reset", "/reset"),
        ("close", "/closed_early"),
        ("error", "/errors/worker-lost"),
        ("hang", "/timed_out"),
    ];
    for (fault, kind) in kinds {
        let cell = &cells[format!("bad-{fault}")];
        let faults = cell["void"]["faults"].as_object().unwrap();
        let counts = faults.values().filter_map(|group| group.pointer(kind));
        let count: u64 = counts.filter_map(Value::as_u64).sum();
        assert!(count > 0, "{fault}: {cell}");
    }
    assert!(table.contains("known fault: it exits"), "{table}");

    for name in ["good", "good again"] {
        assert_eq!(cells[name]["void"], Value::Null);
        assert_eq!(rounds_of(&cells[name]), [1, 2, 3]);
    }
    let report = &cells["good"]["rounds"][2]["report"];
    assert!(report["server_cpu_ns"]["value"].as_u64().is_some());
}

#[test]
fn a_contestant_that_fails_in_a_later_turn_is_void_and_the_others_continue() {
    let folder = Folder::new();
    let faults = [
        ("die", "it died (exit status: 7)"),
        ("wrong", "wrong replies (the first: \"4711\")"),
        ("reset", "1 connections reset"),
        ("hang", "a hang"),
    ];
    // One client gets at most nine replies in each of the six turns, and in
    // the one before them, and many more in all of them.
    let mut text = contestant("good", "none");
    for (fault, _) in faults {
        let more = format!("\"{fault}\", \"--after\", \"14\", ");
        let more = more + "\"--delay\", \"5ms\"]";
        text += &contestant(&format!("bad-{fault}"), fault)
            .replace(&format!("\"{fault}\"]"), &more);
    }
    let file = folder.file("c.toml", &text);
    let arguments = ["-s", "^perf2$", "--rounds", "1", "--duration", "20ms"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    folder.assert_nothing_is_left();
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = &record["cells"]["perf2"];
    for (fault, reason) in faults {
        let void = &cells[format!("bad-{fault}")]["void"];
        assert!(void["reason"].as_str().unwrap().contains(reason), "{void}");
        assert_eq!(void["contestant_failed"], true);
    }
    for name in ["good", "good again"] {
        assert_eq!(cells[name]["void"], Value::Null);
        let turns = cells[name]["rounds"][0]["turns"].as_array().unwrap();
        let cycles = turns.iter().map(|turn| turn["cycle"].as_u64().unwrap());
        assert!(cycles.eq(1..=6), "{turns:?}");
    }
}

#[test]
fn a_contestant_that_sends_wrong_replies_while_calibrating_is_void() {
    let folder = Folder::new();
    // The measurement itself sends too few requests to get a wrong reply.
    let lies = "\"wrong\", \"--after\", \"20\"]\nfib = \"own\"";
    let liar = contestant("liar", "wrong").replace("\"wrong\"]", lies);
    // Another contestant with the same `fib` answers correctly; that is no
    // excuse.
    let honest = contestant("honest", "none") + "fib = \"own\"";
    let all = contestant("good", "none") + &liar + &honest;
    let file = folder.file("c.toml", &all);
    let arguments = ["-s", "^perf1$", "--rounds", "1", "--duration", "250ms"];
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));

    let table = stdout(&output);
    let sentence = "void: liar in perf1, round 1: calibration: ";
    let line = table.lines().find(|line| line.starts_with(sentence));
    let is_told = line.is_some_and(|line| line.contains("wrong replies"));
    assert!(is_told, "no `{sentence}wrong replies` in:\n{table}");
    let record = read_json(&folder.path.join("out/run.json"));
    for name in ["good", "honest"] {
        assert_eq!(record["cells"]["perf1"][name]["void"], Value::Null);
    }

    // Without that contestant, no calibration is reported.
    let folder = Folder::new();
    let file = folder.file("c.toml", &(contestant("good", "none") + &liar));
    let output = compare(&file, &arguments);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let record = read_json(&folder.path.join("out/run.json"));
    let known = record["calibration"].as_array().unwrap();
    assert_eq!(known.len(), 1, "{known:?}");
}

#[test]
fn a_server_that_became_a_daemon_does_not_outlive_its_run() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &daemon());
    let output = compare(&file, &ROUNDS);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    folder.assert_nothing_is_left();
}

#[test]
fn the_first_signal_ends_the_run_with_130_and_keeps_its_rounds() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = Folder::new();
        let mut run = Running::start(&folder, &["--rounds", "9999"]);
        run.wait_for_a_round(&folder);
        // In the middle of another round.
        run.wait_for(is_load);
        run.signal(signal);
        let (code, text) = run.end();
        assert_eq!(code, Some(130));
        assert!(text.contains("incomplete"), "{text}");
        assert_finished_rounds_are_kept(&folder);
        folder.assert_nothing_is_left();
    }
}

#[test]
fn a_killed_run_leaves_a_valid_record_and_no_process() {
    let folder = Folder::new();
    let mut run = Running::start(&folder, &["--rounds", "9999"]);
    run.wait_for_a_round(&folder);
    run.wait_for(is_load);
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    folder.assert_nothing_is_left();
    assert_finished_rounds_are_kept(&folder);
}

#[test]
fn no_process_is_left_whichever_process_of_a_run_is_killed() {
    // The front, the keeper and the runner.
    for depth in 0..3 {
        let folder = Folder::new();
        let mut run = Running::start(&folder, &["--duration", LONG]);
        run.wait_for(is_load);
        let mut id = run.child.id();
        for _ in 0..depth {
            id = children_of(id)[0];
        }
        let victim = Pid::from_raw(id as i32).unwrap();
        kill_process(victim, Signal::KILL).unwrap();
        let code = run.child.wait().unwrap().code();
        assert_eq!(code, (depth > 0).then_some(1));
        folder.assert_nothing_is_left();
    }
}

#[test]
fn chaos_names_the_contestant_that_fails_and_its_steps() {
    let folder = Folder::new();
    let some = "families = [\"answers\"]\nflags = []\n";
    let text = [contestant("good", "none"), contestant("bad", "wrong")]
        .map(|contestant| contestant + some)
        .concat();
    let text = text.replace("\"wrong\"", "\"wrong\", \"--after\", \"200\"");
    let file = folder.file("c.toml", &text);
    let verify = |name: &str| {
        let mut command = Command::new(COMPARE);
        command.args(["verify", "--chaos", "2s", "--seed", "9", "-e", name]);
        let output = command.arg("--contestants").arg(&file).output().unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, good) = verify("good");
    assert_eq!(code, Some(0), "{good}");
    assert!(good.contains("seed 9"), "{good}");
    let (code, bad) = verify("bad");
    assert_eq!(code, Some(3), "{bad}");
    for part in ["FAILED", "4711", "repeat with --seed", "connects"] {
        assert!(bad.contains(part), "no {part} in {bad}");
    }
    folder.assert_nothing_is_left();
}

#[test]
fn a_killed_verify_leaves_no_process() {
    let cases = [(Signal::KILL, None), (Signal::INT, Some(130))];
    for (signal, code) in cases {
        let folder = Folder::new();
        let file = folder.file("c.toml", &daemon());
        let mut command = Command::new(COMPARE);
        command.args(["verify", "--quiet", "--contestants"]).arg(file);
        let mut run = Running::spawn(command.env("TMPDIR", &folder.path));
        run.wait_for(is_daemon);
        run.signal(signal);
        assert_eq!(run.child.wait().unwrap().code(), code);
        folder.assert_nothing_is_left();
    }
}

#[test]
fn ctrl_z_suspends_all_processes_until_the_run_is_continued() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let arguments = ["-s", "^perf2$", "--rounds", "1", "--duration", "1s"];
    let mut run = Running::spawn(&mut command(&file, &arguments));
    // Outside of turns, a load generator uses next to no CPU time.
    wait_until("there was no turn", || run.cpu_ticks_of(is_load) >= 20);
    run.signal(Signal::TSTP);
    wait_until("a process is not suspended", || run.is_suspended());
    run.signal(Signal::CONT);
    // The round is void for all: their servers were suspended, too.
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
    let record = read_json(&folder.path.join("out/run.json"));
    let cells = record["cells"]["perf2"].as_object().unwrap();
    assert_eq!(cells.len(), 2);
    for void in cells.values().map(|cell| &cell["void"]) {
        let reason = void["reason"].as_str().unwrap();
        assert!(reason.contains("suspended (Ctrl-Z"), "{reason}");
        assert_eq!(void["contestant_failed"], false);
    }
    folder.assert_nothing_is_left();
}

#[test]
fn ctrl_c_ends_a_run_whose_processes_are_suspended() {
    for suspends_only_the_runner in [false, true] {
        let folder = Folder::new();
        let file = folder.file("c.toml", &contestant("good", "none"));
        let mut arguments = ROUNDS;
        arguments[5] = LONG;
        let mut run = Running::spawn(&mut command(&file, &arguments));
        run.wait_for(is_load);
        if suspends_only_the_runner {
            let runner = children_of(children_of(run.child.id())[0])[0];
            let runner = Pid::from_raw(runner as i32).unwrap();
            kill_process(runner, Signal::STOP).unwrap();
        } else {
            run.signal(Signal::TSTP);
            wait_until("a process runs", || run.is_suspended());
        }
        run.signal(Signal::INT);
        // As a shell does, before it signals a job.
        run.signal(Signal::CONT);
        assert_eq!(run.child.wait().unwrap().code(), Some(130));
        folder.assert_nothing_is_left();
    }
}

#[test]
fn a_killed_front_leaves_no_suspended_process() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &contestant("good", "none"));
    let mut run = Running::spawn(&mut command(&file, &ROUNDS));
    run.wait_for(is_load);
    run.signal(Signal::TSTP);
    wait_until("a process is not suspended", || run.is_suspended());
    run.signal(Signal::KILL);
    run.child.wait().unwrap();
    folder.assert_nothing_is_left();
}

#[test]
fn a_killed_build_leaves_no_process() {
    let cases = [(Signal::KILL, None), (Signal::INT, Some(130))];
    for (signal, code) in cases {
        let folder = Folder::new();
        let script = format!("#!/bin/sh\nsetsid {DAEMON} &\nwait\n");
        let cargo = folder.file("cargo", &script);
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let text = "[[contestant]]\nname = \"built\"\nlabel = \"peer\"\n\
                    build = \"server-threads\"\n\
                    command = [\"{exe}\", \"{addr}\"]\n";
        let file = folder.file("c.toml", text);
        let mut command = command(&file, &SHORT);
        let mut run = Running::spawn(command.env("CARGO", cargo));
        run.wait_for(is_daemon);
        run.signal(signal);
        assert_eq!(run.child.wait().unwrap().code(), code);
        folder.assert_nothing_is_left();
    }
}

#[test]
fn a_contestant_is_not_blamed_for_missing_descriptors_of_the_load_generator() {
    let folder = Folder::new();
    let file = folder.file("c.toml", &two_good());
    let run = |limit: u32| {
        let words = format!(
            "ulimit -n {limit}; exec {COMPARE} run -s ladder@512 --rounds 2 \
             --duration 20ms --contestants {} --out {}",
            file.display(),
            folder.path.join(format!("out-{limit}")).display()
        );
        let mut limited = Command::new("sh");
        limited.args(["-c", &words]).env("TMPDIR", &folder.path);
        let output = limited.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        output
    };
    run(200);
    let record = read_json(&folder.path.join("out-200/run.json"));
    for name in ["good", "other", "good again"] {
        let cell = &record["cells"]["ladder@512"][name];
        assert_ne!(cell["void"]["contestant_failed"], true);
        assert!(cell.to_string().contains("open files"), "{cell}");
    }
    // Not enough to start a server.
    for limit in [12, 40] {
        let text = stderr(&run(limit));
        assert!(text.contains("need at least 64 open files"), "{text}");
    }
    folder.assert_nothing_is_left();
}

#[test]
fn without_cargo_only_servers_that_are_built_can_be_measured() {
    let folder = Folder::new();
    let program = folder.path.join("compare");
    fs::copy(COMPARE, &program).unwrap();
    let measure = |more: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["run", "-e", "^mio$", "-s", "^perf2$", "--quick"]);
        command.args(["--duration", "5ms"]).args(more);
        command.arg("--out").arg(folder.path.join("out"));
        command.env_remove("CARGO").env("TMPDIR", &folder.path);
        command.env("PATH", &folder.path).output().unwrap()
    };
    let output = measure(&[]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("cannot start `cargo`").count(), 1, "{text}");
    assert_eq!(text.matches("No such file").count(), 1, "{text}");
    assert!(text.contains("server-mio"), "{text}");
    let output = measure(&["--no-build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains("cargo"), "{}", stderr(&output));
    // Any server will do.
    let server = folder.file(
        "server-mio",
        &format!("#!/bin/sh\nexec '{COMPARE}' faulty \"$@\"\n"),
    );
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
    for more in [&[][..], &["--no-build"]] {
        let output = measure(more);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        fs::remove_dir_all(folder.path.join("out")).unwrap();
    }
}

#[test]
fn a_second_run_is_refused_without_an_effect_on_the_first() {
    let folder = Folder::new();
    let mut run = Running::start(&folder, &["--duration", LONG]);
    run.wait_for(is_load);
    let json = folder.path.join("out/run.json");
    let before = fs::read(&json).unwrap();
    let file = folder.file("second.toml", &contestant("good", "none"));
    let output = compare(&file, &SHORT);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("another run measures"), "{text}");
    assert!(text.contains("(process "), "{text}");
    assert_eq!(fs::read(&json).unwrap(), before);
    assert!(run.child.try_wait().unwrap().is_none(), "it still measures");
    run.signal(Signal::TERM);
    assert_eq!(run.end().0, Some(130));
    assert_eq!(read_json(&json)["complete"], false);
}

/// A run that lasts until it is ended.
pub(super) struct Running {
    pub(super) child: Child,
}

impl Running {
    /// Starts a run whose contestant is a shell that starts a server and a
    /// daemon, so that there are processes that the runner didn't start itself.
    fn start(folder: &Folder, more: &[&str]) -> Running {
        let file = folder.file("c.toml", &daemon());
        let mut command = command(&file, more);
        command.args(["-s", "^perf2$"]);
        if !more.contains(&"--duration") {
            command.args(["--duration", "20ms"]);
        }
        Running::spawn(&mut command)
    }

    pub(super) fn spawn(command: &mut Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Running { child: command.spawn().unwrap() }
    }

    /// Waits until a descendant has this command line.
    pub(super) fn wait_for(&mut self, is_meant: fn(&str) -> bool) {
        wait_until("nothing was started", || {
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended");
            let ids = descendants_of(self.child.id());
            ids.into_iter().any(|id| is_meant(&command_of(id)))
        });
    }

    /// Returns the CPU time, in clock ticks, of the processes that are meant.
    fn cpu_ticks_of(&self, is_meant: fn(&str) -> bool) -> u64 {
        let ids = descendants_of(self.child.id()).into_iter();
        ids.filter(|&id| is_meant(&command_of(id))).map(cpu_ticks).sum()
    }

    /// Returns `true` if all processes but the keeper are suspended.
    fn is_suspended(&self) -> bool {
        let front = self.child.id();
        let keepers = children_of(front);
        let others = descendants_of(front).into_iter();
        let others = others.filter(|id| !keepers.contains(id));
        is_stopped(front) && others.into_iter().all(is_stopped)
    }

    /// Waits until a complete round is on disk.
    fn wait_for_a_round(&self, folder: &Folder) {
        let json = folder.path.join("out/run.json");
        wait_until("no round was finished", || {
            // Once there is a record, there is a valid one at any time.
            json.exists() && {
                let record = read_json(&json);
                let cell = &record["cells"]["perf2"]["daemon again"];
                cell.is_object() && !rounds_of(cell).is_empty()
            }
        });
    }

    /// Waits for the end of the run. Returns its exit code and its output.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Running {
    /// Ends the run, also if the test failed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn assert_finished_rounds_are_kept(folder: &Folder) {
    let record = read_json(&folder.path.join("out/run.json"));
    assert_eq!(record["complete"], false);
    for name in ["daemon", "daemon again"] {
        let cell = &record["cells"]["perf2"][name];
        assert_eq!(cell["void"], Value::Null);
        let rounds = rounds_of(cell);
        let all: Vec<u64> = (1..=rounds.len() as u64).collect();
        assert!(!rounds.is_empty() && rounds == all, "{rounds:?}");
    }
}

/// Returns the numbers of the rounds of a cell that were measured.
/// The last process that is started for a measurement in turns.
pub(super) fn is_load(command: &str) -> bool {
    command.contains(" --server-pid ") && command.contains(" --turns ")
}

fn is_daemon(command: &str) -> bool {
    command.starts_with(DAEMON)
}

/// The daemon's command.
const DAEMON: &str = "sleep 86399";

/// Returns a contestant: a shell that starts a server and a daemon.
fn daemon() -> String {
    let script =
        format!("setsid {DAEMON} & {COMPARE} faulty --listen {{addr}} & wait");
    format!(
        "[[contestant]]\nname = \"daemon\"\nlabel = \"peer\"\n\
         command = [\"sh\", \"-c\", \"{script}\"]\n"
    )
}

/// Returns a contestant that has the fault from its second start on, after a
/// few requests: few enough for a busy machine in so short a window.
fn contestant_with_a_bad_second_round(folder: &Folder, fault: &str) -> String {
    let starts = folder.path.join(format!("starts-of-{fault}"));
    let more = format!(
        "\"{fault}\", \"--after\", \"5\", \"--from-start\", \"2\", \
         \"--starts\", \"{}\"]",
        starts.display()
    );
    contestant(&format!("bad-{fault}"), fault)
        .replace(&format!("\"{fault}\"]"), &more)
}

pub(super) fn descendants_of(process: u32) -> Vec<u32> {
    let children = children_of(process).into_iter();
    children.flat_map(|id| [vec![id], descendants_of(id)].concat()).collect()
}

fn children_of(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Returns the CPU time of a process in clock ticks; see proc_pid_stat(5).
fn cpu_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Fields 14 and 15; the third is the first of the rest.
    let times = rest.split_whitespace().skip(11).take(2);
    times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Returns `true` if a signal has stopped the process; see proc_pid_stat(5).
fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| stat.contains(") T "))
}

pub(super) fn command_of(process: u32) -> String {
    let bytes = fs::read(format!("/proc/{process}/cmdline"));
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
