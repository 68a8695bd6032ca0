//! Runs the conformance suite on this server.

use conformance::{Subject, assert_conforms};

#[test]
fn the_server_conforms() {
    let program = env!("CARGO_BIN_EXE_server-blocking");
    let subject =
        Subject::new([program, "--listen", "{addr}"]).one_client_at_a_time();
    assert_conforms(subject);
}
