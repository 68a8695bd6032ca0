//! Tests of the load generator with hostile servers: whatever they send, it
//! ends in time, and counts exactly the fault that each connection had.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::net::sockopt::set_socket_linger;

use crate::load::engine;
use crate::model::contestant::Framing;
use crate::model::load_plan::{GroupPlan, LoadPlan, Pace};

/// The reply to every request: F(7).
const RIGHT: &[u8] = b"13\n";

const CONNECTIONS: usize = 3;

/// How long the clients wait for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_millis(300);

/// No connection lasts longer, so the window doesn't either.
const WINDOW: Duration = Duration::from_secs(60);

/// How much longer than the timeout a load may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a hostile server treats a connection after some right replies.
#[derive(Clone, Debug)]
enum Fault {
    /// Sends bytes that are no right reply.
    Lie(Vec<u8>),
    /// Sends digits without an end, and closes the connection.
    Endless(usize),
    /// Sends an error line.
    Error,
    /// Sends more replies than there were requests.
    Flood(usize),
    /// Sends a part of a reply, and nothing more.
    Silence(usize),
    /// Sends a part of a reply, and closes the connection.
    Close(usize),
    /// The same, but can still receive.
    HalfClose(usize),
    /// Sends a part of a reply, and resets the connection.
    Reset(usize),
}

impl Fault {
    fn any(random: &mut Rng) -> Fault {
        const LIES: [&[u8]; 12] = [
            b"14\n",
            b"013\n",
            b"13 \n",
            b"13\r\n",
            b"\n",
            b"-13\n",
            b"1\n3\n",
            b"13\0\n",
            b"\xff\xfe\n",
            b"13.0\n",
            b"1313\n",
            b"error\n",
        ];
        let part = random.usize(..RIGHT.len());
        match random.u8(..9) {
            0 | 1 => Fault::Lie(LIES[random.usize(..LIES.len())].to_vec()),
            2 => Fault::Endless(random.usize(1 << 14..1 << 20)),
            3 => Fault::Error,
            4 => Fault::Flood(random.usize(1..100_000)),
            5 => Fault::Silence(part),
            6 => Fault::Close(part),
            7 => Fault::HalfClose(part),
            _ => Fault::Reset(part),
        }
    }

    /// Returns what a client must count. After a wrong reply, it continues
    /// until the connection ends.
    fn counts(&self) -> &'static [&'static str] {
        match self {
            Fault::Lie(_) => &["wrong", "closed"],
            Fault::Endless(_) => &["wrong"],
            Fault::Flood(_) => &["wrong", "closed", "floods"],
            Fault::Error => &["errors", "closed"],
            Fault::Silence(_) => &["timed out"],
            Fault::Close(_) | Fault::HalfClose(_) => &["closed"],
            Fault::Reset(_) => &["reset"],
        }
    }

    /// Sends what the fault sends. Returns `true` if the connection must stay
    /// open, so that the kernel sends no RST for requests that were not read.
    fn play(&self, mut stream: &TcpStream) -> io::Result<bool> {
        let many;
        let bytes = match self {
            Fault::Lie(bytes) => bytes,
            Fault::Error => &b"error: worker-lost: gone\n"[..],
            Fault::Flood(more) => {
                many = RIGHT.repeat(1 + more);
                &many
            }
            Fault::Endless(count) => {
                many = b"1".repeat(*count);
                &many
            }
            Fault::Silence(part)
            | Fault::Close(part)
            | Fault::HalfClose(part)
            | Fault::Reset(part) => &RIGHT[..*part],
        };
        stream.write_all(bytes)?;
        match self {
            Fault::Silence(_) => return Ok(true),
            Fault::Reset(_) => {
                set_socket_linger(stream, Some(Duration::ZERO))?;
                return Ok(false);
            }
            _ => stream.shutdown(Shutdown::Write)?,
        }
        Ok(!matches!(self, Fault::Close(_)))
    }
}

