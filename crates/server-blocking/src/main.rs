//! Model: one client at a time; the others wait until it disconnects.
//! Waits on: accept(2), then read(2) and write(2) of the one client.
//! Limit: one connected client blocks all others.
//! Cost: nothing per client; one read and one write per request.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use chassis::{Admission, Chassis, Client, Model, Step};

fn main() -> ExitCode {
    chassis::run(Model::new("blocking"), serve)
}

/// Accepts clients, and talks to each until it disconnects.
fn serve(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    loop {
        match chassis.admit(listener.accept()) {
            Admission::Client(client) => chassis.log_end(converse(client)),
            Admission::NoClient => {}
            Admission::Pause(time) => thread::sleep(time),
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client until it disconnects.
fn converse(mut client: Client<TcpStream>) -> io::Result<()> {
    loop {
        match client.next_step() {
            Step::Read(stream, space) => {
                let count = stream.read(space)?;
                client.received(count);
            }
            Step::Compute(request) => {
                let reply = request.compute();
                client.reply(reply);
            }
            Step::Write(stream, bytes) => {
                let count = stream.write(bytes)?;
                client.sent(count);
            }
            // Nothing to yield to: other clients wait in the backlog.
            Step::Yield => {}
            Step::Close => return Ok(()),
        }
    }
}
