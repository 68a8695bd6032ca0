//! Model: a coroutine per client, and a pool for fib that wakes the coroutine.
//! Waits on: epoll_wait(2), for sockets and for replies of the pool.
//! Limit: the pool: a request waits for a free worker.
//! Cost: a task per client; a read, a write and two wake-ups per request.

mod compute;

use std::io;
use std::net;
use std::process::ExitCode;
use std::rc::Rc;

use chassis::{Admission, Chassis, Client, Compute, Model, Step};
use coroutines::net::{TcpListener, TcpStream};

use crate::compute::Computer;

const MODEL: Model = Model::new("coroutines-pool")
    .computes(&[Compute::Pool, Compute::Stall])
    .with_workers();

fn main() -> ExitCode {
    chassis::run(MODEL, start)
}

/// Runs `serve` and the clients' coroutines until the last one has ended.
fn start(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    coroutines::run(serve(listener, chassis))
}

/// Accepts clients, and gives each a coroutine.
async fn serve(
    listener: net::TcpListener,
    chassis: &'static Chassis,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener)?;
    let computer = Rc::new(Computer::new(chassis)?);
    loop {
        match chassis.admit(listener.accept().await) {
            Admission::Client(client) => {
                let conversation = converse(client, Rc::clone(&computer));
                coroutines::spawn(async {
                    chassis.log_end(conversation.await);
                });
            }
            Admission::NoClient => {}
            Admission::Pause(time) => coroutines::sleep(time).await,
            Admission::Stop => return Ok(()),
        }
    }
}

/// Talks to one client until it disconnects.
async fn converse(
    mut client: Client<TcpStream>,
    computer: Rc<Computer>,
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
            Step::Yield => coroutines::yield_now().await,
            Step::Close => return Ok(()),
        }
    }
}
