//! Runs the conformance suite on this server.

use conformance::{Subject, assert_conforms};

#[test]
fn the_server_conforms() {
    let program = env!("CARGO_BIN_EXE_server-threads");
    let subject =
        Subject::new([program, "--listen", "{addr}"]).thread_per_client();
    assert_conforms(subject);
}
