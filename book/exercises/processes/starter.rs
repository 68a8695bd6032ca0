//! A thread per client, which only talks, and two worker processes, which
//! compute.
//!
//! All is well until a worker dies. What is wrong then? `cargo run -p check --
//! processes` says what happens; why it does, you find here.

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

/// The workers that are free: who needs one takes it out, and puts it back.
struct Pool {
    put: SyncSender<Worker>,
    take: Mutex<Receiver<Worker>>,
}

impl Pool {
    fn new() -> io::Result<Pool> {
        let (put, take) = mpsc::sync_channel(WORKERS);
        for _ in 0..WORKERS {
            put.send(Worker::start()?).expect("we have the other end");
        }
        Ok(Pool { put, take: Mutex::new(take) })
    }

    /// The line with F(n), from whichever worker is free first.
    fn compute(&self, n: u8) -> io::Result<String> {
        let take = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        let mut worker = take.recv().expect("we have the other end");
        drop(take);
        let answer = worker.compute(n);
        self.put.send(worker).expect("we have the other end");
        answer
    }
}

/// This program once more, in a process of its own.
struct Worker {
    _process: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> io::Result<Worker> {
        let mut process = Command::new(env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let jobs = process.stdin.take().expect("it is a pipe");
        let answers = process.stdout.take().expect("it is a pipe");
        let answers = BufReader::new(answers);
        Ok(Worker { _process: process, jobs, answers })
    }

    /// Has it compute F(n).
    fn compute(&mut self, n: u8) -> io::Result<String> {
        self.jobs.write_all(format!("{n}\n").as_bytes())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

/// What a worker does: it computes each number that it reads.
fn work() -> io::Result<()> {
    let (put, take) = mpsc::channel();
    thread::spawn(move || {
        for n in io::stdin().lines().map_while(Result::ok) {
            put.send(n).expect("the other end computes");
        }
        // The server has gone, and nobody waits for what is being computed.
        process::exit(0);
    });
    for n in take {
        let n = n.parse().expect("the server has looked at it");
        println!("{}", protocol::fib(n));
    }
    Ok(())
}
