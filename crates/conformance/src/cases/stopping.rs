//! Start and stop: signals, draining, exit codes, flags, restarts, and service
//! managers.

use std::fs::File;
use std::io::{self, ErrorKind, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use launch::{Process, Resource, Signal};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::case::{Case, CaseFailure, CaseResult, Family, Need, check};
use crate::client::{Client, Next};
use crate::fixture::{ANY_N, Fixture, TestServer};
use crate::reply::{ExpectedReply, NOT_A_NUMBER};

const fn case(name: &'static str, run: fn(&Fixture<'_>) -> CaseResult) -> Case {
    Case::new(Family::Stopping, name, run)
}

const DRAIN_TIMEOUT: &[Need] = &[Need::Flag("--drain-timeout")];

pub(super) const CASES: &[Case] = &[
    case(
        "SIGTERM ends an idle server within a second, with exit code 0",
        by_sigterm,
    )
    .alone(),
    case("SIGINT has the same effect as SIGTERM", by_sigint).alone(),
    case(
        "SIGTERM and SIGINT end a server that was started with both blocked",
        blocked_signals,
    )
    .alone()
    .needs(DRAIN_TIMEOUT),
    case(
        "a full pipe as stderr delays neither clients nor the stop",
        full_stderr,
    )
    .alone()
    .needs(DRAIN_TIMEOUT),
    case("a log at the limit on the size of files ends no server", full_log)
        .alone()
        .needs(DRAIN_TIMEOUT),
    case("SIGTERM ends idle connections with end-of-file", idle_connections)
        .alone(),
    case("an unfinished line does not delay the stop", unfinished_line).alone(),
    case(
        "every line received before SIGTERM gets exactly one reply",
        under_load,
    )
    .computes(),
    case(
        "no reply of a busy server is truncated at SIGTERM",
        no_truncated_reply,
    )
    .computes(),
    case("bad lines received before SIGTERM get replies, too", bad_lines)
        .computes(),
    case(
        "a client with endless requests does not delay the stop",
        endless_requests,
    )
    .computes()
    .needs(DRAIN_TIMEOUT),
    case(
        "a long job that finishes in time gets its reply, with exit code 0",
        drain,
    )
    .computes()
    .needs(DRAIN_TIMEOUT),
    case("the port is closed while a long job still runs", port_closed)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case(
        "--drain-timeout cuts off a job: exit code 3, and a count in the log",
        cut_off,
    )
    .computes()
    .needs(DRAIN_TIMEOUT),
    case("--drain-timeout cuts off a client that never reads", cut_off_unread)
        .needs(DRAIN_TIMEOUT),
    case(
        "a second signal ends the server at once, with a non-zero exit code",
        second_signal,
    )
    .computes()
    .needs(DRAIN_TIMEOUT),
    case("the server can restart on the same port at once", restart),
    case("a port in use gives one line on stderr and exit code 1", port_in_use),
    case(
        "with few file descriptors, a server serves or ends with exit code 1",
        few_descriptors,
    )
    .needs(DRAIN_TIMEOUT),
    case("bad flags give exit code 2 and no ready line", bad_flags),
    case("--help names every flag, with exit code 0", help)
        .needs(&[Need::Flag("--help")]),
    case("--describe prints JSON, with exit code 0", describe)
        .needs(&[Need::Flag("--describe")]),
    case("--log-format json makes every log line a JSON object", json_log)
        .needs(&[Need::Flag("--log-format")]),
    case(
        "a passed listening socket is served, and outlives the server",
        passed_socket,
    )
    .needs(&[Need::ServiceManager]),
    case(
        "a full backlog of a passed socket does not delay the stop",
        full_backlog,
    )
    .computes()
    .needs(&[Need::ServiceManager, Need::Flag("--drain-timeout")]),
    case("a service manager gets READY=1 and STOPPING=1", notifies_manager)
        .needs(&[Need::ServiceManager]),
    case(
        "a service manager whose queue is full gets READY=1 later",
        full_manager,
    )
    .needs(&[Need::ServiceManager]),
];

const SECOND: Duration = Duration::from_secs(1);

