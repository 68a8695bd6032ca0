//! Runs the conformance suite on this server.

use conformance::{Subject, assert_conforms};

#[test]
fn the_server_conforms() {
    let program = env!("CARGO_BIN_EXE_server-mio-pool");
    // At least two workers: a pool of one can't compute two jobs at a time.
    let subject =
        Subject::new([program, "--listen", "{addr}", "--workers", "2"])
            .computes_on_a_pool()
            .large_crowds();
    assert_conforms(subject);
}
