//! Model: a thread per client; the kernel switches between threads.
//! Waits on: accept(2) in one thread, read(2) and write(2) in the others.
//! Limit: the number of threads: their memory and the time to switch.
//! Cost: a stack per client; one read, one write and a switch per request.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use chassis::{Admission, Chassis, Client, Model, Step};

const MODEL: Model = Model::new("threads").with_thread_per_client();

fn main() -> ExitCode {
    chassis::run(MODEL, serve)
}

/// Accepts clients, and gives each a thread.
fn serve(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    loop {
        match chassis.admit(listener.accept()) {
            Admission::Client(client) => {
                chassis.spawn_thread(move || converse(client));
            }
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
            // Not needed: the kernel can interrupt a thread at any point.
            Step::Yield => {}
            Step::Close => return Ok(()),
        }
    }
}
