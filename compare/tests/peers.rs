//! The Python peers: a killed server leaves no worker process behind.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use launch::{Launch, Server};
use needs::PYTHON;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

/// The peers with a process pool.
const WITH_WORKERS: [&str; 4] =
    ["processes", "coroutines_stall", "coroutines_pool", "asyncio_pool"];

/// The time after which a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    needs::run(needs::tests![
        [PYTHON] workers_of_a_killed_server_exit_and_its_port_is_free,
    ])
}

fn workers_of_a_killed_server_exit_and_its_port_is_free() {
    for name in WITH_WORKERS {
        // The remaining processes are killed with it, even if this fails.
        let mut server = start(name);
        let workers = children(server.pid());
        assert!(!workers.is_empty(), "{name} has no worker");
        let _client = keep_a_worker_busy(&server);

        server.process().signal(Signal::KILL);
        let status = server.process().wait(PATIENCE);
        assert!(status.is_some(), "{name} still runs");
        // Immediately: a worker must not keep the server's socket open.
        let again = TcpListener::bind(server.address());
        assert!(again.is_ok(), "{name}: {}", again.unwrap_err());
        let left = still_run(&workers);
        let all = workers.len();
        assert_eq!(left, 0, "{name}: of {all} workers, {left} still run");
    }
}

fn start(name: &str) -> Server {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/peers/python");
    let path = format!("{folder}/{name}.py");
    let launch = Launch::new(["python3", &path, "--listen", "{addr}"]);
    launch.start().unwrap()
}

/// Returns a pidfd for each child of a process, which is readable when the
/// child has ended. This test isn't their parent, and PIDs are reused.
fn children(parent: Pid) -> Vec<OwnedFd> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str()?.parse::<i32>().ok()
    });
    let children = numbers.filter(|number| {
        // A process may have ended since it was listed.
        let stat = fs::read_to_string(format!("/proc/{number}/stat"));
        stat.is_ok_and(|stat| parent_in(&stat) == Some(parent))
    });
    let open = |number| {
        pidfd_open(Pid::from_raw(number).unwrap(), PidfdFlags::empty())
    };
    children.map(|number| open(number).unwrap()).collect()
}

/// Returns the parent in a line of proc_pid_stat(5): the second field after the
/// name, which may contain any character.
fn parent_in(stat: &str) -> Option<Pid> {
    let (_, behind) = stat.rsplit_once(") ")?;
    Pid::from_raw(behind.split(' ').nth(1)?.parse().ok()?)
}

/// Sends a request that takes an interpreter minutes. The reply to the request
/// before it shows that it is next.
fn keep_a_worker_busy(server: &Server) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"1\n45\n").unwrap();
    let mut reply = String::new();
    BufReader::new(&client).read_line(&mut reply).unwrap();
    assert_eq!(reply, "1\n");
    client
}

/// Returns the number of these processes that haven't ended in time.
fn still_run(processes: &[OwnedFd]) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let left = processes.iter().filter(|process| {
        let rest = deadline.saturating_duration_since(Instant::now());
        let rest = Timespec::try_from(rest).unwrap();
        let mut ended = [PollFd::new(*process, PollFlags::IN)];
        poll(&mut ended, Some(&rest)) != Ok(1)
    });
    left.count()
}
