//! Runs the conformance suite on this server in each of its modes.

use conformance::{Subject, assert_conforms};

#[test]
fn the_server_conforms_with_compute_pool() {
    // At least two workers: a pool of one can't compute two jobs at a time.
    let subject = subject("pool", &["--workers", "2"]);
    assert_conforms(subject.computes_on_a_pool());
}

#[test]
fn the_server_conforms_with_compute_inline() {
    assert_conforms(subject("inline", &[]).computes_inline());
}

#[test]
fn the_server_conforms_with_compute_blocking() {
    assert_conforms(subject("blocking", &[]));
}

fn subject(compute: &str, more: &[&str]) -> Subject {
    let program = env!("CARGO_BIN_EXE_server-async-std");
    let command = [program, "--listen", "{addr}", "--compute", compute];
    Subject::new([&command, more].concat()).large_crowds()
}
