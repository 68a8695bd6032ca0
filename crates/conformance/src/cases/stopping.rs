//! Signals, exit codes, and starting.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use launch::{Process, Signal};

use crate::answer::{Answer, NOT_A_NUMBER};
use crate::case::{Case, Family, Fault, Need, Verdict, check};
use crate::client::{Client, Next};
use crate::stage::{ANY_N, Served, Stage};

const fn case(name: &'static str, play: fn(&Stage<'_>) -> Verdict) -> Case {
    Case::new(Family::Stopping, name, play)
}

const DRAIN_TIMEOUT: &[Need] = &[Need::Flag("--drain-timeout")];

pub(super) const CASES: &[Case] = &[
    case("SIGTERM ends an idle server within a second, exit 0", when_idle)
        .alone(),
    case("SIGINT does the same", when_interrupted).alone(),
    case("SIGTERM ends idle conversations with an end", idle_conversations)
        .alone(),
    case("an unfinished line does not delay the stop", unfinished_line).alone(),
    case("at SIGTERM each line received is answered, once", under_load)
        .computes(),
    case("at SIGTERM no reply of a busy server is torn", no_torn_line)
        .computes(),
    case("at SIGTERM bad lines are answered as well", bad_lines).computes(),
    case("who never stops asking does not delay the stop", never_stops)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case("a long job that is done in time is answered, exit 0", drain)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case("the port is closed while a long job is awaited", port_closed)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case("out by --drain-timeout, exit 3, what was cut off counted", cut_off)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case("who never reads is cut off by --drain-timeout", cut_off_unread)
        .needs(DRAIN_TIMEOUT),
    case("a second signal ends it at once, non-zero", second_signal)
        .computes()
        .needs(DRAIN_TIMEOUT),
    case("it can be started again on the same port at once", restart),
    case("a port in use is one clear line, exit 1", port_in_use),
    case("bad flags are exit 2 and never serve", bad_flags),
    case("--help is exit 0, and names every flag", help)
        .needs(&[Need::Flag("--help")]),
    case("--describe is JSON on stdout, exit 0", describe)
        .needs(&[Need::Flag("--describe")]),
    case("in JSON, every log line is an object", json_log)
        .needs(&[Need::Flag("--log-format")]),
    case("a socket that was passed to it is served, and outlives it", passed)
        .needs(&[Need::ServiceManager]),
    case("a passed socket whose backlog is full is left all the same", full)
        .computes()
        .needs(&[Need::ServiceManager, Need::Flag("--drain-timeout")]),
    case("a service manager is told READY=1 and STOPPING=1", notifies)
        .needs(&[Need::ServiceManager]),
];

const SECOND: Duration = Duration::from_secs(1);

/// More than a backlog of one holds, if nobody is accepted.
const CLIENTS_THAT_FILL_IT: usize = 8;

/// A drain timeout that jobs outlast.
const SHORT_DRAIN: Duration = Duration::from_millis(500);
const SHORT_DRAIN_FLAGS: [&str; 4] =
    ["--drain-timeout", "500ms", ANY_N[0], ANY_N[1]];
/// One that they don't.
const LONG_DRAIN_FLAGS: [&str; 4] =
    ["--drain-timeout", "60s", ANY_N[0], ANY_N[1]];

fn when_idle(stage: &Stage<'_>) -> Verdict {
    ends_by(stage, Signal::TERM)
}

fn when_interrupted(stage: &Stage<'_>) -> Verdict {
    ends_by(stage, Signal::INT)
}

fn ends_by(stage: &Stage<'_>, signal: Signal) -> Verdict {
    // Once before its first client and once after its last.
    for clients in [0, 3] {
        let mut server = stage.server(&[])?;
        for _ in 0..clients {
            server.client()?.ask(10)?;
        }
        server.signal(signal);
        server.expect_exit(0, SECOND)?;
        server.expect_port_closed()?;
    }
    Ok(())
}

