//! Model: a smol task per client, and a pool for fib that wakes the task.
//! Waits on: epoll_wait(2), in an idle thread of the executor.
//! Limit: the pool: a request waits for a free worker.
//! Cost: a task per client; a read, a write and two wake-ups per request.

mod compute;

use std::future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use chassis::{Admission, Chassis, Client, Compute, Model, Step};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Executor, Timer};

use crate::compute::Computer;

const MODEL: Model = Model::new("smol")
    .computes(&[Compute::Pool, Compute::Inline, Compute::Blocking])
    .with_workers();

/// Runs the clients' tasks. The executor of `smol::spawn` has only one thread
/// by default.
static EXECUTOR: Executor<'static> = Executor::new();

fn main() -> ExitCode {
    chassis::run(MODEL, start)
}

/// Runs `serve` on this thread, and the clients' tasks on one thread per core.
fn start(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    for _ in 0..thread::available_parallelism()?.get() {
        thread::Builder::new().spawn(|| {
            smol::block_on(EXECUTOR.run(future::pending::<()>()));
        })?;
    }
    smol::block_on(serve(listener, chassis))
}

/// Accepts clients, and gives each a task.
async fn serve(
    listener: TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let computer = Computer::new(chassis)?;
    loop {
        match chassis.admit(listener.accept().await) {
            Admission::Client(client) => {
                let conversation = converse(client, computer.clone());
                EXECUTOR
                    .spawn(async { chassis.log_end(conversation.await) })
                    .detach();
            }
            Admission::NoClient => {}
            Admission::Pause(time) => _ = Timer::after(time).await,
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client until it disconnects.
async fn converse(
    mut client: Client<Async<TcpStream>>,
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
            Step::Yield => smol::future::yield_now().await,
            Step::Close => return Ok(()),
        }
    }
}
