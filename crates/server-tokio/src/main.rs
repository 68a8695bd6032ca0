//! Model: a tokio task per client, and a pool for fib that wakes the task.
//! Waits on: epoll_wait(2), in an idle worker thread of the runtime.
//! Limit: the pool: a request waits for a free worker.
//! Cost: a task per client; a read, a write and two wake-ups per request.

mod compute;

use std::io;
use std::net;
use std::process::ExitCode;

use chassis::{Admission, Chassis, Client, Compute, Model, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::{task, time};

use crate::compute::Computer;

const MODEL: Model = Model::new("tokio")
    .computes(&[Compute::Pool, Compute::Inline, Compute::Blocking])
    .with_workers();

fn main() -> ExitCode {
    chassis::run(MODEL, start)
}

/// Runs `serve` on a runtime, and returns the runtime: dropping it would drop
/// the clients' tasks.
fn start(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<Runtime> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(listener, chassis))?;
    Ok(runtime)
}

/// Accepts clients, and gives each a task.
async fn serve(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let computer = Computer::new(chassis)?;
    loop {
        match chassis.admit(listener.accept().await) {
            Admission::Client(client) => {
                let conversation = converse(client, computer.clone());
                task::spawn(async { chassis.log_end(conversation.await) });
            }
            Admission::NoClient => {}
            Admission::Pause(time) => time::sleep(time).await,
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