fn idle_conversations(stage: &Stage<'_>) -> Verdict {
    let mut server = stage.server(&[])?;
    let mut clients = server.clients(stage.clients_at_a_time(50))?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    server.signal(Signal::TERM);
    clients.iter_mut().try_for_each(Client::expect_end)?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn unfinished_line(stage: &Stage<'_>) -> Verdict {
    let mut server = stage.server(&[])?;
    let mut client = server.client()?;
    client.exchange(b"10\n2", Answer::Fib(10))?;
    server.signal(Signal::TERM);
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn under_load(stage: &Stage<'_>) -> Verdict {
    const REQUESTS: usize = 200;
    // No short request: the reply to one may wait for those behind it.
    let n = stage.job(Duration::from_micros(400))?.max(22);
    let mut server = server_with_time(stage)?;
    let mut clients = server.clients(stage.clients_at_a_time(6))?;
    let burst = format!("{n}\n").repeat(REQUESTS);
    for client in &mut clients {
        client.send(burst.as_bytes())?;
    }
    // Each burst came in one segment: with its first reply, it has been
    // received whole, and for the last of them most is still to be done.
    for client in &mut clients {
        client.expect(Answer::Fib(n))?;
    }
    server.signal(Signal::TERM);
    for client in &mut clients {
        client.expect_all([Answer::Fib(n); REQUESTS - 1])?;
    }
    // Not a byte more than that.
    clients.iter_mut().try_for_each(Client::expect_end)?;
    server.expect_exit(0, stage.patience())?;
    server.expect_port_closed()
}

fn no_torn_line(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(Duration::from_micros(50))?;
    let mut server = server_with_time(stage)?;
    let mut clients = server.clients(stage.clients_at_a_time(4))?;
    clients.iter_mut().try_for_each(|client| client.ask(10))?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let players: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(|| ask_to_the_end(client, n, &is_over)))
            .collect();
        // In the middle of it: this long after the last was accepted.
        let load = Duration::from_millis(100);
        let early = server.process().wait(load);
        // They go on until the stop has begun, and not for ever: what else
        // they send is bounded, but takes long where each job changes threads.
        let stop = server.stop();
        is_over.store(true, Relaxed);
        let played: Vec<Verdict> = players
            .into_iter()
            .map(|player| player.join().expect("it doesn't panic"))
            .collect();
        check(early.is_none(), || "it ended before SIGTERM".to_owned())?;
        stop?;
        played.into_iter().collect::<Verdict>()
    })?;
    server.expect_exit(0, stage.patience())?;
    server.expect_port_closed()
}

/// A server that has all the time it needs to answer what it received.
fn server_with_time<'a>(stage: &'a Stage<'_>) -> Verdict<Served<'a>> {
    match stage.subject.has_flag(LONG_DRAIN_FLAGS[0]) {
        true => stage.server(&LONG_DRAIN_FLAGS),
        false => stage.server(&ANY_N),
    }
}

/// Keeps ten requests in flight until it is over, and reads until the server
/// leaves. It may leave some that it hasn't received unanswered, but what it
/// answers must be right.
fn ask_to_the_end(
    client: &mut Client,
    n: u64,
    is_over: &AtomicBool,
) -> Verdict {
    const IN_FLIGHT: usize = 10;
    let batch = format!("{n}\n").repeat(IN_FLIGHT);
    loop {
        // It fails when the server has left. What it said before is there.
        let sent = match is_over.load(Relaxed) {
            true => Ok(()),
            false => client.send(batch.as_bytes()),
        };
        let mut answered = 0;
        while answered < IN_FLIGHT {
            match client.next_reply() {
                Next::Line(line) if Answer::Fib(n).is(&line) => answered += 1,
                Next::End | Next::Reset if client.is_drained() => {
                    return Ok(());
                }
                other => {
                    let what = client.describe(&other);
                    let expected = "whole replies, then the end";
                    return Err(client.failure(expected, &what));
                }
            }
        }
        sent?;
    }
}

