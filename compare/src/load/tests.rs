//! Tests of the load generator with a server whose faults are known.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::Pid;

use crate::base::interrupt::Interrupt;
use crate::load::engine;
use crate::load::faulty::{self, Behaviour, Fault};
use crate::model::contestant::Framing;
use crate::model::faults::Faults;
use crate::model::load_plan::{
    Arrivals, FIRST_WINDOW_MAX, GroupPlan, LoadPlan, Pace,
};
use crate::model::load_report::{GroupReport, LoadReport};

/// The number of correct replies: fewer than there are clients, so that the
/// fault shows however short the window is.
const AFTER: u64 = 2;

/// A window that is long enough for the faults to end every connection.
const LONG: Duration = Duration::from_secs(60);

/// A short window, for loads that would not end otherwise.
const SHORT: Duration = Duration::from_millis(20);

/// Loads a server with a known fault: three clients request F(7).
fn load(fault: Fault, window: Duration) -> GroupReport {
    load_at(faulty_server(fault), window)
}

fn load_at(address: SocketAddr, window: Duration) -> GroupReport {
    load_with(address, window, Pace::EAGER, 3, Vec::new())
}

fn load_with(
    address: SocketAddr,
    window: Duration,
    pace: Pace,
    connections: usize,
    processors: Vec<usize>,
) -> GroupReport {
    let mut plan = plan(address, window, pace, connections);
    plan.processors = processors;
    let mut report = engine::run(&plan).unwrap();
    report.groups.remove(0)
}

fn plan(
    address: SocketAddr,
    window: Duration,
    pace: Pace,
    connections: usize,
) -> LoadPlan {
    let name = "test".into();
    let elsewhere = None;
    let group = GroupPlan { name, n: 7, connections, pace, elsewhere };
    LoadPlan {
        address,
        groups: vec![group],
        warm_up: Duration::ZERO,
        window,
        framing: Framing::Line,
        reply_timeout: Duration::from_millis(300),
        server: None,
        apart_server: None,
        processors: Vec::new(),
        seed: 7,
    }
}

#[test]
fn a_client_that_waits_for_the_whole_window_counts_as_starved() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve_one_at_a_time(&listener));
    let mut plan = plan(address, SHORT, Pace::EAGER, 3);
    plan.warm_up = SHORT;
    plan.reply_timeout = LONG;
    let group = engine::run(&plan).unwrap().groups.remove(0);
    assert_eq!(group.starved, 2);
    assert_eq!(group.faults, Faults::default());
    assert_eq!(load(Fault::None, SHORT).starved, 0);
}

/// Serves one client at a time, until it leaves.
fn serve_one_at_a_time(listener: &TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        let lines = BufReader::new(&stream).lines();
        for _ in lines.map_while(Result::ok) {
            let _ = (&stream).write_all(b"13\n");
        }
    }
}

#[test]
fn a_correct_server_has_no_faults() {
    let group = load(Fault::None, SHORT);
    assert_eq!(group.faults, Faults::default());
    assert_eq!(group.connected, 3);
    assert!(group.replies_in_all >= 3);
    assert!(group.replies <= group.replies_in_all);
}

#[test]
fn each_fault_is_counted_by_its_kind_and_once_per_connection() {
    type Count = fn(&Faults) -> u64;
    let cases: [(Fault, Count); 3] = [
        (Fault::Reset, |faults| faults.reset),
        (Fault::Close, |faults| faults.closed_early),
        (Fault::Hang, |faults| faults.timed_out),
    ];
    for (fault, count) in cases {
        let group = load(fault, LONG);
        assert_eq!(group.replies_in_all, AFTER, "{fault:?}");
        let faults = &group.faults;
        assert_eq!(count(faults), 3, "{fault:?}: {faults:?}");
        let clause = faults.of_server().unwrap();
        assert!(!clause.contains(','), "{fault:?}: {clause}");
    }
}

#[test]
fn wrong_replies_are_counted_and_the_first_is_kept() {
    let group = load(Fault::Wrong, SHORT);
    assert_eq!(group.replies_in_all, AFTER);
    assert!(group.faults.wrong > 0);
    assert_eq!(group.faults.first_wrong.as_deref(), Some("4711"));
}

