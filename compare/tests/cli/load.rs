//! `compare load`.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

#[test]
fn arguments_that_would_never_end_or_overflow_are_refused() {
    let server = records::Server::start();
    let cases: [(&[&str], &str); 13] = [
        (&["--rate", "1e-300"], "--rate"),
        (&["--rate", "1e300"], "--rate"),
        (&["--group", "a:n=1,rate=1e-300"], "--group"),
        (&["--group", "a:n=1,think=400000000000y"], "--group"),
        (&["--group", "a:n=1,connections=18446744073709551615"], "--group"),
        (&["--connections", "18446744073709551615"], "--connections"),
        (&["--duration", "400000000000y"], "--duration"),
        (&["--warm-up", "400000000000y"], "--warm-up"),
        (&["--reply-timeout", "400000000000y"], "--reply-timeout"),
        (&["--think", "400000000000y"], "--think"),
        (&["--turns", "--rate", "10"], "--turns"),
        (&["--turns", "--churn"], "--turns"),
        (&["--turns", "--group", "a:n=1,rate=10"], "--turns"),
    ];
    for (arguments, culprit) in cases {
        let first = ["load", "--addr", &server.address];
        let output = records::call(&[&first, arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(culprit), "{}", stderr(&output));
    }
}

#[test]
fn an_interrupted_load_is_incomplete() {
    let folder = Folder::new();
    for (fault, last) in [("none", true), ("wrong", false)] {
        let server = records::Server::with_fault(fault);
        let out = folder.path.join(fault);
        let output = records::call(&[
            "load",
            "--addr",
            &server.address,
            "--scenario",
            "perf2",
            "--duration",
            "20ms",
            "--warm-up",
            "0s",
            "--rounds",
            "2",
            "--out",
            out.to_str().unwrap(),
        ]);
        let code = if last { 0 } else { 3 };
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let record = read_json(&out.join("run.json"));
        assert_eq!(record["complete"], last, "{fault}");
    }
}

#[test]
fn a_signal_ends_a_load_with_exit_code_130() {
    let folder = Folder::new();
    let out = folder.path.join("out");
    let kept = ["--scenario", "perf2", "--out", out.to_str().unwrap()];
    let cases: [(Signal, &[&str]); 3] =
        [(Signal::INT, &[]), (Signal::TERM, &[]), (Signal::INT, &kept)];
    for (signal, more) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, first) = mpsc::channel();
        let served = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            for _ in BufReader::new(&stream).lines() {
                (&stream).write_all(b"1\n").unwrap();
                asked.send(()).unwrap();
            }
        });
        let child = Command::new(COMPARE)
            .args(["load", "--json", "--addr", &address])
            .args(["--warm-up", "0s", "--duration", "1h"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The second request: the reply to the first was in the window.
        (0..2).for_each(|_| first.recv().unwrap());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let replies = report["groups"][0]["replies"].as_u64().unwrap();
        assert!(replies >= 1);
        assert!(report["window_ns"].as_u64().unwrap() < 3_600_000_000_000);
        drop(first);
        let _ = served.join();
    }
    let record = read_json(&out.join("run.json"));
    assert_eq!(record["complete"], false);
}