fn never_stops(stage: &Stage<'_>) -> Verdict {
    let n = stage.job(Duration::from_micros(100))?;
    let mut server = stage.server(&LONG_DRAIN_FLAGS)?;
    let mut client = server.client()?;
    client.ask(10)?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking =
            scope.spawn(|| ask_without_a_pause(&mut client, n, &is_over));
        // It has been at it for a while.
        let early = server.process().wait(Duration::from_millis(50));
        server.signal(Signal::TERM);
        let exit = server.expect_exit(0, stage.patience());
        is_over.store(true, Relaxed);
        asking.join().expect("it doesn't panic")?;
        check(early.is_none(), || "it ended before SIGTERM".to_owned())?;
        exit.map(drop)
    })
}

/// Keeps so many requests in flight that the server's queue is never empty,
/// until the server leaves or it is over. What is answered must be right.
fn ask_without_a_pause(
    client: &mut Client,
    n: u64,
    is_over: &AtomicBool,
) -> Verdict {
    const IN_FLIGHT: usize = 1_000;
    let request = format!("{n}\n");
    let mut in_flight = 0;
    while !is_over.load(Relaxed) {
        let batch = request.repeat(IN_FLIGHT - in_flight);
        // A send fails when the server has left, with requests unread.
        if client.send(batch.as_bytes()).is_err() {
            return Ok(());
        }
        in_flight = IN_FLIGHT;
        match client.next_within(Duration::from_millis(100)) {
            Next::Line(line) if Answer::Fib(n).is(&line) => {
                in_flight -= 1 + client.take_all(Answer::Fib(n))?;
            }
            Next::Nothing => {}
            // A reset may tear the reply that was on its way.
            Next::End | Next::Reset => return Ok(()),
            other => {
                let what = client.describe(&other);
                let expected = Answer::Fib(n).to_string();
                return Err(client.failure(&expected, &what));
            }
        }
    }
    Ok(())
}

fn bad_lines(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(Duration::from_millis(200))?;
    let mut server = server_with_time(stage)?;
    let mut client = server.client()?;
    let requests = format!("1\n{long}\nx\n10\n\n99999\n3");
    client.exchange(requests.as_bytes(), Answer::Fib(1))?;
    server.signal(Signal::TERM);
    client.expect_all([
        Answer::Fib(long),
        NOT_A_NUMBER,
        Answer::Fib(10),
        NOT_A_NUMBER,
        crate::answer::TOO_LARGE,
    ])?;
    client.expect_end()?;
    server.expect_exit(0, stage.patience())?;
    Ok(())
}