/// More clients than fit in a backlog of one, if the server accepts none.
const CLIENTS_THAT_FILL_BACKLOG: usize = 8;

/// A drain timeout that is shorter than jobs.
const SHORT_DRAIN: Duration = Duration::from_millis(500);
const SHORT_DRAIN_FLAGS: [&str; 4] =
    ["--drain-timeout", "500ms", ANY_N[0], ANY_N[1]];

/// A drain timeout that is longer than jobs.
const LONG_DRAIN_FLAGS: [&str; 4] =
    ["--drain-timeout", "60s", ANY_N[0], ANY_N[1]];

fn by_sigterm(fixture: &Fixture<'_>) -> CaseResult {
    expect_exit_on(fixture, Signal::TERM)
}

fn by_sigint(fixture: &Fixture<'_>) -> CaseResult {
    expect_exit_on(fixture, Signal::INT)
}

fn expect_exit_on(fixture: &Fixture<'_>, signal: Signal) -> CaseResult {
    // Once without any client, and once after three clients have left.
    for clients in [0, 3] {
        let mut server = fixture.server(&[])?;
        for _ in 0..clients {
            server.client()?.ask(10)?;
        }
        server.signal(signal);
        server.expect_exit(0, SECOND)?;
        server.expect_port_closed()?;
    }
    Ok(())
}

fn blocked_signals(fixture: &Fixture<'_>) -> CaseResult {
    for signal in [Signal::TERM, Signal::INT] {
        let launch = fixture.launch(&[]).block(&[Signal::TERM, Signal::INT]);
        let mut server = fixture.start(launch)?;
        server.client()?.ask(10)?;
        server.signal(signal);
        server.expect_exit(0, SECOND)?;
    }
    Ok(())
}