#[test]
fn error_replies_are_counted_by_token() {
    let group = load(Fault::Error, SHORT);
    assert_eq!(group.replies_in_all, AFTER);
    assert!(group.faults.errors["worker-lost"] > 0);
    assert_eq!(group.faults.wrong, 0);
}

#[test]
fn a_second_reply_to_a_request_is_wrong() {
    assert!(load(Fault::Twice, SHORT).faults.wrong > 0);
}

/// Loads a server without a fault: three clients with this pace.
fn right(pace: Pace, window: Duration) -> GroupReport {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::None, 0))
    });
    let processors = Vec::new();
    let group = load_with(address, window, pace, 3, processors);
    assert_eq!(group.faults, Faults::default());
    group
}

#[test]
fn a_pipelining_client_counts_every_reply() {
    let think = Duration::ZERO;
    let group = right(Pace::Closed { depth: 16, think }, SHORT);
    // Each client gets all its sixteen replies before it leaves.
    assert!(group.replies_in_all >= 48, "{}", group.replies_in_all);
}

#[test]
fn a_client_with_a_think_time_pauses_before_each_request() {
    let think = Duration::from_millis(5);
    let window = Duration::from_millis(50);
    let group = right(Pace::Closed { depth: 1, think }, window);
    let most = 3 * (50 / 5 + 1);
    assert!((3..=most).contains(&group.replies_in_all));
}

#[test]
fn churning_clients_connect_for_each_request() {
    let group = right(Pace::Churn, SHORT);
    assert!(group.replies_in_all >= 3);
    assert_eq!(group.connected as u64, group.replies_in_all);
}

#[test]
fn silent_clients_connect_and_leave_at_the_end() {
    let group = right(Pace::Silent, SHORT);
    assert_eq!((group.connected, group.replies_in_all), (3, 0));
}

/// Checks how many requests of a constant rate were due in a window of this
/// length: at most one less or more, depending on where it begins.
fn assert_due(due: u64, rate: f64, window_ns: u64) {
    let expected = rate * window_ns as f64 / 1e9;
    let difference = (due as f64 - expected).abs();
    assert!(difference <= 1.5, "{due} due, {expected} expected");
}

#[test]
fn an_open_loop_keeps_its_rate_whatever_the_replies() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let window = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            faulty::serve(&listener, Behaviour::only(Fault::None, 0))
        });
        let rate = 2000.0;
        let pace = Pace::Open { rate, arrivals };
        let mut plan = plan(address, window, pace, 3);
        // The test must not fail if this machine stalls.
        plan.reply_timeout = LONG;
        let mut report = engine::run(&plan).unwrap();
        let group = report.groups.remove(0);
        assert_eq!(group.faults, Faults::default());
        let open = group.open.unwrap();
        assert_eq!(open.unanswered, 0);
        let due = open.response_ns.count();
        match arrivals {
            Arrivals::Constant => assert_due(due, rate, report.window_ns),
            Arrivals::Poisson => {
                let expected = rate * report.window_ns as f64 / 1e9;
                // Six standard deviations: not by chance.
                let margin = 6.0 * expected.sqrt();
                let difference = (due as f64 - expected).abs();
                assert!(difference < margin, "{due}, not {expected}");
            }
        }
    }
}

#[test]
fn requests_that_fall_due_while_the_server_stalls_are_not_omitted() {
    // The server replies twice, and then stalls: 200 more requests are due in
    // the window.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::Hang, AFTER))
    });
    let rate = 1000.0;
    let pace = Pace::Open { rate, arrivals: Arrivals::Constant };
    let window = Duration::from_millis(200);
    let plan = plan(address, window, pace, 3);
    let mut report = engine::run(&plan).unwrap();
    let group = report.groups.remove(0);
    let open = group.open.unwrap();
    let due = open.response_ns.count();
    assert_due(due, rate, report.window_ns);
    assert_eq!(open.unanswered, due - AFTER);
    let longest_ns = open.response_ns.at_quantile_ns(1.0).unwrap();
    // The first of them was due at the start, and timed out no earlier than
    // this; the histogram has three digits.
    let timeout_ns = plan.reply_timeout.as_nanos() as f64;
    assert!(longest_ns as f64 >= timeout_ns * 0.99, "{longest_ns}");
    assert_eq!(group.faults.timed_out, 3);
}

