//! Cases of the exercise `measuring`: a load generator that measures a server
//! with a stall.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use conformance::{CaseFailure, CaseResult, check};

use crate::exercise::Case;
use crate::submission::Submission;

pub(crate) const CASES: &[Case] = &[
    Case::of_program(
        "every request is sent, and the longest time is the stall",
        "requests that are due during the stall are late, but not lost",
        all_are_sent,
    )
    .starter_passes(),
    Case::of_program(
        "requests that are due during the stall count as waiting",
        "when does a request's waiting time begin?",
        all_have_waited,
    ),
];

/// The requests per second, and the length of the measurement.
const RATE: f64 = 200.0;
const SECONDS: f64 = 1.6;

/// When the stall begins, counted from the first request, and its length. It is
/// a quarter of the measurement, so that p90 is 0.6 times the stall.
const STALL_AT: Duration = Duration::from_millis(600);
const STALL: Duration = Duration::from_millis(400);

/// The times in seconds that the submission printed, and the number of requests
/// that the server received.
struct Measured {
    p50: f64,
    p90: f64,
    max: f64,
    requests: usize,
}

fn all_are_sent(submission: &Submission) -> CaseResult {
    let Measured { max, requests, .. } = measured(submission)?;
    let due = (RATE * SECONDS) as usize;
    check(requests.abs_diff(due) <= 1, || {
        format!("expected {due} requests\ngot      {requests}")
    })?;
    let stall = STALL.as_secs_f64();
    check((0.75 * stall..3.0 * stall).contains(&max), || {
        format!("expected a max of about {stall} s\ngot      {max} s")
    })
}

fn all_have_waited(submission: &Submission) -> CaseResult {
    let Measured { p50, p90, .. } = measured(submission)?;
    let stall = STALL.as_secs_f64();
    check((0.3 * stall..0.95 * stall).contains(&p90), || {
        format!(
            "expected a p90 of about {:.2} s: a quarter of the requests were \
             due\n         during the stall of {stall} s\n\
             got      {p90} s",
            0.6 * stall
        )
    })?;
    check(p50 < 0.15 * stall, || {
        format!(
            "expected a p50 of nearly 0 s: most requests were not delayed\n\
             got      {p50} s"
        )
    })
}

/// Has the submission measure a server that stalls once.
fn measured(submission: &Submission) -> CaseResult<Measured> {
    let server = Staller::new()?;
    let address = server.listener.local_addr()?.to_string();
    let (rate, seconds) = (RATE.to_string(), SECONDS.to_string());
    let lines = thread::scope(|scope| {
        scope.spawn(|| server.serve());
        let lines = submission.run(&[&address, &rate, &seconds]);
        server.stop(&address);
        lines
    })?;
    let figure = |name: &str| {
        let mut words = lines.iter().map(|line| line.split_once(' '));
        let found = words.find_map(|words| {
            let (first, rest) = words?;
            (first == name).then(|| rest.parse().ok()).flatten()
        });
        found.ok_or_else(|| {
            CaseFailure::new(format!(
                "expected a line `{name} SECONDS`\ngot      {lines:?}"
            ))
        })
    };
    Ok(Measured {
        p50: figure("p50")?,
        p90: figure("p90")?,
        max: figure("max")?,
        requests: server.requests.load(Ordering::Relaxed),
    })
}

/// A server that answers at once, except for one stall of all connections.
struct Staller {
    listener: TcpListener,
    first: OnceLock<Instant>,
    requests: AtomicUsize,
    is_over: AtomicBool,
}

impl Staller {
    fn new() -> io::Result<Staller> {
        Ok(Staller {
            listener: TcpListener::bind(("127.0.0.1", 0))?,
            first: OnceLock::new(),
            requests: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// Serves clients until it is stopped and all of them have left.
    fn serve(&self) {
        thread::scope(|scope| {
            for stream in self.listener.incoming() {
                if self.is_over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                // A client may leave in any way.
                scope.spawn(move || drop(self.converse(&stream)));
            }
        });
    }

    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        for line in BufReader::new(stream).lines() {
            line?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let since = self.first.get_or_init(Instant::now).elapsed();
            if (STALL_AT..STALL_AT + STALL).contains(&since) {
                thread::sleep(STALL_AT + STALL - since);
            }
            (&*stream).write_all(b"1\n")?;
        }
        Ok(())
    }

    /// Ends `serve`. A connection wakes it from `accept`.
    fn stop(&self, address: &str) {
        self.is_over.store(true, Ordering::Relaxed);
        // Connecting fails only if the listener is gone already.
        drop(TcpStream::connect(address));
    }
}