fn few_descriptors(fixture: &Fixture<'_>) -> CaseResult {
    for limit in 9..=24 {
        let launch = fixture.launch(&[]).limit(Resource::Nofile, limit);
        match launch.start() {
            Ok(server) => {
                let mut client = fixture.client_of(server.address())?;
                client.ask(10).map_err(|failure| {
                    failure.context(format!("with {limit} descriptors"))
                })?;
            }
            Err(launch::Error::Ended { status, log }) => {
                check(status.code() == Some(1) && !log.is_empty(), || {
                    format!(
                        "expected exit code 1 and a line with {limit} \
                         descriptors, got {status}: {log:?}"
                    )
                })?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn full_stderr(fixture: &Fixture<'_>) -> CaseResult {
    let (mut reader, writer) = io::pipe()?;
    fill(&writer)?;
    let flags = ["--idle-timeout", "300ms"];
    // At this level, the servers of this project log each client.
    let launch = fixture.launch(&flags).env("RUST_LOG", "debug");
    let mut server = fixture.start(launch.stderr(writer))?;
    for _ in 0..3 {
        server.client()?.ask(10)?;
    }
    let mut idle = server.client()?;
    idle.expect_end()?;
    server.signal(Signal::TERM);
    server.expect_exit(0, SECOND)?;
    // Nothing else has the other end, so that this ends.
    let mut log = Vec::new();
    reader.read_to_end(&mut log)?;
    Ok(())
}

/// Fills a pipe.
fn fill(pipe: &PipeWriter) -> CaseResult {
    let flags = fcntl_getfl(pipe).map_err(io::Error::from)?;
    fcntl_setfl(pipe, flags | OFlags::NONBLOCK).map_err(io::Error::from)?;
    while (&*pipe).write(b"a line\n").is_ok() {}
    // The server must get a pipe that blocks.
    fcntl_setfl(pipe, flags).map_err(io::Error::from)?;
    Ok(())
}

fn full_log(fixture: &Fixture<'_>) -> CaseResult {
    const LOG_BYTES_MAX: u64 = 512;
    let name = format!("conformance-{}.log", std::process::id());
    let path = std::env::temp_dir().join(name);
    let log = File::create(&path)?;
    let launch = fixture
        .launch(&["--idle-timeout", "300ms"])
        .env("RUST_LOG", "debug")
        .limit(Resource::Fsize, LOG_BYTES_MAX)
        .stderr(log);
    let result = fixture.start(launch).and_then(|mut server| {
        // Each client is worth a line at least.
        for _ in 0..LOG_BYTES_MAX / 16 {
            server.client()?.ask(10)?;
        }
        server.signal(Signal::TERM);
        server.expect_exit(0, SECOND)?;
        Ok(())
    });
    std::fs::remove_file(path)?;
    result
}

fn idle_connections(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut clients = server.clients(fixture.clients_at_a_time(50))?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    server.signal(Signal::TERM);
    clients.iter_mut().try_for_each(Client::expect_end)?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn unfinished_line(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&[])?;
    let mut client = server.client()?;
    client.exchange(b"10\n2", ExpectedReply::Fib(10))?;
    server.signal(Signal::TERM);
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn under_load(fixture: &Fixture<'_>) -> CaseResult {
    const REQUESTS: usize = 200;
    // No short requests: a server may write a short request's reply together
    // with the next ones.
    let n = fixture.n_that_takes(Duration::from_micros(400))?.max(22);
    let mut server = server_with_long_drain(fixture)?;
    let mut clients = server.clients(fixture.clients_at_a_time(6))?;
    let burst = format!("{n}\n").repeat(REQUESTS);
    for client in &mut clients {
        client.send(burst.as_bytes())?;
    }
    // Each burst is one segment. So the first reply shows that the server has
    // received the whole burst, and most of its jobs are still pending.
    for client in &mut clients {
        client.expect(ExpectedReply::Fib(n))?;
    }
    server.signal(Signal::TERM);
    for client in &mut clients {
        client.expect_all([ExpectedReply::Fib(n); REQUESTS - 1])?;
    }
    // No further byte follows.
    clients.iter_mut().try_for_each(Client::expect_end)?;
    server.expect_exit(0, fixture.patience())?;
    server.expect_port_closed()
}

fn no_truncated_reply(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(Duration::from_micros(50))?;
    let mut server = server_with_long_drain(fixture)?;
    let mut clients = server.clients(fixture.clients_at_a_time(4))?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(|| ask_until_end(client, n, &is_over)))
            .collect();
        // SIGTERM is sent while the server is busy with these requests.
        let load = Duration::from_millis(100);
        let early_exit = server.process().wait(load);
        // The clients send until the stop has begun, and no longer: answering
        // more would take long in a server whose jobs change threads.
        let stop = server.stop();
        is_over.store(true, Relaxed);
        let results: Vec<CaseResult> = threads
            .into_iter()
            .map(|thread| thread.join().expect("the thread doesn't panic"))
            .collect();
        expect_no_early_exit(early_exit)?;
        stop?;
        results.into_iter().collect::<CaseResult>()
    })?;
    server.expect_exit(0, fixture.patience())?;
    server.expect_port_closed()
}

/// Checks that the server has not ended before SIGTERM.
fn expect_no_early_exit(status: Option<ExitStatus>) -> CaseResult {
    check(status.is_none(), || "the server ended before SIGTERM".to_owned())
}

/// Starts a server with enough time to answer everything that it has received.
fn server_with_long_drain<'a>(
    fixture: &'a Fixture<'_>,
) -> CaseResult<TestServer<'a>> {
    if fixture.subject.has_flag(LONG_DRAIN_FLAGS[0]) {
        fixture.server(&LONG_DRAIN_FLAGS)
    } else {
        fixture.server(&ANY_N)
    }
}

/// Keeps ten requests in flight until `is_over`, then reads until the server
/// ends the connection. Requests that the server hasn't received may get no
/// reply, but every reply must be complete and right.
fn ask_until_end(
    client: &mut Client,
    n: u64,
    is_over: &AtomicBool,
) -> CaseResult {
    const IN_FLIGHT: usize = 10;
    let batch = format!("{n}\n").repeat(IN_FLIGHT);
    loop {
        // Sending fails if the server has ended; replies that it sent before
        // can still be read.
        let sent = if is_over.load(Relaxed) {
            Ok(())
        } else {
            client.send(batch.as_bytes())
        };
        let mut replies = 0;
        while replies < IN_FLIGHT {
            match client.next_reply() {
                Next::Line(line) if ExpectedReply::Fib(n).matches(&line) => {
                    replies += 1;
                }
                Next::End | Next::Reset if client.is_drained() => {
                    return Ok(());
                }
                next => {
                    let got = client.describe(&next);
                    let expected = "complete replies, then the end";
                    return Err(client.failure(expected, &got));
                }
            }
        }
        sent?;
    }
}