#[test]
fn a_thread_without_clients_of_a_group_has_no_share_of_its_rate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::None, 0))
    });
    let (rate, arrivals) = (1000.0, Arrivals::Constant);
    let pace = Pace::Open { rate, arrivals };
    let mut plan = plan(address, Duration::from_millis(100), pace, 1);
    plan.reply_timeout = LONG;
    let think = Duration::from_millis(10);
    let others = GroupPlan {
        name: "others".into(),
        pace: Pace::Closed { depth: 1, think },
        connections: 3,
        ..plan.groups[0].clone()
    };
    plan.groups.push(others);
    plan.processors = vec![first_processor(); 2];
    let load = move || engine::run(&plan).unwrap();
    // On another thread, because the load pins it.
    let mut report = thread::spawn(load).join().unwrap();
    let open = report.groups.remove(0).open.unwrap();
    assert_eq!(open.unanswered, 0);
    assert!(open.response_ns.count() > 0);
}

#[test]
fn the_load_runs_on_a_single_given_processor() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::None, 0))
    });
    let load = move || {
        let processors = vec![first_processor()];
        load_with(address, SHORT, Pace::EAGER, 1, processors);
        rustix::thread::sched_getaffinity(None).unwrap()
    };
    let set = thread::spawn(load).join().unwrap();
    assert_eq!(set.count(), 1);
    assert!(set.is_set(first_processor()));
}

/// Returns the first processor that this process may use.
fn first_processor() -> usize {
    let set = rustix::thread::sched_getaffinity(None).unwrap();
    (0..1024).find(|&cpu| set.is_set(cpu)).unwrap()
}

#[test]
fn threads_share_the_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::None, 0))
    });
    let load = move || {
        let processors = vec![first_processor(); 2];
        load_with(address, SHORT, Pace::EAGER, 5, processors)
    };
    // On another thread, because the load pins it.
    let group = thread::spawn(load).join().unwrap();
    assert_eq!(group.faults, Faults::default());
    assert_eq!(group.connected, 5);
    assert!(group.replies_in_all >= 5);
}

#[test]
fn clients_connect_before_the_agreed_start() {
    // Several attempts, as this machine may be busy at that moment.
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let came = SystemTime::now();
            let mut asked = None;
            for _ in BufReader::new(&stream).lines() {
                asked.get_or_insert_with(SystemTime::now);
                (&stream).write_all(b"13\n").unwrap();
            }
            (came, asked.unwrap())
        });
        let at = SystemTime::now() + Duration::from_millis(200);
        let plan = plan(address, SHORT, Pace::EAGER, 1);
        let ignored = Interrupt::ignored();
        let loaded = engine::run_at(&plan, Some(at), &ignored).unwrap();
        assert!(loaded.unwrap().began >= at);
        let (came, asked) = served.join().unwrap();
        assert!(asked >= at);
        if came < at {
            return;
        }
    }
    panic!("the clients don't connect before the start");
}

#[test]
fn no_request_allocates() {
    let think = Duration::ZERO;
    let (rate, arrivals) = (2_000.0, Arrivals::Poisson);
    let paces = [
        Pace::EAGER,
        Pace::Closed { depth: 16, think },
        Pace::Closed { depth: 1, think: Duration::from_micros(100) },
        Pace::Open { rate, arrivals },
        Pace::Churn,
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(Fault::None, 0))
    });
    /// More allocations than any load makes, however long it is.
    const ONCE: u64 = 300;
    for pace in paces {
        let mut window = Duration::from_millis(100);
        let (allocated, replies) = loop {
            let mut plan = plan(address, window, pace, 3);
            plan.reply_timeout = LONG;
            let mut replies = 0;
            let allocated = allocation_counter::measure(|| {
                let report = engine::run(&plan).unwrap();
                replies = report.groups[0].replies_in_all;
            });
            if replies >= 2 * ONCE {
                break (allocated.count_total, replies);
            }
            window *= 2;
        };
        assert!(allocated < ONCE, "{pace:?}: {allocated} for {replies}");
    }
}

#[test]
fn a_port_without_a_listener_refuses_every_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let group = load_at(address, LONG);
    assert_eq!(group.faults.refused, 3);
    assert_eq!(group.connected, 0);
}

