//! Model: a coroutine per client, on an executor written by hand.
//! Waits on: epoll_wait(2), which returns the sockets that are ready.
//! Limit: one core; a long request blocks all other clients.
//! Cost: a task per client; one read and one write per request.

use std::io;
use std::net;
use std::process::ExitCode;

use chassis::{Admission, Chassis, Client, Model, Step};
use coroutines::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    chassis::run(Model::new("coroutines"), start)
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
    loop {
        match chassis.admit(listener.accept().await) {
            Admission::Client(client) => {
                let conversation = converse(client);
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
async fn converse(mut client: Client<TcpStream>) -> io::Result<()> {
    loop {
        match client.next_step() {
            Step::Read(stream, space) => {
                let count = stream.read(space).await?;
                client.received(count);
            }
            Step::Compute(request) => {
                let reply = request.compute();
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