fn endless_requests(fixture: &Fixture<'_>) -> CaseResult {
    let n = fixture.n_that_takes(Duration::from_micros(100))?;
    let mut server = fixture.server(&LONG_DRAIN_FLAGS)?;
    let mut client = server.client()?;
    client.ask(10)?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking =
            scope.spawn(|| ask_without_pause(&mut client, n, &is_over));
        // SIGTERM is sent while requests are in flight.
        let early_exit = server.process().wait(Duration::from_millis(50));
        server.signal(Signal::TERM);
        let exit = server.expect_exit(0, fixture.patience());
        is_over.store(true, Relaxed);
        asking.join().expect("the thread doesn't panic")?;
        expect_no_early_exit(early_exit)?;
        exit.map(drop)
    })
}

/// Keeps so many requests in flight that the server's queue is never empty,
/// until the server ends or `is_over`. Every reply must be right.
fn ask_without_pause(
    client: &mut Client,
    n: u64,
    is_over: &AtomicBool,
) -> CaseResult {
    const IN_FLIGHT: usize = 1_000;
    let request = format!("{n}\n");
    let mut in_flight = 0;
    while !is_over.load(Relaxed) {
        let batch = request.repeat(IN_FLIGHT - in_flight);
        // Sending fails if the server has ended with requests unread.
        if client.send(batch.as_bytes()).is_err() {
            return Ok(());
        }
        in_flight = IN_FLIGHT;
        match client.next_within(Duration::from_millis(100)) {
            Next::Line(line) if ExpectedReply::Fib(n).matches(&line) => {
                in_flight -= 1 + client.take_all(ExpectedReply::Fib(n))?;
            }
            Next::Nothing => {}
            // A reset may truncate the last reply.
            Next::End | Next::Reset => return Ok(()),
            next @ Next::Line(_) => {
                let got = client.describe(&next);
                let expected = ExpectedReply::Fib(n).to_string();
                return Err(client.failure(&expected, &got));
            }
        }
    }
    Ok(())
}

fn bad_lines(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(Duration::from_millis(200))?;
    let mut server = server_with_long_drain(fixture)?;
    let mut client = server.client()?;
    let requests = format!("1\n{long}\nx\n10\n\n99999\n3");
    client.exchange(requests.as_bytes(), ExpectedReply::Fib(1))?;
    server.signal(Signal::TERM);
    client.expect_all([
        ExpectedReply::Fib(long),
        NOT_A_NUMBER,
        ExpectedReply::Fib(10),
        NOT_A_NUMBER,
        crate::reply::TOO_LARGE,
    ])?;
    client.expect_end()?;
    server.expect_exit(0, fixture.patience())?;
    Ok(())
}

