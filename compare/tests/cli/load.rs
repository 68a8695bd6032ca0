//! The load generator as a command.

use super::*;

#[test]
fn what_would_never_end_or_overflow_is_refused() {
    let server = records::Server::start();
    let cases: [(&[&str], &str); 10] = [
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
    ];
    for (arguments, culprit) in cases {
        let first = ["load", "--addr", &server.address];
        let output = records::call(&[&first, arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(culprit), "{}", stderr(&output));
    }
}

#[test]
fn a_load_that_broke_off_is_not_complete() {
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