/// Runs these commands. Returns the report of each one.
fn obey(
    plan: &LoadPlan,
    commands: impl Iterator<Item = &'static str>,
) -> Vec<LoadReport> {
    let mut reports = Vec::new();
    let commands = commands.map(|command| Ok(command.to_owned()));
    let ignored = Interrupt::ignored();
    let keep = |report: &LoadReport| {
        reports.push(report.clone());
        Ok(())
    };
    engine::run_turns(plan, commands, &ignored, || Ok(()), keep).unwrap();
    reports
}

/// Returns a plan of turns with three clients. The windows are short.
fn plan_of_turns(address: SocketAddr) -> LoadPlan {
    let mut plan = plan(address, SHORT, Pace::EAGER, 3);
    plan.warm_up = SHORT;
    plan.reply_timeout = LONG;
    plan
}

#[test]
fn the_replies_of_all_turns_add_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&served);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let lines = BufReader::new(&stream).lines();
                for _ in lines.map_while(Result::ok) {
                    count.fetch_add(1, Ordering::SeqCst);
                    (&stream).write_all(b"13\n").unwrap();
                }
            });
        }
    });
    let mut counted = Vec::new();
    let mut commands = ["turn", "turn", "turn", "end"].into_iter();
    let commands = std::iter::from_fn(|| {
        counted.push(served.load(Ordering::SeqCst));
        commands.next()
    });
    let reports = obey(&plan_of_turns(address), commands);
    let [turns @ .., end] = &reports[..] else { panic!("no report") };
    assert_eq!(end.groups[0].replies_in_all, 0);
    // Between turns, the clients are silent.
    for (turn, around) in turns.iter().zip(counted.windows(2)) {
        let group = &turn.groups[0];
        assert_eq!(group.replies_in_all, around[1] - around[0]);
        assert!(group.replies <= group.replies_in_all);
        assert!(group.replies_in_all >= 3);
        assert_eq!(group.faults, Faults::default());
    }
}

#[test]
fn the_first_turn_is_shorter_than_the_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve_one_at_a_time(&listener));
    let mut plan = plan_of_turns(address);
    plan.window = 20 * FIRST_WINDOW_MAX;
    let reports = obey(&plan, ["first", "turn", "end"].into_iter());
    let [first, turn, _end] = &reports[..] else { panic!("no report") };
    assert!(first.window_ns >= FIRST_WINDOW_MAX.as_nanos() as u64);
    assert!(first.window_ns < turn.window_ns);
    assert!(turn.window_ns >= plan.window.as_nanos() as u64);
    assert!(first.groups[0].replies > 0);
}

#[test]
fn a_client_that_is_not_served_stays_waiting_until_it_is() {
    // Without a lead-in, the clients begin in the window.
    for warm_up in [SHORT, Duration::ZERO] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve_one_at_a_time(&listener));
        let mut plan = plan_of_turns(address);
        plan.warm_up = warm_up;
        // The clients wait for longer than that, over all turns.
        plan.reply_timeout = Duration::from_millis(500);
        let commands = ["turn", "turn", "turn", "end"].into_iter();
        let reports = obey(&plan, commands);
        for report in &reports[..3] {
            let group = &report.groups[0];
            assert_eq!((group.connected, group.starved), (3, 2));
            assert_eq!(group.faults, Faults::default());
            assert!(group.replies_in_all >= 1);
        }
        let last = &reports[3].groups[0];
        assert_eq!(last.replies_in_all, 2);
        assert_eq!(last.faults, Faults::default());
    }
}

#[test]
fn a_server_that_closes_in_a_turn_is_reported_once() {
    type Count = fn(&Faults) -> u64;
    let cases: [(Fault, Count); 2] = [
        (Fault::Reset, |faults| faults.reset),
        (Fault::Close, |faults| faults.closed_early),
    ];
    for (fault, count) in cases {
        let address = faulty_server(fault);
        let plan = plan_of_turns(address);
        let reports = obey(&plan, ["turn", "turn", "end"].into_iter());
        let faults = |report: &LoadReport| count(&report.groups[0].faults);
        let counts: Vec<u64> = reports.iter().map(faults).collect();
        assert_eq!(counts, [3, 0, 0], "{fault:?}");
        assert!(reports[0].visible_fault().is_some(), "{fault:?}");
        assert_eq!(reports[0].groups[0].replies_in_all, AFTER);
    }
}