fn drain(fixture: &Fixture<'_>) -> CaseResult {
    let (mut server, mut client, long) =
        busy(fixture, &LONG_DRAIN_FLAGS, Duration::from_millis(500))?;
    server.signal(Signal::TERM);
    client.expect(ExpectedReply::Fib(long))?;
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn port_closed(fixture: &Fixture<'_>) -> CaseResult {
    let (mut server, mut client, long) =
        busy(fixture, &LONG_DRAIN_FLAGS, SECOND)?;
    server.stop()?;
    check(!client.has_input(), || {
        "expected the port to be closed before the long job's reply".to_owned()
    })?;
    client.expect(ExpectedReply::Fib(long))?;
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn cut_off(fixture: &Fixture<'_>) -> CaseResult {
    let (mut server, mut client, _) =
        busy(fixture, &SHORT_DRAIN_FLAGS, 8 * SHORT_DRAIN)?;
    let start = Instant::now();
    server.signal(Signal::TERM);
    server.expect_exit(3, SHORT_DRAIN + SECOND)?;
    let took = start.elapsed();
    check(took >= SHORT_DRAIN, || {
        format!("expected a wait of {SHORT_DRAIN:?} for the job, got {took:?}")
    })?;
    client.expect_closed()?;
    expect_cut_off_count(&server)
}

fn cut_off_unread(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&SHORT_DRAIN_FLAGS)?;
    let mut client = server.client_with_window(4096)?;
    server.send_until_stuck(&mut client, &b"x\n".repeat(8192))?;
    server.signal(Signal::TERM);
    server.expect_exit(3, SHORT_DRAIN + SECOND)?;
    expect_cut_off_count(&server)
}

/// Checks that the log contains a line with `cut off` and a positive number.
fn expect_cut_off_count(server: &TestServer<'_>) -> CaseResult {
    let log = server.log();
    let is_counted = log
        .iter()
        .filter(|line| line.contains("cut off"))
        .any(|line| line.bytes().any(|byte| (b'1'..=b'9').contains(&byte)));
    check(is_counted, || {
        "expected a log line with `cut off` and a number".to_owned()
    })
}

fn second_signal(fixture: &Fixture<'_>) -> CaseResult {
    let (mut server, _client, _) =
        busy(fixture, &LONG_DRAIN_FLAGS, 10 * SECOND)?;
    // The closed port shows that the first signal has been handled.
    server.stop()?;
    server.signal(Signal::TERM);
    let status = server.process().wait(SECOND);
    match status {
        Some(status) if !status.success() => Ok(()),
        Some(status) => Err(CaseFailure::new(format!(
            "expected a non-zero exit code, got {status}"
        ))),
        None => Err(CaseFailure::new(
            "expected the server to end at once, but it still runs",
        )),
    }
}

/// Starts a server and gives it a job of at least `duration`. Returns the
/// server, its client, and the n of the job.
fn busy<'a>(
    fixture: &'a Fixture<'_>,
    flags: &[&str],
    duration: Duration,
) -> CaseResult<(TestServer<'a>, Client, u64)> {
    let long = fixture.n_that_takes(duration)?;
    let server = fixture.server(flags)?;
    let mut client = server.client()?;
    let requests = format!("1\n{long}\n");
    client.exchange(requests.as_bytes(), ExpectedReply::Fib(1))?;
    Ok((server, client, long))
}

fn restart(fixture: &Fixture<'_>) -> CaseResult {
    let address = free_address()?;
    for _ in 0..3 {
        let mut process = fixture.server_at(address, &[])?;
        let open = fixture.clients_at_a_time(5);
        let mut clients = (0..open)
            .map(|_| fixture.client_of(address))
            .collect::<io::Result<Vec<_>>>()?;
        clients.iter_mut().try_for_each(|client| client.ask(10))?;
        // The server closes first, so that its port is in TIME_WAIT.
        process.signal(Signal::TERM);
        clients.iter_mut().try_for_each(Client::expect_end)?;
        expect_process_exit(fixture, &mut process, 0)?;
    }
    Ok(())
}

fn port_in_use(fixture: &Fixture<'_>) -> CaseResult {
    let server = fixture.server(&[])?;
    let mut second = fixture.launch(&[]).spawn(server.address())?;
    expect_process_exit(fixture, &mut second, 1)?;
    let log = second.log();
    let port = server.address().port().to_string();
    check(log.len() == 1 && log[0].contains(&port), || {
        format!("expected one line on stderr that names the port, got {log:#?}")
    })?;
    let line = second.stdout_line(Duration::ZERO);
    check(line.is_none(), || {
        format!("expected nothing on stdout, got {line:?}")
    })?;
    // The first server is not affected.
    server.expect_service()
}