fn drain(stage: &Stage<'_>) -> Verdict {
    let (mut server, mut client, long) =
        busy(stage, &LONG_DRAIN_FLAGS, Duration::from_millis(500))?;
    server.signal(Signal::TERM);
    client.expect(Answer::Fib(long))?;
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn port_closed(stage: &Stage<'_>) -> Verdict {
    let (mut server, mut client, long) =
        busy(stage, &LONG_DRAIN_FLAGS, SECOND)?;
    server.stop()?;
    check(!client.has_news(), || {
        "expected the port to be closed before the long job is done".to_owned()
    })?;
    client.expect(Answer::Fib(long))?;
    client.expect_end()?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn cut_off(stage: &Stage<'_>) -> Verdict {
    let (mut server, mut client, _) =
        busy(stage, &SHORT_DRAIN_FLAGS, 8 * SHORT_DRAIN)?;
    let start = Instant::now();
    server.signal(Signal::TERM);
    server.expect_exit(3, SHORT_DRAIN + SECOND)?;
    let took = start.elapsed();
    check(took >= SHORT_DRAIN, || {
        format!("expected it to wait for {SHORT_DRAIN:?}, got {took:?}")
    })?;
    client.expect_closed()?;
    expect_count_of_cut_off(&server)
}

fn cut_off_unread(stage: &Stage<'_>) -> Verdict {
    let mut server = stage.server(&SHORT_DRAIN_FLAGS)?;
    let mut client = server.client_with_window(4096)?;
    server.get_stuck_on(&mut client, &b"x\n".repeat(8192))?;
    server.signal(Signal::TERM);
    server.expect_exit(3, SHORT_DRAIN + SECOND)?;
    expect_count_of_cut_off(&server)
}

fn expect_count_of_cut_off(server: &Served<'_>) -> Verdict {
    let log = server.log();
    let counted = log
        .iter()
        .filter(|line| line.contains("cut off"))
        .any(|line| line.bytes().any(|byte| (b'1'..=b'9').contains(&byte)));
    check(counted, || {
        "expected a log line with `cut off` and how many".to_owned()
    })
}

fn second_signal(stage: &Stage<'_>) -> Verdict {
    let (mut server, _client, _) = busy(stage, &LONG_DRAIN_FLAGS, 10 * SECOND)?;
    // A closed port shows that the first one has been taken.
    server.stop()?;
    server.signal(Signal::TERM);
    let status = server.process().wait(SECOND);
    match status {
        Some(status) if !status.success() => Ok(()),
        Some(status) => {
            Err(Fault::new(format!("expected a failure, got {status}")))
        }
        None => Err(Fault::new("expected an end at once, but it still runs")),
    }
}

/// A server that has begun a job of at least so long, and its client.
fn busy<'a>(
    stage: &'a Stage<'_>,
    flags: &[&str],
    at_least: Duration,
) -> Verdict<(Served<'a>, Client, u64)> {
    let long = stage.job(at_least)?;
    let server = stage.server(flags)?;
    let mut client = server.client()?;
    let requests = format!("1\n{long}\n");
    client.exchange(requests.as_bytes(), Answer::Fib(1))?;
    Ok((server, client, long))
}

fn restart(stage: &Stage<'_>) -> Verdict {
    let address = free_address()?;
    for _ in 0..3 {
        let mut process = stage.server_at(address, &[])?;
        let open = stage.clients_at_a_time(5);
        let mut clients = (0..open)
            .map(|_| stage.client_of(address))
            .collect::<io::Result<Vec<_>>>()?;
        clients.iter_mut().try_for_each(|client| client.ask(10))?;
        // The server closes first, so that its side is in TIME_WAIT.
        process.signal(Signal::TERM);
        clients.iter_mut().try_for_each(Client::expect_end)?;
        expect_end(stage, &mut process, 0)?;
    }
    Ok(())
}

fn port_in_use(stage: &Stage<'_>) -> Verdict {
    let server = stage.server(&[])?;
    let mut second = stage.launch(&[]).spawn(server.address())?;
    expect_end(stage, &mut second, 1)?;
    let log = second.log();
    let port = server.address().port().to_string();
    check(log.len() == 1 && log[0].contains(&port), || {
        format!("expected one line on stderr that names the port, got {log:#?}")
    })?;
    let line = second.stdout_line(Duration::ZERO);
    check(line.is_none(), || {
        format!("expected nothing on stdout, got {line:?}")
    })?;
    // The first one has not noticed.
    server.expect_service()
}

fn bad_flags(stage: &Stage<'_>) -> Verdict {
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
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = stage.launch(flags).spawn(nowhere)?;
        let about = |fault: Fault| fault.about(flags.join(" "));
        expect_end(stage, &mut process, 2).map_err(about)?;
        let line = process.stdout_line(Duration::ZERO);
        check(line.is_none() && !process.log().is_empty(), || {
            format!("expected a reason on stderr only, got {line:?} on stdout")
        })
        .map_err(about)?;
    }
    Ok(())
}

