//! A server with a thread per client, which only talks, and two worker
//! processes, which compute.
//!
//! It works until a worker dies. What is wrong then? `cargo run -p check --
//! processes` reports what happens. Find out why.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, process, thread};

const WORKERS: usize = 2;

fn main() -> io::Result<()> {
    let argument = env::args().nth(1).expect("usage: processes PORT");
    if argument == "worker" {
        return work();
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{argument}"))?;
    let pool = Arc::new(Pool::new()?);
    for stream in listener.incoming() {
        let (stream, pool) = (stream?, Arc::clone(&pool));
        thread::spawn(move || converse(stream, &pool));
    }
    Ok(())
}

/// Answers one client until it leaves.
fn converse(stream: TcpStream, pool: &Pool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(&stream).lines() {
        let reply = match line?.parse() {
            Ok(n) if n <= protocol::N_MAX => pool.compute(n)?,
            _ => "error: not-a-number\n".to_owned(),
        };
        (&stream).write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// The idle workers. A thread takes one out for a job, and puts it back.
struct Pool {
    put: SyncSender<Worker>,
    take: Mutex<Receiver<Worker>>,
}

impl Pool {
    fn new() -> io::Result<Pool> {
        let (put, take) = mpsc::sync_channel(WORKERS);
        for _ in 0..WORKERS {
            put.send(Worker::start()?).expect("the pool keeps the receiver");
        }
        Ok(Pool { put, take: Mutex::new(take) })
    }

    /// Has the next idle worker compute F(n), and returns the reply line.
    fn compute(&self, n: u8) -> io::Result<String> {
        let take = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        let mut worker = take.recv().expect("the pool keeps the sender");
        drop(take);
        let reply = worker.compute(n);
        self.put.send(worker).expect("the pool keeps the receiver");
        reply
    }
}

/// A worker: this program, started in another process.
struct Worker {
    _process: Child,
    jobs: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> io::Result<Worker> {
        let mut process = Command::new(env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let jobs = process.stdin.take().expect("stdin is a pipe");
        let replies = process.stdout.take().expect("stdout is a pipe");
        let replies = BufReader::new(replies);
        Ok(Worker { _process: process, jobs, replies })
    }

    /// Computes F(n) in the worker, and returns the reply line.
    fn compute(&mut self, n: u8) -> io::Result<String> {
        self.jobs.write_all(format!("{n}\n").as_bytes())?;
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        Ok(reply)
    }
}

/// Runs a worker: computes F(n) for each number that it reads.
fn work() -> io::Result<()> {
    let (put, take) = mpsc::channel();
    thread::spawn(move || {
        for n in io::stdin().lines().map_while(Result::ok) {
            put.send(n).expect("the main thread keeps the receiver");
        }
        // The server has died, so no one waits for the current job.
        process::exit(0);
    });
    for n in take {
        let n = n.parse().expect("the server sends only numbers");
        println!("{}", protocol::fib(n));
    }
    Ok(())
}