fn bad_flags(fixture: &Fixture<'_>) -> CaseResult {
    let table: [&[&str]; 9] = [
        &["--no-such-flag"],
        &["no-such-argument"],
        &["--max-n"],
        &["--max-n", "94"],
        &["--max-n", "-1"],
        &["--idle-timeout", "soon"],
        &["--drain-timeout", "-1s"],
        &["--max-connections", "many"],
        &["--framing", "words"],
    ];
    for flags in table {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = fixture.launch(flags).spawn(any_port)?;
        let in_context =
            |failure: CaseFailure| failure.context(flags.join(" "));
        expect_process_exit(fixture, &mut process, 2).map_err(in_context)?;
        let line = process.stdout_line(Duration::ZERO);
        check(line.is_none() && !process.log().is_empty(), || {
            format!("expected an error on stderr only, got {line:?} on stdout")
        })
        .map_err(in_context)?;
    }
    Ok(())
}

fn help(fixture: &Fixture<'_>) -> CaseResult {
    let text = output_of(fixture, "--help")?;
    for flag in [
        "--listen",
        "--framing",
        "--max-n",
        "--max-connections",
        "--idle-timeout",
        "--drain-timeout",
        "--log-format",
        "--describe",
    ] {
        check(text.contains(flag), || {
            format!("expected {flag} in the help, got:\n{text}")
        })?;
    }
    Ok(())
}

fn describe(fixture: &Fixture<'_>) -> CaseResult {
    let text = output_of(fixture, "--describe")?;
    let json = text.trim();
    check(json.starts_with('{') && json.ends_with('}'), || {
        format!("expected a JSON object, got {json}")
    })?;
    for key in ["\"model\"", "\"version\""] {
        check(json.contains(key), || {
            format!("expected {key} in the description, got {json}")
        })?;
    }
    Ok(())
}

