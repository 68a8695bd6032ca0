//! Model: an async-std task per client, and a pool for fib that wakes the task.
//! Waits on: epoll_wait(2), in an idle thread of the executor.
//! Limit: the pool: a request waits for a free worker.
//! Cost: a task per client; a read, a write and two wake-ups per request.
//!
//! async-std is discontinued (RUSTSEC-2025-0052) and recommends smol. It is
//! included because much running code is built on it.

mod compute;

use std::io;
use std::net;
use std::process::ExitCode;

use async_std::io::{ReadExt, WriteExt};
use async_std::net::{TcpListener, TcpStream};
use async_std::task;
use chassis::{Admission, Chassis, Client, Compute, Model, Step};

use crate::compute::Computer;

const MODEL: Model = Model::new("async-std")
    .computes(&[Compute::Pool, Compute::Inline, Compute::Blocking])
    .with_workers();

fn main() -> ExitCode {
    chassis::run(MODEL, start)
}

/// Runs `serve`. The clients' tasks run on the runtime's threads, one per core.
fn start(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    task::block_on(serve(listener, chassis))
}

/// Accepts clients, and gives each a task.
async fn serve(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    let listener = TcpListener::from(listener);
    let computer = Computer::new(chassis)?;
    loop {
        match chassis.admit(listener.accept().await) {
            Admission::Client(client) => {
                let conversation = converse(client, computer.clone());
                task::spawn(async { chassis.log_end(conversation.await) });
            }
            Admission::NoClient => {}
            Admission::Pause(time) => task::sleep(time).await,
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client until it disconnects.
async fn converse(
    mut client: Client<TcpStream>,
    computer: Computer,
) -> io::Result<()> {
    loop {
        match client.next_step() {
            Step::Read(stream, space) => {
                let count = stream.read(space).await?;
                client.received(count);
            }
            Step::Compute(request) => {
                let reply = computer.compute(&client, request).await;
                client.reply(reply);
            }
            Step::Write(stream, bytes) => {
                let count = stream.write(bytes).await?;
                client.sent(count);
            }
            Step::Yield => task::yield_now().await,
            Step::Close => return Ok(()),
        }
    }
}
