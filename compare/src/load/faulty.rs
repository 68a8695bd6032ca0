//! A server with a known fault, for `compare selftest`: the load generator must
//! report exactly this fault.

use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{process, thread};

use clap::{Args, ValueEnum};
use rustix::net::sockopt::set_socket_linger;
use rustix::time::{ClockId, clock_gettime};

use crate::base::limits;

/// The fault of a server, and the time that its replies take.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// The fault
    #[arg(long, value_enum, default_value_t = Fault::None)]
    pub(crate) fault: Fault,
    /// The number of correct replies before the fault
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u64,
    /// After that, only one request in COUNT has the fault
    #[arg(long, default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) one_in: u64,
    /// How long the server waits before each reply
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) delay: Duration,
    /// How much CPU time the server uses before each reply
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) work: Duration,
    /// How often an empty loop runs before each reply: work that takes less
    /// time than reading a clock
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub(crate) spin: u64,
    /// How long the server stalls at the end of each period
    #[arg(long, default_value = "0s", value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) stall: Duration,
    /// The length of a period
    #[arg(long, default_value = "5s", value_name = "TIME",
          value_parser = limits::time)]
    pub(crate) period: Duration,
}

impl Behaviour {
    /// Returns the behaviour of a server with this fault after `after`
    /// requests, and without any delay.
    #[cfg(test)]
    pub(crate) fn only(fault: Fault, after: u64) -> Behaviour {
        Behaviour {
            fault,
            after,
            one_in: 1,
            delay: Duration::ZERO,
            work: Duration::ZERO,
            spin: 0,
            stall: Duration::ZERO,
            period: Duration::from_secs(5),
        }
    }
}

/// A fault of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// No fault.
    None,
    /// The server exits before it listens.
    Start,
    /// The server exits.
    Die,
    /// The server doesn't reply any more.
    Hang,
    /// The replies are wrong.
    Wrong,
    /// A request gets two replies.
    Twice,
    /// The replies are errors.
    Error,
    /// The connection is closed without a reply.
    Close,
    /// The connection is reset.
    Reset,
}

/// Serves each client on a thread. Requests are counted over all connections.
pub(crate) fn serve(
    listener: &TcpListener,
    behaviour: Behaviour,
) -> io::Result<()> {
    let start = Instant::now();
    let served = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming() {
        let stream = stream?;
        let served = Arc::clone(&served);
        thread::spawn(move || converse(&stream, behaviour, start, &served));
    }
    Ok(())
}

fn converse(
    stream: &TcpStream,
    behaviour: Behaviour,
    start: Instant,
    served: &AtomicU64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream;
    for line in BufReader::new(stream).lines() {
        let n = line?.trim().parse().unwrap_or(0);
        let right = format!("{}\n", protocol::fib(n));
        let number = served.fetch_add(1, Ordering::Relaxed);
        let is_right = match number.checked_sub(behaviour.after) {
            None => true,
            Some(later) => (later + 1) % behaviour.one_in != 0,
        };
        linger(&behaviour, start);
        let reply = if is_right {
            right
        } else {
            match behaviour.fault {
                Fault::None | Fault::Start => right,
                Fault::Wrong => "4711\n".to_owned(),
                Fault::Twice => right.repeat(2),
                Fault::Error => "error: worker-lost: gone\n".to_owned(),
                Fault::Hang => continue,
                Fault::Close => return Ok(()),
                Fault::Reset => {
                    // Closing with a linger time of 0 sends RST.
                    let now = Duration::ZERO;
                    set_socket_linger(stream, Some(now))?;
                    return Ok(());
                }
                Fault::Die => {
                    eprintln!("known fault: it exits");
                    process::exit(7);
                }
            }
        };
        output.write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// Waits, computes and stalls as the behaviour specifies.
fn linger(behaviour: &Behaviour, start: Instant) {
    let Behaviour { delay, work, spin, stall, period, .. } = *behaviour;
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    if !work.is_zero() {
        let done = thread_cpu_time() + work;
        while thread_cpu_time() < done {}
    }
    spin_for(spin);
    if !stall.is_zero() {
        let into = start.elapsed().as_nanos() % period.as_nanos();
        let left = period - Duration::from_nanos(into as u64);
        if left <= stall {
            thread::sleep(left);
        }
    }
}

/// Runs an empty loop.
#[inline(never)]
fn spin_for(count: u64) {
    for index in 0..count {
        black_box(index);
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