#[test]
fn a_server_that_hangs_ends_the_turn_and_is_a_fault_at_the_end() {
    let mut plan = plan_of_turns(faulty_server(Fault::Hang));
    plan.reply_timeout = Duration::from_secs(1);
    let reports = obey(&plan, ["turn", "turn", "end"].into_iter());
    let faults = |report: &LoadReport| report.groups[0].faults.timed_out;
    let counts: Vec<u64> = reports.iter().map(faults).collect();
    assert_eq!(counts, [0, 0, 3]);
    assert_eq!(reports[0].groups[0].replies_in_all, AFTER);
}

#[test]
fn a_reply_that_comes_between_turns_does_not_count_for_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (release, released) = mpsc::channel();
    let (reply, replied) = mpsc::channel();
    // Each reply is held back until it is released.
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(&stream).lines();
        for _ in lines.map_while(Result::ok) {
            released.recv().unwrap();
            (&stream).write_all(b"13\n").unwrap();
            reply.send(()).unwrap();
        }
    });
    let mut plan = plan_of_turns(address);
    plan.groups[0].connections = 1;
    // Long enough for the reply to be read before the window.
    plan.warm_up = Duration::from_millis(500);
    let mut commands = ["turn", "turn", "end"].into_iter().enumerate();
    let commands = std::iter::from_fn(|| {
        let (index, command) = commands.next()?;
        if index > 0 {
            release.send(()).unwrap();
            replied.recv().unwrap();
        }
        Some(command)
    });
    let reports = obey(&plan, commands);
    let groups = reports.iter().map(|report| &report.groups[0]);
    let counts: Vec<[u64; 3]> = groups
        .map(|group| {
            assert_eq!(group.faults, Faults::default());
            let times = group.service_ns.count();
            [group.replies_in_all, group.replies, times]
        })
        .collect();
    assert_eq!(counts, [[0, 0, 0], [1, 0, 0], [1, 0, 0]]);
}

#[test]
fn replies_after_long_sleeps_of_an_idle_server_have_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    const SLEEP: Duration = Duration::from_millis(250);
    // The server sleeps before each reply except the first one to each client.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let lines = BufReader::new(&stream).lines();
                for (number, _) in lines.map_while(Result::ok).enumerate() {
                    if number > 0 {
                        thread::sleep(SLEEP);
                    }
                    (&stream).write_all(b"13\n").unwrap();
                }
            });
        }
    });
    let idle = Bystander::start("read line");
    let mut plan = plan_of_turns(address);
    plan.groups[0].pace = Pace::Closed { depth: 3, think: Duration::ZERO };
    // All requests are sent in the window: three by each client at once, and
    // one after the first reply.
    plan.warm_up = Duration::ZERO;
    plan.window = SLEEP / 2;
    plan.server = Some(idle.pid());
    let reports = obey(&plan, ["turn", "end"].into_iter());
    let group = &reports[0].groups[0];
    assert_eq!(group.unfinished, 0);
    assert_eq!(group.replies, 3);
    assert_eq!(group.service_ns.count(), 12);
    let longest_ns = group.service_ns.at_quantile_ns(1.0).unwrap();
    assert!(longest_ns as f64 >= SLEEP.as_nanos() as f64 * 3.0 * 0.99);
}

#[test]
fn a_server_that_sleeps_before_the_first_reply_has_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let delay = Duration::from_millis(200);
    let behaviour = Behaviour { delay, ..Behaviour::only(Fault::None, 0) };
    thread::spawn(move || faulty::serve(&listener, behaviour));
    let idle = Bystander::start("read line");
    let mut plan = plan_of_turns(address);
    plan.warm_up = Duration::ZERO;
    plan.server = Some(idle.pid());
    let reports = obey(&plan, ["turn", "end"].into_iter());
    assert_eq!(reports[0].groups[0].service_ns.count(), 3);
}

