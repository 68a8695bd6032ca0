//! Runs the conformance suite on this server.

use conformance::{Subject, assert_conforms};

#[test]
fn the_server_conforms() {
    let program = env!("CARGO_BIN_EXE_server-mio");
    let subject = Subject::new([program, "--listen", "{addr}"])
        .computes_inline()
        .large_crowds();
    assert_conforms(subject);
}
