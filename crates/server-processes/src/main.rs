//! Model: a thread per client, fib in a worker process, which can be killed.
//! Waits on: read(2) and write(2), and poll(2) for a worker's answer.
//! Limit: workers: an answer waits for a free one; and threads.
//! Cost: a stack per client; a read, a write and a trip to a process and back.

mod pool;
mod worker;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use chassis::{Admission, Chassis, Client, Compute, Model, Step};

use crate::pool::Pool;

const MODEL: Model = Model::new("processes")
    .computes(&[Compute::Pool])
    .with_workers()
    .with_fds_per_worker(pool::FDS_PER_WORKER)
    .with_job_timeout();

/// A conversation needs a few KiB at its deepest. Only what is touched is
/// ever backed by memory; the rest is address space, of which ten thousand
/// threads would take twenty GiB by default.
const STACK_BYTES: usize = 128 * 1024;

fn main() -> ExitCode {
    match worker::is_one() {
        true => worker::work(),
        false => chassis::run(MODEL, serve),
    }
}

/// Accepts clients, and gives each a thread.
fn serve(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    let pool = Pool::new(chassis.workers(), chassis.job_timeout())?;
    loop {
        match chassis.admit(listener.accept()) {
            Admission::Client(client) => spawn(client, &pool, chassis),
            Admission::Nobody => {}
            Admission::Pause(time) => thread::sleep(time),
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client in a thread of its own. When no thread can be had, the
/// client is dropped with the closure, and told so.
fn spawn(
    client: Client<TcpStream>,
    pool: &Arc<Pool>,
    chassis: &'static Chassis,
) {
    let pool = Arc::clone(pool);
    let spawned = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || chassis.ended(converse(client, &pool)));
    if let Err(error) = spawned {
        chassis.refused(&error);
    }
}

/// Talks to one client until it leaves.
fn converse(mut client: Client<TcpStream>, pool: &Pool) -> io::Result<()> {
    loop {
        match client.next_step() {
            Step::Read(stream, space) => {
                let count = stream.read(space)?;
                client.received(count);
            }
            Step::Compute(request) => {
                let reply = pool.compute(request, client.stream())?;
                client.reply(reply);
            }
            Step::Write(stream, bytes) => {
                let count = stream.write(bytes)?;
                client.sent(count);
            }
            // The kernel sees to it: it can stop a thread at any point.
            Step::Yield => {}
            Step::Close => return Ok(()),
        }
    }
}