#[test]
fn a_turn_waits_longer_if_it_is_unknown_whether_the_server_works() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    const WORK: Duration = Duration::from_millis(80);
    // The first client gets two replies, and then the second one the first.
    thread::spawn(move || {
        let [first, second] = [(); 2].map(|()| listener.accept().unwrap().0);
        let [mut from_first, mut from_second] =
            [&first, &second].map(|stream| BufReader::new(stream).lines());
        from_first.next().unwrap().unwrap();
        (&first).write_all(b"13\n").unwrap();
        from_first.next().unwrap().unwrap();
        thread::sleep(WORK);
        (&first).write_all(b"13\n").unwrap();
        thread::sleep(WORK);
        from_second.next().unwrap().unwrap();
        (&second).write_all(b"13\n").unwrap();
        // Both are served until they leave.
        assert!(from_first.next().is_none() && from_second.next().is_none());
    });
    let mut plan = plan_of_turns(address);
    plan.groups[0].connections = 2;
    plan.warm_up = Duration::ZERO;
    let reports = obey(&plan, ["turn", "end"].into_iter());
    assert_eq!(reports[0].groups[0].service_ns.count(), 3);
}

#[test]
fn a_request_without_a_reply_in_its_turn_is_counted_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (release, released) = mpsc::channel();
    // The first client's second reply is held back for two turns. The other
    // clients aren't served before it has left.
    thread::spawn(move || {
        let mut held = Some(released);
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines();
            for (number, _) in lines.map_while(Result::ok).enumerate() {
                if number == 1
                    && let Some(released) = held.take()
                {
                    released.recv().unwrap();
                }
                (&stream).write_all(b"13\n").unwrap();
            }
        }
    });
    let idle = Bystander::start("read line");
    let mut plan = plan_of_turns(address);
    plan.warm_up = Duration::ZERO;
    plan.window = Duration::from_millis(100);
    plan.server = Some(idle.pid());
    let mut commands = ["turn", "turn", "end"].into_iter();
    let commands = std::iter::from_fn(|| {
        let command = commands.next()?;
        if command == "end" {
            release.send(()).unwrap();
        }
        Some(command)
    });
    let reports = obey(&plan, commands);
    let groups = reports.iter().map(|report| &report.groups[0]);
    let counts: Vec<[u64; 3]> = groups
        .map(|group| {
            let times = group.service_ns.count();
            [group.unfinished, times, group.replies_in_all]
        })
        .collect();
    assert_eq!(counts, [[1, 1, 1], [0, 0, 0], [0, 0, 3]]);
}

#[test]
fn a_server_without_a_reply_in_the_window_has_no_switches_in_it() {
    let mut plan = plan_of_turns(faulty_server(Fault::Hang));
    // Long enough for all replies to come before the window.
    plan.warm_up = Duration::from_millis(500);
    plan.reply_timeout = Duration::from_secs(1);
    plan.server = Some(rustix::process::getpid());
    let reports = obey(&plan, ["turn", "end"].into_iter());
    assert_eq!(reports[0].groups[0].replies_in_all, AFTER);
    // They are unknown if a child process of another test has just ended.
    let switches = &reports[0].server_switches_voluntary;
    assert_eq!(switches.value.unwrap_or(0), 0);
}

#[test]
fn a_turn_of_a_server_that_spins_ends_with_the_timeout() {
    // Several attempts: a machine with more to do may not run it for a while,
    // so that it seems idle.
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve_one_at_a_time(&listener));
        let spinning = Bystander::start("while kill -0 $PPID; do :; done");
        let mut plan = plan_of_turns(address);
        plan.reply_timeout = Duration::from_millis(200);
        plan.server = Some(spinning.pid());
        let reports = obey(&plan, ["turn", "turn", "end"].into_iter());
        let faults = reports.iter().map(|report| &report.groups[0].faults);
        let counts: Vec<u64> = faults.map(|faults| faults.timed_out).collect();
        if counts[0] == 2 {
            assert!(reports[0].visible_fault().is_some());
            return;
        }
    }
    panic!("the turn doesn't end with the timeout");
}

/// A process that does as a server should, instead of this one, in which other
/// tests run.
struct Bystander(Child);

impl Bystander {
    /// Starts a shell script whose stdin is a pipe.
    fn start(script: &str) -> Bystander {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::piped());
        Bystander(shell.spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that has a known fault after a few replies.
fn faulty_server(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        faulty::serve(&listener, Behaviour::only(fault, AFTER))
    });
    address
}
