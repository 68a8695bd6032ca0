//! Model: a thread per client, and killable worker processes for fib.
//! Waits on: read(2) and write(2), and poll(2) for replies of the workers.
//! Limit: the workers, for which requests wait; and the number of threads.
//! Cost: a stack per client; a read, a write and two pipe trips per request.

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
    .with_thread_per_client()
    .with_job_timeout();

fn main() -> ExitCode {
    if worker::is_worker() { worker::run() } else { chassis::run(MODEL, serve) }
}

/// Accepts clients, and gives each a thread.
fn serve(listener: TcpListener, chassis: &'static Chassis) -> io::Result<()> {
    let pool = Pool::new(chassis.workers(), chassis.job_timeout())?;
    loop {
        match chassis.admit(listener.accept()) {
            Admission::Client(client) => {
                let pool = Arc::clone(&pool);
                chassis.spawn_thread(move || converse(client, &pool));
            }
            Admission::NoClient => {}
            Admission::Pause(time) => thread::sleep(time),
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client until it disconnects.
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
            // Not needed: the kernel can interrupt a thread at any point.
            Step::Yield => {}
            Step::Close => return Ok(()),
        }
    }
}