/// What a server has done.
#[derive(Debug, Default)]
struct Played {
    right: AtomicU64,
    /// How many connections had faults that count as each kind.
    kinds: Mutex<BTreeMap<&'static str, u64>>,
}

/// Serves clients, each with random replies that follow from `seed`.
fn serve(listener: &TcpListener, seed: u64, played: &Arc<Played>) {
    let mut random = Rng::with_seed(seed);
    for stream in listener.incoming().map_while(Result::ok) {
        let mut random = random.fork();
        let played = Arc::clone(played);
        thread::spawn(move || {
            // Fails if the client has left, which the counts will show.
            let _ = converse(&stream, &mut random, &played);
        });
    }
}

fn converse(
    stream: &TcpStream,
    random: &mut Rng,
    played: &Played,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream).lines();
    for _ in 0..random.u8(..6) {
        requests.next().transpose()?;
        played.right.fetch_add(1, Ordering::SeqCst);
        send_in_pieces(stream, random)?;
    }
    requests.next().transpose()?;
    let fault = Fault::any(random);
    for kind in fault.counts() {
        *played.kinds.lock().unwrap().entry(kind).or_default() += 1;
    }
    let stays_open = fault.play(stream)?;
    // Until the client leaves.
    while stays_open && requests.next().is_some_and(|line| line.is_ok()) {}
    Ok(())
}

/// Sends a right reply, cut anywhere.
fn send_in_pieces(mut stream: &TcpStream, random: &mut Rng) -> io::Result<()> {
    let (first, rest) = RIGHT.split_at(random.usize(..RIGHT.len()));
    for piece in [first, rest] {
        stream.write_all(piece)?;
        if random.bool() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Loads a hostile server, and checks what is counted.
fn load(seed: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let played = Arc::new(Played::default());
    let server = Arc::clone(&played);
    thread::spawn(move || serve(&listener, seed, &server));
    let group = GroupPlan {
        name: "test".into(),
        n: 7,
        connections: CONNECTIONS,
        pace: Pace::EAGER,
        elsewhere: None,
    };
    let plan = LoadPlan {
        address,
        groups: vec![group],
        warm_up: Duration::ZERO,
        window: WINDOW,
        framing: Framing::Line,
        reply_timeout: REPLY_TIMEOUT,
        server: None,
        apart_server: None,
        processors: Vec::new(),
        seed,
    };
    let start = Instant::now();
    let report = engine::run(&plan).unwrap();
    assert!(start.elapsed() < REPLY_TIMEOUT + PATIENCE, "seed {seed}");
    let group = &report.groups[0];
    let faults = &group.faults;
    let played_kinds = played.kinds.lock().unwrap();
    let played_of = |kind| played_kinds.get(kind).copied().unwrap_or(0);
    let what = format!("seed {seed}: {faults:?}, {played_kinds:?}");
    for (kind, counted) in [
        ("errors", faults.errors.values().sum()),
        ("timed out", faults.timed_out),
        ("closed", faults.closed_early),
        ("reset", faults.reset),
    ] {
        assert_eq!(counted, played_of(kind), "{kind}, {what}");
    }
    // A connection may have several wrong lines.
    assert!(faults.wrong >= played_of("wrong"), "{what}");
    assert_eq!(faults.wrong == 0, played_of("wrong") == 0, "{what}");
    // Each request after a flood finds a reply that is already there.
    let right = played.right.load(Ordering::SeqCst);
    if played_of("floods") == 0 {
        assert_eq!(group.replies_in_all, right, "{what}");
    }
}

#[test]
fn each_connection_to_a_hostile_server_has_its_fault() {
    const SEEDS: u64 = 60;
    const AT_A_TIME: u64 = 6;
    thread::scope(|scope| {
        for first in 0..AT_A_TIME {
            scope.spawn(move || {
                for seed in (first..SEEDS).step_by(AT_A_TIME as usize) {
                    load(seed);
                }
            });
        }
    });
}
