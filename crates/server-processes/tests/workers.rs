//! Tests of worker processes that die, and of clients that wait for one.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use launch::{Launch, Resource, Server, Signal};
use rustix::net::sockopt;
use rustix::process::{Pid, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_server-processes");

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A malformed request, which is answered without a worker; then a job that
/// takes centuries, before which the reply to the first is sent.
const ERROR_AND_ENDLESS_JOB: &[u8] = b"x\n93\n";

const ANY_N: [&str; 2] = ["--max-n", "93"];

#[test]
fn only_a_worker_that_dies_by_itself_is_logged() {
    let server = start(PROGRAM, &["--workers", "1", ANY_N[0], ANY_N[1]]);
    let mut polite = Client::of(&server);
    for _ in 0..5 {
        let worker = only_worker(&server);
        let mut rude = Client::of(&server);
        rude.send(ERROR_AND_ENDLESS_JOB);
        rude.reply();
        until(|| state(worker) == Some('R'));
        rude.reset();
        until(|| state(worker).is_none());
        assert_eq!(polite.ask("10"), "55");
    }
    let is_logged = || server.log().iter().any(|line| line.contains("worker"));
    assert!(!is_logged(), "{:#?}", server.log());
    kill(only_worker(&server));
    until(is_logged);
}

#[test]
fn a_client_that_is_reset_while_it_waits_for_a_worker_is_dropped() {
    let flags = ["--workers", "1", "--max-connections", "2"];
    let server = start(PROGRAM, &[&flags[..], &ANY_N].concat());
    let mut computed = Client::of(&server);
    computed.send(ERROR_AND_ENDLESS_JOB);
    computed.reply();
    let worker = only_worker(&server);
    until(|| state(worker) == Some('R'));
    let mut waiting = Client::of(&server);
    waiting.send(ERROR_AND_ENDLESS_JOB);
    waiting.reply();
    assert!(!has_room(&server));
    waiting.reset();
    until(|| has_room(&server));
}

#[test]
fn any_number_of_clients_leaves_descriptors_for_workers() {
    const FDS: u64 = 250;
    let flags = ["--workers", "40"];
    let server = launch(PROGRAM, &flags).limit(Resource::Nofile, FDS);
    let server = server.start().unwrap();
    let mut clients: Vec<_> = (0..FDS)
        .map(|_| Client::of(&server))
        .filter_map(|mut client| (client.ask("10") == "55").then_some(client))
        .collect();
    assert!((1..FDS as usize).contains(&clients.len()));
    let dead = workers(&server);
    assert_eq!(dead.len(), 40);
    dead.iter().for_each(|&worker| kill(worker));
    until(|| {
        let alive = workers(&server);
        alive.len() == 40 && alive.iter().all(|worker| !dead.contains(worker))
    });
    for client in &mut clients {
        assert_eq!(client.ask("10"), "55");
    }
}

#[test]
fn workers_are_replaced_even_if_the_program_file_is_gone() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = directory.join(format!("server-{}", std::process::id()));
    // A link, because a copy can't be started while another test's child
    // process has it open for writing.
    fs::hard_link(PROGRAM, &program).unwrap();
    let server = start(program.to_str().unwrap(), &["--workers", "1"]);
    fs::remove_file(&program).unwrap();
    let mut client = Client::of(&server);
    for _ in 0..2 {
        kill(only_worker(&server));
        assert_eq!(client.ask("10"), "55");
    }
}

fn start(program: &str, flags: &[&str]) -> Server {
    launch(program, flags).start().unwrap()
}

fn launch(program: &str, flags: &[&str]) -> Launch {
    let command = [program, "--listen", "{addr}"];
    Launch::new(command).args(flags.iter().copied())
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn of(server: &Server) -> Client {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\n").as_bytes());
        self.reply()
    }

    fn send(&mut self, bytes: &[u8]) {
        // This fails if the client was refused, which its reply will show.
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Returns the next line, or an empty one if the server closed the
    /// connection with unread input.
    fn reply(&mut self) -> String {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            read => _ = read.unwrap(),
        }
        line.trim_end().to_owned()
    }

    fn reset(self) {
        let at_once = Some(Duration::ZERO);
        sockopt::set_socket_linger(self.0.get_ref(), at_once).unwrap();
    }
}

/// Returns `true` if one more client is served.
fn has_room(server: &Server) -> bool {
    Client::of(server).ask("x") == "error: not-a-number"
}

fn only_worker(server: &Server) -> Pid {
    let mut workers = Vec::new();
    until(|| {
        workers = self::workers(server);
        workers.len() == 1
    });
    workers[0]
}

/// Returns the children of the server's threads that are alive.
fn workers(server: &Server) -> Vec<Pid> {
    let pid = server.pid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks
        .filter_map(|task| {
            fs::read_to_string(task.ok()?.path().join("children")).ok()
        })
        .flat_map(|line| {
            let pids = line.split_whitespace().map(|pid| pid.parse().unwrap());
            pids.collect::<Vec<_>>()
        })
        .filter_map(Pid::from_raw)
        .filter(|&pid| state(pid).is_some_and(|state| state != 'Z'))
        .collect()
}

/// Returns a process's state as in /proc/PID/stat; see proc(5).
fn state(process: Pid) -> Option<char> {
    let pid = process.as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn kill(process: Pid) {
    kill_process(process, Signal::KILL).unwrap();
}

/// Waits until a condition holds.
fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        thread::yield_now();
    }
}