/// Returns what the server prints to stdout for a flag that makes it exit.
fn output_of(fixture: &Fixture<'_>, flag: &str) -> CaseResult<String> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut process = fixture.launch(&[flag]).spawn(any_port)?;
    expect_process_exit(fixture, &mut process, 0)
        .map_err(|failure| failure.context(flag))?;
    let lines = std::iter::from_fn(|| process.stdout_line(fixture.patience()));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn json_log(fixture: &Fixture<'_>) -> CaseResult {
    let mut server = fixture.server(&["--log-format", "json"])?;
    server.client()?.ask(10)?;
    server.signal(Signal::TERM);
    server.expect_exit(0, fixture.patience())?;
    let log = server.log();
    let bad = log.iter().find(|line| {
        !(line.starts_with('{') && line.trim_end().ends_with('}'))
    });
    check(bad.is_none(), || {
        format!("expected one JSON object per line, got {bad:?}")
    })
}

fn passed_socket(fixture: &Fixture<'_>) -> CaseResult {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?;
    let mut client = None;
    // The second server takes over the socket from the first. A client that
    // connects while there is no server waits in the backlog.
    for _ in 0..2 {
        let launch = fixture.launch(&[]).pass(socket.try_clone()?);
        let mut server = fixture.start(launch)?;
        check(server.address() == address, || {
            format!("expected {address} to be served, got {}", server.address())
        })?;
        client.unwrap_or(server.client()?).ask(10)?;
        server.signal(Signal::TERM);
        server.expect_exit(0, SECOND)?;
        client = Some(fixture.client_of(address)?);
    }
    Ok(())
}

fn full_backlog(fixture: &Fixture<'_>) -> CaseResult {
    let long = fixture.n_that_takes(SECOND)?;
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?;
    let launch = fixture.launch(&LONG_DRAIN_FLAGS).pass(socket.try_clone()?);
    let mut server = fixture.start(launch)?;
    let mut client = server.client()?;
    client.ask(10)?;
    rustix::net::listen(&socket, 1).map_err(io::Error::from)?;
    // A server that computes in its loop accepts no client during the job.
    client.send(format!("{long}\n").as_bytes())?;
    client.wait_until_read()?;
    let mut waiting = Vec::new();
    while let Ok(other) =
        TcpStream::connect_timeout(&address, Duration::from_millis(50))
    {
        waiting.push(other);
        if waiting.len() == CLIENTS_THAT_FILL_BACKLOG {
            break;
        }
    }
    server.signal(Signal::TERM);
    client.expect(ExpectedReply::Fib(long))?;
    server.expect_exit(0, fixture.patience())?;
    Ok(())
}

fn notifies_manager(fixture: &Fixture<'_>) -> CaseResult {
    let name = format!("conformance-{}.socket", std::process::id());
    let path = std::env::temp_dir().join(name);
    let manager = UnixDatagram::bind(&path)?;
    let result =
        expect_notifications(fixture, &manager, &path.to_string_lossy());
    std::fs::remove_file(path)?;
    result
}

fn full_manager(fixture: &Fixture<'_>) -> CaseResult {
    let name = format!("conformance-full-{}.socket", std::process::id());
    let path = std::env::temp_dir().join(name);
    let manager = UnixDatagram::bind(&path)?;
    let result = expect_late_notification(fixture, &manager, &path);
    std::fs::remove_file(path)?;
    result
}

/// Checks that a server serves and stops while the queue of the service manager
/// at `path` is full, and notifies it when it has room.
fn expect_late_notification(
    fixture: &Fixture<'_>,
    manager: &UnixDatagram,
    path: &Path,
) -> CaseResult {
    const FILLER: &[u8] = b"STATUS=full";
    let filler = UnixDatagram::unbound()?;
    filler.set_nonblocking(true)?;
    let mut count = 0;
    while filler.send_to(FILLER, path).is_ok() {
        count += 1;
    }
    let address = path.to_string_lossy();
    let launch = || fixture.launch(&[]).env("NOTIFY_SOCKET", &address);
    let mut server = fixture.start(launch())?;
    server.client()?.ask(10)?;
    server.signal(Signal::TERM);
    server.expect_exit(0, SECOND)?;
    let mut server = fixture.start(launch())?;
    server.client()?.ask(10)?;
    manager.set_read_timeout(Some(fixture.patience()))?;
    let mut message = [0; 256];
    for _ in 0..count {
        let length = manager.recv(&mut message)?;
        check(message[..length] == *FILLER, || {
            "expected no message while the queue was full".to_owned()
        })?;
    }
    let length = manager.recv(&mut message)?;
    check(message[..length] == *b"READY=1", || {
        let got = String::from_utf8_lossy(&message[..length]);
        format!("expected READY=1 after the queue had room, got {got:?}")
    })?;
    server.signal(Signal::TERM);
    server.expect_exit(0, SECOND)?;
    Ok(())
}

/// Checks the messages to a service manager whose socket is at `path`.
fn expect_notifications(
    fixture: &Fixture<'_>,
    manager: &UnixDatagram,
    path: &str,
) -> CaseResult {
    manager.set_read_timeout(Some(fixture.patience()))?;
    let expect = |state: &str| {
        let mut message = [0; 256];
        let count = manager.recv(&mut message)?;
        let message = String::from_utf8_lossy(&message[..count]);
        check(message.lines().any(|line| line == state), || {
            format!("expected the message {state}, got {message:?}")
        })
    };
    let launch = fixture.launch(&[]).env("NOTIFY_SOCKET", path);
    let mut server = fixture.start(launch)?;
    expect("READY=1")?;
    server.signal(Signal::TERM);
    expect("STOPPING=1")?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

/// Checks that the process ends with this exit code in time.
fn expect_process_exit(
    fixture: &Fixture<'_>,
    process: &mut Process,
    code: i32,
) -> CaseResult {
    let status = process.wait(fixture.patience());
    let is_expected = status.is_some_and(|status| status.code() == Some(code));
    check(is_expected, || {
        let got = match status {
            Some(status) => status.to_string(),
            None => "a process that still runs".to_owned(),
        };
        let log = process.log().join("\n");
        format!("expected exit code {code}, got {got}\n{log}")
    })
}

/// Returns an address that is free, and stays free for a while: the kernel
/// assigns all other ephemeral ports before it assigns this one again.
fn free_address() -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    drop(listener);
    match TcpStream::connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Ok(address)
        }
        Err(error) => Err(error),
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
    }
}