fn help(stage: &Stage<'_>) -> Verdict {
    let text = output_of(stage, "--help")?;
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

fn describe(stage: &Stage<'_>) -> Verdict {
    let text = output_of(stage, "--describe")?;
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

/// What the server says on stdout to a flag that ends it at once.
fn output_of(stage: &Stage<'_>, flag: &str) -> Verdict<String> {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut process = stage.launch(&[flag]).spawn(nowhere)?;
    expect_end(stage, &mut process, 0).map_err(|fault| fault.about(flag))?;
    let lines = std::iter::from_fn(|| process.stdout_line(stage.patience()));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn json_log(stage: &Stage<'_>) -> Verdict {
    let mut server = stage.server(&["--log-format", "json"])?;
    server.client()?.ask(10)?;
    server.signal(Signal::TERM);
    server.expect_exit(0, stage.patience())?;
    let log = server.log();
    let bad = log.iter().find(|line| {
        !(line.starts_with('{') && line.trim_end().ends_with('}'))
    });
    check(bad.is_none(), || format!("expected an object a line, got {bad:?}"))
}

fn passed(stage: &Stage<'_>) -> Verdict {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?;
    let mut client = None;
    // The second server takes over from the first, and the client that came
    // when there was none has not noticed.
    for _ in 0..2 {
        let launch = stage.launch(&[]).pass(socket.try_clone()?);
        let mut server = stage.served(launch)?;
        check(server.address() == address, || {
            format!("expected it to serve {address}, not {}", server.address())
        })?;
        client.unwrap_or(server.client()?).ask(10)?;
        server.signal(Signal::TERM);
        server.expect_exit(0, SECOND)?;
        client = Some(stage.client_of(address)?);
    }
    Ok(())
}

fn full(stage: &Stage<'_>) -> Verdict {
    let long = stage.job(SECOND)?;
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = socket.local_addr()?;
    let launch = stage.launch(&LONG_DRAIN_FLAGS).pass(socket.try_clone()?);
    let mut server = stage.served(launch)?;
    let mut client = server.client()?;
    client.ask(10)?;
    rustix::net::listen(&socket, 1).map_err(io::Error::from)?;
    // Who computes where it should wait for clients accepts none meanwhile.
    client.send(format!("{long}\n").as_bytes())?;
    client.until_read()?;
    let mut waiting = Vec::new();
    while let Ok(other) =
        TcpStream::connect_timeout(&address, Duration::from_millis(50))
    {
        waiting.push(other);
        if waiting.len() == CLIENTS_THAT_FILL_IT {
            break;
        }
    }
    server.signal(Signal::TERM);
    client.expect(Answer::Fib(long))?;
    server.expect_exit(0, stage.patience())?;
    Ok(())
}

fn notifies(stage: &Stage<'_>) -> Verdict {
    let name = format!("conformance-{}.socket", std::process::id());
    let path = std::env::temp_dir().join(name);
    let manager = UnixDatagram::bind(&path)?;
    let verdict = notifies_at(stage, &manager, &path.to_string_lossy());
    std::fs::remove_file(path)?;
    verdict
}

fn notifies_at(
    stage: &Stage<'_>,
    manager: &UnixDatagram,
    path: &str,
) -> Verdict {
    manager.set_read_timeout(Some(stage.patience()))?;
    let expect = |state: &str| {
        let mut message = [0; 256];
        let count = manager.recv(&mut message)?;
        let message = String::from_utf8_lossy(&message[..count]);
        check(message.lines().any(|line| line == state), || {
            format!("expected the message {state}, got {message:?}")
        })
    };
    let launch = stage.launch(&[]).env("NOTIFY_SOCKET", path);
    let mut server = stage.served(launch)?;
    expect("READY=1")?;
    server.signal(Signal::TERM);
    expect("STOPPING=1")?;
    server.expect_exit(0, SECOND)?;
    Ok(())
}

fn expect_end(stage: &Stage<'_>, process: &mut Process, code: i32) -> Verdict {
    let status = process.wait(stage.patience());
    let ended = status.is_some_and(|status| status.code() == Some(code));
    check(ended, || {
        let how = match status {
            Some(status) => status.to_string(),
            None => "no end".to_owned(),
        };
        let log = process.log().join("\n");
        format!("expected exit code {code}, got {how}\n{log}")
    })
}

/// An address that nobody listens on, and which the kernel gives to nobody
/// for a while: it goes through the others first.
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
